//! The objects of one bucket.

use super::super::error::failure;
use crate::failure::{Class, Failure};

const LIST: &str = "s3:ListObjectsV2";
const GET: &str = "s3:GetObject";
/// How large an object may be, in bytes: CloudTrail delivers at most 50 MB (CloudTrail User Guide, "Log file
/// examples").
const MAX_BYTES: usize = 64 << 20;

/// An object, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its entity tag, which differs where its content does.
    pub etag: String,
}

/// Some of the objects below a prefix, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects.
    pub objects: Vec<Object>,
    /// What to ask for the rest with.
    pub next: Option<String>,
}

/// What lists and fetches objects: the SDK's client, or a made-up bucket.
pub trait ObjectClient: Sync {
    /// Objects below a prefix, of keys after one.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        token: Option<&str>,
    ) -> impl Future<Output = Result<Listing, Failure>> + Send;

    /// The folders right below a prefix, each with the prefix and a slash at its end.
    fn folders(&self, prefix: &str) -> impl Future<Output = Result<Vec<String>, Failure>> + Send;

    /// The content of an object, within a bound.
    fn get(&self, key: &str) -> impl Future<Output = Result<Vec<u8>, Failure>> + Send;
}

/// The SDK's client of one bucket.
#[derive(Debug, Clone)]
pub struct SdkObjects {
    /// The client.
    pub client: aws_sdk_s3::Client,
    /// The bucket of `TRAIL_URL`.
    pub bucket: String,
}

impl ObjectClient for SdkObjects {
    async fn list(&self, prefix: &str, after: Option<&str>, token: Option<&str>) -> Result<Listing, Failure> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let request =
            request.set_start_after(after.map(str::to_owned)).set_continuation_token(token.map(str::to_owned));
        let answer = request.send().await.map_err(|error| failure(LIST, &error))?;
        let objects = answer
            .contents
            .unwrap_or_default()
            .into_iter()
            .filter_map(|object| Some(Object { key: object.key?, etag: object.e_tag.unwrap_or_default() }));
        Ok(Listing { objects: objects.collect(), next: answer.next_continuation_token })
    }

    async fn folders(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).delimiter("/");
        let answer = request.send().await.map_err(|error| failure(LIST, &error))?;
        Ok(answer.common_prefixes.unwrap_or_default().into_iter().filter_map(|folder| folder.prefix).collect())
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, Failure> {
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let mut answer = request.send().await.map_err(|error| failure(GET, &error))?;
        let mut bytes = Vec::new();
        loop {
            match answer.body.try_next().await {
                Ok(None) => return Ok(bytes),
                Ok(Some(part)) if bytes.len() + part.len() <= MAX_BYTES => bytes.extend_from_slice(&part),
                Ok(Some(_)) => {
                    let text = format!("{key} is larger than {MAX_BYTES} bytes, which no log file is");
                    return Err(Failure::new(GET, Class::Invalid, &text));
                }
                Err(error) => return Err(Failure::new(GET, Class::Unavailable, &format!("{key}: {error}"))),
            }
        }
    }
}
