//! Types of columns by the numbers that JDBC and ODBC have for them.

/// The number that JDBC and ODBC have for a type.
pub(super) fn type_code(name: &str) -> i16 {
    match name {
        "text" | "json" => 12,
        "boolean" => 16,
        "tinyint" | "tinyint unsigned" => -6,
        "smallint" | "smallint unsigned" => 5,
        "integer" | "integer unsigned" => 4,
        "bigint" | "bigint unsigned" => -5,
        "real" => 7,
        "double" => 8,
        "date" => 91,
        "time" => 92,
        "timestamp" => 93,
        "binary" => -3,
        "decimal" => 3,
        "list" | "list of text" => 2003,
        "struct" => 2002,
        "null" => 0,
        _ => 1111,
    }
}
