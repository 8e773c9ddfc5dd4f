//! The driver: it makes databases.

use adbc_core::error::Result;
use adbc_core::options::{OptionDatabase, OptionValue};

use super::database::Database;

/// The driver. It has no state: databases share nothing.
#[derive(Default)]
pub(super) struct Driver;

impl adbc_core::Driver for Driver {
    type DatabaseType = Database;

    fn new_database(&mut self) -> Result<Database> {
        self.new_database_with_opts([])
    }

    fn new_database_with_opts(&mut self, options: impl IntoIterator<Item = (OptionDatabase, OptionValue)>) -> Result<Database> {
        Database::open(options)
    }
}
