"""What leaves jsmql as foreign readers see it: every Arrow type through every exit, as NULL, as an ordinary value and at its extremes.

Usage: python tests/python/exits.py path/to/jsmql path/to/libjsmql.so

pyarrow reads the files, the Go driver what the Flight SQL server sends, the ADBC driver manager what the shared library gives, Python's
own json and csv the text formats. What is no value must be an error that names the column and what to write instead.
"""

import csv
import decimal
import functools
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import adbc_driver_flightsql.dbapi as flight_sql
import pandas
import polars
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
from adbc_driver_manager import dbapi

USER, TOKEN = "dana@demo.example", "demo-token"
CHECKS = []
LEAST, MOST = "(-9223372036854775807 - 1)", "9223372036854775807"
NAN, INF = "'NaN'::double", "'inf'::double"
TEXT = "a|\"b\",é"


def i32(number):
    return f"arrow_cast({number}, 'Int32')"


# Arrow's name of a type; an ordinary value in SQL, as JSON, and further values that every columnar format holds; values that only some hold.
TYPES = [
    ("Boolean", "true", True, ["false"], []),
    ("Int8", "42", 42, ["-128", "127"], []),
    ("Int16", "42", 42, ["-32768", "32767"], []),
    ("Int32", "42", 42, ["-2147483648", "2147483647"], []),
    ("Int64", "42", 42, [LEAST, MOST], []),
    ("UInt8", "42", 42, ["0", "255"], []),
    ("UInt16", "42", 42, ["0", "65535"], []),
    ("UInt32", "42", 42, ["0", "4294967295"], []),
    ("UInt64", "42", 42, ["0", "18446744073709551615"], []),
    ("Float16", "1.5", 1.5, ["-65504.0", "65504.0", NAN], []),
    ("Float32", "1.5", 1.5, ["-3.4028234e38::double", NAN, INF, f"-({INF})"], []),
    ("Float64", "1.5", 1.5, ["1.7976931348623157e308::double", NAN, INF, f"-({INF})"], []),
    ("Decimal32(9, 2)", "'1.50'", 1.5, ["'-9999999.99'", "'9999999.99'"], []),
    ("Decimal64(18, 2)", "'1.50'", 1.5, ["'-9999999999999999.99'", "'9999999999999999.99'"], []),
    ("Decimal128(38, 2)", "'1.50'", 1.5, [f"'-{'9' * 36}.99'", f"'{'9' * 36}.99'"], []),
    ("Decimal256(76, 2)", "'1.50'", 1.5, [f"'{'9' * 50}.99'"], []),
    ("Decimal128(5, -2)", "1500", 1500, [], []),
    ("Date32", i32(20754), "2026-10-28", ["'0001-01-01'", "'9999-12-31'"], [i32(-2147483648), i32(2147483647)]),
    # DataFusion panics when it prints the least date of this kind in a plan (datafusion-common, scalar/mod.rs), which is an error here.
    ("Date64", "1793145600000", "2026-10-28T00:00:00", ["-1"], [MOST]),
    ("Time32(s)", i32(11045), "03:04:05", [i32(0), i32(86399)], [i32(-1)]),
    ("Time32(ms)", i32(11045080), "03:04:05.080", [i32(0), i32(86399999)], [i32(-1)]),
    ("Time64(us)", "11045080000", "03:04:05.080", ["0", "86399999999"], ["-1", MOST]),
    ("Time64(ns)", "11045080000001", "03:04:05.080000001", ["0", "86399999999999"], ["-1", MOST]),
    ("Timestamp(s)", "1793156645", "2026-10-28T03:04:05", ["-62135596800"], [LEAST, MOST]),
    ("Timestamp(ms)", "1793156645080", "2026-10-28T03:04:05.080", ["-62135596800000"], [LEAST, MOST]),
    ("Timestamp(us)", "1793156645080001", "2026-10-28T03:04:05.080001", ["253402300799999999"], [LEAST, MOST]),
    ("Timestamp(ns)", "1793156645080000001", "2026-10-28T03:04:05.080000001", [LEAST, MOST], []),
    ('Timestamp(ms, "UTC")', "1793156645080", "2026-10-28T03:04:05.080Z", ["-62135596800000"], [LEAST, MOST]),
    ('Timestamp(ms, "America/New_York")', "1793156645080", "2026-10-27T23:04:05.080-04:00", ["1796000000080"], [LEAST, MOST]),
    ('Timestamp(us, "+05:30")', "1793156645080001", "2026-10-28T08:34:05.080001+05:30", [], [LEAST, MOST]),
    ('Timestamp(ns, "UTC")', "1793156645080000001", "2026-10-28T03:04:05.080000001Z", [LEAST, MOST], []),
    ("Duration(s)", "5400", "PT5400S", ["-1"], [LEAST, MOST]),
    ("Duration(ms)", "5400000", "PT5400S", ["-1"], [LEAST, MOST]),
    ("Duration(us)", "5400000000", "PT5400S", ["-1"], [LEAST, MOST]),
    ("Duration(ns)", "5400000000000", "PT5400S", [LEAST, MOST], []),
    ("Interval(YearMonth)", i32(14), "14 mons", [i32(-1)], []),
    ("Interval(DayTime)", "'2 days 1 hour'", "2 days 1 hours", ["'-1 day'"], []),
    ("Interval(MonthDayNano)", "'1 month 2 days 90 minutes'", "1 mons 2 days 1 hours 30 mins", ["'-1 month'"], []),
    *((kind, f"'{TEXT}'", TEXT, ["''", "'one\ntwo\t\U0001f980'"], []) for kind in
      ("Utf8", "LargeUtf8", "Utf8View", "Dictionary(Int8, Utf8)", 'RunEndEncoded("run_ends": non-null Int32, "values": Utf8)')),
    *((kind, "arrow_cast('ab', 'Binary')", "6162", ["arrow_cast('', 'Binary')"], []) for kind in ("Binary", "LargeBinary", "BinaryView", "FixedSizeBinary(2)")),
    ("List(Int64)", "[1, NULL]", [1, None], [f"[{LEAST}, {MOST}]"], []),
    ("List(Utf8View)", "['a', NULL]", ["a", None], ["['']"], []),
    ("LargeList(LargeUtf8)", "['a, b']", ["a, b"], ["['']"], []),
    ("ListView(Utf8)", "['a, b']", ["a, b"], ["['']"], []),
    ("LargeListView(Int64)", "[1]", [1], ["[NULL]"], []),
    ("FixedSizeList(2 x Utf8View)", "['a', 'b']", ["a", "b"], ["['', NULL]"], []),
    ("List(Timestamp(ms))", "[1793156645080]", ["2026-10-28T03:04:05.080"], [], [f"[{MOST}]"]),
    (None, "struct(1 AS a, arrow_cast('x', 'Utf8View') AS b)", {"a": 1, "b": "x"}, ["struct(NULL::bigint AS a, arrow_cast('', 'Utf8View') AS b)"], []),
    (None, "map(['a'], [1])", {"a": 1}, [], []),
    (None, "map([1], ['x'])", {"1": "x"}, [], []),
]
# A fixed size has no empty value.
TYPES = [(kind, value, said, [] if kind == "FixedSizeBinary(2)" else more, rare) for kind, value, said, more, rare in TYPES]


def value(kind, source):
    return source if kind is None else f"arrow_cast({source}, '{kind}')"


def check(function):
    CHECKS.append(function)
    return function


def same(one, other, what=""):
    assert one == other, f"{what}: {one!r}\n!=\n{other!r}"


def jsmql(*arguments):
    return subprocess.run([JSMQL, "--demo", "--date", "2026-10-31", *arguments], capture_output=True, text=True, timeout=60)


def everything(keep=lambda kind: True):
    """One statement with a column for each type: NULL, the ordinary value, and all that the type holds."""
    columns = [(i, *of) for i, of in enumerate(TYPES) if keep(of[0])]
    height = 2 + max(len(more) for *_, more, _ in columns)
    rows = []
    for row in range(height):
        cells = []
        for i, kind, ordinary, _, more, _ in columns:
            values = ["NULL" if kind else f"nullif({ordinary}, {ordinary})", value(kind, ordinary), *(value(kind, source) for source in more)]
            if kind:
                values[0] = value(kind, "NULL")
            cells.append(f"{values[min(row, len(values) - 1)]} AS c{i}")
        rows.append(f"SELECT {row} AS place, " + ", ".join(cells))
    return " UNION ALL ".join(rows)


def is_interval(kind):
    return kind is not None and kind.startswith("Interval")


@functools.cache
def reference(folder):
    path = folder / "all.arrow"
    done = jsmql("-o", str(path), "-c", everything())
    same(done.returncode, 0, done.stderr)
    with pyarrow.ipc.open_file(path) as file:
        return file.read_all().sort_by("place")


def equal(theirs, ours, what):
    theirs, ours = theirs.sort_by("place"), ours.sort_by("place")
    for name in ours.column_names:
        one, other = theirs[name].combine_chunks(), ours[name].combine_chunks()
        if pa.types.is_map(one.type):
            # Parquet has names of its own for what is inside of a map.
            one, other = one.cast(other.type), other
        same(one.type, other.type, f"{what}, {name}")
        # NaN equals nothing, and is written as any other.
        assert one.equals(other) or str(one) == str(other), f"{what}, {name} {ours.schema.field(name).type}: {one}\n!=\n{other}"


@check
def an_arrow_file_holds_what_was_written(folder):
    table = reference(folder)
    strange = (pa.string_view(), pa.binary_view(), pa.large_string(), pa.large_binary(), pa.float16(), pa.date64())
    for i, (kind, _, said, _, _) in enumerate(TYPES):
        column = table[f"c{i}"]
        assert column.type not in strange and not pa.types.is_dictionary(column.type), (kind, column.type)
        assert column[1].is_valid, kind
        assert kind is None or column[0].as_py() is None, kind
        found = column[1].as_py()
        if isinstance(said, (bool, int, list)) and "Timestamp" not in str(kind) or kind in ("Utf8", "LargeUtf8", "Utf8View", "Float64"):
            same(float(found) if isinstance(found, decimal.Decimal) else found, said, kind)


@check
def parquet_holds_the_same(folder):
    path = folder / "all.parquet"
    done = jsmql("-o", str(path), "-c", everything(lambda kind: not is_interval(kind)))
    same(done.returncode, 0, done.stderr)
    ours = reference(folder)
    ours = ours.drop_columns([f"c{i}" for i, of in enumerate(TYPES) if is_interval(of[0])])
    equal(pyarrow.parquet.read_table(path), ours, "Parquet")
    for kind, ordinary, *_ in TYPES:
        if is_interval(kind):
            done = jsmql("-o", str(path), "-c", f"SELECT {value(kind, ordinary)} AS age")
            assert done.returncode == 1 and "column age" in done.stderr and "CAST(age AS TEXT)" in done.stderr, done.stderr
            done = jsmql("-o", str(path), "-c", f"SELECT CAST({value(kind, ordinary)} AS TEXT) AS age")
            same(done.returncode, 0, done.stderr)


class Served:
    """A server in front of the demo site, and a connection to it."""

    def __enter__(self):
        self.server = subprocess.Popen([JSMQL, "serve", "--demo", "--date", "2026-10-31", "--bind", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.connection = flight_sql.connect(self.server.stdout.readline().strip(), autocommit=True)
        return self.connection

    def __exit__(self, *_):
        self.connection.close()
        self.server.terminate()
        self.server.stdout.close()
        self.server.wait(timeout=40)


class Loaded:
    """A connection of the shared library to a demo site."""

    def __enter__(self):
        self.site = subprocess.Popen([JSMQL, "demo", "--date", "2026-10-31", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        url = self.site.stdout.readline().strip()
        options = {"URL": url, "User": USER, "APIToken": TOKEN}
        self.connection = dbapi.connect(driver=DRIVER, db_kwargs=options, autocommit=True)
        return self.connection

    def __exit__(self, *_):
        self.connection.close()
        self.site.terminate()
        self.site.stdout.close()
        self.site.wait(timeout=40)


def one_schema(connection, ours, what):
    """The schema is the same before the rows, with them, and for a table that was made of them."""
    sql = everything()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE temp.every AS {sql}")
    for sql in (sql, "SELECT * FROM temp.every"):
        with connection.cursor() as cursor:
            told = cursor.adbc_execute_schema(sql)
            cursor.execute(sql)
            table = cursor.fetch_arrow_table()
            same(told.remove_metadata(), table.schema.remove_metadata(), what)
            equal(table, ours, what)


@check
def flight_sends_the_same(folder):
    with Served() as connection:
        one_schema(connection, reference(folder), "Flight")


@check
def the_library_gives_the_same(folder):
    with Loaded() as connection:
        one_schema(connection, reference(folder), "ADBC")


@check
def frames_of_other_programs_come_back(_):
    frame = polars.DataFrame({"k": ["a"], "l": [["x"]]})
    categories = pandas.DataFrame({"c": pandas.Categorical(["x", "y", "x"])})
    words = pa.table({"w": pa.array(["a", None, "a"]).dictionary_encode(), "u": pa.array([["b"], [], None], pa.large_list(pa.string_view()))})
    union = pa.UnionArray.from_dense(pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["x"])], ["n", "t"])
    for served in (Served, Loaded):
        with served() as connection:
            if served is Loaded:
                frame.write_database("temp.z", connection, engine="adbc")
            else:
                with connection.cursor() as cursor:
                    cursor.adbc_ingest("z", frame.to_arrow(), mode="create", db_schema_name="temp")
            for name, rows in (("cats", pa.Table.from_pandas(categories)), ("words", words), ("unions", pa.table({"v": union}))):
                with connection.cursor() as cursor:
                    cursor.adbc_ingest(name, rows, mode="create", db_schema_name="temp")
            for name, rows in (("z", frame.to_dicts()), ("cats", categories.to_dict("records")), ("words", words.to_pylist()), ("unions", [{"v": 1}, {"v": "x"}])):
                with connection.cursor() as cursor:
                    cursor.execute(f"SELECT * FROM temp.{name}")
                    same(cursor.fetch_arrow_table().to_pylist(), rows, f"{served.__name__} {name}")


def texts(output_format):
    """Every value in this format: what was printed, and what was complained of. Values that few can hold are in statements of their own."""
    together, alone = {}, []
    for i, (kind, ordinary, _, more, rare) in enumerate(TYPES):
        values = ["NULL" if kind else None, ordinary, *more, *rare]
        for place, source in enumerate(values):
            if source is None:
                continue
            column = f"{value(kind, source)} AS c{i}_{place}"
            if place < 2 + len(more):
                together.setdefault(place, []).append(column)
            else:
                alone.append(f"SELECT {column}")
    statements = [*("SELECT " + ", ".join(columns) for columns in together.values()), *alone]
    done = jsmql("--format", output_format, "-c", "\\bail off\n" + ";\n".join(statements))
    for words in ("ERROR", "<invalid>"):
        assert words not in done.stdout, done.stdout[done.stdout.index(words) - 200:]
    same(done.returncode, 1, "values that have no text were printed")
    return done


def refused(done):
    """The columns that were complained of, each with what to write instead."""
    found = set()
    for line, hint in zip(*[iter([line for line in done.stderr.splitlines() if line.startswith(("error:", "hint:"))])] * 2):
        assert "column " in line, line
        name = line.split("column ", 1)[1].split(" ", 1)[0]
        assert f"CAST({name} AS BIGINT)" in hint or "Parquet or Arrow" in hint, (line, hint)
        found.add(name)
    return found


def expected(refusals, found, what):
    """Every value was printed or refused; only those that few can hold were refused."""
    for i, (kind, _, _, more, rare) in enumerate(TYPES):
        for place in range(0 if kind else 1, 2 + len(more) + len(rare)):
            name = f"c{i}_{place}"
            assert (name in found) != (name in refusals), (what, kind, name)
            assert name not in refusals or place >= 2 + len(more), (what, kind, name)


@check
def json_is_what_python_reads(_):
    for output_format in ("ndjson", "json"):
        done = texts(output_format)
        if output_format == "ndjson":
            rows = [json.loads(line) for line in done.stdout.splitlines()]
        else:
            decoder, rest, rows = json.JSONDecoder(), done.stdout, []
            while rest.strip():
                array, end = decoder.raw_decode(rest)
                rows, rest = rows + array, rest[end:].lstrip()
        found = {name: cell for row in rows for name, cell in row.items()}
        expected(refused(done), found, output_format)
        for i, (kind, _, said, _, _) in enumerate(TYPES):
            same(found[f"c{i}_1"], said, kind)
            assert kind is None or found[f"c{i}_0"] is None, kind
        for cells, place in (([NAN], 3), ([INF], 4)):
            i = next(i for i, of in enumerate(TYPES) if of[0] == "Float64")
            assert str(float(found[f"c{i}_{place}"])) in ("nan", "inf"), found[f"c{i}_{place}"]


@check
def csv_is_what_python_reads(_):
    for output_format, delimiter in (("csv", ","), ("tsv", "\t")):
        done = texts(output_format)
        lines = list(csv.reader(io.StringIO(done.stdout, newline=""), delimiter=delimiter))
        refusals, found = refused(done), {}
        rows = iter(lines)
        for header in rows:
            # The header may be there by the time a value is refused.
            if header[0] not in refusals:
                found.update(zip(header, next(rows)))
        expected(refusals, found, output_format)
        for i, (kind, _, said, _, _) in enumerate(TYPES):
            cell = found[f"c{i}_1"]
            same(cell if isinstance(said, str) else json.loads(cell), said, kind)
            assert kind is None or found[f"c{i}_0"] == "", kind


@check
def people_read_the_same(_):
    for output_format in ("table", "vertical", "markdown"):
        done = texts(output_format)
        refused(done)
        for kind, _, said, _, _ in TYPES:
            if isinstance(said, str) and "|" not in said:
                assert said in done.stdout, (output_format, kind, said)


@check
def half_an_answer_is_no_answer(folder):
    for output_format in ("json", "csv", "parquet"):
        path = folder / f"half.{output_format}"
        sql = f"SELECT arrow_cast({MOST}, 'Timestamp(s, \"UTC\")') AS t UNION ALL SELECT arrow_cast(0, 'Timestamp(s, \"UTC\")')"
        done = jsmql("-o", str(path), "-c", sql)
        assert done.returncode == 1 and "column t" in done.stderr and "CAST(t AS BIGINT)" in done.stderr, done.stderr
        assert not path.exists()


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for function in CHECKS:
            try:
                function(pathlib.Path(folder))
                print(f"{function.__name__}: ok")
            except Exception as error:  # every check runs, whatever the others say
                failed += 1
                print(f"{function.__name__}: FAILED: {type(error).__name__}: {error}")
    print(f"\n{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    JSMQL, DRIVER = sys.argv[1], str(pathlib.Path(sys.argv[2]).resolve())
    sys.exit(main())
