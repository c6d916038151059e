//! Whether lookups of this fleet fit a run: the planner's numbers for a run that follows another. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use exposure_core::ids::InstanceId;

use super::check::{Check, counted};
use crate::settings::Settings;
use crate::sources::lookup::memory::{LookupMemory, OVERLAP_SECONDS};
use crate::sources::lookup::planner::{Plan, plan};
use crate::sources::lookup::stream::{CAUSES, Stream, TRANSITIONS};
use crate::sources::requests_per_run;

const NAME: &str = "lookup budget";
const INSTEAD: &str = "choose SOURCE=queue (cheap and quick for large fleets) or SOURCE=logs";

/// What a run needs, in requests.
#[derive(Debug)]
struct Needs {
    /// For causes and transitions.
    calls: u64,
    /// For the sightings, by what is known of keys now.
    plan: Plan,
    /// The same once the keys of all members are known, if any key is.
    later: Option<Plan>,
}

/// What a run that follows another needs for these members.
fn needs(memory: &LookupMemory, members: &BTreeSet<InstanceId>, period: Duration) -> Needs {
    let seconds = period.as_secs().saturating_add(OVERLAP_SECONDS.unsigned_abs());
    let pages = |stream: &Stream| memory.pages(stream, seconds);
    let calls = CAUSES.iter().chain(&TRANSITIONS).map(|name| pages(&Stream::event_name(name))).sum();
    let mut choices = memory.choices(members, pages);
    let now = plan(&choices);
    let later = choices.instances.remove(&BTreeSet::new()).filter(|_| !choices.keys.is_empty()).map(|keyless| {
        let all: BTreeSet<String> = choices.keys.keys().cloned().collect();
        choices.instances.entry(all).or_default().extend(keyless);
        plan(&choices)
    });
    Needs { calls, plan: now, later }
}

/// Whether what a run needs fits, and how long it takes.
pub(super) fn check(memory: &LookupMemory, members: &BTreeSet<InstanceId>, settings: &Settings) -> Check {
    if members.is_empty() {
        return Check::note(NAME, "no instance to look up");
    }
    let needs = needs(memory, members, settings.period);
    let (budget, period) = (settings.requests_per_run, settings.period);
    let total = |plan: &Plan| needs.calls.saturating_add(plan.requests);
    let (now, later) = (total(&needs.plan), needs.later.as_ref().map(total));
    let detail = format!(
        "{}, {}: {} requests for causes and {} for sightings of {budget} a run, about {} s of {} s",
        counted(members.len(), "instance"),
        means(&needs.plan, memory.keys.len()),
        needs.calls,
        needs.plan.requests,
        seconds(now, settings.requests_per_second),
        period.as_secs(),
    );
    if !needs.plan.complete {
        return Check::fail(NAME, &format!("lookups do not show the sightings of all. {detail}"), INSTEAD);
    }
    if now > budget {
        return match later.filter(|later| *later <= budget) {
            Some(later) => {
                let detail = format!("{detail}; {later} once the keys of all are learnt, and late until then");
                Check::warn(NAME, &detail, &format!("let it catch up, or {INSTEAD}"))
            }
            None => Check::fail(NAME, &format!("it does not fit a run: {detail}"), INSTEAD),
        };
    }
    if settings.requests_per_second > 2.0 {
        let fix = "lower LOOKUP_REQUESTS_PER_SECOND to 1, which leaves half of the quota to others";
        return Check::warn(NAME, &format!("AWS allows 2 requests per second. {detail}"), fix);
    }
    let fitting = requests_per_run(period, settings.requests_per_second);
    if budget > fitting {
        let fix = format!("LOOKUP_REQUESTS_PER_RUN of {fitting} or fewer fits PERIOD_SECONDS");
        return Check::warn(NAME, &format!("a run that uses its budget outlasts its period. {detail}"), &fix);
    }
    Check::ok(NAME, &detail)
}

fn means(plan: &Plan, known: usize) -> String {
    if plan.decrypts {
        return "by every Decrypt of the account".to_owned();
    }
    let (keys, instances) = (plan.keys.len(), counted(plan.instances.len(), "instance"));
    format!("by {keys} of {} and {instances} one by one", counted(known, "known KMS key"))
}

/// How long requests take at a pace, in seconds, rounded up.
fn seconds(requests: u64, requests_per_second: f64) -> u64 {
    let each = Duration::from_secs_f64(1.0 / requests_per_second.clamp(0.01, 1_000.0));
    let all = each.saturating_mul(u32::try_from(requests).unwrap_or(u32::MAX));
    all.as_secs() + u64::from(all.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::*;
    use crate::sources::lookup::memory::Rate;
    use exposure_core::time::Timestamp;

    fn settings() -> Settings {
        Settings::from_variables(|name| (name == "STATE_URL").then(|| "file:///tmp/state".to_owned()))
            .expect("settings")
    }

    fn ids(numbers: std::ops::Range<u64>) -> BTreeSet<InstanceId> {
        numbers.map(|number| InstanceId::new(&format!("i-{number:017x}")).expect("an ID")).collect()
    }

    fn memory(known: BTreeSet<InstanceId>, events_per_day: u64) -> LookupMemory {
        let mut memory = LookupMemory::default();
        let arn = "arn:aws:kms:eu-central-1:111122223333:key/one";
        memory.keys.insert(arn.to_owned(), known);
        let rate = Some(Rate { at: Timestamp::from_second(0), events_per_day });
        memory.streams.entry(Stream::key(arn)).or_default().rate = rate;
        memory
    }

    #[test]
    fn a_fleet_fits_or_another_source_is_named() {
        let none = LookupMemory::default();
        let table = [
            (&none, 0, Verdict::Note, ""),
            (
                &none,
                100,
                Verdict::Ok,
                "16 requests for causes and 100 for sightings of 240 a run, about 116 s of 300 s",
            ),
            (&none, 2_000, Verdict::Fail, "does not fit"),
            (&memory(ids(0..2_000), 3_000), 2_000, Verdict::Ok, "by 1 of 1 known KMS key and 0 instances one by one"),
            (&memory(ids(0..100), 3_000), 2_000, Verdict::Warn, "once the keys of all are learnt"),
            (&memory(ids(0..2_000), 9_000_000), 2_000, Verdict::Fail, "does not fit"),
        ];
        assert!(!table.is_empty());
        for (memory, members, result, said) in table {
            let check = check(memory, &ids(0..members), &settings());
            assert_eq!(check.result, result, "{check:?}");
            assert!(check.detail.contains(said), "{check:?}");
            assert_eq!(check.fix.is_some_and(|fix| fix.contains("SOURCE=queue")), result > Verdict::Note, "{members}");
        }
    }

    #[test]
    fn every_decrypt_is_a_plan_where_it_was_measured() {
        let mut memory = LookupMemory::default();
        let rate = Some(Rate { at: Timestamp::from_second(0), events_per_day: 100 });
        memory.streams.entry(Stream::decrypts()).or_default().rate = rate;
        let check = check(&memory, &ids(0..2_000), &settings());
        assert_eq!(check.result, Verdict::Ok);
        assert!(check.detail.contains("every Decrypt"), "{check:?}");
    }

    #[test]
    fn a_pace_beyond_the_quota_and_a_budget_beyond_the_period_are_named() {
        let hasty = Settings { requests_per_second: 5.0, ..settings() };
        assert!(check(&LookupMemory::default(), &ids(0..5), &hasty).detail.contains("AWS allows 2"));
        let large = Settings { requests_per_run: 1_000, ..settings() };
        assert!(check(&LookupMemory::default(), &ids(0..5), &large).detail.contains("outlasts its period"));
    }
}
