//! Rules of judgement 3 to 8: a story for each sentence, which is told otherwise where the sentence is left out.

mod causes;
mod migrations;
mod verdicts;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::SignedDuration;

use super::{Evidence, Settings};
use crate::analysis::{Accounting, Analysis, InstanceRow, Question, Window};
use crate::fleet::{Activity, Fleet, Group, Member};
use crate::ids::{AutoScalingGroupArn, AutoScalingGroupName, EventId, InstanceId, RequestId, Source, VolumeId};
use crate::ledger::Ledger;
use crate::lifecycle::LifecycleState;
use crate::observation::{Cause, Kind, Observation, Target, Transition};
use crate::stacks::StackRules;
use crate::time::{TimeSpan, Timestamp};

const ARN: &str = "arn:aws:autoscaling:eu-central-1:111122223333:autoScalingGroup:1:autoScalingGroupName/web";
const BEGINNING: i64 = 1_778_457_600;

/// What is on record of one instance. Times are seconds from an arbitrary beginning; volumes are letters, so that
/// `"ab"` means two of them.
#[derive(Debug, Clone)]
struct Story {
    observations: Vec<Observation>,
    snapshots: Vec<(&'static str, i64)>,
    activities: Vec<(i64, bool)>,
    watched: Vec<(i64, i64)>,
    settings: Settings,
    complete_through: Option<Timestamp>,
    state: &'static str,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(BEGINNING + seconds)
}

fn source(region: &str) -> Source {
    Source { account: id("111122223333"), region: id(region) }
}

fn volume(letter: char) -> VolumeId {
    id(&format!("vol-0000000000000000{letter}"))
}

/// Reads an identifier that a test writes.
fn id<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_value(text.into()).expect(text)
}

fn own() -> InstanceId {
    id("i-00000000000000001")
}

fn other() -> InstanceId {
    id("i-00000000000000002")
}

/// A story of an instance whose account and region show nothing else: no launch, and no record around it.
fn quiet() -> Story {
    Story {
        observations: Vec::new(),
        snapshots: Vec::new(),
        activities: Vec::new(),
        watched: Vec::new(),
        settings: Settings::default(),
        complete_through: None,
        state: "InService",
    }
}

/// A story of an instance older than the trail, which shows other launches.
fn older_than_the_trail() -> Story {
    quiet().cause_of_other(Cause::Launch, 0).watched(0, 1_000_000)
}

/// A story of an instance that was launched at 0, and the baselines of `volumes`.
fn launched(volumes: &str) -> Story {
    quiet().cause(Cause::Launch, 0).sight(volumes, 20)
}

impl Story {
    fn note(mut self, kind: Kind, time: i64) -> Self {
        let identity: EventId = id(&format!("event-{:03}", self.observations.len()));
        self.observations.push(Observation {
            event_id: identity.clone(),
            identity,
            own_copy: true,
            time: at(time),
            source: source("eu-central-1"),
            request_id: None,
            kind,
        });
        self
    }

    fn sight(self, volumes: &str, time: i64) -> Self {
        volumes
            .chars()
            .fold(self, |story, letter| story.note(Kind::Sighting { instance: own(), volume: volume(letter) }, time))
    }

    fn caused(self, cause: Cause, target: Target, by_auto_scaling: bool, time: i64) -> Self {
        self.note(Kind::Cause { cause, targets: vec![target], by_auto_scaling }, time)
    }

    fn cause(self, cause: Cause, time: i64) -> Self {
        self.caused(cause, Target::instance(own()), false, time)
    }

    fn cause_by_auto_scaling(self, cause: Cause, time: i64) -> Self {
        self.caused(cause, Target::instance(own()), true, time)
    }

    fn cause_of_other(self, cause: Cause, time: i64) -> Self {
        self.caused(cause, Target::instance(other()), false, time)
    }

    /// A cause that names volumes.
    fn cause_of(self, cause: Cause, volumes: &str, time: i64) -> Self {
        volumes.chars().fold(self, |story, letter| {
            let target = Target { volume: Some(volume(letter)), ..Target::instance(own()) };
            story.caused(cause, target, false, time)
        })
    }

    fn grant(self, volumes: &str, time: i64) -> Self {
        self.cause_of(Cause::Grant, volumes, time)
    }

    fn attach(self, volumes: &str, time: i64) -> Self {
        self.cause_of(Cause::Attach, volumes, time)
    }

    fn detach(self, volumes: &str, time: i64) -> Self {
        self.cause_of(Cause::Detach, volumes, time)
    }

    fn transition(self, transition: Transition, time: i64) -> Self {
        self.note(Kind::Transition { transition, instances: vec![own()] }, time)
    }

    fn unnamed_launch(self, time: i64) -> Self {
        self.note(Kind::UnnamedLaunch, time)
    }

    /// Gives the last record a request.
    fn of_request(mut self, request: &str) -> Self {
        self.observations.last_mut().expect("a record").request_id = Some(RequestId::new(request).expect(request));
        self
    }

    /// Moves the last record to another region.
    fn in_region(mut self, region: &str) -> Self {
        self.observations.last_mut().expect("a record").source = source(region);
        self
    }

    fn snapshot(mut self, state: &'static str, time: i64) -> Self {
        self.snapshots.push((state, time));
        self
    }

    fn activity(mut self, departs: bool, time: i64) -> Self {
        self.activities.push((time, departs));
        self
    }

    /// Records that mean nothing, from one time to another.
    fn watched(mut self, from: i64, to: i64) -> Self {
        self.watched.push((from, to));
        self
    }

    fn complete_through(mut self, time: i64) -> Self {
        self.complete_through = Some(at(time));
        self
    }

    fn coalesce(mut self, seconds: i64) -> Self {
        self.settings.coalesce = SignedDuration::from_secs(seconds);
        self
    }

    /// The state of the member now.
    fn state(mut self, state: &'static str) -> Self {
        self.state = state;
        self
    }

    fn fleet(state: &str, taken: Option<Timestamp>) -> Fleet {
        let group = Group {
            name: AutoScalingGroupName::new("web").expect("a name"),
            arn: Some(AutoScalingGroupArn::new(ARN).expect("an ARN")),
            source: Some(source("eu-central-1")),
            tags: vec![("Stack".to_owned(), "Nighttime".to_owned())],
            has_warm_pool: false,
        };
        let member = Member { instance: own(), group: Some(0), state: LifecycleState::new(state), region: None };
        Fleet { taken, groups: vec![group], members: vec![member] }
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::new();
        for observation in &self.observations {
            ledger.absorb(observation);
        }
        for (from, to) in &self.watched {
            ledger.observed(&source("eu-central-1"), TimeSpan { from: at(*from), to: at(*to) });
        }
        for (state, time) in &self.snapshots {
            ledger.absorb_fleet(&Self::fleet(state, Some(at(*time))), |_| "Nighttime".to_owned());
        }
        let activities = self.activities.iter().enumerate().map(|(number, (time, departs))| Activity {
            id: format!("activity-{number}"),
            instance: own(),
            group: AutoScalingGroupName::new("web").expect("a name"),
            group_arn: Some(AutoScalingGroupArn::new(ARN).expect("an ARN")),
            started: at(*time),
            ended: Some(at(time + 5)),
            departs: *departs,
        });
        ledger.absorb_activities(&activities.collect::<Vec<_>>(), None);
        ledger
    }

    fn ask<T>(&self, ask: impl FnOnce(&Question<'_>) -> T) -> T {
        let fleet = Self::fleet(self.state, None);
        let (ledger, stacks) = (self.ledger(), StackRules::default());
        let through = self.complete_through.map(|through| BTreeMap::from([(source("eu-central-1"), through)]));
        let settings = &self.settings;
        let complete = through.as_ref();
        ask(&Question { ledger: &ledger, fleet: Some(&fleet), stacks: &stacks, settings, complete, all: true })
    }

    fn answer(&self) -> Analysis {
        self.ask(|question| question.answer(Window::default(), Accounting::default()))
    }

    fn row(&self) -> InstanceRow {
        self.answer().instances.into_iter().find(|row| row.instance_id == own()).expect("the member")
    }

    fn reason(&self) -> String {
        self.row().reason.expect("a member's verdict has a reason")
    }

    /// What each of its presumed migrations rests on.
    fn evidence(&self) -> Vec<Option<Evidence>> {
        let subjects = self.ask(|question| question.of_instance(own()));
        subjects.iter().flat_map(|s| s.timeline.migrations.iter().map(|m| m.evidence)).collect()
    }

    /// Verdict, migrations and reattachments, such as `exposed | confirmed ab@7200 | start ab@3600`.
    fn told(&self) -> String {
        let row = self.row();
        let letters =
            |volumes: &[VolumeId]| -> String { volumes.iter().filter_map(|v| v.as_str().chars().last()).collect() };
        let mut told = row.verdict.expect("a member's verdict").to_string();
        for migration in &row.migrations {
            let (at, volumes) = (migration.at.as_second() - BEGINNING, letters(&migration.volumes));
            write!(told, " | {} {volumes}@{at}", migration.confidence).expect("room");
        }
        for reattachment in &row.reattachments {
            let (at, volumes) = (reattachment.at.as_second() - BEGINNING, letters(&reattachment.volumes));
            write!(told, " | {} {volumes}@{at}", reattachment.cause).expect("room");
        }
        told
    }
}

/// Checks each story of a table, and names all that are told otherwise.
fn tell(table: &[(&str, Story, &str)]) {
    assert!(!table.is_empty(), "an empty table shows nothing");
    let wrong: Vec<String> = table
        .iter()
        .map(|(rule, story, expected)| (rule, story.told(), expected))
        .filter(|(_, told, expected)| told != *expected)
        .map(|(rule, told, expected)| format!("{rule}\n  expected {expected}\n  told     {told}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
