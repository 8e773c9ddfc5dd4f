//! Writing, beyond what `.slt` files can say: exactness by property, faults by the thousand, files, and what happens when nobody waits.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use futures::{StreamExt, TryStreamExt};
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};
use jsmql::{Connection, Error, ErrorKind, Session};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

async fn demo(faults: &[&str], requests: usize) -> DemoSite {
    DemoSite::start(DemoOptions {
        requests,
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..DemoOptions::fixed()
    })
    .await
    .unwrap()
}

fn open(site: &DemoSite, options: &str) -> Session {
    let text = format!("URL={};User={USER};APIToken={TOKEN};{options}", site.url());
    Session::open(Connection::parse(&text, std::iter::empty()).unwrap()).unwrap()
}

async fn rows(session: &Session, sql: &str) -> Result<Vec<RecordBatch>, Error> {
    session.sql(sql).await?.try_collect().await
}

/// Every row as texts.
async fn texts(session: &Session, sql: &str) -> Vec<Vec<String>> {
    let batches = rows(session, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut found = Vec::new();
    for batch in &batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cell = |column: &std::sync::Arc<dyn Array>| {
                let column = column.as_string::<i32>();
                if column.is_null(row) {
                    "NULL".to_owned()
                } else {
                    column.value(row).to_owned()
                }
            };
            found.push(columns.iter().map(cell).collect());
        }
    }
    found
}

async fn cell(session: &Session, sql: &str) -> String {
    texts(session, sql).await.remove(0).remove(0)
}

/// Writes that the site was asked.
fn writes(site: &DemoSite) -> usize {
    site.served().iter().filter(|served| served.method != "GET").count()
}

/// How many rows of the last write had each outcome.
async fn outcomes(session: &Session) -> BTreeMap<String, usize> {
    let rows = texts(session, "SELECT outcome, count(*) FROM sys.writes GROUP BY 1").await;
    rows.into_iter()
        .map(|row| (row[0].clone(), row[1].parse().unwrap()))
        .collect()
}

/// A condition over the members of organizations.
fn condition() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        (1..6u8).prop_map(|id| format!("organization_id = '{id}'")),
        (1..6u8, 1..6u8).prop_map(|(a, b)| format!("organization_id IN ('{a}', '{b}')")),
        "[a-z]".prop_map(|letter| format!("lower(display_name) LIKE '%{letter}%'")),
        Just("active".to_owned()),
        Just("NOT active".to_owned()),
        Just("email_address IS NULL".to_owned()),
        Just("time_zone > 'B'".to_owned()),
        Just("false".to_owned()),
        Just("NULL".to_owned()),
        (1..6u8).prop_map(|id| format!("account_id IN (SELECT u.account_id FROM organization_users u WHERE u.organization_id = '{id}')")),
        (1..4u8).prop_map(|id| {
            format!(
                "EXISTS (SELECT 1 FROM service_desk_organizations s WHERE s.service_desk_id = '{id}' AND s.organization_id = organization_users.organization_id)"
            )
        }),
        Just("account_id = (SELECT min(account_id) FROM organization_users)".to_owned()),
        (1..6u8).prop_map(|id| format!("account_id = ANY (SELECT account_id FROM organization_users WHERE organization_id = '{id}')")),
        (1..6u8).prop_map(|id| format!("account_id <> ALL (SELECT account_id FROM organization_users WHERE organization_id = '{id}')")),
    ];
    atom.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

#[test]
fn a_delete_hits_exactly_what_a_select_returns() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    // How often a delete had rows to hit: a test of nothing proves nothing.
    let hits = std::cell::Cell::new(0);
    TestRunner::new(config)
        .run(&condition(), |condition| {
            runtime.block_on(async {
                let site = demo(&[], 20).await;
                let session = open(&site, "");
                let members = "SELECT organization_id, account_id FROM organization_users";
                let select = format!("{members} WHERE {condition}");
                // Some combinations cannot be planned by the engine; then neither may be.
                let Ok(expected) = rows(&session, &select).await else {
                    return Ok(());
                };
                let expected: usize = expected.iter().map(RecordBatch::num_rows).sum();
                let doomed: BTreeSet<Vec<String>> = texts(&session, &select).await.into_iter().collect();
                let before: BTreeSet<Vec<String>> = texts(&session, members).await.into_iter().collect();
                let delete = format!("DELETE FROM organization_users WHERE {condition}");
                let count = match rows(&session, &delete).await {
                    Ok(_) => texts(&session, "SELECT count(*) FROM sys.writes").await[0][0].clone(),
                    Err(error) => {
                        let untouched: BTreeSet<Vec<String>> = texts(&session, members).await.into_iter().collect();
                        prop_assert_eq!(untouched, before, "{} failed: {}", condition, error);
                        return Ok(());
                    }
                };
                let after: BTreeSet<Vec<String>> = texts(&session, members).await.into_iter().collect();
                hits.set(hits.get() + usize::from(expected > 0));
                prop_assert_eq!(count, expected.to_string(), "{}", condition);
                prop_assert_eq!(&before - &doomed, after, "{}", condition);
                Ok(())
            })
        })
        .unwrap();
    assert!(hits.get() >= 10, "only {} of the conditions hit anything", hits.get());
}

/// Inserts `count` organizations under faults; the four counts must equal what the site holds.
async fn faulted(count: usize, faults: &[&str]) {
    let site = demo(faults, 1).await;
    let session = open(&site, "OnRowError=continue;MaxConcurrency=8;Timeout=0");
    let values: Vec<String> = (0..count)
        .map(|number| {
            // Some names are refused by the site, some before anything is sent.
            match number {
                _ if number % 97 == 5 => "('')".to_owned(),
                _ if number % 101 == 7 => "(repeat('x', 201))".to_owned(),
                _ => format!("('org {number}')"),
            }
        })
        .collect();
    let before: usize = cell(&session, "SELECT count(*) FROM organizations").await.parse().unwrap();
    let error = rows(
        &session,
        &format!("INSERT INTO organizations (name) VALUES {}", values.join(", ")),
    )
    .await
    .unwrap_err();
    let outcomes = outcomes(&session).await;
    let of = |name: &str| outcomes.get(name).copied().unwrap_or_default();
    let (applied, failed, unknown, untouched) = (of("applied"), of("failed"), of("unknown"), of("not attempted"));
    assert_eq!(applied + failed + unknown + untouched, count, "{outcomes:?}");
    let said = format!("({applied} applied, {failed} failed, {unknown} unknown, {untouched} not attempted)");
    assert!(error.message().contains(&said), "{error} is not {said}");
    assert!(unknown > 0 && failed > 0 && untouched == 0, "{outcomes:?}");

    // Nothing is there twice, everything applied is there, and the rest of what is there is among the unknown.
    let reader = open(&site, "");
    let names = texts(
        &reader,
        "SELECT name, count(*) FROM organizations WHERE name LIKE 'org %' GROUP BY 1",
    )
    .await;
    assert!(names.iter().all(|row| row[1] == "1"), "a row was written twice");
    let held: usize = cell(&reader, "SELECT count(*) FROM organizations").await.parse().unwrap();
    assert_eq!(held - before, names.len());
    assert!(
        (applied..=applied + unknown).contains(&names.len()),
        "{applied} applied, {} held",
        names.len()
    );
    let lost = site
        .served()
        .iter()
        .filter(|served| served.method == "POST" && served.status == 0)
        .count();
    assert!(lost > 0);
    let keys: BTreeSet<String> = texts(&session, "SELECT key FROM sys.writes WHERE outcome = 'applied'")
        .await
        .into_iter()
        .map(|mut row| row.remove(0))
        .collect();
    assert_eq!(keys.len(), applied, "two rows claim one key");
    let ids = texts(&reader, "SELECT id FROM organizations").await;
    let ids: BTreeSet<String> = ids.into_iter().map(|mut row| row.remove(0)).collect();
    assert!(keys.is_subset(&ids));
}

const FAULTS: &[&str] = &[
    "lost-answer:every=31",
    "503:every=37",
    "429:every=211",
    "reset:every=41",
    "truncate:every=43",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_faulted_inserts_add_up() {
    faulted(1_000, FAULTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_faulted_inserts_add_up() {
    faulted(10_000, FAULTS).await;
}

/// Issues that are created fifty at a time under faults: each row has the outcome and the key that are its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn issues_created_in_bulk_add_up() {
    let faults = ["lost-answer:every=5", "429:every=7", "503:every=4", "truncate:every=11"];
    let site = demo(&faults, 1).await;
    let session = open(&site, "OnRowError=continue;MaxConcurrency=4;Timeout=0");
    let refused = |number: usize| number % 37 == 5;
    let values: Vec<String> = (0..1_000)
        .map(|number| match refused(number) {
            true => "('HR', 'IT help', '')".to_owned(),
            false => format!("('HR', 'IT help', 'issue {number}')"),
        })
        .collect();
    let insert = format!(
        "INSERT INTO issues (project_key, issue_type, summary) VALUES {}",
        values.join(", ")
    );
    let error = rows(&session, &insert).await.unwrap_err();
    let outcomes = outcomes(&session).await;
    let of = |name: &str| outcomes.get(name).copied().unwrap_or_default();
    let (applied, failed, unknown) = (of("applied"), of("failed"), of("unknown"));
    assert_eq!(applied + failed + unknown, 1_000, "{outcomes:?}");
    assert!(applied > 0 && failed > 0 && unknown > 0 && unknown % 50 == 0, "{outcomes:?}");
    let said = format!("({applied} applied, {failed} failed, {unknown} unknown, 0 not attempted)");
    assert!(error.message().contains(&said), "{error} is not {said}");

    let reader = open(&site, "");
    let held = texts(&reader, "SELECT issue_key, summary FROM issues WHERE summary LIKE 'issue %'").await;
    let held: BTreeMap<String, String> = held.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let summaries: BTreeSet<&String> = held.values().collect();
    assert_eq!(summaries.len(), held.len(), "an issue was created twice");
    assert!(
        (applied..=applied + unknown).contains(&held.len()),
        "{applied} applied, {} held",
        held.len()
    );
    for row in texts(&session, "SELECT row - 1, outcome, key FROM sys.writes").await {
        let number: usize = row[0].parse().unwrap();
        match row[1].as_str() {
            "applied" => assert_eq!(
                held.get(&row[2]),
                Some(&format!("issue {number}")),
                "the key is that of another row"
            ),
            // One that the site looked at is blamed for itself, one whose request was refused is not there.
            "failed" => assert!(refused(number) || !summaries.contains(&format!("issue {number}"))),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_is_dropped_leaves_an_account() {
    let site = demo(&["hang:every=3"], 1).await;
    let session = open(&site, "");
    let mut running = session
        .sql("INSERT INTO organizations (name) VALUES ('a'), ('b'), ('c'), ('d'), ('e')")
        .await
        .unwrap();
    assert_eq!(writes(&site), 0, "planning sends nothing");
    // The third write never gets an answer.
    let third = tokio::time::timeout(std::time::Duration::from_secs(5), async {
        loop {
            tokio::select! {
                _ = running.next() => unreachable!("the third row hangs"),
                () = tokio::time::sleep(std::time::Duration::from_millis(5)) => {}
            }
            if outcomes(&session).await.get("unknown") == Some(&1) && outcomes(&session).await.get("applied") == Some(&2) {
                return;
            }
        }
    });
    third.await.unwrap();
    drop(running);
    let expected = [("applied", 2), ("not attempted", 2), ("unknown", 1)];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(outcomes(&session).await, BTreeMap::from(expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planning_runs_nothing_and_rows_run_once() {
    let site = demo(&[], 1).await;
    let session = open(&site, "");
    let call = "CALL create_customer('A', 'a@b.example')";
    for _ in 0..3 {
        drop(session.sql(call).await.unwrap());
        drop(session.sql("INSERT INTO organizations (name) VALUES ('a')").await.unwrap());
        drop(
            session
                .sql("SELECT * FROM create_customer('A', 'a@b.example')")
                .await
                .unwrap(),
        );
    }
    assert_eq!(site.served().len(), 0);
    let rows: Vec<_> = session.sql(call).await.unwrap().try_collect().await.unwrap();
    assert_eq!((rows.len(), writes(&site)), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parents_are_written_to_side_by_side_and_each_in_order() {
    let site = DemoSite::start(DemoOptions {
        requests: 40,
        latency: std::time::Duration::from_millis(20),
        ..DemoOptions::fixed()
    })
    .await
    .unwrap();
    let insert = "INSERT INTO request_comments (issue_key, body) SELECT r.issue_key, v.n FROM requests r CROSS JOIN (VALUES ('1'), ('2'), ('3')) AS v(n) \
                  WHERE r.issue_key LIKE 'HR-%' ORDER BY v.n, r.issue_key";
    let insert = insert.replace(
        "(VALUES ('1'), ('2'), ('3')) AS v(n)",
        "(SELECT id AS n FROM service_desks) v",
    );
    rows(&open(&site, "OnRowError=continue;MaxConcurrency=4"), &insert)
        .await
        .unwrap();
    let served = site.served();
    let posts: Vec<_> = served.iter().filter(|served| served.method == "POST").collect();
    assert_eq!(posts.len(), 36);
    assert!(site.most_at_once() > 1, "parents are written to side by side");
    let mut by_issue: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for post in posts {
        by_issue.entry(&post.address).or_default().push(&post.body);
    }
    let ordered = [r#"{"body":"1"}"#, r#"{"body":"2"}"#, r#"{"body":"3"}"#];
    assert!(by_issue.values().all(|bodies| *bodies == ordered), "{by_issue:?}");
}

/// An attachment goes up from a file and comes down to one, byte by byte the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_up_and_come_down() {
    let folder = tempfile::tempdir().unwrap();
    let site = demo(&[], 20).await;
    let session = open(&site, &format!("AttachmentDir={};MaxUploadSize=3", folder.path().display()));
    // More than one chunk, and bytes that look like the end of a part.
    let mut content: Vec<u8> = (0..2_500_000u32).map(|n| (n * 7 % 251) as u8).collect();
    content.extend_from_slice(b"\r\n--\r\n");
    std::fs::write(folder.path().join("größe.bin"), &content).unwrap();
    std::fs::write(folder.path().join("big.bin"), vec![0; 3 * 1024 * 1024 + 1]).unwrap();
    let attached = texts(
        &session,
        "SELECT id, filename, size FROM add_attachment('ITSM-1', file => 'größe.bin', comment => 'See the file.')",
    )
    .await;
    assert_eq!(attached[0][1..], ["größe.bin".to_owned(), content.len().to_string()]);
    let id = &attached[0][0];
    let call = |arguments: &str| format!("CALL download_attachment('ITSM-1', '{id}'{arguments})");

    let kept = texts(&session, &call(", file => 'copy.bin'")).await.remove(0);
    assert!(
        kept[0].ends_with("copy.bin") && kept[1] == content.len().to_string(),
        "{kept:?}"
    );
    assert_eq!(std::fs::read(folder.path().join("copy.bin")).unwrap(), content);
    // Its own name is taken, since it was uploaded from here.
    let error = rows(&session, &call("")).await.unwrap_err();
    assert!(error.message().contains("exists already"), "{error}");
    std::fs::remove_file(folder.path().join("größe.bin")).unwrap();
    rows(&session, &call("")).await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("größe.bin")).unwrap(), content);

    let before = writes(&site);
    for (sql, fragment) in [
        (call(", file => '../copy.bin'"), "is no name of a file below"),
        (call(", file => '/etc/copy.bin'"), "is no name of a file below"),
        (call(", file => 'copy.bin'"), "exists already"),
        (call(", thumbnail => true"), "no thumbnail"),
        ("CALL download_attachment('ITSM-1', '7')".to_owned(), "does not exist"),
        (
            "CALL add_attachment('ITSM-1', file => 'big.bin')".to_owned(),
            "MaxUploadSize=3 MiB",
        ),
        ("CALL add_attachment('ITSM-1', file => '.')".to_owned(), "is a directory"),
        ("CALL add_attachment('ITSM-1', file => 'none')".to_owned(), "there is no file"),
        ("CALL add_attachment('ITSM-1', file => '/etc/hostname')".to_owned(), "outside"),
        ("CALL attach_temporary_file('1', file => '../../etc/hostname')".to_owned(), ""),
    ] {
        let error = rows(&session, &sql).await.unwrap_err();
        assert!(error.message().contains(fragment), "{sql}: {error}");
        assert!(error.hint_text().is_some(), "{sql}: {error}");
    }
    assert_eq!(writes(&site), before, "what cannot be sent asks nothing of the site");
    let left: BTreeSet<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let expected = ["big.bin", "copy.bin", "größe.bin"].map(str::to_owned);
    assert_eq!(left, BTreeSet::from(expected), "no half files are left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_breaks_off_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let site = demo(&[], 20).await;
    let writer = open(&site, "");
    let call = "SELECT id FROM add_attachment('ITSM-1', content => 'SGVsbG8K', file_name => 'a.txt')";
    let id = cell(&writer, call).await;
    let broken = demo(&["truncate"], 20).await;
    rows(&open(&broken, ""), call).await.unwrap_err();
    let session = open(&broken, &format!("AttachmentDir={}", folder.path().display()));
    let error = rows(&session, &format!("CALL download_attachment('ITSM-1', '{id}')"))
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::NotFound),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_file_is_written_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let site = demo(&[], 20).await;
    let options = format!("SchemaDir={}", folder.path().display());
    let session = open(&site, &options);
    let count = rows(&session, "CALL create_schema('organizations', 'tenants.toml')")
        .await
        .unwrap();
    assert_eq!(count[0].num_rows(), 1);
    assert!(Path::new(&folder.path().join("servicedesk/tenants.toml")).exists());
    for (sql, fragment) in [
        ("CALL create_schema('organizations', 'tenants.toml')", "exists already"),
        (
            "CALL create_schema('organizations', '../tenants.toml')",
            "no name of a schema file",
        ),
        ("CALL create_schema('organizations', 'Tenants')", "no name of a schema file"),
        (
            "CALL create_schema('request_approvals', 'requests.toml')",
            "take the place of the table requests",
        ),
    ] {
        let error = rows(&session, sql).await.unwrap_err();
        assert!(error.message().contains(fragment), "{sql}: {error}");
    }
    let again = open(&site, &options);
    let same = "SELECT count(*) FROM tenants t JOIN organizations o ON o.id = t.id";
    assert_eq!(cell(&again, same).await, "5");
    rows(&again, "INSERT INTO tenants (name) VALUES ('written through the new table')")
        .await
        .unwrap();
}

/// A table whose update takes several operations: each is sent for the columns it sets, in order, and a row half done says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_update_may_be_several_operations() {
    let folder = tempfile::tempdir().unwrap();
    let table = r#"
        doc = "Two notes about an organization."
        read.list = "GET /rest/servicedeskapi/organization"

        [columns]
        id = { type = "text", key = true, doc = "Id." }
        first = { type = "json", write_only = true, doc = "First note." }
        second = { type = "json", write_only = true, doc = "Second note." }

        [[update]]
        call = "PUT /rest/servicedeskapi/organization/{id}/property/first"
        body = { first = "" }

        [[update]]
        call = "PUT /rest/servicedeskapi/organization/{id}/property/second"
        body = { second = "" }
    "#;
    std::fs::write(folder.path().join("notes.toml"), table).unwrap();
    let site = demo(&[], 1).await;
    let session = open(&site, &format!("SchemaDir={}", folder.path().display()));
    let sent = |site: &DemoSite| -> Vec<String> {
        let served = site.served();
        let puts = served.iter().filter(|served| served.method == "PUT");
        puts.map(|put| format!("{} {}", put.address.rsplit('/').next().unwrap(), put.body))
            .collect()
    };
    rows(&session, "UPDATE notes SET second = '2' WHERE id = '1'").await.unwrap();
    assert_eq!(sent(&site), ["second 2"]);
    rows(&session, "UPDATE notes SET second = '3', first = NULL WHERE id = '1'")
        .await
        .unwrap();
    assert_eq!(sent(&site)[1..], ["first null", "second 3"]);
    let half = "UPDATE notes SET first = '4', second = '\"' || repeat('x', 40000) || '\"' WHERE id IN ('1', '2')";
    let error = rows(&session, half).await.unwrap_err();
    assert!(
        error.message().contains("1 of the 2 requests of the row were applied before"),
        "{error}"
    );
    assert!(error.hint_text().unwrap().contains("a part of it is written"), "{error}");
    let outcomes = outcomes(&session).await;
    assert_eq!(
        (outcomes["unknown"], outcomes["not attempted"]),
        (1, 1),
        "half of a row has not failed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_told_whole_beside_max_rows() {
    let site = demo(&[], 30).await;
    let session = open(&site, "MaxRows=1");
    let sql = "INSERT INTO issues (project_key, issue_type, summary) VALUES ('HR', 'IT help', 'a'), ('HR', 'IT help', 'b') RETURNING issue_key";
    assert_eq!(texts(&session, sql).await.len(), 2);
    assert_eq!(outcomes(&session).await, BTreeMap::from([("applied".to_owned(), 2)]));
}

/// The values of parameters come with types of their own: one that does not fit its column is an error, never NULL.
#[tokio::test(flavor = "multi_thread")]
async fn values_of_parameters_are_never_lost() {
    use datafusion::common::ScalarValue;
    use jsmql::Parameters;

    let site = demo(&[], 20).await;
    let session = open(&site, "");
    let text = |text: &str| ScalarValue::from(text);
    for (sql, values, fragment) in [
        (
            "INSERT INTO request_comments (issue_key, body, public) VALUES (?, ?, ?)",
            vec![text("ITSM-1"), text("internal"), text("nein")],
            "public: nein is no boolean",
        ),
        (
            "UPDATE issues SET due_date = ?, summary = ? WHERE issue_key = 'ITSM-1'",
            vec![text("tomorrow"), text("s")],
            "due_date: tomorrow is no date",
        ),
        (
            "INSERT INTO issue_worklogs (issue_key, time_spent_seconds) VALUES (?, ?)",
            vec![text("ITSM-1"), ScalarValue::Float64(Some(60.9))],
            "time_spent_seconds: 60.9 is no bigint",
        ),
        (
            "INSERT INTO request_comments (issue_key, body) VALUES (?, ?)",
            vec![ScalarValue::Null, text("b")],
            "issue_key: a value is required",
        ),
    ] {
        let prepared = session.prepare(sql).await.unwrap();
        let outcome = match prepared.run(Parameters::Positional(values)).await {
            Ok(rows) => rows.try_collect::<Vec<_>>().await.map(|_| ()),
            Err(error) => Err(error),
        };
        let error = outcome.unwrap_err();
        assert!(error.message().contains(fragment), "{sql}: {error}");
    }
    assert_eq!(writes(&site), 0);
    // What fits in another type is taken.
    let sql = "INSERT INTO request_comments (issue_key, body, public) VALUES (?, ?, ?)";
    let values = vec![text("ITSM-1"), text("seen"), text("false")];
    let prepared = session.prepare(sql).await.unwrap();
    let rows = prepared.run(Parameters::Positional(values)).await.unwrap();
    rows.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(site.served().last().unwrap().body, r#"{"body":"seen","public":false}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_value_fails_its_row_alone_where_the_others_go_on() {
    let site = demo(&[], 20).await;
    let session = open(&site, "OnRowError=continue");
    let insert = "INSERT INTO request_comments (issue_key, body, public) \
                  SELECT 'ITSM-1', id, CASE id WHEN '2' THEN 'perhaps' ELSE 'true' END FROM service_desks ORDER BY id";
    let error = rows(&session, insert).await.unwrap_err();
    assert!(
        error
            .message()
            .contains("row 2 of 3: public: perhaps is no boolean (2 applied, 1 failed, 0 unknown, 0 not attempted)"),
        "{error}"
    );
    assert_eq!(writes(&site), 2);
}

/// Statements that write at the same time each account for their own rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_at_the_same_time_count_their_own_rows() {
    let site = demo(&[], 1).await;
    let session = open(&site, "");
    let inserts = (0..4).map(|writer| {
        let values: Vec<String> = (0..10).map(|row| format!("('{writer} {row}')")).collect();
        let values = values.join(", ");
        // The last has a row that the site refuses.
        let more = if writer == 3 { ", ('')" } else { "" };
        format!("INSERT INTO organizations (name) VALUES {values}{more}")
    });
    let inserts: Vec<String> = inserts.collect();
    let outcomes = futures::future::join_all(inserts.iter().map(|insert| rows(&session, insert))).await;
    for outcome in &outcomes[..3] {
        let count = outcome.as_ref().unwrap()[0]
            .column(0)
            .as_primitive::<arrow::datatypes::UInt64Type>()
            .value(0);
        assert_eq!(count, 10);
    }
    let error = outcomes[3].as_ref().unwrap_err();
    assert!(error.message().contains("row 11 of 11"), "{error}");
    let held = cell(
        &session,
        "SELECT count(*) FROM organizations WHERE name LIKE '% %' AND length(name) = 3",
    )
    .await;
    assert_eq!(held, "40");
}

/// Something before the site answers in its place, with success and nothing else: the row is not known to be there.
#[tokio::test(flavor = "multi_thread")]
async fn a_success_without_the_answer_is_unknown() {
    let site = demo(&["204:every=2"], 20).await;
    let session = open(&site, "");
    let error = rows(
        &session,
        "INSERT INTO request_comments (issue_key, body) VALUES ('ITSM-1', 'a'), ('ITSM-1', 'b'), ('ITSM-1', 'c')",
    )
    .await
    .unwrap_err();
    assert!(
        error.message().contains("(1 applied, 0 failed, 1 unknown, 1 not attempted)"),
        "{error}"
    );
}

/// A search can be told of fifty issues: where more were written the statement says what may be missing.
#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_search_can_be_told_is_said() {
    let site = demo(&["stale-search"], 1).await;
    let session = open(&site, "");
    let insert = |count: usize| {
        let values: Vec<String> = (0..count).map(|row| format!("('HR', 'IT help', 'bulk {row}')")).collect();
        format!(
            "INSERT INTO issues (project_key, issue_type, summary) VALUES {}",
            values.join(", ")
        )
    };
    let found = async |session: &Session| {
        let found = session
            .sql("SELECT issue_key FROM issues WHERE summary LIKE 'bulk %'")
            .await
            .unwrap();
        let meter = found.meter();
        let batches: Vec<RecordBatch> = found.try_collect().await.unwrap();
        (batches.iter().map(RecordBatch::num_rows).sum::<usize>(), meter.warnings())
    };
    rows(&session, &insert(50)).await.unwrap();
    assert_eq!(found(&session).await, (50, Vec::new()));
    rows(&session, &insert(10)).await.unwrap();
    let (count, warnings) = found(&session).await;
    assert!(
        count >= 50 && warnings.len() == 1 && warnings[0].contains("more than 50 issues"),
        "{count} {warnings:?}"
    );
}
