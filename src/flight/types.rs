//! The types of SQL, as XDBC (ODBC and JDBC) describes them.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::sql::metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{CommandGetXdbcTypeInfo, Nullable, Searchable, XdbcDataType as Type, XdbcDatetimeSubcode as Subcode};

use crate::error::{Error, ErrorKind, Result};

/// What a type is written with.
enum Form {
    Number {
        digits: i32,
        scale: i32,
        exact: bool,
        signed: bool,
    },
    Text,
    Bytes,
    Flag,
    Moment(&'static str, Subcode),
}

/// Types by their names in SQL, with the longest value in digits or characters.
const TYPES: &[(&str, Type, i32, Form)] = &[
    ("boolean", Type::XdbcBit, 1, Form::Flag),
    ("tinyint", Type::XdbcTinyint, 3, whole(3, true)),
    ("smallint", Type::XdbcSmallint, 5, whole(5, true)),
    ("integer", Type::XdbcInteger, 10, whole(10, true)),
    ("bigint", Type::XdbcBigint, 19, whole(19, true)),
    ("bigint unsigned", Type::XdbcBigint, 20, whole(20, false)),
    ("real", Type::XdbcReal, 24, float(24)),
    ("double", Type::XdbcDouble, 53, float(53)),
    (
        "decimal",
        Type::XdbcDecimal,
        38,
        Form::Number {
            digits: 38,
            scale: 38,
            exact: true,
            signed: true,
        },
    ),
    ("varchar", Type::XdbcVarchar, i32::MAX, Form::Text),
    ("bytea", Type::XdbcVarbinary, i32::MAX, Form::Bytes),
    ("date", Type::XdbcDate, 10, Form::Moment("DATE '", Subcode::XdbcSubcodeYear)),
    ("time", Type::XdbcTime, 18, Form::Moment("TIME '", Subcode::XdbcSubcodeTime)),
    (
        "timestamp",
        Type::XdbcTimestamp,
        29,
        Form::Moment("TIMESTAMP '", Subcode::XdbcSubcodeTimestamp),
    ),
];

const fn whole(digits: i32, signed: bool) -> Form {
    Form::Number {
        digits,
        scale: 0,
        exact: true,
        signed,
    }
}

const fn float(bits: i32) -> Form {
    Form::Number {
        digits: bits,
        scale: 0,
        exact: false,
        signed: true,
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, format!("the types cannot be put together: {error}"))
}

/// The types that are asked for; all of them where none is named.
pub(super) fn rows(command: CommandGetXdbcTypeInfo) -> Result<RecordBatch> {
    command.into_builder(&all()?).build().map_err(failed)
}

/// Columns of the answer.
pub(super) fn schema() -> Result<SchemaRef> {
    Ok(all()?.schema())
}

fn all() -> Result<XdbcTypeInfoData> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    for (name, kind, size, form) in TYPES {
        types.append(info(name, *kind, *size, form));
    }
    types.build().map_err(failed)
}

fn info(name: &str, kind: Type, size: i32, form: &Form) -> XdbcTypeInfo {
    let plain = XdbcTypeInfo {
        type_name: name.to_owned(),
        data_type: kind,
        column_size: Some(size),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Basic,
        auto_increment: None,
        local_type_name: Some(name.to_owned()),
        sql_data_type: kind,
        ..XdbcTypeInfo::default()
    };
    let quoted = |prefix: &str| (Some(prefix.to_owned()), Some("'".to_owned()));
    match form {
        Form::Flag => plain,
        Form::Number {
            digits,
            scale,
            exact,
            signed,
        } => XdbcTypeInfo {
            column_size: Some(*digits),
            unsigned_attribute: Some(!signed),
            create_params: (*scale > 0).then(|| vec!["precision".to_owned(), "scale".to_owned()]),
            minimum_scale: exact.then_some(0),
            maximum_scale: exact.then_some(*scale),
            num_prec_radix: Some(if *exact { 10 } else { 2 }),
            auto_increment: Some(false),
            ..plain
        },
        Form::Text => {
            let (literal_prefix, literal_suffix) = quoted("'");
            XdbcTypeInfo {
                literal_prefix,
                literal_suffix,
                case_sensitive: true,
                searchable: Searchable::Full,
                ..plain
            }
        }
        Form::Bytes => {
            let (literal_prefix, literal_suffix) = quoted("X'");
            XdbcTypeInfo {
                literal_prefix,
                literal_suffix,
                ..plain
            }
        }
        Form::Moment(prefix, subcode) => {
            let (literal_prefix, literal_suffix) = quoted(prefix);
            XdbcTypeInfo {
                literal_prefix,
                literal_suffix,
                // ODBC numbers moments together and tells them apart by the subcode.
                sql_data_type: Type::XdbcDatetime,
                datetime_subcode: Some(*subcode),
                ..plain
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_types_or_one_of_them() {
        let rows_of = |data_type| rows(CommandGetXdbcTypeInfo { data_type }).unwrap();
        assert_eq!(rows_of(None).num_rows(), TYPES.len());
        assert_eq!(rows_of(Some(Type::XdbcBigint as i32)).num_rows(), 2);
        assert_eq!(rows_of(Some(Type::XdbcUnknownType as i32)).num_rows(), 0);
        assert_eq!(rows_of(None).schema(), schema().unwrap());
    }
}
