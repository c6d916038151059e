//! From an analysis and the running totals to data points. Zeros are points too; what cannot be said is none.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::{Analysis, StackRow};
use crate::ledger::Totals;
use crate::metrics::{self, Datum, Metric};
use crate::time::Timestamp;

/// The stack of all stacks beyond the bound.
pub const OTHER: &str = "other";

/// How a run went, as far as the domain does not know it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    /// Whether it was whole.
    pub complete: bool,
    /// The share of the planned work that was done, from 0 to 1.
    pub work_completed: f64,
    /// Accounts and regions that failed.
    pub targets_failed: u64,
    /// Accounts and regions that are blind.
    pub blind: u64,
    /// Seconds from the latest record to the run; nothing where there is no record at all.
    pub event_lag: Option<f64>,
    /// Records older than what was read before.
    pub late_events: u64,
    /// Requests made.
    pub requests: u64,
    /// Requests throttled.
    pub throttled: u64,
    /// The share of the budget used, from 0 to 1.
    pub budget_used: f64,
    /// Malformed records.
    pub malformed: u64,
    /// Data points refused in the run before.
    pub rejected: u64,
    /// Milliseconds so far.
    pub duration: f64,
    /// Bytes of the state.
    pub state_bytes: u64,
}

/// The data points of a run, all stamped with `at`. Stacks that are not in `placed` are summed up as [`OTHER`].
#[must_use]
pub fn figures(
    analysis: &Analysis,
    totals: &BTreeMap<String, Totals>,
    placed: &BTreeSet<String>,
    health: &Health,
    now: Timestamp,
    at: Timestamp,
) -> Vec<Datum> {
    let mut stacks: BTreeMap<&str, (Vec<&StackRow>, Totals)> = BTreeMap::new();
    let name = |stack: &'_ str| placed.get(stack).map_or(OTHER, String::as_str);
    for row in &analysis.stacks {
        stacks.entry(name(&row.stack)).or_default().0.push(row);
    }
    for (stack, counted) in totals {
        stacks.entry(name(stack)).or_default().1 += *counted;
    }
    let mut oldest: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for instance in &analysis.instances {
        if let (Some(stack), Some(since)) = (&instance.stack, instance.exposed_since) {
            oldest.entry(name(stack)).and_modify(|old| *old = since.min(*old)).or_insert(since);
        }
    }
    let age = |since: Option<&Timestamp>| since.map_or(0.0, |since| since.until(now).as_secs_f64().max(0.0));
    let mut points = Points { at, data: Vec::new() };
    let (mut worst, mut worst_unmitigated): (Option<f64>, Option<f64>) = (None, None);
    for (stack, (rows, counted)) in &stacks {
        let row = StackRow::sum(stack, rows.iter().copied());
        worst = row.exposed_percent().into_iter().chain(worst).reduce(f64::max);
        worst_unmitigated = row.unmitigated_percent().into_iter().chain(worst_unmitigated).reduce(f64::max);
        points.of_stack(Some(stack), &row, *counted, age(oldest.get(stack)));
    }
    let fleet = StackRow::sum("", &analysis.stacks);
    let mut sum = Totals::default();
    for (_, counted) in stacks.values() {
        sum += *counted;
    }
    points.of_stack(None, &fleet, sum, age(oldest.values().min()));
    points.of_fleet(analysis, health);
    for (metric, worst) in
        [(&metrics::WORST_STACK_EXPOSED_PERCENT, worst), (&metrics::WORST_STACK_UNMITIGATED_PERCENT, worst_unmitigated)]
    {
        if let Some(worst) = worst {
            points.push(metric, None, worst);
        }
    }
    points.data
}

struct Points {
    at: Timestamp,
    data: Vec<Datum>,
}

#[expect(clippy::cast_precision_loss, reason = "no count of a fleet reaches 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

impl Points {
    fn push(&mut self, metric: &'static Metric, stack: Option<&str>, value: f64) {
        self.data.push(Datum { metric, stack: stack.map(str::to_owned), at: self.at, value });
    }

    fn of_stack(&mut self, stack: Option<&str>, row: &StackRow, totals: Totals, oldest: f64) {
        for (metric, value) in [
            (&metrics::MEMBERS, row.members),
            (&metrics::MEMBERS_IN_SERVICE, row.in_service),
            (&metrics::MEMBERS_EXPOSED, row.exposed),
            (&metrics::MEMBERS_EXPOSED_MITIGATED, row.exposed_mitigated),
            (&metrics::MEMBERS_RECOVERED, row.recovered),
            (&metrics::MEMBERS_UNSEEN, row.unseen),
            (&metrics::MEMBERS_UNDETERMINED, row.undetermined),
            (&metrics::MIGRATIONS_TOTAL, totals.migrations),
            (&metrics::MIGRATIONS_RETRACTED_TOTAL, totals.retracted),
            (&metrics::MIGRATIONS_BACKFILLED_TOTAL, totals.backfilled),
            (&metrics::PARTIAL_REATTACHMENTS_TOTAL, totals.partial_reattachments),
        ] {
            self.push(metric, stack, number(value));
        }
        self.push(&metrics::INSTANCE_HOURS_TOTAL, stack, number(totals.in_service_seconds) / 3_600.0);
        self.push(&metrics::OLDEST_EXPOSURE_AGE, stack, oldest);
        if let Some(percent) = row.exposed_percent() {
            self.push(&metrics::EXPOSED_PERCENT, stack, percent);
        }
    }

    fn of_fleet(&mut self, analysis: &Analysis, health: &Health) {
        let coverage = &analysis.coverage;
        let launched: u64 = coverage.sources.iter().map(|source| source.launched).sum();
        let seen: u64 = coverage.sources.iter().map(|source| source.baseline_seen).sum();
        let share = if launched == 0 { 0.0 } else { 100.0 * number(seen) / number(launched) };
        for (metric, value) in [
            (&metrics::RUN_COMPLETED, number(u64::from(health.complete))),
            (&metrics::WORK_COMPLETED, 100.0 * health.work_completed),
            (&metrics::TARGETS_FAILED, number(health.targets_failed)),
            (&metrics::SOURCE_BLIND, number(health.blind)),
            (&metrics::COVERAGE, share),
            (&metrics::LATE_EVENTS, number(health.late_events)),
            (&metrics::SOURCE_REQUESTS, number(health.requests)),
            (&metrics::SOURCE_THROTTLED, number(health.throttled)),
            (&metrics::SOURCE_BUDGET_USED, 100.0 * health.budget_used),
            (&metrics::MALFORMED_RECORDS, number(health.malformed)),
            (&metrics::METRICS_REJECTED, number(health.rejected)),
            (&metrics::RUN_DURATION, health.duration),
            (&metrics::STATE_BYTES, number(health.state_bytes)),
        ] {
            self.push(metric, None, value);
        }
        if let Some(lag) = health.event_lag {
            self.push(&metrics::EVENT_LAG, None, lag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Accounting, Coverage, SCHEMA, Window};

    fn row(stack: &str, exposed: u64, exposed_mitigated: u64, clean: u64) -> StackRow {
        let members = exposed + clean;
        StackRow { stack: stack.to_owned(), members, exposed, exposed_mitigated, clean, ..StackRow::default() }
    }

    fn told(rows: Vec<StackRow>) -> BTreeMap<(&'static str, Option<String>), f64> {
        let placed: BTreeSet<String> = rows.iter().map(|row| row.stack.clone()).filter(|s| s != "Beyond").collect();
        let analysis = Analysis {
            schema: SCHEMA,
            window: Window::default(),
            accounting: Accounting::default(),
            coverage: Coverage::default(),
            stacks: rows,
            instances: Vec::new(),
        };
        let now = Timestamp::from_second(1_778_457_600);
        let data = figures(&analysis, &BTreeMap::new(), &placed, &Health::default(), now, now);
        data.into_iter().map(|datum| ((datum.metric.name, datum.stack), datum.value)).collect()
    }

    #[test]
    fn the_worst_stack_is_told_with_and_without_mitigated_groups() {
        let told = told(vec![row("Checked", 8, 8, 2), row("Mixed", 4, 3, 6), row("Beyond", 1, 0, 19)]);
        let of = |name, stack: Option<&str>| told.get(&(name, stack.map(str::to_owned))).copied();
        assert_eq!(of("WorstStackExposedPercent", None), Some(80.0));
        assert_eq!(of("WorstStackUnmitigatedPercent", None), Some(10.0));
        assert_eq!(of("MembersExposedMitigated", Some("Checked")), Some(8.0));
        assert_eq!(of("MembersExposedMitigated", Some("Mixed")), Some(3.0));
        assert_eq!(of("MembersExposedMitigated", Some(OTHER)), Some(0.0));
        assert_eq!(of("MembersExposedMitigated", None), Some(11.0));
    }

    #[test]
    fn what_cannot_be_said_is_no_point() {
        let told = told(vec![row("Empty", 0, 0, 0)]);
        for name in ["ExposedPercent", "WorstStackExposedPercent", "WorstStackUnmitigatedPercent"] {
            assert!(told.keys().all(|(told, _)| *told != name), "{name}");
        }
        assert_eq!(told.get(&("MembersExposedMitigated", None)), Some(&0.0), "a zero is a point");
    }
}
