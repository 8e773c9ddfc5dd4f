//! Types of columns, by the names that SQL and by the numbers that JDBC and ODBC have for them.

use arrow::datatypes::DataType;

/// The SQL name of a type; the same names as in `sys.columns`, where it knows them.
pub(super) fn type_name(kind: &DataType) -> &'static str {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        DataType::UInt8 => "tinyint unsigned",
        DataType::UInt16 => "smallint unsigned",
        DataType::UInt32 => "integer unsigned",
        DataType::UInt64 => "bigint unsigned",
        DataType::Float16 | DataType::Float32 => "real",
        DataType::Float64 => "double",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(..) => "timestamp",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "binary",
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => "decimal",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::ListView(_) => "list",
        DataType::Struct(_) => "struct",
        DataType::Null => "null",
        _ => "other",
    }
}

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
