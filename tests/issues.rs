//! Issues by JQL: that pushing predicates down changes no answer, what each way of reading costs, and answers that other tools get wrong.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};
use jsmql::{Connection, Error, Session};

/// Columns that predicates are made of, and a few that are only read.
const COLUMNS: &str = "issue_key, issue_id, summary, status, status_id, status_category, issue_type, issue_type_id, priority, resolution, \
    project_key, project_id, project_name, assignee_account_id, reporter_account_id, creator_account_id, created, updated, resolved, \
    due_date, labels, components, fix_versions, affects_versions, parent_key, votes, watches, security_level, request_type_id, \
    request_type_name, organizations, organization_ids, request_participants, satisfaction_rating, satisfaction_date, affected_system, \
    for_whom, until, cost_in_eur, impact_10301, impact_10302, impact_10303, devices, approver_group, groups, reviewers, outage_start, \
    tags, runbook, flags, notes, effort, status_10317, 備考_2, field";

async fn site(options: DemoOptions) -> DemoSite {
    DemoSite::start(options).await.unwrap()
}

fn connect(site: &DemoSite, options: &str) -> Session {
    let text = format!("URL={};User={USER};APIToken={TOKEN};{options}", site.url());
    Session::open(Connection::parse(&text, std::iter::empty()).unwrap()).unwrap()
}

async fn batches(session: &Session, sql: &str) -> Result<Vec<RecordBatch>, Error> {
    session.sql(sql).await?.try_collect().await
}

async fn rows(session: &Session, sql: &str) -> Vec<String> {
    let batches = batches(session, sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error} {:?}", error.hint_text()));
    texts(&batches)
}

/// Rows as texts, columns divided by `|`.
fn texts(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            rows.push(
                columns
                    .iter()
                    .map(|column| column.value(row).to_string())
                    .collect::<Vec<_>>()
                    .join("|"),
            );
        }
    }
    rows
}

async fn error(session: &Session, sql: &str) -> String {
    match batches(session, sql).await {
        Ok(_) => panic!("{sql} succeeded"),
        Err(error) => format!("{error} hint: {}", error.hint_text().unwrap_or("none")),
    }
}

/// Requests for a statement, field metadata aside: that is asked for once per session.
async fn cost(session: &Session, sql: &str) -> (usize, Vec<String>) {
    let before = session.requests().len();
    let rows = rows(session, sql).await;
    let requests = session.requests();
    let mine = requests[before..].iter().filter(|request| request.statement != 0);
    (mine.count(), rows)
}

/// A source of choices: the same seed gives the same queries.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Texts that columns are compared with, besides their own values: other cases, unknown ones, and what would break a careless driver.
const ODD: &[&str] = &[
    "",
    "done",
    "DONE",
    "Nope",
    "10711",
    "10712",
    "3",
    "IT help",
    "itsm",
    "EMPTY",
    "currentUser()",
    "a\\",
    "\" OR \"1\"=\"1",
    "x\"; ORDER BY y",
    "line\nbreak",
    "🦀",
    "Dana Demo",
    "dana@demo.example",
];

struct Pools {
    /// Column, and values that some rows have.
    texts: Vec<(&'static str, Vec<String>)>,
    lists: Vec<(&'static str, Vec<String>)>,
    moments: Vec<(&'static str, Vec<String>)>,
    days: Vec<(&'static str, Vec<String>)>,
    numbers: Vec<(&'static str, Vec<String>)>,
}

impl Pools {
    async fn read(copy: &SessionContext) -> Self {
        async fn pool(copy: &SessionContext, sql: String) -> Vec<String> {
            texts(&copy.sql(&sql).await.unwrap().collect().await.unwrap())
        }
        let mut pools = Self {
            texts: Vec::new(),
            lists: Vec::new(),
            moments: Vec::new(),
            days: Vec::new(),
            numbers: Vec::new(),
        };
        for name in [
            "issue_key",
            "issue_id",
            "summary",
            "status",
            "status_id",
            "status_category",
            "issue_type",
            "issue_type_id",
            "priority",
            "resolution",
            "project_key",
            "project_id",
            "project_name",
            "assignee_account_id",
            "reporter_account_id",
            "creator_account_id",
            "parent_key",
            "security_level",
            "request_type_id",
            "request_type_name",
            "affected_system",
            "for_whom",
            "impact_10301",
            "impact_10303",
            "approver_group",
            "runbook",
            "notes",
            "status_10317",
            "備考_2",
            "field",
        ] {
            let own = format!("SELECT DISTINCT {name} FROM issues WHERE {name} IS NOT NULL ORDER BY 1 LIMIT 12");
            pools.texts.push((name, pool(copy, own).await));
        }
        for name in [
            "labels",
            "components",
            "fix_versions",
            "affects_versions",
            "organizations",
            "organization_ids",
            "request_participants",
            "devices",
            "groups",
            "reviewers",
            "tags",
            "flags",
        ] {
            let own = format!("SELECT DISTINCT v FROM (SELECT unnest({name}) AS v FROM issues) ORDER BY 1 LIMIT 8");
            pools.lists.push((name, pool(copy, own).await));
        }
        for name in ["created", "updated", "resolved", "satisfaction_date", "outage_start"] {
            let own = format!("SELECT DISTINCT {name} FROM issues WHERE {name} IS NOT NULL ORDER BY 1 LIMIT 60");
            pools.moments.push((name, pool(copy, own).await));
        }
        for name in ["due_date", "until"] {
            let own = format!("SELECT DISTINCT {name} FROM issues WHERE {name} IS NOT NULL ORDER BY 1 LIMIT 40");
            pools.days.push((name, pool(copy, own).await));
        }
        for name in [
            "votes",
            "watches",
            "satisfaction_rating",
            "cost_in_eur",
            "impact_10302",
            "effort",
        ] {
            let own = format!("SELECT DISTINCT {name} FROM issues WHERE {name} IS NOT NULL ORDER BY 1 LIMIT 20");
            pools.numbers.push((name, pool(copy, own).await));
        }
        pools
    }

    fn condition(&self, dice: &mut Dice, depth: usize) -> String {
        if depth > 0 && dice.roll(3) > 0 {
            let (left, right) = (self.condition(dice, depth - 1), self.condition(dice, depth - 1));
            return match dice.roll(5) {
                0 | 1 => format!("({left} AND {right})"),
                2 | 3 => format!("({left} OR {right})"),
                _ => format!("NOT ({left})"),
            };
        }
        self.atom(dice)
    }

    fn atom(&self, dice: &mut Dice) -> String {
        const COMPARISONS: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];
        match dice.roll(12) {
            0..=5 => {
                let (name, values) = dice.pick(&self.texts);
                let mut value = || {
                    let own = dice.roll(4) > 0 && !values.is_empty();
                    quoted(if own {
                        dice.pick::<String>(values).as_str()
                    } else {
                        dice.pick::<&str>(ODD)
                    })
                };
                let (a, b, c, d, e) = (value(), value(), value(), value(), value());
                match dice.roll(8) {
                    0..=2 => format!("{name} = {a}"),
                    3 => format!("{name} <> {a}"),
                    4 => format!("{name} IN ({a}, {b}, {c}, {d}, {e})"),
                    5 => format!("{name} NOT IN ({a}, {b}, {c}, {d}, {e})"),
                    6 => format!("{name} IS {}NULL", if dice.roll(2) == 0 { "" } else { "NOT " }),
                    _ => format!(
                        "{name} LIKE {}",
                        quoted(&format!("%{}%", a.trim_matches('\'').chars().take(3).collect::<String>()))
                    ),
                }
            }
            6 | 7 => {
                let (name, values) = dice.pick(&self.lists);
                let own = dice.roll(4) > 0 && !values.is_empty();
                let value = quoted(if own {
                    dice.pick::<String>(values).as_str()
                } else {
                    dice.pick::<&str>(ODD)
                });
                match dice.roll(3) {
                    0 => format!("{name} IS {}NULL", if dice.roll(2) == 0 { "" } else { "NOT " }),
                    _ => format!("array_has({name}, {value})"),
                }
            }
            8 | 9 => {
                let (name, values) = dice.pick(&self.moments);
                let mut value = || format!("TIMESTAMP {}", quoted(dice.pick::<String>(values)));
                let (a, b, c, d) = (value(), value(), value(), value());
                match dice.roll(6) {
                    0 => format!("{name} BETWEEN {a} AND {b}"),
                    2 => format!("{name} IN ({a}, {b}, {c}, {d})"),
                    3 => format!("{name} NOT IN ({a}, {b}, {c}, {d})"),
                    1 => format!("{name} IS {}NULL", if dice.roll(2) == 0 { "" } else { "NOT " }),
                    _ => format!("{name} {} {a}", dice.pick(&COMPARISONS)),
                }
            }
            10 => {
                let (name, values) = dice.pick(&self.days);
                let mut value = || format!("DATE {}", quoted(dice.pick::<String>(values)));
                let (a, b, c, d) = (value(), value(), value(), value());
                match dice.roll(6) {
                    0 => format!("{name} IS {}NULL", if dice.roll(2) == 0 { "" } else { "NOT " }),
                    1 => format!("{name} IN ({a}, {b}, {c}, {d})"),
                    2 => format!("{name} NOT IN ({a}, {b}, {c}, {d})"),
                    _ => format!("{name} {} {a}", dice.pick(&COMPARISONS)),
                }
            }
            _ => {
                let (name, values) = dice.pick(&self.numbers);
                let list: Vec<String> = (0..2 + dice.roll(4)).map(|_| dice.pick::<String>(values).clone()).collect();
                match dice.roll(6) {
                    0 => format!("{name} IS {}NULL", if dice.roll(2) == 0 { "" } else { "NOT " }),
                    1 => format!("{name} IN ({})", list.join(", ")),
                    2 => format!("{name} NOT IN ({})", list.join(", ")),
                    _ => format!("{name} {} {}", dice.pick(&COMPARISONS), dice.pick::<String>(values)),
                }
            }
        }
    }
}

/// Columns by which issues are joined and looked up.
const KEYS: [&str; 6] = [
    "issue_key",
    "parent_key",
    "assignee_account_id",
    "status_id",
    "votes",
    "priority",
];

/// What one seed asks: what every row is sorted by, or what is true of any answer.
enum Asked {
    /// The rows are these, in this order.
    Rows(String),
    /// So many of the rows that the query without its LIMIT has.
    Some(String, usize),
}

impl Pools {
    fn query(&self, dice: &mut Dice) -> Asked {
        const READ: [&str; 3] = [
            "issue_key",
            "issue_key, status, votes, created",
            "issue_key, notes, labels, summary",
        ];
        let condition = self.condition(dice, 2);
        let read = dice.pick(&READ);
        let (key, limit) = (dice.pick(&KEYS), 1 + dice.roll(20));
        match dice.roll(12) {
            0..=2 => Asked::Rows(format!(
                "SELECT {read} FROM issues WHERE {condition} ORDER BY created DESC LIMIT {limit}"
            )),
            3 => Asked::Rows(format!("SELECT count(*) FROM issues WHERE {condition}")),
            4 | 5 => Asked::Some(format!("SELECT {read} FROM issues WHERE {condition}"), limit),
            6 => {
                let inner = self.condition(dice, 1);
                let not = if dice.roll(3) == 0 { "NOT " } else { "" };
                Asked::Rows(format!(
                    "SELECT {read} FROM issues WHERE {condition} AND {key} {not}IN (SELECT {key} FROM issues WHERE {key} IS NOT NULL AND {inner}) ORDER BY issue_key"
                ))
            }
            7 => {
                let inner = self.condition(dice, 1);
                Asked::Rows(format!(
                    "SELECT {read} FROM issues WHERE {condition} AND {key} = (SELECT max({key}) FROM issues WHERE {inner}) ORDER BY issue_key"
                ))
            }
            8 => {
                let (inner, kind) = (self.condition(dice, 1), dice.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN"]));
                let side = |condition: &str| format!("(SELECT issue_key, {key} AS k FROM issues WHERE {condition})");
                Asked::Rows(format!(
                    "SELECT a.issue_key, b.issue_key FROM {} a {kind} {} b ON a.k = b.k",
                    side(&condition),
                    side(&inner)
                ))
            }
            _ => Asked::Rows(format!("SELECT {read} FROM issues WHERE {condition} ORDER BY issue_key")),
        }
    }
}

/// Queries of the differential test: as many as take less than a minute, and as many as `JSMQL_TEST_QUERIES` says when it matters.
fn queries() -> u64 {
    std::env::var("JSMQL_TEST_QUERIES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000)
}

async fn copied(copy: &SessionContext, sql: &str) -> Vec<String> {
    let frame = copy.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    texts(&frame.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pushdown_changes_no_answer() {
    // Behind UTC, ahead of it, and so far ahead that it is another day.
    let zones = ["Pacific/Pago_Pago", "Europe/Berlin", "Pacific/Kiritimati"];
    let mut sites = Vec::new();
    for zone in zones {
        sites.push(
            site(DemoOptions {
                requests: 120,
                time_zone: zone.into(),
                ..DemoOptions::fixed()
            })
            .await,
        );
    }
    let sessions = |options: &'static str| -> Vec<Session> { sites.iter().map(|site| connect(site, options)).collect() };
    let (pushed, plain) = (sessions(""), sessions("Pushdown=off"));
    let all = batches(&plain[0], &format!("SELECT {COLUMNS} FROM issues")).await.unwrap();
    let copy = SessionContext::new();
    let table = MemTable::try_new(all[0].schema(), vec![all]).unwrap();
    copy.register_table("issues", Arc::new(table)).unwrap();
    let pools = Pools::read(&copy).await;
    // What the inputs find, each by itself.
    let mut inputs = Vec::new();
    for input in [
        "queue_id = '1001'",
        "queue_id = '2001'",
        "queue_id IN (SELECT id FROM queues WHERE id = '1003')",
        "jql = 'labels = vpn OR votes > 1'",
        "jql = (SELECT jql FROM queues WHERE id = '1002')",
    ] {
        let keys = rows(&plain[0], &format!("SELECT issue_key FROM issues WHERE {input}")).await;
        assert!(!keys.is_empty(), "{input}");
        let keys: Vec<String> = keys.iter().map(|key| quoted(key)).collect();
        inputs.push((input, format!("issue_key IN ({})", keys.join(", "))));
    }
    let found = std::sync::atomic::AtomicU64::new(0);
    let run = |seed: u64| {
        let (pools, copy, pushed, plain, inputs, found) = (&pools, &copy, &pushed, &plain, &inputs, &found);
        async move {
            let mut dice = Dice(seed);
            let (asked, at) = (pools.query(&mut dice), seed as usize % zones.len());
            let ways = [(&pushed[at], "pushed"), (&plain[at], "not pushed")];
            match asked {
                Asked::Rows(sql) => {
                    // The engine takes a column that is constant on one side of an outer join for constant above it: not even the copy is
                    // in order then.
                    let in_order = |mut rows: Vec<String>| {
                        if sql.contains(" JOIN ") {
                            rows.sort();
                        }
                        rows
                    };
                    let expected = in_order(copied(copy, &sql).await);
                    found.fetch_add(u64::from(!expected.is_empty()), Relaxed);
                    for (session, way) in ways {
                        assert_eq!(in_order(rows(session, &sql).await), expected, "seed {seed}, {way}: {sql}");
                    }
                }
                Asked::Some(sql, limit) => {
                    let all = copied(copy, &sql).await;
                    found.fetch_add(u64::from(!all.is_empty()), Relaxed);
                    let sql = format!("{sql} LIMIT {limit}");
                    for (session, way) in ways {
                        let mut some = rows(session, &sql).await;
                        assert_eq!(some.len(), limit.min(all.len()), "seed {seed}, {way}: {sql}");
                        assert!(
                            some.iter().all(|row| all.contains(row)),
                            "seed {seed}, {way}: {sql}: {some:?}"
                        );
                        some.sort();
                        some.dedup();
                        assert_eq!(
                            some.len(),
                            limit.min(all.len()),
                            "seed {seed}, {way}: {sql}: a row comes twice"
                        );
                    }
                }
            }
            if seed.is_multiple_of(8) {
                let ((input, same), condition) = (dice.pick(inputs), pools.condition(&mut dice, 1));
                let expected = copied(
                    copy,
                    &format!("SELECT issue_key FROM issues WHERE {same} AND ({condition}) ORDER BY 1"),
                )
                .await;
                let sql = format!("SELECT issue_key FROM issues WHERE {input} AND ({condition}) ORDER BY 1");
                for (session, way) in ways {
                    assert_eq!(rows(session, &sql).await, expected, "seed {seed}, {way}: {sql}");
                }
            }
        }
    };
    futures::stream::iter(0..queries())
        .map(run)
        .buffer_unordered(4)
        .collect::<Vec<()>>()
        .await;
    assert!(
        found.load(Relaxed) * 3 > queries(),
        "most queries must find something to mean anything: {found:?}"
    );
}

/// Small batches that go beside the first large one of a session, which the site may refuse: the other places of MaxConcurrency.
const BESIDE_THE_FIRST: usize = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_of_reading_costs_what_it_should() {
    let small = site(DemoOptions {
        requests: 2_000,
        ..DemoOptions::fixed()
    })
    .await;
    let session = connect(&small, "");
    let heavy = "SELECT issue_key, summary, description, status, priority, assignee_display_name, created, updated, labels, environment FROM issues";
    let narrow = "SELECT issue_key, summary, status, priority, assignee_display_name, created, updated, labels FROM issues";
    let many: Vec<String> = (1..=500).map(|number| format!("'ITSM-{number}'")).collect();
    for (sql, most, rows) in [
        // One sweep of ids and twenty batches.
        (heavy.to_owned(), 21, 2_000),
        // The site is not known yet to take a thousand at a time; from then on it is.
        (narrow.to_owned(), 3 + BESIDE_THE_FIRST, 2_000),
        (narrow.to_owned(), 3, 2_000),
        ("SELECT issue_key, id, body FROM issue_comments".to_owned(), 60, 0),
        (format!("SELECT issue_key, description FROM issues WHERE issue_key IN ({})", many.join(", ")), 5, 500),
        ("SELECT issue_key, description FROM issues ORDER BY created DESC LIMIT 10".to_owned(), 1, 10),
        ("SELECT issue_key FROM issues".to_owned(), 1, 2_000),
        ("SELECT count(*) FROM issues WHERE resolution IS NULL".to_owned(), 1, 1),
        ("SELECT issue_key, description FROM issues LIMIT 10".to_owned(), 1, 10),
        ("SELECT issue_key, summary FROM issues WHERE project_key = 'ITSM' AND status = 'Waiting for support' AND security_level IS NOT NULL".to_owned(), 1, 0),
    ] {
        let (requests, found) = cost(&session, &sql).await;
        assert!(requests <= most, "{requests} requests instead of {most}: {}", &sql[..sql.len().min(200)]);
        if rows > 0 {
            assert_eq!(found.len(), rows, "{}", &sql[..sql.len().min(200)]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn field_metadata_is_read_once() {
    let site = site(DemoOptions::fixed()).await;
    let session = connect(&site, "");
    let statements: Vec<_> = (0..8)
        .map(|_| rows(&session, "SELECT count(request_type_id) FROM issues"))
        .collect();
    futures::future::join_all(statements).await;
    let asked = site
        .served()
        .iter()
        .filter(|served| served.address.ends_with("/field"))
        .count();
    assert_eq!(asked, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fields_of_the_site_are_asked_for_only_where_they_are_named() {
    let asks = |sql: &'static str| async move {
        let site = site(DemoOptions::fixed()).await;
        rows(&connect(&site, ""), sql).await;
        site.served().iter().any(|served| served.address.ends_with("/field"))
    };
    for sql in [
        "SELECT count(*) FROM issues",
        "SELECT i.issue_key, upper(i.summary) FROM issues i WHERE i.status_category <> 'done' ORDER BY i.created DESC LIMIT 1",
        "SELECT status, count(*) FROM public.issues GROUP BY status HAVING count(*) > 1",
    ] {
        assert!(!asks(sql).await, "{sql}");
    }
    for sql in [
        "SELECT * FROM issues LIMIT 1",
        "SELECT i.* FROM issues AS i LIMIT 1",
        "SELECT impact_10301 FROM issues LIMIT 1",
        "SELECT \"impact_10301\" FROM issues LIMIT 1",
        "SELECT count(*) FROM issues WHERE IMPACT_10301 IS NOT NULL",
        "SELECT organizations FROM issues LIMIT 1",
        "WITH w AS (SELECT * FROM issues) SELECT count(status_10317) FROM w",
        "SELECT count(*) FROM issues a JOIN issues b USING (impact_10301) WHERE a.issue_key = 'ITSM-1'",
        "DESCRIBE issues",
    ] {
        assert!(asks(sql).await, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_changed_since_they_were_indexed_are_looked_at() {
    let site = site(DemoOptions {
        requests: 2_000,
        faults: vec!["stale-search".parse().unwrap()],
        ..DemoOptions::fixed()
    })
    .await;
    let reader = connect(&site, "");
    const FIRST: &str = "SELECT issue_key, status_id FROM issues WHERE status_id = '10800' LIMIT 10";
    let before = rows(&reader, FIRST).await;
    let (moved, _) = before[0].split_once('|').unwrap();
    let writer = connect(&site, "Readonly=false");
    rows(
        &writer,
        &format!("UPDATE issues SET status = 'In progress' WHERE issue_key = '{moved}'"),
    )
    .await;
    // Nine of the first page, and the page after it.
    let (requests, after) = cost(&reader, FIRST).await;
    assert_eq!((requests, after.len()), (2, 10), "{after:?}");
    assert!(
        after
            .iter()
            .all(|row| row.ends_with("|10800") && !row.starts_with(&format!("{moved}|"))),
        "{after:?}"
    );
    // What is not selected is looked at too, where something else is.
    let other = "SELECT summary, issue_key FROM issues WHERE status_id = '10800' LIMIT 300";
    let found = rows(&reader, other).await;
    assert!(
        !found.is_empty() && !found.iter().any(|row| row.ends_with(&format!("|{moved}"))),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_the_site_does_not_know_cost_a_few_requests() {
    let unknown = (0..299).map(|number| format!("'712020:00000000-0000-4000-8000-{number:012}'"));
    let unknown: Vec<String> = unknown.collect();
    for (fault, most) in [("503:first=1", 5), ("nameless-refusal", 30)] {
        let site = site(DemoOptions {
            faults: vec![fault.parse().unwrap()],
            ..DemoOptions::fixed()
        })
        .await;
        let (session, plain) = (connect(&site, ""), connect(&site, "Pushdown=off"));
        let known = rows(&plain, "SELECT min(assignee_account_id), min(status_id) FROM issues").await;
        let (person, status) = known[0].split_once('|').unwrap();
        let people = format!("assignee_account_id IN ('{person}', {})", unknown.join(", "));
        let ids: Vec<String> = (77_000..77_200).map(|id| format!("'{id}'")).collect();
        let statuses = format!("status_id IN ('{status}', {})", ids.join(", "));
        let few = format!("status_id IN ('{status}', '77001')");
        for condition in [
            people.clone(),
            statuses.clone(),
            few,
            format!("NOT ({statuses})"),
            format!("({people}) OR status = 'Nope'"),
            format!("({people}) AND status_id <> '77001'"),
            // Known to one field, and not to the other.
            "assignee_account_id = 'IT help' OR issue_type = 'IT help'".to_owned(),
            "status IN ('IT help', 'Done') OR issue_type IN ('Done', 'IT help')".to_owned(),
        ] {
            for sql in [
                format!("SELECT issue_key FROM issues WHERE {condition} ORDER BY 1"),
                format!("SELECT issue_key, summary FROM issues WHERE {condition} ORDER BY 1"),
                format!("SELECT count(*) FROM issues WHERE {condition}"),
            ] {
                let (requests, found) = cost(&session, &sql).await;
                assert_eq!(found, rows(&plain, &sql).await, "{fault}: {sql:.200}");
                // Where a refusal does not tell which field it is about, each is tried.
                let most = if condition.contains("IT help") { most.max(14) } else { most };
                assert!(requests <= most, "{fault}: {requests} requests: {sql:.200}");
            }
        }
        let none = format!(
            "SELECT count(*) FROM issues WHERE assignee_account_id IN ({})",
            unknown.join(", ")
        );
        let (requests, found) = cost(&session, &none).await;
        assert_eq!(found, ["0"], "{fault}");
        assert!(requests <= most, "{fault}: {requests} requests");
    }
}

/// Batches that the site refuses are asked for again, in the order that they had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_batches_keep_their_order() {
    let large = site(DemoOptions {
        requests: 9_000,
        faults: vec!["narrow-refused".parse().unwrap()],
        ..DemoOptions::fixed()
    })
    .await;
    let session = connect(&large, "");
    let sql = "SELECT issue_key, created FROM issues WHERE summary = 'Light flickers in the stairwell' ORDER BY created DESC";
    let all = rows(&session, sql).await;
    assert!(all.len() > 100, "{}", all.len());
    // Another session, which has not learnt yet that the site takes small batches.
    let session = connect(&large, "");
    assert_eq!(rows(&session, &format!("{sql} LIMIT 20")).await, all[..20]);
    let refused = || large.served().iter().filter(|served| served.status == 400).count();
    assert_eq!(refused(), 2, "each session tries one large batch");
    assert_eq!(rows(&session, sql).await, all);
    assert_eq!(refused(), 2, "and remembers that it was refused");
}

/// A search that the site refuses for another reason than our values ends with its words, not with more and more searches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clause_of_the_user_is_said_whatever_else_is_unknown() {
    let names: Vec<String> = (1..10).map(|number| format!("'N{number}'")).collect();
    let names = names.join(", ");
    for fault in ["nameless-refusal", "stale-search"] {
        let site = site(DemoOptions {
            faults: vec![fault.parse().unwrap()],
            ..DemoOptions::fixed()
        })
        .await;
        let session = connect(&site, "");
        for rest in [
            format!("status IN ({names})"),
            format!("status IN ({names}) AND priority IN ({names})"),
            "status IN ('N1', 'N2')".to_owned(),
        ] {
            let before = site.served().len();
            let sql = format!("SELECT issue_key, summary FROM issues WHERE jql = 'nosuchfield = 1' AND {rest}");
            let error = session.sql(&sql).await.unwrap().try_collect::<Vec<_>>().await.unwrap_err();
            assert_eq!(error.kind(), jsmql::ErrorKind::Invalid, "{error}");
            let requests = site.served().len() - before;
            assert!(requests < 80, "{fault}: {requests} requests: {sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_rows_that_only_we_can_tell_are_no_page_by_page_scan() {
    let large = site(DemoOptions {
        requests: 20_000,
        ..DemoOptions::fixed()
    })
    .await;
    let session = connect(&large, "");
    for (sql, most) in [
        // Three pages, four of ids, and twenty batches; beside the first, once per session, small ones.
        (
            "SELECT issue_key FROM issues WHERE request_type_id = '999' LIMIT 5",
            27 + BESIDE_THE_FIRST,
        ),
        (
            "SELECT issue_key FROM issues WHERE request_type_id = '999' ORDER BY created DESC LIMIT 5",
            27,
        ),
        ("SELECT issue_key FROM issues WHERE status = 'done' LIMIT 5", 27),
    ] {
        let (requests, found) = cost(&session, sql).await;
        assert!(found.is_empty(), "{sql}: {found:?}");
        assert!(requests <= most, "{requests} requests: {sql}");
    }
    // The first rows in order are the first, wherever they are.
    let small = site(DemoOptions {
        requests: 3_000,
        ..DemoOptions::fixed()
    })
    .await;
    let (session, plain) = (connect(&small, ""), connect(&small, "Pushdown=off"));
    let kinds = rows(&plain, "SELECT request_type_id FROM issues GROUP BY 1 ORDER BY count(*), 1").await;
    for kind in [&kinds[0], &kinds[kinds.len() - 1]] {
        for tail in [
            "ORDER BY created DESC LIMIT 7",
            "ORDER BY created LIMIT 120",
            "ORDER BY updated DESC LIMIT 400",
        ] {
            let sql = format!("SELECT issue_key FROM issues WHERE request_type_id = '{kind}' {tail}");
            assert_eq!(rows(&session, &sql).await, rows(&plain, &sql).await, "{sql}");
        }
        let sql = format!("SELECT request_type_id FROM issues WHERE request_type_id = '{kind}' LIMIT 9");
        assert_eq!(rows(&session, &sql).await, vec![kind.as_str(); 9]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_pushdown_a_join_tells_nothing_but_inputs() {
    let site = site(DemoOptions::fixed()).await;
    let (session, plain) = (connect(&site, ""), connect(&site, "Pushdown=off"));
    const LAST: &str =
        "SELECT query FROM sys.requests WHERE statement = (SELECT max(statement) FROM sys.requests) AND path LIKE '%search/jql'";
    const BY_ID: &str = "SELECT count(*) FROM sys.requests WHERE query LIKE '%[\"10001\"]%'";
    for sql in [
        "SELECT i.summary FROM issues i JOIN (VALUES ('ITSM-2')) v(k) ON i.issue_key = v.k",
        "SELECT i.summary FROM issues i WHERE i.issue_key = (SELECT 'ITSM-2')",
        "SELECT i.summary FROM issues i JOIN (VALUES ('10001')) v(k) ON i.issue_id = v.k",
    ] {
        assert_eq!(rows(&plain, sql).await, rows(&session, sql).await, "{sql}");
        let asked = rows(&plain, LAST).await;
        assert_eq!(asked.len(), 1, "{sql}: {asked:?}");
        assert!(asked[0].contains("project IS NOT EMPTY"), "{sql}: {asked:?}");
    }
    assert_eq!(rows(&plain, BY_ID).await, ["0"]);
    for sql in [
        "SELECT i.summary FROM issues i JOIN queues q ON i.queue_id = q.id WHERE q.id = '1001' ORDER BY 1",
        "SELECT i.summary FROM issues i WHERE i.jql = (SELECT jql FROM queues WHERE id = '1001') ORDER BY 1",
    ] {
        let found = rows(&plain, sql).await;
        assert!(found == rows(&session, sql).await && found.len() == 44, "{sql}: {found:?}");
        let asked = rows(&plain, LAST).await;
        assert!(
            asked.iter().all(|query| query.contains("resolution = Unresolved")),
            "{sql}: {asked:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_rows_of_several_queues_are_the_first_of_all() {
    let site = site(DemoOptions::fixed()).await;
    let (session, plain) = (connect(&site, ""), connect(&site, "Pushdown=off"));
    for sql in [
        "SELECT issue_key, queue_id FROM issues WHERE queue_id IN ('1001', '2001', '3001') ORDER BY created DESC LIMIT 5",
        "SELECT issue_key, jql FROM issues WHERE jql IN ('project = ITSM', 'project = HR') ORDER BY created LIMIT 3",
        "SELECT issue_key FROM issues WHERE queue_id = '2001' ORDER BY created DESC LIMIT 5",
    ] {
        let found = rows(&session, sql).await;
        assert!(found.len() >= 3 && found == rows(&plain, sql).await, "{sql}: {found:?}");
    }
    let first = "SELECT queue_id FROM issues WHERE queue_id IN ('1001', '2001') ORDER BY created DESC LIMIT 2";
    assert_eq!(rows(&session, first).await, ["2001", "1001"]);
}

/// Silent wrong answers that were found in other tools; each is a sentence about what must not happen.
mod regressions {
    use super::*;

    async fn session() -> (DemoSite, Session) {
        let site = site(DemoOptions::fixed()).await;
        let session = connect(&site, "");
        (site, session)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_seconds_of_a_timestamp_are_not_dropped() {
        let (_site, session) = session().await;
        let first = &rows(&session, "SELECT created FROM issues WHERE issue_key = 'ITSM-5'").await[0];
        for (sql, expected) in [
            (format!("created = TIMESTAMP '{first}'"), "ITSM-5"),
            (
                format!("created <= TIMESTAMP '{first}' AND created > TIMESTAMP '{first}' - INTERVAL '1 second'"),
                "ITSM-5",
            ),
        ] {
            let found = rows(&session, &format!("SELECT issue_key FROM issues WHERE {sql}")).await;
            assert_eq!(found, [expected], "{sql}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn b_the_zone_of_the_profile_moves_no_bound() {
        let sql = "SELECT count(*) FROM issues WHERE created >= TIMESTAMP '2026-06-01T00:00:00Z' AND created < TIMESTAMP '2026-06-02T00:00:00Z'";
        let mut counts = Vec::new();
        for zone in jsmql::demo::ZONES {
            let site = site(DemoOptions {
                time_zone: zone.into(),
                ..DemoOptions::fixed()
            })
            .await;
            counts.push(rows(&connect(&site, ""), sql).await);
        }
        assert!(
            counts.iter().all(|count| count == &counts[0] && count[0] != "0"),
            "{counts:?}"
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn c_a_value_is_the_site_s_and_not_that_of_the_filter() {
        let (_site, session) = session().await;
        assert!(
            rows(&session, "SELECT status FROM issues WHERE status = 'done'")
                .await
                .is_empty()
        );
        let found = rows(&session, "SELECT DISTINCT status FROM issues WHERE lower(status) = 'done'").await;
        assert_eq!(found, ["Done"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn d_a_quote_in_a_value_stays_data() {
        let (_site, session) = session().await;
        let sql = "SELECT DISTINCT security_level FROM issues WHERE security_level = 'Internal \"staff\"'";
        assert_eq!(rows(&session, sql).await, ["Internal \"staff\""]);
        for value in [
            "\" OR \"1\"=\"1",
            "x\\",
            "Internal \"staff",
            "currentUser()",
            "a\nb",
            "🦀",
            &"x".repeat(10_000),
        ] {
            let sql = format!("SELECT issue_key FROM issues WHERE security_level = {}", quoted(value));
            assert!(rows(&session, &sql).await.is_empty(), "{value:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn e_a_refused_search_is_no_empty_table() {
        let (_site, session) = session().await;
        let said = error(&session, "SELECT issue_key FROM issues WHERE jql = 'no_such_field = 1'").await;
        assert!(said.contains("Field 'no_such_field' does not exist"), "{said}");
        assert!(said.contains("the JQL sent was: (no_such_field = 1)"), "{said}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn f_old_issues_are_not_left_out() {
        let (_site, session) = session().await;
        let oldest = rows(&session, "SELECT issue_key FROM issues ORDER BY created LIMIT 1").await;
        assert_eq!(oldest, ["ITSM-1"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn g_reading_does_not_stop_after_a_number_of_pages() {
        let site = site(DemoOptions {
            requests: 10_300,
            ..DemoOptions::fixed()
        })
        .await;
        let session = connect(&site, "");
        assert_eq!(
            rows(&session, "SELECT count(*), count(DISTINCT issue_key) FROM issues").await,
            ["10300|10300"]
        );
        assert_eq!(rows(&session, "SELECT count(summary) FROM issues").await, ["10300"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn h_the_changelog_is_whole() {
        let (_site, session) = session().await;
        // The site carries forty changes with an issue; this one has more.
        let all = rows(
            &session,
            "SELECT issue_key, count(*) FROM issue_changelogs GROUP BY 1 HAVING count(*) > 40 ORDER BY 1 LIMIT 1",
        )
        .await;
        let (key, count) = all[0].split_once('|').unwrap();
        let sql = format!("SELECT count(*) FROM issue_changelogs WHERE issue_key = '{key}'");
        assert_eq!(rows(&session, &sql).await, [count]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn i_a_number_in_a_message_is_no_status() {
        let site = site(DemoOptions {
            faults: vec!["500".parse().unwrap()],
            ..DemoOptions::fixed()
        })
        .await;
        let session = connect(&site, "");
        let said = error(&session, "SELECT issue_key FROM issues WHERE issue_id = '10404'").await;
        assert!(said.contains("HTTP 500"), "{said}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn j_more_than_the_first_page_is_read() {
        let (_site, session) = session().await;
        // Four pages, and an empty one that tells the end.
        let (requests, count) = cost(&session, "SELECT count(*) FROM users").await;
        assert_eq!((requests, count), (5, vec!["168".to_owned()]));
        let users = rows(&session, "SELECT account_id FROM users").await;
        assert_eq!(users.len(), 168);
        // As many as there are when each issue is asked for its own.
        let mut own = 0;
        for key in rows(&session, "SELECT issue_key FROM issues").await {
            let sql = format!("SELECT id FROM issue_worklogs WHERE issue_key = {}", quoted(&key));
            own += rows(&session, &sql).await.len();
        }
        let all = "SELECT count(*), count(DISTINCT id) FROM issue_worklogs WHERE issue_key IN (SELECT issue_key FROM issues)";
        assert_eq!(rows(&session, all).await, [format!("{own}|{own}")]);
        assert!(own > 300, "{own}");
        let most = rows(
            &session,
            "SELECT count(*) AS n FROM issue_worklogs GROUP BY issue_key ORDER BY n DESC LIMIT 1",
        )
        .await;
        assert_eq!(most, ["25"], "an issue carries twenty worklogs, this one has more");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn k_a_short_page_is_not_the_last() {
        let site = site(DemoOptions {
            faults: vec!["short-pages".parse().unwrap()],
            ..DemoOptions::fixed()
        })
        .await;
        let session = connect(&site, "");
        assert_eq!(
            rows(&session, "SELECT count(*), count(description) FROM issues").await,
            ["300|300"]
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn l_what_cannot_be_read_whole_is_an_error() {
        for (fault, fragment) in [
            ("repeat-page", "repeats itself"),
            ("token-expired", "expired"),
            ("endless", "goes on without giving rows"),
        ] {
            let site = site(DemoOptions {
                faults: vec![fault.parse().unwrap()],
                ..DemoOptions::fixed()
            })
            .await;
            let session = connect(&site, "Pagesize=50");
            let said = error(&session, "SELECT issue_key FROM issues").await;
            assert!(said.contains(fragment) || said.contains("same rows again"), "{fault}: {said}");
        }
        let (_site, _) = session().await;
        let (_site, session) = (&_site, connect(&_site, "MaxRequests=2"));
        let said = error(&session, "SELECT description FROM issues").await;
        assert!(said.contains("MaxRequests=2"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_site_may_do_to_a_search() {
    let with = |fault: &'static str| async move {
        let site = site(DemoOptions {
            faults: vec![fault.parse().unwrap()],
            ..DemoOptions::fixed()
        })
        .await;
        let session = connect(&site, "");
        (site, session)
    };
    // Large batches are refused: a hundred at a time will do.
    let (_site, session) = with("narrow-refused").await;
    assert_eq!(rows(&session, "SELECT count(summary) FROM issues").await, ["300"]);
    // Issues vanish between being found and being read: said, not hidden.
    let (_site, session) = with("vanish").await;
    let mut found = session.sql("SELECT issue_key, summary FROM issues").await.unwrap();
    let meter = found.meter();
    let mut count = 0;
    while let Some(batch) = found.try_next().await.unwrap() {
        count += batch.num_rows();
    }
    let warnings = meter.warnings();
    assert!(
        count < 300
            && warnings
                .iter()
                .any(|warning| warning.contains(&format!("{} rows that the search found were gone", 300 - count))),
        "{count} {warnings:?}"
    );
    // A field that is gone although the site still lists it.
    let (_site, session) = with("field-gone").await;
    let said = error(&session, "SELECT issue_key FROM issues WHERE impact_10301 = 'High'").await;
    assert!(
        said.contains("Field 'cf[10301]' does not exist") && said.contains("the JQL sent was"),
        "{said}"
    );
    // Five thousand custom fields, fifty of each name.
    let (_site, session) = with("many-fields").await;
    let columns = rows(
        &session,
        "SELECT count(*), count(DISTINCT column_name) FROM sys.columns WHERE table_name = 'issues'",
    )
    .await;
    let (all, distinct) = columns[0].split_once('|').unwrap();
    assert!(all == distinct && all.parse::<usize>().unwrap() > 5_000, "{columns:?}");
    assert_eq!(
        rows(&session, "SELECT count(extra_0_20000) FROM issues WHERE issue_key = 'ITSM-1'").await,
        ["0"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_fields_are_columns_where_they_are_wanted() {
    let site = site(DemoOptions::fixed()).await;
    let columns = |session: Session, table: &'static str| async move {
        let sql = format!(
            "SELECT column_name FROM sys.columns WHERE table_name = '{table}' AND column_name IN ('impact_10301', 'organizations', 'status_10317', 'sla_time_to_resolution_breached') ORDER BY 1"
        );
        rows(&session, &sql).await
    };
    assert_eq!(
        columns(connect(&site, ""), "issues").await,
        [
            "impact_10301",
            "organizations",
            "sla_time_to_resolution_breached",
            "status_10317"
        ]
    );
    assert_eq!(
        columns(connect(&site, "IncludeCustomFields=false"), "issues").await,
        ["organizations", "sla_time_to_resolution_breached"]
    );
    for table in ["requests", "queue_issues"] {
        assert!(columns(connect(&site, ""), table).await.is_empty());
        assert_eq!(
            columns(connect(&site, "IncludeCustomFields=true"), table).await,
            ["impact_10301", "status_10317"]
        );
    }
    let session = connect(&site, "IncludeCustomFields=true");
    let both =
        "SELECT count(*) FROM requests r JOIN issues i ON i.issue_key = r.issue_key WHERE r.affected_system = i.affected_system";
    assert_ne!(rows(&session, both).await, ["0"]);
    let differ = "SELECT count(*) FROM requests r JOIN issues i ON i.issue_key = r.issue_key WHERE r.affected_system IS DISTINCT FROM i.affected_system";
    assert_eq!(rows(&session, differ).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_changes_of_many_issues_are_read_together() {
    const CHANGES: &str = "issue_key, id, created, author_account_id, field, field_id, from_id, from_text, to_id, to_text";
    let site = site(DemoOptions::fixed()).await;
    let session = connect(&site, "");
    let keys = rows(&session, "SELECT issue_key FROM issues").await;
    let list = |keys: &[String]| keys.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(", ");
    // The present way of one issue: its own list of changes.
    let mut one_by_one = Vec::new();
    for key in &keys {
        let sql = format!("SELECT {CHANGES} FROM issue_changelogs WHERE issue_key = '{key}'");
        one_by_one.extend(rows(&session, &sql).await);
    }
    one_by_one.sort();
    let cut = "SELECT issue_key FROM issue_changelogs GROUP BY 1 HAVING count(DISTINCT id) > 40";
    let cut = rows(&session, cut).await;
    assert!(keys.len() > 200 && cut.len() > 2, "{} {}", keys.len(), cut.len());
    let of = |wanted: &[String]| {
        let mine = |row: &&String| wanted.iter().any(|key| row.starts_with(&format!("{key}|")));
        one_by_one.iter().filter(mine).cloned().collect::<Vec<_>>()
    };
    let own = rows(&session, "SELECT issue_key FROM issues WHERE project_key = 'ITSM'").await;
    for (condition, wanted, requests) in [
        // Ids, and all their changes.
        ("true".to_owned(), &keys, 2),
        // Keys have ids first.
        (format!("issue_key IN ({})", list(&keys)), &keys, 2),
        ("issue_key IN (SELECT issue_key FROM issues)".to_owned(), &keys, 3),
        // Too few for that: two batches, after three requests that find them, and those with more changes than came along.
        (
            "issue_key IN (SELECT issue_key FROM issues WHERE project_key = 'ITSM')".to_owned(),
            &own,
            7,
        ),
        // A batch of issues, and those together whose changes it carried in part.
        (format!("issue_key IN ({})", list(&cut)), &cut, 3),
    ] {
        let sql = format!("SELECT {CHANGES} FROM issue_changelogs WHERE {condition}");
        let (sent, mut found) = cost(&session, &sql).await;
        found.sort();
        assert_eq!(found, of(wanted), "{condition:.80}");
        assert!(sent <= requests, "{sent} requests: {condition:.80}");
    }
    // Pages of seven changes, which divide issues.
    let narrow = connect(&site, "Pagesize=7");
    let mut found = rows(&narrow, &format!("SELECT {CHANGES} FROM issue_changelogs")).await;
    found.sort();
    assert_eq!(found, one_by_one);
    let limited = format!("SELECT {CHANGES} FROM issue_changelogs LIMIT 700");
    let limited = rows(&session, &limited).await;
    assert!(limited.len() == 700 && limited.iter().all(|row| one_by_one.contains(row)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_issues_cost_what_they_should() {
    let site = site(DemoOptions {
        requests: 100_000,
        ..DemoOptions::fixed()
    })
    .await;
    let session = connect(&site, "");
    for (sql, most) in [
        ("SELECT count(*) FROM issues", 20),
        (
            "SELECT count(status) FROM (SELECT issue_key, summary, status, priority, created, updated, labels, resolution, due_date, votes FROM issues)",
            120 + BESIDE_THE_FIRST,
        ),
        (
            "SELECT count(description) FROM (SELECT issue_key, summary, description, status FROM issues)",
            1_020,
        ),
    ] {
        let (requests, rows) = cost(&session, sql).await;
        assert_eq!(rows, ["100000"], "{sql}");
        assert!(requests <= most, "{requests} requests instead of {most}: {sql}");
    }
}
