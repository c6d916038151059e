//! When a guest ran with the check on it, and when its IMDS item was gone.

use crate::activity::{Activity, Move};
use crate::calendar::{Calendar, HOUR, MINUTE};
use crate::dice::Dice;
use crate::event::{Action, Event};
use crate::ids::Uuid;
use crate::instance::{Cause, Confidence, Instance};

/// Later than anything.
pub(super) const EVER: i64 = i64::MAX / 4;

/// A run of the check. Times are seconds of the Unix epoch.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) boot: i64,
    pub(super) boot_id: Uuid,
    /// Its first question to IMDS.
    pub(super) from: i64,
    /// When it ended, or the window did.
    pub(super) to: i64,
    /// Whether it was told to end, and so had the time for a last line.
    pub(super) last_line: bool,
}

/// Why the item went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// A host move that nothing on record explains: the index of the migration.
    Migration(usize),
    /// A start or a reboot: the index of the reattachment.
    Reattachment(usize),
    /// A boot that was quicker than the item.
    Launch,
    /// Nothing that leaves a trace.
    Unrelated,
    /// It was never there.
    NoGroup,
}

/// A time without the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) why: Why,
}

/// What an instance went through.
pub(super) struct Life<'a> {
    pub(super) instance: &'a Instance,
    pub(super) calendar: &'a Calendar,
    /// In order of time.
    pub(super) events: Vec<&'a Event>,
    pub(super) activities: Vec<&'a Activity>,
    pub(super) dice: Dice,
}

impl Life<'_> {
    /// The runs of the check: one for each boot, or two where it was installed anew.
    pub(super) fn sessions(&mut self) -> Vec<Session> {
        let mut sessions = Vec::new();
        let late = self.dice.chance(100);
        let on = self.on();
        let (first, last) = (on.first().map_or(0, |on| on.0), on.last().map_or(0, |on| on.1));
        let installed = if late { self.dice.between(first, i64::midpoint(first, last)) } else { first };
        for (at, to) in on {
            let older = self.instance.launched.is_none() && at == self.calendar.start;
            let boot = if older { at - self.dice.between(HOUR, 900 * HOUR) } else { at + self.dice.between(8, 20) };
            let from = (boot + self.dice.between(15, 40)).max(at).max(installed);
            let boot_id = self.dice.uuid();
            let last_line = to < self.calendar.end && !self.dice.chance(50);
            if from + 10 >= to {
                continue;
            }
            let whole = Session { boot, boot_id, from, to, last_line };
            if self.dice.chance(100) && to - from > 2 * HOUR {
                let deployed = self.dice.between(from + HOUR, to - HOUR);
                sessions.push(Session { to: deployed, last_line: true, ..whole.clone() });
                sessions.push(Session { from: deployed + self.dice.between(3, 20), ..whole });
            } else {
                sessions.push(whole);
            }
        }
        sessions
    }

    /// When the guest was on.
    fn on(&self) -> Vec<(i64, i64)> {
        let mut on = Vec::new();
        let mut since = Some(self.instance.launched.unwrap_or(self.calendar.start));
        let started = |after: i64| {
            let starts = self.instance.reattachments.iter().filter(|row| row.cause == Cause::Stop);
            starts.map(|row| row.at).find(|at| *at >= after)
        };
        for event in &self.events {
            let (end, next) = match event.action {
                Action::Stop(_) => (event.at, started(event.at)),
                Action::Start(_) => (event.at, Some(event.at)),
                Action::Reboot => (event.at, Some(event.at + 95)),
                Action::ReplaceRoot => (event.at, Some(event.at + 26)),
                Action::Terminate => (event.at + 30, None),
                _ => continue,
            };
            if let Some(begun) = since {
                on.push((begun, end));
            }
            since = next;
        }
        on.extend(since.map(|begun| (begun, self.calendar.end)));
        on.retain(|(from, to)| from < to);
        on
    }

    /// When the item was written: at transitions, and only then.
    fn written(&self) -> Vec<i64> {
        let at = |activity: &&Activity| match activity.what {
            Move::LaunchFromWarmPool => activity.start + 2 * MINUTE,
            _ => activity.start,
        };
        let mut written: Vec<i64> = self.activities.iter().map(at).collect();
        written.sort_unstable();
        written
    }

    /// When it was gone, in order, without overlap. With `unrelated` at times of its own, and never for a host move.
    pub(super) fn gone(&mut self, sessions: &[Session], unrelated: bool) -> Vec<Gone> {
        if self.instance.group.is_none() {
            return vec![Gone { from: 0, to: EVER, why: Why::NoGroup }];
        }
        let written = self.written();
        let until = |at: i64| written.iter().copied().find(|time| *time > at).unwrap_or(EVER);
        let mut gone = Vec::new();
        for (index, migration) in self.instance.migrations.iter().enumerate() {
            let quick = self.dice.chance(900);
            let delay = if quick { self.dice.between(2, 20) } else { self.dice.between(20, 150) };
            // One volume of several is no host move, and the item survives some of those, too.
            let goes = self.dice.chance(950) && migration.confidence != Confidence::Partial;
            if goes && !unrelated {
                let from = migration.at + delay;
                gone.push(Gone { from, to: until(from), why: Why::Migration(index) });
            }
        }
        for (index, row) in self.instance.reattachments.iter().enumerate() {
            let (lost, blip, blink) = (self.dice.chance(500), self.dice.chance(600), self.dice.between(4, 30));
            if !matches!(row.cause, Cause::Start | Cause::Reboot) || unrelated {
                continue;
            }
            let looked = sessions.iter().map(|session| session.from).find(|from| *from >= row.at);
            let to = if lost { until(row.at) } else { looked.unwrap_or(row.at) + blink };
            if lost || blip {
                gone.push(Gone { from: row.at, to, why: Why::Reattachment(index) });
            }
        }
        let (blip, blink) = (self.dice.chance(200), self.dice.between(4, 40));
        if let (Some(launched), Some(first), true) = (self.instance.launched, sessions.first(), blip) {
            gone.push(Gone { from: launched, to: first.from.min(launched + 2 * MINUTE) + blink, why: Why::Launch });
        }
        gone.extend(self.unrelated(sessions, unrelated, &until));
        apart(gone)
    }

    /// The item is lost without a trace in a few instances; in many where that is all that happens.
    fn unrelated(&mut self, sessions: &[Session], often: bool, until: &dyn Fn(i64) -> i64) -> Option<Gone> {
        let per_mille = if often { 500 } else { 60 };
        let happens = self.dice.chance(per_mille);
        let (first, last) = (sessions.first()?.from + 2 * HOUR, sessions.last()?.to - HOUR);
        let at = self.dice.between(first, last.max(first));
        let length = self.dice.between(20 * MINUTE, 5 * HOUR);
        let moved = self.instance.migrations.iter().map(|row| row.at);
        let mut known = moved.chain(self.instance.reattachments.iter().map(|row| row.at));
        let alone = often || known.all(|other| (other - at).abs() > 2 * HOUR);
        let fits = happens && alone && at < last;
        fits.then(|| Gone { from: at, to: until(at).min(at + length), why: Why::Unrelated })
    }
}

/// What is gone cannot go.
fn apart(mut gone: Vec<Gone>) -> Vec<Gone> {
    gone.sort_unstable_by_key(|gone| (gone.from, gone.to));
    let mut apart: Vec<Gone> = Vec::new();
    for next in gone {
        match apart.last_mut() {
            Some(last) if next.from <= last.to => last.to = last.to.max(next.to),
            _ => apart.push(next),
        }
    }
    apart
}
