//! Names that tell columns apart, for formats in which the name of a column is a key: the second `a` is `a_1`.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;

use super::RowWriter;

/// The same columns, no two of one name.
pub(super) fn apart(schema: &SchemaRef) -> SchemaRef {
    let mut taken: HashSet<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut seen = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        if seen.insert(field.name()) {
            return field.clone();
        }
        let mut number = 1;
        while !taken.insert(format!("{}_{number}", field.name())) {
            number += 1;
        }
        Arc::new(field.as_ref().clone().with_name(format!("{}_{number}", field.name())))
    });
    Arc::new(Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        schema.metadata().clone(),
    ))
}

/// Writes rows under other names.
pub(super) struct Apart {
    pub(super) inner: Box<dyn RowWriter>,
    pub(super) schema: SchemaRef,
}

impl RowWriter for Apart {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), batch.columns().to_vec(), &rows)?;
        self.inner.write(&batch)
    }

    fn end(self: Box<Self>) -> Result<(), ArrowError> {
        self.inner.end()
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn no_key_is_there_twice() {
        let names = |names: &[&str]| {
            let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect();
            let schema = apart(&Arc::new(Schema::new(fields)));
            schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&["a", "b"]), ["a", "b"]);
        assert_eq!(names(&["a", "a", "a"]), ["a", "a_1", "a_2"]);
        assert_eq!(names(&["a", "a", "a_1"]), ["a", "a_2", "a_1"]);
    }
}
