//! Where ingested rows go: the `adbc.ingest.*` options of a statement.

use adbc_core::constants;
use adbc_core::error::Result;
use adbc_core::options::{IngestMode as Mode, OptionValue};

use super::errors::{missing, out_of_order};
use super::metadata::{CATALOG, SCRATCH};
use super::options::{switch, text};
use crate::session::{Ingest, IngestMode};

/// What the options of ingestion say.
#[derive(Debug, Clone)]
pub(super) struct Target {
    table: Option<String>,
    catalog: Option<String>,
    schema: Option<String>,
    mode: Mode,
    temporary: bool,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            table: None,
            catalog: None,
            schema: None,
            mode: Mode::Create,
            temporary: false,
        }
    }
}

impl Target {
    /// Sets an option; whether there is one of this name.
    pub(super) fn set(&mut self, key: &str, value: OptionValue) -> Result<bool> {
        let filled = |value| text(key, value).map(|text| Some(text).filter(|text| !text.is_empty()));
        match key {
            constants::ADBC_INGEST_OPTION_TARGET_TABLE => self.table = filled(value)?,
            constants::ADBC_INGEST_OPTION_TARGET_CATALOG => self.catalog = filled(value)?,
            constants::ADBC_INGEST_OPTION_TARGET_DB_SCHEMA => self.schema = filled(value)?,
            constants::ADBC_INGEST_OPTION_TEMPORARY => self.temporary = switch(key, value)?,
            constants::ADBC_INGEST_OPTION_MODE => self.mode = Mode::try_from(&value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The value of an option, if there is one of this name and it is set.
    pub(super) fn get(&self, key: &str) -> Option<OptionValue> {
        match key {
            constants::ADBC_INGEST_OPTION_TARGET_TABLE => self.table.clone().map(Into::into),
            constants::ADBC_INGEST_OPTION_TARGET_CATALOG => self.catalog.clone().map(Into::into),
            constants::ADBC_INGEST_OPTION_TARGET_DB_SCHEMA => self.schema.clone().map(Into::into),
            constants::ADBC_INGEST_OPTION_TEMPORARY => Some(self.temporary.into()),
            constants::ADBC_INGEST_OPTION_MODE => Some(self.mode.into()),
            _ => None,
        }
    }

    /// Whether rows are to be ingested.
    pub(super) fn is_set(&self) -> bool {
        self.table.is_some()
    }

    /// A query takes the place of an ingestion.
    pub(super) fn clear(&mut self) {
        self.table = None;
    }

    /// Where the rows go, if they are to be ingested.
    pub(super) fn ingest(&self) -> Result<Option<Ingest>> {
        let Some(table) = self.table.clone() else {
            return Ok(None);
        };
        if self.catalog.as_ref().is_some_and(|catalog| catalog != CATALOG) {
            return Err(missing("there is no such catalog", "the only catalog is jsm"));
        }
        let schema = match (self.temporary, self.schema.as_deref()) {
            (true, None | Some(SCRATCH)) => Some(SCRATCH.to_owned()),
            (true, Some(_)) => {
                return Err(out_of_order(
                    "a temporary table is in no schema that can be named",
                    "leave out adbc.ingest.temporary or adbc.ingest.target_db_schema",
                ));
            }
            (false, schema) => schema.map(str::to_owned),
        };
        let mode = match self.mode {
            Mode::Create => IngestMode::Create,
            Mode::Append => IngestMode::Append,
            Mode::Replace => IngestMode::Replace,
            Mode::CreateAppend => IngestMode::CreateAppend,
        };
        Ok(Some(Ingest { table, schema, mode }))
    }
}
