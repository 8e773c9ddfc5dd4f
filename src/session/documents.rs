//! The functions over documents: `adf_to_markdown` and `markdown_to_adf`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

use crate::error::{Error, ErrorKind};
use crate::rest::{from_markdown, to_markdown};
use crate::table::to_datafusion;

/// The functions; each is NULL where its argument is.
pub(super) fn functions() -> [ScalarUDF; 2] {
    [
        function("adf_to_markdown", |json| {
            // Fields that were filled before there were documents hold a text.
            let text = || serde_json::from_str::<String>(json).ok();
            to_markdown(json).or_else(text).ok_or_else(|| {
                Error::new(
                    ErrorKind::Statement,
                    "adf_to_markdown: the value is no document of the Atlassian Document Format",
                )
                .hint("give it a column such as description_adf, which holds the JSON of a document")
            })
        }),
        function("markdown_to_adf", |text| Ok(from_markdown(text))),
    ]
}

fn function(name: &str, work: impl Fn(&str) -> Result<String, Error> + Send + Sync + 'static) -> ScalarUDF {
    let of_all = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let texts = arrays[0].as_string::<i32>();
        let made: StringArray = texts
            .iter()
            .map(|text| text.map(&work).transpose())
            .collect::<Result<_, Error>>()
            .map_err(to_datafusion)?;
        debug_assert_eq!(made.len(), texts.len());
        Ok(ColumnarValue::Array(Arc::new(made) as ArrayRef))
    };
    create_udf(
        name,
        vec![DataType::Utf8],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(of_all),
    )
}
