//! The URL of a state.

use std::path::PathBuf;

use aws_sdk_s3::Client;
use exposure_core::ids::AccountId;

use super::Store;

/// Where the state is kept, as the setting says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `s3://bucket/key`.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// `file:///path`; what stands after `file://` is the path as it is, without escapes.
    File(PathBuf),
}

/// A text that is no such URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: {reason}; write s3://bucket/key or file:///path")]
pub struct LocationError {
    text: String,
    reason: &'static str,
}

impl Location {
    /// Reads a URL.
    ///
    /// # Errors
    /// Says what is wrong with it, and how it is written.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let error = |reason| LocationError { text: text.chars().take(200).collect(), reason };
        match text.split_once("://") {
            Some(("s3", rest)) => {
                let (bucket, key) = rest.split_once('/').ok_or_else(|| error("no key"))?;
                if !is_bucket(bucket) {
                    return Err(error("not a bucket name (3 to 63 lower-case letters, digits, dots and hyphens)"));
                }
                if key.is_empty() || key.ends_with('/') {
                    return Err(error("the key names a folder, not an object"));
                }
                // Room for the ending of a copy that is set aside (S3 User Guide, "Naming Amazon S3 objects": 1024 bytes).
                if key.len() > 980 || key.chars().any(char::is_control) {
                    return Err(error("the key is too long or has control characters"));
                }
                Ok(Self::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
            }
            Some(("file", path)) if !path.starts_with('/') => Err(error("the path is not absolute (three slashes)")),
            Some(("file", path)) if path.ends_with('/') => Err(error("the path names a folder, not a file")),
            Some(("file", path)) => Ok(Self::File(PathBuf::from(path))),
            Some(_) => Err(error("neither s3 nor file")),
            None => Err(error("not a URL")),
        }
    }

    /// The store there. The client is made only if it is needed; `owner` is the account that the bucket must belong to.
    #[must_use]
    pub fn open(self, client: impl FnOnce() -> Client, owner: Option<AccountId>) -> Store {
        match self {
            Self::S3 { bucket, key } => Store::S3 { client: client(), bucket, key, owner },
            Self::File(path) => Store::File(path),
        }
    }
}

/// S3 User Guide, "General purpose bucket naming rules".
fn is_bucket(text: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (3..=63).contains(&text.len())
        && text.as_bytes().iter().all(|b| alphanumeric(b) || matches!(b, b'.' | b'-'))
        && text.as_bytes().first().is_some_and(alphanumeric)
        && text.as_bytes().last().is_some_and(alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_or_refused_with_a_reason() {
        let s3 = |bucket: &str, key: &str| Ok(Location::S3 { bucket: bucket.to_owned(), key: key.to_owned() });
        let table = [
            ("s3://a-bucket/state/ledger.gz", s3("a-bucket", "state/ledger.gz")),
            ("s3://a.b.c/x", s3("a.b.c", "x")),
            ("file:///tmp/a b%20c", Ok(Location::File(PathBuf::from("/tmp/a b%20c")))),
            ("", Err("not a URL")),
            ("/tmp/state", Err("not a URL")),
            ("http://a/b", Err("neither s3 nor file")),
            ("s3://a-bucket", Err("no key")),
            ("s3://a-bucket/", Err("the key names a folder")),
            ("s3://a-bucket/state/", Err("the key names a folder")),
            ("s3://A-bucket/x", Err("not a bucket name")),
            ("s3:///x", Err("not a bucket name")),
            ("file://state.json", Err("not absolute")),
            ("file:///tmp/", Err("names a folder")),
        ];
        assert!(table.len() > 10);
        for (text, expected) in table {
            match (Location::parse(text), expected) {
                (Ok(location), Ok(expected)) => assert_eq!(location, expected, "{text}"),
                (Err(error), Err(reason)) => {
                    let said = error.to_string();
                    assert!(said.contains(reason) && said.ends_with("write s3://bucket/key or file:///path"), "{said}");
                }
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
        assert!(Location::parse(&format!("s3://a-bucket/{}", "x".repeat(981))).is_err());
    }
}
