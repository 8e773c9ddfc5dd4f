//! The generated pages: `docs/*.md` and `schemas/schema.json` say what the code says, or this test fails.
//!
//! `BLESS=1 cargo test --lib docs` writes them.

use std::fmt::Write as _;
use std::path::Path;

use crate::connection::docs::options_markdown;
use crate::error::KINDS;
use crate::rest::{MARKS, NODES};
use crate::schema::{Catalog, procedures_markdown, schema_json, tables_markdown};
use crate::table::{Delivery, delivery};

#[test]
fn generated_pages_are_current() {
    let catalog = Catalog::load(None).unwrap();
    let tables = tables_markdown(&catalog, |table, column| match delivery(table, column) {
        Delivery::Exact => "`=`, IN".into(),
        Delivery::ExactWith(others) => format!("`=`, IN, with {}", others.join(", ")),
        Delivery::Search(ops, _) if ops.is_empty() => String::new(),
        Delivery::Search(ops, widened) => {
            let ops: Vec<String> = ops.iter().map(|op| format!("`{op}`")).collect();
            format!("{}{}", ops.join(", "), if widened { ", widened" } else { "" })
        }
        Delivery::Local => String::new(),
    });
    let pages = [
        ("docs/tables.md", tables),
        ("docs/procedures.md", procedures_markdown(&catalog)),
        ("docs/options.md", options_markdown()),
        ("docs/errors.md", errors_markdown()),
        #[cfg(feature = "shell")]
        ("docs/types.md", crate::shell::types_markdown()),
        ("docs/documents.md", documents_markdown()),
        ("schemas/schema.json", schema_json()),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut stale = Vec::new();
    for (name, text) in pages {
        let path = root.join(name);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "run `BLESS=1 cargo test --lib docs`: {} are out of date",
        stale.join(", ")
    );
}

/// Every example of the documentation is a statement that works, and has rows to show.
#[cfg(feature = "demo")]
#[tokio::test]
async fn examples_run() {
    use futures::TryStreamExt;

    let site = crate::demo::DemoSite::start(crate::demo::DemoOptions::fixed()).await.unwrap();
    let (user, token) = (crate::demo::USER, crate::demo::TOKEN);
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "URL={};User={user};APIToken={token};AttachmentDir={}",
        site.url(),
        folder.path().display()
    );
    let session = crate::Session::open(crate::Connection::parse(&text, std::iter::empty()).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let catalog = Catalog::load(None).unwrap();
    let tables = catalog.tables().iter().map(|table| (&table.name, &table.examples));
    // What asks an authorization server is run by `tests/sign_in.rs`, which has one.
    let procedures = catalog.procedures().iter();
    let procedures = procedures.filter(|procedure| !matches!(procedure.action, crate::schema::Action::OAuth(_)));
    for (name, examples) in tables.chain(procedures.map(|procedure| (&procedure.name, &procedure.examples))) {
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples {
            let rows = async { session.sql(&example.sql).await?.try_collect::<Vec<_>>().await };
            match rows.await {
                // A write answers how many rows it wrote: an example writes some.
                Ok(batches) if batches.iter().any(|batch| batch.num_rows() > 0 && written(batch) != Some(0)) => {}
                Ok(_) => wrong.push(format!("{name}: no rows: {}", example.sql)),
                Err(error) => wrong.push(format!("{name}: {error}: {}", example.sql)),
            }
        }
    }
    for table in catalog.tables() {
        for (word, writes) in [
            ("INSERT", table.insert.is_some()),
            ("UPDATE", !table.updates.is_empty()),
            ("DELETE", table.delete.is_some()),
        ] {
            if writes && !table.examples.iter().any(|example| example.sql.starts_with(word)) {
                wrong.push(format!("{}: no example of {word}", table.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The answer of a write.
#[cfg(feature = "demo")]
fn written(batch: &arrow::array::RecordBatch) -> Option<u64> {
    use arrow::array::AsArray;

    let count = batch.column_by_name("count")?;
    let count = count.as_primitive_opt::<arrow::datatypes::UInt64Type>()?;
    Some(count.value(0))
}

fn errors_markdown() -> String {
    let mut text = String::from(
        "# Errors\n\nGenerated from `src/error.rs`; do not edit. Every error is one line, with the table, the request and the HTTP status where \
         there is one, and a `hint:` that says what to do next. *Exit* is the exit status of the command line.\n\n\
         | kind | SQLSTATE | ADBC | gRPC | exit | meaning |\n|---|---|---|---|---|---|\n",
    );
    for row in KINDS {
        let _ = writeln!(
            text,
            "| {} | `{}` | `{}` | `{}` | {} | {} |",
            row.name, row.sqlstate, row.adbc, row.grpc, row.exit, row.doc
        );
    }
    text
}

fn documents_markdown() -> String {
    let mut text = String::from(
        "# Documents\n\nGenerated from `src/rest/adf/node.rs`; do not edit. Descriptions, comments and other rich text are documents in the Atlassian \
         Document Format (ADF). Columns such as `description` hold their text, columns such as `description_adf` the document itself, \
         `adf_to_markdown(description_adf)` gives Markdown, and `markdown_to_adf('…')` makes a document of Markdown to be written.\n\n\
         ```sql\nSELECT issue_key, adf_to_markdown(description_adf) FROM issues WHERE project_key = 'ITSM' LIMIT 10;\n\
         UPDATE issues SET description_adf = markdown_to_adf('# Plan\n\n- [ ] **first**') WHERE issue_key = 'ITSM-1';\n```\n\n\
         Nothing that somebody wrote is lost on the way. A node that nobody has heard of gives what is inside of it; one that cannot be shown \
         is counted in a warning, and is a comment in Markdown. A text that is written becomes a paragraph for each line; control characters \
         are refused.\n\n## Nodes\n\n| node | as text | as Markdown |\n|---|---|---|\n",
    );
    for row in NODES {
        let _ = writeln!(text, "| `{}` | {} | {} |", row.name, row.text, row.markdown);
    }
    text.push_str("\n## Marks\n\n| mark | in text | in Markdown |\n|---|---|---|\n");
    for (name, plain, markdown) in MARKS {
        let _ = writeln!(text, "| `{name}` | {plain} | {markdown} |");
    }
    text
}
