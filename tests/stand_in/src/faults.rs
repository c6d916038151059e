//! Scripted faults: which calls, how often, what goes wrong.

use serde::{Deserialize, Serialize};

use crate::digest::draw_share;
use crate::wire::Call;

/// A rule for faults. What it does not say applies to all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fault {
    /// `LookupEvents`, or with its service `cloudtrail:LookupEvents`, or `cloudtrail:*`.
    #[serde(default)]
    pub operation: Option<String>,
    /// Calls in this account.
    #[serde(default)]
    pub account: Option<String>,
    /// Calls in this region.
    #[serde(default)]
    pub region: Option<String>,
    /// The share of such calls, drawn from the seed.
    #[serde(default = "whole")]
    pub share: f64,
    /// How many such calls go well first.
    #[serde(default)]
    pub skip: u64,
    /// How often at most.
    #[serde(default)]
    pub times: Option<u64>,
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
}

fn whole() -> f64 {
    1.0
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum FaultKind {
    /// The service's own throttling error.
    Throttle,
    /// The answer comes this much later.
    Slow {
        /// Milliseconds of the system's clock.
        millis: u64,
    },
    /// Nothing is done until the test lets the call go on.
    Hold,
    /// The call is carried out, and its answer waits until the test lets it go.
    HoldAnswer,
    /// An error of the server.
    ServerError {
        /// 500, 502, 503 and so on.
        status: u16,
    },
    /// The connection is closed before anything is done.
    Drop,
    /// The call is carried out, and the connection closed instead of an answer.
    DropAnswer,
    /// The paging token that came with the call is refused.
    ExpiredToken,
    /// The answer's token is the one that came with the call.
    RepeatToken,
    /// The page has fewer entries than asked for, and a token.
    ShortPage,
    /// The service's own refusal.
    AccessDenied,
    /// Instances are in states that nobody has heard of.
    UnknownStates,
    /// The header `Date` is off by this much.
    ClockSkew {
        /// Seconds; ahead if positive.
        seconds: i64,
    },
    /// Any other error.
    Error {
        /// The status of HTTP.
        status: u16,
        /// The code of the error.
        code: String,
    },
}

/// A rule and how often it was used.
#[derive(Debug, Default)]
pub(crate) struct Script {
    seed: u64,
    rules: Vec<(Fault, u64, u64)>,
}

impl Script {
    pub(crate) fn new(seed: u64, faults: Vec<Fault>) -> Self {
        Self { seed, rules: faults.into_iter().map(|fault| (fault, 0, 0)).collect() }
    }

    /// What goes wrong with this call.
    pub(crate) fn judge(&mut self, call: &Call) -> Vec<FaultKind> {
        let mut kinds = Vec::new();
        for (index, (fault, seen, used)) in self.rules.iter_mut().enumerate() {
            if !fault.concerns(call) {
                continue;
            }
            *seen += 1;
            let is_spent = fault.times.is_some_and(|times| *used >= times);
            let is_drawn = fault.share >= 1.0 || draw_share(self.seed, &format!("{index} {seen}")) < fault.share;
            if *seen > fault.skip && !is_spent && is_drawn {
                *used += 1;
                kinds.push(fault.kind.clone());
            }
        }
        kinds
    }
}

impl Fault {
    /// A fault of every call of an operation.
    #[must_use]
    pub fn of(operation: &str, kind: FaultKind) -> Self {
        let operation = Some(operation.to_owned()).filter(|operation| operation != "*");
        Self { operation, account: None, region: None, share: 1.0, skip: 0, times: None, kind }
    }

    /// The same for a share of the calls.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        Self { share, ..self }
    }

    /// The same, so many times at most.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// The same after so many calls that go well.
    #[must_use]
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    fn concerns(&self, call: &Call) -> bool {
        let is = |wanted: &Option<String>, have: &str| wanted.as_ref().is_none_or(|wanted| wanted == have);
        let operation = self.operation.as_ref().is_none_or(|wanted| match wanted.split_once(':') {
            Some((service, operation)) => {
                service == call.service.name() && (operation == "*" || operation == call.operation)
            }
            None => *wanted == call.operation,
        });
        operation && is(&self.account, &call.account) && is(&self.region, &call.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_written_in_json() {
        let text = r#"{"operation": "cloudtrail:LookupEvents", "share": 0.2, "kind": "clock-skew", "seconds": 900}"#;
        let fault: Fault = serde_json::from_str(text).expect("is a fault");
        assert_eq!(fault.kind, FaultKind::ClockSkew { seconds: 900 });
        assert_eq!((fault.share, fault.skip, fault.times), (0.2, 0, None));
    }
}
