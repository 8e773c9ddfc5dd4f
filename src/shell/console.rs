//! What runs statements and commands, and remembers what was set: of a prompt, a file or an argument.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::StreamExt;

use super::counted::counted;
use super::format::{Format, NAME_IT, no_format_named};
use super::interrupt::Interrupts;
use super::meta::{self, Meta, Switch};
use super::output::Output;
use super::path::path;
use super::script::{Piece, pieces};
use super::site::Site;
use super::{describe, editor, profile, progress, report};
use crate::error::{Error, ErrorKind, Result};
use crate::session::{ParsedStatement, Rows, Session};

/// How deep files may include each other.
const DEEPEST: usize = 16;

/// What comes after a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    Leave,
}

/// What comes after a piece of a text.
enum Then {
    Go,
    Leave,
    /// The pieces of another text.
    Text(String),
}

/// Runs statements and commands.
pub(super) struct Console {
    site: Site,
    output: Output,
    /// None: nobody has chosen one.
    format: Option<Format>,
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
    interrupts: Interrupts,
    /// What was written in the editor.
    edited: Vec<String>,
}

/// The last statement.
#[derive(Debug, Clone)]
struct Last {
    sql: String,
    number: u64,
}

impl Console {
    pub(super) fn new(site: Site, format: Option<Format>, output: Output) -> Self {
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
            interrupts: Interrupts::default(),
            edited: Vec::new(),
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

    /// What was written in the editor since this was asked last.
    pub(super) fn take_edited(&mut self) -> Vec<String> {
        std::mem::take(&mut self.edited)
    }

    /// Leaves aside what was called off before.
    pub(super) fn begin(&mut self) {
        self.interrupts.forget();
    }

    /// Ends the output: a file gets its name now.
    pub(super) fn close(self) -> Result<()> {
        self.output.close()
    }

    /// Parses all SQL of a text, so that a file with a mistake in its last line does nothing at all.
    pub(super) async fn check(&mut self, text: &str) -> Result<()> {
        self.interrupts.listen();
        for piece in pieces(text) {
            match piece {
                Piece::Sql(sql) => drop(self.parsed(&sql).await?),
                Piece::Command(line) => drop(meta::read(&line)?),
            }
        }
        Ok(())
    }

    /// Runs a text.
    ///
    /// # Errors
    /// A piece of it failed, and errors end a text; or it was called off, which always does.
    pub(super) async fn run(&mut self, text: &str) -> Result<Next> {
        self.interrupts.listen();
        // What is left of the text, and of those that it has led into.
        let mut texts = vec![pieces(text).into_iter()];
        while let Some(rest) = texts.last_mut() {
            let Some(piece) = rest.next() else {
                texts.pop();
                continue;
            };
            let outcome = match self.piece(piece).await {
                Ok(Then::Text(_)) if texts.len() > DEEPEST => Err(too_deep()),
                outcome => outcome,
            };
            match outcome {
                Ok(Then::Go) => {}
                Ok(Then::Leave) => return Ok(Next::Leave),
                Ok(Then::Text(text)) => texts.push(pieces(&text).into_iter()),
                Err(error) if self.bail || error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(error) => {
                    self.failed = true;
                    super::complain(&error);
                }
            }
        }
        Ok(Next::Go)
    }

    async fn piece(&mut self, piece: Piece) -> Result<Then> {
        self.interrupts.check()?;
        match piece {
            Piece::Sql(sql) => self.sql(&sql).await,
            Piece::Command(line) => self.command(meta::read(&line)?).await,
        }
    }

    async fn parsed(&mut self, sql: &str) -> Result<Vec<ParsedStatement>> {
        self.interrupts.during(self.site.session.statements(sql)).await
    }

    async fn sql(&mut self, sql: &str) -> Result<Then> {
        for statement in self.parsed(sql).await? {
            match self.statement(statement).await {
                // The reader of a pipe has seen enough.
                Err(_) if self.output.is_closed() => return Ok(Then::Leave),
                outcome => outcome?,
            }
        }
        Ok(Then::Go)
    }

    /// The error of a statement; that of a write which was cancelled says what became of its rows.
    fn accounted(&self, error: Error, number: Option<u64>) -> Error {
        match number.and_then(|number| self.session().written(number)) {
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
        let mut number = None;
        let outcome = match statement.copy() {
            None => {
                let rows = read(self.site.session.execute(statement), &mut self.output, &mut number);
                self.interrupts.during(rows).await
            }
            Some(copy) => {
                let path = Path::new(&copy.target);
                let mut file = Output::file(copy_format(copy.format.as_deref(), path)?, path)?;
                let rows = read(self.site.session.execute(copy.rows), &mut file, &mut number);
                let outcome = self.interrupts.during(rows).await;
                match outcome {
                    Ok(read) => {
                        file.close()?;
                        eprintln!("{} in {}", counted(read.rows, "row"), copy.target);
                        Ok(read)
                    }
                    Err(error) => Err(error),
                }
            }
        };
        if outcome.is_err() {
            self.output.abandon();
        }
        self.last = Some(Last {
            sql,
            // One that never began was the newest, as a rule; names for completion are asked for in between.
            number: number.unwrap_or_else(|| self.session().statement_number()),
        });
        self.changed |= outcome.as_ref().is_ok_and(|read| read.defines);
        let read = outcome.map_err(|error| self.accounted(error, number))?;
        if self.timing {
            eprintln!(
                "Time: {:.1} ms, {}",
                started.elapsed().as_secs_f64() * 1e3,
                counted(read.requests as usize, "request")
            );
        }
        Ok(())
    }

    /// Shows the rows of a statement of our own, which is not the last one afterwards.
    async fn show(&mut self, sql: &str) -> Result<()> {
        let mut own = None;
        let rows = read(self.site.session.ask(sql), &mut self.output, &mut own);
        let outcome = self.interrupts.during(rows).await.map(drop);
        if outcome.is_err() {
            self.output.abandon();
        }
        outcome
    }

    async fn command(&mut self, meta: Meta) -> Result<Then> {
        match meta {
            Meta::Quit => return Ok(Then::Leave),
            Meta::Help => print!("{}", meta::help()),
            Meta::SqlHelp(topic) => print!("{}", sql_help(&topic)?),
            Meta::Describe(None) => self.show(describe::TABLES).await?,
            Meta::Describe(Some(name)) => self.describe(&name).await?,
            Meta::Procedures(None) => self.show(describe::PROCEDURES).await?,
            Meta::Procedures(Some(procedure)) => {
                let parameters = describe::parameters(&procedure)?;
                if !self.finds(&parameters).await? {
                    return Err(nothing("procedure", &procedure, "\\df"));
                }
                self.show(&parameters).await?;
            }
            Meta::Schemas => self.show(describe::SCHEMAS).await?,
            Meta::Connection => self.show(describe::CONNECTION).await?,
            Meta::Profile(None) => profile::list()?,
            Meta::Profile(Some(name)) => self.connect("", Some(&name)).await?,
            Meta::Connect(text) => self.connect(&text, None).await?,
            Meta::Switch(switch, value) => self.switch(switch, value),
            Meta::Mode(None) => println!("{}; there are {}", self.shown().name(), Format::names().join(", ")),
            Meta::Mode(Some(name)) => {
                self.format = Some(Format::named(&name).ok_or_else(|| no_format(&name))?);
                self.arrange();
            }
            Meta::Output(path) => self.redirect(path.as_deref())?,
            Meta::Include(file) => return read_file(&path(&file)).map(Then::Text),
            Meta::Edit => {
                let text = editor::edit(self.last.as_ref().map_or("", |last| last.sql.as_str()))?;
                // Whoever leaves the editor by Ctrl-C means the editor.
                self.interrupts.forget();
                println!("{text}");
                self.edited.push(text.trim().to_owned());
                return Ok(Then::Text(text));
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
        Ok(Then::Go)
    }

    /// Shows the columns of the table that a name means, and its keys.
    async fn describe(&mut self, name: &str) -> Result<()> {
        for table in describe::tables(name)? {
            let columns = describe::columns(&table);
            if self.finds(&columns).await? {
                self.show(&columns).await?;
                if let Some(keys) = describe::keys(&table) {
                    self.show(&keys).await?;
                }
                return Ok(());
            }
        }
        Err(nothing("table", name, "\\d"))
    }

    /// Whether a statement of ours finds what it is about.
    async fn finds(&mut self, sql: &str) -> Result<bool> {
        self.interrupts.during(finds(&self.site.session, sql)).await
    }

    async fn connect(&mut self, text: &str, profile: Option<&str>) -> Result<()> {
        self.site = self.interrupts.during(Site::connect(text, profile)).await?;
        self.last = None;
        self.changed = true;
        eprintln!("connected to {}", self.session().connection().site());
        Ok(())
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

    fn redirect(&mut self, file: Option<&str>) -> Result<()> {
        let output = match file.map(path) {
            None => Output::standard(self.shown()),
            // What was chosen for the prompt does not say that this file is an exception.
            Some(path) => {
                let chosen = self.format.filter(|_| Format::of(&path).is_none());
                Output::file(Format::of_file(chosen, &path)?, &path)?
            }
        };
        let before = std::mem::replace(&mut self.output, output);
        if file.is_none() {
            self.arrange();
        }
        before.close()
    }

    /// How rows are shown.
    fn shown(&self) -> Format {
        match self.format.unwrap_or(Format::Table) {
            Format::Table if self.expanded => Format::Vertical,
            format => format,
        }
    }

    /// Tells the output what was set. A file keeps the format that its name asked for.
    fn arrange(&mut self) {
        if self.output.is_standard() {
            self.output.set_format(self.shown());
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
            if let Err(error) = self.sql(&sql).await {
                break Err(error);
            }
            match self.interrupts.during(pause(interval)).await {
                // That is how it is meant to end.
                Err(error) if error.kind() == ErrorKind::Cancelled => break Ok(()),
                Ok(()) => {}
                Err(error) => break Err(error),
            }
        };
        self.pages = pages;
        self.arrange();
        outcome
    }
}

/// What reading the rows of a statement has given.
struct Done {
    rows: usize,
    requests: u64,
    /// Whether it had no columns: it made or dropped something.
    defines: bool,
}

/// Reads a statement into the output; its number is told as soon as it has begun.
async fn read(begun: impl Future<Output = Result<Rows>>, output: &mut Output, number: &mut Option<u64>) -> Result<Done> {
    let mut rows = begun.await?;
    *number = Some(rows.statement());
    let progress = progress::show(rows.meter());
    let schema = rows.schema();
    output.begin(schema.clone())?;
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        count += batch.num_rows();
        progress.pause(|| output.write(batch))?;
    }
    drop(progress);
    output.end()?;
    for warning in rows.meter().warnings() {
        eprintln!("warning: {warning}");
    }
    Ok(Done {
        rows: count,
        requests: rows.meter().progress().requests,
        defines: schema.fields().is_empty(),
    })
}

async fn finds(session: &Session, sql: &str) -> Result<bool> {
    let mut rows = session.ask(sql).await?;
    while let Some(batch) = rows.next().await {
        if batch?.num_rows() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn pause(time: Duration) -> Result<()> {
    tokio::time::sleep(time).await;
    Ok(())
}

/// The format of `COPY … TO`: what `STORED AS` says goes before the name of the file.
fn copy_format(named: Option<&str>, path: &Path) -> Result<Format> {
    match named {
        Some(name) => Format::named(name).ok_or_else(|| no_format(name)),
        None => Format::of(path).ok_or_else(|| no_format_named(path).hint(format!("{NAME_IT}; or write STORED AS"))),
    }
}

fn nothing(what: &str, name: &str, lists: &str) -> Error {
    Error::new(ErrorKind::Statement, format!("there is no {what} {name}")).hint(format!("{lists} lists them"))
}

fn no_format(name: &str) -> Error {
    Error::new(ErrorKind::Statement, format!("there is no format {name}"))
        .hint(format!("there are {}", Format::names().join(", ")))
}

fn too_deep() -> Error {
    Error::new(
        ErrorKind::Statement,
        format!("files include each other more than {DEEPEST} deep"),
    )
    .hint("look for a file that includes itself")
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
pub(super) fn read_file(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::new(ErrorKind::Io, format!("cannot read {}: {error}", path.display())).hint("name a file with SQL, in UTF-8")
    })
}
