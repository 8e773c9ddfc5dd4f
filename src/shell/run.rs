//! Does what the command line says.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use super::args::{self, Command, Source};
use super::console::{Console, Next, read_file};
use super::format::Format;
use super::output::Output;
use super::site::Site;
#[cfg(feature = "demo")]
use super::site::start_demo;
use super::{adbc, check, man, profile, prompt};
use crate::error::{Error, ErrorKind, Result};

/// Does what the command line says; the exit status is that of errors that were passed over.
pub(super) async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Sql {
            site,
            sources,
            format,
            output,
            rc,
        } => {
            let site = Site::open(&site).await?;
            let output = match output.as_deref() {
                None => Output::standard(format.unwrap_or(Format::Table)),
                Some(path) => Output::file(Format::of_file(format, path)?, path)?,
            };
            let console = Console::new(site, format, output);
            let at_prompt = sources == [Source::Stdin] && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
            if at_prompt {
                prompt::prompt(console.for_people(), rc).await?;
                return Ok(ExitCode::SUCCESS);
            }
            return run_sources(console, &sources).await;
        }
        Command::Completions(shell) => {
            args::completions(shell, &mut std::io::stdout());
            Ok(())
        }
        Command::Man(page) => man::man(&page, &mut std::io::stdout()),
        Command::Test(site) => {
            let site = Site::open(&site).await?;
            check::check(&site.session).await
        }
        Command::Login { site, browser } => {
            let site = Site::open(&site).await?;
            let place = site.session.login(browser).await?;
            println!("signed in; the tokens are kept in {place}");
            Ok(())
        }
        Command::Logout(site) => {
            let site = Site::open(&site).await?;
            println!("{}", site.session.logout().await?);
            Ok(())
        }
        Command::Profile(action) => profile::profile(&action),
        Command::ShowConfig(site) => profile::config(site.connection.as_deref().unwrap_or_default(), site.profile.as_deref()),
        Command::Adbc(action) => adbc::adbc(&action),
        #[cfg(feature = "flight")]
        Command::Serve(serve) => super::serve::serve(*serve).await,
        #[cfg(feature = "demo")]
        Command::Demo { port, demo } => {
            let site = start_demo(&demo, port).await?;
            println!("{}", site.url());
            eprintln!(
                "user {}, API token {}; stop with Ctrl-C",
                crate::demo::USER,
                crate::demo::TOKEN
            );
            tokio::select! {
                () = site.wait() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            Ok(())
        }
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Runs texts one after the other.
async fn run_sources(mut console: Console, sources: &[Source]) -> Result<ExitCode> {
    for source in sources {
        let text = read(source)?;
        console.check(&text).await?;
        if console.run(&text).await? == Next::Leave {
            break;
        }
    }
    let status = if console.has_failed() {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    };
    console.close()?;
    Ok(status)
}

fn read(source: &Source) -> Result<String> {
    match source {
        Source::Text(text) => Ok(text.clone()),
        Source::File(path) => read_file(path),
        Source::Stdin => {
            let mut text = String::new();
            if std::io::stdin().is_terminal() {
                eprintln!("reading SQL from the terminal; end with Ctrl-D");
            }
            std::io::stdin().read_to_string(&mut text).map_err(|error| {
                Error::new(ErrorKind::Io, format!("cannot read standard input: {error}")).hint("give the SQL by -c or -f")
            })?;
            Ok(text)
        }
    }
}
