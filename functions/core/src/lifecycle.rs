//! Auto Scaling lifecycle states, read tolerantly: more will come, and an unknown one is neither healthy nor dying.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// `LifecycleState` of an instance in its group, verbatim (Auto Scaling User Guide, "Instance lifecycle").
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LifecycleState(Arc<str>);

impl LifecycleState {
    /// Keeps a state as Auto Scaling names it, cut to 64 characters.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.chars().take(64).collect::<String>().into())
    }

    /// The state as Auto Scaling names it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the instance serves.
    #[must_use]
    pub fn is_in_service(&self) -> bool {
        self.as_str() == "InService"
    }

    /// Whether a running instance rests in this state until somebody moves it.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        matches!(self.as_str(), "InService" | "Standby" | "Warmed:Running")
    }

    /// Whether the instance is on its way out of its group: a transition in itself.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        let name = self.as_str().strip_prefix("Warmed:").unwrap_or(self.as_str());
        matches!(name.split(':').next().unwrap_or_default(), "Terminating" | "Terminated" | "Detaching" | "Detached")
    }
}

impl fmt::Display for LifecycleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for LifecycleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::LifecycleState;

    #[test]
    fn states_are_steady_leaving_or_neither() {
        let table = [
            ("InService", true, false),
            ("Standby", true, false),
            ("Warmed:Running", true, false),
            ("Warmed:Stopped", false, false),
            ("Warmed:Hibernated", false, false),
            ("Pending", false, false),
            ("Pending:Wait", false, false),
            ("Quarantined", false, false),
            ("EnteringStandby", false, false),
            ("ReplacingRootVolume:Wait", false, false),
            ("Warmed:Pending:Proceed", false, false),
            ("Terminating", false, true),
            ("Terminating:Retained", false, true),
            ("Terminated", false, true),
            ("Detaching", false, true),
            ("Detached", false, true),
            ("Warmed:Terminating:Wait", false, true),
            ("Warmed:Terminated", false, true),
            ("SomethingNew", false, false),
            ("", false, false),
        ];
        assert_eq!(table.len(), 20);
        for (name, steady, leaving) in table {
            let state = LifecycleState::new(name);
            assert_eq!((state.is_steady(), state.is_leaving()), (steady, leaving), "{name}");
        }
    }
}
