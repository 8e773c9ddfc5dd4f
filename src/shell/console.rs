//! What runs statements and commands, and remembers what was set: of a prompt, a file or an argument.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::StreamExt;

use super::format::Format;
use super::meta::{self, Meta, Switch};
use super::output::Output;
use super::script::{Piece, pieces};
use super::site::Site;
use super::{describe, editor, profile, progress, report};
use crate::error::{Error, ErrorKind, Result};
use crate::session::{ParsedStatement, Session};

/// What comes after a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    Leave,
}

/// Runs statements and commands.
pub(super) struct Console {
    site: Site,
    output: Output,
    format: Format,
    expanded: bool,
    timing: bool,
    pages: bool,
    /// Whether a text ends at its first error.
    bail: bool,
    /// Whether an error was shown, and what came after it was run.
    failed: bool,
    last: Option<Last>,
    /// Whether names may be others than before: another site, or a table that was made.
    changed: bool,
}

/// The last statement.
#[derive(Debug, Clone)]
struct Last {
    sql: String,
    number: u64,
}

impl Console {
    pub(super) fn new(site: Site, format: Format, output: Output) -> Self {
        Self {
            site,
            output,
            format,
            expanded: false,
            timing: false,
            pages: false,
            bail: true,
            failed: false,
            last: None,
            changed: false,
        }
    }

    /// As somebody at a prompt expects it: errors do not end it, long answers are shown by pages.
    pub(super) fn for_people(mut self) -> Self {
        (self.bail, self.pages) = (false, true);
        self.arrange();
        self
    }

    pub(super) fn session(&self) -> &Session {
        &self.site.session
    }

    /// Whether an error was shown and passed over.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether names may have changed since this was asked last.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Ends the output: a file gets its name now.
    pub(super) fn close(self) -> Result<()> {
        self.output.close()
    }

    /// Parses all SQL of a text, so that a file with a mistake in its last line does nothing at all.
    pub(super) async fn check(&self, text: &str) -> Result<()> {
        for piece in pieces(text) {
            match piece {
                Piece::Sql(sql) => drop(self.session().statements(&sql).await?),
                Piece::Command(line) => drop(meta::read(&line)?),
            }
        }
        Ok(())
    }

    /// Runs a text.
    ///
    /// # Errors
    /// A piece of it failed, and errors end a text.
    pub(super) async fn run(&mut self, text: &str) -> Result<Next> {
        for piece in pieces(text) {
            let outcome = match piece {
                Piece::Sql(sql) => self.sql(&sql).await,
                Piece::Command(line) => match meta::read(&line) {
                    Ok(meta) => self.command(meta).await,
                    Err(error) => Err(error),
                },
            };
            match outcome {
                Ok(Next::Go) => {}
                Ok(Next::Leave) => return Ok(Next::Leave),
                Err(error) if self.bail => return Err(error),
                Err(error) => {
                    self.failed = true;
                    super::complain(&error);
                }
            }
        }
        Ok(Next::Go)
    }

    async fn sql(&mut self, sql: &str) -> Result<Next> {
        for statement in self.session().statements(sql).await? {
            match self.statement(statement).await {
                // The reader of a pipe has seen enough.
                Err(_) if self.output.is_closed() => return Ok(Next::Leave),
                outcome => outcome?,
            }
        }
        Ok(Next::Go)
    }

    /// The error of a statement; that of a write which was cancelled says what became of its rows.
    fn accounted(&self, error: Error, number: u64) -> Error {
        match self.session().written(number) {
            Some(counts) if error.kind() == ErrorKind::Cancelled => {
                Error::new(ErrorKind::Cancelled, format!("cancelled: {counts}"))
                    .hint("SELECT * FROM sys.writes lists the rows; look at the site for one that is unknown")
            }
            _ => error,
        }
    }

    /// Runs one statement; Ctrl-C ends it.
    async fn statement(&mut self, statement: ParsedStatement) -> Result<()> {
        let started = Instant::now();
        let sql = statement.to_string();
        let outcome = match statement.copy() {
            None => {
                let rows = read(&self.site.session, statement, &mut self.output);
                interruptible(rows).await
            }
            Some(copy) => {
                let path = Path::new(&copy.target);
                let mut file = Output::file(copy_format(copy.format.as_deref(), path)?, path)?;
                let outcome = interruptible(read(&self.site.session, copy.rows, &mut file)).await;
                match outcome {
                    Ok(read) => {
                        file.close()?;
                        eprintln!("{} rows in {}", read.rows, copy.target);
                        Ok(read)
                    }
                    Err(error) => Err(error),
                }
            }
        };
        if outcome.is_err() {
            self.output.abandon();
        }
        let number = outcome
            .as_ref()
            .map_or_else(|_| self.session().statement_number(), |read| read.number);
        self.last = Some(Last { sql, number });
        self.changed |= outcome.as_ref().is_ok_and(|read| read.defines);
        let read = outcome.map_err(|error| self.accounted(error, number))?;
        if self.timing {
            eprintln!(
                "Time: {:.1} ms, {} requests",
                started.elapsed().as_secs_f64() * 1e3,
                read.requests
            );
        }
        Ok(())
    }

    /// Shows the rows of a statement of our own, which is not the last one afterwards.
    async fn show(&mut self, sql: &str) -> Result<()> {
        let statement = self.session().statements(sql).await?.remove(0);
        interruptible(read(&self.site.session, statement, &mut self.output))
            .await
            .map(drop)
    }

    async fn command(&mut self, meta: Meta) -> Result<Next> {
        match meta {
            Meta::Quit => return Ok(Next::Leave),
            Meta::Help => print!("{}", meta::help()),
            Meta::SqlHelp(topic) => print!("{}", sql_help(&topic)?),
            Meta::Describe(None) => self.show(describe::TABLES).await?,
            Meta::Describe(Some(table)) => {
                self.exists(&describe::columns(&table)?, &table, "table", "\\d").await?;
                self.show(&describe::columns(&table)?).await?;
                self.show(&describe::keys(&table)?).await?;
            }
            Meta::Procedures(None) => self.show(describe::PROCEDURES).await?,
            Meta::Procedures(Some(procedure)) => {
                let parameters = describe::parameters(&procedure)?;
                self.exists(&parameters, &procedure, "procedure", "\\df").await?;
                self.show(&parameters).await?;
            }
            Meta::Schemas => self.show(describe::SCHEMAS).await?,
            Meta::Connection => self.show(describe::CONNECTION).await?,
            Meta::Profile(None) => profile::list()?,
            Meta::Profile(Some(name)) => self.connect(Site::connect("", Some(&name)).await?),
            Meta::Connect(text) => self.connect(Site::connect(&text, None).await?),
            Meta::Switch(switch, value) => self.switch(switch, value),
            Meta::Mode(None) => println!("{:?}; there are {}", self.format, Format::names().join(", ")),
            Meta::Mode(Some(name)) => {
                self.format = Format::named(&name).ok_or_else(|| no_format(&name))?;
                self.arrange();
            }
            Meta::Output(path) => self.redirect(path.as_deref())?,
            Meta::Include(path) => {
                let text = read_file(&path)?;
                return Box::pin(self.run(&text)).await;
            }
            Meta::Edit => {
                let text = editor::edit(self.last.as_ref().map_or("", |last| last.sql.as_str()))?;
                println!("{text}");
                return Box::pin(self.run(&text)).await;
            }
            Meta::Watch(interval) => self.watch(interval).await?,
            Meta::Requests { trace } => {
                let number = self.last.as_ref().ok_or_else(no_last)?.number;
                let mut requests = self.session().requests();
                requests.retain(|request| request.statement == number);
                print!(
                    "{}",
                    if trace {
                        report::trace(&requests)
                    } else {
                        report::summary(&requests)
                    }
                );
            }
        }
        Ok(Next::Go)
    }

    /// Checks that a statement of ours finds what it is about.
    async fn exists(&self, sql: &str, name: &str, what: &str, lists: &str) -> Result<()> {
        let mut rows = self.session().sql(sql).await?;
        while let Some(batch) = rows.next().await {
            if batch?.num_rows() > 0 {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Statement, format!("there is no {what} {name}")).hint(format!("{lists} lists them")))
    }

    fn connect(&mut self, site: Site) {
        self.site = site;
        self.last = None;
        self.changed = true;
        eprintln!("connected to {}", self.session().connection().site());
    }

    fn switch(&mut self, switch: Switch, value: Option<bool>) {
        let (name, place) = match switch {
            Switch::Timing => ("timing", &mut self.timing),
            Switch::Expanded => ("expanded rows", &mut self.expanded),
            Switch::Pager => ("pager", &mut self.pages),
            Switch::Bail => ("bail", &mut self.bail),
        };
        *place = value.unwrap_or(!*place);
        eprintln!("{name} {}", if *place { "on" } else { "off" });
        self.arrange();
    }

    fn redirect(&mut self, path: Option<&str>) -> Result<()> {
        let output = match path {
            None => Output::standard(self.format),
            Some(path) => Output::file(file_format(self.format, Path::new(path)), Path::new(path))?,
        };
        let before = std::mem::replace(&mut self.output, output);
        if path.is_none() {
            self.arrange();
        }
        before.close()
    }

    /// Tells the output what was set. A file keeps the format that its name asked for.
    fn arrange(&mut self) {
        let format = if self.expanded && self.format == Format::Table {
            Format::Vertical
        } else {
            self.format
        };
        if self.output.is_standard() {
            self.output.set_format(format);
        }
        self.output.set_pages(self.pages);
    }

    async fn watch(&mut self, interval: Duration) -> Result<()> {
        let sql = self.last.clone().ok_or_else(no_last)?.sql;
        let pages = std::mem::replace(&mut self.pages, false);
        self.arrange();
        let outcome = loop {
            println!(
                "{}  every {} s, Ctrl-C ends it",
                chrono::Utc::now().format("%H:%M:%S UTC"),
                interval.as_secs_f64()
            );
            match self.sql(&sql).await {
                Err(error) if error.kind() == ErrorKind::Cancelled => break Ok(()),
                Err(error) => break Err(error),
                Ok(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                _ = tokio::signal::ctrl_c() => break Ok(()),
            }
        };
        self.pages = pages;
        self.arrange();
        outcome
    }
}

/// What reading the rows of a statement has given.
struct Done {
    number: u64,
    rows: usize,
    requests: u64,
    /// Whether it had no columns: it made or dropped something.
    defines: bool,
}

async fn read(session: &Session, statement: ParsedStatement, output: &mut Output) -> Result<Done> {
    let mut rows = session.execute(statement).await?;
    let progress = progress::show(rows.meter());
    let schema = rows.schema();
    output.begin(schema.clone())?;
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        count += batch.num_rows();
        progress.pause(|| output.write(&batch))?;
    }
    drop(progress);
    output.end()?;
    for warning in rows.meter().warnings() {
        eprintln!("warning: {warning}");
    }
    Ok(Done {
        number: rows.statement(),
        rows: count,
        requests: rows.meter().progress().requests,
        defines: schema.fields().is_empty(),
    })
}

async fn interruptible<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => Err(Error::new(ErrorKind::Cancelled, "cancelled")),
    }
}

/// The format of a file: what was asked for, or what its name says where nothing was.
pub(super) fn file_format(format: Format, path: &Path) -> Format {
    match format {
        Format::Table => Format::of(path).unwrap_or(format),
        format => format,
    }
}

fn copy_format(named: Option<&str>, path: &Path) -> Result<Format> {
    match named {
        Some(name) => Format::named(name).ok_or_else(|| no_format(name)),
        None => Format::of(path).ok_or_else(|| {
            Error::new(
                ErrorKind::Statement,
                format!("the name {} does not say the format", path.display()),
            )
            .hint("name it so: .csv, .tsv, .json, .ndjson, .md, .parquet or .arrow; or write STORED AS")
        }),
    }
}

fn no_format(name: &str) -> Error {
    Error::new(ErrorKind::Statement, format!("there is no format {name}"))
        .hint(format!("there are {}", Format::names().join(", ")))
}

fn no_last() -> Error {
    Error::new(ErrorKind::Statement, "no statement was run yet").hint("run one first")
}

fn sql_help(topic: &str) -> Result<String> {
    let topic = topic.split_whitespace().next().unwrap_or_default().to_uppercase();
    let rows: Vec<&(&str, &str)> = (describe::SQL_HELP.iter())
        .filter(|(name, _)| topic.is_empty() || *name == topic)
        .collect();
    if rows.is_empty() {
        return Err(Error::new(ErrorKind::Statement, format!("there is no help about {topic}")).hint("\\h lists the statements"));
    }
    Ok(rows.iter().map(|(_, text)| format!("{text}\n")).collect())
}

/// The text of a file.
pub(super) fn read_file(path: &str) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Error::new(ErrorKind::Io, format!("cannot read {path}: {error}")).hint("name a file with SQL, in UTF-8"))
}
