"""Statements as trees: text with places in it, so that a statement can be written for several engines and made smaller.

A tree knows nothing of SQL but this: a node may stand wherever a node of the same kind stands, a series may lose items, and what a tree
reads from has a name of its own in each engine.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How one engine writes what engines write differently."""

    tables: dict
    words: dict


@dataclasses.dataclass(frozen=True)
class Table:
    name: str

    def sql(self, dialect):
        return dialect.tables[self.name]


@dataclasses.dataclass(frozen=True)
class Word:
    """What has another name in each engine."""

    name: str

    def sql(self, dialect):
        return dialect.words[self.name]


@dataclasses.dataclass(frozen=True)
class Node:
    """Parts one after the other. `kind` says what it may be exchanged for: a type, for an expression of that type."""

    kind: str
    parts: tuple

    def sql(self, dialect):
        return "".join(write(part, dialect) for part in self.parts)

    def children(self):
        return [(at, part) for at, part in enumerate(self.parts) if isinstance(part, Node)]

    def having(self, at, part):
        return dataclasses.replace(self, parts=(*self.parts[:at], part, *self.parts[at + 1 :]))


@dataclasses.dataclass(frozen=True)
class Series(Node):
    """Parts with something between them, each of which may go as long as `least` are left; an empty one is nothing at all."""

    joiner: str = ", "
    prefix: str = ""
    suffix: str = ""
    least: int = 0

    def sql(self, dialect):
        if not self.parts:
            return ""
        return self.prefix + self.joiner.join(write(part, dialect) for part in self.parts) + self.suffix


@dataclasses.dataclass(frozen=True)
class Query(Node):
    """A query whose columns are `c1`, `c2`, … A limit stands above an order by all columns, so that rows that tie are equal rows."""

    ordered: bool = False
    limit: int = None
    offset: int = None

    def names(self):
        """Its columns: those of its first SELECT list."""
        return [name for name in names_of(self)]

    def sql(self, dialect):
        text = super().sql(dialect)
        if self.ordered or self.limit is not None or self.offset is not None:
            text += " ORDER BY " + ", ".join(f"{at} NULLS LAST" for at in range(1, len(self.names()) + 1))
        if self.limit is not None:
            text += f" LIMIT {self.limit}"
        if self.offset is not None:
            text += f" OFFSET {self.offset}"
        return text


@dataclasses.dataclass(frozen=True)
class Item(Node):
    """An expression in a SELECT list, with the name of its column."""

    name: str = ""

    def sql(self, dialect):
        return f"{super().sql(dialect)} AS {self.name}"


@dataclasses.dataclass(frozen=True)
class DistinctOn(Query):
    """The first row of each value of the first columns of a query, by the order of all its columns."""

    on: int = 1

    def sql(self, dialect):
        names = self.names()
        on = ", ".join(f"q.{name}" for name in names[: self.on])
        order = ", ".join(f"q.{name} NULLS LAST" for name in names)
        columns = ", ".join(f"q.{name} AS {name}" for name in names)
        text = f"SELECT DISTINCT ON ({on}) {columns} FROM ({self.parts[0].sql(dialect)}) q ORDER BY {order}"
        return text + (f" LIMIT {self.limit}" if self.limit is not None else "")


def write(part, dialect):
    return part if isinstance(part, str) else part.sql(dialect)


def names_of(node):
    """Names of the columns of a query; None where a node has no SELECT list."""
    if isinstance(node, Series) and node.kind == "items":
        return [item.name for item in node.parts]
    for _, child in node.children():
        if child.kind in ("items", "query") and (names := names_of(child)):
            return names
    return None


def node(kind, *parts):
    return Node(kind, parts)


def series(kind, parts, **how):
    return Series(kind, tuple(parts), **how)


def walk(tree, path=()):
    """Every node with the way to it, those above before those below."""
    yield path, tree
    for at, child in tree.children():
        yield from walk(child, (*path, at))


def put(tree, path, part):
    """The tree with another node at the end of this way."""
    if not path:
        return part
    return tree.having(path[0], put(tree.parts[path[0]], path[1:], part))


def size(tree):
    return sum(1 for _ in walk(tree))
