//! The tree of objects that GetObjects answers, before it becomes arrays.

/// The kind of a primary key, in the words of the specification.
pub(super) const PRIMARY: &str = "PRIMARY KEY";
/// The kind of a foreign key, in the words of the specification.
pub(super) const FOREIGN: &str = "FOREIGN KEY";

/// A catalog; `None` where the depth does not reach.
pub(super) struct CatalogNode {
    pub(super) name: String,
    pub(super) schemas: Option<Vec<SchemaNode>>,
}

/// A schema.
pub(super) struct SchemaNode {
    pub(super) name: String,
    pub(super) tables: Option<Vec<TableNode>>,
}

/// A table.
pub(super) struct TableNode {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) columns: Option<Vec<ColumnNode>>,
    pub(super) constraints: Option<Vec<ConstraintNode>>,
}

/// A column.
pub(super) struct ColumnNode {
    pub(super) name: String,
    pub(super) ordinal: i32,
    pub(super) remarks: Option<String>,
    pub(super) type_name: String,
    pub(super) nullable: bool,
}

/// A key.
pub(super) struct ConstraintNode {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) columns: Vec<String>,
    /// Table and column that each column refers to.
    pub(super) usage: Vec<(String, String)>,
}
