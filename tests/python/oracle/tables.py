"""What statements can be about: tables, their columns by type, values that occur in them, and columns that join."""

import collections
import dataclasses
import re

import pyarrow as pa

from engines import plain

# A type of the generator for each type of Arrow.
TYPES = [
    (pa.types.is_boolean, "bool"),
    (pa.types.is_integer, "int"),
    (pa.types.is_floating, "float"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "time"),
    (pa.types.is_list, "list"),
    (pa.types.is_string, "text"),
]
# Rows of a join, at most: a cross product says no more than a small one, and takes longer.
MOST_ROWS = 3000


@dataclasses.dataclass(frozen=True, eq=False)
class Column:
    """A column of a table: what is known of its values."""

    table: str
    name: str
    type: str
    values: tuple  # those that occur, the most frequent first
    counts: tuple
    sql: str  # its name as a statement writes it


class Site:
    def __init__(self, engines):
        asked = {(column["table_name"], column["column_name"]) for column in engines.columns if column["filter_only"]}
        self.words = {word for (word,) in engines.duckdb.run("SELECT keyword_name FROM duckdb_keywords()").rows}
        self.keys = {
            name: [column["column_name"] for column in engines.columns if column["table_name"] == name and column["is_key"]]
            for name in engines.rows
        }
        self.tables = {name: self.columns(name, rows, asked) for name, rows in engines.rows.items()}
        self.sizes = {name: rows.num_rows for name, rows in engines.rows.items()}
        self.deletable = [name for name, row in engines.writable.items() if row["deletable"] and self.sizes.get(name)]
        self.joins = self.pairs()
        self.common = {(one, other) for pairs in self.joins.values() for one, other, _ in pairs}

    def columns(self, table, rows, asked):
        found = []
        for field in rows.schema:
            kind = next((ours for test, ours in TYPES if test(field.type)), None)
            # Input columns are questions and not values; documents in JSON are compared nowhere.
            if kind is None or (table, field.name) in asked or not rows.num_rows:
                continue
            values = [value for (value,) in plain(rows.select([field.name])) if value is not None]
            counted = collections.Counter(values).most_common(40)
            found.append(Column(table, field.name, kind, tuple(v for v, _ in counted), tuple(n for _, n in counted), self.quoted(field.name)))
        return found

    def quoted(self, name):
        return name if re.fullmatch("[a-z][a-z0-9_]*", name) and name not in self.words else f'"{name}"'

    def pairs(self):
        """Pairs of columns that have values in common, by table: what a join or a sub-select can compare."""
        found = collections.defaultdict(list)
        every = [column for columns in self.tables.values() for column in columns if column.type in ("text", "int") and column.values]
        for one in every:
            counts = dict(zip(one.values, one.counts))
            for other in every:
                if one.type == other.type:
                    rows = sum(counts.get(value, 0) * n for value, n in zip(other.values, other.counts))
                    if 0 < rows <= MOST_ROWS:
                        # Keys and equal names are what people join by.
                        weight = 1 + 8 * (one.name in self.keys[one.table]) + 8 * (other.name in self.keys[other.table]) + 6 * (one.name == other.name)
                        found[one.table].append((one, other, weight))
        return found
