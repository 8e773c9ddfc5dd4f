//! The tables of a site in a DataFusion context of one's own, joined with a table that is there already: `cargo run --example own_context`

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::prelude::SessionContext;
use jsmql::Session;
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = DemoSite::start(DemoOptions::default()).await?;
    let session = Session::connect(&format!("URL={};User={USER};APIToken={TOKEN}", site.url())).await?;

    let context = SessionContext::new();
    let columns = ["issue_key", "owner"].map(|name| Field::new(name, DataType::Utf8, false));
    let owners = RecordBatch::try_new(
        Arc::new(Schema::new(columns.to_vec())),
        vec![
            Arc::new(StringArray::from(vec!["ITSM-1", "HR-2", "FAC-3"])),
            Arc::new(StringArray::from(vec!["Ann", "Bob", "Cy"])),
        ],
    )?;
    context.register_batch("owners", owners)?;

    session.install(&context)?;
    let joined = context
        .sql(
            "SELECT o.owner, r.issue_key, r.summary FROM owners o \
             JOIN jsm.public.requests r ON r.issue_key = o.issue_key ORDER BY o.owner",
        )
        .await?;
    joined.show().await?;
    // Three keys were asked for, not the whole list.
    println!("{} requests", session.requests().len());
    Ok(())
}
