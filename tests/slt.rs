//! The suite of `.slt` files on the demo site: rows, EXPLAIN and requests together.
//!
//! Every file runs with a session and a demo site of its own. The whole suite runs again under other circumstances (no pushdown, tiny
//! pages, other concurrency, faults): then the rows must be the same, while the requests and plans may differ. Where requests are
//! compared they are sent one at a time: what is asked for in advance depends on chance.
//!
//! `SLT=name` runs only the files whose path has that text. `BLESS=1 cargo test --test slt` writes what was answered into the files; read the diff.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use futures::TryStreamExt;
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};
use jsmql::{Connection, Error, Session};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Record, Runner};

struct Database {
    session: Session,
    /// Root of the site, which has another port each time.
    url: String,
    site: Arc<DemoSite>,
    /// Requests of the site that were listed already.
    listed: Arc<AtomicUsize>,
}

impl Database {
    /// `served` is no SQL: it lists the writes that the site was asked since it was last said, with their bodies. `served, searches too`
    /// lists also what reads by POST.
    fn served(&self, searches: bool) -> DBOutput<DefaultColumnType> {
        let all = self.site.served();
        let seen = self.listed.swap(all.len(), Relaxed);
        let rows: Vec<Vec<String>> = all[seen..]
            .iter()
            .filter(|served| served.method != "GET")
            .filter(|served| searches || !(served.address.ends_with("/search/jql") || served.address.ends_with("/bulkfetch")))
            .map(|served| {
                let address = served.address.trim_start_matches("/rest/servicedeskapi/");
                vec![
                    format!("{} {address}", served.method),
                    served.status.to_string(),
                    cell(&served.body),
                ]
            })
            .collect();
        DBOutput::Rows {
            types: vec![DefaultColumnType::Text; 3],
            rows,
        }
    }
}

#[async_trait]
impl AsyncDB for Database {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        if sql.starts_with("served") {
            return Ok(self.served(sql != "served"));
        }
        let rows = self.session.sql(sql).await.map_err(Failure)?;
        let schema = rows.schema();
        let batches: Vec<RecordBatch> = rows.try_collect().await.map_err(Failure)?;
        let options = |column: &ArrayRef| {
            let moment = match column.data_type() {
                DataType::Timestamp(_, Some(zone)) if zone.as_ref() != "UTC" => "%Y-%m-%dT%H:%M:%S%.3f%:z",
                _ => "%Y-%m-%dT%H:%M:%S%.3fZ",
            };
            FormatOptions::default()
                .with_null("NULL")
                .with_timestamp_tz_format(Some(moment))
        };
        let mut cells = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options(column)).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                cells.push(
                    columns
                        .iter()
                        .map(|column| cell(&column.value(row).to_string().replace(&self.url, "http://demo")))
                        .collect::<Vec<_>>(),
                );
            }
        }
        // The lines of a plan are rows of their own: a cell is one line.
        if schema.fields().iter().any(|field| field.name() == "plan_type") {
            cells = plan_lines(&batches);
        }
        Ok(DBOutput::Rows {
            types: vec![DefaultColumnType::Text; cells.first().map_or(schema.fields().len(), Vec::len)],
            rows: cells,
        })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "jsmql"
    }
}

fn cell(text: &str) -> String {
    if text.is_empty() {
        "(empty)".into()
    } else {
        text.replace('\n', "\\n").replace('\t', "\\t")
    }
}

/// The physical plan of an EXPLAIN, one row per line, indentation as dots.
fn plan_lines(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let options = FormatOptions::default();
    let mut lines = Vec::new();
    for batch in batches {
        let kind = ArrayFormatter::try_new(batch.column(0), &options).unwrap();
        let plan = ArrayFormatter::try_new(batch.column(1), &options).unwrap();
        for row in 0..batch.num_rows() {
            if kind.value(row).to_string() == "physical_plan" {
                for line in plan.value(row).to_string().lines() {
                    let depth = (line.len() - line.trim_start().len()) / 2;
                    lines.push(vec![format!("{}{}", "..".repeat(depth), line.trim())]);
                }
            }
        }
    }
    lines
}

/// An error as the files assert it: the line and its hint.
#[derive(Debug)]
struct Failure(Error);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        match self.0.hint_text() {
            Some(hint) => write!(f, " hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Circumstances of a run.
struct Circumstances {
    /// More options of the connection.
    options: &'static str,
    faults: &'static [&'static str],
    /// Whether plans and requests are compared as well.
    strict: bool,
}

async fn suite(circumstances: Circumstances) {
    let mut files = Vec::new();
    walk(Path::new("tests/slt"), &mut files);
    files.sort();
    assert!(!files.is_empty(), "there are no .slt files");
    let only = std::env::var("SLT").unwrap_or_default();
    let mut failures = Vec::new();
    for file in files.iter().filter(|file| file.to_string_lossy().contains(&only)) {
        if let Err(failure) = run(file, &circumstances).await {
            failures.push(format!("{}: {failure}", file.display()));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} files failed:\n{}",
        failures.len(),
        files.len(),
        failures.join("\n\n")
    );
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            files.push(path);
        }
    }
}

async fn run(file: &Path, circumstances: &Circumstances) -> Result<(), String> {
    let text = std::fs::read_to_string(file).unwrap();
    for header in ["# name:", "# description:"] {
        if !text.lines().any(|line| line.starts_with(header)) {
            return Err(format!("the header `{header}` is missing"));
        }
    }
    // Files about faults and options bring their own circumstances, and mean only those.
    let own = |word: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(word))
            .map(str::trim)
            .unwrap_or_default()
            .to_owned()
    };
    let (own_options, own_faults) = (own("# options:"), own("# faults:"));
    let special = !own_options.is_empty() || !own_faults.is_empty();
    if special && !circumstances.strict {
        return Ok(());
    }
    // A write that met a fault is not sent again: what then becomes of it is for files that bring their own faults.
    if text.lines().any(|line| line.starts_with("# writes:")) && !circumstances.faults.is_empty() {
        return Ok(());
    }
    let faults = circumstances.faults.iter().map(|fault| (*fault).to_owned());
    let faults = faults.chain(
        own_faults
            .split(',')
            .map(|fault| fault.trim().to_owned())
            .filter(|fault| !fault.is_empty()),
    );
    let site = DemoSite::start(DemoOptions {
        requests: own("# requests:").parse().unwrap_or(DemoOptions::fixed().requests),
        faults: faults.map(|fault| fault.parse().unwrap()).collect(),
        ..DemoOptions::fixed()
    })
    .await
    .unwrap();
    let (site, listed) = (Arc::new(site), Arc::new(AtomicUsize::new(0)));
    let connection = format!(
        "URL={};User={USER};APIToken={TOKEN};{};{own_options}",
        site.url(),
        circumstances.options
    );
    let connect = || {
        // The environment of whoever runs the tests says nothing here.
        let session = Connection::parse(&connection, std::iter::empty())
            .and_then(Session::open)
            .map_err(Failure);
        let (site, listed) = (site.clone(), listed.clone());
        async move {
            session.map(|session| Database {
                session,
                url: site.url().to_owned(),
                site,
                listed,
            })
        }
    };
    let mut runner = Runner::new(connect);
    if std::env::var_os("BLESS").is_some() && circumstances.strict {
        return runner
            .update_test_file(
                file,
                " ",
                sqllogictest::default_validator,
                sqllogictest::default_normalizer,
                sqllogictest::default_column_validator,
            )
            .await
            .map_err(|error| error.to_string());
    }
    let records: Vec<Record<DefaultColumnType>> = sqllogictest::parse_file(file).map_err(|error| error.to_string())?;
    for record in records {
        let strict_only = match &record {
            Record::Query { sql, .. } | Record::Statement { sql, .. } => {
                let sql = sql.to_ascii_lowercase();
                sql.starts_with("served") || sql.starts_with("explain") || sql.contains("sys.requests")
            }
            _ => false,
        };
        if circumstances.strict || !strict_only {
            tokio::time::timeout(Duration::from_secs(120), runner.run_async(record))
                .await
                .map_err(|_| "a statement hangs".to_owned())?
                .map_err(|error| error.display(false).to_string())?;
        }
    }
    Ok(())
}

macro_rules! suites {
    ($($name:ident: $options:literal $faults:expr, $strict:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            suite(Circumstances { options: $options, faults: &$faults, strict: $strict }).await;
        }
    )*};
}

suites! {
    as_written:            "MaxConcurrency=1" [], true;
    eight_at_a_time:       "" [], false;
    without_pushdown:      "Pushdown=off" [], false;
    one_row_a_page:        "Pagesize=1" [], false;
    seven_rows_a_page:     "Pagesize=7;MaxConcurrency=3" [], false;
    with_429:              "" ["429:every=97"], false;
    with_503:              "" ["503:every=5"], false;
    with_502_html:         "" ["502-html:every=5"], false;
    with_reset:            "" ["reset:every=5"], false;
    with_truncated_bodies: "" ["truncate:every=5"], false;
    with_truncated_gzip:   "" ["truncate-gzip:every=5"], false;
    with_short_pages:      "" ["short-pages"], false;
    without_links:         "" ["no-links"], false;
    with_empty_pages:      "" ["empty-page"], false;
}
