//! Columns that depend on the site: what a schema file says about them, and how the field metadata of a site turns them into columns.
//!
//! Pure: the metadata comes in as values. Fields are found by their type, never by number or label; names are made collision-safe, so
//! that a column never changes its meaning because another field came along, only its name, and only where the two share one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize;

use super::compile::json_path;
use super::file::ColumnFile;
use super::{Column, Form, JsonPath, Origin, Table};

/// Columns made from the fields of the site, as written (`[custom]`).
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct CustomFile {
    /// Endpoint that lists the fields, as `"GET /path"`: an array of objects with `id`, `name` and `schema`.
    pub fields: String,
    /// Path of the value of a field in a row; `{id}` stands for its id.
    pub at: String,
    /// Whether the site must be asked even where `IncludeCustomFields` is off, since columns of the table itself are fields of the site.
    #[serde(default)]
    pub needed: bool,
    /// Types of the columns. The key is the `custom` key of the field's schema, or `type/items`, or `type`; `*` stands for any other.
    #[serde(default)]
    pub types: IndexMap<String, ColumnFile>,
    /// Table whose columns for custom fields this table has as well, of the same names and types.
    pub like: Option<String>,
}

/// Columns made from the fields of the site.
#[derive(Debug, Clone)]
pub(crate) struct Custom {
    /// Path of the endpoint that lists the fields.
    pub(crate) fields: String,
    pub(super) at: String,
    /// The table cannot be read without knowing the fields.
    pub(crate) needed: bool,
    /// Columns of the table that are parts of a field: column, `custom` key, paths within the value.
    pub(super) parts: Vec<(usize, String, Vec<JsonPath>)>,
    /// Columns made for each field with that `custom` key: its paths are within the value, `{name}` in its name is that of the field.
    pub(super) templates: Vec<(String, Column)>,
    /// Columns of the other fields, by type, and how their values are written.
    pub(super) types: Vec<(String, Column, Option<Form>)>,
    /// The table that says so instead.
    pub(super) like: Option<Arc<Table>>,
}

impl Custom {
    /// Whether a column of the table is a part of a field of the site.
    pub(crate) fn depends(&self, column: usize) -> bool {
        self.parts.iter().any(|(part, ..)| *part == column)
    }
}

/// A field of the site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldMetadata {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) schema: Option<FieldSchema>,
}

/// What a field holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldSchema {
    pub(crate) kind: String,
    pub(crate) items: Option<String>,
    pub(crate) custom: Option<String>,
    pub(crate) custom_id: Option<i64>,
}

impl FieldMetadata {
    /// A field as the site lists it; `None` for what has no id. Apps leave out and misspell anything else: a field without a name is
    /// called by its id.
    fn read(entry: &serde_json::Value) -> Option<Self> {
        let text = |value: &serde_json::Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let id = text(&entry["id"])?;
        let schema = &entry["schema"];
        let custom_id = &schema["customId"];
        Some(Self {
            name: text(&entry["name"]).unwrap_or_else(|| id.clone()),
            schema: schema.is_object().then(|| FieldSchema {
                kind: text(&schema["type"]).unwrap_or_default(),
                items: text(&schema["items"]),
                custom: text(&schema["custom"]),
                custom_id: custom_id.as_i64().or_else(|| custom_id.as_str()?.trim().parse().ok()),
            }),
            id,
        })
    }

    /// The fields of a list, each once, and how many entries are none.
    ///
    /// # Errors
    /// The answer is no list.
    pub(crate) fn list(json: &[u8]) -> Result<(Vec<Self>, u64), serde_json::Error> {
        let entries: Vec<serde_json::Value> = serde_json::from_slice(json)?;
        let (mut fields, mut seen, mut odd) = (Vec::new(), HashSet::new(), 0);
        for entry in &entries {
            match Self::read(entry) {
                Some(field) if seen.insert(field.id.clone()) => fields.push(field),
                Some(_) => {}
                None => odd += 1,
            }
        }
        Ok((fields, odd))
    }
}

/// The table with the columns that the fields of a site make; `include` is whether custom fields become columns.
pub(crate) fn resolve(table: &Table, fields: &[FieldMetadata], include: bool) -> Table {
    let mut table = table.clone();
    let Some(custom) = table.custom.take() else { return table };
    for (column, key, paths) in &custom.parts {
        let found: Vec<&FieldMetadata> = fields
            .iter()
            .filter(|field| custom_key(field) == Some(key.as_str()))
            .collect();
        let at = found.iter().flat_map(|field| within(&custom, &field.id, paths)).collect();
        place(&mut table.columns[*column], at, found.first().and_then(|field| number(field)));
        table.columns[*column].field = found.first().map(|field| field.id.clone());
    }
    let made = match custom.like.as_deref() {
        None => made(&table.columns, &custom, fields, include),
        Some(like) => {
            let of_other = like.custom.as_ref().map(|other| made(&like.columns, other, fields, include));
            let mut made: Vec<Made> = of_other.into_iter().flatten().filter(|made| made.whole).collect();
            for Made { number, column, .. } in &mut made {
                column.push = None;
                if table.column(&column.name).is_some() {
                    column.name = format!("{}_{number}", column.name);
                }
            }
            made
        }
    };
    for made in made {
        let Made {
            id,
            number,
            mut column,
            form,
            ..
        } = made;
        if let Some(form) = form {
            for operation in table.insert.iter_mut().chain(&mut table.updates) {
                operation.set_custom(table.columns.len(), &id, &form);
            }
        }
        let paths = match &column.origin {
            Origin::Json { paths, .. } => within(&custom, &id, paths),
            _ => Vec::new(),
        };
        place(&mut column, paths, Some(number));
        column.field = Some(id);
        table.columns.push(column);
    }
    table
}

/// A column made for a field: its paths are within the value of the field.
struct Made {
    id: String,
    number: i64,
    column: Column,
    /// How the field is written, where it is.
    form: Option<Form>,
    /// It is the field, and not a part of it.
    whole: bool,
}

/// The columns that the fields make beside those of the table.
fn made(columns: &[Column], custom: &Custom, fields: &[FieldMetadata], include: bool) -> Vec<Made> {
    let taken: HashSet<&str> = custom.parts.iter().map(|(_, key, _)| key.as_str()).collect();
    let mut made: Vec<Made> = Vec::new();
    for field in fields {
        let Some(number) = number(field) else { continue };
        let snake = snake_case(&field.name);
        let key = custom_key(field);
        let templates: Vec<_> = custom.templates.iter().filter(|(own, _)| Some(own.as_str()) == key).collect();
        let mut push = |name: String, doc: String, prototype: &Column, form: Option<&Form>, whole: bool| {
            made.push(Made {
                id: field.id.clone(),
                number,
                column: Column {
                    name,
                    doc,
                    ..prototype.clone()
                },
                form: form.cloned(),
                whole,
            });
        };
        for (_, template) in &templates {
            push(
                template.name.replace("{name}", &snake),
                template.doc.replace("{field}", &field.name),
                template,
                None,
                false,
            );
        }
        if !include || !templates.is_empty() || key.is_some_and(|key| taken.contains(key)) {
            continue;
        }
        if let Some((prototype, form)) = prototype(custom, field) {
            let doc = format!("{} Custom field “{}” ({}).", prototype.doc, field.name, field.id);
            push(snake, doc, prototype, form, true);
        }
    }
    let fixed: HashSet<String> = columns.iter().map(|column| column.name.clone()).collect();
    let names = distinct(made.iter().map(|made| (made.column.name.as_str(), made.number)), &fixed);
    for (made, name) in made.iter_mut().zip(names) {
        made.column.name = name;
    }
    made
}

/// Paths within the value of a field as paths in a row.
fn within(custom: &Custom, id: &str, paths: &[JsonPath]) -> Vec<JsonPath> {
    let at = json_path(&custom.at.replace("{id}", id));
    paths.iter().map(|path| [at.clone(), path.clone()].concat()).collect()
}

/// Puts a column where a field is; without a place it is always NULL and takes part in no search.
fn place(column: &mut Column, at: Vec<JsonPath>, number: Option<i64>) {
    if at.is_empty() {
        column.push = None;
    }
    if let Some(jql) = column.push.as_mut().and_then(|push| push.jql.as_mut()) {
        jql.field = jql.field.replace("{number}", &number.unwrap_or_default().to_string());
    }
    if let Origin::Json { paths, .. } = &mut column.origin {
        *paths = at;
    }
}

fn custom_key(field: &FieldMetadata) -> Option<&str> {
    field.schema.as_ref()?.custom.as_deref()
}

/// The number of a custom field.
fn number(field: &FieldMetadata) -> Option<i64> {
    let schema = field.schema.as_ref();
    schema
        .and_then(|schema| schema.custom_id)
        .or_else(|| field.id.strip_prefix("customfield_")?.parse().ok())
}

fn prototype<'a>(custom: &'a Custom, field: &FieldMetadata) -> Option<(&'a Column, Option<&'a Form>)> {
    let schema = field.schema.clone().unwrap_or_default();
    let items = schema.items.as_ref().map(|items| format!("{}/{items}", schema.kind));
    [schema.custom, items, Some(schema.kind), Some("*".to_owned())]
        .into_iter()
        .flatten()
        .find_map(|key| custom.types.iter().find(|(own, ..)| *own == key))
        .map(|(_, column, form)| (column, form.as_ref()))
}

/// `Time to résolution (%)` → `time_to_résolution`. What has no letter or digit is `field`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() {
            snake.extend(c.to_lowercase());
        } else if !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
    }
    let snake = snake.trim_end_matches('_');
    match snake.chars().next() {
        None => "field".to_owned(),
        // A name that starts with a digit would have to be quoted.
        Some(first) if first.is_numeric() => format!("_{snake}"),
        Some(_) => snake.to_owned(),
    }
}

/// Names that nothing else has: where several fields, or a field and a column of the table, share one, the number of the field follows.
fn distinct<'a>(names: impl Iterator<Item = (&'a str, i64)> + Clone, fixed: &HashSet<String>) -> Vec<String> {
    let mut count: HashMap<&str, usize> = HashMap::new();
    for (name, _) in names.clone() {
        *count.entry(name).or_default() += 1;
    }
    let numbered = |(name, number): (&str, i64)| format!("{name}_{number}");
    let mut shared: HashSet<String> = names
        .clone()
        .map(|(name, _)| name.to_owned())
        .filter(|name| fixed.contains(name) || count.get(name.as_str()).is_some_and(|count| *count > 1))
        .collect();
    // A numbered name may be what another field is called: then that one gets its number, too.
    loop {
        let made: HashSet<String> = names
            .clone()
            .filter(|(name, _)| shared.contains(*name))
            .map(numbered)
            .collect();
        let more: Vec<String> = names
            .clone()
            .map(|(name, _)| name.to_owned())
            .filter(|name| made.contains(name) && !shared.contains(name))
            .collect();
        if more.is_empty() {
            break;
        }
        shared.extend(more);
    }
    names
        .map(|(name, number)| {
            if shared.contains(name) {
                numbered((name, number))
            } else {
                name.to_owned()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_entry_of_the_list_costs_itself() {
        let json = r#"[{"id":"customfield_1","name":"A","schema":{"type":"number","customId":1}},
            {"id":"customfield_2","name":null,"schema":{"type":null,"customId":"2"}},
            null, {"name":"no id"}, "text", {"id":"customfield_1","name":"again"}, {"id":"summary"}, {"id":"x","schema":[]}]"#;
        let (fields, odd) = FieldMetadata::list(json.as_bytes()).unwrap();
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!((names, odd), (vec!["A", "customfield_2", "summary", "x"], 3));
        assert_eq!(fields.iter().map(number).collect::<Vec<_>>(), [Some(1), Some(2), None, None]);
        assert!(FieldMetadata::list(b"{}").is_err());
    }

    #[test]
    fn names_are_distinct_and_do_not_depend_on_the_order() {
        let fixed = HashSet::from(["status".to_owned()]);
        let names = [
            ("impact", 1),
            ("impact", 2),
            ("impact_1", 3),
            ("status", 4),
            ("alone", 5),
            ("impact_1_3", 6),
        ];
        let expected = ["impact_1", "impact_2", "impact_1_3", "status_4", "alone", "impact_1_3_6"];
        assert_eq!(distinct(names.into_iter(), &fixed), expected);
        let reversed: Vec<_> = names.into_iter().rev().collect();
        let mut found = distinct(reversed.into_iter(), &fixed);
        found.reverse();
        assert_eq!(found, expected);
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len());
    }

    #[test]
    fn labels_become_identifiers() {
        for (label, name) in [
            ("Time to resolution", "time_to_resolution"),
            ("[CHART] Time in Status", "chart_time_in_status"),
            ("Σ Original Estimate", "σ_original_estimate"),
            ("備考 2", "備考_2"),
            ("§§", "field"),
            ("", "field"),
            ("3rd party", "_3rd_party"),
            ("  a -- b  ", "a_b"),
        ] {
            assert_eq!(snake_case(label), name, "{label}");
        }
    }
}
