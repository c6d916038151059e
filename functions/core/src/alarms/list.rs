//! The alarms themselves.

use std::time::Duration;

use super::{
    Comparison, CompositeAlarm, Delay, Line, MetricAlarm, Missing, Parameter, Period, Rule, Scope, Setting, Severity,
    Suppressor, Watched,
};
use crate::metrics;

/// Delivery by CloudTrail, about 5 minutes, and `SETTLE_SECONDS`, 15 minutes.
const MIGRATION: Duration = Duration::from_mins(20);
/// What the run sees for itself.
const AT_ONCE: Duration = Duration::ZERO;
const DAY: u32 = 86_400;
const HOUR: u32 = 3_600;

/// Three points raise an alarm of exposure, and it ends when fewer than that are among the last eleven. So what goes up and
/// down around its limit pages once, and it ends so late that by then the analyzer's own alarms have shown whether it saw.
const LINGERS: Setting = Setting::Fixed(11.0);

const HOLDS: &str = "a run that did not happen says nothing of the fleet, and health pages for it";
const EVENTS: &str = "AWS publishes it only where something happened";

/// The metric alarms, in the order of the runbook.
pub const METRIC_ALARMS: &[MetricAlarm] = &[
    MetricAlarm {
        name: "exposed-share",
        severity: Severity::Part,
        scope: Scope::Stack,
        lines: &[
            Line::Of("members", Watched::Own(&metrics::MEMBERS)),
            Line::Of("unseen", Watched::Own(&metrics::MEMBERS_UNSEEN)),
            Line::Of("undetermined", Watched::Own(&metrics::MEMBERS_UNDETERMINED)),
            Line::Of("exposed", Watched::Own(&metrics::MEMBERS_EXPOSED)),
            Line::Of("mitigated", Watched::Own(&metrics::MEMBERS_EXPOSED_MITIGATED)),
            Line::Math("judged", "members - unseen - undetermined"),
            // Where nobody can be judged the share is 0: a stack that scales to nothing must not keep its alarm.
            Line::Math("share", "IF(judged > 0, 100 * (exposed - mitigated) / judged, 0)"),
        ],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("ExposedPercentThreshold"),
        period: Period::Run,
        periods: LINGERS,
        datapoints: Setting::Fixed(3.0),
        missing: Missing::Ignore,
        missing_because: HOLDS,
        condition: None,
        meaning: "${ExposedPercentThreshold} percent or more of the members of ${Stack} that can be judged migrated, in \
                  groups that are not mitigated, and had no lifecycle transition since: their IMDS lifecycle item \
                  answers 404, and what polls it is blind.",
        delay: Delay { known_after: MIGRATION, at_least: 2, at_most: 3 },
    },
    MetricAlarm {
        name: "exposed-count",
        severity: Severity::Part,
        scope: Scope::Stack,
        lines: &[
            Line::Of("exposed", Watched::Own(&metrics::MEMBERS_EXPOSED)),
            Line::Of("mitigated", Watched::Own(&metrics::MEMBERS_EXPOSED_MITIGATED)),
            Line::Math("unmitigated", "exposed - mitigated"),
        ],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("ExposedCountThreshold"),
        period: Period::Run,
        periods: LINGERS,
        datapoints: Setting::Fixed(3.0),
        missing: Missing::Ignore,
        missing_because: HOLDS,
        condition: None,
        meaning: "${ExposedCountThreshold} or more members of ${Stack} migrated, in groups that are not mitigated, and \
                  had no lifecycle transition since: their IMDS lifecycle item answers 404, and what polls it is blind.",
        delay: Delay { known_after: MIGRATION, at_least: 2, at_most: 3 },
    },
    MetricAlarm {
        name: "mitigated-share",
        severity: Severity::Part,
        scope: Scope::Stack,
        lines: &[
            Line::Of("members", Watched::Own(&metrics::MEMBERS)),
            Line::Of("unseen", Watched::Own(&metrics::MEMBERS_UNSEEN)),
            Line::Of("undetermined", Watched::Own(&metrics::MEMBERS_UNDETERMINED)),
            Line::Of("mitigated", Watched::Own(&metrics::MEMBERS_EXPOSED_MITIGATED)),
            Line::Math("judged", "members - unseen - undetermined"),
            Line::Math("share", "IF(judged > 0, 100 * mitigated / judged, 0)"),
        ],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("ExposedPercentThreshold"),
        period: Period::Run,
        periods: Setting::Fixed(3.0),
        datapoints: Setting::Fixed(3.0),
        missing: Missing::Ignore,
        missing_because: HOLDS,
        condition: None,
        meaning: "${ExposedPercentThreshold} percent or more of the members of ${Stack} that can be judged are exposed \
                  in mitigated groups: the on-instance check bridges it, and their next transition ends it.",
        delay: Delay { known_after: MIGRATION, at_least: 2, at_most: 3 },
    },
    MetricAlarm {
        name: "mitigated-count",
        severity: Severity::Part,
        scope: Scope::Stack,
        lines: &[Line::Of("mitigated", Watched::Own(&metrics::MEMBERS_EXPOSED_MITIGATED))],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("ExposedCountThreshold"),
        period: Period::Run,
        periods: Setting::Fixed(3.0),
        datapoints: Setting::Fixed(3.0),
        missing: Missing::Ignore,
        missing_because: HOLDS,
        condition: None,
        meaning: "${ExposedCountThreshold} or more members of ${Stack} are exposed in mitigated groups: the on-instance \
                  check bridges it, and their next transition ends it.",
        delay: Delay { known_after: MIGRATION, at_least: 2, at_most: 3 },
    },
    MetricAlarm {
        name: "oldest-exposure",
        severity: Severity::Part,
        scope: Scope::Stack,
        lines: &[Line::Of("age", Watched::Own(&metrics::OLDEST_EXPOSURE_AGE)), Line::Math("hours", "age / 3600")],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("OldestExposureHours"),
        period: Period::Run,
        periods: Setting::Fixed(3.0),
        datapoints: Setting::Fixed(3.0),
        missing: Missing::Ignore,
        missing_because: HOLDS,
        condition: None,
        meaning: "A member of ${Stack} has been exposed for ${OldestExposureHours} hours or more: nothing will repair it \
                  by itself. The event is the end of those hours.",
        delay: Delay { known_after: AT_ONCE, at_least: 2, at_most: 4 },
    },
    MetricAlarm {
        name: "migration-rate",
        severity: Severity::Ticket,
        scope: Scope::Stack,
        lines: &[
            Line::Of("migrations", Watched::Own(&metrics::MIGRATIONS_TOTAL)),
            Line::Of("backfilled", Watched::Own(&metrics::MIGRATIONS_BACKFILLED_TOTAL)),
            // What is found of days long past, as after the first deployment, is no rate of today.
            Line::Math("fresh", "migrations - backfilled"),
            Line::Math("rate", "DIFF(fresh)"),
        ],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("MigrationsPerDayThreshold"),
        period: Period::Seconds(DAY),
        periods: Setting::Fixed(1.0),
        datapoints: Setting::Fixed(1.0),
        missing: Missing::NotBreaching,
        missing_because: "without a total there is no rate, and health pages for it",
        condition: Some("FixedRate"),
        meaning: "${Stack} had ${MigrationsPerDayThreshold} migrations or more within a day, far above the usual: AWS is \
                  emptying hosts, and exposure follows.",
        delay: Delay { known_after: MIGRATION, at_least: 0, at_most: 1 },
    },
    MetricAlarm {
        name: "migration-anomaly",
        severity: Severity::Ticket,
        scope: Scope::Stack,
        lines: &[
            Line::Of("migrations", Watched::Own(&metrics::MIGRATIONS_TOTAL)),
            Line::Of("backfilled", Watched::Own(&metrics::MIGRATIONS_BACKFILLED_TOTAL)),
            Line::Math("fresh", "migrations - backfilled"),
            Line::Math("rate", "DIFF(fresh)"),
            Line::Math("band", "ANOMALY_DETECTION_BAND(rate, ${MigrationRateBandWidth})"),
        ],
        comparison: Comparison::AboveBand,
        threshold: Setting::Parameter("MigrationRateBandWidth"),
        period: Period::Seconds(HOUR),
        periods: Setting::Fixed(3.0),
        datapoints: Setting::Fixed(2.0),
        missing: Missing::NotBreaching,
        missing_because: "without a total there is no rate, and health pages for it",
        condition: Some("AnomalousRate"),
        meaning: "The migrations of ${Stack} were above the band that CloudWatch has learned in two of three hours: AWS \
                  is emptying hosts, and exposure follows. One or two hours more pass before that is known.",
        delay: Delay { known_after: MIGRATION, at_least: 0, at_most: 1 },
    },
    MetricAlarm {
        name: "worst-stack",
        severity: Severity::Part,
        scope: Scope::Fleet,
        lines: &[
            Line::Of("worst", Watched::Own(&metrics::WORST_STACK_UNMITIGATED_PERCENT)),
            Line::Of("completed", Watched::Own(&metrics::RUN_COMPLETED)),
            // Arithmetic takes a missing value for 0: a run without any share says 0, and no run says nothing.
            Line::Math("share", "worst + 0 * completed"),
        ],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("ExposedPercentThreshold"),
        period: Period::Run,
        periods: LINGERS,
        datapoints: Setting::Fixed(3.0),
        missing: Missing::Ignore,
        missing_because: HOLDS,
        condition: None,
        meaning: "${ExposedPercentThreshold} percent or more of the members of some stack that can be judged are exposed, \
                  in groups that are not mitigated.",
        delay: Delay { known_after: MIGRATION, at_least: 2, at_most: 3 },
    },
    MetricAlarm {
        name: "run-missing",
        severity: Severity::Part,
        scope: Scope::Fleet,
        lines: &[Line::Of("completed", Watched::Own(&metrics::RUN_COMPLETED))],
        // No value is below 0: only silence breaches.
        comparison: Comparison::Below,
        threshold: Setting::Fixed(0.0),
        period: Period::Run,
        periods: Setting::Parameter("RunMissingPeriods"),
        datapoints: Setting::Parameter("RunMissingPeriods"),
        missing: Missing::Breaching,
        missing_because: "it is the dead man's switch: silence is what it watches",
        condition: None,
        meaning: "The analyzer has published nothing for several periods: it does not run, or CloudWatch refuses what it \
                  says. What the other alarms show is what was, not what is. CloudWatch looks back two periods further \
                  than ${RunMissingPeriods} before it believes in silence.",
        delay: Delay { known_after: AT_ONCE, at_least: 4, at_most: 5 },
    },
    MetricAlarm {
        name: "runs-incomplete",
        severity: Severity::Ticket,
        scope: Scope::Fleet,
        lines: &[Line::Of("completed", Watched::Own(&metrics::RUN_COMPLETED))],
        comparison: Comparison::Below,
        threshold: Setting::Fixed(1.0),
        period: Period::Run,
        periods: Setting::Parameter("RunsIncompletePeriods"),
        datapoints: Setting::Parameter("RunsIncompletePeriods"),
        missing: Missing::Ignore,
        missing_because: "health pages for runs that are missing",
        condition: None,
        meaning: "None of the last ${RunsIncompletePeriods} runs was whole: requests, an account or the saving of the \
                  state stayed undone, and the analyzer falls behind.",
        delay: Delay { known_after: AT_ONCE, at_least: 11, at_most: 13 },
    },
    MetricAlarm {
        name: "source-blind",
        severity: Severity::Part,
        scope: Scope::Fleet,
        lines: &[Line::Of("blind", Watched::Own(&metrics::SOURCE_BLIND))],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("SourceBlindThreshold"),
        period: Period::Run,
        periods: Setting::Fixed(2.0),
        datapoints: Setting::Fixed(2.0),
        missing: Missing::Ignore,
        missing_because: "who was blind does not see because nobody looks",
        condition: None,
        meaning: "${SourceBlindThreshold} or more accounts and regions show launches without their Decrypts, or no \
                  records at all: a zero of theirs means nothing. The event is the third such launch, or the end of \
                  SILENCE_SECONDS.",
        delay: Delay { known_after: Duration::from_mins(30), at_least: 1, at_most: 2 },
    },
    MetricAlarm {
        name: "targets-failing",
        severity: Severity::Part,
        scope: Scope::Fleet,
        lines: &[Line::Of("failed", Watched::Own(&metrics::TARGETS_FAILED))],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("TargetsFailedThreshold"),
        period: Period::Run,
        periods: Setting::Fixed(3.0),
        datapoints: Setting::Fixed(3.0),
        missing: Missing::Ignore,
        missing_because: "health pages for runs that are missing, and until one succeeds the target fails",
        condition: None,
        meaning: "${TargetsFailedThreshold} or more accounts and regions could not be read in three runs: their members \
                  keep the verdicts of the last look.",
        delay: Delay { known_after: AT_ONCE, at_least: 2, at_most: 4 },
    },
    MetricAlarm {
        name: "coverage-low",
        severity: Severity::Ticket,
        scope: Scope::Fleet,
        lines: &[Line::Of("coverage", Watched::Own(&metrics::COVERAGE))],
        comparison: Comparison::Below,
        threshold: Setting::Parameter("CoverageThreshold"),
        period: Period::Run,
        periods: Setting::Fixed(6.0),
        datapoints: Setting::Fixed(6.0),
        missing: Missing::Ignore,
        missing_because: "health pages for runs that are missing",
        condition: None,
        meaning: "The first Decrypt of fewer than ${CoverageThreshold} percent of the launches on record was seen: the \
                  counts of exposure are too low. After the first deployment, and after the loss of the state, this is \
                  so until the past is read.",
        delay: Delay { known_after: AT_ONCE, at_least: 5, at_most: 7 },
    },
    MetricAlarm {
        name: "function-errors",
        severity: Severity::Ticket,
        scope: Scope::Fleet,
        lines: &[Line::Of("errors", lambda("Errors", "Sum"))],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("FunctionErrorsThreshold"),
        period: Period::Run,
        periods: Setting::Fixed(3.0),
        datapoints: Setting::Fixed(2.0),
        missing: Missing::NotBreaching,
        missing_because: EVENTS,
        condition: None,
        meaning: "The function failed ${FunctionErrorsThreshold} times or more in two of three periods: it could not read \
                  its state or its settings, or ran out of time or memory.",
        delay: Delay { known_after: AT_ONCE, at_least: 1, at_most: 3 },
    },
    MetricAlarm {
        name: "function-throttles",
        severity: Severity::Ticket,
        scope: Scope::Fleet,
        lines: &[Line::Of("throttles", lambda("Throttles", "Sum"))],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("FunctionThrottlesThreshold"),
        period: Period::Run,
        periods: Setting::Fixed(3.0),
        datapoints: Setting::Fixed(3.0),
        missing: Missing::NotBreaching,
        missing_because: EVENTS,
        condition: None,
        meaning: "Lambda refused the function ${FunctionThrottlesThreshold} times or more in each of three periods: the \
                  account's concurrency is used up, or runs overlap.",
        delay: Delay { known_after: AT_ONCE, at_least: 2, at_most: 4 },
    },
    MetricAlarm {
        name: "function-duration",
        severity: Severity::Ticket,
        scope: Scope::Fleet,
        lines: &[
            Line::Of("duration", lambda("Duration", "Maximum")),
            Line::Math("percent", "duration / (10 * ${FunctionTimeoutSeconds})"),
        ],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("FunctionDurationPercentThreshold"),
        period: Period::Run,
        periods: Setting::Fixed(3.0),
        datapoints: Setting::Fixed(3.0),
        missing: Missing::NotBreaching,
        missing_because: EVENTS,
        condition: None,
        meaning: "Three runs in a row took ${FunctionDurationPercentThreshold} percent or more of the function's timeout: \
                  a little more, and they are cut off.",
        delay: Delay { known_after: AT_ONCE, at_least: 2, at_most: 4 },
    },
    MetricAlarm {
        name: "schedule-dead-letters",
        severity: Severity::Ticket,
        scope: Scope::Fleet,
        lines: &[Line::Of("letters", queue("ScheduleDeadLetterQueueName"))],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("DeadLettersThreshold"),
        period: Period::Run,
        periods: Setting::Fixed(1.0),
        datapoints: Setting::Fixed(1.0),
        missing: Missing::NotBreaching,
        missing_because: "SQS publishes nothing of a queue that nobody used for hours",
        condition: None,
        meaning: "${DeadLettersThreshold} or more runs were given up: EventBridge Scheduler could not start them, or they \
                  failed with all their retries.",
        delay: Delay { known_after: AT_ONCE, at_least: 0, at_most: 2 },
    },
    MetricAlarm {
        name: "record-dead-letters",
        severity: Severity::Ticket,
        scope: Scope::Fleet,
        lines: &[Line::Of("letters", queue("RecordQueueDeadLetterQueueName"))],
        comparison: Comparison::AtLeast,
        threshold: Setting::Parameter("DeadLettersThreshold"),
        period: Period::Run,
        periods: Setting::Fixed(1.0),
        datapoints: Setting::Fixed(1.0),
        missing: Missing::NotBreaching,
        missing_because: "SQS publishes nothing of a queue that nobody used for hours",
        condition: Some("HasRecordQueue"),
        meaning: "${DeadLettersThreshold} or more CloudTrail records could not be taken in, or not be delivered to the \
                  queue: what they tell of is not known.",
        delay: Delay { known_after: AT_ONCE, at_least: 0, at_most: 2 },
    },
];

/// The composite alarms, in the order of the runbook.
pub const COMPOSITES: &[CompositeAlarm] = &[
    CompositeAlarm {
        name: "exposure",
        scope: Scope::Stack,
        rule: Rule::Any(&["exposed-share", "exposed-count"]),
        severity: Severity::Page,
        tells_end: false,
        suppressor: None,
        meaning: "Exposure of ${Stack} is above its limits (${ExposedPercentThreshold} percent or \
                  ${ExposedCountThreshold} members, in groups that are not mitigated). It has no notification of its end: \
                  all-clear sends that, once the analyzer is known to see.",
        delay: Delay { known_after: MIGRATION, at_least: 2, at_most: 3 },
    },
    CompositeAlarm {
        name: "all-clear",
        scope: Scope::Stack,
        rule: Rule::Any(&["exposure"]),
        severity: Severity::Part,
        tells_end: true,
        // What ends has lingered longer than each of the alarms behind `unsighted` takes.
        suppressor: Some(Suppressor { alarm: "unsighted", wait: 1, extension: 2 }),
        meaning: "When this alarm is OK again, exposure of ${Stack} is below its limits and the analyzer sees. It never \
                  pages, and says nothing while unsighted is in ALARM. The event is the end of the exposure.",
        delay: Delay { known_after: AT_ONCE, at_least: 9, at_most: 11 },
    },
    CompositeAlarm {
        name: "exposure-ticket",
        scope: Scope::Stack,
        rule: Rule::Any(&["mitigated-share", "mitigated-count", "oldest-exposure"]),
        severity: Severity::Ticket,
        tells_end: false,
        suppressor: None,
        meaning: "${Stack} has exposure for working hours: in mitigated groups above the limits \
                  (${ExposedPercentThreshold} percent or ${ExposedCountThreshold} members), or of a member for \
                  ${OldestExposureHours} hours or more.",
        delay: Delay { known_after: MIGRATION, at_least: 2, at_most: 3 },
    },
    CompositeAlarm {
        name: "health",
        scope: Scope::Fleet,
        rule: Rule::Any(&["run-missing", "source-blind", "targets-failing"]),
        severity: Severity::Page,
        tells_end: true,
        suppressor: None,
        meaning: "The analyzer does not see: it does not run, or an account or region is blind or cannot be read. Quiet \
                  alarms mean nothing now. While this lasts, a further cause does not page again.",
        delay: Delay { known_after: AT_ONCE, at_least: 2, at_most: 8 },
    },
    CompositeAlarm {
        name: "unsighted",
        scope: Scope::Fleet,
        // A coverage that is not known yet is none.
        rule: Rule::AnyNotOk(&["health", "coverage-low"]),
        severity: Severity::Part,
        tells_end: false,
        suppressor: None,
        meaning: "The analyzer does not see, or not enough. It notifies nobody: it keeps all-clear from saying that a \
                  stack is well.",
        delay: Delay { known_after: AT_ONCE, at_least: 2, at_most: 8 },
    },
    CompositeAlarm {
        name: "listed-stacks",
        scope: Scope::Fleet,
        rule: Rule::AnyStack("exposure"),
        severity: Severity::Part,
        tells_end: false,
        suppressor: None,
        meaning: "A stack with alarms of its own pages. It notifies nobody: it keeps other-stacks from paging for the \
                  same cause.",
        delay: Delay { known_after: MIGRATION, at_least: 2, at_most: 3 },
    },
    CompositeAlarm {
        name: "other-stacks",
        scope: Scope::Fleet,
        rule: Rule::Any(&["worst-stack"]),
        severity: Severity::Page,
        tells_end: false,
        suppressor: Some(Suppressor { alarm: "listed-stacks", wait: 1, extension: 1 }),
        meaning: "A stack without alarms of its own is exposed above ${ExposedPercentThreshold} percent, in groups that \
                  are not mitigated. While a stack with alarms of its own pages, this one waits.",
        delay: Delay { known_after: MIGRATION, at_least: 3, at_most: 4 },
    },
];

/// The thresholds, by the names that both templates give them.
pub const PARAMETERS: &[Parameter] = &[
    of("ExposedPercentThreshold", 10.0, "The exposed share of a stack, in percent, from which on it pages."),
    of("ExposedCountThreshold", 5.0, "How many exposed members of a stack page."),
    of("OldestExposureHours", 24.0, "For how many hours a member may be exposed before there is a ticket."),
    of("CoverageThreshold", 80.0, "The coverage, in percent, below which there is a ticket."),
    of("MigrationsPerDayThreshold", 10.0, "How many migrations of a stack in a day make a ticket (mode fixed)."),
    of("MigrationRateBandWidth", 3.0, "How many standard deviations above the usual make a ticket (mode anomaly)."),
    of("RunMissingPeriods", 2.0, "How many periods without a run page, beside the two that CloudWatch looks back."),
    of("RunsIncompletePeriods", 12.0, "How many runs in a row that were not whole make a ticket."),
    of("SourceBlindThreshold", 1.0, "How many blind accounts and regions page."),
    of("TargetsFailedThreshold", 1.0, "How many accounts and regions that cannot be read page."),
    of("FunctionErrorsThreshold", 1.0, "How many failures of the function in a period make a ticket."),
    of("FunctionThrottlesThreshold", 1.0, "How many refusals of the function in a period make a ticket."),
    of("FunctionDurationPercentThreshold", 80.0, "How much of the timeout a run may take, in percent."),
    of("DeadLettersThreshold", 1.0, "How many messages in a dead-letter queue make a ticket."),
];

const fn of(name: &'static str, default: f64, meaning: &'static str) -> Parameter {
    Parameter { name, default, meaning }
}

const fn lambda(name: &'static str, statistic: &'static str) -> Watched {
    let (namespace, dimension, parameter) = ("AWS/Lambda", "FunctionName", "FunctionName");
    Watched::Aws { namespace, name, statistic, dimension, parameter }
}

const fn queue(parameter: &'static str) -> Watched {
    let (namespace, name) = ("AWS/SQS", "ApproximateNumberOfMessagesVisible");
    Watched::Aws { namespace, name, statistic: "Maximum", dimension: "QueueName", parameter }
}
