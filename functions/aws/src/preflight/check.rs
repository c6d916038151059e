//! One check and how it ended.

use serde::Serialize;

/// How much of a text is kept, in characters.
const DETAIL: usize = 600;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Ok,
    /// Something to know; the analyzer sees all the same, or it cannot be told by reading.
    Note,
    /// The analyzer sees less, or later, than it could.
    Warn,
    /// The analyzer would not see.
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was tried: a call, or what it was for.
    pub name: &'static str,
    /// How it ended.
    pub result: Verdict,
    /// What was found, and what follows. Bounded; may hold names from outside.
    pub detail: String,
    /// What to do about it.
    pub fix: Option<String>,
    /// Whether a service has answered for it, be it with a refusal.
    #[serde(skip)]
    pub(super) answered: bool,
}

impl Check {
    fn new(name: &'static str, result: Verdict, detail: &str, fix: Option<&str>) -> Self {
        let fix = fix.map(|fix| bounded(fix, DETAIL));
        Self { name, result, detail: bounded(detail, DETAIL), fix, answered: false }
    }

    pub(super) fn ok(name: &'static str, detail: &str) -> Self {
        Self::new(name, Verdict::Ok, detail, None)
    }

    /// The same, with what is known of an answer.
    pub(super) fn answered(self, answered: bool) -> Self {
        Self { answered, ..self }
    }

    pub(super) fn note(name: &'static str, detail: &str) -> Self {
        Self::new(name, Verdict::Note, detail, None)
    }

    pub(super) fn advice(name: &'static str, detail: &str, fix: &str) -> Self {
        Self::new(name, Verdict::Note, detail, Some(fix))
    }

    pub(super) fn warn(name: &'static str, detail: &str, fix: &str) -> Self {
        Self::new(name, Verdict::Warn, detail, Some(fix))
    }

    pub(super) fn fail(name: &'static str, detail: &str, fix: &str) -> Self {
        Self::new(name, Verdict::Fail, detail, Some(fix))
    }
}

/// At most so many characters of a text, with an ellipsis where it was cut.
pub(super) fn bounded(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A count with its noun in the right number.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
