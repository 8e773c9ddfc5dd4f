//! The answer of GetInfo: what driver and database are.

use std::collections::HashSet;
use std::sync::Arc;

use adbc_core::constants::ADBC_VERSION_1_1_0;
use adbc_core::error::Result;
use adbc_core::options::InfoCode;
use adbc_core::schemas;
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, UInt32Array, UnionArray, new_empty_array};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::DataType;

/// A fact, of one of the types that the specification has for it.
enum Fact {
    Text(String),
    Flag(bool),
    Number(i64),
}

/// Every fact. The version of the site is not among them: it would take a request; `SELECT * FROM server_info` asks for it.
fn facts() -> Vec<(InfoCode, Fact)> {
    let arrow = || Fact::Text(format!("v{}", arrow::ARROW_VERSION));
    vec![
        (InfoCode::VendorName, Fact::Text("Jira Service Management".into())),
        (InfoCode::VendorArrowVersion, arrow()),
        (InfoCode::VendorSql, Fact::Flag(true)),
        (InfoCode::VendorSubstrait, Fact::Flag(false)),
        (InfoCode::DriverName, Fact::Text("jsmql".into())),
        (
            InfoCode::DriverVersion,
            Fact::Text(concat!("v", env!("CARGO_PKG_VERSION")).into()),
        ),
        (InfoCode::DriverArrowVersion, arrow()),
        (InfoCode::DriverAdbcVersion, Fact::Number(i64::from(ADBC_VERSION_1_1_0))),
    ]
}

/// The facts that are asked for; those that are not known are left out.
pub(super) fn info(codes: Option<&HashSet<InfoCode>>) -> Result<RecordBatch> {
    let (mut names, mut kinds, mut offsets) = (Vec::new(), Vec::<i8>::new(), Vec::<i32>::new());
    let (mut texts, mut flags, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for (code, fact) in facts() {
        if codes.is_some_and(|codes| !codes.contains(&code)) {
            continue;
        }
        names.push(u32::from(&code));
        let (kind, offset) = match fact {
            Fact::Text(text) => {
                texts.push(text);
                (0, texts.len())
            }
            Fact::Flag(flag) => {
                flags.push(flag);
                (1, flags.len())
            }
            Fact::Number(number) => {
                numbers.push(number);
                (2, numbers.len())
            }
        };
        kinds.push(kind);
        offsets.push(offset as i32 - 1);
    }
    let schema = schemas::GET_INFO_SCHEMA.clone();
    let DataType::Union(fields, _) = schema.field(1).data_type() else {
        unreachable!("the specification has a union here")
    };
    let children = fields.iter().map(|(kind, field)| -> ArrayRef {
        match kind {
            0 => Arc::new(StringArray::from(texts.clone())),
            1 => Arc::new(BooleanArray::from(flags.clone())),
            2 => Arc::new(Int64Array::from(numbers.clone())),
            _ => new_empty_array(field.data_type()),
        }
    });
    let values = UnionArray::try_new(
        fields.clone(),
        ScalarBuffer::from(kinds),
        Some(ScalarBuffer::from(offsets)),
        children.collect(),
    )?;
    Ok(RecordBatch::try_new(
        schema.clone(),
        vec![Arc::new(UInt32Array::from(names)), Arc::new(values)],
    )?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn unknown_codes_are_left_out() {
        let some = HashSet::from([InfoCode::DriverName, InfoCode::VendorSubstrait, InfoCode::Other(12_345)]);
        assert_eq!(info(Some(&some)).unwrap().num_rows(), 2);
        assert_eq!(info(None).unwrap().num_rows(), facts().len());
        assert_eq!(info(Some(&HashSet::new())).unwrap().num_rows(), 0);
    }
}
