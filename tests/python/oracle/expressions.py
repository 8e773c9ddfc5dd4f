"""Expressions by type. Each function makes one form; `makes` puts it among the forms of its type, with how often it is taken.

Wherever engines may differ by right — division, the type of a sum, where NULL sorts — the SQL says which is meant.
"""

import collections
import dataclasses

from tree import Word, node, series

FORMS = collections.defaultdict(list)


def makes(kind, weight=1, switch=None):
    """A form of expressions of this type; `switch` names the construct in known.py."""

    def register(form):
        FORMS[kind].append((form, weight, switch))
        return form

    return register


@dataclasses.dataclass(frozen=True)
class Seen:
    """A column that an expression may name, and what is known of its values."""

    sql: str
    type: str
    values: tuple = ()
    column: object = None


class Scope(list):
    """Columns that are seen, the inner ones here and those of the outer query in `outer`."""

    def __init__(self, columns, outer=()):
        super().__init__(columns)
        self.outer = list(outer)

    def of(self, kind):
        return [column for column in self if column.type == kind]


def text(value):
    return "'" + value.replace("'", "''") + "'"


def instant(microseconds):
    seconds, rest = divmod(microseconds, 1_000_000)
    days, seconds = divmod(seconds, 86_400)
    return f"{day(days)}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest // 1000:03}Z"


def day(days):
    """A day after 1970 as a date of the proleptic calendar, which Python has for years 1 to 9999."""
    import datetime

    return (datetime.date(1970, 1, 1) + datetime.timedelta(days)).isoformat()


def literal(make, kind, values=()):
    """A value of this type, mostly one of those that occur."""
    random = make.random
    value = random.choice(values[:12]) if values and random.random() < 0.85 else None
    if kind == "text":
        if value is None:
            value = random.choice(["ITSM-1", "Resolved", "x", "", "GONE-1", "a", "É", "1"])
        elif random.random() < 0.06:
            value = random.choice([value.lower(), value.upper(), value + " ", value[:-1]])
        return node(kind, text(value))
    if kind == "int":
        return node(kind, str(value if value is not None else random.choice([0, 1, 2, 3, 7, -1, 100, 4_000_000_000])))
    if kind == "float":
        return node(kind, f"CAST({value if value is not None else random.choice([0.5, -1.25, 3.0, 1e9])!r} AS DOUBLE)")
    if kind == "bool":
        return node(kind, random.choice(["TRUE", "FALSE"]))
    if kind == "date":
        value = day(value[1]) if value is not None else random.choice(["2026-10-01", "2026-12-31", "1970-01-01", "1600-02-29", "9999-12-31"])
        return node(kind, f"DATE {text(value)}")
    if kind == "time":
        value = instant(value) if value is not None else random.choice(["2026-10-01T00:00:00Z", "2026-09-15T12:00:00Z", "1999-12-31T23:59:59Z"])
        if "." in value and random.random() < 0.12:
            # A digit that no column has.
            value = value.replace("Z", "5Z")
        return node(kind, f"CAST({text(value)} AS TIMESTAMP WITH TIME ZONE)")
    assert kind == "list", kind
    return node(kind, "['a', ", literal(make, "text"), "]")


# ---- any type


def column(make, kind, scope, depth):
    seen = scope.of(kind)
    return node(kind, make.random.choice(seen).sql) if seen else None


def constant(make, kind, scope, depth):
    seen = scope.of(kind)
    return literal(make, kind, make.random.choice(seen).values if seen else ())


def coalesce(make, kind, scope, depth):
    return node(kind, "coalesce(", make.expression(kind, scope, depth + 1), ", ", make.expression(kind, scope, depth + 1), ")")


def case(make, kind, scope, depth):
    parts = ["CASE WHEN ", make.predicate(scope, depth + 1), " THEN ", make.expression(kind, scope, depth + 1)]
    if make.random.random() < 0.7:
        parts += [" ELSE ", make.expression(kind, scope, depth + 1)]
    return node(kind, *parts, " END")


def nullif(make, kind, scope, depth):
    return node(kind, "nullif(", make.expression(kind, scope, depth + 1), ", ", constant(make, kind, scope, depth), ")")


def scalar(make, kind, scope, depth):
    return make.scalar(kind, scope, depth)


for each in ("text", "int", "float", "bool", "date", "time"):
    for form, weight in ((coalesce, 1), (case, 1), (nullif, 0.4), (scalar, 1)):
        makes(each, weight)(form)


# ---- text


@makes("text", 2)
def changed(make, kind, scope, depth):
    of = make.expression(kind, scope, depth + 1)
    start = make.random.randint(1, 4)
    return make.random.choice(
        [
            node(kind, "lower(", of, ")"),
            node(kind, "trim(", of, ")"),
            node(kind, f"substr(", of, f", {start}, {make.random.randint(1, 6)})"),
            node(kind, "replace(", of, ", 'a', '-')"),
            node(kind, "left(", of, f", {start})"),
        ]
    )


@makes("text", 1)
def joined(make, kind, scope, depth):
    return node(kind, "(", make.expression(kind, scope, depth + 1), " || ", make.expression(kind, scope, depth + 1), ")")


@makes("text", 0.7)
def spelled(make, kind, scope, depth):
    return node(kind, "CAST(", make.expression(make.random.choice(["int", "date"]), scope, depth + 1), " AS VARCHAR)")


@makes("text", 0.4)
def element(make, kind, scope, depth):
    return node(kind, "(", make.expression("list", scope, depth + 1), ")[1]") if scope.of("list") else None


@makes("text", 0.4)
def elements(make, kind, scope, depth):
    return node(kind, "array_to_string(", make.expression("list", scope, depth + 1), ", '+')") if scope.of("list") else None


# ---- numbers


@makes("int", 1)
def length(make, kind, scope, depth):
    return node(kind, "CAST(length(", make.expression("text", scope, depth + 1), ") AS BIGINT)")


@makes("int", 1.5)
def sum_of(make, kind, scope, depth):
    op = make.random.choice([" + ", " - ", " * "])
    return node(kind, "(", make.expression(kind, scope, depth + 1), op, node(kind, str(make.random.randint(-3, 9))), ")")


@makes("int", 0.7)
def part(make, kind, scope, depth):
    field = make.random.choice(["year", "month", "day"])
    return node(kind, f"CAST(extract({field} FROM ", make.expression(make.random.choice(["date", "time"]), scope, depth + 1), ") AS BIGINT)")


@makes("int", 0.5)
def number_in(make, kind, scope, depth):
    return node(kind, "TRY_CAST(", make.expression("text", scope, depth + 1), " AS BIGINT)")


@makes("int", 0.5)
def count_of_list(make, kind, scope, depth):
    if not scope.of("list"):
        return None
    return node(kind, "CAST(", Word("length of list"), "(", make.expression("list", scope, depth + 1), ") AS BIGINT)")


@makes("float", 1.5)
def as_float(make, kind, scope, depth):
    return node(kind, "CAST(", make.expression("int", scope, depth + 1), " AS DOUBLE)")


@makes("float", 1)
def quotient(make, kind, scope, depth):
    divisor = node(kind, "nullif(", make.expression(kind, scope, depth + 1), ", CAST(0 AS DOUBLE))")
    return node(kind, "(", make.expression(kind, scope, depth + 1), make.random.choice([" / ", " * ", " - "]), divisor, ")")


# ---- dates


@makes("date", 1)
def day_of(make, kind, scope, depth):
    return node(kind, "CAST(", make.expression("time", scope, depth + 1), " AS DATE)")


@makes("date", 0.7)
def later_day(make, kind, scope, depth):
    if not scope.of("date"):
        return None
    op, unit = make.random.choice(["+", "-"]), make.random.choice(["day", "month"])
    return node(kind, "CAST(", column(make, kind, scope, depth), f" {op} INTERVAL '{make.random.randint(1, 40)} {unit}' AS DATE)")


@makes("time", 1)
def cut_off(make, kind, scope, depth):
    unit = make.random.choice(["day", "month", "hour", "year"])
    return node(kind, f"date_trunc('{unit}', ", make.expression(kind, scope, depth + 1), ")")


@makes("time", 0.7)
def later(make, kind, scope, depth):
    op, unit = make.random.choice(["+", "-"]), make.random.choice(["day", "hour"])
    return node(kind, "(", make.expression(kind, scope, depth + 1), f" {op} INTERVAL '{make.random.randint(1, 40)} {unit}')")


# ---- truth


def ordered_kind(make, scope):
    kinds = sorted({seen.type for seen in scope if seen.type in ("text", "int", "float", "date", "time")})
    return make.random.choice(kinds) if kinds else "int"


def subject(make, scope, kind):
    """A column to say something about, with its values; else any expression."""
    seen = [column for column in scope.of(kind) if column.values]
    # Conditions of a query and of the one in it are often about the same.
    again = [column for column in seen if column.column and column.column == make.said]
    if seen:
        chosen = make.random.choice(again if again and make.random.random() < 0.4 else seen)
        make.said = chosen.column
        return node(kind, chosen.sql), chosen.values
    return make.expression(kind, scope, 2), ()


@makes("bool", 5)
def compared(make, kind, scope, depth):
    of = ordered_kind(make, scope)
    left, values = subject(make, scope, of)
    op = make.random.choice(["=", "=", "<>", "<>", "<", ">", "<=", ">="])
    return node(kind, "(", left, f" {op} ", literal(make, of, values), ")")


@makes("bool", 2)
def columns_compared(make, kind, scope, depth):
    of = ordered_kind(make, scope)
    op = make.random.choice(["=", "<>", "<", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"])
    return node(kind, "(", subject(make, scope, of)[0], f" {op} ", make.expression(of, scope, depth + 1), ")")


@makes("bool", 1.5)
def distinct_from(make, kind, scope, depth):
    of = ordered_kind(make, scope)
    left, values = subject(make, scope, of)
    word = make.random.choice(["IS DISTINCT FROM", "IS NOT DISTINCT FROM"])
    right = node(of, "NULL") if make.random.random() < 0.2 else literal(make, of, values)
    return node(kind, "(", left, f" {word} ", right, ")")


@makes("bool", 1.5)
def between(make, kind, scope, depth):
    of = ordered_kind(make, scope)
    left, values = subject(make, scope, of)
    word = make.random.choice(["BETWEEN", "BETWEEN", "NOT BETWEEN"])
    return node(kind, "(", left, f" {word} ", literal(make, of, values), " AND ", literal(make, of, values), ")")


@makes("bool", 3)
def one_of(make, kind, scope, depth):
    of = ordered_kind(make, scope)
    left, values = subject(make, scope, of)
    word = make.random.choice([" IN (", " IN (", " NOT IN ("])
    listed = [literal(make, of, values) for _ in range(make.random.randint(1, 5))]
    if make.random.random() < 0.15:
        listed.append(node(of, "NULL"))
    return node(kind, "(", left, word, series("values", listed, least=1), "))")


@makes("bool", 1)
def in_lists(make, kind, scope, depth):
    """Several lists about one expression, of which the engine likes to make one."""
    of = ordered_kind(make, scope)
    left, values = subject(make, scope, of)
    lists = []
    for _ in range(make.random.randint(2, 3)):
        listed = [literal(make, of, values) for _ in range(make.random.randint(1, 6))]
        if make.random.random() < 0.2:
            equal = [node(kind, left, " = ", value) for value in listed]
            lists.append(node(kind, "(", series("terms", equal, joiner=" OR ", least=1), ")"))
            continue
        if make.random.random() < 0.15:
            listed.append(node(of, "NULL"))
        word = make.random.choice([" IN (", " NOT IN (", " NOT IN ("])
        one = node(kind, "(", left, word, series("values", listed, least=1), "))")
        around = make.random.choice([None, None, None, None, ("(", " = TRUE)"), ("coalesce(", ", NULL)"), ("(NOT ", ")")])
        lists.append(node(kind, around[0], one, around[1]) if around else one)
    joined = node(kind, "(", series("terms", lists, joiner=make.random.choice([" AND ", " OR "]), least=1), ")")
    return node(kind, "(NOT ", joined, ")") if make.random.random() < 0.3 else joined


@makes("bool", 2)
def null_or_not(make, kind, scope, depth):
    of = ordered_kind(make, scope)
    return node(kind, "(", make.expression(of, scope, depth), make.random.choice([" IS NULL", " IS NOT NULL", " IS NOT NULL"]), ")")


@makes("bool", 1.5)
def like(make, kind, scope, depth):
    left, values = subject(make, scope, "text")
    value = make.random.choice(values[:12]) if values else "a"
    at = make.random.randint(0, len(value))
    pattern = make.random.choice([value[:at] + "%", "%" + value[at:], "%" + value[at : at + 2] + "%", value[:at] + "_" + value[at + 1 :]])
    word = make.random.choice(["LIKE", "LIKE", "NOT LIKE", "ILIKE"])
    if "\\" in pattern:
        return None
    return node(kind, "(", left, f" {word} ", text(pattern), ")")


@makes("bool", 0.5)
def any_text(make, kind, scope, depth):
    left, _ = subject(make, scope, "text")
    return node(kind, Word("matches"), "(", left, make.random.choice([", '.*')", ", '.+')", ", '^a')"]))


@makes("bool", 1)
def truth_test(make, kind, scope, depth):
    word = make.random.choice(["TRUE", "FALSE", "NOT TRUE", "NOT FALSE"])
    return node(kind, "(", make.expression(kind, scope, depth + 1), f" IS {word})")


@makes("bool", 1)
def negated(make, kind, scope, depth):
    return node(kind, "(NOT ", make.predicate(scope, depth + 1), ")")


@makes("bool", 2)
def combined(make, kind, scope, depth):
    terms = [make.predicate(scope, depth + 1) for _ in range(make.random.randint(2, 3))]
    return node(kind, "(", series("terms", terms, joiner=make.random.choice([" AND ", " OR ", " OR "]), least=1), ")")


@makes("bool", 0.7)
def has_element(make, kind, scope, depth):
    if not scope.of("list"):
        return None
    seen = make.random.choice(scope.of("list"))
    values = [value for listed in seen.values for value in listed if value is not None]
    return node(kind, "array_has(", seen.sql, ", ", literal(make, "text", values), ")")


@makes("bool", 3)
def in_rows(make, kind, scope, depth):
    return make.in_rows(scope, depth)


@makes("bool", 2)
def exists(make, kind, scope, depth):
    return make.exists(scope, depth)
