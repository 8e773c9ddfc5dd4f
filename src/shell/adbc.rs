//! `jsmql adbc install`: tells the driver managers of ADBC where the driver is, by a manifest in the folder where they look.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

use super::args::AdbcAction;

/// The names by which programs load the driver: its own, and the scheme of its URIs, which managers take for the name of a driver.
const NAMES: [&str; 2] = ["jsmql", "jsm"];

/// Does what `jsmql adbc` was asked.
pub(super) fn adbc(action: &AdbcAction) -> Result<()> {
    let AdbcAction::Install { library, folder } = action;
    let library = match library {
        Some(library) => library.clone(),
        None => beside(&std::env::current_exe().map_err(|error| failed("cannot find this program", &error))?)?,
    };
    let library = std::path::absolute(&library).map_err(|error| failed(&library.display().to_string(), &error))?;
    if !library.is_file() {
        return Err(Error::new(ErrorKind::Io, format!("there is no driver at {}", library.display())).hint(BUILD));
    }
    let folder = match folder {
        Some(folder) => folder.clone(),
        None => own_folder(|name| std::env::var_os(name).map(PathBuf::from))?,
    };
    let text = manifest(&library)?;
    std::fs::create_dir_all(&folder).map_err(|error| failed(&format!("cannot make {}", folder.display()), &error))?;
    for name in NAMES {
        let path = folder.join(format!("{name}.toml"));
        write(&path, &text)?;
        println!("{}", path.display());
    }
    eprintln!("programs load it by the name jsmql, or by an address: jsm://acme.atlassian.net");
    Ok(())
}

const BUILD: &str =
    "build it with `cargo rustc --release --lib --crate-type cdylib --features adbc`, and name the file with --library";

/// A manifest appears whole: a manager may be reading it.
fn write(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension("toml.partial");
    std::fs::write(&partial, text)
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|error| failed(&format!("cannot write {}", path.display()), &error))
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{what}: {error}")).hint("name another place with --library or --folder")
}

/// The driver in the folder of this program, or in `lib` beside that.
fn beside(program: &Path) -> Result<PathBuf> {
    let name = format!("{}jsmql{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let folder = program.parent().unwrap_or(Path::new("."));
    [folder.join(&name), folder.join("../lib").join(&name)]
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| Error::new(ErrorKind::Io, format!("there is no {name} beside {}", program.display())).hint(BUILD))
}

/// Where the managers look for manifests of the user.
fn own_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf> {
    let filled = |name| variable(name).filter(|path| !path.as_os_str().is_empty());
    let found = if cfg!(windows) {
        filled("LOCALAPPDATA").map(|folder| folder.join("ADBC").join("Drivers"))
    } else if cfg!(target_os = "macos") {
        filled("HOME").map(|home| home.join("Library/Application Support/ADBC/Drivers"))
    } else {
        let config = filled("XDG_CONFIG_HOME").or_else(|| filled("HOME").map(|home| home.join(".config")));
        config.map(|folder| folder.join("adbc/drivers"))
    };
    found.ok_or_else(|| {
        Error::new(ErrorKind::Io, "the folder of the user is not known: HOME is not set").hint("name a folder with --folder")
    })
}

/// The manifest of a driver at this place.
fn manifest(library: &Path) -> Result<String> {
    let path = library.to_str().ok_or_else(|| {
        Error::new(ErrorKind::Io, format!("{} is not UTF-8, as a manifest is", library.display())).hint("move the driver")
    })?;
    let path = toml_edit::Value::from(path);
    Ok(format!(
        "manifest_version = 1\n\
         name = \"jsmql\"\n\
         version = \"{version}\"\n\
         publisher = \"jsmql\"\n\
         license = \"Apache-2.0\"\n\
         source = \"jsmql adbc install\"\n\
         \n\
         [ADBC]\n\
         version = \"v1.1.0\"\n\
         \n\
         [Driver]\n\
         entrypoint = \"AdbcDriverInit\"\n\
         \n\
         [Driver.shared]\n\
         {platform} = {path}\n",
        version = env!("CARGO_PKG_VERSION"),
        platform = platform(),
    ))
}

/// This platform, as manifests name it.
fn platform() -> String {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let variant = if cfg!(target_env = "musl") { "_musl" } else { "" };
    format!("{}_{machine}{variant}", std::env::consts::OS)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_the_driver_for_this_platform() {
        let text = manifest(Path::new("/opt/a \"b\"/libjsmql.so")).unwrap();
        let read: toml_edit::DocumentMut = text.parse().unwrap();
        assert_eq!(read["manifest_version"].as_integer(), Some(1));
        assert_eq!(read["ADBC"]["version"].as_str(), Some("v1.1.0"));
        let shared = read["Driver"]["shared"].as_table().unwrap();
        assert_eq!(shared.get(&platform()).unwrap().as_str(), Some("/opt/a \"b\"/libjsmql.so"));
    }

    #[test]
    fn manifests_go_where_managers_look() {
        let set = |pairs: &'static [(&'static str, &'static str)]| {
            move |name: &str| {
                pairs
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| PathBuf::from(value))
            }
        };
        if cfg!(target_os = "linux") {
            let own = own_folder(set(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")])).unwrap();
            assert_eq!(own, Path::new("/x/adbc/drivers"));
            let own = own_folder(set(&[("XDG_CONFIG_HOME", ""), ("HOME", "/h")])).unwrap();
            assert_eq!(own, Path::new("/h/.config/adbc/drivers"));
        }
        assert!(own_folder(set(&[])).unwrap_err().hint_text().unwrap().contains("--folder"));
    }

    #[test]
    fn a_driver_is_found_beside_the_program_or_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("jsmql");
        assert!(beside(&program).unwrap_err().hint_text().unwrap().contains("--library"));
        let name = format!("{}jsmql{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        std::fs::write(folder.path().join(&name), "").unwrap();
        assert_eq!(beside(&program).unwrap(), folder.path().join(&name));
        let installed = folder.path().join("drivers");
        let install = AdbcAction::Install {
            library: Some(folder.path().join(&name)),
            folder: Some(installed.clone()),
        };
        adbc(&install).unwrap();
        adbc(&install).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(installed)
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        files.sort();
        assert_eq!(files, ["jsm.toml", "jsmql.toml"]);
    }
}
