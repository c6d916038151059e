//! Where calls are held, so that a test can do something while one is under way.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::lock;

/// The longest that a call is held; whoever forgets to let it go must not hang.
const LONGEST: Duration = Duration::from_mins(1);

/// A gate.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: usize,
    /// How often it was opened.
    opened: u64,
}

impl Gate {
    /// Waits until the gate is opened.
    pub(crate) fn wait(&self) {
        let mut state = lock(&self.state);
        let before = state.opened;
        state.waiting += 1;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(state, LONGEST, |state| state.opened == before);
        waited.unwrap_or_else(PoisonError::into_inner).0.waiting -= 1;
    }

    /// Waits until so many wait, and says whether that came within a time.
    pub(crate) fn held(&self, calls: usize, within: Duration) -> bool {
        let few = |state: &mut State| state.waiting < calls;
        let waited = self.changed.wait_timeout_while(lock(&self.state), within, few);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Opens it for all that wait.
    pub(crate) fn release(&self) {
        lock(&self.state).opened += 1;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_goes_on_when_it_is_opened() {
        let gate = Gate::default();
        assert!(!gate.held(1, Duration::from_millis(1)));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| gate.wait());
            assert!(gate.held(1, Duration::from_secs(10)));
            assert!(!waits.is_finished());
            gate.release();
        });
        assert!(!gate.held(1, Duration::from_millis(1)), "nobody waits any more");
    }
}
