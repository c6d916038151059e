//! Where the state is kept between runs: one compressed object, replaced in one step if nobody else has replaced it
//! meanwhile. What the bytes mean is for the ledger to say.

use std::path::PathBuf;

use aws_sdk_s3::Client;
use exposure_core::ids::AccountId;
use exposure_core::time::Timestamp;

use crate::failure::{Class, Failure};

mod file;
mod gzip;
mod location;
mod object;
#[cfg(test)]
mod tests;

pub use location::{Location, LocationError};

/// A place for the state.
#[derive(Debug, Clone)]
pub enum Store {
    /// An object in S3.
    S3 {
        /// The client, with the SDK's standard retries: to write twice what is conditional does no harm.
        client: Client,
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The account that the bucket must belong to, where it is known: a bucket that was deleted and made again by
        /// somebody else must not get the state.
        owner: Option<AccountId>,
    },
    /// A file.
    File(PathBuf),
}

/// Which content was there: what a later save expects to replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub(crate) Stamp);

/// What tells one content from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// Nothing was there.
    Absent,
    /// An object's entity tag.
    Tag(String),
    /// A file's length, time of change in nanoseconds since 1970 and inode.
    File { len: u64, changed: u128, inode: u64 },
}

impl Version {
    /// Whether nothing was there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.0 == Stamp::Absent
    }
}

/// What was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The text, decompressed; nothing if there is no state yet.
    pub text: Option<Vec<u8>>,
    /// Which content it is.
    pub version: Version,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Which content it is.
    pub version: Version,
    /// How many bytes it takes where it is kept.
    pub bytes: u64,
}

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has written meanwhile: read again, merge, write again.
    #[error("{name}: somebody else has written it meanwhile")]
    Conflict {
        /// Of what.
        name: String,
    },
    /// It is not what was written: set it aside, and write in the place of this version.
    #[error("{name}: {reason}")]
    Corrupt {
        /// Of what.
        name: String,
        /// What is wrong with it.
        reason: String,
        /// Which content that is.
        version: Version,
    },
    /// It is larger than this run may take in.
    #[error("{name}: {found} bytes when unpacked, and at most {limit} are read")]
    TooLarge {
        /// Of what.
        name: String,
        /// How large it says that it is.
        found: u64,
        /// How large it may be.
        limit: u64,
    },
    /// A call failed.
    #[error("{name}: {failure}")]
    Failed {
        /// Of what.
        name: String,
        /// How.
        #[source]
        failure: Failure,
    },
    /// The file cannot be read or written.
    #[error("{name}: cannot be {what}: {source}")]
    Io {
        /// Of what.
        name: String,
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

impl Store {
    /// Its URL, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::S3 { bucket, key, .. } => format!("s3://{bucket}/{key}"),
            Self::File(path) => format!("file://{}", path.display()),
        }
    }

    /// Reads what is there, unpacked to at most `limit` bytes. A text that is not compressed is read as it is.
    /// In S3 that needs `s3:ListBucket` beside `s3:GetObject`: without it an object that is not there yet is denied
    /// (S3 API, `GetObject`, "Permissions").
    ///
    /// # Errors
    /// If it cannot be read, is too large or is damaged; of something damaged the error knows the version.
    pub async fn load(&self, limit: usize) -> Result<Loaded, StoreError> {
        let found = match self {
            Self::S3 { client, bucket, key, owner } => object::read(client, bucket, key, *owner, limit).await,
            Self::File(path) => {
                let path = path.clone();
                blocking("read", move || file::read(&path, limit)).await
            }
        };
        let Some((packed, version)) = found.map_err(|error| error.of(self.name()))? else {
            return Ok(Loaded { text: None, version: Version(Stamp::Absent) });
        };
        let unpacked = blocking("unpacked", move || Ok(gzip::unpack(packed, limit))).await;
        match unpacked.map_err(|error| error.of(self.name()))? {
            Ok(text) => Ok(Loaded { text: Some(text), version }),
            Err(gzip::Unusable::TooLarge { found }) => Err(too_large(found, limit).of(self.name())),
            Err(gzip::Unusable::Damaged(reason)) => {
                Err(StoreError::Corrupt { name: self.name(), reason: reason.to_owned(), version })
            }
        }
    }

    /// Writes the text, compressed, in one step, if what is there is still what was expected.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it is not; then nothing was written.
    pub async fn save(&self, text: Vec<u8>, expected: &Version) -> Result<Saved, StoreError> {
        let packed = blocking("packed", move || Ok(gzip::pack(&text))).await;
        let packed = packed.and_then(|packed| packed.ok_or_else(|| invalid("it could not be compressed")));
        let packed = packed.map_err(|error| error.of(self.name()))?;
        let bytes = u64::try_from(packed.len()).unwrap_or(u64::MAX);
        let written = match self {
            Self::S3 { client, bucket, key, owner } => {
                object::write(client, bucket, key, *owner, packed, &expected.0).await
            }
            Self::File(path) => {
                let (path, expected) = (path.clone(), expected.0.clone());
                blocking("written", move || file::replace(&path, &packed, &expected)).await
            }
        };
        written.map(|version| Saved { version, bytes }).map_err(|error| error.of(self.name()))
    }

    /// Copies what is there, readable or not, to `<key>.corrupt-<time>`, and says where that is. What is there stays, for
    /// the next save to replace.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub async fn set_aside(&self, now: Timestamp) -> Result<String, StoreError> {
        let time: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
        let ending = format!(".corrupt-{time}");
        let copied = match self {
            Self::S3 { client, bucket, key, owner } => {
                object::copy(client, bucket, key, *owner, &format!("{key}{ending}")).await
            }
            Self::File(path) => {
                let (path, ending) = (path.clone(), ending.clone());
                blocking("copied", move || file::copy(&path, &ending)).await
            }
        };
        copied.map(|()| format!("{}{ending}", self.name())).map_err(|error| error.of(self.name()))
    }
}

/// A [`StoreError`] that does not name its store yet.
#[derive(Debug)]
pub(crate) enum Nameless {
    Conflict,
    TooLarge { found: u64, limit: u64 },
    Failed(Failure),
    Io(&'static str, std::io::Error),
}

impl Nameless {
    fn of(self, name: String) -> StoreError {
        match self {
            Self::Conflict => StoreError::Conflict { name },
            Self::TooLarge { found, limit } => StoreError::TooLarge { name, found, limit },
            Self::Failed(failure) => StoreError::Failed { name, failure },
            Self::Io(what, source) => StoreError::Io { name, what, source },
        }
    }
}

fn too_large(found: u64, limit: usize) -> Nameless {
    Nameless::TooLarge { found, limit: u64::try_from(limit).unwrap_or(u64::MAX) }
}

fn invalid(why: &str) -> Nameless {
    Nameless::Failed(Failure::new("state", Class::Invalid, why))
}

/// Does work that waits for the disk or takes long, beside the runtime.
async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, Nameless> + Send + 'static,
) -> Result<T, Nameless> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Nameless::Io(what, std::io::Error::other(error))))
}
