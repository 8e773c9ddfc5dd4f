//! Whether rows of a program fit the columns of the table that they are for.
//!
//! The engine casts them too, but its errors name neither row nor column. Only what its casts would refuse is refused here.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::compute::{CastOptions, can_cast_types, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::util::display::array_value_to_string;

use crate::error::{Error, ErrorKind, Result};
use crate::rest::type_name;

/// Longest value that is shown.
const LONGEST: usize = 80;

/// Looks at rows on their way into a table.
pub(super) struct Fit {
    target: Arc<Schema>,
    /// Rows that were looked at.
    rows: usize,
}

impl Fit {
    /// For the columns of a table.
    pub(super) fn new(target: Arc<Schema>) -> Self {
        Self { target, rows: 0 }
    }

    /// An error where nothing but NULL of a column could become what the table has there: the engine plans no statement for that. The
    /// rows tell which of them is the first.
    pub(super) fn impossible(&self, rows: &Schema) -> Option<Error> {
        let (field, target) = rows.fields().iter().find_map(|field| {
            let target = self.target.field_with_name(field.name()).ok()?;
            (!can_cast_types(field.data_type(), target.data_type())).then_some((field, target))
        })?;
        let message = format!(
            "column {}: a value of {} is no {}",
            field.name(),
            field.data_type(),
            type_name(target.data_type())
        );
        Some(Error::new(ErrorKind::Invalid, message).hint("leave the column out, or send values of its type"))
    }

    /// Checks the next rows.
    ///
    /// # Errors
    /// A value fits no column of the type that the table has. The message names its row, counted from 1 over all batches, and the column.
    pub(super) fn check(&mut self, batch: &RecordBatch) -> Result<()> {
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            // Another error tells of a column that the table has not.
            if let Ok(target) = self.target.field_with_name(field.name())
                && let Some(row) = misfit(column, target.data_type())
            {
                let value = array_value_to_string(column, row).unwrap_or_default();
                let mut shown: String = value.chars().take(LONGEST).collect();
                if shown.len() < value.len() {
                    shown.push('…');
                }
                let message = format!(
                    "row {}, column {}: {shown:?} is no {}",
                    self.rows + row + 1,
                    field.name(),
                    type_name(target.data_type())
                );
                return Err(Error::new(ErrorKind::Invalid, message).hint("correct the value, or leave the row out"));
            }
        }
        self.rows += batch.num_rows();
        Ok(())
    }
}

/// The first row whose value does not become one of a type. Texts of dates are left to the engine, which knows more of them.
fn misfit(values: &ArrayRef, kind: &DataType) -> Option<usize> {
    if values.data_type() == kind {
        return None;
    }
    let mut there = (0..values.len()).filter(|&row| values.is_valid(row));
    if !can_cast_types(values.data_type(), kind) {
        return there.next();
    }
    if !kind.is_numeric() && *kind != DataType::Boolean {
        return None;
    }
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    if cast_with_options(values, kind, &strict).is_ok() {
        return None;
    }
    let fitting = cast(values, kind).ok()?;
    there.find(|&row| fitting.is_null(row))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use datafusion::arrow::array::{Int64Array, ListArray, StringArray};
    use datafusion::arrow::datatypes::{Field, Int64Type};

    use super::*;

    #[test]
    fn a_value_that_does_not_fit_is_named_by_row_and_column() {
        let target = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int32, true),
            Field::new("t", DataType::Utf8, true),
        ]));
        let mut fit = Fit::new(target);
        let mut check = |name: &str, column: ArrayRef| {
            let batch = RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap();
            fit.check(&batch).map_err(|error| error.to_string())
        };
        assert_eq!(
            check("n", Arc::new(StringArray::from(vec![Some("1"), None, Some("-7")]))),
            Ok(())
        );
        let texts = Arc::new(StringArray::from(vec![None, Some("abc")]));
        assert_eq!(
            check("n", texts.clone()),
            Err("row 5, column n: \"abc\" is no integer".into())
        );
        assert_eq!(check("t", texts.clone()), Ok(()));
        assert_eq!(check("other", texts), Ok(()));
        let far = Arc::new(Int64Array::from(vec![1, 1 << 40]));
        assert_eq!(
            check("n", far),
            Err("row 9, column n: \"1099511627776\" is no integer".into())
        );
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([None, Some([Some(1), Some(2)])]);
        assert_eq!(
            check("n", Arc::new(lists)),
            Err("row 9, column n: \"[1, 2]\" is no integer".into())
        );
    }
}
