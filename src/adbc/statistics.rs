//! The answer of GetStatistics: how many rows tables have. A site tells nothing else about its data without being read.

use std::sync::Arc;

use adbc_core::constants::ADBC_STATISTIC_ROW_COUNT_KEY;
use adbc_core::error::Result;
use adbc_core::schemas;
use arrow::array::{
    ArrayRef, BooleanArray, Int16Array, Int64Array, RecordBatch, StringArray, UnionArray, new_empty_array, new_null_array,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::DataType;

use super::metadata::{CATALOG, Count};
use super::objects::{lists, structs};

/// The numbers of rows as one batch: one row for the catalog, if there are any.
pub(super) fn statistics(counts: &[Count]) -> Result<RecordBatch> {
    let schemas: Vec<&[Count]> = counts.chunk_by(|one, other| one.schema == other.schema).collect();
    let catalogs: Vec<&[&[Count]]> = if schemas.is_empty() { Vec::new() } else { vec![&schemas] };
    let lists = lists(catalogs.iter().map(|schemas| Some(*schemas)), |schemas: &[&&[Count]]| {
        let counts = lists(schemas.iter().map(|counts| Some(**counts)), rows)?;
        let names = schemas.iter().filter_map(|counts| counts.first()).map(|count| &count.schema);
        structs(
            &schemas::STATISTICS_DB_SCHEMA_SCHEMA,
            vec![Arc::new(StringArray::from_iter_values(names)), counts],
        )
    })?;
    let names = StringArray::from_iter_values(catalogs.iter().map(|_| CATALOG));
    Ok(RecordBatch::try_new(
        schemas::GET_STATISTICS_SCHEMA.clone(),
        vec![Arc::new(names), lists],
    )?)
}

fn rows(counts: &[&Count]) -> Result<arrow::array::StructArray> {
    let DataType::Union(fields, _) = &*schemas::STATISTIC_VALUE_SCHEMA else {
        unreachable!("the specification has a union here")
    };
    let numbers = Int64Array::from_iter_values(counts.iter().map(|count| count.rows));
    let children = fields.iter().map(|(kind, field)| -> ArrayRef {
        match kind {
            0 => Arc::new(numbers.clone()),
            _ => new_empty_array(field.data_type()),
        }
    });
    let values = UnionArray::try_new(
        fields.clone(),
        ScalarBuffer::from(vec![0_i8; counts.len()]),
        Some((0..counts.len() as i32).collect()),
        children.collect(),
    )?;
    structs(
        &schemas::STATISTICS_SCHEMA,
        vec![
            Arc::new(StringArray::from_iter_values(counts.iter().map(|count| &count.table))),
            new_null_array(&DataType::Utf8, counts.len()),
            Arc::new(Int16Array::from(vec![ADBC_STATISTIC_ROW_COUNT_KEY; counts.len()])),
            Arc::new(values),
            Arc::new(BooleanArray::from(vec![false; counts.len()])),
        ],
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn counts_stand_under_their_schemas() {
        let count = |schema: &str, table: &str, rows| Count {
            schema: schema.to_owned(),
            table: table.to_owned(),
            rows,
        };
        let batch = statistics(&[count("public", "a", 1), count("temp", "b", 2), count("temp", "c", 3)]).unwrap();
        let schemas = batch.column(1).as_list::<i32>().value(0);
        assert_eq!(schemas.len(), 2);
        let temp = schemas.as_struct().column(1).as_list::<i32>().value(1);
        let values = temp.as_struct().column(3).as_union().value(1);
        assert_eq!(values.as_primitive::<Int64Type>().value(0), 3);
        assert_eq!(statistics(&[]).unwrap().num_rows(), 0);
    }
}
