"""DELETE and UPDATE: the requests that a dry run shows are those for the rows that a SELECT of the same WHERE finds."""

import dataclasses

from expressions import Scope, Seen, text
from tree import Node, Table, node, series


@dataclasses.dataclass(frozen=True)
class Write(Node):
    """The parts are the table and the WHERE."""

    keys: tuple = ()
    value: Node = None  # of the summary, where the statement is an UPDATE

    def children(self):
        return [(1, self.parts[1])]

    def sql(self, dialect):
        table, where = (part.sql(dialect) for part in self.parts)
        if self.value is None:
            return f"DELETE FROM {table}{where}"
        return f"UPDATE {table} SET summary = {self.value.sql(dialect)}{where}"

    def found(self, dialect):
        """The SELECT of the same WHERE."""
        table, where = (part.sql(dialect) for part in self.parts)
        value = "" if self.value is None else f", {self.value.sql(dialect)} AS summary"
        return f"SELECT {', '.join(self.keys)}{value} FROM {table}{where}"

    def of_rows(self, dialect, rows):
        """The same write for rows that are named one by one; None for none."""
        named = [" AND ".join(f"{key} = {text(value)}" for key, value in zip(self.keys, row)) for row in rows]
        if not named:
            return None
        where = " WHERE " + " OR ".join(f"({one})" for one in named)
        return f"DELETE FROM {self.parts[0].sql(dialect)}{where}"


def write(make):
    """A random DELETE or UPDATE, among those whose keys are text."""
    make.aliases = 0
    update = make.chance(0.4)
    name = "issues" if update else make.random.choice(make.site.deletable)
    columns = make.site.tables[name]
    scope = Scope([Seen(f"{name}.{each.sql}", each.type, each.values, each) for each in columns])
    terms = [make.predicate(scope) for _ in range(make.random.choice([1, 1, 2]))]
    where = series("where", terms, joiner=" AND ", prefix=" WHERE ", least=1)
    keys = tuple(each.sql for each in columns if each.name in make.site.keys[name])
    value = node("text", "coalesce(", make.expression("text", scope, 1), ", 'none')") if update else None
    return Write("write", (Table(name), where), keys=keys, value=value)
