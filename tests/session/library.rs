//! What an embedding program uses: parameters, prepared statements, ingestion, a context of its own.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::common::ScalarValue;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use jsmql::{Error, ErrorKind, Ingest, IngestMode, Parameters, Prepared, Session};

use super::{cell, demo, rows};

async fn run(prepared: &Prepared, parameters: Parameters) -> Result<Vec<RecordBatch>, Error> {
    prepared.run(parameters).await?.try_collect().await
}

fn count(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

fn texts(batches: &[RecordBatch]) -> Vec<String> {
    let column = |batch: &RecordBatch| {
        let column = arrow::compute::cast(batch.column(0), &DataType::Utf8).unwrap();
        column
            .as_string::<i32>()
            .iter()
            .map(|value| value.unwrap_or("NULL").to_owned())
            .collect::<Vec<_>>()
    };
    batches.iter().flat_map(column).collect()
}

fn positional(values: impl IntoIterator<Item = &'static str>) -> Parameters {
    Parameters::Positional(values.into_iter().map(ScalarValue::from).collect())
}

/// Paths of the requests since the last look, with their queries.
fn sent(site: &jsmql::demo::DemoSite, from: usize) -> Vec<String> {
    site.served()[from..].iter().map(|served| served.address.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_parameters_are_pushed_down_as_constants_are() {
    let (site, session) = demo("MaxConcurrency=1").await;
    let literal = texts(
        &rows(
            &session,
            "SELECT issue_key FROM requests WHERE issue_key IN ('ITSM-1', 'HR-2') ORDER BY 1",
        )
        .await
        .unwrap(),
    );
    assert_eq!(literal, ["HR-2", "ITSM-1"]);
    let before = site.served().len();
    let prepared = session
        .prepare("SELECT issue_key FROM requests WHERE issue_key IN (?, ?) ORDER BY 1")
        .await
        .unwrap();
    assert_eq!(site.served().len(), before, "preparing sends nothing");
    assert!(!prepared.has_effects());
    let parameters = prepared.parameters();
    assert_eq!(parameters.field(0).name(), "1");
    assert_eq!(parameters.field(1).data_type(), &DataType::Utf8);
    assert_eq!(texts(&run(&prepared, positional(["ITSM-1", "HR-2"])).await.unwrap()), literal);
    let gets = sent(&site, before);
    assert_eq!(gets.len(), 2, "{gets:?}");
    assert!(gets.iter().all(|get| get.contains("/request/")), "{gets:?}");
    assert_eq!(texts(&run(&prepared, positional(["HR-2", "NO-1"])).await.unwrap()), ["HR-2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_spellings_of_parameters_mean_the_same() {
    let (_site, session) = demo("").await;
    let mut answers = Vec::new();
    for (sql, parameters) in [
        (
            "SELECT issue_key FROM requests WHERE service_desk_id = ? ORDER BY issue_key LIMIT ?",
            None,
        ),
        (
            "SELECT issue_key FROM requests WHERE service_desk_id = $1 ORDER BY issue_key LIMIT $2",
            None,
        ),
        (
            "SELECT issue_key FROM requests WHERE service_desk_id = $desk ORDER BY issue_key LIMIT $most",
            Some(HashMap::from([
                ("most".to_owned(), ScalarValue::from(3_i64)),
                ("desk".to_owned(), ScalarValue::from("2")),
            ])),
        ),
    ] {
        let prepared = session.prepare(sql).await.unwrap();
        let parameters = match parameters {
            Some(named) => Parameters::Named(named),
            None => Parameters::Positional(vec![ScalarValue::from("2"), ScalarValue::from(3_i64)]),
        };
        answers.push(texts(&run(&prepared, parameters).await.unwrap()));
    }
    assert_eq!(answers[0].len(), 3);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_do_not_fit_are_refused_before_anything_is_sent() {
    let (site, session) = demo("").await;
    let prepared = session
        .prepare("SELECT issue_key FROM requests WHERE issue_key = $key")
        .await
        .unwrap();
    let named = |name: &str| Parameters::Named(HashMap::from([(name.to_owned(), ScalarValue::from("HR-1"))]));
    let before = site.served().len();
    for (parameters, says) in [
        (Parameters::None, "1 parameters and no value"),
        (positional(["a", "b"]), "1 parameters, not 2"),
        (named("keys"), "no value was given for the parameter key"),
    ] {
        let error = run(&prepared, parameters).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("key")), "{error:?}");
    }
    assert_eq!(site.served().len(), before);
    assert_eq!(
        count(&run(&prepared, positional(["HR-1"])).await.unwrap()),
        1,
        "a position serves where names are written"
    );
    let error = session.sql("SELECT ?").await.unwrap_err();
    assert!(error.to_string().contains("no values"), "{error}");
    for sql in ["SELECT ?, $1", "SELECT $1, $name"] {
        assert!(session.prepare(sql).await.unwrap_err().to_string().contains("several ways"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_write_runs_as_often_as_it_is_run() {
    let (site, session) = demo("").await;
    let before = site.served().len();
    let insert = "INSERT INTO request_comments (issue_key, body, public) VALUES (?, ?, true)";
    let prepared = session.prepare(insert).await.unwrap();
    assert!(prepared.has_effects());
    assert_eq!(prepared.schema().field(0).name(), "count");
    assert_eq!(site.served().len(), before);
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(vec![
            Field::new("a", DataType::Utf8, true),
            Field::new("b", DataType::Utf8, true),
        ])),
        vec![
            Arc::new(StringArray::from(vec!["HR-1", "HR-1", "HR-2"])),
            Arc::new(StringArray::from(vec!["one", "two's \"?\"", "three"])),
        ],
    )
    .unwrap();
    for row in 0..batch.num_rows() {
        run(&prepared, Parameters::from_row(&batch, row).unwrap()).await.unwrap();
    }
    assert!(Parameters::from_row(&batch, 3).is_err());
    let posts = site.served()[before..]
        .iter()
        .filter(|served| served.method == "POST")
        .count();
    assert_eq!(posts, 3);
    let sql =
        "SELECT body FROM request_comments WHERE issue_key = 'HR-1' AND body IN ('one', 'two''s \"?\"', 'three') ORDER BY body";
    assert_eq!(texts(&rows(&session, sql).await.unwrap()), ["one", "two's \"?\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn procedures_take_parameters_and_run_once() {
    let (site, session) = demo("").await;
    let before = site.served().len();
    let call = session
        .prepare("CALL create_customer(email => $1, display_name => $2)")
        .await
        .unwrap();
    assert!(call.has_effects());
    assert_eq!(site.served().len(), before, "preparing a call does not call");
    run(&call, positional(["new@acme.example", "New One"])).await.unwrap();
    let writes = site.served()[before..].iter().filter(|served| served.method != "GET").count();
    assert_eq!(writes, 1);
}

fn numbers(values: &[i64]) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("issue_key", DataType::Utf8, true),
    ]));
    let keys: StringArray = values.iter().map(|value| Some(format!("HR-{value}"))).collect();
    RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(values.to_vec())), Arc::new(keys)]).unwrap()
}

fn stream(batches: Vec<RecordBatch>) -> SendableRecordBatchStream {
    let schema = batches[0].schema();
    Box::pin(RecordBatchStreamAdapter::new(
        schema,
        futures::stream::iter(batches.into_iter().map(Ok)),
    ))
}

async fn ingest(
    session: &Session,
    table: &str,
    schema: Option<&str>,
    mode: IngestMode,
    batches: Vec<RecordBatch>,
) -> Result<u64, Error> {
    let target = Ingest {
        table: table.to_owned(),
        schema: schema.map(str::to_owned),
        mode,
    };
    session.ingest(target, stream(batches)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_ingested_into_the_scratch_schema_and_joined() {
    let (_site, session) = demo("").await;
    let two = || vec![numbers(&[1, 2]), numbers(&[3])];
    assert_eq!(
        ingest(&session, "keys", None, IngestMode::Append, two())
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::NotFound
    );
    assert_eq!(ingest(&session, "keys", None, IngestMode::Create, two()).await.unwrap(), 3);
    assert_eq!(
        ingest(&session, "keys", Some("temp"), IngestMode::Create, two())
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Conflict
    );
    // Matched by name, in another order.
    let turned = numbers(&[4]).project(&[1, 0]).unwrap();
    assert_eq!(
        ingest(&session, "keys", None, IngestMode::Append, vec![turned])
            .await
            .unwrap(),
        1
    );
    let joined = "SELECT r.issue_key FROM requests r JOIN keys k ON k.issue_key = r.issue_key WHERE k.n > 1 ORDER BY k.n";
    assert_eq!(texts(&rows(&session, joined).await.unwrap()), ["HR-2", "HR-3", "HR-4"]);
    assert_eq!(
        ingest(&session, "keys", None, IngestMode::Replace, vec![numbers(&[9])])
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        ingest(&session, "keys", None, IngestMode::CreateAppend, vec![numbers(&[10])])
            .await
            .unwrap(),
        1
    );
    let all = rows(&session, "SELECT n FROM temp.keys ORDER BY n").await.unwrap();
    assert_eq!(all[0].column(0).as_primitive::<Int64Type>().values(), &[9, 10]);
    let left = cell(
        &session,
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'temp'",
    )
    .await
    .unwrap();
    assert_eq!(left, "1", "the name that the rows had meanwhile is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_ingested_into_a_table_of_the_site() {
    let (site, session) = demo("").await;
    let batch = |body: &str| {
        let fields = ["issue_key", "body"].map(|name| Field::new(name, DataType::Utf8, true));
        let columns: [Arc<dyn Array>; 2] = [
            Arc::new(StringArray::from(vec!["HR-1"])),
            Arc::new(StringArray::from(vec![body])),
        ];
        RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), columns.to_vec()).unwrap()
    };
    let before = site.served().len();
    for mode in [IngestMode::Create, IngestMode::Replace] {
        let error = ingest(&session, "request_comments", None, mode, vec![batch("no")])
            .await
            .unwrap_err();
        assert!(error.to_string().contains("table of the site"), "{error}");
    }
    assert_eq!(site.served().len(), before);
    let count = ingest(
        &session,
        "request_comments",
        None,
        IngestMode::Append,
        vec![batch("a"), batch("b")],
    )
    .await
    .unwrap();
    assert_eq!(count, 2);
    let posts = site.served()[before..]
        .iter()
        .filter(|served| served.method == "POST")
        .count();
    assert_eq!(posts, 2);
    let error = ingest(&session, "request_comments", None, IngestMode::Append, vec![numbers(&[1])])
        .await
        .unwrap_err();
    assert!(error.to_string().contains('n'), "{error}");
    assert_eq!(
        site.served()[before..]
            .iter()
            .filter(|served| served.method == "POST")
            .count(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_context_reads_the_site_and_cannot_write() {
    let (site, session) = demo("").await;
    // The defaults of an embedding program: several partitions, all dynamic filters.
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(4));
    session.install(&context).unwrap();
    session.install_as(&context, "hr").unwrap();
    assert!(session.install(&context).unwrap_err().to_string().contains("already"));
    let collect = async |sql: &str| context.sql(sql).await?.collect().await;
    let own = rows(&session, "SELECT issue_key FROM requests ORDER BY issue_key DESC LIMIT 5")
        .await
        .unwrap();
    let there = collect("SELECT issue_key FROM jsm.public.requests ORDER BY issue_key DESC LIMIT 5")
        .await
        .unwrap();
    assert_eq!(texts(&own), texts(&there));
    let joined = collect(
        "SELECT c.body FROM jsm.public.requests r JOIN hr.public.request_comments c ON c.issue_key = r.issue_key WHERE r.issue_key = 'HR-1'",
    )
    .await
    .unwrap();
    assert_eq!(
        count(&joined),
        count(
            &rows(&session, "SELECT body FROM request_comments WHERE issue_key = 'HR-1'")
                .await
                .unwrap()
        )
    );
    let before = site.served().len();
    for sql in [
        "DELETE FROM jsm.public.organizations WHERE organization_id = '1'",
        "INSERT INTO jsm.public.organizations (name) VALUES ('x')",
    ] {
        assert!(collect(sql).await.is_err(), "{sql}");
    }
    assert_eq!(site.served().len(), before);
    let (_other, capped) = demo("MaxRows=5").await;
    assert!(
        capped
            .install(&SessionContext::new())
            .unwrap_err()
            .to_string()
            .contains("MaxRows")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installed_context_has_every_rule_that_a_session_has() {
    let (_site, session) = demo("").await;
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let id = context.session_id();
    session.install(&context).unwrap();
    session.install_as(&context, "again").unwrap();
    assert_eq!(context.session_id(), id);
    let asked = async |sql: &str| texts(&context.sql(sql).await.unwrap().collect().await.unwrap());
    // Each of these the engine gets wrong by itself.
    for (sql, answer) in [
        (
            "SELECT coalesce(b.project_key, a.k) FROM (VALUES ('1'), ('2'), ('3')) a(k) LEFT JOIN (SELECT id, project_key \
             FROM jsm.public.service_desks WHERE project_key = 'ITSM') b ON a.k = b.id ORDER BY b.project_key NULLS FIRST, a.k DESC LIMIT 1",
            vec!["3"],
        ),
        (
            "SELECT (SELECT id FROM jsm.public.service_desks WHERE id = '77') IS NULL",
            vec!["true"],
        ),
        ("VALUES ((SELECT max(id) FROM jsm.public.service_desks))", vec!["3"]),
        (
            "SELECT x.parent FROM (VALUES ('FAC-4')) k(issue_key) JOIN (SELECT p.issue_key AS parent, c.issue_key AS child \
             FROM jsm.public.issues p JOIN jsm.public.issues c ON c.parent_key = p.issue_key GROUP BY p.issue_key, c.issue_key) x \
             ON x.child = k.issue_key",
            vec!["HR-7"],
        ),
    ] {
        assert_eq!(asked(sql).await, answer, "{sql}");
    }
    let bare = datafusion::execution::SessionStateBuilder::new_with_default_features()
        .with_physical_optimizer_rules(Vec::new())
        .build();
    let error = session
        .install(&SessionContext::new_with_state(bare))
        .unwrap_err()
        .to_string();
    assert!(error.contains("has no rule EnsureRequirements"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_was_prepared_before_a_change_is_not_answered_from_before() {
    let (_site, session) = demo("").await;
    rows(&session, "CREATE TABLE temp.x AS SELECT 1 AS a").await.unwrap();
    rows(&session, "PREPARE p AS SELECT a FROM temp.x").await.unwrap();
    let prepared = session.prepare("SELECT a FROM temp.x").await.unwrap();
    rows(&session, "CREATE OR REPLACE TABLE temp.x AS SELECT 2 AS a")
        .await
        .unwrap();
    assert_eq!(texts(&run(&prepared, Parameters::None).await.unwrap()), ["2"]);
    assert_eq!(texts(&rows(&session, "EXECUTE p").await.unwrap()), ["2"]);
    rows(&session, "CREATE OR REPLACE TABLE temp.x AS SELECT 'two' AS b")
        .await
        .unwrap();
    assert!(run(&prepared, Parameters::None).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_and_settings_are_prepared_and_give_no_rows() {
    let (_site, session) = demo("").await;
    for sql in [
        "CREATE TABLE temp.made AS SELECT 1 AS a",
        "CREATE VIEW temp.seen AS SELECT a FROM temp.made",
        "DROP VIEW temp.seen",
        "DROP TABLE temp.made",
        "SET datafusion.execution.batch_size = 4096",
        "PREPARE p AS SELECT 1 AS a",
    ] {
        let prepared = session.prepare(sql).await.unwrap();
        assert!(prepared.has_effects() && prepared.schema().fields().is_empty(), "{sql}");
        assert_eq!(count(&run(&prepared, Parameters::None).await.unwrap()), 0, "{sql}");
    }
    let executed = session.prepare("EXECUTE p").await.unwrap();
    assert_eq!(texts(&run(&executed, Parameters::None).await.unwrap()), ["1"]);
    run(
        &session
            .prepare("PREPARE q AS SELECT CAST($1 AS BIGINT) + 1 AS a")
            .await
            .unwrap(),
        Parameters::None,
    )
    .await
    .unwrap();
    let given = session.prepare("EXECUTE q($1)").await.unwrap();
    let values = Parameters::Positional(vec![ScalarValue::from(41_i64)]);
    assert_eq!(texts(&run(&given, values).await.unwrap()), ["42"]);
}
