//! S3 in path style: objects, conditional writes, lists.
//!
//! Amazon S3 API Reference; Amazon S3 User Guide, "How to prevent object overwrites with conditional writes".

use std::ops::Bound;

use crate::bucket::{Object, Row, trail_from, trail_object};
use crate::http::{Request, Response, read_chunks};
use crate::hub::{Hub, empty, unknown_operation};
use crate::query::{Params, decode};
use crate::time;
use crate::wire::{Answer, ApiError, Call, Mood};
use crate::xml::escape;

/// The bucket and the key of an address.
fn address(request: &Request) -> (String, String) {
    let path = request.path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (decode(bucket, false), decode(key, false))
}

/// The name of the operation that a request is.
pub(crate) fn operation(request: &Request, params: &Params) -> &'static str {
    let (_, key) = address(request);
    let copies = request.header("x-amz-copy-source").is_some();
    match (request.method.as_str(), key.is_empty()) {
        ("GET", true) if params.get("list-type") == Some("2") => "ListObjectsV2",
        ("GET", true) if params.has("location") => "GetBucketLocation",
        ("HEAD", true) => "HeadBucket",
        ("PUT", true) => "CreateBucket",
        ("GET", false) => "GetObject",
        ("HEAD", false) => "HeadObject",
        ("PUT", false) if copies => "CopyObject",
        ("PUT", false) => "PutObject",
        ("DELETE", false) => "DeleteObject",
        _ => "Unknown",
    }
}

pub(crate) fn answer(hub: &Hub, call: &Call, mood: Mood) -> Answer {
    let (bucket, key) = address(&call.request);
    if bucket.is_empty() || bucket.starts_with("missing") {
        return Err(ApiError::new(404, "NoSuchBucket", "The specified bucket does not exist"));
    }
    let owner = call.request.header("x-amz-expected-bucket-owner");
    if owner.is_some_and(|owner| owner != hub.account.id()) {
        return Err(ApiError::new(403, "AccessDenied", "The bucket owner is not the expected one"));
    }
    let is_trail = bucket == hub.options.trail_bucket;
    if is_trail && matches!(call.operation.as_str(), "PutObject" | "CopyObject" | "DeleteObject") {
        return Err(ApiError::denied(call));
    }
    match call.operation.as_str() {
        "GetObject" | "HeadObject" => get(hub, call, &bucket, &key),
        "PutObject" => put(hub, call, &bucket, &key),
        "CopyObject" => copy(hub, call, &bucket, &key),
        "DeleteObject" => {
            hub.live().objects.remove(&bucket, &key);
            Ok(empty(204))
        }
        "ListObjectsV2" => list(hub, call, &bucket, mood),
        "HeadBucket" | "CreateBucket" => Ok(empty(200).with("x-amz-bucket-region", hub.account.region())),
        "GetBucketLocation" => Ok(xml(&format!(
            "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</LocationConstraint>",
            hub.account.region()
        ))),
        _ => Err(unknown_operation(call)),
    }
}

fn find(hub: &Hub, bucket: &str, key: &str) -> Option<Object> {
    let live = hub.live();
    if bucket == hub.options.trail_bucket {
        trail_object(hub, &live, key)
    } else {
        live.objects.get(bucket, key).cloned()
    }
}

/// Whether a header of entity tags names this one.
fn names(header: &str, etag: &str) -> bool {
    header.split(',').any(|tag| matches!(tag.trim().trim_matches('"'), tag if tag == "*" || tag == etag))
}

fn get(hub: &Hub, call: &Call, bucket: &str, key: &str) -> Answer {
    let object = find(hub, bucket, key).ok_or_else(no_such_key)?;
    let header = |name: &str| call.request.header(name);
    if header("if-match").is_some_and(|wanted| !names(wanted, &object.etag)) {
        return Err(precondition_failed());
    }
    if header("if-none-match").is_some_and(|known| names(known, &object.etag)) {
        return Ok(empty(304).with("etag", quoted(&object.etag)));
    }
    let length = object.body.len();
    let (status, from, to) = match header("range") {
        None => (200, 0, length),
        Some(range) => {
            let (from, to) = span(range, length)
                .ok_or_else(|| ApiError::new(416, "InvalidRange", "The requested range is not satisfiable"))?;
            (206, from, to)
        }
    };
    let body = object.body.get(from..to).unwrap_or_default().to_vec();
    let mut response = Response::new(status, &object.content_type, body)
        .with("etag", quoted(&object.etag))
        .with("last-modified", time::http_date(object.modified))
        .with("accept-ranges", "bytes");
    if status == 206 {
        response = response.with("content-range", format!("bytes {from}-{}/{length}", to.saturating_sub(1)));
    }
    response.headers.extend(object.metadata);
    Ok(response)
}

/// The bytes that a header `Range` asks for.
fn span(range: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    if from.is_empty() {
        return Some((length.saturating_sub(to.parse().ok()?), length));
    }
    let from: usize = from.parse().ok()?;
    let to = if to.is_empty() { length } else { to.parse::<usize>().ok()?.saturating_add(1).min(length) };
    (from < to).then_some((from, to))
}

/// Refuses a write whose conditions do not hold.
fn check(request: &Request, known: Option<&Object>) -> Result<(), ApiError> {
    if let Some(wanted) = request.header("if-match") {
        let known = known.ok_or_else(no_such_key)?;
        if !names(wanted, &known.etag) {
            return Err(precondition_failed());
        }
    }
    match (request.header("if-none-match"), known) {
        (Some("*"), Some(_)) => Err(precondition_failed()),
        (Some(other), _) if other != "*" => Err(ApiError::new(501, "NotImplemented", "If-None-Match takes * only")),
        _ => Ok(()),
    }
}

fn put(hub: &Hub, call: &Call, bucket: &str, key: &str) -> Answer {
    let request = &call.request;
    let header = |name: &str| request.header(name).unwrap_or_default();
    let is_chunked =
        header("content-encoding").contains("aws-chunked") || header("x-amz-content-sha256").starts_with("STREAMING-");
    let body = if is_chunked {
        let read = read_chunks(&mut request.body.as_slice());
        read.map_err(|error| ApiError::new(400, "IncompleteBody", error.to_string()))?
    } else {
        request.body.clone()
    };
    let mut live = hub.live();
    check(request, live.objects.get(bucket, key))?;
    let object = Object {
        body,
        etag: String::new(),
        modified: live.now(),
        content_type: request.header("content-type").unwrap_or("application/octet-stream").to_owned(),
        metadata: metadata(request),
    };
    let etag = live.objects.put(bucket, key, object);
    Ok(empty(200).with("etag", quoted(&etag)))
}

fn metadata(request: &Request) -> Vec<(String, String)> {
    let kept = request.headers().filter(|(name, _)| name.starts_with("x-amz-meta-"));
    kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn copy(hub: &Hub, call: &Call, bucket: &str, key: &str) -> Answer {
    let source = call.request.header("x-amz-copy-source").unwrap_or_default();
    let source = decode(source.split('?').next().unwrap_or_default().trim_start_matches('/'), false);
    let (from_bucket, from_key) = source.split_once('/').unwrap_or((&source, ""));
    let object = find(hub, from_bucket, from_key).ok_or_else(no_such_key)?;
    if call.request.header("x-amz-copy-source-if-match").is_some_and(|wanted| !names(wanted, &object.etag)) {
        return Err(precondition_failed());
    }
    let mut live = hub.live();
    check(&call.request, live.objects.get(bucket, key))?;
    let modified = live.now();
    let etag = live.objects.put(bucket, key, Object { modified, ..object });
    Ok(xml(&format!(
        "<CopyObjectResult><ETag>{}</ETag><LastModified>{}</LastModified></CopyObjectResult>",
        escape(&quoted(&etag)),
        time::iso(modified)
    )))
}

fn list(hub: &Hub, call: &Call, bucket: &str, mood: Mood) -> Answer {
    let params = &call.params;
    let prefix = params.get("prefix").unwrap_or_default();
    let delimiter = params.get("delimiter").unwrap_or_default();
    let most = params.get("max-keys").and_then(|most| most.parse().ok()).unwrap_or(1000).min(1000);
    let most = if mood.short_page { (most / 3).max(1) } else { most };
    let token = params.get("continuation-token");
    let after = match token {
        Some(_) if mood.expired_token => return Err(bad_token()),
        Some(token) => unhex(token).ok_or_else(bad_token)?,
        None => params.get("start-after").unwrap_or_default().to_owned(),
    };
    let live = hub.live();
    let from = if after.as_str() < prefix { Bound::Included(prefix) } else { Bound::Excluded(after.as_str()) };
    let rows: Box<dyn Iterator<Item = Row>> = if bucket == hub.options.trail_bucket {
        Box::new(trail_from(hub, &live, from).into_iter())
    } else {
        Box::new(live.objects.from(bucket, from))
    };
    let page = Page::of(rows.take_while(|row| row.key.starts_with(prefix)), prefix, delimiter, &after, most);
    let mut body = format!(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{}</Name><Prefix>{}</Prefix>\
         <KeyCount>{}</KeyCount><MaxKeys>{most}</MaxKeys><IsTruncated>{}</IsTruncated>",
        escape(bucket),
        escape(prefix),
        page.count,
        page.next.is_some()
    );
    if let Some(next) = &page.next {
        let repeated = token.filter(|_| mood.repeat_token).map(str::to_owned);
        let next = repeated.unwrap_or_else(|| hex(next));
        body.push_str(&format!("<NextContinuationToken>{next}</NextContinuationToken>"));
    }
    body.push_str(&page.body);
    body.push_str("</ListBucketResult>");
    Ok(xml(&body))
}

/// A page of a list.
#[derive(Debug, Default)]
struct Page {
    body: String,
    count: usize,
    /// The last key or common prefix, if there is more after it.
    next: Option<String>,
}

impl Page {
    fn of(rows: impl Iterator<Item = Row>, prefix: &str, delimiter: &str, after: &str, most: usize) -> Self {
        let mut page = Self::default();
        let mut last = after.to_owned();
        for row in rows {
            let rest = row.key.get(prefix.len()..).unwrap_or_default();
            let folder = rest.split_once(delimiter).filter(|_| !delimiter.is_empty());
            let folder = folder.map(|(name, _)| format!("{prefix}{name}{delimiter}"));
            // A common prefix that is on this page or on the one before.
            if folder.as_ref().is_some_and(|folder| *folder == last) {
                continue;
            }
            if page.count == most {
                page.next = Some(last);
                break;
            }
            page.count += 1;
            if let Some(folder) = folder {
                page.body.push_str(&format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escape(&folder)));
                last = folder;
            } else {
                page.body.push_str(&format!(
                    "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size>\
                     <StorageClass>STANDARD</StorageClass></Contents>",
                    escape(&row.key),
                    time::iso(row.modified),
                    escape(&quoted(&row.etag)),
                    row.size
                ));
                last = row.key;
            }
        }
        page
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| text.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok()))
        .collect();
    String::from_utf8(bytes?).ok()
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

fn xml(body: &str) -> Response {
    Response::new(200, "application/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"))
}

fn no_such_key() -> ApiError {
    ApiError::new(404, "NoSuchKey", "The specified key does not exist.")
}

fn precondition_failed() -> ApiError {
    let message = "At least one of the pre-conditions you specified did not hold";
    ApiError::new(412, "PreconditionFailed", message)
}

fn bad_token() -> ApiError {
    ApiError::new(400, "InvalidArgument", "The continuation token provided is incorrect")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_inclusive() {
        assert_eq!(span("bytes=0-3", 10), Some((0, 4)));
        assert_eq!(span("bytes=4-", 10), Some((4, 10)));
        assert_eq!(span("bytes=-3", 10), Some((7, 10)));
        assert_eq!(span("bytes=10-", 10), None);
    }

    #[test]
    fn a_folder_is_listed_once() {
        let row = |key: &str| Row { key: key.to_owned(), size: 1, etag: "e".into(), modified: 0 };
        let keys = ["p/a/1", "p/a/2", "p/b/1", "p/c"];
        let page = Page::of(keys.iter().map(|key| row(key)), "p/", "/", "", 2);
        assert_eq!((page.count, page.next.as_deref()), (2, Some("p/b/")));
    }
}
