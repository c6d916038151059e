//! The flags.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use exposure_core::ids::{InstanceId, Region};
use exposure_core::stacks::StackRules;
use exposure_lifecycle::identity::Given;
use exposure_lifecycle::imds::ImdsSettings;
use exposure_lifecycle::limiter::{FLOOR, Pace};
use exposure_lifecycle::machine::Rules;

/// Tells what an Auto Scaling instance is meant to do next, through the 404 that a live migration leaves in IMDS.
#[derive(Debug, Parser)]
#[command(name = "lifecycle-check", version, max_term_width = 100, args_override_self = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask once, and print the state; the exit code says it too
    Once(Once),
    /// Poll, print a line for each change, and run a command for each transition
    Watch(Box<Watch>),
    /// Watch, and answer on loopback in the place of IMDS; with metrics for Prometheus
    Serve(Box<Watch>),
    /// How long both ways take on this machine, and what that means for a polling interval
    Bench(Bench),
    /// What a fleet asks of the Auto Scaling API, in calls per second, against a limit
    Quota(Quota),
}

/// Whom to ask.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sources")]
pub(crate) struct Sources {
    /// IMDS' address [default: as the SDKs find it, `AWS_EC2_METADATA_SERVICE_ENDPOINT` first]
    #[arg(long, value_name = "URL")]
    pub(crate) imds_endpoint: Option<String>,
    /// Reach IMDS over IPv6
    #[arg(long)]
    pub(crate) imds_ipv6: bool,
    /// How long a question to IMDS may take
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_timeout)]
    pub(crate) imds_timeout: Duration,
    /// The Auto Scaling API's address [default: as the SDKs find it, `AWS_ENDPOINT_URL` and its kin first]
    #[arg(long, value_name = "URL")]
    pub(crate) api_endpoint: Option<String>,
    /// How long a call of the API may take
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_timeout)]
    pub(crate) api_timeout: Duration,
    /// This instance [default: as IMDS says]
    #[arg(long, value_name = "ID", value_parser = parse_instance)]
    pub(crate) instance_id: Option<InstanceId>,
    /// Its region [default: as IMDS says]
    #[arg(long, value_name = "REGION", env = "AWS_REGION", value_parser = parse_region)]
    pub(crate) region: Option<Region>,
}

impl Sources {
    pub(crate) fn imds(&self) -> ImdsSettings {
        ImdsSettings { endpoint: self.imds_endpoint.clone(), ipv6: self.imds_ipv6, timeout: self.imds_timeout }
    }

    pub(crate) fn given(&self) -> Given {
        Given { instance: self.instance_id, region: self.region.clone() }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Once {
    /// What to print on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// How long to wait before a 404 is asked about again: two in a row are needed before the API is asked
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = parse_timeout)]
    pub(crate) settle: Duration,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The state, or a table
    Text,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// A file of these flags as a JSON object, such as `{"interval": "5s", "on-terminating": ["/opt/drain", "--now"]}`;
    /// flags on the command line replace it. Refused if others than administrators can write it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How often to ask IMDS
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_interval)]
    pub(crate) interval: Duration,
    /// Answer on this loopback address in the place of IMDS, at /healthz and at /metrics [default for serve: 127.0.0.1:8338]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_loopback)]
    pub(crate) listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) commands: Commands,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryFlags,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// How many seconds of intervals and pauses pass in a real one; for tests of this program
    #[arg(long, value_name = "N", default_value_t = 1.0, hide = true)]
    pub(crate) time_scale: f64,
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vector {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Clone, Args)]
#[command(
    next_help_heading = "Commands: the path of a program, or a JSON array of it and its arguments; never a shell's line"
)]
pub(crate) struct Commands {
    /// Run this once when the instance is to be terminated
    #[arg(long, value_name = "COMMAND", value_parser = parse_vector)]
    pub(crate) on_terminating: Option<Vector>,
    /// Run this once when the instance goes to standby
    #[arg(long, value_name = "COMMAND", value_parser = parse_vector)]
    pub(crate) on_standby: Option<Vector>,
    /// Run this once when the instance goes into service
    #[arg(long, value_name = "COMMAND", value_parser = parse_vector)]
    pub(crate) on_in_service: Option<Vector>,
    /// How long a command may take before it is ended
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_interval)]
    pub(crate) command_timeout: Duration,
    /// How long a command under way may go on when this program is told to stop
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_timeout)]
    pub(crate) grace: Duration,
    /// Where to keep which transitions commands ran for [default: /var/lib/lifecycle-check, or `%ProgramData%`]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Complete the lifecycle action of this hook once the command for termination has succeeded
    #[arg(long, value_name = "HOOK", requires = "on_terminating")]
    pub(crate) complete_lifecycle_action: Option<String>,
    /// How often to tell the hook that the command is still under way
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_interval)]
    pub(crate) heartbeat: Duration,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// The shortest pause between two questions to the API; from 60s on
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_floor)]
    pub(crate) api_floor: Duration,
    /// What that pause grows to while nothing changes
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_floor)]
    pub(crate) api_ceiling: Duration,
    /// How long an answer of IMDS is held while no source answers
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_hold)]
    pub(crate) hold_imds: Duration,
    /// How long an answer of the API is held while no source answers
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = parse_hold)]
    pub(crate) hold_api: Duration,
}

impl Limits {
    pub(crate) fn rules(&self) -> Rules {
        Rules { hold_imds: self.hold_imds, hold_api: self.hold_api }
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace { floor: self.api_floor, ceiling: self.api_ceiling.max(self.api_floor), ..Pace::default() }
    }
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Telemetry")]
pub(crate) struct TelemetryFlags {
    /// The stack that metrics are counted under [default: the instance's tag in IMDS, else the group's]
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// The tag that names the stack
    #[arg(long, value_name = "KEY", default_value = StackRules::DEFAULT_TAG)]
    pub(crate) stack_tag: String,
    /// The CloudWatch namespace
    #[arg(long, value_name = "NAME", default_value = "MigrationExposure")]
    pub(crate) metric_namespace: String,
    /// Where to write metrics in Embedded Metric Format: `stdout`, or the CloudWatch agent's port, such as 127.0.0.1:25888
    #[arg(long, value_name = "WHERE", value_parser = parse_emf)]
    pub(crate) emf: Option<Emf>,
    /// Publish metrics with `PutMetricData`
    #[arg(long)]
    pub(crate) put_metric_data: bool,
    /// How often metrics are told
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_interval)]
    pub(crate) metrics_interval: Duration,
    /// How often to tell that IMDS was watched: more often at first, and at the end, too
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_interval)]
    pub(crate) watched_interval: Duration,
    /// The log group that the CloudWatch agent writes to
    #[arg(long, value_name = "NAME", default_value = "/migration-exposure/lifecycle-check")]
    pub(crate) log_group: String,
}

/// Where EMF goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emf {
    Stdout,
    Agent(SocketAddr),
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// How many questions to IMDS
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) imds_requests: u32,
    /// How many calls of the API, which has a limit that the whole account shares; one a second
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=60))]
    pub(crate) api_requests: u32,
    /// The polling interval to judge
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_interval)]
    pub(crate) interval: Duration,
    /// What to print on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

#[derive(Debug, Args)]
pub(crate) struct Quota {
    /// How many instances the fleet has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) instances: u32,
    /// How often each polls
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_interval)]
    pub(crate) interval: Duration,
    /// How many of a hundred are exposed
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = parse_percent)]
    pub(crate) exposed_percent: f64,
    /// How many times larger the fleet will be
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = parse_factor)]
    pub(crate) growth: f64,
    /// How many Availability Zones it is spread over
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(crate) zones: u32,
    /// How many calls per second there may be; AWS does not publish the limit of `DescribeAutoScalingInstances`
    #[arg(long, value_name = "CALLS", value_parser = parse_factor)]
    pub(crate) limit: Option<f64>,
    /// The shortest pause between two questions of one instance
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_floor)]
    pub(crate) api_floor: Duration,
    /// What that pause grows to
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_floor)]
    pub(crate) api_ceiling: Duration,
    /// What to print on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    const SHAPE: &str = "write it like 500ms, 2s, 5m or 1h";
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| SHAPE.to_owned())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(SHAPE.to_owned()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

fn within(text: &str, least: Duration, most: Duration, allowed: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if (least..=most).contains(&duration) { Ok(duration) } else { Err(allowed.to_owned()) }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(10), Duration::from_mins(10), "it must be from 10ms to 10m")
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(100), Duration::from_hours(24), "it must be from 100ms to 24h")
}

fn parse_floor(text: &str) -> Result<Duration, String> {
    within(text, FLOOR, Duration::from_hours(24), "it must be from 60s to 24h")
}

fn parse_hold(text: &str) -> Result<Duration, String> {
    within(text, Duration::ZERO, Duration::from_hours(24), "it must be up to 24h")
}

fn parse_loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "write it like 127.0.0.1:8338".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("it must be on loopback: 127.0.0.1 or [::1]".to_owned()) }
}

fn parse_emf(text: &str) -> Result<Emf, String> {
    match text {
        "stdout" => Ok(Emf::Stdout),
        _ => text
            .strip_prefix("tcp://")
            .unwrap_or(text)
            .parse()
            .map(Emf::Agent)
            .map_err(|_| "write stdout, or the agent's address, such as 127.0.0.1:25888".to_owned()),
    }
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=100.0).contains(&percent) { Ok(percent) } else { Err("it must be from 0 to 100".to_owned()) }
}

fn parse_factor(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if factor > 0.0 && factor <= 1e6 { Ok(factor) } else { Err("it must be more than 0".to_owned()) }
}

fn parse_instance(text: &str) -> Result<InstanceId, String> {
    InstanceId::new(text).map_err(|error| error.to_string())
}

fn parse_region(text: &str) -> Result<Region, String> {
    Region::new(text).map_err(|error| error.to_string())
}

fn parse_vector(text: &str) -> Result<Vector, String> {
    let mut words: Vec<String> = if text.starts_with('[') {
        serde_json::from_str(text).map_err(|error| format!("not a JSON array of texts: {error}"))?
    } else {
        vec![text.to_owned()]
    };
    if words.first().is_none_or(String::is_empty) {
        return Err("it names no program".to_owned());
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err("it has a NUL".to_owned());
    }
    let program = words.remove(0).into();
    Ok(Vector { program, arguments: words })
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
    fn durations_and_addresses_have_their_bounds() {
        let table = [
            (parse_interval("100ms").is_ok(), true),
            (parse_interval("99ms").is_ok(), false),
            (parse_interval("2").is_ok(), false),
            (parse_interval("2d").is_ok(), false),
            (parse_interval("99999999999999999999s").is_ok(), false),
            (parse_floor("60s").is_ok(), true),
            (parse_floor("59s").is_ok(), false),
            (parse_loopback("127.0.0.1:0").is_ok(), true),
            (parse_loopback("[::1]:80").is_ok(), true),
            (parse_loopback("0.0.0.0:80").is_ok(), false),
            (parse_loopback("localhost:80").is_ok(), false),
            (parse_percent("NaN").is_ok(), false),
            (parse_factor("0").is_ok(), false),
            (parse_factor("inf").is_ok(), false),
        ];
        for (at, (found, expected)) in table.into_iter().enumerate() {
            assert_eq!(found, expected, "row {at}");
        }
        assert_eq!(parse_interval("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(parse_emf("tcp://127.0.0.1:25888"), parse_emf("127.0.0.1:25888"));
    }

    #[test]
    fn a_command_is_a_vector_and_never_a_line() {
        let vector = |program: &str, arguments: &[&str]| Vector {
            program: program.into(),
            arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
        };
        assert_eq!(parse_vector("/opt/my drain; rm -rf /"), Ok(vector("/opt/my drain; rm -rf /", &[])));
        assert_eq!(parse_vector(r#"["/opt/drain", "--now", "a b"]"#), Ok(vector("/opt/drain", &["--now", "a b"])));
        for bad in ["", "[]", r#"[""]"#, "[1]", "[\"a\"", "[\"a\\u0000b\"]"] {
            assert!(parse_vector(bad).is_err(), "{bad}");
        }
    }
}
