//! Files of this machine that procedures send and keep, and what the site may decide about them: nothing but a harmless name.
//!
//! A path of the user is taken below the folder that an option names, never outside of it; a name of the site is reduced to one safe
//! component. Nothing that exists is replaced.

use std::io::ErrorKind as Io;
use std::path::{Component, Path, PathBuf};

use super::site::Writing;
use crate::error::{Error, ErrorKind, Result};

/// Longest name of a file, in bytes: what common file systems take, with room for the rest.
const LONGEST: usize = 200;

/// A file that is to be sent: its path, name and size.
///
/// # Errors
/// It does not exist, is no file, cannot be read, is too large, or lies outside of `AttachmentDir`.
pub(super) fn to_send(writing: &Writing, path: &str) -> Result<(PathBuf, String, u64)> {
    refuse_served(writing)?;
    let asked = Path::new(path);
    let found = match &writing.attachments {
        Some(folder) => folder.join(asked),
        None => asked.to_owned(),
    };
    let unreadable = |error: std::io::Error| {
        let what = match error.kind() {
            Io::NotFound => format!("there is no file {path:?}"),
            Io::PermissionDenied => format!("the file {path:?} cannot be read: permission denied"),
            _ => format!("the file {path:?} cannot be read: {error}"),
        };
        Error::new(ErrorKind::Io, what).hint("nothing was sent; give the path of a file that jsmql may read")
    };
    let real = found.canonicalize().map_err(unreadable)?;
    if let Some(folder) = &writing.attachments {
        inside(folder, &real, path)?;
    }
    let metadata = std::fs::metadata(&real).map_err(unreadable)?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "a directory" } else { "no regular file" };
        return Err(Error::new(ErrorKind::Io, format!("{path:?} is {what}")).hint("nothing was sent; give the path of a file"));
    }
    std::fs::File::open(&real).map_err(unreadable)?;
    check_size(writing, metadata.len(), path)?;
    let name = asked.file_name().unwrap_or(asked.as_os_str()).to_string_lossy();
    Ok((real, name.into_owned(), metadata.len()))
}

/// Refuses every file where the statement comes from elsewhere.
fn refuse_served(writing: &Writing) -> Result<()> {
    match writing.served {
        false => Ok(()),
        true => Err(Error::new(
            ErrorKind::Permission,
            "the server neither reads nor writes files for its clients",
        )
        .hint("nothing was sent; give the content instead of a path where there is a parameter for it")),
    }
}

/// Refuses what is larger than the option allows.
pub(super) fn check_size(writing: &Writing, size: u64, name: &str) -> Result<()> {
    if size > writing.max_upload {
        return Err(Error::new(
            ErrorKind::Limit,
            format!(
                "the file {name:?} has {size} bytes, more than MaxUploadSize={} MiB",
                writing.max_upload >> 20
            ),
        )
        .hint("nothing was sent; raise option MaxUploadSize if the site takes files of that size"));
    }
    Ok(())
}

fn inside(folder: &Path, real: &Path, path: &str) -> Result<()> {
    let root = folder.canonicalize().map_err(|error| no_folder(folder, &error))?;
    if real.starts_with(&root) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Permission,
        format!("{path:?} lies outside of the folder in option AttachmentDir"),
    )
    .hint("give a path below that folder, or change the option"))
}

fn no_folder(folder: &Path, error: &std::io::Error) -> Error {
    Error::new(
        ErrorKind::Io,
        format!(
            "the folder {} of option AttachmentDir cannot be used: {error}",
            folder.display()
        ),
    )
    .hint("create the folder, or change the option")
}

/// A place for a file that is on its way; what is not kept is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Incoming {
    folder: PathBuf,
    part: PathBuf,
}

impl Incoming {
    /// A new file in the folder for downloads.
    pub(super) fn new(writing: &Writing) -> Result<Self> {
        refuse_served(writing)?;
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let folder = writing.attachments.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Option, "there is no folder to download to")
                .hint("set option AttachmentDir to the folder for downloads")
        })?;
        let folder = folder.canonicalize().map_err(|error| no_folder(folder, &error))?;
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let part = folder.join(format!(".jsmql-{}-{number}.part", std::process::id()));
        Ok(Self { folder, part })
    }

    /// Where the bytes go for now.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    /// Refuses a name given by the user that cannot be used, before anything is asked of the site.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        self.target(name).map(|_| ())
    }

    /// Gives the file its name: that of the user, or a safe one made of the site's.
    pub(super) fn keep(self, asked: Option<&str>, suggested: &str) -> Result<PathBuf> {
        let target = match asked {
            Some(name) => self.target(name)?,
            None => self.target(&safe_name(suggested))?,
        };
        // Reserves the name: what exists is never replaced, not even by a race.
        std::fs::File::create_new(&target).map_err(|error| taken(&target, &error))?;
        std::fs::rename(&self.part, &target).map_err(|error| {
            let _ = std::fs::remove_file(&target);
            Error::new(ErrorKind::Io, format!("cannot write {}: {error}", target.display()))
        })?;
        Ok(target)
    }

    fn target(&self, name: &str) -> Result<PathBuf> {
        let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        let named = !name.is_empty() && plain && !name.ends_with('/');
        let target = self.folder.join(name);
        let parent = target.parent().unwrap_or(&self.folder);
        if !named {
            return Err(Error::new(
                ErrorKind::Permission,
                format!("{name:?} is no name of a file below option AttachmentDir"),
            )
            .hint("give a relative path without .."));
        }
        let real = parent.canonicalize().map_err(|error| {
            Error::new(ErrorKind::Io, format!("the folder of {name:?} cannot be used: {error}"))
                .hint("create the folder below AttachmentDir first")
        })?;
        inside(&self.folder, &real, name)?;
        match target.symlink_metadata() {
            Ok(_) => Err(taken(&target, &Io::AlreadyExists.into())),
            Err(_) => Ok(target),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // It is gone already where the file was kept.
        let _ = std::fs::remove_file(&self.part);
    }
}

fn taken(target: &Path, error: &std::io::Error) -> Error {
    let what = match error.kind() {
        Io::AlreadyExists => format!("{} exists already", target.display()),
        _ => format!("cannot write {}: {error}", target.display()),
    };
    Error::new(ErrorKind::Io, what).hint("nothing is replaced: give another name in `file`, or remove the old file")
}

/// A name that is one component, visible, and means the same on every system.
pub(super) fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe: String = last
        .chars()
        .map(|c| if c.is_control() || "<>:\"|?*".contains(c) { '_' } else { c })
        .collect();
    let safe = safe.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let mut end = safe.len().min(LONGEST);
    while !safe.is_char_boundary(end) {
        end -= 1;
    }
    let safe = &safe[..end];
    let stem = safe.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let reserved = matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL")
        || (stem.len() == 4
            && (stem.starts_with("COM") || stem.starts_with("LPT"))
            && stem.ends_with(|c: char| c.is_ascii_digit()));
    match safe {
        "" => "attachment".to_owned(),
        safe if reserved => format!("_{safe}"),
        safe => safe.to_owned(),
    }
}

/// Writes a schema file below the folder of schema files.
///
/// # Errors
/// There is no such folder, the name is none of a schema file, or the file exists.
pub(super) fn write_schema(writing: &Writing, folder: &str, name: &str, text: &str) -> Result<PathBuf> {
    refuse_served(writing)?;
    let root = writing.schemas.as_ref().ok_or_else(|| {
        Error::new(ErrorKind::Option, "there is no folder for schema files")
            .hint("set option SchemaDir, or leave `file` out and keep the column `content`")
    })?;
    let stem = name.strip_suffix(".toml").unwrap_or_default();
    let is_name = stem.starts_with(|c: char| c.is_ascii_lowercase())
        && stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !is_name {
        return Err(
            Error::new(ErrorKind::Statement, format!("{name:?} is no name of a schema file"))
                .hint("it is the name of the table, lower case, and .toml, such as requests_of_hr.toml"),
        );
    }
    let unusable = |error: std::io::Error| {
        Error::new(
            ErrorKind::Io,
            format!("cannot write to the schema directory {}: {error}", root.display()),
        )
        .hint("check option SchemaDir")
    };
    let folder = root.join(folder);
    std::fs::create_dir_all(&folder).map_err(unusable)?;
    let target = folder.join(name);
    let mut file = std::fs::File::create_new(&target).map_err(|error| taken(&target, &error))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(unusable)?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_site_are_made_safe() {
        for (name, expected) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("/etc/passwd", "passwd"),
            ("..", "attachment"),
            ("", "attachment"),
            (".bashrc", "bashrc"),
            ("a:b*c?.txt", "a_b_c_.txt"),
            ("a\0b\nc", "a_b_c"),
            ("nul.txt", "_nul.txt"),
            ("COM1", "_COM1"),
            ("画面.png", "画面.png"),
            ("trailing. ", "trailing"),
        ] {
            assert_eq!(safe_name(name), expected, "{name:?}");
        }
        assert!(safe_name(&"é".repeat(300)).len() <= LONGEST);
    }

    #[test]
    fn a_download_stays_below_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("old.txt"), "old").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        let writing = Writing {
            attachments: Some(folder.path().to_owned()),
            ..Writing::default()
        };
        let incoming = Incoming::new(&writing).unwrap();
        std::fs::write(incoming.part(), "new").unwrap();
        for (name, fragment) in [
            ("../x", "is no name of a file"),
            ("/tmp/x", "is no name of a file"),
            ("sub/../../x", "is no name of a file"),
            ("", "is no name of a file"),
            ("sub/", "is no name of a file"),
            ("none/x", "cannot be used"),
            ("old.txt", "exists already"),
            #[cfg(unix)]
            ("link/x", "lies outside"),
        ] {
            let error = incoming.check(name).unwrap_err();
            assert!(error.message().contains(fragment), "{name}: {error}");
            assert!(error.hint_text().is_some());
        }
        let part = incoming.part().to_owned();
        let kept = incoming.keep(Some("sub/new.txt"), "").unwrap();
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "new");
        assert!(!part.exists());
        let incoming = Incoming::new(&writing).unwrap();
        std::fs::write(incoming.part(), "new").unwrap();
        assert!(incoming.keep(None, "../old.txt").is_err());
        assert_eq!(std::fs::read_to_string(folder.path().join("old.txt")).unwrap(), "old");
    }

    #[test]
    fn what_cannot_be_sent_is_said_before_anything_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("big"), vec![0; 11]).unwrap();
        std::fs::write(folder.path().join("good"), vec![0; 10]).unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let writing = Writing {
            max_upload: 10,
            ..Writing::default()
        };
        assert_eq!(to_send(&writing, &at("good")).unwrap().1, "good");
        for (path, fragment) in [
            (at("none"), "there is no file"),
            (at(""), "is a directory"),
            (at("big"), "MaxUploadSize"),
        ] {
            assert!(to_send(&writing, &path).unwrap_err().message().contains(fragment), "{path}");
        }
        let narrow = Writing {
            attachments: Some(folder.path().to_owned()),
            ..writing
        };
        assert!(to_send(&narrow, "good").is_ok());
        assert!(to_send(&narrow, "/etc/hostname").unwrap_err().message().contains("outside"));
        let served = Writing { served: true, ..narrow };
        assert!(to_send(&served, "good").unwrap_err().message().contains("the server"));
        assert!(Incoming::new(&served).unwrap_err().message().contains("the server"));
    }
}
