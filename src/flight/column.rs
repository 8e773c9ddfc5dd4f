//! What Flight SQL tells of a column besides its Arrow type, in the metadata of its field.

use std::collections::HashMap;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use futures::TryStreamExt;

use crate::error::{Error, ErrorKind, Result};
use crate::rest::type_name;
use crate::session::Session;
use crate::session::listing::{CATALOG, PUBLIC, SCRATCH};

const COLUMNS: &str = "SELECT table_name, column_name, data_type, insertable OR updatable, description FROM sys.columns";

/// The columns of the tables of the site, by table and name.
#[derive(Default)]
pub(super) struct Columns {
    known: HashMap<(String, String), Known>,
    readonly: bool,
}

/// What the schema files say of a column.
struct Known {
    type_name: String,
    writable: bool,
    remarks: String,
}

impl Columns {
    /// Those of a session. The site may be asked for its own fields.
    pub(super) async fn of(session: &Session) -> Result<Self> {
        let rows: Vec<RecordBatch> = session.ask(COLUMNS).await?.try_collect().await?;
        let mut known = HashMap::new();
        for batch in &rows {
            let columns = batch.columns().iter().map(texts).collect::<Result<Vec<ArrayRef>>>()?;
            let cell = |column: usize, row: usize| columns[column].as_string::<i32>().value(row).to_owned();
            known.extend((0..batch.num_rows()).map(|row| {
                let column = Known {
                    type_name: cell(2, row),
                    writable: cell(3, row) == "true",
                    remarks: cell(4, row),
                };
                ((cell(0, row), cell(1, row)), column)
            }));
        }
        Ok(Self {
            known,
            readonly: session.connection().readonly(),
        })
    }

    /// The columns of a table with all that is known of them.
    pub(super) fn described(&self, schema: &str, table: &str, columns: &Schema) -> Schema {
        let fields = columns.fields().iter();
        Schema::new(fields.map(|field| self.field(schema, table, field)).collect::<Vec<_>>())
    }

    fn field(&self, schema: &str, table: &str, field: &Field) -> Field {
        let kind = field.data_type();
        let known = (schema == PUBLIC)
            .then(|| self.known.get(&(table.to_owned(), field.name().clone())))
            .flatten();
        let writable = match known {
            Some(known) => known.writable && !self.readonly,
            None => schema == SCRATCH,
        };
        let flag = |is: bool| if is { "1" } else { "0" }.to_owned();
        let mut facts = vec![
            ("CATALOG_NAME", CATALOG.to_owned()),
            // The name of the specification, and that which drivers look for.
            ("DB_SCHEMA_NAME", schema.to_owned()),
            ("SCHEMA_NAME", schema.to_owned()),
            ("TABLE_NAME", table.to_owned()),
            (
                "TYPE_NAME",
                known.map_or_else(|| type_name(kind).to_owned(), |known| known.type_name.clone()),
            ),
            ("IS_AUTO_INCREMENT", flag(false)),
            (
                "IS_CASE_SENSITIVE",
                flag(matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)),
            ),
            ("IS_READ_ONLY", flag(!writable)),
            // What the site does not filter is filtered here.
            ("IS_SEARCHABLE", flag(true)),
        ];
        if let Some((precision, scale)) = digits(kind) {
            facts.extend([("PRECISION", precision.to_string()), ("SCALE", scale.to_string())]);
        }
        let remarks = known.map(|known| known.remarks.clone()).filter(|remarks| !remarks.is_empty());
        facts.extend(remarks.map(|remarks| ("REMARKS", remarks)));
        let facts = facts
            .into_iter()
            .map(|(name, value)| (format!("ARROW:FLIGHT:SQL:{name}"), value));
        let mut metadata = field.metadata().clone();
        metadata.extend(facts);
        field.clone().with_metadata(metadata)
    }
}

fn texts(column: &ArrayRef) -> Result<ArrayRef> {
    cast(column, &DataType::Utf8).map_err(|error| Error::new(ErrorKind::Internal, format!("the columns cannot be read: {error}")))
}

/// Decimal digits of exact numbers, in all and behind the point.
fn digits(kind: &DataType) -> Option<(u8, i8)> {
    Some(match kind {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => (*precision, *scale),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_schema_file_knows_is_told_by_its_type() {
        let columns = Schema::new(vec![Field::new("price", DataType::Decimal128(10, 2), true)]);
        let described = Columns::default().described(SCRATCH, "mine", &columns);
        let fact = |name: &str| {
            described
                .field(0)
                .metadata()
                .get(&format!("ARROW:FLIGHT:SQL:{name}"))
                .cloned()
        };
        for (name, value) in [
            ("TYPE_NAME", "decimal"),
            ("DB_SCHEMA_NAME", "temp"),
            ("TABLE_NAME", "mine"),
            ("PRECISION", "10"),
            ("SCALE", "2"),
            ("IS_READ_ONLY", "0"),
        ] {
            assert_eq!(fact(name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(fact("REMARKS"), None);
        let of_system = Columns::default().described("sys", "options", &columns);
        assert_eq!(of_system.field(0).metadata()["ARROW:FLIGHT:SQL:IS_READ_ONLY"], "1");
    }
}
