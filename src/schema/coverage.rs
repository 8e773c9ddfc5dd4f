//! The schema files against the vendor's API description, kept as two short lists in `tests/golden/`.
//!
//! `operations.txt` is what the API offers, `coverage.txt` which table serves each GET operation, or why none does. Every other operation is
//! one of a statement or a procedure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Catalog, Endpoint, Segment, Table};

/// An operation that reads.
struct Operation {
    path: &'static str,
    parameters: BTreeSet<&'static str>,
    paged: bool,
}

fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
}

fn operations() -> Vec<Operation> {
    rows(include_str!("../../tests/golden/operations.txt"))
        .filter(|row| row[0] == "GET")
        .map(|row| Operation {
            path: row[1],
            parameters: row[2].split(',').collect(),
            paged: row[3] != "none",
        })
        .collect()
}

/// The operation an endpoint calls: the same literal segments, and placeholders at the same places.
fn operation_of<'a>(operations: &'a [Operation], endpoint: &Endpoint) -> Option<&'a Operation> {
    operations.iter().find(|operation| {
        let segments: Vec<&str> = operation.path.split('/').skip(1).collect();
        segments.len() == endpoint.segments.len()
            && segments.iter().zip(&endpoint.segments).all(|(theirs, ours)| match ours {
                Segment::Literal(text) => theirs == text,
                Segment::Column(_) => theirs.starts_with('{'),
            })
    })
}

fn endpoints(table: &Table) -> impl Iterator<Item = (&Endpoint, bool)> {
    table
        .lists
        .iter()
        .map(|list| (list, true))
        .chain(table.gets.iter().map(|get| (get, false)))
}

/// Parameters that a table may send to one of its endpoints.
fn sent<'a>(table: &'a Table, endpoint: &Endpoint, list: bool) -> BTreeSet<&'a str> {
    let mut sent: BTreeSet<&str> = table.query.iter().map(|(name, _)| name.as_str()).collect();
    for (index, column) in table.columns.iter().enumerate() {
        sent.extend(column.ask.iter().map(|(name, _)| name.as_str()));
        sent.extend(column.expand.iter().map(|_| "expand"));
        let placeholder = endpoint.placeholders().any(|other| other == index);
        if let Some(push) = column
            .push
            .as_ref()
            .filter(|_| list && !placeholder && !endpoint.ignores.contains(&index))
        {
            sent.extend(push.query.as_deref());
            sent.extend(push.when.iter().map(|(_, (name, _))| name.as_str()));
        }
    }
    sent
}

#[test]
fn every_endpoint_is_an_operation_and_sends_what_that_takes() {
    let operations = operations();
    let catalog = Catalog::load(None).unwrap();
    let mut wrong = Vec::new();
    for table in catalog.tables().iter().filter(|table| table.api.name == "servicedesk") {
        for (endpoint, list) in endpoints(table) {
            let Some(operation) = operation_of(&operations, endpoint) else {
                wrong.push(format!("{}: {} is no operation of the API", table.name, endpoint.template));
                continue;
            };
            for parameter in sent(table, endpoint, list) {
                if !operation.parameters.contains(parameter) {
                    wrong.push(format!("{}: {} does not take {parameter}", table.name, operation.path));
                }
            }
            if list && operation.paged != (table.page.style != super::PageStyle::Single) {
                wrong.push(format!("{}: {} is paged otherwise", table.name, operation.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operation_is_a_table_or_has_a_reason() {
    let operations = operations();
    let catalog = Catalog::load(None).unwrap();
    let mut served: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for table in catalog.tables().iter().filter(|table| table.api.name == "servicedesk") {
        for (endpoint, _) in endpoints(table) {
            let operation = operation_of(&operations, endpoint).unwrap();
            served.entry(operation.path).or_default().insert(&table.name);
        }
    }
    let listed: BTreeMap<&str, (BTreeSet<&str>, &str)> = rows(include_str!("../../tests/golden/coverage.txt"))
        .map(|row| {
            let tables = row[1].split(',').filter(|name| *name != "-").collect();
            (row[0], (tables, row[2]))
        })
        .collect();
    for operation in &operations {
        let (tables, reason) = listed
            .get(operation.path)
            .unwrap_or_else(|| panic!("{} is not in coverage.txt", operation.path));
        assert_eq!(
            served.get(operation.path).cloned().unwrap_or_default(),
            *tables,
            "{}",
            operation.path
        );
        assert_eq!(
            tables.is_empty(),
            *reason != "-",
            "{} needs a table or a reason",
            operation.path
        );
    }
    assert_eq!(
        listed.len(),
        operations.len(),
        "coverage.txt lists what the API does not have"
    );
}

/// Writing operations that nothing calls, and why.
const UNCALLED: [&str; 2] = [
    // Internal to Atlassian: no client may call them.
    "POST /rest/servicedeskapi/customer/skip-permission-check",
    "POST /rest/servicedeskapi/servicedesk/{serviceDeskId}/customer/skip-permission-check",
];

#[test]
fn every_writing_operation_is_a_statement_or_a_procedure() {
    let catalog = Catalog::load(None).unwrap();
    let of_tables = catalog
        .tables()
        .iter()
        .filter(|table| table.api.name == "servicedesk")
        .flat_map(|table| table.insert.iter().chain(&table.updates).chain(&table.delete));
    let of_procedures = catalog.procedures().iter().flat_map(|procedure| match &procedure.action {
        Action::Steps(steps) => &steps[..],
        Action::Schema { .. } | Action::OAuth(_) => &[],
    });
    // The shape of a call: its method, and its path without the names of the placeholders.
    let shape = |call: &str| -> String {
        let segments = call
            .split('/')
            .map(|segment| if segment.starts_with('{') { "{}" } else { segment });
        segments.collect::<Vec<_>>().join("/")
    };
    let called: BTreeSet<String> = of_tables
        .map(|operation| &operation.endpoint)
        .chain(of_procedures.map(|step| &step.operation.endpoint))
        .map(|endpoint| shape(&format!("{} {}", endpoint.verb.as_str(), endpoint.template)))
        .collect();
    let offered: Vec<String> = rows(include_str!("../../tests/golden/operations.txt"))
        .map(|row| format!("{} {}", row[0], row[1]))
        .collect();
    for call in offered.iter().filter(|call| !call.starts_with("GET ")) {
        let is_called = called.contains(&shape(call));
        assert_ne!(
            is_called,
            UNCALLED.contains(&call.as_str()),
            "{call} needs a statement, a procedure or a reason"
        );
    }
    let known: BTreeSet<String> = offered.iter().map(|call| shape(call)).collect();
    for call in &called {
        assert!(known.contains(call), "{call} is no operation of the API");
    }
}
