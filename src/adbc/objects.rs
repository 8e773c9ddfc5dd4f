//! The answer of GetObjects: a tree as nested arrays, with the schema of the specification.

use std::sync::Arc;

use adbc_core::error::Result;
use adbc_core::schemas;
use arrow::array::{
    ArrayRef, BooleanArray, Int16Array, Int32Array, ListArray, RecordBatch, StringArray, StructArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};

use super::metadata::{CATALOG, SCHEMA};
use super::sql_type::type_code;
use super::tree::{CatalogNode, ColumnNode, ConstraintNode, FOREIGN, SchemaNode, TableNode};

/// The tree as one batch, one row for each catalog.
pub(super) fn objects(catalogs: &[CatalogNode]) -> Result<RecordBatch> {
    let schemas = lists(catalogs.iter().map(|catalog| catalog.schemas.as_deref()), schemas)?;
    Ok(RecordBatch::try_new(
        schemas::GET_OBJECTS_SCHEMA.clone(),
        vec![text(catalogs.iter().map(|catalog| Some(catalog.name.as_str()))), schemas],
    )?)
}

fn schemas(schemas: &[&SchemaNode]) -> Result<StructArray> {
    let tables = lists(schemas.iter().map(|schema| schema.tables.as_deref()), tables)?;
    structs(
        &schemas::OBJECTS_DB_SCHEMA_SCHEMA,
        vec![text(schemas.iter().map(|schema| Some(schema.name.as_str()))), tables],
    )
}

fn tables(tables: &[&TableNode]) -> Result<StructArray> {
    let columns = lists(tables.iter().map(|table| table.columns.as_deref()), columns)?;
    let constraints = lists(tables.iter().map(|table| table.constraints.as_deref()), constraints)?;
    structs(
        &schemas::TABLE_SCHEMA,
        vec![
            text(tables.iter().map(|table| Some(table.name.as_str()))),
            text(tables.iter().map(|table| Some(table.kind))),
            columns,
            constraints,
        ],
    )
}

/// What is not known of a column is null: its size, digits and default are the site's.
fn columns(columns: &[&ColumnNode]) -> Result<StructArray> {
    let codes = || -> ArrayRef {
        Arc::new(Int16Array::from_iter_values(
            columns.iter().map(|column| type_code(&column.type_name)),
        ))
    };
    let mut known: Vec<(&str, ArrayRef)> = vec![
        ("column_name", text(columns.iter().map(|column| Some(column.name.as_str())))),
        (
            "ordinal_position",
            Arc::new(Int32Array::from_iter_values(columns.iter().map(|column| column.ordinal))),
        ),
        ("remarks", text(columns.iter().map(|column| column.remarks.as_deref()))),
        ("xdbc_data_type", codes()),
        ("xdbc_sql_data_type", codes()),
        (
            "xdbc_type_name",
            text(columns.iter().map(|column| Some(column.type_name.as_str()))),
        ),
        (
            "xdbc_nullable",
            Arc::new(Int16Array::from_iter_values(
                columns.iter().map(|column| i16::from(column.nullable)),
            )),
        ),
        (
            "xdbc_is_nullable",
            text(columns.iter().map(|column| Some(if column.nullable { "YES" } else { "NO" }))),
        ),
    ];
    let never: ArrayRef = Arc::new(BooleanArray::from(vec![false; columns.len()]));
    known.push(("xdbc_is_autoincrement", never));
    let arrays = fields(&schemas::COLUMN_SCHEMA).iter().map(|field| {
        let known = known.iter().find(|(name, _)| name == field.name());
        known.map_or_else(
            || new_null_array(field.data_type(), columns.len()),
            |(_, array)| array.clone(),
        )
    });
    structs(&schemas::COLUMN_SCHEMA, arrays.collect())
}

fn constraints(constraints: &[&ConstraintNode]) -> Result<StructArray> {
    let names = constraints.iter().map(|key| Some(key.columns.as_slice()));
    let names = lists(names, |names: &[&String]| Ok(StringArray::from_iter_values(names)))?;
    let usage = constraints
        .iter()
        .map(|key| (key.kind == FOREIGN).then_some(key.usage.as_slice()));
    let usage = lists(usage, |usage: &[&(String, String)]| {
        structs(
            &schemas::USAGE_SCHEMA,
            vec![
                text(usage.iter().map(|_| Some(CATALOG))),
                text(usage.iter().map(|_| Some(SCHEMA))),
                text(usage.iter().map(|(table, _)| Some(table.as_str()))),
                text(usage.iter().map(|(_, column)| Some(column.as_str()))),
            ],
        )
    })?;
    structs(
        &schemas::CONSTRAINT_SCHEMA,
        vec![
            text(constraints.iter().map(|key| Some(key.name.as_str()))),
            text(constraints.iter().map(|key| Some(key.kind))),
            names,
            usage,
        ],
    )
}

fn text<'t>(values: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// One list for each parent; `None` where the depth does not reach its children.
pub(super) fn lists<'n, T: 'n, A: arrow::array::Array + 'static>(
    parents: impl Iterator<Item = Option<&'n [T]>>,
    children: impl FnOnce(&[&'n T]) -> Result<A>,
) -> Result<ArrayRef> {
    let (mut all, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for parent in parents {
        valid.push(parent.is_some());
        lengths.push(parent.map_or(0, <[T]>::len));
        all.extend(parent.into_iter().flatten());
    }
    let children: ArrayRef = Arc::new(children(&all)?);
    let item = Arc::new(Field::new_list_field(children.data_type().clone(), true));
    let nulls = NullBuffer::from(valid);
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    Ok(Arc::new(ListArray::try_new(
        item,
        OffsetBuffer::from_lengths(lengths),
        children,
        nulls,
    )?))
}

/// The fields of a struct type of the specification.
fn fields(kind: &DataType) -> &Fields {
    match kind {
        DataType::Struct(fields) => fields,
        _ => unreachable!("the schemas of the specification are structs of lists"),
    }
}

/// Structs of a type of the specification.
pub(super) fn structs(kind: &DataType, arrays: Vec<ArrayRef>) -> Result<StructArray> {
    let length = arrays.first().map_or(0, |array| array.len());
    Ok(StructArray::try_new_with_length(fields(kind).clone(), arrays, None, length)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use arrow::array::{Array, AsArray};

    use super::*;
    use crate::adbc::tree::PRIMARY;

    fn catalog(schemas: Option<Vec<SchemaNode>>) -> Vec<CatalogNode> {
        vec![CatalogNode {
            name: CATALOG.to_owned(),
            schemas,
        }]
    }

    #[test]
    fn a_depth_that_is_not_reached_is_null_and_nothing_found_is_empty() {
        let shallow = objects(&catalog(None)).unwrap();
        assert!(shallow.column(1).is_null(0));
        let tables = Some(Vec::new());
        let name = SCHEMA.to_owned();
        let empty = objects(&catalog(Some(vec![SchemaNode { name, tables }]))).unwrap();
        let schemas = empty.column(1).as_list::<i32>().value(0);
        let tables = schemas.as_struct().column(1).as_list::<i32>().clone();
        assert!(tables.is_valid(0) && tables.value(0).is_empty());
        assert_eq!(objects(&[]).unwrap().num_rows(), 0);
    }

    #[test]
    fn keys_stand_under_their_tables() {
        let key = |kind, usage| ConstraintNode {
            name: "k".to_owned(),
            kind,
            columns: vec!["a".to_owned(), "b".to_owned()],
            usage,
        };
        let table = |name: &str, constraints| TableNode {
            name: name.to_owned(),
            kind: "TABLE",
            columns: Some(Vec::new()),
            constraints: Some(constraints),
        };
        let foreign = key(FOREIGN, vec![("other".to_owned(), "id".to_owned())]);
        let tables = vec![table("none", vec![]), table("both", vec![key(PRIMARY, vec![]), foreign])];
        let name = SCHEMA.to_owned();
        let batch = objects(&catalog(Some(vec![SchemaNode {
            name,
            tables: Some(tables),
        }])))
        .unwrap();
        let schemas = batch.column(1).as_list::<i32>().value(0);
        let tables = schemas.as_struct().column(1).as_list::<i32>().value(0);
        let constraints = tables.as_struct().column(3).as_list::<i32>();
        assert_eq!((constraints.value_length(0), constraints.value_length(1)), (0, 2));
        let both = constraints.value(1);
        let usage = both.as_struct().column(3).as_list::<i32>();
        assert!(usage.is_null(0));
        assert_eq!(usage.value(1).as_struct().column(2).as_string::<i32>().value(0), "other");
    }
}
