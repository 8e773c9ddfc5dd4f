//! What `\d`, `\df` and `\l` ask: statements over the metadata tables.

use crate::error::{Error, ErrorKind, Result};

/// The tables of the site and those of this session.
pub(super) const TABLES: &str = "\
    SELECT table_name AS \"table\", \
           concat(CASE WHEN insertable THEN 'insert ' ELSE '' END, CASE WHEN updatable THEN 'update ' ELSE '' END, \
                  CASE WHEN deletable THEN 'delete' ELSE '' END) AS writes, \
           api, description \
    FROM sys.tables \
    UNION ALL \
    SELECT concat('temp.', table_name), 'insert', 'temp', 'Table of this session.' \
    FROM information_schema.tables WHERE table_schema = 'temp' \
    ORDER BY api DESC, \"table\"";

/// The procedures.
pub(super) const PROCEDURES: &str = "\
    SELECT procedure_name AS \"procedure\", changes_data AS changes, description FROM sys.procedures ORDER BY 1";

/// The schemas.
pub(super) const SCHEMAS: &str = "\
    SELECT table_schema AS \"schema\", count(*) AS tables, \
           CASE table_schema WHEN 'public' THEN 'Tables of the site.' WHEN 'sys' THEN 'What jsmql knows: tables, options, requests.' \
                             WHEN 'temp' THEN 'Tables of this session.' ELSE 'Standard metadata.' END AS description \
    FROM information_schema.tables GROUP BY 1 ORDER BY 1";

/// The options that are set.
pub(super) const CONNECTION: &str = "SELECT name, value, source FROM sys.options WHERE source <> 'default' ORDER BY name";

/// A table by its whole name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    schema: String,
    name: String,
}

/// The tables that a name may mean, `schema.table` or `table`: one of the site, else one of this session.
///
/// # Errors
/// The name is none.
pub(super) fn tables(name: &str) -> Result<Vec<Table>> {
    let (schema, name) = qualified(name)?;
    let schemas = schema.map_or_else(|| vec!["public".to_owned(), "temp".to_owned()], |schema| vec![schema]);
    let table = |schema| Table {
        schema,
        name: name.clone(),
    };
    Ok(schemas.into_iter().map(table).collect())
}

/// The columns of a table.
pub(super) fn columns(table: &Table) -> String {
    match table.schema.as_str() {
        "public" => format!(
            "SELECT column_name AS \"column\", data_type AS type, \
                    concat(CASE WHEN is_key THEN 'key ' WHEN NOT nullable THEN 'not null ' ELSE '' END, \
                           CASE WHEN required THEN 'required' WHEN filter_only THEN 'filter' ELSE '' END) AS role, \
                    pushdown AS \"the site answers\", \
                    concat(CASE WHEN insertable THEN 'insert ' ELSE '' END, CASE WHEN updatable THEN 'update' ELSE '' END) AS writes, \
                    description \
             FROM sys.columns WHERE table_name = {} ORDER BY ordinal",
            literal(&table.name)
        ),
        schema => format!(
            "SELECT column_name AS \"column\", data_type AS type, is_nullable AS nullable \
             FROM information_schema.columns WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
            literal(schema),
            literal(&table.name)
        ),
    }
}

/// The keys of a table, and the columns of other tables that they are. Only tables of the site have any.
pub(super) fn keys(table: &Table) -> Option<String> {
    (table.schema == "public").then(|| {
        format!(
            "SELECT * EXCLUDE (table_name) FROM sys.keys WHERE table_name = {}",
            literal(&table.name)
        )
    })
}

/// The parameters and results of a procedure.
///
/// # Errors
/// The name is none.
pub(super) fn parameters(name: &str) -> Result<String> {
    let (_, procedure) = qualified(name)?;
    Ok(format!(
        "SELECT parameter_name AS parameter, direction, data_type AS type, required, default_value AS \"default\", \
                allowed_values AS allowed, description \
         FROM sys.procedure_parameters WHERE procedure_name = {} ORDER BY direction, ordinal",
        literal(&procedure)
    ))
}

fn qualified(name: &str) -> Result<(Option<String>, String)> {
    let fold = |part: &str| match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => part.to_lowercase(),
    };
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        [table] => Ok((None, fold(table))),
        [schema, table] | [_, schema, table] => Ok((Some(fold(schema)), fold(table))),
        _ => Err(Error::new(ErrorKind::Statement, format!("{name} is no name of a table")).hint("\\d lists the tables")),
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// How statements are written, by their first word.
pub(super) const SQL_HELP: [(&str, &str); 11] = [
    (
        "SELECT",
        "SELECT columns FROM table [JOIN …] [WHERE …] [GROUP BY …] [ORDER BY …] [LIMIT n]",
    ),
    (
        "INSERT",
        "INSERT INTO table (column, …) VALUES (…), … | SELECT … [RETURNING column, …]",
    ),
    ("UPDATE", "UPDATE table SET column = value, … WHERE …"),
    ("DELETE", "DELETE FROM table WHERE …"),
    (
        "CALL",
        "CALL procedure(parameter => value, …)     also EXECUTE procedure parameter = value, …; SELECT * FROM procedure(…)",
    ),
    (
        "EXPLAIN",
        "EXPLAIN [ANALYZE] statement     shows the requests; ANALYZE sends them and shows what they took",
    ),
    (
        "PREPARE",
        "PREPARE name AS statement with $1, …; EXECUTE name(value, …); DEALLOCATE name",
    ),
    (
        "CREATE",
        "CREATE [OR REPLACE] TABLE temp.name AS SELECT …     CREATE [OR REPLACE] VIEW temp.name AS SELECT …",
    ),
    ("DROP", "DROP TABLE | VIEW [IF EXISTS] temp.name"),
    (
        "COPY",
        "COPY table | (SELECT …) TO 'file.parquet'     formats: csv, tsv, json, ndjson, md, parquet, arrow",
    ),
    ("SHOW", "SHOW TABLES     SHOW COLUMNS FROM table     DESCRIBE table"),
];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_schema_means_the_site_first() {
        let found = |name: &str| -> Vec<(String, String)> {
            let tables = tables(name).unwrap();
            tables.into_iter().map(|table| (table.schema, table.name)).collect()
        };
        let pair = |schema: &str, name: &str| (schema.to_owned(), name.to_owned());
        assert_eq!(found("Requests"), [pair("public", "requests"), pair("temp", "requests")]);
        assert_eq!(found("temp.\"T\""), [pair("temp", "T")]);
        assert_eq!(found("jsm.sys.options"), [pair("sys", "options")]);
        assert!(tables("a.b.c.d").is_err());
    }
}
