//! The documents of a text and their records: `{"Records": […]}`, `{"Events": […]}`, lists, JSON Lines, one record.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decode::{self, Decoded, Identification, Reading};
use crate::ids::{AccountId, Region, Source};
use crate::time::{DayClock, TimeSpan, Timestamp, join_span};

use super::filter::{Filter, Sifted, skip_blank, string_end};
use super::structure::{InstructionSet, Object, Stopped};
use super::{Asked, FileReading, LogFile};

/// How many documents may pass before one of them must look like a record.
const PATIENCE: u64 = 100;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What the elements of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elements {
    /// Records as delivered.
    Records,
    /// `lookup-events` entries, records, or either in an envelope: told one by one.
    Any,
}

/// Where the scanner stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between documents.
    Top,
    /// Inside the object of a document, before a key, a comma or its end.
    Header { after_list: bool },
    /// Inside a list, before an element.
    Element { of: Elements, nested: bool, first: bool },
    /// Inside a list, after an element.
    Separator { of: Elements, nested: bool },
}

/// Whose the records of a delivered file are: one account and region's, as a few of them are asked.
#[derive(Debug, Default)]
struct Origin {
    /// Whether each is asked instead.
    exact: bool,
    /// What the first that tells has told.
    first: Option<Source>,
    /// Where the last lies in the text at hand.
    last: Option<(usize, usize)>,
    /// From when to when those are that were not asked.
    span: Option<TimeSpan>,
    /// Whether any told otherwise than the first.
    mixed: bool,
}

/// What a step needs or found.
enum Step {
    Next(State, usize),
    /// The text does not hold enough yet.
    More,
    Broken(String),
}

/// Finds records in a text that comes in one piece or in several.
pub(super) struct Scanner<'a> {
    filter: &'a Filter,
    asked: Asked,
    max_record: usize,
    set: InstructionSet,
    state: State,
    clock: DayClock,
    reading: FileReading,
    documents: u64,
    lines: bool,
    recognised: bool,
    /// Whose the records of delivered lists are.
    origin: Origin,
    /// Whether the first record was looked at.
    begun: bool,
    skipped: Option<&'static str>,
    strange: Option<String>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(filter: &'a Filter, set: InstructionSet, asked: Asked, max_record: usize) -> Self {
        Self {
            filter,
            asked,
            max_record,
            set,
            state: State::Top,
            clock: DayClock::default(),
            reading: FileReading::default(),
            documents: 0,
            lines: false,
            recognised: false,
            origin: Origin::default(),
            begun: false,
            skipped: None,
            strange: None,
        }
    }

    /// Asks each record whose it is, as a text that comes in pieces demands: it cannot be read again.
    pub(super) fn exactly(&mut self) {
        self.origin.exact = true;
    }

    /// Reads a text that is all there. A delivered file is of one account and region, so a few of its records are
    /// asked whose they are; where they do not agree, all are.
    pub(super) fn whole(&mut self, text: &[u8]) -> Result<(), String> {
        self.feed(text, true)?;
        if self.origin.mixed && self.skipped.is_none() {
            *self = Self::new(self.filter, self.set, self.asked, self.max_record);
            self.exactly();
            self.feed(text, true)?;
        }
        Ok(())
    }

    /// Reads as much of `text` as can be read and says how much that was; the rest is to come again with more.
    pub(super) fn feed(&mut self, text: &[u8], last: bool) -> Result<usize, String> {
        let mut at = 0;
        while self.skipped.is_none() {
            let step = match self.state {
                State::Top => self.top(text, at, last),
                State::Header { after_list } => self.header(text, at, after_list),
                State::Element { of, nested, first } => self.element(text, at, of, nested, first),
                State::Separator { of, nested } => self.separator(text, at, of, nested),
            };
            match step {
                Step::Next(state, offset) => (self.state, at) = (state, offset),
                Step::Broken(reason) => return Err(reason),
                Step::More if !last => {
                    if text.len() - at > self.max_record {
                        return Err(self.too_large());
                    }
                    return Ok(at);
                }
                Step::More if self.state == State::Top && blank(text, at) => return Ok(text.len()),
                Step::More => return Err("breaks off".to_owned()),
            }
        }
        Ok(text.len())
    }

    /// What the file turned out to be, once all of its text was read.
    pub(super) fn finish(mut self) -> LogFile {
        if let Some(kind) = self.skipped {
            return LogFile::Skipped(kind);
        }
        if self.documents > 0 && !self.recognised {
            let found = self.strange.unwrap_or_else(|| "JSON without records".to_owned());
            return LogFile::Unreadable(format!("not a CloudTrail log file: {found}"));
        }
        if let Some(span) = self.origin.span {
            join_span(&mut self.reading.span, span);
            if let Some(source) = self.origin.first {
                join_in(&mut self.reading.spans, source, span);
            }
        }
        LogFile::Read(self.reading)
    }

    fn top(&mut self, text: &[u8], at: usize, last: bool) -> Step {
        let mut start = skip_blank(text, at);
        let rest = text.get(start..).unwrap_or_default();
        if rest.starts_with(BYTE_ORDER_MARK) {
            start = skip_blank(text, start + BYTE_ORDER_MARK.len());
        } else if !last && BYTE_ORDER_MARK.starts_with(rest) {
            return Step::More;
        }
        match text.get(start) {
            None => Step::More,
            Some(b'{') if self.documents == 0 => {
                self.documents += 1;
                match self.first_document(text, start, last) {
                    Step::More => {
                        self.documents = 0;
                        Step::More
                    }
                    step => step,
                }
            }
            Some(b'{') => self.document(text, start, last),
            Some(b'[') => {
                self.documents += 1;
                Step::Next(State::Element { of: Elements::Any, nested: false, first: true }, start + 1)
            }
            Some(_) if self.lines => self.bad_line(text, start, last, "not a JSON object"),
            Some(_) => Step::Broken("not JSON".to_owned()),
        }
    }

    /// The first document decides what the file is: its keys are walked until a list of records is found.
    fn first_document(&mut self, text: &[u8], start: usize, last: bool) -> Step {
        let mut at = start + 1;
        let mut after_list = false;
        loop {
            match next_key(text, at, after_list) {
                Member::More => return Step::More,
                Member::Broken => return Step::Broken("not JSON".to_owned()),
                Member::End(end) => {
                    let line_end =
                        text.get(end..).and_then(|rest| rest.iter().find(|b| !matches!(b, b' ' | b'\t' | b'\r')));
                    let single = !text.get(start..end).is_some_and(|document| document.contains(&b'\n'));
                    if single && line_end.is_none() && !last {
                        return Step::More;
                    }
                    self.lines = single && line_end == Some(&b'\n');
                    return self.delimited(text, start, end, State::Top);
                }
                Member::Value(key, value) => {
                    if let Some(of) = list_of(&key, text.get(value)) {
                        return Step::Next(State::Element { of, nested: true, first: true }, value + 1);
                    }
                    if matches!(&*key, "digestS3Bucket" | "digestStartTime" | "digestS3Object") {
                        self.skipped = Some("a digest");
                        return Step::Next(State::Top, text.len());
                    }
                    match self.value_end(text, value) {
                        Some(end) => at = end,
                        None => return Step::More,
                    }
                    after_list = true;
                }
            }
        }
    }

    /// A further document: a record, or a list of records again.
    fn document(&mut self, text: &[u8], start: usize, last: bool) -> Step {
        if let Some((of, value)) = self.list_in(text, start) {
            self.documents += 1;
            return Step::Next(State::Element { of, nested: true, first: true }, value + 1);
        }
        let line = self.lines.then(|| memchr::memchr(b'\n', text.get(start..).unwrap_or_default())).flatten();
        if self.lines && line.is_none() && !last {
            return Step::More;
        }
        let until = line.map_or(text.len(), |line| start + line);
        match text.get(..until).and_then(|here| self.set.end(here, start)) {
            Some(end) => {
                self.documents += 1;
                self.delimited(text, start, end, State::Top)
            }
            None if line.is_some() => self.bad_line(text, start, last, "a line that breaks off"),
            None => Step::More,
        }
    }

    /// The list of records in the object that begins at `start`, and where it begins; a line has it at once or not.
    fn list_in(&self, text: &[u8], start: usize) -> Option<(Elements, usize)> {
        let (mut at, mut after_value) = (start + 1, false);
        while let Member::Value(key, value) = next_key(text, at, after_value) {
            if let Some(of) = list_of(&key, text.get(value)) {
                return Some((of, value));
            }
            if self.lines {
                break;
            }
            (at, after_value) = (self.value_end(text, value)?, true);
        }
        None
    }

    /// A line of JSON Lines that is no object spoils itself alone.
    fn bad_line(&mut self, text: &[u8], start: usize, last: bool, reason: &'static str) -> Step {
        match memchr::memchr(b'\n', text.get(start..).unwrap_or_default()) {
            Some(length) => {
                self.malformed(reason);
                Step::Next(State::Top, start + length)
            }
            None if last => {
                self.malformed(reason);
                Step::Next(State::Top, text.len())
            }
            None => Step::More,
        }
    }

    /// What follows a list in the object of a document.
    fn header(&mut self, text: &[u8], at: usize, after_list: bool) -> Step {
        match next_key(text, at, after_list) {
            Member::More => Step::More,
            Member::Broken => Step::Broken("not JSON after its records".to_owned()),
            Member::End(end) => Step::Next(State::Top, end),
            Member::Value(key, value) => match list_of(&key, text.get(value)) {
                Some(of) => Step::Next(State::Element { of, nested: true, first: true }, value + 1),
                None => match self.value_end(text, value) {
                    Some(end) => Step::Next(State::Header { after_list: true }, end),
                    None => Step::More,
                },
            },
        }
    }

    fn element(&mut self, text: &[u8], at: usize, of: Elements, nested: bool, first: bool) -> Step {
        self.recognised = true;
        let start = skip_blank(text, at);
        let end = match text.get(start) {
            None => return Step::More,
            Some(b']') if first => return Step::Next(after(nested), start + 1),
            Some(b'{') if of == Elements::Records => return self.records(text, start, nested),
            Some(b'{') => self.set.end(text, start),
            Some(b',' | b']' | b'}' | b':') => return Step::Broken("not JSON between its records".to_owned()),
            Some(_) => {
                let Some(end) = self.value_end(text, start) else { return Step::More };
                self.malformed("not a JSON object");
                return Step::Next(State::Separator { of, nested }, end);
            }
        };
        let Some(end) = end else { return Step::More };
        self.delimited(text, start, end, State::Separator { of, nested })
    }

    /// The record that begins at `start`, and those that follow it closely.
    fn records(&mut self, text: &[u8], begin: usize, nested: bool) -> Step {
        let of = Elements::Records;
        let mut too_large = false;
        let stopped = self.set.records(text, begin, |object| {
            too_large = object.end - object.start > self.max_record;
            if !too_large {
                self.record(text, object);
            }
            !too_large && self.skipped.is_none()
        });
        match stopped {
            Stopped::Behind(_) if too_large => Step::Broken(self.too_large()),
            Stopped::Behind(end) => Step::Next(State::Separator { of, nested }, end),
            Stopped::Before(start) if start == begin => Step::More,
            // What is done is done; the rest comes again with more.
            Stopped::Before(start) => Step::Next(State::Element { of, nested, first: false }, start),
        }
    }

    fn separator(&mut self, text: &[u8], at: usize, of: Elements, nested: bool) -> Step {
        let at = skip_blank(text, at);
        match text.get(at) {
            None => Step::More,
            Some(b',') => Step::Next(State::Element { of, nested, first: false }, at + 1),
            Some(b']') => {
                self.verify_last(text);
                Step::Next(after(nested), at + 1)
            }
            Some(_) => Step::Broken("not JSON between its records".to_owned()),
        }
    }

    fn value_end(&self, text: &[u8], at: usize) -> Option<usize> {
        value_end(self.set, text, at)
    }

    fn malformed(&mut self, reason: &'static str) {
        self.reading.records += 1;
        self.reading.take(Decoded::malformed(reason));
    }

    fn too_large(&self) -> String {
        format!("a record of more than {} bytes", self.max_record)
    }

    /// Takes a document or an element that may be a record, if it is not too large, however its text came.
    fn delimited(&mut self, text: &[u8], start: usize, end: usize, next: State) -> Step {
        if end - start > self.max_record {
            return Step::Broken(self.too_large());
        }
        if let Some(text) = text.get(start..end) {
            self.any(text);
        }
        Step::Next(next, end)
    }

    /// One record, delimited: counted, timed, and parsed if it can mean something.
    #[inline]
    fn record(&mut self, text: &[u8], object: &Object) {
        if !self.begun || self.origin.exact || self.origin.first.is_none() {
            return self.record_of_some_source(text, object);
        }
        self.origin.last = Some((object.start, object.end));
        let time = match self.filter.sift(text, object) {
            Sifted::Candidate => return self.candidate(text, object),
            Sifted::Nothing(time) => time.and_then(|text| self.clock.read(text)),
        };
        if !self.asked.everything() && !time.is_some_and(|time| self.asked.holds(time)) {
            return;
        }
        self.reading.records += 1;
        self.reading.irrelevant += 1;
        self.note_alike(time);
    }

    /// A record to be parsed, of a file whose records come from one account and region.
    #[inline(never)]
    fn candidate(&mut self, text: &[u8], object: &Object) {
        let record = text.get(object.start..object.end).unwrap_or_default();
        let Reading { time, source, decoded } = decode::read_from(record, self.origin.first.as_ref());
        self.origin.mixed |= source.is_some() && source != self.origin.first;
        if self.keep(decoded, time) {
            self.note_alike(time);
        }
    }

    #[inline]
    fn note_alike(&mut self, time: Option<Timestamp>) {
        if let Some(time) = time {
            join_span(&mut self.origin.span, TimeSpan::at(time));
        }
    }

    /// A record that is asked whose it is.
    #[inline(never)]
    fn record_of_some_source(&mut self, text: &[u8], object: &Object) {
        let record = text.get(object.start..object.end).unwrap_or_default();
        let (source, insight) = self.place(record);
        if !self.begun && insight {
            self.skipped = Some("an Insight file");
        }
        self.begun = true;
        if self.origin.first.is_none() {
            self.origin.first.clone_from(&source);
        }
        // What does not tell is taken for one of the others'.
        let source = source.or_else(|| self.origin.first.clone());
        self.origin.last = Some((object.start, object.end));
        match self.filter.sift(text, object) {
            Sifted::Candidate => {
                let Reading { time, decoded, .. } = decode::read_from(record, source.as_ref());
                if self.keep(decoded, time) {
                    self.note(time, source);
                }
            }
            Sifted::Nothing(time) => {
                let time = time.and_then(|text| self.clock.read(text));
                if self.keep(Decoded::NOTHING, time) {
                    self.note(time, source);
                }
            }
        }
    }

    /// Counts a record if it is asked for, and says whether it is.
    fn keep(&mut self, decoded: Decoded, time: Option<Timestamp>) -> bool {
        // What has no time lies in no window, and malformed it is all the same.
        let malformed = matches!(decoded, Decoded::Malformed { .. });
        let inside = time.map_or(malformed, |time| self.asked.holds(time));
        if !self.asked.everything() && !inside {
            return false;
        }
        self.reading.records += 1;
        self.reading.take(decoded);
        true
    }

    fn note(&mut self, time: Option<Timestamp>, source: Option<Source>) {
        let Some(span) = time.map(TimeSpan::at) else { return };
        join_span(&mut self.reading.span, span);
        if let Some(source) = source {
            join_in(&mut self.reading.spans, source, span);
        }
    }

    /// Something that may be a record, a `lookup-events` entry, or an EventBridge event around a record.
    fn any(&mut self, text: &[u8]) {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Envelope<'a> {
            #[serde(rename = "CloudTrailEvent", borrow)]
            cloud_trail_event: Option<Cow<'a, str>>,
            #[serde(rename = "EventId", borrow)]
            event_id: Option<Cow<'a, str>>,
            #[serde(rename = "detail-type", borrow)]
            detail_type: Option<Cow<'a, str>>,
            #[serde(borrow)]
            detail: Option<&'a RawValue>,
        }

        let envelope: Envelope<'_> = serde_json::from_slice(text).unwrap_or_default();
        let inner = match (&envelope.cloud_trail_event, envelope.detail) {
            (Some(inner), _) => inner.as_bytes(),
            (None, Some(detail)) if envelope.detail_type.is_some() => detail.get().as_bytes(),
            _ => text,
        };
        if envelope.cloud_trail_event.is_none() && envelope.event_id.is_some() {
            self.recognised = true;
            self.malformed("a lookup-events entry without its CloudTrailEvent");
            return;
        }
        if !self.begun || (!self.recognised && self.documents <= PATIENCE) {
            self.begun = true;
            self.identify(inner);
        }
        let Reading { time, source, decoded } = decode::read(inner);
        if self.keep(decoded, time) {
            self.note(time, source);
        }
    }

    /// What a document that may be a record tells of the file.
    fn identify(&mut self, record: &[u8]) {
        let Some(identification) = Identification::of(record) else {
            self.strange.get_or_insert_with(|| "not JSON".to_owned());
            return;
        };
        if identification.insight {
            self.skipped = Some("an Insight file");
        }
        if !identification.record && self.strange.is_none() {
            let value: serde_json::Value = serde_json::from_slice(record).unwrap_or_default();
            let listless = ["Records", "Events"].into_iter().find(|key| value.get(key).is_some());
            self.strange = Some(
                listless.map_or_else(|| crate::fleet::describe_json(&value), |key| format!("its {key} are no list")),
            );
        }
        self.recognised |= identification.record;
    }

    /// Whose record one is, and whether it is an Insights event, without parsing all of it.
    fn place(&self, record: &[u8]) -> (Option<Source>, bool) {
        let (mut account, mut region, mut insight) = (None, None, false);
        let (mut at, mut after_value) = (1, false);
        while let Member::Value(key, value) = next_key(record, at, after_value) {
            let Some(end) = value_end(self.set, record, value) else { break };
            let text = || record.get(value..end).and_then(|text| serde_json::from_slice::<Cow<'_, str>>(text).ok());
            match &*key {
                "recipientAccountId" => account = text().and_then(|text| AccountId::new(&text).ok()),
                "awsRegion" => region = text().and_then(|text| Region::new(&text).ok()),
                "eventCategory" => insight = text().as_deref() == Some("Insight"),
                _ => {}
            }
            (at, after_value) = (end, true);
        }
        (account.zip(region).map(|(account, region)| Source { account, region }), insight)
    }

    /// Asks the last record of a list whose it is.
    fn verify_last(&mut self, text: &[u8]) {
        let last = self.origin.last.take().and_then(|(start, end)| text.get(start..end));
        if let Some(last) = last.filter(|_| !self.origin.exact) {
            let (source, _) = self.place(last);
            self.origin.mixed |= source != self.origin.first;
        }
    }
}

fn join_in(spans: &mut BTreeMap<Source, TimeSpan>, source: Source, span: TimeSpan) {
    spans.entry(source).and_modify(|old| *old = old.join(span)).or_insert(span);
}

/// The end of any value, or nothing if it is not in the text.
fn value_end(set: InstructionSet, text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    match rest.first()? {
        b'{' | b'[' => set.end(text, at),
        b'"' => string_end(text, at),
        _ => Some(at + rest.iter().position(|b| matches!(b, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t'))?),
    }
}

fn after(nested: bool) -> State {
    if nested { State::Header { after_list: true } } else { State::Top }
}

/// What the list under `key` holds, if its value is a list of records.
fn list_of(key: &str, value: Option<&u8>) -> Option<Elements> {
    match (key, value) {
        ("Records", Some(b'[')) => Some(Elements::Records),
        ("Events", Some(b'[')) => Some(Elements::Any),
        _ => None,
    }
}

enum Member<'t> {
    /// A key, and where its value begins.
    Value(Cow<'t, str>, usize),
    /// The object ends before this offset.
    End(usize),
    More,
    Broken,
}

/// The next key of an object.
fn next_key(text: &[u8], at: usize, after_value: bool) -> Member<'_> {
    let mut at = skip_blank(text, at);
    match (text.get(at), after_value) {
        (None, _) => return Member::More,
        (Some(b'}'), _) => return Member::End(at + 1),
        (Some(b','), true) => at = skip_blank(text, at + 1),
        (Some(b'"'), false) => {}
        _ => return Member::Broken,
    }
    match text.get(at) {
        None => return Member::More,
        Some(b'"') => {}
        Some(_) => return Member::Broken,
    }
    let plain = plain_key(text, at);
    let Some(end) = plain.map_or_else(|| string_end(text, at), |key| Some(at + key.len() + 2)) else {
        return Member::More;
    };
    let colon = skip_blank(text, end);
    match text.get(colon) {
        None => return Member::More,
        Some(b':') => {}
        Some(_) => return Member::Broken,
    }
    let value = skip_blank(text, colon + 1);
    if value >= text.len() {
        return Member::More;
    }
    let key: Option<Cow<'_, str>> = match plain {
        Some(plain) => std::str::from_utf8(plain).ok().map(Cow::Borrowed),
        None => text.get(at..end).and_then(|key| serde_json::from_slice(key).ok()).map(Cow::Owned),
    };
    key.map_or(Member::Broken, |key| Member::Value(key, value))
}

/// The key that begins at `at`, if it has no escape, as nearly all.
fn plain_key(text: &[u8], at: usize) -> Option<&[u8]> {
    let rest = text.get(at + 1..)?;
    let key = rest.get(..memchr::memchr(b'"', rest)?)?;
    memchr::memchr(b'\\', key).is_none().then_some(key)
}

fn blank(text: &[u8], at: usize) -> bool {
    let at = skip_blank(text, at);
    text.get(at..).is_none_or(|rest| rest.is_empty() || rest == BYTE_ORDER_MARK)
}
