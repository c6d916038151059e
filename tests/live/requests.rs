//! How many requests lookups make, counted by the stand-in, for a fleet of 2,000 with the default budget: one request a
//! second, of which four fifths of a period may be used.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use exposure_aws::clients::{Clients, Target};
use exposure_aws::sources::lookup::client::{LookupClient, LookupError, Page, Query, SdkLookup};
use exposure_aws::sources::lookup::memory::{LookupMemory, OVERLAP_SECONDS};
use exposure_aws::sources::lookup::stream::{CAUSES, Stream, TRANSITIONS};
use exposure_aws::sources::lookup::{LookupSettings, LookupSource};
use exposure_aws::sources::{Ask, PlaceMemory, RecordSource, requests_per_run};
use exposure_core::fleet::{Fleet, Member};
use exposure_core::ids::{AccountId, InstanceId, Region, Source};
use exposure_core::ledger::Ledger;
use exposure_core::lifecycle::LifecycleState;
use exposure_core::time::Timestamp;
use exposure_stand_in::{Quota, RequestLine, gzip};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep_until};

use crate::account::{ACCOUNT, Stage};

const REGION: &str = "eu-central-1";
const FLEET: [&str; 4] = ["--instances", "2000", "--records", "50000"];
const PERIOD: i64 = 300;
/// How many lookups it may take until the two days of the trail are filled in: the pages of all causes and of the
/// cheapest streams of sightings are about 400, and the runs until then take some for what is new.
const FILLED: usize = 1_100;

fn budget() -> usize {
    usize::try_from(requests_per_run(Duration::from_mins(5), 1.0)).expect("a number")
}

fn lookups(stage: &Stage) -> Vec<RequestLine> {
    stage.stand_in.requests().into_iter().filter(|line| line.operation == "LookupEvents").collect()
}

/// The lookups of windows that end now: what is new, and not the past.
fn new_ones(lines: &[RequestLine], second: i64) -> usize {
    lines.iter().filter(|line| line.details["EndTime"].as_f64().is_some_and(|end| end >= seconds(second))).count()
}

#[expect(clippy::cast_precision_loss, reason = "times of this age fit into 53 bits")]
fn seconds(second: i64) -> f64 {
    second as f64
}

/// A function that looks at the home region alone, with so many requests a run.
fn variables(stage: &Stage, requests: usize) -> Vec<(&'static str, String)> {
    let mut variables = stage.variables("lookup");
    variables.retain(|(name, _)| !["TARGETS", "LOOKUP_REQUESTS_PER_RUN"].contains(name));
    variables.push(("TARGETS", json!([{"account": ACCOUNT, "regions": [REGION]}]).to_string()));
    variables.push(("LOOKUP_REQUESTS_PER_RUN", requests.to_string()));
    variables
}

/// What the function remembers of lookups in the home region.
fn remembered(stage: &Stage) -> Value {
    let packed = std::fs::read(stage.state()).expect("a state");
    let all: Value = serde_json::from_slice(&gzip::unpack(&packed).expect("gzip")).expect("JSON");
    let places = all["places"].as_array().expect("places");
    places.iter().find(|place| place["region"] == REGION).expect("the region")["memory"]["lookup"].clone()
}

#[test]
fn the_function_keeps_its_budget_and_serves_the_present_before_the_past() {
    let stage = Stage::new(&FLEET);
    // What the clock jumps over from run to run comes back: a run that takes more than its budget is throttled.
    stage.stand_in.lookup_quota(Quota::by_clock(f64::from(u32::try_from(budget()).expect("small"))));
    let mut function = Stage::function(&variables(&stage, budget()));
    let begin = stage.window.1 - 7_200;
    let (mut total, mut from) = (0, String::from("9"));
    for run in 0..30 {
        let second = begin + run * PERIOD;
        stage.stand_in.clear_requests();
        let answer = stage.run(&mut function, second);
        let asked = lookups(&stage);
        assert!(asked.len() <= budget(), "run {run}: {}", asked.len());
        assert!(asked.iter().all(|line| line.status == 200), "run {run}: throttled");
        assert_eq!(answer["outcome"], "complete", "{answer:#}");
        let now = jiff::Timestamp::from_second(second).expect("a time").to_string();
        assert_eq!(answer["targets"][0]["completeThrough"], now.as_str(), "run {run}: the present comes first");
        let latest = stage.latest();
        let metric = |name: &str| latest.get(&(name.to_owned(), None)).copied().expect(name);
        assert!((metric("WorkCompleted") - 100.0).abs() < 1e-9, "run {run}: {}", metric("WorkCompleted"));
        let used = 100.0 * f64::from(u32::try_from(asked.len()).expect("small"))
            / f64::from(u32::try_from(budget()).expect("small"));
        assert!((metric("SourceBudgetUsed") - used).abs() < 1e-6, "run {run}: {used}");
        total += asked.len();
        // The past goes back and never forth.
        let reached = remembered(&stage)["sightings_from"].as_str().expect("a time").to_owned();
        assert!(reached <= from, "run {run}: {reached} after {from}");
        assert!(run > 0 || new_ones(&asked, second) < asked.len(), "the first run has requests to spare for the past");
        from = reached;
        if from < jiff::Timestamp::from_second(stage.window.0).expect("a time").to_string() {
            assert!(total <= FILLED, "{total} lookups until the past is filled in");
            assert!(run > 2, "it takes turns");
            return;
        }
    }
    panic!("the past is filled in down to {from} after {total} lookups");
}

#[test]
fn a_budget_that_no_plan_fits_is_kept_shown_and_said() {
    let stage = Stage::new(&["--days", "1", "--instances", "400"]);
    let mut function = Stage::function(&variables(&stage, 18));
    for run in 0..2 {
        stage.stand_in.clear_requests();
        let answer = stage.run(&mut function, stage.window.1 - 3_600 + run * PERIOD);
        assert_eq!(lookups(&stage).len(), 18);
        assert_eq!(answer["outcome"], "partial", "{answer:#}");
        let problems = answer["problems"].to_string();
        assert!(
            problems.contains("18 requests ran out") && problems.contains("SOURCE=queue or SOURCE=logs"),
            "{problems}"
        );
        let latest = stage.latest();
        let metric = |name: &str| latest.get(&(name.to_owned(), None)).copied().expect(name);
        assert!(metric("WorkCompleted") < 100.0 && metric("RunCompleted") < 1.0);
        assert!((metric("SourceBudgetUsed") - 100.0).abs() < 1e-9);
    }
}

/// The SDK's client, whose requests reach the stand-in at the simulated time: what waits waits in that.
#[derive(Clone)]
struct Driven {
    client: Arc<SdkLookup>,
    /// Where the requests are really made.
    runtime: Arc<Runtime>,
    stage: Arc<Stage>,
    /// The first run's time.
    begin: i64,
    began: Instant,
}

impl LookupClient for Driven {
    async fn page(&self, query: &Query) -> Result<Page, LookupError> {
        let passed = i64::try_from(self.began.elapsed().as_millis()).expect("a time");
        self.stage.stand_in.set_clock_millis(self.begin * 1_000 + passed);
        let (client, runtime, query) = (Arc::clone(&self.client), Arc::clone(&self.runtime), query.clone());
        // Simulated time stands still while something blocks.
        let asked = tokio::task::spawn_blocking(move || runtime.block_on(client.page(&query)));
        asked.await.expect("no panic")
    }
}

fn instance(text: &str) -> InstanceId {
    InstanceId::new(text).expect("an instance")
}

fn fleet_at(stage: &Stage, second: i64) -> Fleet {
    let members = stage.stand_in.account().members_at(second).into_iter().map(|(_, id, state)| Member {
        instance: instance(&id),
        group: None,
        state: LifecycleState::new(&state),
        region: None,
    });
    Fleet { members: members.collect(), ..Fleet::default() }
}

/// The fewest requests that show causes and the sightings of all, by what is known of keys and how busy streams are:
/// every set of keys is tried, and every Decrypt.
fn fewest(memory: &LookupMemory, members: &BTreeSet<InstanceId>) -> u64 {
    let window = (PERIOD + OVERLAP_SECONDS).unsigned_abs();
    let pages = |stream: &Stream| memory.pages(stream, window);
    let calls: u64 = CAUSES.iter().chain(&TRANSITIONS).map(|name| pages(&Stream::event_name(name))).sum();
    let keys: Vec<&String> = memory.keys.keys().collect();
    assert!((1..=8).contains(&keys.len()), "{}", keys.len());
    let by_keys = (0_u32..1 << keys.len()).map(|set| {
        let read = |arn: &String| keys.iter().position(|key| *key == arn).is_some_and(|at| set >> at & 1 == 1);
        let shown = |member: &InstanceId| {
            let mut used =
                memory.keys.iter().filter(|(_, users)| users.contains(member)).map(|(arn, _)| arn).peekable();
            used.peek().is_some() && used.all(read)
        };
        let by_name = members.iter().filter(|member| !shown(member)).map(|member| pages(&Stream::instance(*member)));
        let by_key = keys.iter().filter(|arn| read(arn)).map(|arn| pages(&Stream::key(arn)));
        by_name.chain(by_key).sum()
    });
    calls + by_keys.chain([pages(&Stream::decrypts())]).min().expect("a plan")
}

#[test]
fn the_quota_is_kept_in_simulated_time_by_nearly_the_best_plan() {
    let stage = Arc::new(Stage::new(&FLEET));
    stage.stand_in.lookup_quota(Quota::by_clock(2.0));
    let real = Arc::new(runtime(false));
    let place =
        Source { account: AccountId::new(ACCOUNT).expect("valid"), region: Region::new(REGION).expect("valid") };
    let loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(stage.stand_in.url())
        .region(aws_config::Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(ACCOUNT, "dummy", None, None, "test")));
    let clients = real.block_on(Clients::from_loader(loader));
    let client = real.block_on(clients.at(&Target::default(), &place.region)).cloudtrail;
    let settings =
        LookupSettings { requests_per_second: 1.0, requests_per_run: requests_per_run(Duration::from_mins(5), 1.0) };
    let begin = stage.window.1 - 7_200;

    runtime(true).block_on(async {
        let start = Instant::now();
        let driven = Driven {
            client: Arc::new(SdkLookup(client)),
            runtime: Arc::clone(&real),
            stage: Arc::clone(&stage),
            begin,
            began: start,
        };
        let source = LookupSource::new(move |_| Some(driven.clone()), settings).seeded(1);
        let (mut ledger, mut memory) = (Ledger::new(), PlaceMemory::default());
        let (mut made, mut best, mut steady) = (0, 0, 0);
        for run in 0..20_u32 {
            let second = begin + i64::from(run) * PERIOD;
            let due = start + Duration::from_mins(5) * run;
            sleep_until(due).await;
            stage.stand_in.clear_requests();
            let (fleet, now) = (fleet_at(&stage, second), Timestamp::from_second(second));
            let deadline = due + Duration::from_mins(5);
            let ask = Ask { place: &place, now, deadline, ledger: &ledger, fleet: &fleet, memory: &memory };
            let batch = source.read(&[ask]).await.pop().expect("an answer").expect("a batch");
            let asked = lookups(&stage);
            assert_eq!(u64::try_from(asked.len()).expect("small"), batch.requests.made);
            assert!(
                batch.requests.made <= batch.requests.budget && batch.requests.throttled == 0,
                "{:?}",
                batch.requests
            );
            assert!(asked.iter().all(|line| line.status == 200), "run {run}: beyond 2 requests a second");
            assert!(due.elapsed() < Duration::from_secs(280), "run {run} took {:?}", due.elapsed());
            assert_eq!(batch.complete_through, Some(now), "run {run}: {:?}", batch.problems);
            if run >= 8 {
                let members = fleet.members.iter().map(|member| member.instance).collect();
                made += u64::try_from(new_ones(&asked, second)).expect("small");
                best += fewest(&memory.lookup, &members);
                steady += 1;
            }
            for observation in &batch.observations {
                ledger.absorb(observation);
            }
            memory = batch.memory;
        }
        assert!(steady > 8 && best > 17 * steady, "{best} requests in {steady} runs");
        assert!(made * 10 <= best * 12, "{made} requests for what is new in {steady} runs, and {best} would do");
    });
}

/// A runtime of one thread, of simulated time where that is asked for: it passes when nothing else happens.
fn runtime(simulated: bool) -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(simulated).build().expect("a runtime")
}
