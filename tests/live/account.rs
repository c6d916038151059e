//! A simulated account, the stand-in that shows it, and the function that looks at it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use exposure_stand_in::{Account, Clock, Delivery, Options, Quota, StandIn};
use exposure_tests::{account, bootstrap, truth};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::busy;
use crate::runtime::Function;

/// Where the simulator's fleet lives.
pub(crate) const ACCOUNT: &str = "111122223333";

/// Values by metric and stack; no stack is the fleet.
pub(crate) type Values = BTreeMap<Name, f64>;
/// A metric and its stack.
type Name = (String, Option<String>);

/// An account under the stand-in.
pub(crate) struct Stage {
    pub(crate) account: TempDir,
    pub(crate) stand_in: StandIn,
    /// The first record and the last, in seconds.
    pub(crate) window: (i64, i64),
    folder: TempDir,
    regions: Vec<String>,
    /// The latest time of each metric and its largest value then.
    shown: Mutex<BTreeMap<Name, (i64, f64)>>,
}

impl Stage {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self::delivered(arguments, &Delivery::default())
    }

    /// With records that are delivered so.
    pub(crate) fn delivered(arguments: &[&str], delivery: &Delivery) -> Self {
        Self::of(account(arguments), delivery)
    }

    /// In which other software makes so many Decrypts a minute in the later half of its time.
    pub(crate) fn busy(arguments: &[&str], per_minute: i64) -> Self {
        let account = account(arguments);
        let (from, to) = window(account.path());
        busy::decrypts(account.path(), (i64::midpoint(from, to), to), per_minute);
        Self::of(account, &Delivery::default())
    }

    fn of(account: TempDir, delivery: &Delivery) -> Self {
        let shown = Arc::new(Account::load(account.path(), delivery).expect("an account"));
        let options = Options { lookup_quota: Quota::none(), clock: Clock::AtEnd, ..Options::default() };
        let stand_in = StandIn::start(Arc::clone(&shown), options).expect("a stand-in");
        let window = window(account.path());
        let regions = std::fs::read_dir(account.path().join("AWSLogs").join(ACCOUNT).join("CloudTrail"))
            .expect("regions")
            .map(|entry| entry.expect("a region").file_name().to_string_lossy().into_owned())
            .collect();
        Self { account, stand_in, window, folder: tempdir().expect("a folder"), regions, shown: Mutex::default() }
    }

    /// Where the function keeps its state, as a file.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state.json.gz")
    }

    /// The variables of a function that looks at it.
    pub(crate) fn variables(&self, source: &str) -> Vec<(&'static str, String)> {
        let targets = json!([{"account": ACCOUNT, "regions": self.regions}]);
        let trail = match source {
            "directory" => format!("file://{}", self.account.path().join("AWSLogs").display()),
            _ => "s3://trail".to_owned(),
        };
        vec![
            ("AWS_ENDPOINT_URL", self.stand_in.url()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCOUNT.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "dummy".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("HOME", self.folder.path().display().to_string()),
            ("SOURCE", source.to_owned()),
            ("STATE_URL", format!("file://{}", self.state().display())),
            ("QUEUE_URL", self.stand_in.queue_url()),
            ("TRAIL_URL", trail),
            ("TARGETS", targets.to_string()),
            ("CLOCK", "event".to_owned()),
            ("LOOKUP_REQUESTS_PER_SECOND", "1000".to_owned()),
            ("LOOKUP_REQUESTS_PER_RUN", "10000".to_owned()),
        ]
    }

    /// The function, started.
    pub(crate) fn function(variables: &[(&'static str, String)]) -> Function {
        Function::start(bootstrap(), variables)
    }

    /// Invokes a run at a second, at which the stand-in's clock stands too.
    pub(crate) fn run(&self, function: &mut Function, second: i64) -> Value {
        let event = self.event(second);
        function.invoke(&event).unwrap_or_else(|error| panic!("{event}: {error}"))
    }

    /// The event of a run at a second, at which the stand-in's clock stands too.
    pub(crate) fn event(&self, second: i64) -> Value {
        self.stand_in.set_clock(second);
        json!({"scheduledTime": jiff::Timestamp::from_second(second).expect("a time").to_string()})
    }

    /// Every metric by name and stack, as CloudWatch shows it with Maximum, at its last time.
    pub(crate) fn latest(&self) -> Values {
        let mut shown = self.shown.lock().expect("no panic before");
        for datum in self.stand_in.take_metrics() {
            let stack = datum.dimensions.into_iter().find(|(name, _)| name == "Stack").map(|(_, stack)| stack);
            let entry = shown.entry((datum.name, stack)).or_insert((i64::MIN, f64::MIN));
            let value = datum.values.into_iter().fold(f64::MIN, f64::max);
            if datum.timestamp > entry.0 {
                *entry = (datum.timestamp, value);
            } else if datum.timestamp == entry.0 {
                entry.1 = entry.1.max(value);
            }
        }
        shown.iter().map(|(key, (_, value))| (key.clone(), *value)).collect()
    }

    /// The metrics of the runs of one time alone; what they did not publish is not among them.
    pub(crate) fn published(&self, second: i64) -> Values {
        let latest = self.latest();
        let shown = self.shown.lock().expect("no panic before");
        latest.into_iter().filter(|(key, _)| shown.get(key).is_some_and(|(at, _)| *at == second)).collect()
    }
}

/// The first record of an account and the last, in seconds.
fn window(account: &Path) -> (i64, i64) {
    let truth = truth(account);
    let second = |name: &str| {
        let time: jiff::Timestamp = truth["window"][name].as_str().expect("a time").parse().expect("a time");
        time.as_second()
    };
    (second("from"), second("to"))
}
