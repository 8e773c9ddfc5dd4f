//! Requests that are shown instead of sent.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::{Error, ErrorKind, Result};
use crate::http::Request;

/// Columns of requests that are shown instead of sent.
pub(crate) fn requests_schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        Field::new("row", DataType::Int64, false),
        Field::new("rows", DataType::Int64, false),
        text("method", false),
        text("path", false),
        text("query", true),
        text("body", true),
    ]))
}

/// Requests as rows of [`requests_schema`]: position of the first row, number of rows, and the request with its body in words.
pub(super) fn show(requests: &[(usize, usize, Request, Option<String>)]) -> Result<RecordBatch> {
    let query = |request: &Request| {
        let pairs: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("&"))
    };
    let number = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(requests.iter().map(|(row, ..)| number(row + 1)))),
        Arc::new(Int64Array::from_iter_values(
            requests.iter().map(|(_, rows, ..)| number(*rows)),
        )),
        Arc::new(StringArray::from_iter_values(
            requests.iter().map(|(_, _, request, _)| request.method.as_str()),
        )),
        Arc::new(StringArray::from_iter_values(
            requests.iter().map(|(_, _, request, _)| &request.path),
        )),
        Arc::new(
            requests
                .iter()
                .map(|(_, _, request, _)| query(request))
                .collect::<StringArray>(),
        ),
        Arc::new(requests.iter().map(|(.., body)| body.clone()).collect::<StringArray>()),
    ];
    RecordBatch::try_new(requests_schema(), columns)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("the columns do not fit together: {error}")))
}
