//! The arguments of the command.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use super::format::Format;
use crate::connection::docs::options_help;

/// SQL for Jira Service Management.
#[derive(Debug, Parser)]
#[command(
    name = "jsmql",
    version,
    about = "SQL for Jira Service Management: every REST resource of a site is a table",
    after_help = "Without -c and -f: a prompt on a terminal, else SQL from standard input.\n\
                  Try it without an account: jsmql --demo -c \"SELECT issue_key, summary, status FROM requests LIMIT 5\"\n\
                  --help lists the options of the connection string.",
    args_conflicts_with_subcommands = true
)]
struct CommandLine {
    #[command(flatten)]
    site: SiteArgs,
    /// Run this SQL; may be repeated.
    #[arg(short = 'c', long = "command", value_name = "SQL", allow_hyphen_values = true)]
    command: Vec<String>,
    /// Run the SQL of this file; may be repeated.
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// How rows are written. Default: what the name of the output file says, else table.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the rows to this file instead of standard output. It appears when all rows are there.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Do not read ~/.jsmqlrc at the prompt.
    #[arg(long)]
    no_rc: bool,
    #[command(subcommand)]
    action: Option<SubCommand>,
}

#[derive(Debug, Subcommand)]
enum SubCommand {
    /// Check a connection: who we are, what the site is, what we may do.
    Test(SiteArgs),
    /// Sign in with OAuth in a browser, and keep the tokens.
    Login {
        #[command(flatten)]
        site: SiteArgs,
        /// Only print the address; do not start a browser.
        #[arg(long)]
        no_browser: bool,
    },
    /// Forget the OAuth tokens that are kept.
    Logout(SiteArgs),
    /// List, add, edit and delete connections that are kept under a name.
    #[command(subcommand)]
    Profile(ProfileAction),
    /// Show what a connection is made of.
    #[command(subcommand)]
    Config(ConfigAction),
    /// Print a script that completes arguments in your shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Print the manual page; with the name of a command, its own: `jsmql man serve`.
    Man {
        /// The command.
        command: Vec<String>,
    },
    /// Make the ADBC driver known to other programs.
    #[command(subcommand)]
    Adbc(AdbcAction),
    /// Serve the site to Flight SQL clients (ADBC, JDBC) until interrupted. Without --pass-through they read it as the account of the
    /// connection, and cannot change it.
    #[cfg(feature = "flight")]
    Serve(Box<ServeArgs>),
    /// Serve the demo site until interrupted.
    #[cfg(feature = "demo")]
    Demo {
        /// Port on 127.0.0.1; 0 takes any free one.
        #[arg(long, default_value_t = 8080)]
        port: u16,
        #[command(flatten)]
        demo: DemoArgs,
    },
}

/// What to do with profiles.
#[derive(Debug, Subcommand)]
pub(super) enum ProfileAction {
    /// List the names and sites.
    List,
    /// Keep a connection string under a name.
    Add {
        /// The name; no `/` and no `:`.
        name: String,
        /// Connection string: `Key=value;…`. Values may hold `${VARIABLE}`.
        #[arg(long, value_name = "STRING")]
        connection: String,
    },
    /// Change options; one with an empty value is taken out.
    Edit {
        /// The name.
        name: String,
        /// The options to change: `Key=value;…`.
        #[arg(long, value_name = "STRING")]
        connection: String,
    },
    /// Forget a connection.
    Delete {
        /// The name.
        name: String,
    },
}

/// What to do about the ADBC driver.
#[derive(Debug, Subcommand)]
pub(super) enum AdbcAction {
    /// Write the manifests by which driver managers find the driver: `connect(driver="jsmql")`.
    Install {
        /// The driver: libjsmql.so, libjsmql.dylib or jsmql.dll. Default: the one beside this program.
        #[arg(long, value_name = "FILE")]
        library: Option<PathBuf>,
        /// Where the manifests go. Default: the folder of the user where driver managers look.
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

/// What to show.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigAction {
    /// Each option that is set, and who set it; secrets as ***.
    Show(SiteArgs),
}

/// How a site is served.
#[cfg(feature = "flight")]
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) site: SiteArgs,
    /// Address or name to listen on, with a port; port 0 takes any free one. Beyond this machine, encryption and a login are needed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50051", value_parser = address)]
    pub(super) bind: std::net::SocketAddr,
    /// Each client logs in with the e-mail address and API token of its own account, and may do what that account may do. The connection
    /// string then says everything but the account.
    #[arg(long, conflicts_with_all = ["users", "allow_writes"])]
    pub(super) pass_through: bool,
    /// Let clients change the site as the account of the connection.
    #[arg(long)]
    pub(super) allow_writes: bool,
    /// File with a name:password on each line, for its owner only: clients log in with one of them.
    #[arg(long, value_name = "FILE")]
    pub(super) users: Option<PathBuf>,
    /// Encrypt, with the certificates of this PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Private key of --tls-cert, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// Clients must present a certificate of an authority in this PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_client_ca: Option<PathBuf>,
    /// Seconds that a statement may run; 0 is without end.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(super) statement_timeout: u64,
    /// MiB that a session may hold: what it sorts, joins and groups, answers of the site, rows to write, results that wait.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_memory: u32,
    /// MiB of the largest message to accept.
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) max_message: u32,
    /// Most connections at a time.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(super) max_connections: usize,
    /// Most sessions at a time.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(super) max_sessions: usize,
    /// Most sessions of a user at a time; of an address, where clients do not log in. A session that holds nothing gives way to another.
    /// Default: a quarter of --max-sessions.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_sessions_per_user: Option<u32>,
    /// Most statements that a session may have planned or prepared at a time.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) max_statements: usize,
    /// Most statements that a session may run at a time.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(super) max_running: usize,
    /// Seconds after which a session that is not used ends.
    #[arg(long, value_name = "SECONDS", default_value_t = 1_800)]
    pub(super) session_idle: u64,
    /// Seconds after which every session ends; its client logs in again.
    #[arg(long, value_name = "SECONDS", default_value_t = 43_200)]
    pub(super) session_life: u64,
    /// Seconds that statements that run or were planned may go on after the server was told to stop; no others begin.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(super) drain: u64,
}

/// An address to listen on. Where a name has several, that of IPv4 is meant: clients that are given the name try it, too.
#[cfg(feature = "flight")]
fn address(text: &str) -> Result<std::net::SocketAddr, String> {
    let found = std::net::ToSocketAddrs::to_socket_addrs(text).map(Iterator::collect::<Vec<_>>);
    let found = found.map_err(|error| format!("{error}; write an address and a port, such as 127.0.0.1:50051"))?;
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| "the name has no address".to_owned())
}

/// Which site.
#[derive(Debug, Clone, Args)]
pub(super) struct SiteArgs {
    /// Connection string: `Key=value;…`. Default: the variable JSMQL_CONNECTION. Other users of this machine can see arguments; prefer
    /// JSMQL_APITOKEN for the token.
    #[arg(long, value_name = "STRING")]
    pub(super) connection: Option<String>,
    /// Use the connection that is kept under this name; see `jsmql profile`. Options of the connection string win. Default: the variable
    /// JSMQL_PROFILE.
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Use the embedded demo site; no account is needed. A connection string may set further options.
    #[cfg(feature = "demo")]
    #[arg(long)]
    pub(super) demo: bool,
    #[cfg(feature = "demo")]
    #[command(flatten)]
    pub(super) demo_site: DemoArgs,
}

/// What the demo site is like.
#[cfg(feature = "demo")]
#[derive(Debug, Clone, Args)]
pub(super) struct DemoArgs {
    /// Demo site: seed of its data.
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(super) seed: u64,
    /// Demo site: number of customer requests.
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub(super) requests: usize,
    /// Demo site: the last day of its data, such as 2026-10-31, so that its answers are the same on any day. Default: yesterday.
    #[arg(long, value_name = "DAY")]
    pub(super) date: Option<crate::demo::Day>,
    /// Demo site: time before each answer, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(super) latency_ms: u64,
    /// Demo site: requests per second and endpoint before it answers 429.
    #[arg(long, value_name = "N")]
    pub(super) rate_limit: Option<u32>,
    /// Demo site: time zone of the account's profile, in which the site reads dates.
    #[arg(long, value_name = "ZONE", default_value = crate::demo::ZONES[0], value_parser = clap::builder::PossibleValuesParser::new(crate::demo::ZONES))]
    pub(super) time_zone: String,
    /// Demo site: faults to show, such as `429` or `reset:every=3`; may be repeated.
    #[arg(long = "fault", value_name = "FAULT")]
    pub(super) faults: Vec<crate::demo::Fault>,
}

/// What to do.
#[derive(Debug)]
pub(super) enum Command {
    Sql {
        site: SiteArgs,
        sources: Vec<Source>,
        format: Option<Format>,
        output: Option<PathBuf>,
        /// Whether the file of the user is read before a prompt.
        rc: bool,
    },
    Completions(Shell),
    /// The page of the command that these words name.
    Man(Vec<String>),
    Test(SiteArgs),
    Login {
        site: SiteArgs,
        browser: bool,
    },
    Logout(SiteArgs),
    Profile(ProfileAction),
    ShowConfig(SiteArgs),
    Adbc(AdbcAction),
    #[cfg(feature = "flight")]
    Serve(Box<ServeArgs>),
    #[cfg(feature = "demo")]
    Demo {
        port: u16,
        demo: DemoArgs,
    },
}

/// Where SQL comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Text(String),
    File(PathBuf),
    Stdin,
}

/// Prints a script that completes arguments.
pub(super) fn completions(shell: Shell, sink: &mut dyn Write) {
    clap_complete::generate(shell, &mut CommandLine::command(), "jsmql", sink);
}

/// All arguments, as the manual describes them.
pub(super) fn described() -> clap::Command {
    CommandLine::command()
}

/// Reads the arguments.
pub(super) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    let command = CommandLine::command().after_long_help(options_help());
    let matches = command.try_get_matches_from(arguments)?;
    let line = CommandLine::from_arg_matches(&matches)?;
    Ok(match line.action {
        Some(SubCommand::Test(site)) => Command::Test(site),
        Some(SubCommand::Login { site, no_browser }) => Command::Login {
            site,
            browser: !no_browser,
        },
        Some(SubCommand::Logout(site)) => Command::Logout(site),
        Some(SubCommand::Profile(action)) => Command::Profile(action),
        Some(SubCommand::Config(ConfigAction::Show(site))) => Command::ShowConfig(site),
        Some(SubCommand::Adbc(action)) => Command::Adbc(action),
        #[cfg(feature = "flight")]
        Some(SubCommand::Serve(serve)) => Command::Serve(serve),
        #[cfg(feature = "demo")]
        Some(SubCommand::Demo { port, demo }) => Command::Demo { port, demo },
        Some(SubCommand::Completions { shell }) => Command::Completions(shell),
        Some(SubCommand::Man { command }) => Command::Man(command),
        None => Command::Sql {
            rc: !line.no_rc,
            sources: in_order(&matches, line.command, line.file),
            site: line.site,
            format: line.format,
            output: line.output,
        },
    })
}

/// `-c` and `-f` in the order they were given.
fn in_order(matches: &ArgMatches, texts: Vec<String>, files: Vec<PathBuf>) -> Vec<Source> {
    let indices = |id: &str| matches.indices_of(id).map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    let mut sources: Vec<(usize, Source)> = Vec::new();
    sources.extend(indices("command").into_iter().zip(texts.into_iter().map(Source::Text)));
    sources.extend(indices("file").into_iter().zip(files.into_iter().map(Source::File)));
    sources.sort_by_key(|(index, _)| *index);
    if sources.is_empty() {
        vec![Source::Stdin]
    } else {
        sources.into_iter().map(|(_, source)| source).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, clap::Error> {
        read(std::iter::once("jsmql").chain(arguments.iter().copied()).map(OsString::from))
    }

    #[test]
    fn commands_and_files_keep_their_order() {
        let Ok(Command::Sql { sources, .. }) = parse(&["-c", "SELECT 1", "-f", "a.sql", "-c", "SELECT 2"]) else {
            panic!("not SQL")
        };
        assert_eq!(
            sources,
            [
                Source::Text("SELECT 1".into()),
                Source::File("a.sql".into()),
                Source::Text("SELECT 2".into())
            ]
        );
    }

    #[test]
    fn standard_input_is_the_default() {
        let Ok(Command::Sql { sources, format, .. }) = parse(&[]) else {
            panic!("not SQL")
        };
        assert_eq!((sources, format), (vec![Source::Stdin], None));
    }

    #[test]
    #[cfg(feature = "flight")]
    fn a_server_listens_on_an_address_or_a_name() {
        let bind = |text: &str| match parse(&["serve", "--bind", text]) {
            Ok(Command::Serve(serve)) => Ok(serve.bind.to_string()),
            Ok(_) => panic!("no server"),
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(bind("[::1]:0").as_deref(), Ok("[::1]:0"));
        assert_eq!(bind("localhost:7").as_deref(), Ok("127.0.0.1:7"));
        assert!(bind("localhost").is_err_and(|error| error.contains("such as 127.0.0.1:50051")));
    }

    #[test]
    fn an_unknown_format_is_refused() {
        assert!(parse(&["--format", "xml"]).is_err_and(|error| error.to_string().contains("ndjson")));
    }
}
