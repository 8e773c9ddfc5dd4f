"""Makes a statement smaller as long as the engines go on to disagree about it.

Nothing is known about SQL: a step that makes nonsense of a statement is an error in every engine, which is no disagreement.
"""

import dataclasses
import time

from tree import Query, Series, put, size, walk

SIMPLEST = {"text": "'x'", "int": "1", "float": "1.5", "bool": "TRUE"}


def steps(tree):
    """Smaller trees, the smallest first."""
    found = []
    for path, here in walk(tree):
        if isinstance(here, Series) and len(here.parts) > here.least:
            for at in range(len(here.parts)):
                found.append(put(tree, path, dataclasses.replace(here, parts=here.parts[:at] + here.parts[at + 1 :])))
        if isinstance(here, Query):
            for field in ("limit", "offset"):
                if getattr(here, field) is not None:
                    found.append(put(tree, path, dataclasses.replace(here, **{field: None})))
            if here.ordered:
                found.append(put(tree, path, dataclasses.replace(here, ordered=False)))
        for below, other in walk(here):
            if below and other.kind == here.kind:
                found.append(put(tree, path, other))
        if here.kind in SIMPLEST and here.parts != (SIMPLEST[here.kind],):
            found.append(put(tree, path, dataclasses.replace(here, parts=(SIMPLEST[here.kind],))))
    return sorted(found, key=size)


def shrink(tree, disagrees, seconds=20):
    """The smallest statement found within this time. `disagrees` runs a tree in all engines."""
    end, tried = time.monotonic() + seconds, set()
    while True:
        for smaller in steps(tree):
            if time.monotonic() > end:
                return tree
            if smaller in tried or size(smaller) > size(tree):
                continue
            tried.add(smaller)
            if disagrees(smaller):
                tree = smaller
                break
        else:
            return tree
