//! What the answer says of all together: coverage, stacks, and the schema that other tools read.

mod coverage;
mod schema;
mod service;
mod stacks;

use super::*;
use crate::fleet::{Activity, Group, Member};
use crate::ids::{AutoScalingGroupArn, Source};
use crate::observation::{Kind, Observation, Target, Transition};

const BEGINNING: i64 = 1_778_457_600;
const HOME: &str = "eu-central-1";
const AWAY: &str = "us-east-1";

/// A made-up account: what is on record of it, and its fleet. Times are seconds from an arbitrary beginning.
#[derive(Debug, Default)]
struct World {
    ledger: Ledger,
    fleet: Option<Fleet>,
    rules: StackRules,
    records: usize,
    all: bool,
    settings: Settings,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(BEGINNING + seconds)
}

fn source(region: &str) -> Source {
    source_of("111122223333", region)
}

fn source_of(account: &str, region: &str) -> Source {
    Source { account: AccountId::new(account).expect(account), region: Region::new(region).expect(region) }
}

fn instance(number: usize) -> InstanceId {
    InstanceId::new(&format!("i-{number:017x}")).expect("an instance")
}

fn volume(number: usize) -> VolumeId {
    VolumeId::new(&format!("vol-{number:017x}")).expect("a volume")
}

fn arn(name: &str, number: usize) -> AutoScalingGroupArn {
    let arn = format!("arn:aws:autoscaling:{HOME}:111122223333:autoScalingGroup:{number}:autoScalingGroupName/{name}");
    AutoScalingGroupArn::new(&arn).expect("an ARN")
}

/// A group of [`HOME`], the first of its name.
fn group(name: &str, stack: &str) -> Group {
    Group {
        name: AutoScalingGroupName::new(name).expect(name),
        arn: Some(arn(name, 0)),
        source: Some(source(HOME)),
        tags: if stack.is_empty() { Vec::new() } else { vec![("Stack".to_owned(), stack.to_owned())] },
        has_warm_pool: false,
    }
}

impl World {
    fn note_in(&mut self, source: Source, kind: Kind, time: i64) -> &mut Self {
        self.records += 1;
        let identity = EventId::new(&format!("event-{}", self.records)).expect("an event");
        let (event_id, time) = (identity.clone(), at(time));
        let observation = Observation { identity, event_id, own_copy: true, time, source, request_id: None, kind };
        self.ledger.absorb(&observation);
        self
    }

    fn note(&mut self, kind: Kind, time: i64) -> &mut Self {
        self.note_in(source(HOME), kind, time)
    }

    fn sight(&mut self, number: usize, time: i64) -> &mut Self {
        self.note(sighting(number), time)
    }

    fn launch(&mut self, number: usize, time: i64) -> &mut Self {
        self.note(launch(number, None), time)
    }

    fn launch_into(&mut self, group: &str, number: usize, time: i64) -> &mut Self {
        self.note(launch(number, Some(group)), time)
    }

    fn grant(&mut self, number: usize, time: i64) -> &mut Self {
        let target = Target { volume: Some(volume(number)), ..Target::instance(instance(number)) };
        self.note(Kind::Cause { cause: Cause::Grant, targets: vec![target], by_auto_scaling: true }, time)
    }

    /// Launched at 0 with its baseline, and moved at each of these times.
    fn migrated(&mut self, number: usize, times: &[i64]) -> &mut Self {
        self.launch(number, 0).sight(number, 20);
        times.iter().fold(self, |world, time| world.sight(number, *time))
    }

    /// Launched at 0 with two volumes, of which one moved at 7200.
    fn moved_in_part(&mut self, number: usize) -> &mut Self {
        let second = Kind::Sighting { instance: instance(number), volume: volume(number + 100) };
        self.launch(number, 0).sight(number, 20).note(second, 20).sight(number, 7_200)
    }

    /// Records that mean nothing, from one time to another.
    fn watched(&mut self, from: i64, to: i64) -> &mut Self {
        self.ledger.observed(&source(HOME), TimeSpan { from: at(from), to: at(to) });
        self
    }

    fn transition(&mut self, number: usize, transition: Transition, time: i64) -> &mut Self {
        self.note(Kind::Transition { transition, instances: vec![instance(number)] }, time)
    }

    /// A fleet snapshot, and nothing else, of a group and its members.
    fn snapshot(&mut self, group: Group, numbers: &[usize], time: i64) -> &mut Self {
        let members = numbers.iter().map(|number| member(*number, Some(0), "InService")).collect();
        let fleet = Fleet { taken: Some(at(time)), groups: vec![group], members };
        let rules = &self.rules;
        self.ledger.absorb_fleet(&fleet, |group| rules.of_group(group));
        self
    }

    /// A scaling activity: evidence of the instance's group by its ARN.
    fn activity(&mut self, group: &str, group_number: usize, number: usize, time: i64) -> &mut Self {
        let activity = Activity {
            id: format!("activity-{number}-{time}"),
            instance: instance(number),
            group: AutoScalingGroupName::new(group).expect(group),
            group_arn: Some(arn(group, group_number)),
            started: at(time),
            ended: None,
            departs: false,
        };
        self.ledger.absorb_activities(&[activity], None);
        self
    }

    /// Puts a group into the fleet of now, and instances in service into it.
    fn holds(&mut self, group: Group, numbers: &[usize]) -> &mut Self {
        numbers.iter().fold(self.holds_none(group), |world, number| world.holds_in(*number, "InService"))
    }

    fn holds_none(&mut self, group: Group) -> &mut Self {
        self.fleet.get_or_insert_default().groups.push(group);
        self
    }

    /// Puts an instance into the last group.
    fn holds_in(&mut self, number: usize, state: &str) -> &mut Self {
        let fleet = self.fleet.get_or_insert_default();
        let group = fleet.groups.len().checked_sub(1);
        fleet.members.push(member(number, group, state));
        self
    }

    fn question(&self) -> Question<'_> {
        let Self { ledger, fleet, rules, all, settings, .. } = self;
        Question { ledger, fleet: fleet.as_ref(), stacks: rules, settings, complete: None, all: *all }
    }

    fn answer(&self) -> Analysis {
        self.question().answer(Window::default(), Accounting::default())
    }

    /// The rows of the stacks that have anything, as `stack: members/exposed, migrations, partial`.
    fn rows(&self) -> Vec<String> {
        let told = |row: StackRow| {
            let StackRow { stack, members, exposed, migrations, partial_reattachments, .. } = row;
            format!("{stack}: {members}/{exposed}, {migrations}, {partial_reattachments}")
        };
        self.answer().stacks.into_iter().map(told).collect()
    }

    fn row(&self, number: usize) -> InstanceRow {
        let mut rows = self.answer().instances.into_iter();
        rows.find(|row| row.instance_id == instance(number)).expect("the instance is listed")
    }
}

fn sighting(number: usize) -> Kind {
    Kind::Sighting { instance: instance(number), volume: volume(number) }
}

fn launch(number: usize, group: Option<&str>) -> Kind {
    let group = group.map(|name| AutoScalingGroupName::new(name).expect(name));
    let target = Target { group, ..Target::instance(instance(number)) };
    Kind::Cause { cause: Cause::Launch, targets: vec![target], by_auto_scaling: true }
}

fn member(number: usize, group: Option<usize>, state: &str) -> Member {
    Member { instance: instance(number), group, state: LifecycleState::new(state), region: None }
}
