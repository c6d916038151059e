//! The files in which lines of `lifecycle-check` come: as it printed them, and as CloudWatch Logs gives them back.
//!
//! Told apart by content: JSON lines, with whatever a collector has put before each (S3 export tasks a time, `aws logs
//! tail` a time and the stream, journald a time and a unit); the documents of `aws logs filter-log-events`,
//! `get-log-events` and `get-query-results`, whole or as a `--query` left them; what a subscription delivers; the CSV of
//! Logs Insights. Any of them may be gzipped.

use std::io::{BufRead, BufReader, Read};

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Batch;
use super::lines::meaning;
use crate::ids::InstanceId;
use crate::trail::{Limits, Members};

/// How much of a file decides what it is.
const HEAD: usize = 4_096;
/// How large a file may be, unpacked, whose shape must be held in memory as a whole.
const WHOLE: u64 = 512 << 20;
/// How long a line may be; CloudWatch Logs takes events of up to 1 MB (CloudWatch Logs User Guide, "quotas").
const LINE: usize = 1 << 20;
/// The first members of the documents of CloudWatch Logs, however they are sorted.
const DOCUMENTS: [&str; 14] = [
    "events",
    "searchedLogStreams",
    "nextToken",
    "nextForwardToken",
    "nextBackwardToken",
    "results",
    "statistics",
    "status",
    "queryLanguage",
    "encryptionKey",
    "messageType",
    "owner",
    "logGroup",
    "logEvents",
];
/// Where collectors that wrap a line in an object of their own keep it.
const WRAPPED: [&str; 4] = ["message", "@message", "MESSAGE", "log"];
/// And the log stream that it is of.
const STREAMS: [&str; 3] = ["logStreamName", "logStream", "@logStream"];

const BROKEN: &str = "a line that breaks off, or is no JSON";

enum Shape {
    Lines,
    Documents,
    Table,
}

/// Reads a file; `place` is its path, which may name the instance. None of its lines count if it does not come to its
/// end.
pub(super) fn read(file: impl Read, place: &str, limits: Limits) -> Result<Batch, String> {
    let (head, file) = split(file, 3)?;
    let text: Box<dyn Read + '_> = if head.starts_with(&[0x1f, 0x8b, 0x08]) {
        Box::new(Bounded { inner: Members::new(BufReader::new(file)), left: limits.unpacked })
    } else {
        Box::new(file)
    };
    let (head, text) = split(text, HEAD)?;
    if head.contains(&0) {
        return Err("neither JSON nor text in UTF-8".to_owned());
    }
    let place = instance_in(place);
    let mut batch = Batch::default();
    match shape(&head) {
        Shape::Lines => lines(BufReader::new(text), place, &mut batch)?,
        Shape::Documents => documents(&whole(text)?, place, &mut batch)?,
        Shape::Table => table(&whole(text)?, place, &mut batch)?,
    }
    Ok(batch)
}

/// The beginning of a file, and the file as if nothing had been taken from it.
fn split<R: Read>(mut file: R, length: usize) -> Result<(Vec<u8>, impl Read), String> {
    let mut head = Vec::with_capacity(length);
    let room = u64::try_from(length).unwrap_or(u64::MAX);
    file.by_ref().take(room).read_to_end(&mut head).map_err(|error| unreadable(&error))?;
    Ok((head.clone(), std::io::Cursor::new(head).chain(file)))
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "breaks off".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// What unpacks to more than a bound is an error, not an end.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let left = self.left.checked_sub(u64::try_from(read).unwrap_or(u64::MAX));
        self.left = left.ok_or_else(|| std::io::Error::other("unpacks to too much"))?;
        Ok(read)
    }
}

fn whole(text: impl Read) -> Result<Vec<u8>, String> {
    let mut held = Vec::new();
    text.take(WHOLE + 1).read_to_end(&mut held).map_err(|error| unreadable(&error))?;
    if u64::try_from(held.len()).is_ok_and(|length| length > WHOLE) {
        return Err(format!("more than {WHOLE} bytes of one document; export it in pieces, or to S3"));
    }
    Ok(held)
}

fn shape(head: &[u8]) -> Shape {
    let head = String::from_utf8_lossy(head);
    let head = head.trim_start_matches('\u{feff}').trim_ascii_start();
    if head.starts_with('[') {
        return Shape::Documents;
    }
    if let Some(object) = head.strip_prefix('{') {
        let key = object.trim_ascii_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
        return if key.is_some_and(|key| DOCUMENTS.contains(&key)) { Shape::Documents } else { Shape::Lines };
    }
    let heading = head.lines().next().unwrap_or_default();
    if !heading.contains('{') && cells(heading).any(|cell| cell == "@message") { Shape::Table } else { Shape::Lines }
}

fn cells(heading: &str) -> impl Iterator<Item = &str> {
    heading.split(',').map(|cell| cell.trim().trim_matches('"'))
}

/// The one instance that a path, a log stream or what stands before a line names.
fn instance_in(text: &str) -> Option<InstanceId> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    // A stream may be called `i-…` or `i-…-lifecycle-check`.
    let mut named = parts.filter_map(|part| {
        let hex = part.strip_prefix("i-")?.split('-').next()?;
        InstanceId::new(&format!("i-{hex}")).ok()
    });
    let first = named.next()?;
    named.all(|other| other == first).then_some(first)
}

fn lines(mut text: impl BufRead, place: Option<InstanceId>, batch: &mut Batch) -> Result<(), String> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let room = u64::try_from(LINE).unwrap_or(u64::MAX);
        let read = text.by_ref().take(room).read_until(b'\n', &mut line).map_err(|error| unreadable(&error))?;
        if read == 0 {
            return Ok(());
        }
        if read == LINE && line.last() != Some(&b'\n') {
            batch.malformed("a line of more than 1 MiB");
            skip_line(&mut text)?;
            continue;
        }
        message(&String::from_utf8_lossy(&line), place, batch);
    }
}

fn skip_line(text: &mut impl BufRead) -> Result<(), String> {
    loop {
        let held = text.fill_buf().map_err(|error| unreadable(&error))?;
        let (length, ends) = match memchr::memchr(b'\n', held) {
            Some(at) => (at + 1, true),
            None => (held.len(), held.is_empty()),
        };
        text.consume(length);
        if ends {
            return Ok(());
        }
    }
}

/// What somebody logged: a line, or several.
fn message(text: &str, place: Option<InstanceId>, batch: &mut Batch) {
    for line in text.lines().filter(|line| !line.trim_ascii().is_empty()) {
        // Without braces it cannot be ours.
        let Some((before, _)) = line.split_once('{') else {
            batch.other();
            continue;
        };
        let place = instance_in(before).or(place);
        let rest = line.get(before.len()..).unwrap_or_default();
        // `--output text` puts several with tabs between them into one line.
        for object in serde_json::Deserializer::from_str(rest).into_iter::<Map<String, Value>>() {
            match object {
                Ok(object) => wrapped(&object, place, batch),
                Err(_) if rest.contains("\"event\"") => batch.malformed(BROKEN),
                Err(_) => batch.other(),
            }
        }
    }
}

/// A line, or an object of somebody else that has it in a member.
fn wrapped(object: &Map<String, Value>, place: Option<InstanceId>, batch: &mut Batch) {
    let inner = WRAPPED.iter().find_map(|name| object.get(*name)).and_then(Value::as_str);
    match inner {
        Some(inner) if !object.contains_key("event") => {
            let stream = STREAMS.iter().find_map(|name| object.get(*name)).and_then(Value::as_str);
            let place = stream.and_then(instance_in).or(place);
            for line in inner.lines().filter(|line| !line.trim_ascii().is_empty()) {
                innermost(line, place, batch);
            }
        }
        _ => batch.take(meaning(object, place)),
    }
}

/// What lies within a wrapping is a line, or none: nothing is unwrapped twice.
fn innermost(line: &str, place: Option<InstanceId>, batch: &mut Batch) {
    let Some(at) = line.find('{') else { return batch.other() };
    let object = line.get(at..).unwrap_or_default().trim_ascii_end();
    match serde_json::from_str::<Map<String, Value>>(object) {
        Ok(object) => batch.take(meaning(&object, place)),
        Err(_) if object.contains("\"event\"") => batch.malformed(BROKEN),
        Err(_) => batch.other(),
    }
}

/// The documents of one file, one after the other.
fn documents(text: &[u8], place: Option<InstanceId>, batch: &mut Batch) -> Result<(), String> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    for document in serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>() {
        let document = document.map_err(|error| format!("not JSON: {error}"))?.get();
        if document.starts_with('[') {
            entries(document, place, batch);
            continue;
        }
        let members: std::collections::BTreeMap<String, &RawValue> =
            serde_json::from_str(document).map_err(|error| format!("not JSON: {error}"))?;
        let stream = STREAMS.iter().find_map(|name| members.get(*name));
        let stream = stream.and_then(|name| serde_json::from_str::<String>(name.get()).ok());
        let place = stream.and_then(|stream| instance_in(&stream)).or(place);
        let lists = ["events", "logEvents", "results"].iter().filter_map(|name| members.get(*name));
        for list in lists {
            entries(list.get(), place, batch);
        }
    }
    Ok(())
}

/// A list of log events, of rows, of messages.
fn entries(list: &str, place: Option<InstanceId>, batch: &mut Batch) {
    let Ok(entries) = serde_json::from_str::<Vec<&RawValue>>(list) else {
        return batch.malformed("a list of log events that is none");
    };
    for entry in entries {
        match serde_json::from_str(entry.get()) {
            Ok(Value::String(text)) => message(&text, place, batch),
            Ok(Value::Object(object)) => wrapped(&object, place, batch),
            Ok(Value::Array(row)) => wrapped(&as_object(row), place, batch),
            _ => batch.malformed("a log event that is none"),
        }
    }
}

/// A row of `get-query-results`, `[{"field": …, "value": …}, …]`, as an object; or a list that a `--query` made of an
/// event, of whose members the one with a brace is the message.
fn as_object(row: Vec<Value>) -> Map<String, Value> {
    let mut object = Map::new();
    for cell in row {
        match cell {
            Value::Object(mut cell) => {
                if let (Some(Value::String(field)), Some(value)) = (cell.remove("field"), cell.remove("value")) {
                    object.insert(field, value);
                }
            }
            Value::String(text) if text.contains('{') => {
                object.insert("message".to_owned(), Value::String(text));
            }
            Value::String(text) if instance_in(&text).is_some() => {
                object.insert("logStreamName".to_owned(), Value::String(text));
            }
            _ => {}
        }
    }
    object
}

/// The CSV that the console of Logs Insights gives.
fn table(text: &[u8], place: Option<InstanceId>, batch: &mut Batch) -> Result<(), String> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    let heading = rows.byte_headers().map_err(|error| format!("not CSV: {error}"))?.clone();
    let column = |name: &str| {
        let is = |cell: &[u8]| String::from_utf8_lossy(cell).trim_start_matches('\u{feff}').trim() == name;
        heading.iter().position(is)
    };
    let (of_message, of_stream) = (column("@message"), column("@logStream"));
    for row in rows.byte_records() {
        let row = row.map_err(|error| format!("not CSV: {error}"))?;
        let cell = |column: Option<usize>| column.and_then(|at| row.get(at)).map(String::from_utf8_lossy);
        let place = cell(of_stream).and_then(|stream| instance_in(&stream)).or(place);
        match cell(of_message) {
            Some(text) => message(&text, place, batch),
            None => batch.malformed("a row without its message"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
