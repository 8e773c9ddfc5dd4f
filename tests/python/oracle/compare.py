"""Whether answers agree: the same rows, in the same order where the statement says one; floats to nine digits."""

import math
import re


def sortable(value):
    """A value as something that sorts beside any other; floats that are nearly equal sort side by side."""
    if isinstance(value, float):
        value = 0.0 if value == 0 else float(f"{value:.9g}")
    if isinstance(value, tuple):
        return ("tuple", tuple(sortable(each) for each in value))
    return (type(value).__name__ if not isinstance(value, (int, float)) or isinstance(value, bool) else "number", str(value) if value is None else value)


def equal(one, other):
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) or isinstance(other, float):
        if not isinstance(one, (int, float)) or not isinstance(other, (int, float)):
            return False
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def same_rows(one, other, ordered):
    if len(one) != len(other):
        return False
    if not ordered:
        one, other = (sorted(rows, key=lambda row: tuple(map(sortable, row))) for rows in (one, other))
    return all(map(equal, one, other))


def reason_in(error, reasons):
    return next((fragment for fragment in reasons if fragment in error), None)


def kind_of(error):
    """What an error says without its values."""
    return re.sub(r"['\"`][^'\"`]*['\"`]|\d+", "…", error)[:100]


def verdict(answers, ordered, reasons):
    """`same`, `refused` for a reason that is known or that all ways share, or what differs: `rows`, or errors by their kind."""
    errors = [answer.error for answer in answers if answer.error]
    if not errors:
        return "same" if all(same_rows(answers[0].rows, other.rows, ordered) for other in answers[1:]) else "rows"
    if len(errors) == len(answers):
        return "refused"
    if all(reason_in(error, reasons) for error in errors):
        # What the others answer must be the same all the same.
        left = [answer for answer in answers if not answer.error]
        return "refused" if all(same_rows(left[0].rows, other.rows, ordered) for other in left[1:]) else "rows"
    return "errors: " + " / ".join(sorted({kind_of(error) for error in errors}))
