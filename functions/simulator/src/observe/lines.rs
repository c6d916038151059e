//! The lines that the check prints (functions/lifecycle/README.md, "watch"), its members in their order.

use jiff::Timestamp;
use serde::Serialize;

use super::life::{Gone, Session};
use crate::dice::Dice;
use crate::scribe::time;

/// The check asks IMDS so often, in seconds.
pub(super) const POLL: i64 = 2;

/// The first stretch under watch that it tells of, in seconds; each further one is twice as long.
const FIRST: i64 = 60;

/// A line, and when it was printed.
pub(super) struct Printed {
    /// Nanoseconds of the Unix epoch.
    pub(super) at: i128,
    pub(super) text: String,
}

/// A time without the item as one run of the check tells of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// Which one.
    pub(super) gone: Gone,
    /// When it was first seen gone.
    pub(super) onset: i64,
    pub(super) seen_before: bool,
    /// When it was first seen again.
    pub(super) end: Option<i64>,
}

/// What one run of the check told.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) absences: Vec<Told>,
    /// Stretches under watch.
    pub(super) stretches: Vec<(i64, i64)>,
    /// Answers that a line tells of: when, and whether the item was there.
    pub(super) looks: Vec<(i64, bool)>,
}

#[derive(Serialize)]
struct StateLine<'a> {
    age_seconds: u64,
    event: &'static str,
    imds: &'static str,
    instance_id: &'a str,
    reason: &'static str,
    region: &'a str,
    source: &'static str,
    state: &'static str,
    time: String,
}

#[derive(Serialize)]
struct Begins<'a> {
    boot_id: &'a str,
    boot_time: String,
    event: &'static str,
    instance_id: &'a str,
    onset: String,
    region: &'a str,
    seen_before: bool,
    time: String,
    uptime_seconds: i64,
}

#[derive(Serialize)]
struct Ends<'a> {
    boot_id: &'a str,
    boot_time: String,
    event: &'static str,
    instance_id: &'a str,
    lasted_seconds: i64,
    onset: String,
    region: &'a str,
    seen_before: bool,
    time: String,
    uptime_seconds: i64,
}

#[derive(Serialize)]
struct Watched<'a> {
    answered: i64,
    boot_id: &'a str,
    boot_time: String,
    event: &'static str,
    imds: &'static str,
    instance_id: &'a str,
    longest_silence_seconds: i64,
    region: &'a str,
    since: String,
    time: String,
    uptime_seconds: i64,
}

/// Prints what the check on one instance prints. Times that it tells are those of the guest's clock.
pub(super) struct Printer<'a> {
    pub(super) instance_id: &'a str,
    pub(super) region: &'a str,
    /// By how many seconds the guest's clock is ahead.
    pub(super) skew: i64,
    /// How often it tells that it watches, once it has watched for a while, in seconds.
    pub(super) every: i64,
    pub(super) dice: &'a mut Dice,
    pub(super) lines: Vec<Printed>,
}

impl Printer<'_> {
    /// Prints the lines of a run.
    pub(super) fn session(&mut self, session: &Session, gone: &[Gone]) -> Account {
        let mut account = Account::default();
        let boot_id = session.boot_id.to_string();
        let absent_at = |at: i64| gone.iter().any(|gone| gone.from <= at && at < gone.to);
        if !absent_at(session.from) {
            self.look(session.from, true, 0, &mut account);
        }
        for gone in gone {
            self.absence(session, &boot_id, *gone, &mut account);
        }
        let (mut since, mut stretch) = (session.from, FIRST);
        while since < session.to {
            let due = since + stretch.min(self.every);
            stretch = stretch.saturating_mul(2);
            let (until, last) = if due < session.to { (due, false) } else { (session.to, true) };
            if last && !session.last_line {
                break;
            }
            self.watched(session, &boot_id, (since, until), !absent_at(until - POLL), &mut account);
            since = until;
        }
        account
    }

    /// What a time without the item makes the check print, if it lies within its run.
    fn absence(&mut self, session: &Session, boot_id: &str, gone: Gone, account: &mut Account) {
        let poll = |at: i64| session.from + ((at - session.from).max(0) + POLL - 1) / POLL * POLL;
        let onset = poll(gone.from);
        let back = poll(gone.to.min(session.to));
        if onset >= session.to || onset >= back {
            return;
        }
        let seen_before = onset > session.from;
        self.look(onset, false, if seen_before { POLL.unsigned_abs() } else { 0 }, account);
        let settled = onset + POLL;
        let comes_back = gone.to < session.to && back < session.to;
        let is_told = settled < back.min(session.to);
        let boot_time = time(session.boot + self.skew);
        if is_told {
            let (at, time) = self.now(settled);
            let line = Begins {
                boot_id,
                boot_time: boot_time.clone(),
                event: "imds_absent_begins",
                instance_id: self.instance_id,
                onset: self::time(onset + self.skew),
                region: self.region,
                seen_before,
                time,
                uptime_seconds: settled - session.boot,
            };
            self.print(at, &line);
            account.looks.push((settled, false));
        }
        if comes_back {
            self.look(back, true, 0, account);
        }
        if comes_back && is_told {
            let (at, time) = self.now(back);
            let line = Ends {
                boot_id,
                boot_time,
                event: "imds_absent_ends",
                instance_id: self.instance_id,
                lasted_seconds: back - onset,
                onset: self::time(onset + self.skew),
                region: self.region,
                seen_before,
                time,
                uptime_seconds: back - session.boot,
            };
            self.print(at, &line);
        }
        if is_told {
            account.absences.push(Told { gone, onset, seen_before, end: comes_back.then_some(back) });
        }
    }

    fn look(&mut self, at: i64, known: bool, age_seconds: u64, account: &mut Account) {
        let (printed, time) = self.now(at);
        let (imds, reason) = if known {
            ("known", "IMDS says InService")
        } else {
            ("absent", "IMDS has no such item (404); what was learnt before is held")
        };
        let line = StateLine {
            age_seconds,
            event: "state",
            imds,
            instance_id: self.instance_id,
            reason,
            region: self.region,
            source: "imds",
            state: "InService",
            time,
        };
        self.print(printed, &line);
        account.looks.push((at, known));
    }

    fn watched(&mut self, session: &Session, boot_id: &str, span: (i64, i64), known: bool, account: &mut Account) {
        let (since, until) = span;
        // Now and then IMDS is silent for long.
        let silent = self.dice.chance(10) && until - since > 2_400;
        let silence = if silent { self.dice.between(90, 1_800) } else { self.dice.between(POLL, POLL + 2) };
        let (at, time) = self.now(until);
        let line = Watched {
            answered: (until - since - silence) / POLL + 1,
            boot_id,
            boot_time: self::time(session.boot + self.skew),
            event: "watched",
            imds: if known { "known" } else { "absent" },
            instance_id: self.instance_id,
            longest_silence_seconds: silence,
            region: self.region,
            since: self::time(since + self.skew),
            time,
            uptime_seconds: until - session.boot,
        };
        self.print(at, &line);
        account.looks.push((until, known));
        if !silent {
            account.stretches.push(span);
        }
    }

    /// A moment after a second, and its text by the guest's clock.
    fn now(&mut self, at: i64) -> (i128, String) {
        let nanosecond = i32::try_from(self.dice.between(1_000_000, 400_000_000)).unwrap_or(0);
        let text = |at: i64| Timestamp::new(at, nanosecond).map(|time| time.to_string()).unwrap_or_default();
        (i128::from(at) * 1_000_000_000 + i128::from(nanosecond), text(at + self.skew))
    }

    fn print(&mut self, at: i128, line: &impl Serialize) {
        // Nothing in it can fail to be JSON.
        self.lines.push(Printed { at, text: serde_json::to_string(line).unwrap_or_default() });
    }
}
