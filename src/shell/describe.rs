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

/// The columns of a table, `schema.table` or `table`.
///
/// # Errors
/// The name is none.
pub(super) fn columns(name: &str) -> Result<String> {
    let (schema, table) = qualified(name)?;
    Ok(match schema.as_deref() {
        None | Some("public") => format!(
            "SELECT column_name AS \"column\", data_type AS type, \
                    concat(CASE WHEN is_key THEN 'key ' WHEN NOT nullable THEN 'not null ' ELSE '' END, \
                           CASE WHEN required THEN 'required' WHEN filter_only THEN 'filter' ELSE '' END) AS role, \
                    pushdown AS \"the site answers\", \
                    concat(CASE WHEN insertable THEN 'insert ' ELSE '' END, CASE WHEN updatable THEN 'update' ELSE '' END) AS writes, \
                    description \
             FROM sys.columns WHERE table_name = {} ORDER BY ordinal",
            literal(&table)
        ),
        Some(schema) => format!(
            "SELECT column_name AS \"column\", data_type AS type, is_nullable AS nullable \
             FROM information_schema.columns WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
            literal(schema),
            literal(&table)
        ),
    })
}

/// The keys of a table, and the columns of other tables that they are.
///
/// # Errors
/// The name is none.
pub(super) fn keys(name: &str) -> Result<String> {
    let (_, table) = qualified(name)?;
    Ok(format!(
        "SELECT * EXCLUDE (table_name) FROM sys.keys WHERE table_name = {}",
        literal(&table)
    ))
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
pub(super) const SQL_HELP: &[(&str, &str)] = &[
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
