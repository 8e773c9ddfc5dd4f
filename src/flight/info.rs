//! What the server and its SQL can do, in the codes of `SqlInfo`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder};
use arrow_flight::sql::{
    CommandGetSqlInfo, SqlInfo, SqlNullOrdering, SqlOuterJoinsSupportLevel, SqlSupportedCaseSensitivity, SqlSupportedGroupBy,
    SqlSupportedResultSetConcurrency as Concurrency, SqlSupportedResultSetType as ResultSet,
    SqlSupportedSubqueries as Subqueries, SqlSupportedTransaction, SqlSupportedUnions as Unions, SqlSupportsConvert as Type,
    SqlTransactionIsolationLevel as Isolation, SupportedSqlGrammar as Grammar,
};

use super::limits::Limits;
use crate::error::{Error, ErrorKind, Result};
use crate::session::Session;

/// Words that SQL of 1992 does not reserve and this one does.
const KEYWORDS: &[&str] = &[
    "ANALYZE",
    "ANTI",
    "DESCRIBE",
    "EXCEPT",
    "EXCLUDE",
    "EXPLAIN",
    "FETCH",
    "FILTER",
    "ILIKE",
    "INTERSECT",
    "LATERAL",
    "LIMIT",
    "OFFSET",
    "OVER",
    "PARTITION",
    "PREPARE",
    "QUALIFY",
    "RETURNING",
    "SEMI",
    "SHOW",
    "TABLESAMPLE",
    "UNNEST",
    "WINDOW",
];
const NUMERIC: &[&str] = &[
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "cot",
    "degrees",
    "exp",
    "factorial",
    "floor",
    "gcd",
    "isnan",
    "iszero",
    "lcm",
    "ln",
    "log",
    "log10",
    "log2",
    "nanvl",
    "pi",
    "power",
    "radians",
    "random",
    "round",
    "signum",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
];
const STRING: &[&str] = &[
    "ascii",
    "bit_length",
    "btrim",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "contains",
    "ends_with",
    "find_in_set",
    "initcap",
    "left",
    "levenshtein",
    "lower",
    "lpad",
    "ltrim",
    "octet_length",
    "overlay",
    "regexp_like",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substr_index",
    "to_hex",
    "translate",
    "upper",
    "uuid",
];
const SYSTEM: &[&str] = &["arrow_cast", "arrow_typeof", "coalesce", "nullif", "nvl", "nvl2", "version"];
const DATETIME: &[&str] = &[
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "from_unixtime",
    "make_date",
    "now",
    "to_char",
    "to_date",
    "to_local_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
];

/// Longest text of a statement, in bytes.
const STATEMENT: i64 = 8 << 20;
/// The version of the Arrow format that batches are written in.
const FORMAT: &str = "1.3";

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("the facts about the server cannot be put together: {error}"),
    )
}

/// The facts that are asked for; all of them where none is named.
pub(super) fn rows(session: &Session, limits: &Limits, command: CommandGetSqlInfo) -> Result<RecordBatch> {
    let facts = facts(session.connection().readonly(), limits)?;
    command.into_builder(&facts).build().map_err(failed)
}

/// Columns of the answer.
pub(super) fn schema() -> SchemaRef {
    Arc::new(SqlInfoDataBuilder::schema().clone())
}

/// A set of the numbers of an enumeration.
fn bits(numbers: &[i32]) -> i32 {
    numbers.iter().fold(0, |set, number| set | 1 << number)
}

fn facts(readonly: bool, limits: &Limits) -> Result<SqlInfoData> {
    use SqlInfo as Code;
    let mut facts = SqlInfoDataBuilder::new();
    let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let number = |limit: usize| i64::try_from(limit).unwrap_or(i64::MAX);
    let milliseconds = limits
        .time
        .map_or(0, |time| i32::try_from(time.as_millis()).unwrap_or(i32::MAX));
    for (code, value) in [
        (Code::FlightSqlServerName, "jsmql"),
        (Code::FlightSqlServerVersion, env!("CARGO_PKG_VERSION")),
        (Code::FlightSqlServerArrowVersion, FORMAT),
        (Code::FlightSqlServerSubstraitMinVersion, ""),
        (Code::FlightSqlServerSubstraitMaxVersion, ""),
        (Code::SqlIdentifierQuoteChar, "\""),
        (Code::SqlSearchStringEscape, "\\"),
        (Code::SqlExtraNameCharacters, ""),
        (Code::SqlSchemaTerm, "schema"),
        (Code::SqlProcedureTerm, "procedure"),
        (Code::SqlCatalogTerm, "catalog"),
    ] {
        facts.append(code, value);
    }
    for (code, value) in [
        (Code::FlightSqlServerReadOnly, readonly),
        (Code::FlightSqlServerSql, true),
        (Code::FlightSqlServerSubstrait, false),
        (Code::FlightSqlServerCancel, true),
        (Code::FlightSqlServerBulkIngestion, true),
        (Code::FlightSqlServerIngestTransactionsSupported, false),
        (Code::SqlDdlCatalog, false),
        (Code::SqlDdlSchema, false),
        // In the schema temp.
        (Code::SqlDdlTable, true),
        // The site decides what an account may read.
        (Code::SqlAllTablesAreSelectable, false),
        (Code::SqlSupportsColumnAliasing, true),
        (Code::SqlNullPlusNullIsNull, true),
        (Code::SqlSupportsTableCorrelationNames, true),
        (Code::SqlSupportsDifferentTableCorrelationNames, false),
        (Code::SqlSupportsExpressionsInOrderBy, true),
        (Code::SqlSupportsOrderByUnrelated, true),
        (Code::SqlSupportsLikeEscapeClause, true),
        (Code::SqlSupportsNonNullableColumns, true),
        (Code::SqlSupportsIntegrityEnhancementFacility, false),
        (Code::SqlCatalogAtStart, true),
        (Code::SqlSelectForUpdateSupported, false),
        (Code::SqlStoredProceduresSupported, true),
        (Code::SqlCorrelatedSubqueriesSupported, true),
        (Code::SqlMaxRowSizeIncludesBlobs, true),
        (Code::SqlTransactionsSupported, false),
        (Code::SqlDataDefinitionCausesTransactionCommit, false),
        (Code::SqlDataDefinitionsInTransactionsIgnored, false),
        (Code::SqlBatchUpdatesSupported, true),
        (Code::SqlSavepointsSupported, false),
        (Code::SqlNamedParametersSupported, false),
        (Code::SqlLocatorsUpdateCopy, false),
        (Code::SqlStoredFunctionsUsingCallSyntaxSupported, false),
    ] {
        facts.append(code, value);
    }
    for (code, value) in [
        (Code::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32),
        (Code::FlightSqlServerStatementTimeout, milliseconds),
        (Code::FlightSqlServerTransactionTimeout, 0),
        (
            Code::SqlIdentifierCase,
            SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32,
        ),
        // They are taken as they are, which the protocol has no number for.
        (
            Code::SqlQuotedIdentifierCase,
            SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32,
        ),
        (Code::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32),
        (
            Code::SqlSupportedGroupBy,
            bits(&[
                SqlSupportedGroupBy::SqlGroupByUnrelated as i32,
                SqlSupportedGroupBy::SqlGroupByBeyondSelect as i32,
            ]),
        ),
        (
            Code::SqlSupportedGrammar,
            bits(&[Grammar::SqlMinimumGrammar as i32, Grammar::SqlCoreGrammar as i32]),
        ),
        (Code::SqlAnsi92SupportedLevel, bits(&[0])),
        (
            Code::SqlOuterJoinsSupportLevel,
            SqlOuterJoinsSupportLevel::SqlFullOuterJoins as i32,
        ),
        (Code::SqlSchemasSupportedActions, 0),
        (Code::SqlCatalogsSupportedActions, 0),
        (Code::SqlSupportedPositionedCommands, 0),
        (
            Code::SqlSupportedSubqueries,
            bits(&[
                Subqueries::SqlSubqueriesInComparisons as i32,
                Subqueries::SqlSubqueriesInExists as i32,
                Subqueries::SqlSubqueriesInIns as i32,
            ]),
        ),
        (
            Code::SqlSupportedUnions,
            bits(&[Unions::SqlUnion as i32, Unions::SqlUnionAll as i32]),
        ),
        (Code::SqlDefaultTransactionIsolation, Isolation::SqlTransactionNone as i32),
        (
            Code::SqlSupportedTransactionsIsolationLevels,
            bits(&[Isolation::SqlTransactionNone as i32]),
        ),
        (
            Code::SqlSupportedResultSetTypes,
            bits(&[ResultSet::SqlResultSetTypeForwardOnly as i32]),
        ),
        (
            Code::SqlSupportedConcurrenciesForResultSetForwardOnly,
            bits(&[Concurrency::SqlResultSetConcurrencyReadOnly as i32]),
        ),
        (Code::SqlSupportedConcurrenciesForResultSetUnspecified, 0),
        (Code::SqlSupportedConcurrenciesForResultSetScrollSensitive, 0),
        (Code::SqlSupportedConcurrenciesForResultSetScrollInsensitive, 0),
    ] {
        facts.append(code, value);
    }
    for (code, words) in [
        (Code::SqlKeywords, KEYWORDS),
        (Code::SqlNumericFunctions, NUMERIC),
        (Code::SqlStringFunctions, STRING),
        (Code::SqlSystemFunctions, SYSTEM),
        (Code::SqlDatetimeFunctions, DATETIME),
    ] {
        facts.append(code, text(words));
    }
    // 0 is without a limit, or without one that is known.
    for (code, limit) in [
        (Code::SqlMaxBinaryLiteralLength, 0),
        (Code::SqlMaxCharLiteralLength, 0),
        (Code::SqlMaxColumnNameLength, 0),
        (Code::SqlMaxColumnsInGroupBy, 0),
        (Code::SqlMaxColumnsInIndex, 0),
        (Code::SqlMaxColumnsInOrderBy, 0),
        (Code::SqlMaxColumnsInSelect, 0),
        (Code::SqlMaxColumnsInTable, 0),
        (Code::SqlMaxConnections, number(limits.connections)),
        (Code::SqlMaxCursorNameLength, 0),
        (Code::SqlMaxIndexLength, 0),
        (Code::SqlDbSchemaNameLength, 0),
        (Code::SqlMaxProcedureNameLength, 0),
        (Code::SqlMaxCatalogNameLength, 0),
        (Code::SqlMaxRowSize, 0),
        (Code::SqlMaxStatementLength, STATEMENT.min(number(limits.message))),
        (Code::SqlMaxStatements, number(limits.statements)),
        (Code::SqlMaxTableNameLength, 0),
        (Code::SqlMaxTablesInSelect, 0),
        (Code::SqlMaxUsernameLength, 0),
    ] {
        facts.append(code, limit);
    }
    facts.append(Code::SqlSupportsConvert, conversions());
    facts.build().map_err(failed)
}

/// What CAST makes of what.
fn conversions() -> BTreeMap<i32, Vec<i32>> {
    let numbers = [
        Type::SqlConvertBigint,
        Type::SqlConvertDecimal,
        Type::SqlConvertFloat,
        Type::SqlConvertInteger,
        Type::SqlConvertNumeric,
        Type::SqlConvertReal,
        Type::SqlConvertSmallint,
        Type::SqlConvertTinyint,
    ];
    let texts = [Type::SqlConvertChar, Type::SqlConvertVarchar, Type::SqlConvertLongvarchar];
    let times = [Type::SqlConvertDate, Type::SqlConvertTimestamp];
    let all = |groups: &[&[Type]]| {
        let mut types: Vec<i32> = groups
            .iter()
            .flat_map(|group| group.iter().map(|kind| *kind as i32))
            .collect();
        types.sort_unstable();
        types
    };
    let (bit, time) = ([Type::SqlConvertBit], [Type::SqlConvertTime]);
    let mut map = BTreeMap::new();
    map.extend(numbers.map(|kind| (kind as i32, all(&[&numbers, &texts, &bit]))));
    map.extend(texts.map(|kind| (kind as i32, all(&[&numbers, &texts, &bit, &times, &time]))));
    map.extend(times.map(|kind| (kind as i32, all(&[&texts, &times]))));
    map.insert(Type::SqlConvertBit as i32, all(&[&numbers, &texts, &bit]));
    map.insert(Type::SqlConvertTime as i32, all(&[&texts, &time]));
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::UInt32Type;
    use futures::TryStreamExt;

    #[test]
    fn every_code_of_the_protocol_is_answered() {
        let all = facts(true, &Limits::default()).unwrap().record_batch(None).unwrap();
        let codes: Vec<u32> = all.column(0).as_primitive::<UInt32Type>().values().to_vec();
        let mut missing = Vec::new();
        for number in 0..1_000 {
            if let Ok(code) = SqlInfo::try_from(number)
                && !codes.contains(&(number as u32))
            {
                missing.push(code);
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(all.schema(), schema());
    }

    #[tokio::test]
    async fn functions_that_are_named_exist() {
        let connection = crate::Connection::parse("URL=https://acme.atlassian.net;User=a@b.example;APIToken=t", []).unwrap();
        let session = Session::open(connection).unwrap();
        let sql = "SELECT DISTINCT routine_name FROM information_schema.routines";
        let rows: Vec<RecordBatch> = session.sql(sql).await.unwrap().try_collect().await.unwrap();
        let known: Vec<String> = rows
            .iter()
            .flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned))
            .collect();
        let named = [NUMERIC, STRING, SYSTEM, DATETIME].concat();
        let unknown: Vec<&&str> = named
            .iter()
            .filter(|name| !known.iter().any(|known| known == **name))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
