# SPDX-License-Identifier: MIT
"""The medians of tests/bench/run as bars, in SVG."""
from xml.sax.saxutils import escape

ROW, NAME, BAR, GAP = 18, 460, 300, 90
COLOURS = {"sluice": "#1f6f8b", "relay": "#8a8a8a"}
OTHER = "#c9a66b"


def text(x, y, words, more=""):
    return f'<text x="{x}" y="{y}" {more}>{escape(words)}</text>'


def bar(x, y, share, words, colour):
    width = max(1, round(BAR * share))
    return (f'<rect x="{x}" y="{y - 11}" width="{width}" height="13" fill="{colour}"/>'
            + text(x + width + 5, y, words))


def block(measure, clients, top):
    """One measure: a row a client, its rate and its processor time; and where the next one begins."""
    rates = {c: v["gbit_s"] for c, v in clients.items()}
    costs = {c: v["cpu_s_GB"] for c, v in clients.items()}
    cost_at = NAME + BAR + GAP
    y = top + 24
    parts = [text(10, y, measure, 'font-weight="bold"'), text(NAME, y, "Gbit/s"), text(cost_at, y, "CPU s/GB")]
    for client in sorted(clients, key=lambda c: (c != "relay", "vmess" in c, -rates[c])):
        y += ROW
        colour = COLOURS.get(client.split()[0].rstrip(","), OTHER)
        parts += [text(NAME - 8, y, client, 'text-anchor="end"'),
                  bar(NAME, y, rates[client] / max(rates.values()), f"{rates[client]:.2f}", colour),
                  bar(cost_at, y, costs[client] / max(costs.values()), f"{costs[client]:.2f}", colour)]
    return "\n".join(parts), y + ROW


def svg(table, head):
    """The chart of {measure: {client: values}} for the measures of bulk transfers."""
    parts, top = [text(10, 20, head)], 30
    for measure, clients in table.items():
        bulk = {c: v for c, v in clients.items() if "gbit_s" in v}
        if bulk:
            drawn, top = block(measure, bulk, top)
            parts.append(drawn)
    width = NAME + 2 * (BAR + GAP)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" font-family="sans-serif" '
            f'font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")
