"""The ways in which a statement is run: jsmql with and without pushdown, over tables staged in `temp`, and DuckDB over the same rows."""

import contextlib
import dataclasses
import re
import subprocess

import adbc_driver_flightsql.dbapi as flight_sql
import duckdb
import pyarrow as pa

from tree import Dialect

SCRATCH = {
    # Names that the site's tables have too, keys that are not there, NULL, dates far out, lists.
    "picked": """SELECT column1 AS id, column2 AS issue_key, column3 AS status, CAST(column4 AS DATE) AS day, CAST(column5 AS DOUBLE) AS amount,
        column6 AS public, column7 AS labels FROM (VALUES
        (1, 'ITSM-1', 'Resolved', '1600-01-01', 1.5, true, ['a', 'vpn']), (2, 'ITSM-2', NULL, '9999-12-31', -0.25, false, []),
        (3, 'GONE-1', 'x', NULL, 0.0, NULL, NULL), (4, NULL, 'Waiting for support', '2026-10-01', NULL, true, ['a']),
        (5, 'HR-1', 'Resolved', '0001-01-01', 1e15, false, ['x', NULL]), (6, 'itsm-1', '', '1970-01-01', 1e-9, NULL, ['ß', 'B']),
        (7, 'ITSM-1', 'Resolved', '2026-10-28', 2.0, true, ['b', 'a']))""",
    "few_keys": "SELECT issue_key, project_key AS key, created FROM issues WHERE issue_key <> 'ITSM-3' ORDER BY issue_key LIMIT 9",
}
# Views in the scratch schema, over {} as each engine names the tables.
VIEWS = {
    "desk_requests": """SELECT r.issue_key, r.status, i.summary, i.priority, r.reporter_account_id AS account_id, i.created
        FROM {requests} r LEFT JOIN {issues} i ON i.issue_key = r.issue_key AND i.project_key <> 'HR'""",
    "voices": """SELECT c.issue_key, c.id, c.public, max(c.created) AS created, count(*) AS n FROM {request_comments} c
        GROUP BY c.issue_key, c.id, c.public UNION ALL SELECT p.issue_key, p.account_id, p.active, NULL, 0 FROM {request_participants} p""",
}
WORDS = {
    "jsmql": {"semi": "LEFT SEMI JOIN", "anti": "LEFT ANTI JOIN", "length of list": "cardinality"},
    "duckdb": {"semi": "SEMI JOIN", "anti": "ANTI JOIN", "length of list": "len"},
}


@dataclasses.dataclass
class Answer:
    """Rows, each a tuple of plain values, or why there are none."""

    rows: list = None
    error: str = None

    def __str__(self):
        if self.error:
            return f"error: {self.error}"
        shown = "".join(f"\n      {row}" for row in self.rows[:4])
        return f"{len(self.rows)} rows{shown}" + ("\n      …" if len(self.rows) > 4 else "")


def plain(table):
    """Rows of an Arrow table as values that compare: times as numbers, for Python's years end at 9999."""
    return list(zip(*(column(values) for values in table.columns))) if table.num_columns else []


def column(values):
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return column(pa.chunked_array([chunk.storage for chunk in values.chunks], kind.storage_type))
    if pa.types.is_timestamp(kind):
        return values.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).to_pylist()
    if pa.types.is_date(kind):
        # A date and the timestamp of its midnight are different values.
        return [None if day is None else ("date", day) for day in values.cast(pa.date32()).cast(pa.int32()).to_pylist()]
    if pa.types.is_decimal(kind):
        return [None if value is None else float(value) for value in values.to_pylist()]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [None if value is None else tuple(value) for value in values.to_pylist()]
    return values.to_pylist()


class Jsmql:
    """A connection to a server: a session with a scratch schema of its own."""

    def __init__(self, name, url, tables=None):
        self.name = name
        options = {f"adbc.flight.sql.rpc.timeout_seconds.{call}": "30" for call in ("fetch", "query", "update")}
        self.connection = flight_sql.connect(url, db_kwargs=options, autocommit=True)
        self.dialect = Dialect(tables or {}, WORDS["jsmql"])

    def table(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

    def run(self, sql):
        try:
            return Answer(rows=plain(self.table(sql)))
        except Exception as error:
            return Answer(error=re.sub(r"\n", " ", str(error)))


class DuckDb:
    name = "DuckDB"

    def __init__(self, tables):
        self.connection = duckdb.connect()
        # One thread of the two of the machine; text compares by bytes, and times are those of UTC, as in jsmql.
        self.connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
        self.dialect = Dialect({}, WORDS["duckdb"])
        for name, rows in tables.items():
            self.connection.register("arriving", rows)
            self.connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM arriving')
            self.connection.unregister("arriving")
            self.dialect.tables[name] = f'"{name}"'

    def run(self, sql):
        try:
            return Answer(rows=plain(self.connection.sql(sql).to_arrow_table()))
        except Exception as error:
            return Answer(error=re.sub(r"\n.*", "", str(error), flags=re.S))


@contextlib.contextmanager
def running(*command):
    """A command that serves something; the address that it prints."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(timeout=40)
        process.stdout.close()


class Engines:
    """All ways, and what was staged: the rows of every table by name, as Arrow."""

    def __init__(self, stack, jsmql, requests):
        site = stack.enter_context(running(jsmql, "demo", "--date", "2026-10-31", "--port", "0", "--requests", str(requests)))
        account = f"URL={site};User=dana@demo.example;APIToken=demo-token"

        def server(options, *more):
            return stack.enter_context(running(jsmql, "serve", "--bind", "127.0.0.1:0", "--connection", account + options, *more))

        urls = [server(""), server(";Pushdown=false")]
        dry = [server(";DryRun=true" + options, "--allow-writes") for options in ("", ";Pushdown=false")]
        reader = Jsmql("reader", urls[0])
        self.columns = reader.table("SELECT * FROM sys.columns ORDER BY table_name, ordinal").to_pylist()
        self.writable = {row["table_name"]: row for row in reader.table("SELECT * FROM sys.tables").to_pylist()}
        unread = {column["table_name"] for column in self.columns if column["required"] and column["filter_only"]}
        names = [name for name in self.writable if name not in unread]
        site = {name: f"{name}" for name in names} | {name: f"temp.{name}" for name in (*SCRATCH, *VIEWS)}
        staged = {name: f"temp.{name}" for name in (*names, *SCRATCH, *VIEWS)}
        self.pushed, self.unpushed = Jsmql("pushdown", urls[0], site), Jsmql("without", urls[1], site)
        self.staged = Jsmql("staged", urls[0], staged)
        self.dry = [Jsmql("dry run", dry[0], site), Jsmql("dry run without", dry[1], site)]
        for name in names:
            self.staged.table(f"CREATE TABLE temp.{name} AS SELECT * FROM {name}")
        for way in (self.pushed, self.unpushed, self.staged, *self.dry):
            for name, query in SCRATCH.items():
                way.table(f"CREATE TABLE temp.{name} AS {query}")
            for name, query in VIEWS.items():
                way.table(f"CREATE VIEW temp.{name} AS {query.format(**way.dialect.tables)}")
        self.rows = {name: self.staged.table(f"SELECT * FROM temp.{name}") for name in (*names, *SCRATCH, *VIEWS)}
        self.duckdb = DuckDb(self.rows)
        self.ways = [self.pushed, self.unpushed, self.staged, self.duckdb]
