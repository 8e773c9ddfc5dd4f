"""The ADBC driver as Python programs use it, on the demo site.

Usage: python tests/python/adbc.py path/to/jsmql path/to/libjsmql.so

The driver is loaded by adbc-driver-manager; pyarrow, pandas, polars and duckdb read what it gives. Checks whose names begin with `Test` are
those of the public validation suites, by their names, as far as they apply; docs/adbc.md has the table, which is compared with this file.
"""

import contextlib
import ctypes
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import adbc_driver_manager as manager
import duckdb
import pandas
import polars
import pyarrow as pa
from adbc_driver_manager import dbapi

USER, TOKEN = "dana@demo.example", "demo-token"
CHECKS, VALIDATED = [], set()
INVALID_STATE, INVALID_ARGUMENT = manager.AdbcStatusCode.INVALID_STATE, manager.AdbcStatusCode.INVALID_ARGUMENT
NOT_FOUND, ALREADY_EXISTS = manager.AdbcStatusCode.NOT_FOUND, manager.AdbcStatusCode.ALREADY_EXISTS
INVALID_DATA = manager.AdbcStatusCode.INVALID_DATA
NOT_IMPLEMENTED, CANCELLED = manager.AdbcStatusCode.NOT_IMPLEMENTED, manager.AdbcStatusCode.CANCELLED


def check(function):
    CHECKS.append((function.__name__, function))
    return function


def validates(*names):
    """A check of a public validation suite, by the names that it has there."""

    def register(function):
        VALIDATED.update(names)
        CHECKS.append((", ".join(names), function))
        return function

    return register


def same(one, other):
    assert one == other, f"{one!r}\n!=\n{other!r}"


@contextlib.contextmanager
def refused(status, *says, sqlstate=None):
    """The block fails with this status and these words."""
    try:
        yield
    except manager.Error as error:
        same(error.status_code, status)
        for words in says:
            assert words in str(error), f"{words!r} is not in: {error}"
        if sqlstate:
            same(error.sqlstate, sqlstate)
    else:
        raise AssertionError("nothing failed")


@contextlib.contextmanager
def site(*arguments):
    """A demo site, as long as the block runs; its address."""
    command = [JSMQL, "demo", "--date", "2026-10-31", "--port", "0", *arguments]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def connect(url, conn_kwargs=None, **options):
    options = {"URL": url, "User": USER, "APIToken": TOKEN, **options}
    with dbapi.connect(driver=LIBRARY, db_kwargs=options, conn_kwargs=conn_kwargs, autocommit=True) as connection:
        yield connection


def rows(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        return cursor.execute(sql, parameters).fetchall()


def sent(connection):
    """How many requests the connection has sent."""
    return rows(connection, "SELECT count(*) FROM sys.requests")[0][0]


def objects(connection, **filters):
    """GetObjects as {schema: {table: table}}."""
    catalogs = connection.adbc_get_objects(**filters).read_all().to_pylist()
    if not catalogs:
        return {}
    assert len(catalogs) == 1 and catalogs[0]["catalog_name"] == "jsm", catalogs
    schemas = catalogs[0]["catalog_db_schemas"] or []
    return {s["db_schema_name"]: {t["table_name"]: t for t in s["db_schema_tables"] or []} for s in schemas}


# Reading


@check
def rows_come_as_every_library_reads_them(url, c):
    sql = "SELECT issue_key, summary, status, created FROM requests WHERE service_desk_id = '1' ORDER BY issue_key LIMIT 7"
    with c.cursor() as cursor:
        table = cursor.execute(sql).fetch_arrow_table()
        same(table.schema.names, ["issue_key", "summary", "status", "created"])
        same(table.num_rows, 7)
        frame = cursor.execute(sql).fetch_df()
        assert isinstance(frame, pandas.DataFrame)
        same(list(frame["issue_key"]), table["issue_key"].to_pylist())
        frame = cursor.execute(sql).fetch_polars()
        assert isinstance(frame, polars.DataFrame)
        same(frame["summary"].to_list(), table["summary"].to_pylist())
        records = cursor.execute(sql).fetchall()
        same([r[0] for r in records], table["issue_key"].to_pylist())
        # DuckDB over the result.
        arrow_table = table
        counted = duckdb.sql("SELECT status, count(*) AS n FROM arrow_table GROUP BY status ORDER BY status").fetchall()
        same(sum(n for _, n in counted), 7)
        reader = cursor.execute("SELECT issue_key, status FROM requests").fetch_record_batch()
        same(duckdb.sql("SELECT count(*) FROM reader WHERE status IS NOT NULL").fetchall(), [(300,)])


@check
def pandas_and_polars_read_by_themselves(url, c):
    sql = "SELECT id, name FROM organizations ORDER BY id"
    expected = [r[0] for r in rows(c, sql)]
    same(list(pandas.read_sql(sql, c)["id"]), expected)
    same(polars.read_database(sql, c)["id"].to_list(), expected)


@check
def rows_stream_as_they_are_wanted(url, c):
    with site("--requests", "3000") as big, connect(big) as c:
        with c.cursor() as cursor:
            reader = cursor.execute("SELECT issue_key FROM requests").fetch_record_batch()
            first = reader.read_next_batch()
            assert 0 < first.num_rows <= 200, first.num_rows
        # The cursor is closed: the statement has ended with a fraction of the 30 pages.
        time.sleep(0.3)
        few = sent(c)
        assert few <= 20, few
        same(rows(c, "SELECT count(*) FROM requests")[0][0], 3000)


@check
def parameters_reach_the_site(url, c):
    before = sent(c)
    sql = "SELECT issue_key, service_desk_id FROM requests WHERE issue_key = ?"
    same(rows(c, sql, ("HR-1",)), [("HR-1", "2")])
    same(sent(c), before + 1)
    same(rows(c, "SELECT issue_key FROM requests WHERE issue_key = $1", ("ITSM-1",)), [("ITSM-1",)])
    named = "SELECT issue_key FROM requests WHERE issue_key = $key AND service_desk_id = $desk"
    same(rows(c, named, {"desk": "2", "key": "HR-1"}), [("HR-1",)])
    # One execution for each row, as pandas and polars hand them over.
    keys = pa.record_batch({"key": pa.array(["HR-1", "ITSM-1", "NO-1"]).dictionary_encode()})
    same(rows(c, sql, keys), [("HR-1", "2"), ("ITSM-1", "1")])
    same(rows(c, sql, polars.DataFrame({"key": ["ITSM-2"]})), [("ITSM-2", "1")])
    with refused(INVALID_ARGUMENT, "1 parameters", sqlstate="42000"):
        rows(c, sql, ("a", "b"))


@check
def rows_that_end_at_max_rows_say_so(url, c):
    with connect(url, MaxRows="5") as capped, capped.cursor() as cursor:
        for sql, says in [
            ("SELECT issue_key FROM requests", "the rows end at MaxRows; there are more"),
            ("SELECT issue_key FROM requests LIMIT 5", ""),
        ]:
            same(len(cursor.execute(sql).fetchall()), 5)
            same(cursor.adbc_statement.get_option("jsmql.statement.warnings"), says)


# Writing


@check
def writes_say_how_many_rows_they_changed(url, c):
    with c.cursor() as cursor:
        cursor.execute("INSERT INTO organizations (name) VALUES ('Adbc One'), ('Adbc Two')")
        same(cursor.rowcount, 2)
        cursor.execute("INSERT INTO organizations (name) VALUES ('Adbc Three') RETURNING id, name")
        same((cursor.rowcount, [r[1] for r in cursor.fetchall()]), (1, ["Adbc Three"]))
        cursor.executemany("INSERT INTO request_comments (issue_key, body, public) VALUES (?, ?, true)", [("HR-1", "adbc 1"), ("HR-2", "adbc 2")])
        same(cursor.rowcount, 2)
        cursor.execute("DELETE FROM organizations WHERE name LIKE 'Adbc %'")
        same(cursor.rowcount, 3)
    found = rows(c, "SELECT body FROM request_comments WHERE issue_key IN ('HR-1', 'HR-2') AND body LIKE 'adbc %' ORDER BY body")
    same(found, [("adbc 1",), ("adbc 2",)])


@check
def a_write_runs_once_whether_its_rows_are_read_or_not(url, c):
    posts = "SELECT count(*) FROM sys.requests WHERE method = 'POST'"
    before = rows(c, posts)[0][0]
    with c.cursor() as cursor:
        cursor.execute("INSERT INTO organizations (name) VALUES ('Adbc Unread')")
    same(rows(c, posts)[0][0], before + 1)
    with c.cursor() as cursor:
        cursor.adbc_prepare("DELETE FROM organizations WHERE name = 'Adbc Unread'")
        cursor.adbc_execute_schema("DELETE FROM organizations WHERE name = 'Adbc Unread'")
    same(rows(c, "SELECT count(*) FROM organizations WHERE name = 'Adbc Unread'")[0][0], 1)


@check
def a_batch_that_fails_says_what_took_effect(url, c):
    with c.cursor() as cursor, refused(NOT_FOUND, "the 2 executions before this one took effect (2 rows)"):
        cursor.executemany(
            "INSERT INTO request_comments (issue_key, body, public) VALUES (?, ?, true)",
            [("HR-1", "kept 1"), ("HR-2", "kept 2"), ("NOPE-999", "lost"), ("HR-3", "never")],
        )
    same(rows(c, "SELECT count(*) FROM request_comments WHERE issue_key IN ('HR-1', 'HR-2', 'HR-3') AND (body LIKE 'kept %' OR body = 'never')")[0][0], 2)


@check
def data_frames_are_ingested(url, c):
    frame = pandas.DataFrame({"issue_key": ["HR-1", "HR-2"], "weight": [3, 4]})
    with c.cursor() as cursor:
        same(cursor.adbc_ingest("weights", pa.Table.from_pandas(frame), mode="create"), 2)
        same(cursor.adbc_ingest("weights", polars.DataFrame({"issue_key": ["HR-3"], "weight": [5]}), mode="append"), 1)
    joined = "SELECT r.issue_key, w.weight FROM requests r JOIN weights w ON w.issue_key = r.issue_key ORDER BY w.weight"
    same(rows(c, joined), [("HR-1", 3), ("HR-2", 4), ("HR-3", 5)])
    before = rows(c, "SELECT count(*) FROM sys.requests WHERE method = 'POST'")[0][0]
    comments = pa.table({"issue_key": ["HR-1", "HR-2", "HR-3"], "body": ["in 1", "in 2", "in 3"]})
    with c.cursor() as cursor:
        same(cursor.adbc_ingest("request_comments", comments, mode="append"), 3)
        with refused(ALREADY_EXISTS, "table of the site"):
            cursor.adbc_ingest("request_comments", comments, mode="create")
        with refused(NOT_IMPLEMENTED, "cannot be replaced"):
            cursor.adbc_ingest("request_comments", comments, mode="replace")
    same(rows(c, "SELECT count(*) FROM sys.requests WHERE method = 'POST'")[0][0], before + 3)


@check
def pandas_and_polars_write_by_themselves(url, c):
    frame = pandas.DataFrame({"issue_key": ["HR-1"], "body": ["via pandas"]})
    same(frame.to_sql("request_comments", c, if_exists="append", index=False), 1)
    same(frame.to_sql("kept", c, index=False), 1)
    same(frame.to_sql("kept", c, if_exists="replace", index=False), 1)
    same(frame.to_sql("kept", c, if_exists="append", index=False), 1)
    try:
        frame.to_sql("kept", c, if_exists="fail", index=False)
    except ValueError as error:
        assert "already exists" in str(error), error
    else:
        raise AssertionError("nothing failed")
    same(len(pandas.read_sql_table("kept", c)), 2)
    frame = polars.DataFrame({"issue_key": ["HR-1"], "body": ["via polars"]})
    same(frame.write_database("request_comments", c, if_table_exists="append", engine="adbc"), 1)
    same(frame.write_database("temp.kept", c, if_table_exists="replace", engine="adbc"), 1)
    same(polars.read_database("SELECT body FROM kept", c)["body"].to_list(), ["via polars"])
    found = rows(c, "SELECT body FROM request_comments WHERE issue_key = 'HR-1' AND body LIKE 'via %' ORDER BY body")
    same(found, [("via pandas",), ("via polars",)])


@check
def rows_of_one_cursor_are_ingested_by_another(url, c):
    with c.cursor() as source, c.cursor() as target:
        reader = source.execute("SELECT issue_key, status FROM requests WHERE service_desk_id = '2'").fetch_record_batch()
        count = target.adbc_ingest("desk_two", reader, mode="create")
    same(rows(c, "SELECT count(*) FROM requests WHERE service_desk_id = '2'")[0][0], count)


# Errors


@check
def errors_have_codes_and_hints(url, c):
    with refused(INVALID_ARGUMENT, "no column", "hint: did you mean summary?", sqlstate="42000"):
        rows(c, "SELECT sumary FROM requests")
    with refused(INVALID_ARGUMENT, "SQL", sqlstate="42000"):
        rows(c, "SELEC summary")
    with refused(INVALID_ARGUMENT, "names no column", sqlstate="42000"):
        rows(c, "SELECT FROM requests")
    with refused(INVALID_ARGUMENT, "2 statements"):
        rows(c, "SELECT 1; SELECT 2")
    with connect(url, APIToken="c4n4ry") as other:
        with refused(manager.AdbcStatusCode.UNAUTHENTICATED, "hint:", sqlstate="28000"):
            rows(other, "SELECT issue_key FROM requests")
        try:
            rows(other, "SELECT issue_key FROM requests")
        except manager.Error as error:
            details = {key.decode(): value.decode() for key, value in error.details}
            same(details["jsmql.http_status"], "401")
            same(details["jsmql.kind"], "authentication")
            assert "GET /rest/servicedeskapi/request" in details["jsmql.request"], details
            assert "c4n4ry" not in str(error) + str(details)
    with connect(url, MaxRequests="2") as other, refused(INVALID_STATE, "MaxRequests", sqlstate="54000"):
        rows(other, "SELECT body FROM request_comments")


@check
def an_error_between_rows_keeps_its_code(url, c):
    faulty = ("--requests", "1000", "--fault", "bad-json:every=5")
    for read in (dbapi.Cursor.fetchall, dbapi.Cursor.fetch_arrow_table, dbapi.Cursor.fetch_df):
        with site(*faulty) as broken, connect(broken, MaxConcurrency="1") as c, c.cursor() as cursor:
            cursor.execute("SELECT issue_key FROM requests")
            with refused(manager.AdbcStatusCode.INVALID_DATA, "hint:", sqlstate="22P02"):
                read(cursor)
    # A reader of pyarrow itself knows no codes; it fails all the same.
    with site(*faulty) as broken, connect(broken, MaxConcurrency="1") as c, c.cursor() as cursor:
        reader = cursor.execute("SELECT issue_key FROM requests").fetch_record_batch()
        try:
            reader.read_all()
        except OSError as error:
            assert "hint:" in str(error), error
        else:
            raise AssertionError("nothing failed")


@check
def an_unreachable_site_is_told_when_it_is_needed(url, c):
    with connect("http://127.0.0.1:9") as c:
        same(rows(c, "SELECT 1"), [(1,)])
        assert "requests" in objects(c, depth="tables")["public"]
        with refused(manager.AdbcStatusCode.IO, sqlstate="08001"):
            rows(c, "SELECT issue_key FROM requests")


@check
def options_are_checked_when_the_database_opens(url, c):
    for options, status, says in [
        ({"Uesr": "x"}, NOT_IMPLEMENTED, "did you mean User?"),
        ({"MaxRows": "many"}, INVALID_ARGUMENT, "MaxRows must be a whole number"),
        ({"uri": f"jsm+http://{url[7:]}"}, INVALID_ARGUMENT, "URL is set twice"),
    ]:
        with refused(status, says), connect(url, **options):
            pass
    with refused(INVALID_ARGUMENT, "URL"):
        dbapi.connect(driver=LIBRARY, db_kwargs={"username": "x"}, autocommit=True)
    uri = f"jsm+http://{url[7:]}?User=dana%40demo.example&APIToken={TOKEN}"
    with dbapi.connect(driver=LIBRARY, uri=uri, autocommit=True) as c:
        assert rows(c, "SELECT issue_key FROM requests LIMIT 1")
    with dbapi.connect(driver=LIBRARY, db_kwargs={"URL": url, "username": USER, "password": TOKEN}, autocommit=True) as c:
        assert rows(c, "SELECT issue_key FROM requests LIMIT 1")
        same(c.adbc_database.get_option("password"), "***")
        same(c.adbc_database.get_option("uri").rstrip("/"), url)
        same(c.adbc_database.get_option_int("MaxConcurrency"), 8)


@check
def a_read_only_connection_refuses_to_write(url, c):
    with connect(url, conn_kwargs={"adbc.connection.readonly": "true"}) as c:
        same(c.adbc_connection.get_option("adbc.connection.readonly"), "true")
        with refused(manager.AdbcStatusCode.UNAUTHORIZED, "Readonly", sqlstate="42501"):
            rows(c, "INSERT INTO organizations (name) VALUES ('x')")


@check
def there_are_no_transactions_and_programs_are_told(url, c):
    options = {"URL": url, "User": USER, "APIToken": TOKEN}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with dbapi.connect(driver=LIBRARY, db_kwargs=options) as other:
            same(rows(other, "SELECT 1"), [(1,)])
    assert any("autocommit" in str(warning.message) for warning in caught), caught
    with refused(NOT_IMPLEMENTED, "no transactions", sqlstate="0A000"):
        c.adbc_connection.set_autocommit(False)


@check
def giants_and_nests_are_errors(url, c):
    same(rows(c, "SELECT " + " + ".join(["1"] * 900))[0][0], 900)
    with refused(INVALID_STATE, "3000 terms", sqlstate="54000"):
        rows(c, "SELECT " + " + ".join(["1"] * 3000))
    for sql in ["SELECT " + "(" * 5000 + "1" + ")" * 5000, "SELECT '" + "x" * 20_000_000 + "' FROM nowhere", "SELECT \0"]:
        try:
            rows(c, sql)
        except (manager.Error, ValueError):
            pass
        else:
            raise AssertionError(sql[:60])
    same(rows(c, "SELECT 1"), [(1,)])


@check
def bound_rows_that_are_no_rows_are_refused(url, c):
    class Array:
        def __init__(self, array):
            self.array = array

        def __arrow_c_array__(self, requested_schema=None):
            return self.array.__arrow_c_array__(requested_schema)

    with c.cursor() as cursor:
        statement = cursor.adbc_statement
        statement.set_sql_query("SELECT ?")
        for array in (pa.array([1, 2]), pa.array([{"a": 1}, None])):
            with refused(INVALID_ARGUMENT, "structs without nulls"):
                statement.bind(Array(array))

        def broken():
            yield pa.record_batch({"a": [1]})
            raise ValueError("the program failed")

        for run in (lambda reader: cursor.executemany("SELECT ?", reader), lambda reader: cursor.adbc_ingest("broken", reader)):
            with refused(manager.AdbcStatusCode.IO, "the program failed"):
                run(pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), broken()))
        with refused(NOT_FOUND):
            c.adbc_get_table_schema("broken")
    same(rows(c, "SELECT 1"), [(1,)])


# Cancelling


@check
def a_statement_is_cancelled_while_it_runs(url, c):
    with site("--latency-ms", "200") as slow, connect(slow) as c:
        for run in (lambda cursor: cursor.execute("SELECT count(*) FROM request_comments").fetchall(), lambda cursor: cursor.execute("SELECT issue_key, body FROM request_comments").fetchall()):
            with c.cursor() as cursor:
                threading.Timer(0.6, cursor.adbc_cancel).start()
                began = time.monotonic()
                with refused(CANCELLED, "cancelled", sqlstate="57014"):
                    run(cursor)
                assert time.monotonic() - began < 3
        time.sleep(0.5)
        before = sent(c)
        time.sleep(1)
        same(sent(c), before)
        # A cancellation of before does not reach the next statement.
        with c.cursor() as cursor:
            cursor.adbc_cancel()
            same(cursor.execute("SELECT 1").fetchall(), [(1,)])


@check
def a_write_that_is_cancelled_leaves_a_true_account(url, c):
    with site("--latency-ms", "300") as slow, connect(slow, MaxConcurrency="1") as c:
        with c.cursor() as cursor:
            names = pa.table({"name": [f"Cancelled {i}" for i in range(12)]})
            threading.Timer(1.1, cursor.adbc_cancel).start()
            with refused(CANCELLED, "sys.writes", sqlstate="57014"):
                cursor.adbc_ingest("organizations", names, mode="append")
        time.sleep(0.5)
        outcomes = dict(rows(c, "SELECT outcome, count(*) FROM sys.writes GROUP BY 1"))
        same(sum(outcomes.values()), 12)
        there = rows(c, "SELECT count(*) FROM organizations WHERE name LIKE 'Cancelled %'")[0][0]
        assert 0 < outcomes["applied"] <= there <= outcomes["applied"] + outcomes.get("unknown", 0) < 12, (there, outcomes)


@check
def closing_a_cursor_stops_its_requests(url, c):
    with site("--latency-ms", "100", "--requests", "5000") as slow, connect(slow) as c:
        cursor = c.cursor()
        cursor.execute("SELECT issue_key FROM requests").fetchone()
        cursor.close()
        time.sleep(0.4)
        before = sent(c)
        time.sleep(0.6)
        same(sent(c), before)


@check
def a_metadata_call_is_cancelled(url, c):
    with site("--latency-ms", "1500") as slow, connect(slow) as c:
        threading.Timer(0.3, c.adbc_cancel).start()
        with refused(CANCELLED):
            c.adbc_get_statistics(table_name_filter="requests", approximate=False).read_all()


# Installing


@check
def the_driver_is_found_by_its_name(url, c):
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CONFIG_HOME": folder, "HOME": folder}
        out = subprocess.run([JSMQL, "adbc", "install", "--library", LIBRARY], env=environment, check=True, capture_output=True, text=True)
        assert "jsmql.toml" in out.stdout, out
        script = (
            "import sys; from adbc_driver_manager import dbapi\n"
            "with dbapi.connect(**eval(sys.argv[1]), autocommit=True) as c, c.cursor() as cursor:\n"
            "    print(cursor.execute('SELECT count(*) FROM service_desks').fetchone()[0])\n"
        )
        address = f"jsm+http://{url[7:]}?User=dana%40demo.example&APIToken={TOKEN}"
        for how in [{"driver": "jsmql", "uri": address}, {"driver": "jsm", "db_kwargs": {"uri": address}}]:
            ran = subprocess.run([sys.executable, "-c", script, repr(how)], env=environment, capture_output=True, text=True)
            same((ran.returncode, ran.stdout.strip()), (0, "3"))
        missing = subprocess.run([JSMQL, "adbc", "install", "--library", folder + "/none.so"], env=environment, capture_output=True, text=True)
        same(missing.returncode, 1)
        assert "hint: build it" in missing.stderr, missing.stderr


@check
def a_wheel_is_installed_and_used(url, c):
    with tempfile.TemporaryDirectory() as folder:
        pack = pathlib.Path(__file__).parents[2] / "python/wheel.py"
        wheel = subprocess.run([sys.executable, pack, LIBRARY, folder], check=True, capture_output=True, text=True).stdout.strip()
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
        subprocess.run([*pip, "--target", folder + "/site", wheel], check=True)
        script = (
            "import sys; from adbc_driver_jsmql import dbapi\n"
            "with dbapi.connect(sys.argv[1]) as c, c.cursor() as cursor:\n"
            "    print(cursor.execute('SELECT count(*) FROM service_desks').fetchone()[0])\n"
        )
        address = f"jsm+http://{url[7:]}?User=dana%40demo.example&APIToken={TOKEN}"
        environment = {**os.environ, "PYTHONPATH": folder + "/site"}
        ran = subprocess.run([sys.executable, "-c", script, address], env=environment, capture_output=True, text=True)
        same((ran.returncode, ran.stdout.strip(), ran.stderr), (0, "3", ""))


@check
def only_symbols_of_adbc_are_exported(url, c):
    listed = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1] for line in listed.splitlines() if line.strip()}
    assert names and all(name.startswith("Adbc") for name in names), sorted(names)[:20]


# The C boundary


class Error(ctypes.Structure):
    _fields_ = [
        ("message", ctypes.c_char_p),
        ("vendor_code", ctypes.c_int32),
        ("sqlstate", ctypes.c_char * 5),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
        ("private_driver", ctypes.c_void_p),
    ]


class Handle(ctypes.Structure):
    _fields_ = [("private_data", ctypes.c_void_p), ("private_driver", ctypes.c_void_p)]


FUNCTIONS = """
    private_data private_manager release DatabaseInit DatabaseNew DatabaseSetOption DatabaseRelease ConnectionCommit ConnectionGetInfo
    ConnectionGetObjects ConnectionGetTableSchema ConnectionGetTableTypes ConnectionInit ConnectionNew ConnectionSetOption
    ConnectionReadPartition ConnectionRelease ConnectionRollback StatementBind StatementBindStream StatementExecuteQuery
    StatementExecutePartitions StatementGetParameterSchema StatementNew StatementPrepare StatementRelease StatementSetOption
    StatementSetSqlQuery StatementSetSubstraitPlan ErrorGetDetailCount ErrorGetDetail ErrorFromArrayStream DatabaseGetOption
    DatabaseGetOptionBytes DatabaseGetOptionDouble DatabaseGetOptionInt DatabaseSetOptionBytes DatabaseSetOptionDouble DatabaseSetOptionInt
    ConnectionCancel ConnectionGetOption ConnectionGetOptionBytes ConnectionGetOptionDouble ConnectionGetOptionInt ConnectionGetStatistics
    ConnectionGetStatisticNames ConnectionSetOptionBytes ConnectionSetOptionDouble ConnectionSetOptionInt StatementCancel
""".split()


class C:
    """The driver without a manager."""

    def __init__(self):
        self.library = ctypes.CDLL(LIBRARY)
        self.library.AdbcDriverInit.restype = ctypes.c_uint8
        self.table = (ctypes.c_void_p * 80)()
        same(self.init(1_001_000, self.table), 0)

    def init(self, version, table, error=None):
        return self.library.AdbcDriverInit(ctypes.c_int(version), table, error)

    def call(self, name, *arguments):
        """The status of a call, and its message."""
        error = Error()
        function = ctypes.CFUNCTYPE(ctypes.c_uint8, *[ctypes.c_void_p] * (len(arguments) + 1))(self.table[FUNCTIONS.index(name)])
        cast = [None if a is None else ctypes.cast(a, ctypes.c_void_p) for a in arguments]
        status = function(*cast, ctypes.cast(ctypes.byref(error), ctypes.c_void_p))
        return status, (error.message or b"").decode()


@check
def c_programs_may_err(url, c):
    driver = C()
    assert driver.init(1_000_000, driver.table) == 2
    assert driver.init(7, driver.table) == 5
    assert driver.init(1_001_000, None) == 5
    database, connection, statement = Handle(), Handle(), Handle()
    ref = ctypes.byref
    text = ctypes.c_char_p
    same(driver.call("DatabaseInit", ref(database))[0], 6)
    same(driver.call("DatabaseNew", None)[0], 5)
    same(driver.call("DatabaseNew", ref(database))[0], 0)
    for key, value in [(None, text(b"x")), (text(b"URL"), None)]:
        same(driver.call("DatabaseSetOption", ref(database), key, value)[0], 5)
    status, message = driver.call("DatabaseSetOption", ref(database), text(b"URL"), text(b"\xff\xfe"))
    assert status != 0 and "UTF-8" in message, (status, message)
    same(driver.call("ConnectionNew", ref(connection))[0], 0)
    same(driver.call("ConnectionInit", ref(connection), ref(database))[0], 6)
    for key, value in [(b"URL", url.encode()), (b"User", USER.encode()), (b"APIToken", TOKEN.encode())]:
        same(driver.call("DatabaseSetOption", ref(database), text(key), text(value))[0], 0)
    same(driver.call("DatabaseInit", ref(database))[0], 0)
    same(driver.call("DatabaseInit", ref(database))[0], 6)
    same(driver.call("StatementNew", ref(connection), ref(statement))[0], 6)
    same(driver.call("ConnectionInit", ref(connection), ref(database))[0], 0)
    same(driver.call("StatementNew", ref(connection), ref(statement))[0], 0)
    same(driver.call("StatementExecuteQuery", ref(statement), None, None)[0], 6)
    same(driver.call("StatementSetSqlQuery", ref(statement), None)[0], 5)
    status, message = driver.call("StatementSetSqlQuery", ref(statement), text(b"SELECT '\xff'"))
    assert status != 0 and "UTF-8" in message, (status, message)
    same(driver.call("StatementSetSqlQuery", ref(statement), text(b"SELECT 1"))[0], 0)
    # Neither rows nor their number are wanted.
    same(driver.call("StatementExecuteQuery", ref(statement), None, None)[0], 0)
    affected = ctypes.c_int64(7)
    same(driver.call("StatementExecuteQuery", ref(statement), None, ref(affected))[0], 0)
    same(affected.value, -1)
    same(driver.call("StatementBind", ref(statement), None, None)[0], 5)
    same(driver.call("StatementGetParameterSchema", ref(statement), None)[0], 5)
    same(driver.call("ConnectionGetTableSchema", ref(connection), None, None, None, None)[0], 5)
    same(driver.call("ConnectionGetObjects", ref(connection), None, None, None, None, None, None, None)[0], 5)
    same((driver.call("StatementCancel", ref(statement))[0], driver.call("ConnectionCancel", ref(connection))[0]), (0, 0))
    same((driver.call("StatementCancel", None)[0], driver.call("ConnectionCancel", None)[0]), (5, 5))
    same(driver.call("StatementRelease", ref(statement))[0], 0)
    for name in ["StatementRelease", "StatementPrepare", "StatementCancel"]:
        same(driver.call(name, ref(statement))[0], 6)
    same(driver.call("StatementExecuteQuery", ref(statement), None, None)[0], 6)
    same(driver.call("ConnectionCommit", ref(connection))[0], 6)
    same(driver.call("ConnectionRelease", ref(connection))[0], 0)
    same((driver.call("ConnectionRelease", ref(connection))[0], driver.call("ConnectionCancel", ref(connection))[0]), (6, 6))
    same(driver.call("DatabaseRelease", ref(database))[0], 0)
    same(driver.call("DatabaseRelease", ref(database))[0], 6)
    # A stream of somebody else, or one that was released, has no error of ours.
    of_stream = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(driver.table[FUNCTIONS.index("ErrorFromArrayStream")])
    foreign = (ctypes.c_void_p * 5)()
    same((of_stream(None, None), of_stream(ctypes.addressof(foreign), None)), (None, None))


@validates("StatementTest.ErrorCompatibility")
def error_compatibility(url, c):
    # A caller of ADBC 1.0 has no room behind `release`; one of 1.1 says so in `vendor_code` and gets details there.
    driver = C()
    init = driver.library.AdbcDriverInit
    error = Error(private_data=0x1234, private_driver=0x5678)
    same(init(ctypes.c_int(7), driver.table, ctypes.byref(error)), 5)
    assert error.message and error.release
    same((error.private_data, error.private_driver), (0x1234, 0x5678))
    marker = -(2**31)
    error = Error(vendor_code=marker)
    same(init(ctypes.c_int(7), driver.table, ctypes.byref(error)), 5)
    same(error.vendor_code, marker)


# The validation suites: connection


@validates("TestConnection.test_current_catalog", "TestConnection.test_current_db_schema")
def names(url, c):
    same((c.adbc_current_catalog, c.adbc_current_db_schema), ("jsm", "public"))
    c.adbc_current_catalog = "jsm"
    with refused(NOT_IMPLEMENTED):
        c.adbc_current_catalog = "other"
    c.adbc_current_db_schema = "public"
    with refused(NOT_IMPLEMENTED, "temp.name"):
        c.adbc_current_db_schema = "temp"


@validates("TestConnection.test_get_info", "TestConnection.test_get_info_arrow_version")
def get_info(url, c):
    info = c.adbc_get_info()
    same((info["vendor_name"], info["driver_name"], info["driver_adbc_version"]), ("Jira Service Management", "jsmql", 1_001_000))
    assert info["driver_arrow_version"].startswith("v") and info["vendor_arrow_version"].startswith("v"), info
    assert re.fullmatch(r"v\d+\.\d+\.\d+.*", info["driver_version"]), info
    assert "vendor_version" not in info, info
    same((info[3], info[4]), (True, False))


@validates("TestConnection.test_get_objects_catalog", "TestConnection.test_get_objects_schema")
def get_objects_down_to_schemas(url, c):
    same(c.adbc_get_objects(depth="catalogs").read_all().to_pylist(), [{"catalog_name": "jsm", "catalog_db_schemas": None}])
    same(c.adbc_get_objects(depth="catalogs", catalog_filter="j%").read_all().num_rows, 1)
    for nothing in ("", "other"):
        same(c.adbc_get_objects(depth="all", catalog_filter=nothing).read_all().num_rows, 0)
    same(sorted(objects(c, depth="db_schemas")), ["public", "sys", "temp"])
    same(list(objects(c, depth="db_schemas", db_schema_filter="te_p")), ["temp"])
    same(objects(c, depth="db_schemas", db_schema_filter="none"), {})
    shallow = c.adbc_get_objects(depth="db_schemas").read_all().to_pylist()
    assert all(schema["db_schema_tables"] is None for schema in shallow[0]["catalog_db_schemas"])


@validates(
    "TestConnection.test_get_objects_table_not_exist",
    "TestConnection.test_get_objects_table_present",
    "TestConnection.test_get_objects_table_invalid_catalog",
    "TestConnection.test_get_objects_table_invalid_schema",
    "TestConnection.test_get_objects_table_invalid_table",
    "TestConnection.test_get_objects_table_exact_table",
)
def get_objects_tables(url, c):
    before = sent(c)
    rows(c, "CREATE TABLE temp.present AS SELECT 1 AS a")
    rows(c, "CREATE VIEW temp.seen AS SELECT 1 AS a")
    found = objects(c, depth="tables")
    same([(t["table_type"], t["table_columns"], t["table_constraints"]) for t in found["temp"].values() if t["table_name"] in ("present", "seen")], [("LOCAL TEMPORARY", None, None), ("VIEW", None, None)])
    same(found["public"]["requests"]["table_type"], "TABLE")
    same(sorted(found["public"]), [r[0] for r in rows(c, "SELECT table_name FROM sys.tables ORDER BY 1")])
    same(found["sys"]["keys"]["table_type"], "SYSTEM TABLE")
    same(objects(c, depth="tables", catalog_filter="none"), {})
    same(objects(c, depth="tables", db_schema_filter="none"), {})
    same(objects(c, depth="tables", table_name_filter="none"), {"public": {}, "sys": {}, "temp": {}})
    same({s: sorted(t) for s, t in objects(c, depth="tables", table_name_filter="request_types").items()}, {"public": ["request_types"], "sys": [], "temp": []})
    assert len(objects(c, depth="tables", table_name_filter="request%")["public"]) > 5
    same(list(objects(c, depth="tables", table_types_filter=["VIEW"])["temp"]), ["seen"])
    same(objects(c, depth="tables", table_types_filter=["VIEW"])["public"], {})
    same(sorted(c.adbc_get_table_types()), ["LOCAL TEMPORARY", "SYSTEM TABLE", "TABLE", "VIEW"])
    same(sent(c), before)
    rows(c, "DROP VIEW temp.seen")
    rows(c, "DROP TABLE temp.present")


@validates(
    "TestConnection.test_get_objects_column_not_exist",
    "TestConnection.test_get_objects_column_present",
    "TestConnection.test_get_objects_column_filter_column_name",
    "TestConnection.test_get_objects_column_filter_table_name",
    "TestConnection.test_get_objects_column_filter_catalog",
    "TestConnection.test_get_objects_column_filter_schema",
    "TestConnection.test_get_objects_column_filter_table",
    "TestConnection.test_get_objects_column_xdbc",
)
def get_objects_columns(url, c):
    rows(c, "CREATE TABLE temp.wide AS SELECT 1 AS a, 'x' AS b")
    columns = objects(c)["temp"]["wide"]["table_columns"]
    same([(x["column_name"], x["ordinal_position"], x["xdbc_type_name"], x["xdbc_data_type"]) for x in columns], [("a", 1, "bigint", -5), ("b", 2, "text", 12)])
    found = objects(c, table_name_filter="requests", column_name_filter="issue_%")["public"]["requests"]["table_columns"]
    assert {"issue_key", "issue_id"} <= {x["column_name"] for x in found} and all(x["column_name"].startswith("issue_") for x in found), found
    key = next(x for x in found if x["column_name"] == "issue_key")
    assert key["remarks"] and key["xdbc_is_nullable"] in ("YES", "NO") and key["xdbc_nullable"] in (0, 1), key
    same((key["xdbc_data_type"], key["xdbc_type_name"], key["xdbc_is_autoincrement"]), (12, "text", False))
    same(objects(c, table_name_filter="requests", column_name_filter="none")["public"]["requests"]["table_columns"], [])
    same(objects(c, table_name_filter="none"), {"public": {}, "sys": {}, "temp": {}})
    same(objects(c, catalog_filter="none"), {})
    same(list(objects(c, db_schema_filter="temp")), ["temp"])
    listed = [r for r in rows(c, "SELECT column_name, ordinal FROM sys.columns WHERE table_name = 'requests' ORDER BY ordinal")]
    same([(x["column_name"], x["ordinal_position"]) for x in objects(c, table_name_filter="requests")["public"]["requests"]["table_columns"]], listed)
    rows(c, "DROP TABLE temp.wide")


@validates("TestConnection.test_get_objects_constraints_primary", "TestConnection.test_get_objects_constraints_foreign")
def get_objects_constraints(url, c):
    tables = objects(c, db_schema_filter="public")["public"]
    primary = {r[0] for r in rows(c, "SELECT DISTINCT table_name FROM sys.keys WHERE kind = 'primary'")}
    same({name for name, t in tables.items() if any(k["constraint_type"] == "PRIMARY KEY" for k in t["table_constraints"])}, primary)
    (key,) = [k for k in tables["requests"]["table_constraints"] if k["constraint_type"] == "PRIMARY KEY"]
    same((key["constraint_column_names"], key["constraint_column_usage"]), (["issue_key"], None))
    foreign = [k for k in tables["request_comments"]["table_constraints"] if k["constraint_type"] == "FOREIGN KEY"]
    (usage,) = [k["constraint_column_usage"] for k in foreign if k["constraint_column_names"] == ["issue_key"]]
    same(usage, [{"fk_catalog": "jsm", "fk_db_schema": "public", "fk_table": "requests", "fk_column_name": "issue_key"}])
    all_foreign = sum(1 for t in tables.values() for k in t["table_constraints"] if k["constraint_type"] == "FOREIGN KEY")
    same(all_foreign, rows(c, "SELECT count(*) FROM sys.keys WHERE kind = 'foreign'")[0][0])


@validates("TestConnection.test_get_statistics")
def get_statistics(url, c):
    def counts(**arguments):
        found = c.adbc_get_statistics(**arguments).read_all().to_pylist()
        schemas = found[0]["catalog_db_schemas"] if found else []
        return {(s["db_schema_name"], x["table_name"]): (x["statistic_key"], x["statistic_value"], x["statistic_is_approximate"]) for s in schemas for x in s["db_schema_statistics"]}

    rows(c, "CREATE TABLE temp.three AS SELECT * FROM (VALUES (1), (2), (3)) AS t(a)")
    before = sent(c)
    same(counts()[("temp", "three")], (6, 3, False))
    same(counts(table_name_filter="requests"), {})
    same(counts(catalog_filter="none"), {})
    same(sent(c), before)
    exact = rows(c, "SELECT count(*) FROM requests")[0][0]
    same(counts(table_name_filter="requests", approximate=False), {("public", "requests"): (6, exact, False)})
    same(c.adbc_get_statistic_names().read_all().num_rows, 0)
    rows(c, "DROP TABLE temp.three")


@validates(
    "TestConnection.test_get_table_schema_not_found",
    "TestConnection.test_get_table_schema_catalog",
    "TestConnection.test_get_table_schema_schema",
)
def get_table_schema(url, c):
    with refused(NOT_FOUND, "did you mean requests?"):
        c.adbc_get_table_schema("request")
    with refused(NOT_FOUND):
        c.adbc_get_table_schema("requests", db_schema_filter="temp")
    with refused(NOT_FOUND):
        c.adbc_get_table_schema("requests", catalog_filter="other")
    rows(c, 'CREATE TABLE temp."Od""d" AS SELECT 1 AS a')
    for filters in ({"db_schema_filter": "temp"}, {"catalog_filter": "jsm", "db_schema_filter": "temp"}, {}):
        same(c.adbc_get_table_schema('Od"d', **filters).names, ["a"])
    same(c.adbc_get_table_schema("requests"), c.cursor().execute("SELECT * FROM requests LIMIT 1").fetch_arrow_table().schema)
    rows(c, 'DROP TABLE temp."Od""d"')


@validates("TestConnection.test_unknown_option")
def unknown_option(url, c):
    with c.cursor() as cursor:
        for handle in (c.adbc_database, c.adbc_connection, cursor.adbc_statement):
            with refused(NOT_FOUND, "nonsense"):
                handle.get_option("adbc.nonsense")
            with refused(NOT_IMPLEMENTED, "nonsense"):
                handle.set_options(**{"adbc.nonsense": "1"})


# The validation suites: statements


@validates("TestStatement.test_execute_schema_noalias", "TestQuery.test_execute_schema")
def execute_schema(url, c):
    before = sent(c)
    with c.cursor() as cursor:
        same(cursor.adbc_execute_schema("SELECT 1, 'x'").types, [pa.int64(), pa.string()])
        schema = cursor.adbc_execute_schema("SELECT issue_key, created FROM requests")
        same(schema.names, ["issue_key", "created"])
    same(sent(c), before)
    same(c.cursor().execute("SELECT issue_key, created FROM requests LIMIT 1").fetch_arrow_table().schema, schema)


@validates(
    "TestStatement.test_parameter_execute",
    "TestStatement.test_parameter_null_typed",
    "TestStatement.test_parameter_schema",
    "TestStatement.test_prepare",
)
def parameters(url, c):
    same(rows(c, "SELECT 1 + ?", (41,)), [(42,)])
    same(rows(c, "SELECT ? AS a", pa.record_batch({"a": pa.array([None], pa.int64())})), [(None,)])
    same(rows(c, "SELECT ? IS NULL", pa.record_batch({"a": pa.array([None], pa.null())})), [(True,)])
    same(rows(c, "SELECT ? + 1", pa.record_batch({"a": pa.array([1, None, 3])})), [(2,), (None,), (4,)])
    same(rows(c, "SELECT ? + 1", pa.record_batch({"a": pa.array([], pa.int64())})), [])
    with c.cursor() as cursor:
        schema = cursor.adbc_prepare("SELECT issue_key FROM requests WHERE issue_key = ? LIMIT ?")
        same((schema.names, schema.types[0]), (["", ""], pa.string()))
        same(cursor.adbc_prepare("SELECT $a AS x, $b AS y, $a AS z").names, ["a", "b"])
        with refused(INVALID_STATE, "not prepared"):
            cursor.adbc_statement.set_sql_query("SELECT 1")
            cursor.adbc_statement.get_parameter_schema()
        cursor.adbc_prepare("SELECT ? * 2")
        for value in (1, 2, 3):
            same(cursor.execute("SELECT ? * 2", (value,)).fetchall(), [(2 * value,)])


@check
def a_transaction_cannot_be_ended(url, c):
    same(c.adbc_connection.get_option("adbc.connection.autocommit"), "true")
    c.adbc_connection.set_autocommit(True)
    with refused(NOT_IMPLEMENTED):
        c.adbc_connection.set_autocommit(False)
    for call in (c.adbc_connection.commit, c.adbc_connection.rollback):
        with refused(INVALID_STATE, "no transaction"):
            call()


@validates("TestStatement.test_rows_affected")
def rows_affected(url, c):
    with c.cursor() as cursor:
        statement = cursor.adbc_statement
        for sql, expected in [
            ("CREATE TABLE temp.affected (a BIGINT)", -1),
            ("INSERT INTO temp.affected VALUES (1), (2), (3)", 3),
            ("DROP TABLE temp.affected", -1),
            ("INSERT INTO organization_properties (organization_id, key, value) VALUES ('1', 'adbc', '1')", 1),
            ("UPDATE organization_properties SET value = '2' WHERE organization_id = '1' AND key = 'adbc'", 1),
            ("DELETE FROM organization_properties WHERE organization_id = '1' AND key = 'adbc'", 1),
            ("DELETE FROM organizations WHERE name = 'none of this name'", 0),
        ]:
            statement.set_sql_query(sql)
            same((sql, statement.execute_update()), (sql, expected))


@validates("TestStatement.test_nonascii_queries")
def nonascii_queries(url, c):
    same(rows(c, "SELECT 'žluťoučký 日本 🦀' AS \"größe\""), [("žluťoučký 日本 🦀",)])
    same(rows(c, "SELECT ?", ("日本",)), [("日本",)])
    with refused(INVALID_ARGUMENT):
        rows(c, "SELECT größe FROM requests")


# The validation suites: queries


@validates("TestQuery.test_query", "TestQuery.test_get_table_schema")
def query(url, c):
    for literal, kind, value in [
        ("true", pa.bool_(), True),
        ("CAST(1 AS SMALLINT)", pa.int16(), 1),
        ("CAST(1 AS INT)", pa.int32(), 1),
        ("CAST(1 AS BIGINT)", pa.int64(), 1),
        ("CAST(1.5 AS REAL)", pa.float32(), 1.5),
        ("CAST(1.5 AS DOUBLE)", pa.float64(), 1.5),
        ("CAST('1.25' AS DECIMAL(10, 2))", pa.decimal128(10, 2), None),
        ("'text'", pa.string(), "text"),
        ("X'00ff'", pa.binary(), b"\x00\xff"),
        ("DATE '2024-02-29'", pa.date32(), None),
        ("TIME '12:34:56'", pa.time64("ns"), None),
        ("TIMESTAMP '2024-02-29 12:34:56'", pa.timestamp("ms"), None),
        ("NULL", pa.null(), None),
    ]:
        rows(c, f"CREATE OR REPLACE TABLE temp.typed AS SELECT {literal} AS v")
        for sql in (f"SELECT {literal} AS v", "SELECT v FROM temp.typed"):
            table = c.cursor().execute(sql).fetch_arrow_table()
            same((literal, table.schema.field("v").type), (literal, kind))
            if value is not None:
                same(table["v"].to_pylist(), [value])
        same(c.adbc_get_table_schema("typed", db_schema_filter="temp").field("v").type, kind)
    rows(c, "DROP TABLE temp.typed")


@validates("TestQuery.test_query_bind_dictionary")
def query_bind_dictionary(url, c):
    values = pa.array(["HR-1", None, "HR-1"]).dictionary_encode()
    same(rows(c, "SELECT ? AS v", pa.record_batch({"v": values})), [("HR-1",), (None,), ("HR-1",)])


@check
def metadata_is_never_cut(url, c):
    every = objects(c, depth="all")
    with connect(url, MaxRows="5", MaxRequests="1") as small:
        there = objects(small, depth="all")
        same({schema: list(tables) for schema, tables in there.items()}, {schema: list(tables) for schema, tables in every.items()})
        for table in ("requests", "issue_comments"):
            columns = [column["column_name"] for column in there["public"][table]["table_columns"]]
            assert len(columns) > 5, columns
            same(columns, [column["column_name"] for column in every["public"][table]["table_columns"]])
        same(list(objects(small, depth="tables", table_types_filter=["BASE TABLE"], table_name_filter="requests")["public"]), ["requests"])
        # pandas looks for the table among all others, and would make it where it does not find it.
        frame = pandas.DataFrame({"k": range(10)})
        for _ in range(2):
            frame.to_sql("kept", small, schema="temp", if_exists="append", index=False)
        same(rows(small, "SELECT count(*) FROM temp.kept"), [(20,)])


@check
def values_that_do_not_fit_are_named_by_row_and_column(url, c):
    with c.cursor() as cursor:
        cursor.adbc_ingest("numbers", pa.table({"n": [1], "t": ["a"]}), mode="create")
        for values in (pa.array(["1", "abc"]), pa.array([None, [1, 2]]), pa.array([1.5, float("nan")])):
            with refused(INVALID_DATA, "row 2", "column n"):
                cursor.adbc_ingest("numbers", pa.table({"n": values}), mode="append")
        with refused(INVALID_DATA, "row 3", "column n"):
            batches = [pa.record_batch({"n": ["1", "2"]}), pa.record_batch({"n": ["x"]})]
            cursor.adbc_ingest("numbers", pa.RecordBatchReader.from_batches(batches[0].schema, batches), mode="append")
        same(cursor.execute("SELECT count(*) FROM temp.numbers").fetchone(), (1,))
        same(cursor.adbc_ingest("numbers", pa.table({"n": ["2", None]}), mode="append"), 2)
        cursor.execute("DROP TABLE temp.numbers")
        before = sent(c)
        with refused(INVALID_DATA, "row 1", "column rating", "good"):
            cursor.adbc_ingest("request_feedback", pa.table({"issue_key": ["HR-1"], "rating": ["good"]}), mode="append")
        same(sent(c), before)


# The validation suites: ingestion

TYPES = {
    "bool": pa.array([True, None, False]),
    "int8": pa.array([-1, None, 127], pa.int8()),
    "int16": pa.array([-1, None, 9], pa.int16()),
    "int32": pa.array([-1, None, 9], pa.int32()),
    "int64": pa.array([-1, None, 2**62]),
    "uint64": pa.array([1, None, 2**63], pa.uint64()),
    "float32": pa.array([1.5, None, 3.5], pa.float32()),
    "float64": pa.array([1.5, None, 3.5]),
    "decimal": pa.array([None, 1, 2], pa.decimal128(10, 2)),
    "string": pa.array(["a", None, "日本"]),
    "large_string": pa.array(["a", None, "b"], pa.large_string()),
    "string_view": pa.array(["a", None, "b"], pa.string_view()),
    "binary": pa.array([b"\x00", None, b""]),
    "date32": pa.array([1, None, 3], pa.date32()),
    "time64": pa.array([1, None, 3], pa.time64("us")),
    "timestamp": pa.array([1, None, 3], pa.timestamp("us")),
    "timestamptz": pa.array([1, None, 3], pa.timestamp("us", "UTC")),
    "list": pa.array([[1], None, []], pa.list_(pa.int64())),
    "struct": pa.array([{"a": 1}, None, {"a": None}], pa.struct([("a", pa.int64())])),
    "dictionary": pa.array(["a", None, "a"]).dictionary_encode(),
}


def ingest(c, name, data, **options):
    with c.cursor() as cursor:
        return cursor.adbc_ingest(name, data, **options)


def stored(c, name):
    return c.cursor().execute(f'SELECT * FROM temp."{name}"').fetch_arrow_table()


@validates("TestIngest.test_create", "TestIngest.test_append", "TestIngest.test_createappend", "TestIngest.test_replace")
def ingest_modes(url, c):
    for name, values in TYPES.items():
        data = pa.table({"idx": pa.array([1, 2, 3]), "value": values})
        same(ingest(c, "t", data, mode="replace"), 3)
        same((name, stored(c, "t")["value"].to_pylist()), (name, values.to_pylist()))
        same(ingest(c, "t", data, mode="append"), 3)
        same(ingest(c, "t", data, mode="create_append"), 3)
        same((name, stored(c, "t")["value"].to_pylist()), (name, 3 * values.to_pylist()))
        same(ingest(c, "t", data.slice(0, 1), mode="replace"), 1)
        same(stored(c, "t").num_rows, 1)
        rows(c, "DROP TABLE temp.t")
        same(ingest(c, "t", data), 3)
        rows(c, "DROP TABLE temp.t")
        same(ingest(c, "t", data, mode="create_append"), 3)
        rows(c, "DROP TABLE temp.t")


@validates(
    "TestIngest.test_append_fail",
    "TestIngest.test_create_conflict",
    "TestIngest.test_createappend_schema_mismatch",
    "TestIngest.test_replace_noop",
)
def ingest_conflicts(url, c):
    data, other = pa.table({"a": [1]}), pa.table({"b": ["x"]})
    with refused(NOT_FOUND):
        ingest(c, "none", data, mode="append")
    same(ingest(c, "conflict", data, mode="replace"), 1)
    with refused(ALREADY_EXISTS, "exists already"):
        ingest(c, "conflict", data, mode="create")
    for mode in ("append", "create_append"):
        with refused(ALREADY_EXISTS, "b"):
            ingest(c, "conflict", other, mode=mode)
    same(stored(c, "conflict").to_pydict(), {"a": [1]})
    same(ingest(c, "conflict", data.slice(0, 0), mode="replace"), 0)
    same(stored(c, "conflict").num_rows, 0)
    rows(c, "DROP TABLE temp.conflict")


@validates("TestIngest.test_not_null", "TestIngest.test_many_columns", "TestIngest.test_create_long_values")
def ingest_shapes(url, c):
    schema = pa.schema([pa.field("a", pa.int64(), nullable=False)])
    same(ingest(c, "strict", pa.table({"a": [1, 2]}, schema), mode="replace"), 2)
    same(stored(c, "strict")["a"].to_pylist(), [1, 2])
    (column,) = objects(c, db_schema_filter="temp", table_name_filter="strict")["temp"]["strict"]["table_columns"]
    same((column["xdbc_nullable"], column["xdbc_is_nullable"]), (0, "NO"))
    wide = pa.table({f"c{i}": [i] for i in range(500)})
    same(ingest(c, "strict", wide, mode="replace"), 1)
    same(stored(c, "strict").num_columns, 500)
    long = ["x" * 1_000_000, "y" * 2_000_000]
    same(ingest(c, "strict", pa.table({"a": long}), mode="replace"), 2)
    same(stored(c, "strict")["a"].to_pylist(), long)
    rows(c, "DROP TABLE temp.strict")


@validates("TestIngest.test_create_multiple_batches", "TestIngest.test_create_large_batch")
def ingest_sizes(url, c):
    batches = [pa.record_batch({"a": list(range(i * 100, i * 100 + 100))}) for i in range(50)]
    same(ingest(c, "many", pa.RecordBatchReader.from_batches(batches[0].schema, batches)), 5000)
    same(rows(c, "SELECT count(*), sum(a) FROM temp.many"), [(5000, sum(range(5000)))])
    same(ingest(c, "many", pa.table({"a": pa.array(range(500_000))}), mode="replace"), 500_000)
    same(rows(c, "SELECT count(*), max(a) FROM temp.many"), [(500_000, 499_999)])
    rows(c, "DROP TABLE temp.many")


@validates("TestIngest.test_schema", "TestIngest.test_replace_schema")
def ingest_places(url, c):
    data = pa.table({"a": [1]})
    same(ingest(c, "placed", data, temporary=True), 1)
    same(ingest(c, "placed", data, mode="replace", db_schema_name="temp"), 1)
    same(ingest(c, "placed", data, mode="replace", catalog_name="jsm"), 1)
    same(ingest(c, "placed", data, mode="append", catalog_name="jsm", db_schema_name="temp"), 1)
    same(stored(c, "placed").num_rows, 2)
    with refused(NOT_FOUND):
        ingest(c, "placed", data, catalog_name="other")
    with refused(NOT_FOUND):
        ingest(c, "placed", data, db_schema_name="other")
    with refused(INVALID_STATE):
        ingest(c, "placed", data, temporary=True, db_schema_name="public")
    # A table of the session may have the name of one of the site, and is named in full then.
    same(ingest(c, "requests", data, temporary=True), 1)
    same(rows(c, "SELECT count(*) FROM temp.requests")[0][0], 1)
    same(rows(c, "SELECT count(*) FROM requests")[0][0], 300)
    for name in ("placed", "requests"):
        rows(c, f"DROP TABLE temp.{name}")


@validates("TestIngest.test_ingest_no_parameters", "TestIngest.test_ingest_then_query")
def ingest_and_query(url, c):
    with c.cursor() as cursor:
        statement = cursor.adbc_statement
        statement.set_options(**{"adbc.ingest.target_table": "unbound"})
        with refused(INVALID_STATE, "no rows are bound"):
            statement.execute_update()
        same(cursor.adbc_ingest("then", pa.table({"a": [1, 2]})), 2)
        same(cursor.execute("SELECT sum(a) FROM temp.then").fetchall(), [(3,)])
        same(cursor.adbc_ingest("then", pa.table({"a": [3]}), mode="append"), 1)
        cursor.execute("DROP TABLE temp.then")


# The C suite


@validates("StatementTest.Concurrent", "StatementTest.ConcurrentStatements", "ConnectionTest.Concurrent")
def concurrent(url, c):
    same(rows(c.adbc_clone(), "SELECT 1"), [(1,)])
    failures = []

    def read(desk):
        try:
            expected = rows(c, f"SELECT count(*) FROM requests WHERE service_desk_id = '{desk}'")
            for _ in range(3):
                same(rows(c, f"SELECT count(*) FROM requests WHERE service_desk_id = '{desk}'"), expected)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(1 + i % 3,)) for i in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(failures, [])
    with c.cursor() as one, c.cursor() as two:
        first = one.execute("SELECT issue_key FROM requests WHERE service_desk_id = '1' ORDER BY issue_key").fetch_record_batch()
        second = two.execute("SELECT issue_key FROM requests WHERE service_desk_id = '2' ORDER BY issue_key").fetch_record_batch()
        assert all(k.startswith("HR-") for k in second.read_all()["issue_key"].to_pylist())
        assert all(k.startswith("ITSM-") for k in first.read_all()["issue_key"].to_pylist())


@validates("ConnectionTest.MetadataGetObjectsCancel", "StatementTest.SqlQueryCancel")
def cancels(url, c):
    c.adbc_cancel()
    assert objects(c, depth="tables")["public"]
    with c.cursor() as cursor:
        cursor.execute("SELECT issue_key FROM requests")
        cursor.adbc_cancel()
        with refused(CANCELLED, "cancelled", sqlstate="57014"):
            cursor.fetch_arrow_table()


@validates("StatementTest.ResultIndependence", "StatementTest.ResultInvalidation")
def results(url, c):
    connection = dbapi.connect(driver=LIBRARY, db_kwargs={"URL": url, "User": USER, "APIToken": TOKEN}, autocommit=True)
    statement = manager.AdbcStatement(connection.adbc_connection)
    statement.set_sql_query("SELECT issue_key FROM requests")
    handle, _ = statement.execute_query()
    first = pa.RecordBatchReader._import_from_c(handle.address)
    statement.set_sql_query("SELECT 1")
    handle, _ = statement.execute_query()
    second = pa.RecordBatchReader._import_from_c(handle.address)
    statement.close()
    connection.close()
    same(second.read_all().num_rows, 1)
    same(first.read_all().num_rows, 300)


@validates("StatementTest.SqlQueryTrailingSemicolons", "StatementTest.SqlQueryRowsAffectedDeleteStream", "StatementTest.SqlPrepareErrorParamCountMismatch")
def oddities(url, c):
    same(rows(c, "SELECT 1;;;"), [(1,)])
    same(rows(c, "SELECT 1 ; "), [(1,)])
    rows(c, "INSERT INTO organizations (name) VALUES ('Stream 1'), ('Stream 2')")
    with c.cursor() as cursor:
        cursor.execute("DELETE FROM organizations WHERE name LIKE 'Stream %'")
        same((cursor.rowcount, cursor.fetchall()), (2, [(2,)]))
    for values in ((1,), (1, 2, 3)):
        with refused(INVALID_ARGUMENT, "2 parameters"):
            rows(c, "SELECT ?, ?", values)


@validates("StatementTest.SqlIngestTableEscaping", "StatementTest.SqlIngestColumnEscaping")
def escaping(url, c):
    for name in ("drop", "Upper Case", 'a"b', "semi;colon", "ünï"):
        data = pa.table({name: [1], "select": [2]})
        same(ingest(c, name, data), 1)
        same(ingest(c, name, data, mode="append"), 1)
        quoted = name.replace('"', '""')
        same(rows(c, f'SELECT "{quoted}", "select" FROM temp."{quoted}"'), [(1, 2), (1, 2)])
        rows(c, f'DROP TABLE temp."{quoted}"')


@check
def partitions_and_plans_are_refused(url, c):
    with c.cursor() as cursor:
        with refused(NOT_IMPLEMENTED, "no partitions"):
            cursor.adbc_execute_partitions("SELECT issue_key FROM requests")
        with refused(NOT_IMPLEMENTED, "Substrait"):
            cursor.execute(b"plan")


def table_of_the_page():
    """Names of the checks that docs/adbc.md says pass."""
    page = pathlib.Path(__file__).parents[2].joinpath("docs/adbc.md").read_text()
    listed = re.findall(r"^\| `([^`]+)` \| (pass|n\.a\.)", page, re.M)
    assert len(listed) == len({name for name, _ in listed}), "a name stands twice in docs/adbc.md"
    return {name for name, outcome in listed if outcome == "pass"}


def main():
    global JSMQL, LIBRARY
    JSMQL, LIBRARY = sys.argv[1], str(pathlib.Path(sys.argv[2]).resolve())
    only = sys.argv[3:]
    failed = 0
    warnings.filterwarnings("ignore", message="Cannot disable autocommit")
    with site() as url:
        for name, function in CHECKS:
            if only and not any(word in name or word == function.__name__ for word in only):
                continue
            try:
                with connect(url) as c:
                    function(url, c)
            except Exception as error:
                failed += 1
                print(f"FAIL {name}: {type(error).__name__}: {error}")
                if os.environ.get("TRACE"):
                    import traceback

                    traceback.print_exc()
            else:
                print(f"ok   {name}")
    if not only:
        same(sorted(table_of_the_page()), sorted(VALIDATED))
    print(f"{failed} of {len(CHECKS)} checks failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
