//! The settings of the analyzer as flags; each is also an environment variable of the same name in capitals.

use clap::Args;
use exposure_aws::settings::REFERENCE;

/// The settings of the analyzer.
#[derive(Debug, Args)]
pub(crate) struct SettingFlags {
    /// Where records come from: lookup, queue, logs or directory
    #[arg(long, value_name = "KIND")]
    source: Option<String>,
    /// Where the state is kept: `s3://bucket/key` or `file:///path`
    #[arg(long, value_name = "URL")]
    state_url: Option<String>,
    /// The SQS queue of --source queue
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,
    /// The log files of --source logs (`s3://bucket/prefix`) or directory (`file:///path`)
    #[arg(long, value_name = "URL")]
    trail_url: Option<String>,
    /// The tag of a group that names its stack
    #[arg(long, value_name = "KEY")]
    stack_tag: Option<String>,
    /// JSON object, name pattern to stack
    #[arg(long, value_name = "JSON")]
    stack_rules: Option<String>,
    /// The tag of a group whose instances run the on-instance check
    #[arg(long, value_name = "KEY")]
    mitigated_tag: Option<String>,
    /// The CloudWatch namespace
    #[arg(long, value_name = "NAME")]
    metric_namespace: Option<String>,
    /// The schedule's interval
    #[arg(long, value_name = "N")]
    period_seconds: Option<String>,
    /// How many of the 2 per second and account `LookupEvents` may take
    #[arg(long, value_name = "N")]
    lookup_requests_per_second: Option<String>,
    /// How many in one run, for each account and region
    #[arg(long, value_name = "N")]
    lookup_requests_per_run: Option<String>,
    /// system, or event for replays
    #[arg(long, value_name = "KIND")]
    clock: Option<String>,
    /// JSON list of `{account, regions, roleArn, externalId}`
    #[arg(long, value_name = "JSON")]
    targets: Option<String>,
    /// Decrypts of one volume closer together are one attachment
    #[arg(long, value_name = "N")]
    coalesce_seconds: Option<String>,
    /// How long a cause may arrive after its sighting
    #[arg(long, value_name = "N")]
    settle_seconds: Option<String>,
    /// How long no record at all may arrive before an account and region is called blind
    #[arg(long, value_name = "N")]
    silence_seconds: Option<String>,
    /// How many stacks are told apart in metrics
    #[arg(long, value_name = "N")]
    max_stacks: Option<String>,
    /// How long after its departure an instance is remembered
    #[arg(long, value_name = "N")]
    retention_days: Option<String>,
}

impl SettingFlags {
    /// The value of a setting: its flag's, else that of the environment.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let flags = [
            ("SOURCE", &self.source),
            ("STATE_URL", &self.state_url),
            ("QUEUE_URL", &self.queue_url),
            ("TRAIL_URL", &self.trail_url),
            ("STACK_TAG", &self.stack_tag),
            ("STACK_RULES", &self.stack_rules),
            ("MITIGATED_TAG", &self.mitigated_tag),
            ("METRIC_NAMESPACE", &self.metric_namespace),
            ("PERIOD_SECONDS", &self.period_seconds),
            ("LOOKUP_REQUESTS_PER_SECOND", &self.lookup_requests_per_second),
            ("LOOKUP_REQUESTS_PER_RUN", &self.lookup_requests_per_run),
            ("CLOCK", &self.clock),
            ("TARGETS", &self.targets),
            ("COALESCE_SECONDS", &self.coalesce_seconds),
            ("SETTLE_SECONDS", &self.settle_seconds),
            ("SILENCE_SECONDS", &self.silence_seconds),
            ("MAX_STACKS", &self.max_stacks),
            ("RETENTION_DAYS", &self.retention_days),
        ];
        debug_assert!(REFERENCE.iter().all(|(name, ..)| flags.iter().any(|(flag, _)| flag == name)));
        let flag = flags.into_iter().find(|(flag, _)| *flag == name).and_then(|(_, value)| value.clone());
        flag.or_else(|| std::env::var(name).ok())
    }
}
