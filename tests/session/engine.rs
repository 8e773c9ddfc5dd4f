//! What the engine answers today where a rule of ours mends it: the test fails when the engine mends it itself, and the rule can go.

use std::fmt::Write as _;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;

use super::{demo, rows};

/// A statement that needs a rule.
struct Pin {
    /// The file of the rule in `src/session`.
    rule: &'static str,
    sql: &'static str,
    /// What the engine answers without the rule: a text as made by [`shown`], or an error.
    engine: &'static str,
    right: &'static str,
}

const TABLES: [&str; 4] = [
    "CREATE TABLE temp.one AS SELECT 1 AS k",
    "CREATE TABLE temp.a AS SELECT * FROM (VALUES (1), (2), (3)) v(k)",
    "CREATE TABLE temp.b AS SELECT * FROM (VALUES (1, 'c'), (2, 'c'), (3, 'd')) v(k, x)",
    "CREATE TABLE temp.none AS SELECT CAST(NULL AS BIGINT) AS n, CAST(NULL AS TEXT) AS x",
];

const PINS: [Pin; 19] = [
    Pin {
        rule: "subquery",
        sql: "SELECT count(*) FROM temp.one WHERE (SELECT k FROM temp.one WHERE k = 2) IS NULL",
        engine: "0",
        right: "1",
    },
    Pin {
        rule: "totals",
        sql: "SELECT n FROM (SELECT count(*) AS n FROM temp.one) x WHERE (SELECT k = 2 FROM temp.one)",
        engine: "0",
        right: "",
    },
    Pin {
        rule: "membership",
        sql: "SELECT count(*) FROM temp.one WHERE k = 5 OR k NOT IN (SELECT n FROM temp.none)",
        engine: "1",
        right: "0",
    },
    Pin {
        rule: "outer",
        sql: "SELECT a.k FROM temp.a LEFT JOIN (SELECT * FROM temp.b WHERE x = 'c') b ON a.k = b.k ORDER BY b.x NULLS FIRST LIMIT 1",
        engine: "1",
        right: "3",
    },
    Pin {
        rule: "skipped",
        sql: "SELECT k FROM (SELECT k FROM temp.a LIMIT 2 OFFSET 2) ORDER BY k",
        engine: "",
        right: "3",
    },
    Pin {
        rule: "correlated",
        sql: "SELECT count(*) FROM temp.a WHERE EXISTS (SELECT count(*) FROM temp.b WHERE b.k = a.k + 1)",
        engine: "2",
        right: "3",
    },
    Pin {
        rule: "tied",
        sql: "SELECT count(*) FROM temp.a WHERE EXISTS (SELECT x FROM temp.b WHERE b.k = a.k OFFSET 1)",
        engine: "3",
        right: "error",
    },
    Pin {
        rule: "lists",
        sql: "SELECT count(*) FROM temp.none WHERE NOT (n IN (1, 2) AND n IN (3))",
        engine: "1",
        right: "0",
    },
    Pin {
        rule: "regexes",
        sql: "SELECT NOT (x ~ '.*') FROM temp.none",
        engine: "true",
        right: "NULL",
    },
    Pin {
        rule: "similar",
        sql: "SELECT 'VPN down' SIMILAR TO 'VPN%'",
        engine: "false",
        right: "true",
    },
    Pin {
        rule: "shifts",
        sql: "SELECT id, lead(v) IGNORE NULLS OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM (VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, NULL), (6, NULL), (7, 70)) t(id, v) ORDER BY id LIMIT 5",
        engine: "1 20; 2 30; 3 40; 4 NULL; 5 NULL",
        right: "1 20; 2 30; 3 40; 4 70; 5 70",
    },
    Pin {
        rule: "lengths",
        sql: "SELECT INTERVAL '1 day' < INTERVAL '25 hours'",
        engine: "false",
        right: "true",
    },
    Pin {
        rule: "moments",
        sql: "SELECT DATE '9999-12-31' > now()",
        engine: "error",
        right: "true",
    },
    Pin {
        rule: "fractions",
        sql: "SELECT count(*) FROM (SELECT CAST('2026-03-01 11:47:40.810' AS TIMESTAMP(3)) AS at FROM temp.a) x WHERE at = '2026-03-01 11:47:40.8105'",
        engine: "3",
        right: "0",
    },
    Pin {
        rule: "overflow",
        sql: "SELECT 9223372036854775807 + k FROM temp.one",
        engine: "-9223372036854775808",
        right: "error",
    },
    Pin {
        rule: "sums",
        sql: "SELECT sum(x) FROM (VALUES (9223372036854775807), (1)) t(x)",
        engine: "-9223372036854775808",
        right: "error",
    },
    Pin {
        rule: "far",
        sql: "SELECT date_trunc('month', CAST('1600-02-29' AS TIMESTAMP(3)))",
        engine: "error",
        right: "1600-02-01T00:00:00",
    },
    Pin {
        rule: "to_char",
        sql: "SELECT to_char(DATE '2026-03-01', 'YYYY-MM')",
        engine: "YYYY-MM",
        right: "2026-03",
    },
    Pin {
        rule: "unnested",
        sql: "SELECT DISTINCT k FROM (SELECT k, unnest(['a', 'a']) AS u FROM temp.keyed)",
        engine: "1; 1",
        right: "1",
    },
];

#[tokio::test]
async fn every_rule_still_has_something_to_mend() {
    let (_site, session) = demo("").await;
    let engine = SessionContext::new();
    engine.sql("CREATE SCHEMA temp").await.unwrap().collect().await.unwrap();
    // The scratch schema of a session has no keys.
    let keyed = "CREATE TABLE temp.keyed (k INT, PRIMARY KEY (k)) AS VALUES (1)";
    engine.sql(keyed).await.unwrap().collect().await.unwrap();
    rows(&session, "CREATE TABLE temp.keyed AS SELECT 1 AS k").await.unwrap();
    for table in TABLES {
        engine.sql(table).await.unwrap().collect().await.unwrap();
        rows(&session, table).await.unwrap();
    }
    let mut differs = String::new();
    for Pin {
        rule,
        sql,
        engine: expected,
        right,
    } in PINS
    {
        let ours = rows(&session, sql)
            .await
            .map_or_else(|_| "error".to_owned(), |batches| shown(&batches));
        let theirs = match engine.sql(sql).await {
            Ok(frame) => frame
                .collect()
                .await
                .map_or_else(|_| "error".to_owned(), |batches| shown(&batches)),
            Err(_) => "error".to_owned(),
        };
        if (theirs.as_str(), ours.as_str()) != (expected, right) {
            let _ = writeln!(
                differs,
                "{rule}: {sql}\n  the engine: {theirs}, expected {expected}\n  a session: {ours}, expected {right}"
            );
        }
    }
    assert!(differs.is_empty(), "{differs}");
}

/// The cells of a row with blanks between them, the rows with semicolons.
fn shown(batches: &[RecordBatch]) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let rows = batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    let texts = rows.map(|(batch, row)| {
        let cells = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string());
        cells.collect::<Vec<_>>().join(" ")
    });
    texts.collect::<Vec<_>>().join("; ")
}
