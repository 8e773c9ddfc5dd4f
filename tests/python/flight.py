"""The Flight SQL server as Python's clients see it: ADBC with pandas, polars, pyarrow and DuckDB behind it, and pyarrow's own client.

Usage: python tests/python/flight.py path/to/jsmql

Each check has a demo site behind a server of its own kind; what clients get must be what jsmql itself gets by SQL.
"""

import json
import subprocess
import sys
import threading
import warnings

import adbc_driver_flightsql.dbapi as flight_sql
import adbc_driver_manager
import duckdb
import pandas
import polars
import pyarrow
import pyarrow.flight

USER, TOKEN = "dana@demo.example", "demo-token"
OTHER, OTHER_TOKEN = "person9@customer.example", "demo-token-9"
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Command:
    """A jsmql that serves something, and tells its address on the first line."""

    def __init__(self, *arguments):
        self.arguments = arguments
        self.process = subprocess.Popen([JSMQL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.stdout.close()
        status = self.process.wait(timeout=40)
        # The demo site ends by the signal; a server hears it.
        assert status == (-15 if self.arguments[0] == "demo" else 0), f"{self.arguments[0]} ended with {status}"


def pass_through(site):
    """A server whose clients are who they are on the site."""
    return Command("serve", "--bind", "127.0.0.1:0", "--connection", f"URL={site.url}", "--pass-through")


def connect(server, user=USER, token=TOKEN, **options):
    return flight_sql.connect(server.url, db_kwargs={"username": user, "password": token, **options}, autocommit=True)


def rows(site, sql):
    """The rows of a statement, as jsmql reads them from the site."""
    command = [JSMQL, "--connection", f"URL={site.url};User={USER};APIToken={TOKEN}", "--format", "ndjson", "-c", sql]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return [json.loads(line) for line in out.splitlines()]


def same(theirs, ours):
    assert theirs == ours, f"{theirs!r}\n!=\n{ours!r}"


def refused(action, code, fragment):
    try:
        action()
    except adbc_driver_manager.Error as error:
        assert error.status_code == code, f"{error.status_code}: {error}"
        assert fragment in str(error), error
        assert TOKEN not in str(error) and OTHER_TOKEN not in str(error), error
        return
    raise AssertionError("it was not refused")


REQUESTS = "SELECT issue_key, summary, status FROM requests ORDER BY issue_key LIMIT 50"


@check
def rows_reach_arrow_pandas_polars_and_duckdb(site):
    ours = rows(site, REQUESTS)
    same(len(ours), 50)
    with pass_through(site) as server, connect(server) as connection, connection.cursor() as cursor:
        cursor.execute(REQUESTS)
        same(cursor.fetch_arrow_table().to_pylist(), ours)
        cursor.execute(REQUESTS)
        frame = cursor.fetch_df()
        assert isinstance(frame, pandas.DataFrame)
        same(frame.to_dict("records"), ours)
        cursor.execute(REQUESTS)
        frame = cursor.fetch_polars()
        assert isinstance(frame, polars.DataFrame)
        same(frame.to_dicts(), ours)
        same(polars.read_database(REQUESTS, connection).to_dicts(), ours)
        cursor.execute(REQUESTS)
        reader = cursor.fetch_record_batch()
        found = duckdb.sql("SELECT status, count(*) AS n FROM reader GROUP BY ALL ORDER BY ALL").fetchall()
        counted = {}
        for row in ours:
            counted[row["status"]] = counted.get(row["status"], 0) + 1
        same(found, sorted(counted.items()))
        cursor.execute(REQUESTS)
        same(cursor.fetchall(), [tuple(row.values()) for row in ours])


@check
def planning_sends_nothing_and_reading_sends_once(site):
    sent = "SELECT count(*) FROM sys.requests WHERE path LIKE '/rest/servicedeskapi/%'"
    with pass_through(site) as server, connect(server) as connection, connection.cursor() as cursor:
        def requests():
            cursor.execute(sent)
            return cursor.fetchone()[0]

        before = requests()
        schema = cursor.adbc_execute_schema("SELECT issue_key, created FROM requests LIMIT 10")
        same(schema.names, ["issue_key", "created"])
        cursor.adbc_prepare("SELECT issue_key FROM requests LIMIT 10")
        same(requests(), before)
        cursor.execute("SELECT issue_key FROM requests LIMIT 10")
        same(len(cursor.fetchall()), 10)
        same(requests(), before + 1)


@check
def metadata_is_told(site):
    with pass_through(site) as server, connect(server) as connection:
        info = connection.adbc_get_info()
        same(info["vendor_name"], "jsmql")
        same(sorted(connection.adbc_get_table_types()), ["LOCAL TEMPORARY", "SYSTEM TABLE", "TABLE", "VIEW"])
        schema = connection.adbc_get_table_schema("service_desks", db_schema_filter="public")
        same(schema.names, list(rows(site, "SELECT * FROM service_desks LIMIT 1")[0]))
        objects = connection.adbc_get_objects(depth="all", db_schema_filter="public", table_name_filter="request_comments")
        (catalog,) = objects.read_all().to_pylist()
        same(catalog["catalog_name"], "jsm")
        (schema,) = catalog["catalog_db_schemas"]
        (table,) = schema["db_schema_tables"]
        same((table["table_name"], table["table_type"]), ("request_comments", "TABLE"))
        columns = [column["column_name"] for column in table["table_columns"]]
        assert columns[:2] == ["issue_key", "id"], columns
        known = rows(site, "SELECT column_name, data_type, nullable, description FROM sys.columns WHERE table_name = 'request_comments'")
        known = {column["column_name"]: column for column in known}
        for column in table["table_columns"]:
            same(column["xdbc_type_name"], known[column["column_name"]]["data_type"])
            same((column["xdbc_scope_schema"], column["xdbc_scope_table"]), ("public", "request_comments"))
        # The driver has no place for these among its objects (go/adbc/driver/flightsql, SetMetadata); the schema of the table has.
        for field in connection.adbc_get_table_schema("request_comments", db_schema_filter="public"):
            ours = known[field.name]
            same((field.nullable, field.metadata[b"ARROW:FLIGHT:SQL:REMARKS"].decode()), (ours["nullable"], ours["description"]))


@check
def parameters_are_bound(site):
    with pass_through(site) as server, connect(server) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT summary FROM requests WHERE issue_key = ?", ("ITSM-9",))
        (ours,) = rows(site, "SELECT summary FROM requests WHERE issue_key = 'ITSM-9'")
        same(cursor.fetchall(), [(ours["summary"],)])
        cursor.execute("SELECT issue_key FROM requests WHERE issue_key = $1", parameters=pyarrow.record_batch({"1": ["ITSM-12", "ITSM-9"]}))
        same(cursor.fetchall(), [("ITSM-12",), ("ITSM-9",)])
        cursor.execute("SELECT $1 + 1 AS n, $2 AS t", (41, "x"))
        same(cursor.fetchall(), [(42, "x")])
        refused(lambda: cursor.execute("SELECT issue_key FROM requests WHERE issue_key = ?", ("a", "b")).fetchall(),
                adbc_driver_manager.AdbcStatusCode.INVALID_ARGUMENT, "1 parameters")


@check
def writes_take_effect_once(site):
    count = "SELECT count(*) FROM request_comments WHERE issue_key = 'ITSM-9' AND body = 'from python'"
    with pass_through(site) as server, connect(server) as connection, connection.cursor() as cursor:
        insert = "INSERT INTO request_comments (issue_key, body, public) VALUES ('ITSM-9', 'from python', true)"
        cursor.execute(insert)
        cursor.execute(count)
        same(cursor.fetchone(), (1,))
        cursor.executemany("INSERT INTO request_comments (issue_key, body) VALUES (?, ?)", [("ITSM-9", "from python")] * 2)
        same(cursor.rowcount, 2)
        cursor.execute(count)
        same(cursor.fetchone(), (3,))
        same(rows(site, count)[0]["count(*)"], 3)
        refused(lambda: cursor.execute("UPDATE requests SET status = 'x'"), adbc_driver_manager.AdbcStatusCode.NOT_IMPLEMENTED, "no operation for UPDATE")


@check
def the_servers_own_account_only_reads(site):
    own = Command("serve", "--bind", "127.0.0.1:0", "--connection", f"URL={site.url};User={USER};APIToken={TOKEN}")
    with own as server:
        with flight_sql.connect(server.url, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT display_name FROM myself")
            same(cursor.fetchone(), ("Dana Demo",))
            refused(lambda: cursor.execute("INSERT INTO request_comments (issue_key, body) VALUES ('ITSM-9', 'x')").fetchall(),
                    adbc_driver_manager.AdbcStatusCode.UNAUTHORIZED, "Readonly")


@check
def rows_are_sent_into_tables_of_the_session(site):
    table = pyarrow.table({"issue_key": ["ITSM-9", "ITSM-12"], "note": ["a", "b"]})
    with pass_through(site) as server, connect(server) as connection, connection.cursor() as cursor:
        same(cursor.adbc_ingest("notes", table, mode="create", db_schema_name="temp"), 2)
        same(cursor.adbc_ingest("notes", table.slice(0, 1), mode="append", db_schema_name="temp"), 1)
        cursor.execute("SELECT r.issue_key, n.note FROM requests r JOIN temp.notes n ON n.issue_key = r.issue_key ORDER BY 1, 2")
        same(cursor.fetchall(), [("ITSM-12", "b"), ("ITSM-9", "a"), ("ITSM-9", "a")])
        refused(lambda: cursor.adbc_ingest("notes", table, mode="create", db_schema_name="temp"), adbc_driver_manager.AdbcStatusCode.ALREADY_EXISTS, "exists already")
        same(cursor.adbc_ingest("notes", table, mode="replace", db_schema_name="temp"), 2)
        comments = pyarrow.table({"issue_key": ["ITSM-12"], "body": ["ingested"]})
        same(cursor.adbc_ingest("request_comments", comments, mode="append", db_schema_name="public"), 1)


@check
def errors_say_what_to_do(site):
    codes = adbc_driver_manager.AdbcStatusCode
    with pass_through(site) as server:
        refused(lambda: connect(server, token="wrong").cursor().execute("SELECT 1"), codes.UNAUTHENTICATED, "hint: log in with the e-mail")
        refused(lambda: flight_sql.connect(server.url, autocommit=True).cursor().execute("SELECT 1"), codes.UNAUTHENTICATED, "who you are")
        with connect(server) as connection, connection.cursor() as cursor:
            refused(lambda: cursor.execute("SELECT sumary FROM requests"), codes.INVALID_ARGUMENT, "summary")
            refused(lambda: cursor.execute("COPY (SELECT 1) TO '/tmp/x.csv'"), codes.NOT_IMPLEMENTED, "files")
            refused(lambda: cursor.execute("SELECT 1 / 0").fetchall(), codes.INVALID_ARGUMENT, "")
            # A failed statement leaves the connection as it was.
            cursor.execute("SELECT 1")
            same(cursor.fetchone(), (1,))


@check
def accounts_do_not_mix(site):
    names = {}

    def ask(user, token):
        with connect(server, user, token) as connection, connection.cursor() as cursor:
            for _ in range(5):
                cursor.execute("SELECT display_name FROM myself")
                names.setdefault(user, set()).add(cursor.fetchone()[0])

    with pass_through(site) as server:
        threads = [threading.Thread(target=ask, args=who) for who in [(USER, TOKEN), (OTHER, OTHER_TOKEN)] * 5]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    same(names[USER], {"Dana Demo"})
    same(len(names[OTHER]), 1)
    assert names[OTHER] != names[USER]


@check
def options_of_the_session_are_set(site):
    with pass_through(site) as server, connect(server) as connection:
        low = connection.adbc_connection
        same(low.get_option("adbc.flight.sql.session.option.schema"), "public")
        low.set_options(**{"adbc.flight.sql.session.option.statement_timeout": 7})
        same(low.get_option_int("adbc.flight.sql.session.option.statement_timeout"), 7)


@check
def pyarrow_speaks_to_it_as_well(site):
    with pass_through(site) as server:
        client = pyarrow.flight.connect(server.url)
        header, token = client.authenticate_basic_token(USER, TOKEN)
        assert (header, token[:7]) == (b"authorization", b"Bearer "), (header, token[:7])
        options = pyarrow.flight.FlightCallOptions(headers=[(header, token)])
        actions = [action.type for action in client.list_actions(options)]
        assert "CancelFlightInfo" in actions and "CloseSession" in actions, actions
        try:
            client.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(b"SELECT 1"), options)
        except pyarrow.ArrowInvalid as error:
            assert "speaks Flight SQL" in str(error), error
        else:
            raise AssertionError("that was no Flight SQL")
        client.close()


def slow_checks():
    """A statement that takes long is cancelled from elsewhere, and its requests stop."""
    with Command("demo", "--date", "2026-10-31", "--port", "0", "--requests", "20000", "--latency-ms", "20") as site, pass_through(site) as server:
        with connect(server) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT issue_key FROM requests")
            reader = cursor.fetch_record_batch()
            reader.read_next_batch()
            threading.Timer(0.2, cursor.adbc_cancel).start()
            try:
                while True:
                    reader.read_next_batch()
            except StopIteration:
                raise AssertionError("a cancelled statement seemed to be complete") from None
            except Exception as error:  # the reader is Arrow's, and so are its errors
                assert "ancel" in str(error), error
            with connection.cursor() as other:
                count = "SELECT count(*) FROM sys.requests"
                other.execute(count)
                before = other.fetchone()[0]
                assert before < 150, before
                other.execute(count)
                assert other.fetchone()[0] <= before + 8


def main():
    warnings.simplefilter("error")
    failed = 0
    with Command("demo", "--date", "2026-10-31", "--port", "0") as site:
        for function in CHECKS:
            try:
                function(site)
                print(f"{function.__name__}: ok")
            except Exception as error:  # every check runs, whatever the others say
                failed += 1
                print(f"{function.__name__}: FAILED: {type(error).__name__}: {error}")
    try:
        slow_checks()
        print("a_statement_is_cancelled: ok")
    except Exception as error:
        failed += 1
        print(f"a_statement_is_cancelled: FAILED: {type(error).__name__}: {error}")
    print(f"\n{len(CHECKS) + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    JSMQL = sys.argv[1]
    sys.exit(main())
