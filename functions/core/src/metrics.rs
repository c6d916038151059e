//! The catalogue of metrics: one table of name, unit, dimensions, the statistic to read and what each means, and the
//! data points that follow from it. The dashboard, the alarms and the reference are made from it.

use crate::time::Timestamp;

/// How a metric is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// A share of a hundred.
    Percent,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// No unit of CloudWatch's: hours.
    None,
}

impl Kind {
    /// Its name in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

impl Stability {
    /// Its name in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Experimental => "experimental",
        }
    }
}

impl Unit {
    /// CloudWatch's name of it (CloudWatch API, `MetricDatum.Unit`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Percent => "Percent",
            Self::Seconds => "Seconds",
            Self::Milliseconds => "Milliseconds",
            Self::Bytes => "Bytes",
            Self::None => "None",
        }
    }
}

/// What a metric is split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// By stack, and once without a dimension for the fleet.
    StackAndFleet,
    /// Once for the fleet.
    Fleet,
    /// By stack, on the instance itself.
    Stack,
}

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The state at a time.
    Gauge,
    /// A running total, which only grows; `DIFF` gives the count of a period.
    Counter,
}

/// Whether its meaning may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stability {
    /// Alarms may rest on it.
    Stable,
    /// It may change.
    Experimental,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// What it is split by.
    pub split: Split,
    /// What kind of number it is.
    pub kind: Kind,
    /// Whether its meaning may still change.
    pub stability: Stability,
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

impl Metric {
    /// The statistic to read it by. The analyzer's points are the same number however often they are published, which
    /// only `Maximum` leaves alone. On the instances each counts its own: theirs are added up.
    #[must_use]
    pub fn statistic(&self) -> &'static str {
        match (self.split, self.unit) {
            (Split::Stack, Unit::Count) => "Sum",
            (Split::Stack, _) => "p99",
            (Split::StackAndFleet | Split::Fleet, _) => "Maximum",
        }
    }
}

/// One data point.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// Of which metric.
    pub metric: &'static Metric,
    /// Of which stack; nothing for the whole fleet.
    pub stack: Option<String>,
    /// When.
    pub at: Timestamp,
    /// How much.
    pub value: f64,
}

macro_rules! catalogue {
    ($($ident:ident: $name:literal, $unit:ident, $split:ident, $kind:ident, $stability:ident, $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $ident: Metric = Metric {
                name: $name,
                unit: Unit::$unit,
                split: Split::$split,
                kind: Kind::$kind,
                stability: Stability::$stability,
                meaning: $meaning,
            };
        )*

        /// Every metric, in the order of the reference.
        pub const CATALOGUE: &[&Metric] = &[$(&$ident),*];
    };
}

catalogue! {
    MEMBERS: "Members", Count, StackAndFleet, Gauge, Stable,
        "Instances in the groups of the stack, warm pools among them.";
    MEMBERS_IN_SERVICE: "MembersInService", Count, StackAndFleet, Gauge, Stable,
        "Members whose lifecycle state is InService.";
    MEMBERS_EXPOSED: "MembersExposed", Count, StackAndFleet, Gauge, Stable,
        "Members that migrated with no lifecycle transition since: expect the 404.";
    MEMBERS_EXPOSED_MITIGATED: "MembersExposedMitigated", Count, StackAndFleet, Gauge, Stable,
        "Of the exposed members, those whose group is tagged as mitigated: their instances run the on-instance check.";
    MEMBERS_RECOVERED: "MembersRecovered", Count, StackAndFleet, Gauge, Stable,
        "Members that migrated and had a lifecycle transition since.";
    MEMBERS_UNSEEN: "MembersUnseen", Count, StackAndFleet, Gauge, Stable,
        "Members of which no Decrypt was ever seen: nothing can be said of them.";
    MEMBERS_UNDETERMINED: "MembersUndetermined", Count, StackAndFleet, Gauge, Stable,
        "Members whose IMDS item may be lost, and of which no more can be said.";
    EXPOSED_PERCENT: "ExposedPercent", Percent, StackAndFleet, Gauge, Stable,
        "exposed / (exposed + recovered + clean); absent where that is 0.";
    OLDEST_EXPOSURE_AGE: "OldestExposureAge", Seconds, StackAndFleet, Gauge, Stable,
        "Time since the oldest migration that still exposes a member; 0 where none is exposed.";
    WORST_STACK_EXPOSED_PERCENT: "WorstStackExposedPercent", Percent, Fleet, Gauge, Stable,
        "The largest exposed share of any stack; absent where no stack has one.";
    WORST_STACK_UNMITIGATED_PERCENT: "WorstStackUnmitigatedPercent", Percent, Fleet, Gauge, Stable,
        "The largest share of any stack that is exposed in groups that are not mitigated; absent where no stack has one.";
    MIGRATIONS_TOTAL: "MigrationsTotal", Count, StackAndFleet, Counter, Stable,
        "Confirmed and presumed migrations ever counted; DIFF gives those of a period.";
    MIGRATIONS_RETRACTED_TOTAL: "MigrationsRetractedTotal", Count, StackAndFleet, Counter, Stable,
        "Counted migrations that a later record explained after all.";
    MIGRATIONS_BACKFILLED_TOTAL: "MigrationsBackfilledTotal", Count, StackAndFleet, Counter, Stable,
        "Counted migrations that were found more than 24 h after they happened.";
    PARTIAL_REATTACHMENTS_TOTAL: "PartialReattachmentsTotal", Count, StackAndFleet, Counter, Stable,
        "Unexplained reattachments of some volumes of an instance while others stayed.";
    INSTANCE_HOURS_TOTAL: "InstanceHoursTotal", None, StackAndFleet, Counter, Stable,
        "Hours in service of all members; the denominator of the fair rate.";
    RUN_COMPLETED: "RunCompleted", Count, Fleet, Gauge, Stable,
        "1 after a whole run, 0 after a partial one; missing only when nothing ran.";
    WORK_COMPLETED: "WorkCompleted", Percent, Fleet, Gauge, Stable,
        "The share of the planned requests and targets that was done.";
    TARGETS_FAILED: "TargetsFailed", Count, Fleet, Gauge, Stable,
        "Accounts and regions that could not be read in this run.";
    SOURCE_BLIND: "SourceBlind", Count, Fleet, Gauge, Stable,
        "Accounts and regions whose launches show no Decrypts, or whose records stopped: a zero of theirs means nothing.";
    COVERAGE: "Coverage", Percent, Fleet, Gauge, Stable,
        "The share of the launches on record whose baseline was seen; 0 where no launch is known yet.";
    EVENT_LAG: "EventLag", Seconds, Fleet, Gauge, Stable,
        "Time from the latest record on hand to the run, of the account and region where it is longest.";
    LATE_EVENTS: "LateEvents", Count, Fleet, Gauge, Experimental,
        "Records of this run that were older than what had been read before.";
    SOURCE_REQUESTS: "SourceRequests", Count, Fleet, Gauge, Stable,
        "Requests that the run made for records and the fleet.";
    SOURCE_THROTTLED: "SourceThrottled", Count, Fleet, Gauge, Stable,
        "How many of them were throttled.";
    SOURCE_BUDGET_USED: "SourceBudgetUsed", Percent, Fleet, Gauge, Stable,
        "The share of the request budget that was used; 0 where there is no budget.";
    MALFORMED_RECORDS: "MalformedRecords", Count, Fleet, Gauge, Stable,
        "Records of this run that could not be read, or lacked what their kind must have.";
    METRICS_REJECTED: "MetricsRejected", Count, Fleet, Gauge, Stable,
        "Data points that CloudWatch refused in the run before.";
    RUN_DURATION: "RunDuration", Milliseconds, Fleet, Gauge, Stable,
        "How long the run took until it published.";
    STATE_BYTES: "StateBytes", Bytes, Fleet, Gauge, Stable,
        "How large the state is, compressed.";
    IMDS_ABSENT: "ImdsAbsent", Count, Stack, Gauge, Stable,
        "On the instance: answers of 404 by IMDS.";
    IMDS_UNREACHABLE: "ImdsUnreachable", Count, Stack, Gauge, Stable,
        "On the instance: IMDS did not answer, or not with a state.";
    API_FALLBACK: "ApiFallback", Count, Stack, Gauge, Stable,
        "On the instance: the Auto Scaling API was asked instead.";
    API_FALLBACK_FAILED: "ApiFallbackFailed", Count, Stack, Gauge, Stable,
        "On the instance: and did not answer.";
    FAIL_OPEN: "FailOpen", Count, Stack, Gauge, Stable,
        "On the instance: the state was assumed to be InService.";
    IMDS_LATENCY: "ImdsLatency", Milliseconds, Stack, Gauge, Experimental,
        "On the instance: how long IMDS took.";
    API_LATENCY: "ApiLatency", Milliseconds, Stack, Gauge, Experimental,
        "On the instance: how long the Auto Scaling API took.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_those_of_the_contract_and_each_stands_once() {
        let names: BTreeSet<&str> = CATALOGUE.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        assert_eq!(CATALOGUE.len(), 37);
        for metric in CATALOGUE {
            assert!(metric.name.bytes().all(|b| b.is_ascii_alphanumeric()), "{}", metric.name);
            assert!(metric.meaning.ends_with('.'), "{}", metric.name);
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("Total"), "{}", metric.name);
        }
    }
}
