"""The choice of survivors within components, over rows in the order of preference."""

from __future__ import annotations

from typing import Any

import numpy as np

from etl.dedup.compiled import compiled


@compiled
def _matches(left: Any, right: Any) -> Any:
    equal = 0
    for k in range(left.shape[0]):
        equal += left[k] == right[k]
    return equal


@compiled
def choose_survivors(
    component: Any, exact: Any, published: Any, signed: Any, minima: Any, threshold: Any
) -> tuple[Any, Any, Any]:
    """Every row's survivor, its similarity to it, and whether both are exact copies.

    Rows of one `component` stand together, the most preferred first. `exact` int64 numbers the
    distinct texts; it is the row of `minima`, and of `signed` (false for a text without a shingle).
    A row joins the first survivor that is an exact copy, else the first whose estimated Jaccard
    similarity reaches `threshold`, else it survives itself; a published row always survives.
    """
    rows = component.shape[0]
    survivor = np.arange(rows)
    similarity = np.ones(rows, dtype=np.float64)
    copies = np.ones(rows, dtype=np.bool_)
    chosen = np.empty(rows, dtype=np.int64)  # the survivors of the component at hand
    of_text = np.full(minima.shape[0], -1, dtype=np.int64)  # a text's first row, if it survived
    permutations = minima.shape[1]
    count = 0
    for row in range(rows):
        if row and component[row] != component[row - 1]:
            count = 0
        text = exact[row]
        found = False
        if not published[row]:
            copy = of_text[text]
            if copy >= 0 and component[copy] == component[row]:
                survivor[row] = copy
                found = True
            elif signed[text]:
                for index in range(count):
                    other = exact[chosen[index]]
                    if signed[other]:
                        estimate = _matches(minima[text], minima[other]) / permutations
                        if estimate >= threshold:
                            survivor[row] = chosen[index]
                            similarity[row] = estimate
                            copies[row] = False
                            found = True
                            break
        if not found:
            chosen[count] = row
            count += 1
            first = of_text[text]
            if first < 0 or component[first] != component[row]:
                of_text[text] = row
    return survivor, similarity, copies
