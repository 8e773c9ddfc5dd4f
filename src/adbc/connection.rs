//! A connection: one session with the site, and what can be asked about it.

use std::collections::HashSet;
use std::sync::Arc;

use adbc_core::error::Result;
use adbc_core::options::{InfoCode, IsolationLevel, ObjectDepth, OptionConnection, OptionValue};
use adbc_core::{constants, schemas};
use arrow::array::{RecordBatch, RecordBatchReader, StringArray};
use arrow::datatypes::Schema;

use super::cancel::Current;
use super::engine::Engine;
use super::errors::{missing, out_of_order, unsupported};
use super::metadata::{CATALOG, Filter, Metadata, SCHEMA, TABLE_TYPES};
use super::options::{absent, optionable, shown_value, switch, unknown};
use super::reader::whole;
use super::statement::Statement;
use super::{info, objects, statistics};
use crate::session::Session;

/// What every reader of a call is.
pub(super) type Answer = Box<dyn RecordBatchReader + Send + 'static>;

/// A connection. It is used by one thread at a time, but cancelled by any.
pub(super) struct Connection {
    engine: Arc<Engine>,
    session: Session,
    current: Arc<Current>,
}

impl Connection {
    pub(super) fn new(engine: Arc<Engine>, session: Session) -> Self {
        Self {
            engine,
            session,
            current: Current::of_handle(),
        }
    }

    pub(super) fn set(&mut self, key: &str, value: OptionValue) -> Result<()> {
        match key {
            constants::ADBC_CONNECTION_OPTION_AUTOCOMMIT => {
                if switch(key, value)? {
                    return Ok(());
                }
                Err(unsupported(
                    "autocommit cannot be switched off: a site has no transactions",
                    "each statement takes effect as it runs; sys.writes says what became of the rows of the last one",
                ))
            }
            constants::ADBC_CONNECTION_OPTION_READ_ONLY => {
                let wanted = switch(key, value)?;
                if wanted == self.session.connection().readonly() {
                    return Ok(());
                }
                Err(if wanted {
                    out_of_order(
                        "a connection becomes read-only when it is opened",
                        "give the option to the new connection",
                    )
                } else {
                    out_of_order(
                        "the database is read-only by its option Readonly",
                        "open a database with Readonly=false",
                    )
                })
            }
            constants::ADBC_CONNECTION_OPTION_CURRENT_CATALOG => only(key, value, CATALOG),
            constants::ADBC_CONNECTION_OPTION_CURRENT_DB_SCHEMA => only(key, value, SCHEMA),
            constants::ADBC_CONNECTION_OPTION_ISOLATION_LEVEL => only(key, value, &String::from(IsolationLevel::Default)),
            _ => Err(unknown(key)),
        }
    }

    fn get(&self, key: &str) -> Result<OptionValue> {
        match key {
            constants::ADBC_CONNECTION_OPTION_AUTOCOMMIT => Ok(true.into()),
            constants::ADBC_CONNECTION_OPTION_READ_ONLY => Ok(self.session.connection().readonly().into()),
            constants::ADBC_CONNECTION_OPTION_CURRENT_CATALOG => Ok(CATALOG.into()),
            constants::ADBC_CONNECTION_OPTION_CURRENT_DB_SCHEMA => Ok(SCHEMA.into()),
            constants::ADBC_CONNECTION_OPTION_ISOLATION_LEVEL => Ok(IsolationLevel::Default.into()),
            _ => Err(absent(key)),
        }
    }

    fn metadata(&self) -> Metadata<'_> {
        Metadata::new(&self.engine, &self.session, self.current.begin())
    }
}

optionable!(Connection, OptionConnection);

/// Accepts the one value that an option can have.
fn only(key: &str, value: OptionValue, expected: &str) -> Result<()> {
    let value = shown_value(key, value)?;
    if value == expected {
        return Ok(());
    }
    Err(unsupported(
        &format!("the option {key} can only be {expected}"),
        "write the names of other schemas before those of tables: sys.tables, temp.name",
    ))
}

impl adbc_core::Connection for Connection {
    type StatementType = Statement;

    fn new_statement(&mut self) -> Result<Statement> {
        Ok(Statement::new(self.engine.clone(), self.session.clone()))
    }

    fn cancel(&mut self) -> Result<()> {
        self.current.cancel();
        Ok(())
    }

    fn get_info(&self, codes: Option<HashSet<InfoCode>>) -> Result<Answer> {
        info::info(codes.as_ref()).map(whole)
    }

    fn get_objects(
        &self,
        depth: ObjectDepth,
        catalog: Option<&str>,
        db_schema: Option<&str>,
        table_name: Option<&str>,
        table_type: Option<Vec<&str>>,
        column_name: Option<&str>,
    ) -> Result<Answer> {
        let filter = Filter {
            catalog,
            schema: db_schema,
            table: table_name,
            types: table_type.as_deref(),
            column: column_name,
        };
        let tree = self.metadata().tree(depth, &filter)?;
        objects::objects(&tree).map(whole)
    }

    fn get_table_schema(&self, catalog: Option<&str>, db_schema: Option<&str>, table_name: &str) -> Result<Schema> {
        if catalog.is_some_and(|catalog| !catalog.is_empty() && catalog != CATALOG) {
            return Err(missing("there is no such catalog", "the only catalog is jsm"));
        }
        let schema = db_schema.filter(|schema| !schema.is_empty());
        let schema = self.metadata().table_schema(schema, table_name)?;
        Ok(Schema::clone(&schema))
    }

    fn get_table_types(&self) -> Result<Answer> {
        let types = StringArray::from_iter_values(TABLE_TYPES);
        Ok(whole(RecordBatch::try_new(
            schemas::GET_TABLE_TYPES_SCHEMA.clone(),
            vec![Arc::new(types)],
        )?))
    }

    fn get_statistic_names(&self) -> Result<Answer> {
        Ok(whole(RecordBatch::new_empty(schemas::GET_STATISTIC_NAMES_SCHEMA.clone())))
    }

    fn get_statistics(
        &self,
        catalog: Option<&str>,
        db_schema: Option<&str>,
        table_name: Option<&str>,
        approximate: bool,
    ) -> Result<Answer> {
        let filter = Filter {
            catalog,
            schema: db_schema,
            table: table_name,
            types: None,
            column: None,
        };
        let counts = self.metadata().counts(&filter, approximate)?;
        statistics::statistics(&counts).map(whole)
    }

    fn commit(&mut self) -> Result<()> {
        Err(no_transaction())
    }

    fn rollback(&mut self) -> Result<()> {
        Err(no_transaction())
    }

    fn read_partition(&self, _: impl AsRef<[u8]>) -> Result<Answer> {
        Err(no_partitions())
    }
}

fn no_transaction() -> adbc_core::error::Error {
    out_of_order(
        "there is no transaction: the connection commits each statement as it runs",
        "leave the call out; a site has no transactions",
    )
}

/// The pages of a list are read in an order that the rows themselves decide, and checked against each other: no part of a result can be
/// read by somebody who does not read the rest.
pub(super) fn no_partitions() -> adbc_core::error::Error {
    unsupported(
        "results have no partitions: the pages of a site must be read together to be complete",
        "execute the statement as one result; several statements may run at the same time",
    )
}
