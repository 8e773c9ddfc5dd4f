//! Statements of great extent: a right answer, or one clear error, in no time.

use super::*;

/// What is repeated, between a head and a tail.
fn repeated(head: &str, part: &str, times: usize, tail: &str) -> String {
    format!("{head}{}{tail}", part.repeat(times))
}

/// `count` pieces, each made of its number.
fn numbered(count: usize, joiner: &str, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect::<Vec<_>>().join(joiner)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_said_at_once() {
    let (_site, session) = demo("").await;
    let joins = numbered(300, " JOIN ", |at| {
        let on = if at == 0 {
            String::new()
        } else {
            format!(" ON t{at}.id = t0.id")
        };
        format!("service_desks t{at}{on}")
    });
    let doubled = numbered(20, ", ", |at| match at {
        0 => "a0 AS (SELECT 1 AS x)".into(),
        at => format!("a{at} AS (SELECT a.x FROM a{0} a JOIN a{0} b ON a.x = b.x)", at - 1),
    });
    let nested = |operator: &str| repeated("SELECT 1 WHERE ", operator, 60, "true") + &")".repeat(60);
    for (sql, says) in [
        (format!("SELECT count(*) FROM {joins}"), "a FROM joins 300 tables"),
        (format!("WITH {doubled} SELECT * FROM a19"), "reads more than 1000 tables"),
        (
            numbered(3_000, " UNION ALL ", |at| format!("SELECT {at} AS a")),
            "more than 1000 SELECTs",
        ),
        (nested("EXISTS (SELECT 1 WHERE "), "subqueries nest more than 16 deep"),
        (nested("1 IN (SELECT 1 WHERE "), "subqueries nest more than 16 deep"),
        (
            repeated("SELECT ", "(SELECT ", 60, "1") + &")".repeat(60),
            "subqueries nest more than 16 deep",
        ),
        (
            repeated("SELECT 1", "::int", 20_000, ""),
            "an expression nests more than 1300 deep",
        ),
        (
            repeated("SELECT 1", "+1-1*2", 3_000, ""),
            "an expression nests more than 1300 deep",
        ),
        (
            repeated("SELECT 1", " BETWEEN 1 AND 2", 5_000, ""),
            "an expression nests more than 1300 deep",
        ),
        (repeated("SELECT ", "- ", 200_000, "1"), "recursion limit exceeded"),
        (repeated("SELECT ", "(", 100_000, "1"), "recursion limit exceeded"),
    ] {
        let error = rows(&session, &sql).await.unwrap_err();
        assert!(error.to_string().contains(says), "{says}: {error}");
        assert!(error.hint_text().is_some(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_much_is_answered() {
    let (_site, session) = demo("").await;
    let long = "x".repeat(1_000_000);
    let froms =
        repeated("SELECT count(*) FROM ", "(SELECT * FROM ", 60, "service_desks") + &numbered(60, "", |at| format!(") t{at}"));
    for (sql, value) in [
        (format!("SELECT length('{long}')"), "1000000"),
        (format!("SELECT count(*) FROM issues WHERE summary = '{long}'"), "0"),
        (format!("SELECT 1 /*{long}*/"), "1"),
        (froms, "3"),
        (
            numbered(2_000, ", ", |at| format!("{at} AS c{at}")).replacen("0", "SELECT 7", 1),
            "7",
        ),
        (repeated("SELECT 1", "::int", 200, ""), "1"),
    ] {
        assert_eq!(cell(&session, &sql).await.unwrap(), value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_look_alike_are_different_names() {
    let (_site, session) = demo("").await;
    assert_eq!(
        cell(&session, "SELECT a + \"A\" FROM (SELECT 1 AS a, 2 AS \"A\") t")
            .await
            .unwrap(),
        "3"
    );
    for (sql, says) in [
        ("SELECT \"Issue_Key\" FROM issues", "there is no column \"Issue_Key\""),
        ("SELECT * FROM \"Issues\"", "there is no table jsm.public.Issues"),
        (
            "SELECT \"issue_key\u{200b}\" FROM issues",
            "there is no column \"issue_key\u{200b}\"",
        ),
        ("SELECT issue\u{200b}_key FROM issues", "Column: 13"),
        ("SELECT e\u{301} FROM (SELECT 1 AS \u{e9}) t", "Column: "),
        ("SELECT \"e\u{301}\" FROM (SELECT 1 AS \"\u{e9}\") t", "there is no column"),
    ] {
        let error = rows(&session, sql).await.unwrap_err();
        assert!(error.to_string().contains(says), "{sql}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_engine_are_errors_of_the_statement() {
    let (_site, session) = demo("").await;
    for (sql, says) in [
        ("SELECT true BETWEEN 1 AND 2", "Failed to coerce types Boolean and Int64"),
        ("SELECT max(1 IN (SELECT 1))", "IN with a subquery is a condition of WHERE"),
        (
            "SELECT count(*) FILTER (WHERE EXISTS (SELECT 1))",
            "EXISTS is a condition of WHERE",
        ),
        (
            "SELECT 1 AS a ORDER BY EXISTS (SELECT 1)",
            "EXISTS with a subquery is a condition",
        ),
    ] {
        let error = rows(&session, sql).await.unwrap_err();
        assert!(error.to_string().contains(says), "{sql}: {error}");
        assert_ne!(error.kind(), ErrorKind::Internal, "{sql}: {error}");
    }
}
