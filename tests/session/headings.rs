//! What columns are called: as they were written, for whoever reads the rows, keeps them or asks for their schema.

use super::{demo, rows};

#[tokio::test]
async fn columns_are_called_as_they_were_written() {
    let (_site, session) = demo("").await;
    for (sql, names) in [
        (
            "SELECT 1, 'x', NULL, votes + 1, -votes FROM issues LIMIT 1",
            &["1", "'x'", "NULL", "votes + 1", "-votes"][..],
        ),
        (
            "SELECT to_char(created, '%Y-%m'), COUNT(*) FROM issues GROUP BY to_char(created, '%Y-%m') ORDER BY to_char(created, '%Y-%m')",
            &["to_char(created, '%Y-%m')", "count(*)"],
        ),
        (
            "SELECT created::date, i.votes::text FROM issues i ORDER BY created LIMIT 1",
            &["created", "votes"],
        ),
        (
            "SELECT created::date, created::time, created FROM issues LIMIT 1",
            &["created", "created", "created"],
        ),
        (
            "SELECT DISTINCT created::date FROM issues ORDER BY created::date LIMIT 1",
            &["created"],
        ),
        (
            "SELECT lower(status), sum(votes) FROM issues GROUP BY ROLLUP (lower(status)) HAVING sum(votes) > 3 ORDER BY sum(votes)",
            &["lower(status)", "sum(votes)"],
        ),
        (
            "SELECT created::date, count(*) FROM issues GROUP BY created::date ORDER BY 2 DESC LIMIT 1",
            &["created", "count(*)"],
        ),
        (
            "SELECT row_number() OVER (PARTITION BY status ORDER BY created DESC) FROM issues LIMIT 1",
            &["row_number() OVER (…)"],
        ),
        (
            "SELECT CASE WHEN votes > 1 THEN 'a rather long text' WHEN votes > 0 THEN 'x' END FROM issues LIMIT 1",
            &["CASE … END"],
        ),
        (
            "SELECT created FROM (SELECT created::date FROM issues LIMIT 1) q",
            &["created"],
        ),
        (
            "SELECT unnest(labels), UNNEST(i.labels) FROM issues i ORDER BY unnest(labels) LIMIT 1",
            &["unnest(labels)", "unnest(i.labels)"],
        ),
        (
            "SELECT \"unnest(labels)\", count(*) FROM (SELECT unnest(labels) FROM issues) q GROUP BY 1 LIMIT 1",
            &["unnest(labels)", "count(*)"],
        ),
        (
            "SELECT q.created, \"votes + 1\" FROM (SELECT i.created::date, votes + 1 FROM issues i LIMIT 1) q",
            &["created", "votes + 1"],
        ),
        (
            "SELECT * FROM (SELECT a.issue_key, b.issue_key FROM issues a JOIN issues b ON a.issue_key = b.issue_key LIMIT 1) q",
            &["issue_key", "issue_key"],
        ),
        (
            "SELECT a.id, b.id FROM service_desks a JOIN service_desks b ON a.id = b.id UNION ALL SELECT '8', '9'",
            &["id", "id"],
        ),
        ("SELECT id::int FROM service_desks UNION SELECT 9 ORDER BY id", &["id"]),
        (
            "WITH c AS (SELECT count(*), max(votes) FROM issues) SELECT *, \"count(*)\" + 1 FROM c",
            &["count(*)", "max(votes)", "\"count(*)\" + 1"],
        ),
        (
            "SELECT (SELECT max(id) FROM service_desks), (SELECT name FROM projects LIMIT 1)",
            &["max(id)", "name"],
        ),
        ("VALUES (1, 2)", &["column1", "column2"]),
    ] {
        let batches = rows(&session, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let found: Vec<String> = batches[0]
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        assert_eq!(found, names, "{sql}");
        let prepared = session.prepare(sql).await.unwrap();
        let told: Vec<String> = prepared.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(told, names, "prepared: {sql}");
    }
}

#[tokio::test]
async fn tables_and_views_keep_what_was_written() {
    let (_site, session) = demo("").await;
    for made in [
        "CREATE TABLE temp.t AS SELECT created::date, count(*), votes + 1 FROM issues GROUP BY created, votes",
        "CREATE VIEW temp.v AS SELECT created::date, count(*), votes + 1 FROM issues GROUP BY created, votes",
    ] {
        rows(&session, made).await.unwrap();
    }
    for table in ["temp.t", "temp.v"] {
        let sql = format!("SELECT created, \"count(*)\", \"votes + 1\" FROM {table} LIMIT 1");
        assert!(rows(&session, &sql).await.is_ok(), "{table}");
    }
}

#[tokio::test]
async fn a_name_that_two_columns_have_is_an_error() {
    let (_site, session) = demo("").await;
    for (sql, hint) in [
        (
            "SELECT id FROM (SELECT a.id, b.id FROM service_desks a JOIN service_desks b ON a.id = b.id) q",
            "two columns are called so: give one another name by AS",
        ),
        (
            "SELECT created FROM (SELECT created::date FROM issues ORDER BY created LIMIT 1) q",
            "its query sorts or groups by a column that is called so: give what it selects a name by AS",
        ),
        (
            "SELECT *, upper(id) AS id FROM service_desks ORDER BY id",
            "give the other a name of its own: AS id_2, or leave it out of *: * EXCLUDE (id)",
        ),
        (
            "SELECT a.*, b.* FROM service_desks a JOIN service_desks b ON a.id = b.id ORDER BY id",
            "say of which: t.id",
        ),
        (
            "SELECT i.sla_time_to_done FROM issues i",
            "these begin so: i.sla_time_to_done_breach_time, i.sla_time_to_done_breached, i.sla_time_to_done_completed_ms, i.sla_time_to_done_remaining_ms",
        ),
        ("SELECT i.sumary FROM issues i", "did you mean i.summary?"),
        ("SELECT x.summary FROM issues i", "did you mean i.summary?"),
        ("SELECT x.nothing FROM issues i", "nothing is called x here; there is i"),
        (
            "SELECT customfield_10010 FROM issues",
            "name one of them: request_type_id, request_type_name",
        ),
    ] {
        let error = rows(&session, sql).await.unwrap_err();
        assert_eq!(error.hint_text(), Some(hint), "{sql}: {error}");
    }
}
