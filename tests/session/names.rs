//! Columns of one name on their way through joins: what a join binds late never changes the rows.
//!
//! Statements, chosen and random, have equal names below GROUP BY, HAVING, DISTINCT, windows, outer and semi joins and views; with pushdown and without
//! it they must answer the same. The engine alone fails some of them (apache/datafusion#25244).

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{demo, open, rows};

/// A query of two joined tables with columns of equal names, as `x` and `y`.
fn pairs(left: &str, right: &str, join: &str, [x, y, on, to]: [&str; 4], shape: usize) -> String {
    let from = format!("{left} l {join} {right} r ON l.{on} = r.{to}");
    match shape {
        0 => format!("SELECT l.{x} AS x, r.{y} AS y FROM {from} GROUP BY l.{x}, r.{y}"),
        1 => format!("SELECT l.{x} AS x, r.{y} AS y FROM {from} GROUP BY r.{y}, l.{x} HAVING count(*) < 3"),
        2 => format!("SELECT DISTINCT l.{x} AS x, r.{y} AS y FROM {from}"),
        3 => format!(
            "SELECT l.{x} AS x, r.{y} AS y, row_number() OVER (PARTITION BY l.{x}, r.{y} ORDER BY r.{y}) AS n FROM {from}"
        ),
        4 => format!("SELECT r.{y} AS x, l.{x} AS y FROM {from}"),
        5 => format!("SELECT l.{x} AS x, r.{y} AS y FROM {from} UNION ALL SELECT r.{y}, l.{x} FROM {from}"),
        _ => format!("SELECT l.{x} AS x, max(r.{y}) AS y FROM {from} GROUP BY l.{x}"),
    }
}
const PAIRS: usize = 7;

/// A statement that joins such a query with a table that says which rows are meant.
fn statement(inner: &str, [side, other]: [&str; 2], shape: usize) -> String {
    let on = format!("d.{side} = k.issue_key");
    match shape {
        0 => format!("SELECT k.issue_key, d.x, d.y FROM temp.k k JOIN ({inner}) d ON {on}"),
        1 => format!("SELECT k.issue_key, d.x, d.y FROM temp.k k LEFT JOIN ({inner}) d ON {on}"),
        2 => format!("SELECT k.issue_key, d.x, d.y FROM ({inner}) d RIGHT JOIN temp.k k ON {on}"),
        3 => format!("SELECT k.issue_key FROM temp.k k WHERE k.issue_key IN (SELECT d.{side} FROM ({inner}) d)"),
        4 => format!(
            "SELECT k.issue_key FROM temp.k k WHERE k.issue_key NOT IN (SELECT d.{side} FROM ({inner}) d WHERE d.{side} IS NOT NULL)"
        ),
        5 => format!(
            "SELECT k.issue_key FROM temp.k k WHERE NOT EXISTS (SELECT 1 FROM ({inner}) d WHERE {on} AND d.{other} <> k.parent_key)"
        ),
        6 => format!(
            "SELECT d.x, d.y, i.issue_key FROM ({inner}) d JOIN issues i ON i.issue_key = d.{other} WHERE d.{side} IN (SELECT issue_key FROM temp.k)"
        ),
        _ => format!(
            "WITH v AS ({inner}) SELECT k.issue_key, v.x, w.y FROM temp.k k JOIN v ON v.{side} = k.issue_key JOIN v w ON w.{other} = v.x"
        ),
    }
}
const STATEMENTS: usize = 8;

/// Any of them.
fn statements() -> impl Strategy<Value = String> {
    let table = || prop::sample::select(&["issues", "issues", "temp.a", "temp.b"][..]);
    let column = || prop::sample::select(&["issue_key", "issue_key", "parent_key"][..]);
    let join = prop::sample::select(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"][..]);
    let inner = (table(), table(), join, [column(), column(), column(), column()], 0..PAIRS)
        .prop_map(|(left, right, join, columns, shape)| pairs(left, right, join, columns, shape));
    let side = || prop::sample::select(&["x", "y"][..]);
    (inner, [side(), side()], 0..STATEMENTS).prop_map(|(inner, sides, shape)| statement(&inner, sides, shape))
}

fn sorted(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut lines = Vec::new();
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap());
        let columns: Vec<_> = columns.collect();
        lines.extend((0..batch.num_rows()).map(|row| {
            let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            cells.join(" ")
        }));
    }
    lines.sort();
    lines
}

#[test]
fn what_a_join_binds_late_never_changes_the_rows() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_site, with, without) = runtime.block_on(async {
        let (site, with) = demo("").await;
        let url = with.connection().site().to_string();
        let user = format!("User={};APIToken={}", jsmql::demo::USER, jsmql::demo::TOKEN);
        let without = open(&format!("URL={url};{user};Pushdown=false"));
        for session in [&with, &without] {
            for sql in [
                "CREATE TABLE temp.k AS SELECT issue_key, parent_key FROM issues WHERE parent_key IS NOT NULL ORDER BY 1 LIMIT 3",
                "CREATE TABLE temp.a AS SELECT issue_key, parent_key FROM issues WHERE parent_key IS NOT NULL ORDER BY 1 LIMIT 12",
                "CREATE TABLE temp.b AS SELECT parent_key AS issue_key, issue_key AS parent_key FROM temp.a",
            ] {
                rows(session, sql).await.unwrap();
            }
        }
        (site, with, without)
    });
    let same = |sql: &str| {
        let (narrow, whole) = runtime.block_on(async { (rows(&with, sql).await, rows(&without, sql).await) });
        (sorted(&narrow.unwrap()), sorted(&whole.unwrap()))
    };
    // Children and their parents: both have rows, and both keys have one name.
    let columns = ["issue_key", "issue_key", "issue_key", "parent_key"];
    for (shape, side) in (0..PAIRS).flat_map(|shape| [["x", "y"], ["y", "x"]].map(|side| (shape, side))) {
        let inner = pairs("issues", "issues", "JOIN", columns, shape);
        for sql in (0..STATEMENTS).map(|shape| statement(&inner, side, shape)) {
            let (narrow, whole) = same(&sql);
            assert_eq!(narrow, whole, "{sql}");
        }
    }
    let config = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, seed)
        .run(&statements(), |sql| {
            let (narrow, whole) = same(&sql);
            prop_assert_eq!(narrow, whole, "{}", sql);
            Ok(())
        })
        .unwrap();
}
