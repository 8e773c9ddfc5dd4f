//! Rows, parameters and a scratch table, on the demo site: `cargo run --example quickstart`

use arrow::util::pretty::print_batches;
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};
use jsmql::{Parameters, Session};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = DemoSite::start(DemoOptions::default()).await?;
    let session = Session::connect(&format!("URL={};User={USER};APIToken={TOKEN}", site.url())).await?;

    let rows = session
        .sql("SELECT issue_key, summary, status FROM requests ORDER BY created DESC LIMIT 3")
        .await?;
    print_batches(&rows.try_collect::<Vec<_>>().await?)?;

    // A statement with a parameter is planned once and run with any value.
    let comments = session
        .prepare("SELECT author_display_name, body FROM request_comments WHERE issue_key = ?")
        .await?;
    for key in ["ITSM-1", "HR-2"] {
        let rows = comments.run(Parameters::Positional(vec![ScalarValue::from(key)])).await?;
        // What it has cost is known while it runs and afterwards.
        let meter = rows.meter();
        let batches: Vec<_> = rows.try_collect().await?;
        let count: usize = batches.iter().map(|batch| batch.num_rows()).sum();
        println!("{key}: {count} comments, {} requests", meter.progress().requests);
    }

    // The schema `temp` is this session's own.
    let made = session
        .sql("CREATE TABLE temp.open AS SELECT issue_key, status FROM requests WHERE status <> 'Resolved'")
        .await?;
    made.try_collect::<Vec<_>>().await?;
    let rows = session
        .sql("SELECT status, count(*) AS requests FROM temp.open GROUP BY status ORDER BY status")
        .await?;
    print_batches(&rows.try_collect::<Vec<_>>().await?)?;
    Ok(())
}
