# SPDX-License-Identifier: MIT
"""Few cells of a large table in which every two values still meet."""

import itertools


def pairs(cell):
    """Every two values of a cell, each with its place."""
    return itertools.combinations(enumerate(cell), 2)


def choose(cells, times):
    """
    As few of `cells` as a greedy choice finds, so that each pair of values that is in any cell
    is in `times` of those chosen, or in all that have it.  The same for the same input.
    """
    wanted = {}
    for cell in cells:
        for pair in pairs(cell):
            wanted[pair] = min(wanted.get(pair, 0) + 1, times)
    left, chosen = list(cells), []
    while any(wanted.values()):
        best = max(left, key=lambda cell: sum(wanted[p] > 0 for p in pairs(cell)))
        left.remove(best)
        chosen.append(best)
        for pair in pairs(best):
            wanted[pair] = max(wanted[pair] - 1, 0)
    return chosen
