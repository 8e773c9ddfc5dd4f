//! The folder with the user's configuration.

use std::path::PathBuf;

/// `$XDG_CONFIG_HOME/jsmql`, else `~/.config/jsmql`; on Windows `%APPDATA%\jsmql`. None: the user has no home. Not known to exist.
pub(crate) fn folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        variable("APPDATA")?
    } else {
        // A relative path is no place: it would change with the folder one stands in.
        let base = variable("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
        base.or_else(|| variable("HOME").map(|home| home.join(".config")))?
    };
    Some(base.join("jsmql"))
}
