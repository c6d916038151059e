//! Which streams to read for the sightings of all instances: the cheapest complete plan, out of what is known of
//! keys, instances and how busy each stream is. Pure.
//!
//! An instance is covered by all of its keys' streams, or by its own; so either each key of it is paid for or it is.
//! That is a vertex cover of keys and instances, and the cheapest one of a bipartite graph is a minimum cut (König,
//! Egerváry): exact for any number of keys. Against it stands reading every `Decrypt` of the account.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use exposure_core::ids::InstanceId;

use super::stream::Stream;

/// More than any number of requests.
const NEVER: u64 = 1 << 40;

/// What there is to choose from. Costs are in requests.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// The keys, with what reading each costs.
    pub keys: BTreeMap<String, u64>,
    /// The instances by the keys that they are known to use; none where no key is known.
    pub instances: BTreeMap<BTreeSet<String>, BTreeMap<InstanceId, u64>>,
    /// What every `Decrypt` costs, where that was measured.
    pub decrypts: Option<u64>,
    /// Whether keys' streams do not show sightings.
    pub keys_blind: bool,
    /// Whether instances' streams do not show sightings.
    pub instances_blind: bool,
    /// Whether the stream of every `Decrypt` does not show sightings.
    pub decrypts_blind: bool,
}

/// What to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Keys to read the use of.
    pub keys: BTreeSet<String>,
    /// Instances to read one by one.
    pub instances: BTreeSet<InstanceId>,
    /// Whether to read every `Decrypt`, and then nothing else.
    pub decrypts: bool,
    /// What it costs, in requests.
    pub requests: u64,
    /// Whether it shows the sightings of every instance, as far as is known.
    pub complete: bool,
}

impl Plan {
    /// The streams to read.
    #[must_use]
    pub fn streams(&self) -> Vec<Stream> {
        if self.decrypts {
            return vec![Stream::decrypts()];
        }
        let keys = self.keys.iter().map(|arn| Stream::key(arn));
        keys.chain(self.instances.iter().map(|instance| Stream::instance(*instance))).collect()
    }
}

/// The cheapest complete plan; where none is complete, the one of most instances.
#[must_use]
pub fn plan(choices: &Choices) -> Plan {
    let every = choices.decrypts.filter(|_| !choices.decrypts_blind).map(|requests| Plan {
        decrypts: true,
        requests,
        complete: true,
        ..Plan::default()
    });
    let cover = if choices.keys_blind && choices.instances_blind {
        // Nothing known works; what might is read all the same, and not believed.
        let open = Choices { keys_blind: false, instances_blind: false, ..choices.clone() };
        Plan { complete: choices.instances.is_empty(), ..cover(&open) }
    } else {
        cover(choices)
    };
    match every {
        Some(every) if !cover.complete || every.requests < cover.requests => every,
        _ => cover,
    }
}

/// The cheapest plan of keys and instances.
fn cover(choices: &Choices) -> Plan {
    let keys: Vec<(&String, u64)> = choices
        .keys
        .iter()
        .map(|(arn, cost)| (arn, if choices.keys_blind { NEVER } else { (*cost).min(NEVER - 1) }))
        .collect();
    let groups: Vec<(&BTreeSet<String>, &BTreeMap<InstanceId, u64>, u64)> = choices
        .instances
        .iter()
        .map(|(used, instances)| {
            let cost = instances.values().fold(0_u64, |sum, cost| sum.saturating_add(*cost)).min(NEVER - 1);
            (used, instances, if choices.instances_blind { NEVER } else { cost })
        })
        .collect();
    let mut cut = Cut::new(keys.iter().map(|(_, cost)| *cost), groups.iter().map(|(_, _, cost)| *cost));
    for (group, (used, ..)) in groups.iter().enumerate() {
        for (key, (arn, _)) in keys.iter().enumerate() {
            if used.contains(*arn) {
                cut.join(key, group);
            }
        }
    }
    let side = cut.solve();

    let mut plan = Plan { complete: true, ..Plan::default() };
    for (key, (arn, cost)) in keys.iter().enumerate() {
        let used = groups.iter().any(|(used, ..)| used.contains(*arn));
        if used && !side.keys.contains(&key) {
            plan.keys.insert((*arn).clone());
            plan.requests = plan.requests.saturating_add(*cost);
        }
    }
    for (used, instances, cost) in groups {
        let by_keys = !used.is_empty() && used.iter().all(|arn| plan.keys.contains(arn));
        if by_keys {
            continue;
        }
        if choices.instances_blind {
            plan.complete &= instances.is_empty();
            continue;
        }
        plan.instances.extend(instances.keys());
        plan.requests = plan.requests.saturating_add(cost);
    }
    plan
}

/// A minimum cut between keys and groups of instances, by augmenting along shortest paths (Edmonds and Karp).
struct Cut {
    keys: Vec<u64>,
    groups: Vec<u64>,
    joined: BTreeMap<usize, Vec<usize>>,
    flow: BTreeMap<usize, BTreeMap<usize, u64>>,
}

/// What can still be reached from the keys that are not paid for.
#[derive(Default)]
struct Side {
    keys: BTreeSet<usize>,
    groups: BTreeSet<usize>,
    /// From which key each group was reached, and from which group each key.
    group_from: BTreeMap<usize, usize>,
    key_from: BTreeMap<usize, usize>,
}

impl Cut {
    fn new(keys: impl Iterator<Item = u64>, groups: impl Iterator<Item = u64>) -> Self {
        Self { keys: keys.collect(), groups: groups.collect(), joined: BTreeMap::new(), flow: BTreeMap::new() }
    }

    fn join(&mut self, key: usize, group: usize) {
        self.joined.entry(key).or_default().push(group);
    }

    fn solve(mut self) -> Side {
        loop {
            let (side, end) = self.reach();
            let Some(end) = end else { return side };
            self.augment(&side, end);
        }
    }

    /// Goes as far as there is room, and says at which group some is left.
    fn reach(&self) -> (Side, Option<usize>) {
        let mut side = Side::default();
        let free = self.keys.iter().enumerate().filter(|(_, left)| **left > 0).map(|(key, _)| key);
        side.keys.extend(free);
        let mut waiting: VecDeque<usize> = side.keys.iter().copied().collect();
        while let Some(key) = waiting.pop_front() {
            for group in self.joined.get(&key).into_iter().flatten() {
                if !side.groups.insert(*group) {
                    continue;
                }
                side.group_from.insert(*group, key);
                if self.groups.get(*group).is_some_and(|left| *left > 0) {
                    return (side, Some(*group));
                }
                let back = self.flow.get(group).into_iter().flatten().filter(|(_, flow)| **flow > 0);
                for (other, _) in back {
                    if side.keys.insert(*other) {
                        side.key_from.insert(*other, *group);
                        waiting.push_back(*other);
                    }
                }
            }
        }
        (side, None)
    }

    fn augment(&mut self, side: &Side, end: usize) {
        let mut path = Vec::new();
        let mut group = end;
        let mut room = self.groups.get(end).copied().unwrap_or(0);
        let first = loop {
            let Some(key) = side.group_from.get(&group).copied() else { return };
            path.push((key, group, true));
            let Some(before) = side.key_from.get(&key).copied() else { break key };
            path.push((key, before, false));
            room = room.min(self.flow.get(&before).and_then(|of| of.get(&key)).copied().unwrap_or(0));
            group = before;
        };
        room = room.min(self.keys.get(first).copied().unwrap_or(0));
        for (key, group, forth) in path {
            let flow = self.flow.entry(group).or_default().entry(key).or_default();
            *flow = if forth { flow.saturating_add(room) } else { flow.saturating_sub(room) };
        }
        if let Some(left) = self.keys.get_mut(first) {
            *left = left.saturating_sub(room);
        }
        if let Some(left) = self.groups.get_mut(end) {
            *left = left.saturating_sub(room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::{Dice, instance};

    fn id(number: u64) -> InstanceId {
        InstanceId::new(&instance(number)).unwrap()
    }

    fn made_up(dice: &mut Dice) -> Choices {
        let mut choices = Choices::default();
        let keys = dice.below(9);
        for key in 0..keys {
            choices.keys.insert(format!("key-{key}"), 1 + dice.below(12));
        }
        for number in 0..dice.below(14) {
            let used = (0..dice.below(3).min(keys)).map(|_| format!("key-{}", dice.below(keys))).collect();
            choices.instances.entry(used).or_default().insert(id(number), 1 + dice.below(3));
        }
        choices.decrypts = (dice.below(3) == 0).then(|| 1 + dice.below(60));
        choices.keys_blind = dice.below(6) == 0;
        choices.instances_blind = dice.below(6) == 0;
        choices
    }

    fn is_complete(choices: &Choices, plan: &Plan) -> bool {
        plan.decrypts
            || choices.instances.iter().all(|(used, instances)| {
                let by_keys = !choices.keys_blind && !used.is_empty() && used.iter().all(|arn| plan.keys.contains(arn));
                let by_name = !choices.instances_blind && instances.keys().all(|i| plan.instances.contains(i));
                by_keys || by_name
            })
    }

    /// The cheapest complete plan, by trying every set of keys.
    fn cheapest(choices: &Choices) -> Option<u64> {
        let keys: Vec<(&String, &u64)> = choices.keys.iter().collect();
        let sets = 0_u32..1 << keys.len();
        let costs = sets.filter_map(|set| {
            let mut plan = Plan::default();
            for (at, (arn, cost)) in keys.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1) {
                assert!(at < 8);
                plan.keys.insert((*arn).clone());
                plan.requests += **cost;
            }
            for (used, instances) in &choices.instances {
                let by_keys = !choices.keys_blind && !used.is_empty() && used.iter().all(|arn| plan.keys.contains(arn));
                if !by_keys {
                    plan.instances.extend(instances.keys());
                    plan.requests += instances.values().sum::<u64>();
                }
            }
            is_complete(choices, &plan).then_some(plan.requests)
        });
        costs.chain(choices.decrypts).min()
    }

    #[test]
    fn no_plan_is_cheaper() {
        let mut dice = Dice::new(11);
        let mut complete = 0;
        for _ in 0..2_000 {
            let choices = made_up(&mut dice);
            let plan = plan(&choices);
            assert_eq!(plan.complete, is_complete(&choices, &plan), "{choices:?} {plan:?}");
            match cheapest(&choices) {
                Some(least) => {
                    assert!(plan.complete, "{choices:?} {plan:?}");
                    assert_eq!(plan.requests, least, "{choices:?} {plan:?}");
                    complete += 1;
                }
                None => assert!(!plan.complete, "{choices:?} {plan:?}"),
            }
        }
        assert!(complete > 1_000, "{complete}");
    }

    #[test]
    fn a_busy_key_of_few_instances_is_left_for_the_instances() {
        let mut choices = Choices::default();
        choices.keys.insert("quiet".into(), 1);
        choices.keys.insert("busy".into(), 100);
        for number in 0..500 {
            let key = if number < 495 { "quiet" } else { "busy" };
            choices.instances.entry(BTreeSet::from([key.to_owned()])).or_default().insert(id(number), 1);
        }
        let plan = plan(&choices);
        assert_eq!(plan.keys, BTreeSet::from(["quiet".to_owned()]));
        assert_eq!((plan.instances.len(), plan.requests, plan.complete), (5, 6, true));
    }

    #[test]
    fn every_decrypt_only_where_it_is_cheapest() {
        let mut choices = Choices { decrypts: Some(7), ..Choices::default() };
        choices.instances.entry(BTreeSet::new()).or_default().extend((0..8).map(|n| (id(n), 1)));
        assert!(plan(&choices).decrypts);
        choices.decrypts = Some(9);
        assert!(!plan(&choices).decrypts);
        choices.instances_blind = true;
        assert!(plan(&choices).decrypts);
        choices.decrypts = None;
        assert!(!plan(&choices).complete);
    }
}
