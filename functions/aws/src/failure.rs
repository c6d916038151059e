//! What can go wrong with a call, in classes that somebody acts on.

use std::fmt;

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The credentials may not do this, or there are none.
    Denied,
    /// The region is not enabled for the account, or the service not there.
    Disabled,
    /// Too many requests, by us or by others in the account.
    Throttled,
    /// The time for it ran out.
    TimedOut,
    /// The service failed or could not be reached.
    Unavailable,
    /// It answered with something that cannot be used, or called our request wrong.
    Invalid,
}

impl Class {
    /// Its name in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Disabled => "disabled",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed out",
            Self::Unavailable => "unavailable",
            Self::Invalid => "invalid",
        }
    }
}

/// A call that failed: which, how, and what was said. The text is bounded and holds no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {class}: {message}")]
pub struct Failure {
    /// The operation, such as `cloudtrail:LookupEvents`.
    pub operation: &'static str,
    /// What kind of failure.
    pub class: Class,
    /// What was said, cut to 300 characters.
    pub message: String,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Failure {
    /// A failure of an operation.
    #[must_use]
    pub fn new(operation: &'static str, class: Class, message: &str) -> Self {
        let message = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        Self { operation, class, message }
    }
}
