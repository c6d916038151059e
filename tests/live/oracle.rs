//! What the metrics of a run must say: worked out from what the simulator made happen and from what the stand-in could
//! show by then. Nothing here decodes a record or asks the analysis.
//!
//! | metric | compared |
//! |---|---|
//! | `Members`, `MembersInService`, `InstanceHoursTotal` | exactly, after every run |
//! | `MigrationsTotal` less `MigrationsRetractedTotal`, `PartialReattachmentsTotal`, `MembersExposed`, `OldestExposureAge` | all that happened longer ago than the stated delay, and nothing that has not settled |
//! | `ExposedPercent`, `WorstStackExposedPercent`, the fleet's sums | exactly, from the other metrics of the run |

use std::collections::{BTreeMap, BTreeSet};

use exposure_stand_in::Account;
use serde_json::Value;

use crate::account::Values;

/// README, "Settings": how long a cause may arrive after its sighting, and what is one attachment.
const SETTLE: i64 = 900;
const COALESCE: i64 = 600;
/// How long before a reattachment what explains it may lie: an earlier grant of the same request is the earliest.
const EXPLAINING: i64 = 3_600;
/// How long a delivery may take that is not called late.
const USUAL: i64 = 900;
/// How far lookups overlap: what comes later is looked for once an hour.
const OVERLAP: i64 = 1_800;
const AGAIN: i64 = 3_600;

/// How long after its last Decrypt a migration counts at the latest, if its records have been delivered.
///
/// Lookups are complete up to the run itself. A queue and a bucket are taken to be complete up to 15 minutes before.
pub(crate) fn stated_delay(source: &str, step: i64) -> Delay {
    match source {
        "lookup" => Delay { usual: SETTLE, late: AGAIN + step },
        _ => Delay { usual: SETTLE + USUAL, late: 0 },
    }
}

/// What a source promises.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delay {
    /// From the last Decrypt until a migration counts.
    usual: i64,
    /// From a late delivery until it is found.
    late: i64,
}

/// A host move that nothing explains.
#[derive(Debug)]
struct Moved {
    instance: String,
    stack: Option<String>,
    confidence: String,
    /// The first Decrypt and the last.
    at: i64,
    last: i64,
    /// When the first of them could be seen, and the last.
    shown: i64,
    all_shown: i64,
}

/// A host move with a reason whose record comes late: until then it may look like a migration.
#[derive(Debug)]
struct Unexplained {
    instance: String,
    stack: Option<String>,
    at: i64,
    until: i64,
}

/// At least and at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bounds {
    least: i64,
    most: i64,
}

/// The truth by time.
pub(crate) struct Oracle<'a> {
    account: &'a Account,
    delay: Delay,
    /// The stack of each group.
    stacks: BTreeMap<String, String>,
    moved: Vec<Moved>,
    unexplained: Vec<Unexplained>,
    /// The times of the runs so far.
    runs: Vec<i64>,
    /// In service by stack at the last run, and the hours so far in cells of five minutes.
    in_service: BTreeMap<String, i64>,
    cells: BTreeMap<String, i64>,
    /// Comparisons within the delay, and how many of them left no room.
    pub(crate) compared: (u32, u32),
}

impl<'a> Oracle<'a> {
    /// The truth of an account as the simulator wrote it (`truth.json`, `fleet.json`) and a stand-in shows it.
    pub(crate) fn new(account: &'a Account, truth: &Value, fleet: &Value, delay: Delay) -> Self {
        let mut oracle = Self {
            account,
            delay,
            stacks: stacks_of(fleet),
            moved: Vec::new(),
            unexplained: Vec::new(),
            runs: Vec::new(),
            in_service: BTreeMap::new(),
            cells: BTreeMap::new(),
            compared: (0, 0),
        };
        for row in truth["instances"].as_array().expect("instances") {
            oracle.take(row);
        }
        oracle
    }

    fn take(&mut self, row: &Value) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let (instance, stack) = (text(&row["instance_id"]).expect("an instance"), text(&row["stack"]));
        for migration in row["migrations"].as_array().expect("migrations") {
            let events = || migration["event_ids"].as_array().expect("events").iter().filter_map(Value::as_str);
            let shown = || events().filter_map(|event| self.account.delivered_at(event));
            let happened = events().filter_map(|event| self.account.happened_at(event));
            self.moved.push(Moved {
                instance: instance.clone(),
                stack: stack.clone(),
                confidence: text(&migration["confidence"]).expect("a confidence"),
                at: second(&migration["at"]),
                last: happened.max().expect("a Decrypt"),
                shown: shown().min().expect("a delivery"),
                all_shown: shown().max().expect("a delivery"),
            });
        }
        for reattachment in row["reattachments"].as_array().expect("reattachments") {
            let at = second(&reattachment["at"]);
            let until = self.account.told_by(&instance, (at - EXPLAINING, at + SETTLE)).unwrap_or(at);
            if until > at + USUAL {
                let (instance, stack) = (instance.clone(), stack.clone());
                self.unexplained.push(Unexplained { instance, stack, at, until });
            }
        }
    }

    /// Holds the metrics of the run at `now` against the truth.
    pub(crate) fn check(&mut self, now: i64, metrics: &Values) {
        let members = self.account.members_at(now);
        let stacks: BTreeSet<String> = self.stacks.values().cloned().chain(["unassigned".to_owned()]).collect();
        self.serve(now, &members);
        self.runs.push(now);
        for stack in &stacks {
            let of = |name: &str| metrics.get(&(name.to_owned(), Some(stack.clone()))).copied();
            let whole = |name: &str| of(name).map_or_else(|| panic!("{name} of {stack} at {now}"), whole);
            let own: Vec<_> = members.iter().filter(|(group, ..)| self.stack_of(group) == *stack).collect();
            let served = self.in_service.get(stack).copied().unwrap_or(0);
            let context = || format!("of {stack} at {} in {metrics:#?}", time(now));
            assert_eq!(whole("Members"), count(own.len()), "Members {}", context());
            assert_eq!(whole("MembersInService"), served, "MembersInService {}", context());
            let hours = seconds(self.cells.get(stack).copied().unwrap_or(0) * 300) / 3_600.0;
            let found = of("InstanceHoursTotal").expect("hours");
            assert!((found - hours).abs() < 1e-6, "InstanceHoursTotal {found}, not {hours}, {}", context());
            let (counted, partial) = self.counted(stack, now);
            let net = whole("MigrationsTotal") - whole("MigrationsRetractedTotal");
            self.within("migrations", net, counted, &context);
            self.within("partial", whole("PartialReattachmentsTotal"), partial, &context);
            let (exposed, since) = self.exposed(own.iter().map(|(_, id, state)| (id.as_str(), state.as_str())), now);
            self.within("MembersExposed", whole("MembersExposed"), exposed, &context);
            self.within("OldestExposureAge", whole("OldestExposureAge"), since, &context);
        }
        percentages(&stacks, metrics);
    }

    /// Notes who is in service. Five minutes without a run count as the run before them.
    fn serve(&mut self, now: i64, members: &[(String, String, String)]) {
        let missed = self.runs.last().map_or(0, |last| now.div_euclid(300) - last.div_euclid(300) - 1);
        for (stack, count) in &self.in_service {
            *self.cells.entry(stack.clone()).or_default() += count * missed;
        }
        self.in_service.clear();
        for (group, _, _) in members.iter().filter(|(_, _, state)| state == "InService") {
            *self.in_service.entry(self.stack_of(group)).or_default() += 1;
        }
        for (stack, count) in &self.in_service {
            *self.cells.entry(stack.clone()).or_default() += count;
        }
    }

    fn stack_of(&self, group: &str) -> String {
        self.stacks.get(group).map_or("unassigned", String::as_str).to_owned()
    }

    fn within(&mut self, what: &str, found: i64, bounds: Bounds, context: &dyn Fn() -> String) {
        self.compared.0 += 1;
        self.compared.1 += u32::from(bounds.least == bounds.most);
        assert!((bounds.least..=bounds.most).contains(&found), "{what}: {found} is not {bounds:?} {}", context());
    }

    /// Whether the move must be counted at a time, and whether it may.
    fn told(&self, moved: &Moved, now: i64) -> (bool, bool) {
        let found =
            if moved.all_shown > moved.at + OVERLAP { moved.all_shown + self.delay.late } else { moved.all_shown };
        let must = now >= moved.last + self.delay.usual && now >= found;
        (must, now >= moved.at + self.delay.usual && now >= moved.shown)
    }

    /// Migrations and partial ones of a stack until now.
    fn counted(&self, stack: &str, now: i64) -> (Bounds, Bounds) {
        let (mut counted, mut partial) = (Bounds::default(), Bounds::default());
        for moved in self.moved.iter().filter(|moved| moved.stack.as_deref() == Some(stack)) {
            let (must, may) = self.told(moved, now);
            let bounds = if moved.confidence == "partial" { &mut partial } else { &mut counted };
            if moved.confidence == "partial" || self.counts(moved) {
                bounds.least += i64::from(must);
                bounds.most += i64::from(may);
            }
        }
        let open = |late: &&Unexplained| late.stack.as_deref() == Some(stack) && self.is_open(late, now);
        let open = count(self.unexplained.iter().filter(open).count());
        counted.most += open;
        partial.most += open;
        (counted, partial)
    }

    fn is_open(&self, late: &Unexplained, now: i64) -> bool {
        now >= late.at && now < late.until + self.delay.usual + self.delay.late
    }

    /// Whether it is a migration: one without a baseline only of an instance that earlier runs saw running (rule 7).
    fn counts(&self, moved: &Moved) -> bool {
        let seen =
            |run: &&i64| **run <= moved.at - COALESCE && self.state(&moved.instance, **run).is_some_and(is_steady);
        match moved.confidence.as_str() {
            "confirmed" | "presumed" => true,
            "undetermined" => self.runs.iter().any(|run| seen(&run)),
            _ => false,
        }
    }

    fn state(&self, instance: &str, at: i64) -> Option<&'a str> {
        let states = self.account.states_of(instance);
        states.iter().take_while(|(from, _)| *from <= at).last().and_then(|(_, state)| state.as_deref())
    }

    /// Exposed members, and how long the first of them is.
    fn exposed<'m>(&self, members: impl Iterator<Item = (&'m str, &'m str)>, now: i64) -> (Bounds, Bounds) {
        let (mut exposed, mut since) = (Bounds::default(), Bounds::default());
        for (instance, _) in members.filter(|(_, state)| is_steady(state)) {
            let open = self.moved.iter().filter(|moved| moved.instance == instance && self.stays_open(moved, now));
            let told: Vec<(i64, bool, bool)> = open
                .map(|moved| (now - moved.at, self.told(moved, now)))
                .map(|(age, (must, may))| (age, must, may))
                .collect();
            let oldest = |of: fn(&(i64, bool, bool)) -> bool| told.iter().filter(|one| of(one)).map(|one| one.0).max();
            let (must, may) = (oldest(|one| one.1), oldest(|one| one.2));
            let late = self.unexplained.iter().filter(|late| late.instance == instance && self.is_open(late, now));
            let late = late.map(|late| now - late.at).max();
            exposed.least += i64::from(must.is_some());
            exposed.most += i64::from(may.or(late).is_some());
            since.least = since.least.max(must.unwrap_or(0));
            since.most = since.most.max(may.max(late).unwrap_or(0));
        }
        (exposed, since)
    }

    /// Whether it is a migration that no change of state has followed.
    fn stays_open(&self, moved: &Moved, now: i64) -> bool {
        let before = self.state(&moved.instance, moved.at);
        let states = self.account.states_of(&moved.instance).iter();
        let mut since = states.filter(|(from, _)| (moved.at..=now).contains(from));
        self.counts(moved) && since.all(|(_, state)| state.as_deref() == before)
    }

    /// How many migrations there are in the end, partial ones apart.
    pub(crate) fn migrations(&self) -> usize {
        self.moved.iter().filter(|moved| moved.stack.is_some() && self.counts(moved)).count()
    }
}

/// Shares and sums, from the other metrics of the run.
fn percentages(stacks: &BTreeSet<String>, metrics: &Values) {
    let of = |name: &str, stack: Option<&String>| metrics.get(&(name.to_owned(), stack.cloned())).copied();
    let percent = |stack: Option<&String>| {
        let number = |name: &str| of(name, stack).unwrap_or_else(|| panic!("{name} of {stack:?}"));
        let known = number("Members") - number("MembersUnseen") - number("MembersUndetermined");
        (known > 0.0).then(|| 100.0 * number("MembersExposed") / known)
    };
    for stack in stacks.iter().map(Some).chain([None]) {
        let (found, expected) = (of("ExposedPercent", stack), percent(stack));
        let near = found.zip(expected).is_none_or(|(found, expected)| (found - expected).abs() < 1e-6);
        assert!(near && found.is_some() == expected.is_some(), "ExposedPercent of {stack:?}: {found:?}, {expected:?}");
    }
    let worst = stacks.iter().filter_map(|stack| percent(Some(stack))).reduce(f64::max);
    let found = of("WorstStackExposedPercent", None);
    let near = found.zip(worst).is_none_or(|(found, worst)| (found - worst).abs() < 1e-6);
    assert!(near && found.is_some() == worst.is_some(), "WorstStackExposedPercent: {found:?}, {worst:?}");
    for name in [
        "Members",
        "MembersInService",
        "MembersExposed",
        "MembersRecovered",
        "MembersUnseen",
        "MembersUndetermined",
        "MigrationsTotal",
        "MigrationsRetractedTotal",
        "PartialReattachmentsTotal",
        "InstanceHoursTotal",
    ] {
        let sum: f64 = stacks.iter().filter_map(|stack| of(name, Some(stack))).sum();
        let fleet = of(name, None).unwrap_or_else(|| panic!("{name} of the fleet"));
        assert!((fleet - sum).abs() < 1e-6, "{name}: {fleet} of the fleet, {sum} of its stacks");
    }
}

/// The stack that each group's tag names.
fn stacks_of(fleet: &Value) -> BTreeMap<String, String> {
    let groups = fleet["AutoScalingGroups"].as_array().expect("groups").iter();
    let named = groups.filter_map(|group| {
        let tags = group["Tags"].as_array()?;
        let tag = tags.iter().find(|tag| tag["Key"] == "Stack")?;
        Some((group["AutoScalingGroupName"].as_str()?.to_owned(), tag["Value"].as_str()?.to_owned()))
    });
    named.collect()
}

/// The states in which an instance stands, rather than goes from one to another.
fn is_steady(state: &str) -> bool {
    matches!(state, "InService" | "Standby" | "Warmed:Running")
}

fn second(value: &Value) -> i64 {
    value.as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok()).expect("a time").as_second()
}

fn time(second: i64) -> String {
    jiff::Timestamp::from_second(second).expect("a time").to_string()
}

#[expect(clippy::cast_possible_truncation, reason = "counts and seconds of a replay")]
fn whole(value: f64) -> i64 {
    value.round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a replay")]
fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

fn count(number: usize) -> i64 {
    i64::try_from(number).expect("a count")
}
