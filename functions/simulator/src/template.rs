//! Records as templates: JSON text with `$fields$` to fill in, read once and written many times.
//!
//! Text templates, not JSON values: a simulated account writes hundreds of thousands of records a second, nearly all of
//! it text that never changes.

use std::collections::BTreeMap;

use crate::dice::Dice;
use crate::ids::digit;
use crate::scene::Scene;

/// One part of a template.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Scene(Field),
    /// A fresh UUID.
    Uuid,
    /// This many random hexadecimal digits.
    Hex(usize),
    /// This many random characters of the alphabet of access keys.
    Base32(usize),
    /// A random number of this range.
    Number(i64, i64),
    /// One of these texts.
    Pick(Vec<String>),
    /// A random IPv4 address of the documentation networks.
    Address,
}

/// What a [`Scene`] fills in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Field {
    Time,
    Hour,
    EpochMillis,
    Account,
    Region,
    Partition,
    Recipient,
    Shared,
    Event,
    Request,
    Token,
    Instance,
    Volume,
    Key,
    KeyAccount,
    ServiceKey,
    Grantee,
    Answer,
    Group,
    GroupTag,
    GroupTagSpecification,
    LaunchTemplate,
    Zone,
    Type,
    CurrentState,
    PreviousState,
}

/// A template, ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Template(Vec<Part>);

impl Template {
    /// Reads a template. White space outside of strings goes; `$@name$` takes in a fragment; a field without meaning
    /// stays as it is written, for the tests to find.
    pub(crate) fn parse(text: &str, fragments: &BTreeMap<&str, &str>) -> Self {
        let mut pieces = String::new();
        expand(text, fragments, 8, &mut pieces);
        let compact = compact(&pieces);
        let mut parts = Vec::new();
        for (at, piece) in compact.split('$').enumerate() {
            if at % 2 == 0 {
                if !piece.is_empty() {
                    parts.push(Part::Text(piece.to_owned()));
                }
            } else {
                parts.push(part(piece));
            }
        }
        Self(parts)
    }

    /// Appends the record.
    pub(crate) fn put(&self, scene: &Scene<'_>, dice: &mut Dice, out: &mut Vec<u8>) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Scene(field) => scene.put(*field, out),
                Part::Uuid => dice.uuid().put(out),
                Part::Hex(count) => put_random(*count, 4, dice, out, digit),
                Part::Base32(count) => put_random(*count, 5, dice, out, base32),
                Part::Number(low, high) => put_number(dice.between(*low, *high), out),
                Part::Pick(texts) => {
                    if let Some(text) = dice.pick(texts) {
                        out.extend_from_slice(text.as_bytes());
                    }
                }
                Part::Address => {
                    out.extend_from_slice(if dice.chance(500) { b"198.51.100." } else { b"203.0.113." });
                    put_number(dice.between(1, 254), out);
                }
            }
        }
    }

    #[cfg(test)]
    fn has_unknown_fields(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Text(text) if text.contains('$')))
    }
}

/// The templates of a file: `#name …` begins one, text before the first is a comment.
pub(crate) fn sections(file: &str) -> impl Iterator<Item = (&str, &str)> {
    file.split("\n#name ").skip(1).filter_map(|section| section.split_once('\n'))
}

/// The shared fragments.
pub(crate) fn fragments() -> BTreeMap<&'static str, &'static str> {
    sections(include_str!("../templates/fragments.tmpl")).collect()
}

/// Appends a decimal number.
pub(crate) fn put_number(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(number.to_string().as_bytes());
}

fn expand(text: &str, fragments: &BTreeMap<&str, &str>, depth: usize, out: &mut String) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("$@") {
        out.push_str(before);
        let Some((name, after)) = after.split_once('$') else { break };
        match fragments.get(name) {
            Some(fragment) if depth > 0 => expand(fragment.trim(), fragments, depth - 1, out),
            _ => out.push_str(name),
        }
        rest = after;
    }
    out.push_str(rest);
}

/// The text without white space outside of strings.
fn compact(text: &str) -> String {
    let mut in_string = false;
    let mut escaped = false;
    let keep = |c: &char| {
        if in_string {
            match (*c, escaped) {
                ('\\', false) => escaped = true,
                ('"', false) => in_string = false,
                _ => escaped = false,
            }
            true
        } else {
            in_string = *c == '"';
            !c.is_whitespace()
        }
    };
    text.chars().filter(keep).collect()
}

fn part(name: &str) -> Part {
    let unknown = || Part::Text(format!("${name}$"));
    if let Some((name, argument)) = name.split_once(':') {
        let range = || {
            let (low, high) = argument.split_once('-')?;
            Some(Part::Number(low.parse().ok()?, high.parse().ok()?))
        };
        return match name {
            "hex" => argument.parse().map_or_else(|_| unknown(), Part::Hex),
            "base32" => argument.parse().map_or_else(|_| unknown(), Part::Base32),
            "number" => range().unwrap_or_else(unknown),
            "pick" => Part::Pick(argument.split('|').map(str::to_owned).collect()),
            _ => unknown(),
        };
    }
    match name {
        "uuid" => Part::Uuid,
        "address" => Part::Address,
        _ => field(name).map_or_else(unknown, Part::Scene),
    }
}

fn field(name: &str) -> Option<Field> {
    Some(match name {
        "time" => Field::Time,
        "hour" => Field::Hour,
        "epochmillis" => Field::EpochMillis,
        "account" => Field::Account,
        "region" => Field::Region,
        "partition" => Field::Partition,
        "recipient" => Field::Recipient,
        "shared" => Field::Shared,
        "event" => Field::Event,
        "request" => Field::Request,
        "token" => Field::Token,
        "instance" => Field::Instance,
        "volume" => Field::Volume,
        "key" => Field::Key,
        "keyaccount" => Field::KeyAccount,
        "servicekey" => Field::ServiceKey,
        "grantee" => Field::Grantee,
        "answer" => Field::Answer,
        "group" => Field::Group,
        "grouptag" => Field::GroupTag,
        "grouptagspec" => Field::GroupTagSpecification,
        "template" => Field::LaunchTemplate,
        "zone" => Field::Zone,
        "type" => Field::Type,
        "current" => Field::CurrentState,
        "previous" => Field::PreviousState,
        _ => return None,
    })
}

fn put_random(count: usize, bits: u32, dice: &mut Dice, out: &mut Vec<u8>, letter: fn(u8) -> u8) {
    let mask = (1_u64 << bits) - 1;
    let mut left = 0;
    let mut pool = 0;
    for _ in 0..count {
        if left < bits {
            pool = dice.bits();
            left = u64::BITS;
        }
        out.push(letter(u8::try_from(pool & mask).unwrap_or(0)));
        pool >>= bits;
        left -= bits;
    }
}

fn base32(five_bits: u8) -> u8 {
    if five_bits < 26 { b'A' + five_bits } else { b'2' + (five_bits - 26) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> [&'static str; 3] {
        [
            include_str!("../templates/fleet.tmpl"),
            include_str!("../templates/noise.tmpl"),
            include_str!("../templates/lookalikes.tmpl"),
        ]
    }

    #[test]
    fn white_space_goes_outside_of_strings_only() {
        assert_eq!(compact("{ \"a b\" : \"c \\\" d\" ,\n 1 }"), "{\"a b\":\"c \\\" d\",1}");
    }

    #[test]
    fn every_template_is_json_once_it_is_filled_in() {
        let fragments = fragments();
        let mut count = 0;
        for file in files() {
            for (name, text) in sections(file) {
                let template = Template::parse(text, &fragments);
                assert!(!template.has_unknown_fields(), "{name}: {template:?}");
                let mut out = Vec::new();
                template.put(&Scene::example(), &mut Dice::new(1, 1), &mut out);
                let record: serde_json::Value = serde_json::from_slice(&out)
                    .unwrap_or_else(|e| panic!("{name}: {e}: {}", String::from_utf8_lossy(&out)));
                assert!(record["eventID"].is_string(), "{name}");
                assert_eq!(record["eventTime"], "2026-05-11T10:00:00Z", "{name}");
                count += 1;
            }
        }
        assert!(count > 40);
    }
}
