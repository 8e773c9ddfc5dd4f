//! Statements that are too large, and values at the ends of their types: a right answer or one clear error, in bounded time.

use std::fmt::Write as _;
use std::time::Duration;

use jsmql::ErrorKind;

use super::{cell, demo, rows};

/// Far more than any of them takes.
const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test]
async fn large_statements_answer_or_name_their_limit() {
    let (_site, session) = demo("").await;
    let mut nested = "SELECT 1 AS x".to_owned();
    let mut scalars = "1".to_owned();
    for _ in 0..60 {
        nested = format!("SELECT x FROM ({nested}) q");
        scalars = format!("(SELECT {scalars})");
    }
    let columns: Vec<String> = (0..5_000).map(|number| format!("votes + {number} AS c{number}")).collect();
    let joins = (1..300).fold("SELECT count(*) AS n FROM temp.one t0".to_owned(), |mut sql, number| {
        let _ = write!(sql, " JOIN temp.one t{number} ON t{number}.k = t0.k");
        sql
    });
    let long = format!("SELECT count(*) AS n FROM issues WHERE summary <> '{}'", "x".repeat(1 << 20));
    let values: Vec<String> = (0..60_000).map(|number| format!("'KEY-{number}'")).collect();
    let many = format!("SELECT count(*) AS n FROM issues WHERE summary IN ({})", values.join(", "));
    rows(&session, "CREATE TABLE temp.one AS SELECT 1 AS k").await.unwrap();
    for (what, sql, answer) in [
        ("60 queries deep", nested, Some("1")),
        ("60 subqueries deep", format!("SELECT {scalars} AS x"), None),
        ("1 MB of text", long, Some("300")),
        ("a list of 60,000", many, Some("0")),
        (
            "5,000 columns",
            format!("SELECT {} FROM issues WHERE issue_key = 'ITSM-1'", columns.join(", ")),
            None,
        ),
        ("300 joins", joins, None),
    ] {
        let told = tokio::time::timeout(PATIENCE, cell(&session, &sql)).await;
        match told.unwrap_or_else(|_| panic!("{what}: no answer in time")) {
            Ok(found) => assert!(answer.is_none_or(|answer| answer == found), "{what}: {found}"),
            Err(error) => {
                assert_eq!(
                    (error.kind(), error.hint_text().is_some()),
                    (ErrorKind::Limit, true),
                    "{what}: {error}"
                );
                assert!(answer.is_none(), "{what}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn values_at_the_ends_of_their_types_are_right_or_an_error_of_the_statement() {
    let (_site, session) = demo("").await;
    for (sql, answer) in [
        ("SELECT 9223372036854775807 AS x", Some("9223372036854775807")),
        ("SELECT 9223372036854775807 + 1 AS x", None),
        (
            "SELECT sum(x) AS s FROM (VALUES (9223372036854775807), (9223372036854775807)) v(x)",
            None,
        ),
        ("SELECT CAST('9223372036854775808' AS BIGINT) AS x", None),
        ("SELECT CAST(1e30 AS BIGINT) AS x", None),
        ("SELECT factorial(21) AS x", None),
        ("SELECT lcm(9223372036854775807, 2) AS x", None),
        (
            "SELECT count(*) AS n FROM generate_series(9223372036854775806, 9223372036854775807)",
            Some("2"),
        ),
        (
            "SELECT issue_key FROM issues WHERE votes = 9223372036854775807 UNION ALL SELECT 'none'",
            Some("none"),
        ),
        (
            "SELECT count(*) AS n FROM issues WHERE votes < 9223372036854775807",
            Some("300"),
        ),
        (
            "SELECT count(*) AS n FROM (SELECT issue_key FROM issues LIMIT 9223372036854775807 OFFSET 1) q",
            Some("299"),
        ),
        ("SELECT repeat('x', 9223372036854775807) AS x", None),
        // Dates.
        (
            "SELECT count(*) AS n FROM issues WHERE due_date > DATE '9999-12-31'",
            Some("0"),
        ),
        (
            "SELECT count(*) AS n FROM issues WHERE created > TIMESTAMP '0001-01-01'",
            Some("300"),
        ),
        ("SELECT DATE '51502-01-01' AS d", None),
        ("SELECT DATE '2017000-01-01' AS d", None),
        ("SELECT DATE 'next week' AS d", None),
        (
            "SELECT date_trunc('year', TIMESTAMP '9999-12-31') = TIMESTAMP '9999-01-01' AS x",
            Some("true"),
        ),
        (
            "SELECT extract(epoch FROM TIMESTAMP '9999-12-31' - TIMESTAMP '0001-01-01') AS x",
            Some("315537811200.0"),
        ),
        (
            "SELECT extract(day FROM arrow_cast(9223372036854775807, 'Duration(Second)')) AS x",
            None,
        ),
        (
            "SELECT range(TIMESTAMP '1600-12-30', TIMESTAMP '1601-01-02', interval '1 day') AS x",
            None,
        ),
        ("SELECT to_timestamp('9999-12-31T00:00:00') AS x", None),
        (
            "SELECT count(*) AS n FROM (VALUES (DATE '1600-01-01'), (now())) v(x) WHERE x < now()",
            Some("1"),
        ),
        // What is no number.
        ("SELECT CAST('NaN' AS DOUBLE) = CAST('NaN' AS DOUBLE) AS x", Some("true")),
        (
            "SELECT count(*) AS n FROM (SELECT x FROM (VALUES (CAST('NaN' AS DOUBLE)), (CAST('NaN' AS DOUBLE)), (1.0)) v(x) GROUP BY x) q",
            Some("2"),
        ),
        (
            "SELECT CAST(x AS TEXT) AS y FROM (VALUES (CAST('NaN' AS DOUBLE)), (CAST('Infinity' AS DOUBLE)), (1.0)) v(x) ORDER BY x DESC LIMIT 1",
            Some("NaN"),
        ),
        ("SELECT CAST(CAST('NaN' AS DOUBLE) AS BIGINT) AS x", None),
        ("SELECT CAST(CAST('-Infinity' AS DOUBLE) AS BIGINT) AS x", None),
        // Names.
        (
            "SELECT \"\u{e9}\" AS x FROM (SELECT 1 AS \"\u{e9}\", 2 AS \"e\u{301}\") q",
            Some("1"),
        ),
        ("SELECT \"A\" AS x FROM (SELECT 1 AS \"a\", 2 AS \"A\") q", Some("2")),
        (
            "SELECT \"a\u{200b}\" AS x FROM (SELECT 1 AS a, 2 AS \"a\u{200b}\") q",
            Some("2"),
        ),
        ("SELECT summary\u{200b} FROM issues", None),
        ("SELECT \"Summary\" FROM issues", None),
    ] {
        let told = tokio::time::timeout(PATIENCE, cell(&session, sql)).await;
        match (told.unwrap_or_else(|_| panic!("{sql}: no answer in time")), answer) {
            (Ok(found), Some(answer)) => assert_eq!(found, answer, "{sql}"),
            (Err(error), None) => assert_eq!(error.kind(), ErrorKind::Statement, "{sql}: {error}"),
            (Ok(found), None) => panic!("{sql}: {found} in place of an error"),
            (Err(error), Some(_)) => panic!("{sql}: {error}"),
        }
    }
}
