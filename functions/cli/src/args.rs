//! The command line's flags.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use exposure_core::ids::InstanceId;
use exposure_core::stacks::StackRules;
use exposure_core::time::Timestamp;
use exposure_simulator::Config;
use jiff::SignedDuration;

use crate::catalogue;
#[cfg(feature = "aws")]
use crate::flags::SettingFlags;
use crate::report::arguments::Report;

/// Finds Auto Scaling instances that AWS moved to another host without a reboot, on CloudTrail log files.
#[derive(Debug, Parser)]
#[command(name = "exposure", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Which instances were migrated, which are exposed, and how that splits by stack
    Analyze(Analyze),
    /// The timeline of one instance, with the rule behind each judgement
    Explain(Explain),
    /// One page with the evidence: is a stack worse, or only more exposed?
    Report(Box<Report>),
    /// Whether a 404 begins with a second Decrypt, by what lifecycle-check saw on instances
    Verify(Verify),
    /// A made-up account: its fleet, its log files, what was observed on its instances, and the truth about them
    Simulate(Simulate),
    /// The metrics: their reference, the same for programs, or a dashboard of them
    Catalogue(Catalogue),
    /// One run of the scheduled analyzer, on this account or on local log files
    #[cfg(feature = "aws")]
    Run(Run),
    /// What is exposed now, since when and why, straight from the analyzer's state
    #[cfg(feature = "aws")]
    List(List),
    /// What a month of the analyzer costs at list prices, and of what
    #[cfg(feature = "aws")]
    Cost(Cost),
    /// Whether the analyzer would see, by read-only calls: permissions, trails, launches, the budget; with a fix for each
    #[cfg(feature = "aws")]
    Preflight(Preflight),
}

#[derive(Debug, Args)]
pub(crate) struct Catalogue {
    /// What to print on standard output
    #[arg(long, value_enum, default_value_t = CatalogueFormat::Markdown)]
    pub(crate) format: CatalogueFormat,
    /// The namespace of the metrics
    #[arg(long, value_name = "NAME", env = "METRIC_NAMESPACE", default_value = "MigrationExposure", value_parser = catalogue::parse_namespace)]
    pub(crate) namespace: String,
    /// The region that has the metrics; a dashboard needs it
    #[arg(long, value_name = "REGION", env = "AWS_REGION", value_parser = catalogue::parse_region)]
    pub(crate) region: Option<String>,
    /// A stack to list by name on the dashboard, which its rate needs; may be given several times
    #[arg(long, value_name = "NAME", default_values = ["Nighttime", "Daytime"])]
    pub(crate) stack: Vec<String>,
    /// The interval of the analyzer's schedule
    #[arg(long, value_name = "SECONDS", env = "PERIOD_SECONDS", default_value = "300", value_parser = catalogue::parse_period)]
    pub(crate) period: u32,
    /// The analyzer's log group, for the dashboard's log tables [default: none, and no tables]
    #[arg(long, value_name = "NAME", value_parser = catalogue::parse_log_group)]
    pub(crate) log_group: Option<String>,
    /// An alarm to show on the dashboard; may be given several times
    #[arg(long, value_name = "ARN")]
    pub(crate) alarm_arn: Vec<String>,
}

/// How to print the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CatalogueFormat {
    /// The table of the README
    Markdown,
    /// A body for `aws cloudwatch put-dashboard --dashboard-body`
    Dashboard,
    /// Schema migration-exposure/catalogue/1
    Json,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
    /// When the run was meant to be [default: now]
    #[arg(long, value_name = "T", value_parser = parse_time)]
    pub(crate) scheduled_time: Option<Timestamp>,
    /// From when on to read records again, though they were read before
    #[arg(long, value_name = "T", value_parser = parse_time)]
    pub(crate) from: Option<Timestamp>,
    /// Up to when to read records
    #[arg(long, value_name = "T", value_parser = parse_end)]
    pub(crate) to: Option<Timestamp>,
    /// How long the run may take
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_window)]
    pub(crate) timeout: SignedDuration,
    /// Look and judge, but neither save nor publish
    #[arg(long = "dry-run")]
    pub(crate) dry: bool,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct Cost {
    /// How many instances the fleet has
    #[arg(long, value_name = "N")]
    pub(crate) instances: u32,
    /// How many stacks
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) stacks: u32,
    /// Leave out the alarms (`CreateAlarms=false`)
    #[arg(long)]
    pub(crate) no_alarms: bool,
    /// Where records come from
    #[arg(long, value_enum, default_value_t = CostSource::Lookup)]
    pub(crate) source: CostSource,
    /// The schedule's interval
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(60..=3_600))]
    pub(crate) period_seconds: u32,
    /// Launches in each instance's place in a day
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub(crate) launches_per_day: f64,
    /// The function's memory in MB
    #[arg(long, value_name = "MB", default_value_t = 256)]
    pub(crate) memory: u32,
    /// How long a run takes
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub(crate) run_seconds: f64,
    /// Objects that the trail delivers in a day
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    pub(crate) trail_objects_per_day: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The sources that cost differently.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CostSource {
    /// `LookupEvents`
    Lookup,
    /// An SQS queue
    Queue,
    /// The trail's objects
    Logs,
}

#[cfg(feature = "aws")]
impl From<CostSource> for exposure_aws::settings::SourceKind {
    fn from(source: CostSource) -> Self {
        match source {
            CostSource::Lookup => Self::Lookup,
            CostSource::Queue => Self::Queue,
            CostSource::Logs => Self::Logs,
        }
    }
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Where the analyzer keeps its state: `s3://bucket/key` or `file:///path`
    #[arg(long, value_name = "URL", env = "STATE_URL")]
    pub(crate) state_url: String,
    /// What to print on standard output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// List every member
    #[arg(long)]
    pub(crate) all: bool,
    /// The tag of a group that names its stack
    #[arg(long, value_name = "KEY", default_value = StackRules::DEFAULT_TAG)]
    pub(crate) stack_tag: String,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct Preflight {
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
    /// What to print on standard output
    #[arg(long, value_enum, default_value_t = CheckFormat::Table)]
    pub(crate) format: CheckFormat,
    /// How long all checks together may take
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_window)]
    pub(crate) timeout: SignedDuration,
}

/// How to print checks.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    Table,
    /// Schema migration-exposure/preflight/1
    Json,
}

/// What an analysis reads.
#[derive(Debug, Args)]
pub(crate) struct Inputs {
    /// A CloudTrail log file or a folder of them, searched recursively; may be given several times
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) trail: Vec<PathBuf>,
    /// The output of `aws autoscaling describe-auto-scaling-groups`; one for each account and region
    #[arg(long, value_name = "FILE")]
    pub(crate) fleet: Vec<PathBuf>,
    /// When the fleet file was taken; makes it evidence of earlier running
    #[arg(long, value_name = "T", value_parser = parse_time, requires = "fleet")]
    pub(crate) fleet_time: Option<Timestamp>,
    /// The output of `aws autoscaling describe-scaling-activities`: lifecycle transitions
    #[arg(long, value_name = "FILE")]
    pub(crate) activities: Vec<PathBuf>,
    /// The output of `aws autoscaling describe-warm-pool`, optionally with its group's name
    #[arg(long, value_name = "[GROUP=]FILE", requires = "fleet")]
    pub(crate) warm_pool: Vec<String>,
    /// Only records from this time on (RFC 3339, or a date)
    #[arg(long, value_name = "T", value_parser = parse_time)]
    pub(crate) from: Option<Timestamp>,
    /// Only records up to this time, itself included (RFC 3339, or a date, which means its end)
    #[arg(long, value_name = "T", value_parser = parse_end)]
    pub(crate) to: Option<Timestamp>,
    /// The tag of a group that names its stack
    #[arg(long, value_name = "KEY", default_value = StackRules::DEFAULT_TAG)]
    pub(crate) stack_tag: String,
    /// The stack of groups without the tag whose name matches; may be given several times, the first match counts
    #[arg(long, value_name = "REGEX=NAME")]
    pub(crate) stack_rule: Vec<String>,
    /// Decrypts of one volume closer together than this are one attachment
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_window)]
    pub(crate) coalesce: SignedDuration,
    /// A ledger to start from and to write back, so that a trail can be analysed in pieces
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// How many files to read at a time [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
    /// Name every file that cannot be read
    #[arg(long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Analyze {
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    /// What to print on standard output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// List every member, and every instance sighted or launched
    #[arg(long)]
    pub(crate) all: bool,
    /// Exit with 3 when a member is exposed, or a source is blind
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub(crate) fail_on: Vec<FailOn>,
    /// How long after its departure the state file remembers an instance
    #[arg(long, value_name = "DURATION", default_value = "400d", value_parser = parse_retention)]
    pub(crate) retention: SignedDuration,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The instance
    #[arg(value_parser = parse_instance)]
    pub(crate) instance: InstanceId,
    /// The analyzer's state to explain from, instead of log files: `s3://bucket/key` or `file:///path`
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "URL", conflicts_with_all = ["trail", "fleet", "state"])]
    pub(crate) state_url: Option<String>,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    /// What `lifecycle-check watch` or `serve` printed, or what CloudWatch Logs gives of it: a file, or a folder of them,
    /// searched recursively; may be given several times
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    pub(crate) observations: Vec<PathBuf>,
    /// How long after a second Decrypt a 404 may begin to be taken for its own; the answer for other windows is shown, too
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_window)]
    pub(crate) within: SignedDuration,
    /// How long before it, since the clock of an instance is not that of KMS
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = parse_tolerance)]
    pub(crate) clock_tolerance: SignedDuration,
    /// What to print on standard output
    #[arg(long, value_enum, default_value_t = VerifyFormat::Table)]
    pub(crate) format: VerifyFormat,
}

/// How to print a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFormat {
    /// For people
    Table,
    /// Schema migration-exposure/verification/1
    Json,
}

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// Schema migration-exposure/analysis/1
    Json,
    /// One row for each instance, safe for spreadsheets
    Csv,
}

/// What to fail on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// A member is exposed
    Exposed,
    /// A source shows launches, but none of their Decrypts
    Blind,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The folder to write to; it must be empty or not exist
    pub(crate) out: PathBuf,
    /// The same seed makes the same account, byte for byte
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many instances live in the account at some time of the window
    #[arg(long, default_value_t = Config::default().instances)]
    pub(crate) instances: usize,
    /// How many of a hundred further instances live for one shift of their group's schedule only
    #[arg(long, value_name = "PERCENT", default_value_t = Config::default().scheduled)]
    pub(crate) scheduled: u8,
    /// About how many records, ordinary noise included [default: what a small fleet needs to look alive]
    #[arg(long)]
    pub(crate) records: Option<u64>,
    /// When the window begins
    #[arg(long, value_name = "T", default_value = "2026-05-11T10:00:00Z", value_parser = parse_time)]
    pub(crate) start: Timestamp,
    /// How many days it has
    #[arg(long, default_value_t = Config::default().days)]
    pub(crate) days: f64,
    /// The time zone of the stacks' schedules and of the off-peak maintenance
    #[arg(long, value_name = "ZONE", default_value = "Europe/Berlin")]
    pub(crate) time_zone: String,
    /// Let 404s begin at times of their own, and none with a host move: what `verify` must then not find
    #[arg(long)]
    pub(crate) unrelated_absences: bool,
    /// How hard to compress the log files, from 1 to 12
    #[arg(long, value_name = "LEVEL", default_value_t = 6)]
    pub(crate) gzip_level: u8,
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    let date = || Timestamp::parse(&format!("{text}T00:00:00Z"));
    Timestamp::parse(text).or_else(date).ok_or_else(|| "write it like 2026-05-11T08:00:00Z, or 2026-05-11".to_owned())
}

fn parse_end(text: &str) -> Result<Timestamp, String> {
    let end_of_day = Timestamp::parse(&format!("{text}T23:59:59Z"));
    end_of_day.map_or_else(|| parse_time(text), Ok)
}

fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    const SHAPE: &str = "write it like 600s, 10m, 2h or 45d";
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: i64 = number.parse().map_err(|_| SHAPE.to_owned())?;
    let seconds = match unit.trim() {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(SHAPE.to_owned()),
    };
    number.checked_mul(seconds).map(SignedDuration::from_secs).ok_or_else(|| "too long".to_owned())
}

fn parse_window(text: &str) -> Result<SignedDuration, String> {
    let window = parse_duration(text)?;
    let allowed = SignedDuration::from_secs(1)..=SignedDuration::from_hours(24);
    if allowed.contains(&window) { Ok(window) } else { Err("it must be from 1s to 24h".to_owned()) }
}

fn parse_tolerance(text: &str) -> Result<SignedDuration, String> {
    let tolerance = parse_duration(text)?;
    if tolerance <= SignedDuration::from_hours(1) { Ok(tolerance) } else { Err("it must be up to 1h".to_owned()) }
}

fn parse_retention(text: &str) -> Result<SignedDuration, String> {
    let retention = parse_duration(text)?;
    if retention >= SignedDuration::from_hours(24) { Ok(retention) } else { Err("it must be 1d at least".to_owned()) }
}

fn parse_instance(text: &str) -> Result<InstanceId, String> {
    InstanceId::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations_have_a_number_and_a_unit() {
        let table = [("600", 600), ("600s", 600), ("10m", 600), ("2h", 7_200), ("45d", 3_888_000)];
        assert!(!table.is_empty());
        for (text, seconds) in table {
            assert_eq!(parse_duration(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "m", "-1m", "10 parsecs", "99999999999999999999d", "9223372036854775807d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert!(parse_window("0s").is_err());
        assert!(parse_window("25h").is_err());
    }

    #[test]
    fn a_date_means_its_beginning_or_its_end() {
        assert_eq!(parse_time("2026-05-11"), parse_time("2026-05-11T00:00:00Z"));
        assert_eq!(parse_end("2026-05-11"), parse_time("2026-05-11T23:59:59Z"));
        assert!(parse_time("yesterday").is_err());
    }
}
