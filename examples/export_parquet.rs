//! A table into a Parquet file, batch by batch: `cargo run --example export_parquet -- requests.parquet`

use std::fs::File;

use futures::TryStreamExt;
use jsmql::Session;
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};
use parquet::arrow::ArrowWriter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "requests.parquet".to_owned());
    let site = DemoSite::start(DemoOptions::default()).await?;
    let session = Session::connect(&format!("URL={};User={USER};APIToken={TOKEN}", site.url())).await?;

    let mut rows = session
        .sql("SELECT issue_key, summary, status, created FROM requests")
        .await?;
    // The file gets its name when it is whole: an export that fails leaves none that looks like one.
    let partial = format!("{path}.partial");
    let mut writer = ArrowWriter::try_new(File::create(&partial)?, rows.schema(), None)?;
    while let Some(batch) = rows.try_next().await? {
        writer.write(&batch)?;
    }
    let rows = writer.close()?.file_metadata().num_rows();
    std::fs::rename(&partial, &path)?;
    println!("{rows} rows in {path}");
    Ok(())
}
