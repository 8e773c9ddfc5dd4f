//! What the user keeps about connections: the configuration folder.

mod folder;
pub(crate) mod keyring;

pub(crate) use folder::folder;
