//! The decoder alone, for the benchmark that measures it. Not part of the API.

use std::sync::Arc;

use super::decode::Decoder;
use super::{arrow_schema, shape};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Catalog, FieldMetadata, resolve};

/// Decodes pages of one list of a built-in table.
#[derive(Debug)]
pub struct Decode(Decoder);

impl Decode {
    /// For these columns of that table.
    ///
    /// # Errors
    /// There is no such table or column.
    pub fn new(table: &str, columns: &[&str]) -> Result<Self> {
        Self::on_site(table, "[]", columns)
    }

    /// The same on a site with these fields, as its list of fields answers them. A custom field is a column.
    ///
    /// # Errors
    /// There is no such table or column, or the fields are no fields.
    pub fn on_site(table: &str, fields: &str, columns: &[&str]) -> Result<Self> {
        let (fields, _) = FieldMetadata::list(fields.as_bytes())
            .map_err(|error| Error::new(ErrorKind::Decode, format!("these are no fields: {error}")))?;
        let unknown = |name: &str| Error::new(ErrorKind::Statement, format!("there is no {name}"));
        let catalog = Catalog::load(None)?;
        let table = catalog
            .tables()
            .iter()
            .find(|known| known.name == table)
            .ok_or_else(|| unknown(table))?;
        let table = &Arc::new(resolve(table, &fields, true));
        let columns = columns
            .iter()
            .map(|column| table.column(column).ok_or_else(|| unknown(column)))
            .collect::<Result<Vec<_>>>()?;
        let shape = shape::compile(std::slice::from_ref(table), &columns, &[], true);
        let output = columns.iter().filter_map(|&column| shape.slot(0, column)).collect();
        let schema = arrow_schema(table, &columns);
        Ok(Self(Decoder::new(shape, schema, output, Vec::new(), Vec::new(), None)))
    }

    /// Decodes one page and tells its rows.
    ///
    /// # Errors
    /// The page is not what the API promises.
    pub fn page(&mut self, body: &[u8]) -> Result<usize> {
        self.0.restart();
        self.0.read(body)?;
        Ok(self.0.take()?.map_or(0, |batch| batch.num_rows()))
    }
}
