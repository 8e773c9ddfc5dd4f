//! `docs/tables.md` and `docs/procedures.md`, generated from the catalog, and `schemas/schema.json`, from the vocabulary.

use std::fmt::Write as _;

use super::file::{ApiFile, TableFile};
use super::operation_file::ProcedureFile;
use super::{Action, Catalog, Operation, Table};

/// The reference of all tables.
pub(crate) fn tables_markdown(catalog: &Catalog, pushdown: impl Fn(&Table, usize) -> String) -> String {
    let mut text = String::from(
        "# Tables\n\nGenerated from the schema files; do not edit. Columns in **bold** are the key. *Pushdown* says which predicates the site itself \
         answers; every other predicate is evaluated after reading. An *input* column is filter-only: it is sent to the site when bound by `=` or \
         IN, and echoed in the rows. *Written* says which statements set a column.\n\n",
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
    if let Some(search) = &table.search {
        let _ = writeln!(text, "- search: `POST {}`, then `POST {}`", search.call, search.bulk);
    }
    if let (Some(embed), Some(parent)) = (&table.embed, &table.parent) {
        let how = match (&embed.expand, &embed.field) {
            (Some(expand), _) => format!("expand={expand}"),
            (None, field) => format!("fields={}", field.as_deref().unwrap_or_default()),
        };
        let _ = writeln!(text, "- embedded in [{0}](#{0}) by `{how}`", parent.table.name);
        if let Some(bulk) = &embed.bulk {
            let _ = writeln!(
                text,
                "- of many rows of [{0}](#{0}): `POST {1}`",
                parent.table.name, bulk.call
            );
        }
    }
    let writes = [("insert", &table.insert), ("delete", &table.delete)];
    let writes = writes
        .into_iter()
        .filter_map(|(word, operation)| Some((word, operation.as_ref()?)));
    for (word, operation) in writes.chain(table.updates.iter().map(|update| ("update", update))) {
        write_line(text, word, operation, table);
    }
    text.push_str("\n| column | type | pushdown | written | description |\n|---|---|---|---|---|\n");
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
        if column.write_only {
            doc.push_str(" *Only written: NULL in every row that is read.*");
        }
        if let Some(most) = column.max_chars {
            let _ = write!(doc, " At most {most} characters.");
        }
        let insert = match &table.insert {
            Some(insert) if insert.needs(index) => "insert (required)",
            Some(_) if table.is_insertable(index) => "insert",
            _ => "",
        };
        let update = if table.is_updatable(index) { "update" } else { "" };
        let written: Vec<&str> = [insert, update].into_iter().filter(|word| !word.is_empty()).collect();
        if let Some((table, other)) = &column.references {
            let _ = write!(doc, " → [{table}](#{table}).{other}");
        }
        if !column.one_of.is_empty() {
            let values: Vec<String> = column.one_of.iter().map(|value| format!("`{value}`")).collect();
            let _ = write!(doc, " One of {}.", values.join(", "));
        }
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {doc} |",
            column.kind.sql_name(),
            pushdown(table, index),
            written.join(", ")
        );
    }
    for example in &table.examples {
        let _ = writeln!(text, "\n{}\n\n```sql\n{}\n```", example.doc, example.sql);
    }
}

fn write_line(text: &mut String, word: &str, operation: &Operation, table: &Table) {
    let _ = write!(
        text,
        "- {word}: `{} {}`",
        operation.endpoint.verb.as_str(),
        operation.endpoint.template
    );
    if let Some(batch) = &operation.batch {
        let _ = write!(text, ", up to {} rows in a request", batch.max);
    }
    let name = |column: usize| &table.columns[column].name;
    if let Some(bulk) = &operation.bulk {
        let endpoint = &bulk.endpoint;
        let _ = write!(
            text,
            ", several rows by `{} {}`, up to {} in a request",
            endpoint.verb.as_str(),
            endpoint.template,
            bulk.max
        );
    }
    for columns in &operation.either {
        let names: Vec<String> = columns.iter().map(|&column| format!("`{}`", name(column))).collect();
        let _ = write!(text, "; takes one of {}", names.join(", "));
    }
    for find in &operation.finds {
        let there = find.table.as_deref().unwrap_or(table);
        let by = match find.by.first() {
            Some(&by) if find.given == find.column => &there.columns[by].name,
            _ => name(find.given),
        };
        let _ = write!(
            text,
            "; {}`{}` is found in [{2}](#{2}) by `{3}`{4}",
            if find.given == find.column { "the id for " } else { "" },
            name(find.column),
            there.name,
            by,
            if find.given == find.column {
                ""
            } else {
                " where it is not given"
            }
        );
    }
    text.push('\n');
}

/// The reference of all procedures.
pub(crate) fn procedures_markdown(catalog: &Catalog) -> String {
    let mut text = String::from(
        "# Procedures\n\nGenerated from the schema files; do not edit. A procedure is run by `CALL name(value, parameter => value)`, by \
         `EXECUTE name parameter = value` or `EXEC name @parameter = value`, or read as a table: `SELECT * FROM name(parameter => value)`. It \
         runs once per statement, never while the statement is planned, prepared or explained. Parameters in **bold** are required; NULL \
         stands for one that is not given.\n\n",
    );
    for procedure in catalog.procedures() {
        let _ = writeln!(text, "- [{0}](#{0})", procedure.name);
    }
    for procedure in catalog.procedures() {
        let _ = writeln!(text, "\n## {}\n\n{}\n", procedure.name, procedure.doc);
        match &procedure.action {
            Action::Steps(steps) => {
                for step in steps {
                    let endpoint = &step.operation.endpoint;
                    let _ = writeln!(text, "- `{} {}`", endpoint.verb.as_str(), endpoint.template);
                }
            }
            Action::Schema { .. } => text.push_str("- asks nothing of the site\n"),
            Action::OAuth(_) => text.push_str("- asks the authorization server of the connection\n"),
        }
        let changes = if procedure.changes {
            "It changes the site."
        } else {
            "It changes nothing on the site."
        };
        let _ = writeln!(
            text,
            "\n{changes}\n\n| parameter | type | default | description |\n|---|---|---|---|"
        );
        for (parameter, default) in procedure.parameters.iter().zip(&procedure.defaults) {
            let name = if parameter.required {
                format!("**{}**", parameter.name)
            } else {
                parameter.name.clone()
            };
            let default = default.as_ref().map_or_else(String::new, |default| format!("`{default}`"));
            let one_of: Vec<String> = parameter.one_of.iter().map(|value| format!("`{value}`")).collect();
            let one_of = if one_of.is_empty() {
                String::new()
            } else {
                format!(" One of {}.", one_of.join(", "))
            };
            let doc = parameter.doc.replace('|', "\\|");
            let _ = writeln!(text, "| {name} | {} | {default} | {doc}{one_of} |", parameter.kind.sql_name());
        }
        text.push_str("\n| result | type | description |\n|---|---|---|\n");
        for column in &procedure.result.columns {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                column.name,
                column.kind.sql_name(),
                column.doc.replace('|', "\\|")
            );
        }
        for example in &procedure.examples {
            let _ = writeln!(text, "\n{}\n\n```sql\n{}\n```", example.doc, example.sql);
        }
    }
    text
}

/// The JSON Schema of schema files, for editors: a table, a procedure, or the defaults of a folder.
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
    /// A procedure (in the folder `procedures`).
    Procedure(Box<ProcedureFile>),
    /// The defaults of a folder (`_api.toml`).
    Api(Box<ApiFile>),
}
