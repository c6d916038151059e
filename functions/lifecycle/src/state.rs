//! What an instance is meant to be: the target lifecycle state that IMDS names, and what follows from the current state
//! that the Auto Scaling API names.

use std::fmt;

use exposure_core::lifecycle::LifecycleState;

/// Where a transition is to end (Auto Scaling User Guide, "Retrieve the target lifecycle state through instance metadata").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// It is to serve.
    InService,
    /// It is to go.
    Terminated,
    /// It is to step aside.
    Standby,
    /// It is to leave its group and live on.
    Detached,
    /// It is to rest in the warm pool, hibernated.
    WarmedHibernated,
    /// It is to rest in the warm pool, running.
    WarmedRunning,
    /// It is to rest in the warm pool, stopped.
    WarmedStopped,
    /// It is to go, from the warm pool.
    WarmedTerminated,
    /// It is on its way into the warm pool. Only the API says so, and not which of the warm states it will be.
    Warmed,
}

impl Target {
    /// Every target that IMDS names.
    pub const NAMED: [Self; 8] = [
        Self::InService,
        Self::Terminated,
        Self::Standby,
        Self::Detached,
        Self::WarmedHibernated,
        Self::WarmedRunning,
        Self::WarmedStopped,
        Self::WarmedTerminated,
    ];

    /// As IMDS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InService => "InService",
            Self::Terminated => "Terminated",
            Self::Standby => "Standby",
            Self::Detached => "Detached",
            Self::WarmedHibernated => "Warmed:Hibernated",
            Self::WarmedRunning => "Warmed:Running",
            Self::WarmedStopped => "Warmed:Stopped",
            Self::WarmedTerminated => "Warmed:Terminated",
            Self::Warmed => "Warmed",
        }
    }

    /// The target of exactly this name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|target| target.as_str() == text)
    }

    /// The target that goes with a current state. States whose target AWS does not document (`Quarantined`, those of a
    /// root volume that is replaced, and all that are yet to come) have none.
    #[must_use]
    pub fn of_current(state: &LifecycleState) -> Option<Self> {
        let (is_warm, name) = match state.as_str().strip_prefix("Warmed:") {
            Some(name) => (true, name),
            None => (false, state.as_str()),
        };
        // `Terminating:Wait`, `Pending:Proceed` and the like: what they are steps of.
        let (word, step) = name.split_once(':').map_or((name, None), |(word, step)| (word, Some(step)));
        match (is_warm, word, step) {
            (false, "Pending", _) | (false, "InService", None) => Some(Self::InService),
            (false, "Terminating", _) | (false, "Terminated", None) => Some(Self::Terminated),
            (false, "EnteringStandby" | "Standby", None) => Some(Self::Standby),
            (false, "Detaching" | "Detached", None) => Some(Self::Detached),
            (true, "Pending", _) => Some(Self::Warmed),
            (true, "Terminating", _) | (true, "Terminated", None) => Some(Self::WarmedTerminated),
            (true, "Hibernated", None) => Some(Self::WarmedHibernated),
            (true, "Running", None) => Some(Self::WarmedRunning),
            (true, "Stopped", None) => Some(Self::WarmedStopped),
            _ => None,
        }
    }

    /// Whether it is the end of the instance.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Terminated | Self::WarmedTerminated)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is decided of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// It has this target.
    Known(Target),
    /// It is in no Auto Scaling group: nobody will ever tell it to drain.
    NotInGroup,
    /// A source answered, with a state that nobody here knows: neither healthy nor dying.
    Unknown,
}

impl State {
    /// The default of every doubt.
    pub const OPEN: Self = Self::Known(Target::InService);

    /// Its name in outputs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Known(target) => target.as_str(),
            Self::NotInGroup => "NotInGroup",
            Self::Unknown => "Unknown",
        }
    }

    /// The exit code that says it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Known(Target::InService) => 0,
            Self::Known(Target::Terminated | Target::WarmedTerminated) => 10,
            Self::Known(Target::Standby) => 11,
            Self::Known(Target::Detached) => 12,
            Self::Known(_) => 13,
            Self::NotInGroup => 14,
            Self::Unknown => 20,
        }
    }

    /// Whether no doubt may take it back: a drain that has begun, and a group that is not there.
    #[must_use]
    pub fn outlives_doubt(&self) -> bool {
        matches!(self, Self::NotInGroup) || self.is_end()
    }

    /// Whether it is the end of the instance.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Known(target) if target.is_end())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_current_state_has_the_target_of_the_documents_or_none() {
        let table = [
            ("Pending", Some("InService")),
            ("Pending:Wait", Some("InService")),
            ("Pending:Proceed", Some("InService")),
            ("InService", Some("InService")),
            ("Terminating", Some("Terminated")),
            ("Terminating:Wait", Some("Terminated")),
            ("Terminating:Proceed", Some("Terminated")),
            ("Terminating:Retained", Some("Terminated")),
            ("Terminated", Some("Terminated")),
            ("EnteringStandby", Some("Standby")),
            ("Standby", Some("Standby")),
            ("Detaching", Some("Detached")),
            ("Detached", Some("Detached")),
            ("Warmed:Pending", Some("Warmed")),
            ("Warmed:Pending:Wait", Some("Warmed")),
            ("Warmed:Pending:Retained", Some("Warmed")),
            ("Warmed:Terminating:Proceed", Some("Warmed:Terminated")),
            ("Warmed:Terminated", Some("Warmed:Terminated")),
            ("Warmed:Stopped", Some("Warmed:Stopped")),
            ("Warmed:Running", Some("Warmed:Running")),
            ("Warmed:Hibernated", Some("Warmed:Hibernated")),
            ("Quarantined", None),
            ("ReplacingRootVolume", None),
            ("ReplacingRootVolume:Wait", None),
            ("RootVolumeReplaced", None),
            ("Warmed:Resting", None),
            ("Warmed:InService", None),
            ("Terminatingly", None),
            ("InService:Leaving", None),
            ("inservice", None),
            ("", None),
        ];
        assert!(!table.is_empty());
        for (current, expected) in table {
            let target = Target::of_current(&LifecycleState::new(current));
            assert_eq!(target.map(Target::as_str), expected, "{current}");
            // The domain's own idea of leaving must agree.
            let leaves = LifecycleState::new(current).is_leaving();
            let expected = target.is_some_and(|target| target.is_end() || target == Target::Detached);
            assert_eq!(leaves, expected, "{current}");
        }
    }

    #[test]
    fn only_exact_names_are_targets_and_each_state_has_its_exit_code() {
        for target in Target::NAMED {
            assert_eq!(Target::named(target.as_str()), Some(target));
        }
        for text in ["", "inservice", "InService ", "Terminating", "Warmed", "<?xml version=\"1.0\"?>"] {
            assert_eq!(Target::named(text), None, "{text:?}");
        }
        let codes = Target::NAMED.map(|target| State::Known(target).exit_code());
        assert_eq!(codes, [0, 10, 11, 12, 13, 13, 13, 10]);
        assert_eq!((State::NotInGroup.exit_code(), State::Unknown.exit_code()), (14, 20));
    }
}
