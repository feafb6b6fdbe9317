# SPDX-License-Identifier: MIT
"""The medians of tests/bench/run as bars, in SVG."""
from xml.sax.saxutils import escape

from table import YARDSTICKS, brief

ROW, NAME, BAR, GAP = 18, 540, 260, 90
COLOURS = {"sluice": "#1f6f8b", "relay": "#8a8a8a", "tunfwd": "#8a8a8a", "kernel": "#8a8a8a"}
OTHER = "#c9a66b"
# The first of these whose first value a measure has is what is drawn of it.
COLUMNS = ((("gbit_s", "Gbit/s"), ("cpu_s_GB", "CPU s/GB")), (("mbit_s", "Mbit/s"),),
           (("rate", "a second"), ("p99_ms", "p99, ms")), (("p99_ms", "p99, ms"), ("p50_ms", "p50, ms")),
           (("private_KB", "private KB"), ("KB_a_flow", "KB a flow")), (("ms", "ms"),))


def text(x, y, words, more=""):
    return f'<text x="{x}" y="{y}" {more}>{escape(words)}</text>'


def bar(x, y, share, words, colour):
    width = max(1, round(BAR * share))
    return (f'<rect x="{x}" y="{y - 11}" width="{width}" height="13" fill="{colour}"/>'
            + text(x + width + 5, y, words))


def block(measure, clients, columns, top):
    """One measure: a row a client, a bar a column; and where the next one begins."""
    y = top + 24
    parts = [text(10, y, measure, 'font-weight="bold"')]
    places = {key: NAME + n * (BAR + GAP) for n, (key, _) in enumerate(columns)}
    most = {key: max(v.get(key, 0) for v in clients.values()) or 1 for key in places}
    parts += [text(places[key], y, unit) for key, unit in columns]
    first = columns[0][0]
    for client in sorted(clients, key=lambda c: (c not in YARDSTICKS, "vmess" in c, -clients[c][first])):
        y += ROW
        colour = COLOURS.get(client.split()[0].rstrip(","), OTHER)
        parts.append(text(NAME - 8, y, client, 'text-anchor="end"'))
        parts += [bar(x, y, clients[client][key] / most[key], brief(clients[client][key]), colour)
                  for key, x in places.items() if key in clients[client]]
    return "\n".join(parts), y + ROW


def svg(table, head):
    """The chart of {measure: {client: values}} for the measures that have a rate, or a time of their own."""
    parts, top = [text(10, 20, head)], 30
    for measure, clients in table.items():
        for columns in COLUMNS:
            drawable = {c: v for c, v in clients.items() if columns[0][0] in v}
            if drawable:
                drawn, top = block(measure, drawable, columns, top)
                parts.append(drawn)
                break
    width = NAME + 2 * (BAR + GAP)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" font-family="sans-serif" '
            f'font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")
