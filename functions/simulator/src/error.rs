//! Why a simulation was not written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::config::ConfigError;

/// Why a simulation was not written. A simulation that failed leaves no `truth.json`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The folder holds something already; nothing in it was touched.
    #[error("{} is not empty: give a new or an empty folder to simulate into", .0.display())]
    NotEmpty(PathBuf),
    /// There is a file in the place of the folder.
    #[error("{} is not a folder: give a new or an empty folder to simulate into", .0.display())]
    NotAFolder(PathBuf),
    /// A file or folder could not be written.
    #[error("cannot write {}: the simulation is incomplete and has no truth.json", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl SimulateError {
    /// For `map_err` around what writes to a path.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Write { path: path.to_owned(), source }
    }
}
