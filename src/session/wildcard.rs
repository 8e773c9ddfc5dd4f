//! `SELECT *` shows the columns of the rows, not the questions that can be put to the site: input columns are left out of it unless the
//! option PseudoColumns names them. By name they can always be selected.
//!
//! The statement is rewritten before it is planned: `*` becomes `a.* EXCLUDE (…), b.*`, since a name may be an input of one table and
//! a column of another.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, VisitorMut, WildcardAdditionalOptions,
};

use crate::connection::PseudoColumns;
use crate::schema::Catalog;

/// Rewrites the wildcards of a statement.
pub(super) struct Wildcards<'a> {
    catalog: &'a Catalog,
    shown: &'a PseudoColumns,
    /// Names that a WITH gives to something else.
    named: HashSet<String>,
}

/// One thing that `*` shows the columns of.
struct Relation {
    /// How its columns are qualified, if they can be.
    qualifier: Option<ObjectName>,
    /// Its columns that are not shown.
    hidden: Vec<String>,
}

impl<'a> Wildcards<'a> {
    pub(super) fn new(catalog: &'a Catalog, shown: &'a PseudoColumns) -> Self {
        Self {
            catalog,
            shown,
            named: HashSet::new(),
        }
    }

    /// The relations of a FROM, in the order of `*`; false where columns are merged, so that `*` is not their sequence.
    fn relations(&self, from: &[TableWithJoins], found: &mut Vec<Relation>) -> bool {
        let mut plain = true;
        for table in from {
            plain &= self.relation(&table.relation, found);
            for join in &table.joins {
                let before = found.len();
                plain &= self.relation(&join.relation, found);
                match constraint(&join.join_operator) {
                    Some(JoinConstraint::Using(_) | JoinConstraint::Natural) => plain = false,
                    Some(_) => {}
                    // Only one side comes out of a semi join.
                    None => found.truncate(before),
                }
            }
        }
        plain
    }

    fn relation(&self, factor: &TableFactor, found: &mut Vec<Relation>) -> bool {
        let qualified = |ident: &Ident| Some(ObjectName::from(vec![ident.clone()]));
        let relation = match factor {
            TableFactor::Table {
                name, alias, args: None, ..
            } => {
                let idents: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
                let Some(last) = idents.last() else { return false };
                let qualifier = alias.as_ref().map_or(*last, |alias| &alias.name);
                Relation {
                    qualifier: qualified(qualifier),
                    hidden: self.hidden(&idents),
                }
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => return self.relations(std::slice::from_ref(table_with_joins.as_ref()), found),
            TableFactor::Derived { alias: Some(alias), .. } => Relation {
                qualifier: qualified(&alias.name),
                hidden: Vec::new(),
            },
            _ => Relation {
                qualifier: None,
                hidden: Vec::new(),
            },
        };
        found.push(relation);
        true
    }

    /// Input columns of a table of the site.
    fn hidden(&self, name: &[&Ident]) -> Vec<String> {
        let [schema @ .., table] = name else { return Vec::new() };
        let of_site = match schema {
            [] => !self.named.contains(&text(table)),
            [schema] | [_, schema] => text(schema) == "public",
            _ => false,
        };
        let table = self
            .catalog
            .tables()
            .iter()
            .find(|known| of_site && known.name == text(table));
        table.map_or_else(Vec::new, |table| {
            let inputs = table.columns.iter().filter(|column| column.input || column.write_only);
            let hidden = inputs.filter(|column| !self.shown.shows(&table.name, &column.name));
            hidden.map(|column| column.name.clone()).collect()
        })
    }
}

impl VisitorMut for Wildcards<'_> {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.named.extend(tables.map(|table| text(&table.alias.name)));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        let mut relations = Vec::new();
        let plain = self.relations(&select.from, &mut relations);
        if relations.iter().all(|relation| relation.hidden.is_empty()) {
            return ControlFlow::Continue(());
        }
        let items = std::mem::take(&mut select.projection);
        for item in items {
            match item {
                SelectItem::Wildcard(options) if relations.len() == 1 => {
                    select
                        .projection
                        .push(SelectItem::Wildcard(without(options, &relations[0].hidden)));
                }
                SelectItem::Wildcard(options) if plain && options.opt_exclude.is_none() && options.opt_except.is_none() => {
                    match each(&relations, &options) {
                        Some(items) => select.projection.extend(items),
                        None => select.projection.push(SelectItem::Wildcard(options)),
                    }
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    let named = |relation: &&Relation| relation.qualifier.as_ref().is_some_and(|own| same(own, &name));
                    let hidden = relations.iter().find(named).map_or(&[][..], |relation| &relation.hidden);
                    let options = without(options, hidden);
                    let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
                    select.projection.push(SelectItem::QualifiedWildcard(kind, options));
                }
                other => select.projection.push(other),
            }
        }
        ControlFlow::Continue(())
    }
}

/// The constraint of a join that shows both sides.
fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint) => Some(constraint),
        _ => None,
    }
}

/// `a.*, b.*` in place of `*`; `None` where a relation has no name to say it with.
fn each(relations: &[Relation], options: &WildcardAdditionalOptions) -> Option<Vec<SelectItem>> {
    let item = |relation: &Relation| {
        let name = relation.qualifier.clone()?;
        let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
        Some(SelectItem::QualifiedWildcard(
            kind,
            without(options.clone(), &relation.hidden),
        ))
    };
    relations.iter().map(item).collect()
}

fn without(mut options: WildcardAdditionalOptions, hidden: &[String]) -> WildcardAdditionalOptions {
    if hidden.is_empty() {
        return options;
    }
    let mut names = match options.opt_exclude.take() {
        None => Vec::new(),
        Some(ExcludeSelectItem::Single(name)) => vec![name],
        Some(ExcludeSelectItem::Multiple(names)) => names,
    };
    for name in hidden {
        let name = ObjectName::from(vec![Ident::new(name)]);
        if !names.iter().any(|known| same(known, &name)) {
            names.push(name);
        }
    }
    options.opt_exclude = Some(ExcludeSelectItem::Multiple(names));
    options
}

fn same(a: &ObjectName, b: &ObjectName) -> bool {
    let last = |name: &ObjectName| name.0.last().and_then(|part| part.as_ident()).map(text);
    last(a) == last(b)
}

/// A name as it is looked up: in lower case unless it is quoted.
fn text(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}
