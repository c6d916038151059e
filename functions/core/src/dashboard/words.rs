//! What stands on the dashboard in words, and what is asked of the log.

use crate::metrics;

/// Where the alarms would be.
pub(super) const NO_ALARMS: &str = "# Migration exposure\n\nNo alarms are shown: none were given. \
    (`AlarmArns` of the template, `--alarm-arn` of `exposure catalogue --format dashboard`.)";

/// The head of the comparison.
pub(super) const COMPARISON: &str = "## Is a stack worse, or only more exposed?";

/// The head of the analyzer's own health.
pub(super) const HEALTH: &str = "## Does the analyzer see?";

/// The head of what instances and log say.
pub(super) const EVIDENCE: &str = "## What the instances say, and the evidence";

/// How to read the dashboard.
pub(super) fn how_to_read() -> String {
    format!(
        "## How to read it\n\n\
         **Exposed**: moved to another host, no lifecycle transition since. Expect IMDS to answer 404 for \
         `target-lifecycle-state`.\n\n\
         **A zero means nothing while the analyzer is blind**: look at `{blind}` (must be 0), `{coverage}` (100) and \
         `{completed}` (1) first. `{unseen}` and `{undetermined}` are not clean.\n\n\
         **Counts do not compare stacks; rates do.** A stack with more instances at night has more migrations without \
         being worse. The rate divides by the hours in service: `1000 * DIFF({migrations}) / DIFF({hours})`.\n\n\
         **Few migrations make a noisy rate**: below ten or so of a stack, a twofold difference can be chance.\n\n\
         **Times** are UTC. A migration is counted some 20 minutes after it happened; one that was found more than 24 h \
         late is counted where it was found, and left out of the hours of the day.\n\n\
         **Every stack** shows up by itself. Rates and hours need names: those of the stacks that were listed when \
         the dashboard was made (`Stack1` to `Stack4` of the template, `--stack`). Names outside ASCII are percent-encoded.",
        blind = metrics::SOURCE_BLIND.name,
        coverage = metrics::COVERAGE.name,
        completed = metrics::RUN_COMPLETED.name,
        unseen = metrics::MEMBERS_UNSEEN.name,
        undetermined = metrics::MEMBERS_UNDETERMINED.name,
        migrations = metrics::MIGRATIONS_TOTAL.name,
        hours = metrics::INSTANCE_HOURS_TOTAL.name,
    )
}

/// The latest migrations with their evidence. The lists are taken out of the text: as fields each of their items would
/// have a column of its own.
pub(super) const LATEST: &str = r#"filter event = "migration"
| parse @message /"volumes":\[(?<volumes>[^\]]*)\]/
| parse @message /"eventIds":\[(?<events>[^\]]*)\]/
| fields migration.at as happened, migration.stack as stack, migration.instanceId as instance, migration.confidence as confidence, volumes, events, migration.account as account, migration.region as region
| sort happened desc
| limit 50"#;

/// Migrations by the hour in which they happened, of every stack.
pub(super) const BY_HOUR: &str = r#"filter event = "migration"
| parse migration.at /T(?<hour>\d\d):/
| fields migration.stack as stack
| stats count(*) as migrations by hour, stack
| sort hour asc
| limit 1000"#;

/// What went wrong.
pub(super) const PROBLEMS: &str = r#"filter event = "problem"
| stats count(*) as runs, max(@timestamp) as latest by problem
| sort latest desc
| limit 20"#;

/// Runs that were not whole. The record of a run has more members than Insights makes fields of: it is read as text.
pub(super) const INCOMPLETE: &str = r#"filter @message like /"outcome":"(partial|failed)"/
| parse @message /"outcome":"(?<outcome>[a-z]+)"/
| parse @message /"scheduledTime":"(?<scheduled>[^"]*)"/
| parse @message /"problems":\{(?<problems>[^}]*)\}/
| fields scheduled, outcome, problems
| sort scheduled desc
| limit 20"#;
