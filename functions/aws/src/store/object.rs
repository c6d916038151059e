//! The state as an object in S3. Writes are conditional (S3 User Guide, "How to prevent object overwrites with
//! conditional writes").

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use exposure_core::ids::AccountId;

use super::{Nameless, Stamp, Version, invalid, too_large};
use crate::clients::classify;
use crate::failure::{Class, Failure};

/// How much larger than its text a compressed object may be: a header, and what cannot be compressed.
const SLACK: usize = 64 * 1024;

/// The object and its version, if there is one.
pub(super) async fn read(
    client: &Client,
    bucket: &str,
    key: &str,
    owner: Option<AccountId>,
    limit: usize,
) -> Result<Option<(Vec<u8>, Version)>, Nameless> {
    let request = client.get_object().bucket(bucket).key(key).set_expected_bucket_owner(owner.map(|o| o.to_string()));
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
        Err(error) => return Err(failed("s3:GetObject", &error)),
    };
    let tag = answer.e_tag().map(str::to_owned).ok_or_else(|| invalid("S3 gave no ETag"))?;
    let text = body(answer, limit.saturating_add(SLACK)).await?;
    Ok(Some((text, Version(Stamp::Tag(tag)))))
}

/// The whole body, but no more than `most` bytes.
async fn body(answer: GetObjectOutput, most: usize) -> Result<Vec<u8>, Nameless> {
    let len = answer.content_length().and_then(|len| u64::try_from(len).ok()).unwrap_or(0);
    if usize::try_from(len).map_or(true, |len| len > most) {
        return Err(too_large(len, most));
    }
    let (mut stream, mut text) = (answer.body, Vec::with_capacity(usize::try_from(len).unwrap_or(0)));
    while let Some(part) = stream.next().await {
        let part = part
            .map_err(|error| Nameless::Failed(Failure::new("s3:GetObject", Class::Unavailable, &error.to_string())))?;
        text.extend_from_slice(&part);
        if text.len() > most {
            return Err(too_large(u64::try_from(text.len()).unwrap_or(u64::MAX), most));
        }
    }
    Ok(text)
}

/// Writes the object if what is there is what was expected.
pub(super) async fn write(
    client: &Client,
    bucket: &str,
    key: &str,
    owner: Option<AccountId>,
    packed: Vec<u8>,
    expected: &Stamp,
) -> Result<Version, Nameless> {
    let request = client
        .put_object()
        .bucket(bucket)
        .key(key)
        .set_expected_bucket_owner(owner.map(|o| o.to_string()))
        .content_type("application/gzip")
        .body(ByteStream::from(packed));
    let request = match expected {
        Stamp::Absent => request.if_none_match("*"),
        Stamp::Tag(tag) => request.if_match(tag),
        Stamp::File { .. } => return Err(invalid("the version is of a file")),
    };
    match request.send().await {
        Ok(answer) => {
            let tag = answer.e_tag().map(str::to_owned).ok_or_else(|| invalid("S3 gave no ETag"))?;
            Ok(Version(Stamp::Tag(tag)))
        }
        Err(error) if is_conflict(&error) => Err(Nameless::Conflict),
        Err(error) => Err(failed("s3:PutObject", &error)),
    }
}

/// Another object is there (412), another write is under way (409), or the one expected was deleted (404).
fn is_conflict<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let status = error.raw_response().map(|response| response.status().as_u16());
    matches!(status, Some(409 | 412)) || error.code() == Some("NoSuchKey")
}

/// Copies the object within its bucket.
pub(super) async fn copy(
    client: &Client,
    bucket: &str,
    key: &str,
    owner: Option<AccountId>,
    to: &str,
) -> Result<(), Nameless> {
    let owner = owner.map(|owner| owner.to_string());
    let request = client
        .copy_object()
        .copy_source(format!("{bucket}/{}", escaped(key)))
        .bucket(bucket)
        .key(to)
        .set_expected_source_bucket_owner(owner.clone())
        .set_expected_bucket_owner(owner);
    request.send().await.map(drop).map_err(|error| failed("s3:CopyObject", &error))
}

/// A key as a header holds it: `x-amz-copy-source` must be URL-encoded (S3 API, `CopyObject`).
fn escaped(key: &str) -> String {
    use std::fmt::Write;
    key.bytes().fold(String::with_capacity(key.len()), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

fn failed<E>(operation: &'static str, error: &SdkError<E>) -> Nameless
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    Nameless::Failed(classify(operation, error))
}
