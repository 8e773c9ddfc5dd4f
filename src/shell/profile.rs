//! `jsmql profile` and `jsmql config`: what is kept about connections, shown and changed.

use crate::connection::{ConnectionString, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::profile::{Change, Profiles, connection};

use super::args::ProfileAction;

/// Does what `jsmql profile` was asked.
pub(super) fn profile(action: &ProfileAction) -> Result<()> {
    let mut profiles = Profiles::load()?;
    match action {
        ProfileAction::List => list(),
        ProfileAction::Add { name, connection: text } => {
            let string = checked(text)?;
            profiles.change(name, &string, Change::Add)?;
            warn(&string, name);
            Ok(())
        }
        ProfileAction::Edit { name, connection: text } => {
            let string = ConnectionString::parse(text)?;
            profiles.change(name, &string, Change::Edit)?;
            warn(&string, name);
            // The profile as a whole tells whether the change fits.
            connection("", Some(name)).map(drop)
        }
        ProfileAction::Delete { name } => profiles.delete(name),
    }
}

/// Shows the names and sites.
pub(super) fn list() -> Result<()> {
    let profiles = Profiles::load()?;
    for (name, url) in profiles.list() {
        println!("{name}  {url}");
    }
    eprintln!("kept in {}", profiles.path().display());
    Ok(())
}

/// The string, if every key in it is an option. Values are checked when the profile is used: they may name variables of then.
fn checked(text: &str) -> Result<ConnectionString> {
    let string = ConnectionString::parse(text)?;
    if string.pairs().next().is_none() {
        return Err(
            Error::new(ErrorKind::Option, "the profile would be empty").hint("name its options: --connection 'URL=…;User=…'")
        );
    }
    crate::connection::check_names(&string)?;
    Ok(string)
}

fn warn(string: &ConnectionString, name: &str) {
    let written_out = string.pairs().find(|(key, value)| {
        crate::connection::OptionRow::find(key).is_some_and(|row| row.secret)
            && !value.expose().is_empty()
            && !value.expose().starts_with("${")
    });
    if let Some((key, _)) = written_out {
        eprintln!(
            "note: {key} is kept in the open in the file of the profile {name}; {key}Command or {key}Keyring keep it elsewhere"
        );
    }
}

/// Prints the options that somebody set, secrets as `***`, and who set them.
pub(super) fn config(text: &str, name: Option<&str>) -> Result<()> {
    let connection = connection(text, name)?;
    for state in connection.options().filter(|state| state.source != Source::Default) {
        println!(
            "{} = {}  ({})",
            state.row.name,
            state.value.replace(['\n', '\r'], " "),
            state.source
        );
    }
    println!("sign-in: {}", connection.scheme_text());
    Ok(())
}
