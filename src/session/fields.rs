//! Custom fields by their ids: `SELECT customfield_10204 FROM issues`, whatever the site calls the field, and in which language.
//!
//! The id becomes the name of the column before the statement is planned, in every clause, so that it is read, filtered, sorted and written
//! as that column is. A field that several columns show parts of is refused with their names.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement as SqlStatement;
use datafusion::sql::sqlparser::ast::{
    AssignmentTarget, Expr, FromTable, Ident, ObjectName, ObjectNamePart, OrderBy, OrderByKind, Query, Select, SelectItem,
    SetExpr, Statement, TableFactor, TableObject, TableWithJoins, Visit, VisitMut, Visitor, VisitorMut,
};

use super::named::plain;
use crate::error::{Error, ErrorKind};
use crate::table::{provided, to_datafusion};

/// Names columns that are named by the id of their field.
pub(super) async fn by_name(state: &SessionState, statement: &mut SqlStatement) -> Result<(), DataFusionError> {
    let inner = match statement {
        SqlStatement::Statement(inner) => inner.as_mut(),
        SqlStatement::Explain(explain) => match explain.statement.as_mut() {
            SqlStatement::Statement(inner) => inner.as_mut(),
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    let mut wanted = Wanted::default();
    let ControlFlow::Continue(()) = Visit::visit(&*inner, &mut wanted);
    if !wanted.has_id && !targets(inner).iter().any(|ident| is_id(&plain(ident))) {
        return Ok(());
    }
    let mut tables = HashMap::new();
    for relation in wanted.relations {
        let reference = match relation.as_slice() {
            [table] if !wanted.named.contains(table) => TableReference::bare(table.as_str()),
            [schema, table] => TableReference::partial(schema.as_str(), table.as_str()),
            [catalog, schema, table] => TableReference::full(catalog.as_str(), schema.as_str(), table.as_str()),
            _ => continue,
        };
        let name = reference.table().to_owned();
        let Ok(schema) = state.schema_for_ref(reference) else {
            continue;
        };
        let Some(table) = schema.table(&name).await?.and_then(|provider| provided(provider.as_ref())) else {
            continue;
        };
        let mut fields: Fields = HashMap::new();
        for column in &table.columns {
            if let Some(field) = &column.field {
                fields.entry(field.clone()).or_default().insert(column.name.clone());
            }
        }
        tables.insert(relation, Arc::new(fields));
    }
    let mut names = Names {
        tables,
        scopes: Vec::new(),
        orders: Vec::new(),
    };
    match VisitMut::visit(inner, &mut names) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(to_datafusion(error)),
    }
}

/// Columns of a table by the id of the field that they show.
type Fields = HashMap<String, BTreeSet<String>>;

/// Whether a name is the id of a custom field: `customfield_10204`.
pub(super) fn is_id(name: &str) -> bool {
    name.strip_prefix("customfield_").is_some_and(|id| id.parse::<u64>().is_ok())
}

/// Columns that a statement writes.
fn targets(statement: &mut Statement) -> Vec<&mut Ident> {
    let names: Vec<&mut ObjectName> = match statement {
        Statement::Insert(insert) => insert.columns.iter_mut().collect(),
        Statement::Update(update) => {
            let targets = update.assignments.iter_mut().map(|assignment| &mut assignment.target);
            let names = targets.flat_map(|target| match target {
                AssignmentTarget::ColumnName(name) => std::slice::from_mut(name),
                AssignmentTarget::Tuple(names) => names.as_mut_slice(),
            });
            names.collect()
        }
        _ => Vec::new(),
    };
    names
        .into_iter()
        .filter_map(|name| match name.0.last_mut() {
            Some(ObjectNamePart::Identifier(ident)) => Some(ident),
            _ => None,
        })
        .collect()
}

fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(ObjectNamePart::as_ident).map(plain).collect()
}

/// What a statement reads, and whether it names a field by its id.
#[derive(Default)]
struct Wanted {
    relations: BTreeSet<Vec<String>>,
    /// Names that a WITH gives to something else.
    named: BTreeSet<String>,
    has_id: bool,
}

impl Visitor for Wanted {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.named.extend(tables.map(|table| plain(&table.alias.name)));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Self::Break> {
        self.relations.insert(parts(relation));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Self::Break> {
        self.has_id |= match expression {
            Expr::Identifier(name) => is_id(&plain(name)),
            Expr::CompoundIdentifier(names) => names.last().is_some_and(|name| is_id(&plain(name))),
            _ => false,
        };
        ControlFlow::Continue(())
    }
}

/// What one FROM has, by the names that it has there; without fields what is no table of the site, and may have any column.
type Scope = Vec<(String, Option<Arc<Fields>>)>;

/// Puts names in place of ids.
struct Names {
    tables: HashMap<Vec<String>, Arc<Fields>>,
    /// Innermost last.
    scopes: Vec<Scope>,
    /// What queries are sorted by, while the rest of them is visited.
    orders: Vec<Option<OrderBy>>,
}

impl Names {
    fn scope(&self, from: &[TableWithJoins]) -> Scope {
        let mut scope = Vec::new();
        let mut left: Vec<&TableFactor> = Vec::new();
        for table in from {
            left.push(&table.relation);
            left.extend(table.joins.iter().map(|join| &join.relation));
        }
        while let Some(factor) = left.pop() {
            match factor {
                TableFactor::NestedJoin { table_with_joins, .. } => {
                    left.push(&table_with_joins.relation);
                    left.extend(table_with_joins.joins.iter().map(|join| &join.relation));
                }
                TableFactor::Table { name, alias, args, .. } => {
                    let parts = parts(name);
                    let fields = self.tables.get(&parts).filter(|_| args.is_none()).cloned();
                    let called = alias
                        .as_ref()
                        .map(|alias| plain(&alias.name))
                        .or_else(|| parts.last().cloned());
                    scope.push((called.unwrap_or_default(), fields));
                }
                TableFactor::Derived { alias, .. } => {
                    scope.push((alias.as_ref().map_or_else(String::new, |alias| plain(&alias.name)), None));
                }
                _ => scope.push((String::new(), None)),
            }
        }
        scope
    }

    /// The name of the column that an id means; `None` where no table around has the field.
    fn name(&self, table: Option<&Ident>, id: &Ident) -> Result<Option<Ident>, Error> {
        if !is_id(&plain(id)) {
            return Ok(None);
        }
        let (table, id) = (table.map(plain), plain(id));
        for scope in self.scopes.iter().rev() {
            let known: Vec<_> = (scope.iter())
                .filter(|(called, _)| table.as_ref().is_none_or(|table| table == called))
                .collect();
            if known.iter().any(|(_, fields)| fields.is_none()) {
                // It may have a column that is called so.
                return Ok(None);
            }
            let fields = known.iter().filter_map(|(_, fields)| fields.as_ref());
            let found: Vec<&BTreeSet<String>> = fields.filter_map(|fields| fields.get(&id)).collect();
            let Some(first) = found.first() else { continue };
            let mut names = first.iter();
            return match (names.next(), names.next(), found.iter().all(|other| other == first)) {
                (Some(name), None, true) => Ok(Some(Ident::with_quote('"', name))),
                (_, _, false) => Err(
                    Error::new(ErrorKind::Statement, format!("{id} is called differently in two tables"))
                        .hint(format!("say of which table: t.{id}")),
                ),
                _ => {
                    let names: Vec<&str> = first.iter().map(String::as_str).collect();
                    Err(Error::new(ErrorKind::Statement, format!("{id} is shown by several columns"))
                        .hint(format!("name one of them: {}", names.join(", "))))
                }
            };
        }
        Ok(None)
    }

    /// Gives a column its name, as long as it is called by an id.
    fn rename(&self, expression: &mut Expr) -> Result<bool, Error> {
        match expression {
            Expr::Identifier(id) => {
                if let Some(name) = self.name(None, id)? {
                    *id = name;
                    return Ok(true);
                }
            }
            Expr::CompoundIdentifier(names) => {
                if let [.., table, id] = names.as_mut_slice()
                    && let Some(name) = self.name(Some(table), id)?
                {
                    *id = name;
                    return Ok(true);
                }
            }
            _ => {}
        }
        Ok(false)
    }
}

/// What a column is called that is selected as it is.
fn output(item: &SelectItem) -> Option<&Ident> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last(),
        SelectItem::ExprWithAlias { alias, .. } => Some(alias),
        _ => None,
    }
}

impl VisitorMut for Names {
    type Break = Error;

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<Error> {
        let scope = match statement {
            Statement::Update(update) => self.scope(std::slice::from_ref(&update.table)),
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                self.scope(from)
            }
            Statement::Insert(insert) => match &insert.table {
                TableObject::TableName(name) => {
                    let parts = parts(name);
                    let called = parts.last().cloned().unwrap_or_default();
                    vec![(called, self.tables.get(&parts).cloned())]
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        self.scopes.push(scope);
        for target in targets(statement) {
            match self.name(None, target) {
                Ok(Some(name)) => *target = name,
                Ok(None) => {}
                Err(error) => return ControlFlow::Break(error),
            }
        }
        // The query of an INSERT does not see the table.
        if let (Statement::Insert(_), Some(scope)) = (&*statement, self.scopes.last_mut()) {
            scope.clear();
        }
        ControlFlow::Continue(())
    }

    fn post_visit_statement(&mut self, _: &mut Statement) -> ControlFlow<Error> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let mut order = query.order_by.take();
        if let (SetExpr::Select(select), Some(OrderByKind::Expressions(keys))) =
            (query.body.as_ref(), order.as_mut().map(|order| &mut order.kind))
        {
            let outputs: Vec<String> = select.projection.iter().filter_map(output).map(plain).collect();
            self.scopes.push(self.scope(&select.from));
            for key in keys {
                let is_output = matches!(&key.expr, Expr::Identifier(name) if outputs.contains(&plain(name)));
                if !is_output {
                    VisitMut::visit(&mut key.expr, self)?;
                }
            }
            self.scopes.pop();
        }
        self.orders.push(order);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        query.order_by = self.orders.pop().flatten();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        self.scopes.push(self.scope(&select.from));
        for item in &mut select.projection {
            let alias = output(item).cloned();
            if let (SelectItem::UnnamedExpr(expression), Some(alias)) = (&mut *item, alias) {
                match self.rename(expression) {
                    Ok(true) => {
                        let expr = std::mem::replace(expression, Expr::Identifier(Ident::new("")));
                        *item = SelectItem::ExprWithAlias { expr, alias };
                    }
                    Ok(false) => {}
                    Err(error) => return ControlFlow::Break(error),
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<Error> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        match self.rename(expression) {
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}
