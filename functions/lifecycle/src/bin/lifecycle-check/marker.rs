//! Which transition a command last ran for, and how far it came: what keeps a restart from draining twice, or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// How far the command of a transition came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It was started. Found at a start of this program, it means that the command was cut off with it.
    Started,
    /// It succeeded, or there was none to run.
    Done,
    /// It failed, or took too long.
    Failed,
    /// It succeeded, and the lifecycle action was completed.
    Completed,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Started, Self::Done, Self::Failed, Self::Completed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Completed => "completed",
        }
    }
}

/// A transition that was handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handled {
    /// Whose: the instance, or its boot, where IMDS does not say which instance it is. An image may carry another's marker.
    pub(crate) owner: String,
    /// The state that it led to.
    pub(crate) state: String,
    /// How far the command came.
    pub(crate) phase: Phase,
    /// Which attempt it was, from 1 on.
    pub(crate) attempt: u64,
}

/// The file that holds it.
#[derive(Debug)]
pub(crate) struct Marker {
    path: PathBuf,
}

impl Marker {
    /// The marker in a folder, which is made if need be.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let marker = Self { path: folder.join("transition.json") };
        // Better to fail at the start than at the transition.
        drop(tempfile::NamedTempFile::new_in(folder)?);
        Ok(marker)
    }

    /// What it holds for an owner. Nothing, where it is another's, or cannot be read: then a command runs rather than not.
    pub(crate) fn read(&self, owner: &str) -> Option<Handled> {
        let marker: Value = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        let text = |name: &str| marker.get(name).and_then(Value::as_str);
        let phase = Phase::ALL.into_iter().find(|phase| text("phase") == Some(phase.as_str()))?;
        let attempt = marker.get("attempt").and_then(Value::as_u64)?;
        let handled = Handled { owner: text("owner")?.to_owned(), state: text("state")?.to_owned(), phase, attempt };
        (handled.owner == owner).then_some(handled)
    }

    /// Replaces what it holds, in one step, and on the disk before it returns.
    pub(crate) fn write(&self, handled: &Handled) -> io::Result<()> {
        let folder = self.path.parent().ok_or_else(|| io::Error::other("the marker has no folder"))?;
        let Handled { owner, state, phase, attempt } = handled;
        let text = json!({"owner": owner, "state": state, "phase": phase.as_str(), "attempt": attempt}).to_string();
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        // The new name too. Windows has no way to ask for it, and does it.
        #[cfg(unix)]
        fs::File::open(folder)?.sync_all()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handled(owner: &str, phase: Phase) -> Handled {
        Handled { owner: owner.to_owned(), state: "Terminated".to_owned(), phase, attempt: 2 }
    }

    #[test]
    fn a_marker_is_of_its_owner_and_survives() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("a/b");
        let marker = Marker::open(&inner).expect("a folder");
        assert_eq!(marker.read("i-1"), None);
        for phase in Phase::ALL {
            marker.write(&handled("i-1", phase)).expect("room");
            assert_eq!(Marker::open(&inner).expect("a folder").read("i-1"), Some(handled("i-1", phase)));
        }
        assert_eq!(marker.read("i-2"), None);
        assert_eq!(fs::read_dir(&inner).expect("a folder").count(), 1, "nothing half-written is left");
        for bad in ["", "{", r#"{"owner": "i-1", "state": "Terminated", "phase": "odd", "attempt": 1}"#] {
            fs::write(inner.join("transition.json"), bad).expect("room");
            assert_eq!(marker.read("i-1"), None, "{bad:?}");
        }
    }
}
