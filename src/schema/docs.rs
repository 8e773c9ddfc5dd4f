//! `docs/tables.md`, generated from the catalog, and `schemas/schema.json`, from the vocabulary.

use std::fmt::Write as _;

use super::file::{ApiFile, TableFile};
use super::{Catalog, Table};

/// The reference of all tables.
pub(crate) fn tables_markdown(catalog: &Catalog, pushdown: impl Fn(&Table, usize) -> String) -> String {
    let mut text = String::from(
        "# Tables\n\nGenerated from the schema files; do not edit. Columns in **bold** are the key. *Pushdown* says which predicates the site itself \
         answers; every other predicate is evaluated after reading. An *input* column is filter-only: it is sent to the site when bound by `=` or \
         IN, and echoed in the rows.\n\n",
    );
    for table in catalog.tables() {
        let _ = writeln!(text, "- [{0}](#{0})", table.name);
    }
    for table in catalog.tables() {
        section(&mut text, table, &pushdown);
    }
    text
}

fn section(text: &mut String, table: &Table, pushdown: &impl Fn(&Table, usize) -> String) {
    let _ = writeln!(text, "\n## {}\n\n{}\n", table.name, table.doc);
    for endpoint in &table.lists {
        let _ = writeln!(text, "- list: `GET {}`", endpoint.template);
    }
    for endpoint in &table.gets {
        let _ = writeln!(text, "- get: `GET {}`", endpoint.template);
    }
    if let (Some(embed), Some(parent)) = (&table.embed, &table.parent) {
        let _ = writeln!(
            text,
            "- embedded in [{0}](#{0}) by `expand={1}`",
            parent.table.name, embed.expand
        );
    }
    text.push_str("\n| column | type | pushdown | description |\n|---|---|---|---|\n");
    for (index, column) in table.columns.iter().enumerate() {
        let name = if column.key {
            format!("**{}**", column.name)
        } else {
            column.name.clone()
        };
        let mut doc = column.doc.replace('|', "\\|");
        if column.input {
            doc.push_str(if column.required { " *Required input.*" } else { " *Input.*" });
        }
        if let Some((table, other)) = &column.references {
            let _ = write!(doc, " → [{table}](#{table}).{other}");
        }
        if !column.one_of.is_empty() {
            let values: Vec<String> = column.one_of.iter().map(|value| format!("`{value}`")).collect();
            let _ = write!(doc, " One of {}.", values.join(", "));
        }
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {doc} |",
            column.kind.sql_name(),
            pushdown(table, index)
        );
    }
    for example in &table.examples {
        let _ = writeln!(text, "\n{}\n\n```sql\n{}\n```", example.doc, example.sql);
    }
}

/// The JSON Schema of schema files, for editors: a table, or the defaults of a folder.
pub(crate) fn schema_json() -> String {
    let generator = schemars::SchemaGenerator::default();
    let mut schema = generator.into_root_schema_for::<Either>();
    schema.insert("title".into(), "jsmql schema file".into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}

/// What a `.toml` file below `schemas/` is.
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Either {
    /// A table.
    Table(Box<TableFile>),
    /// The defaults of a folder (`_api.toml`).
    Api(Box<ApiFile>),
}
