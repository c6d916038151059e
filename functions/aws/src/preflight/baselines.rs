//! Whether recent launches show their baselines: the proof that Decrypts arrive at all.

use exposure_core::analysis::{Accounting, Question, Window};
use exposure_core::ids::Source;

use super::Context;
use super::check::Check;
use super::lookups::Learnt;
use crate::settings::SourceKind;

const NAME: &str = "baselines";
const FIX: &str = "check that volumes are encrypted, and that nothing filters KMS or read-only events; until then a zero \
                   means nothing";
/// How many launches without a Decrypt mean that none is shown (rule 9).
const ENOUGH: usize = 3;
/// Coverage below this, in percent, is poor.
const POOR: f64 = 90.0;

/// What the state knows of it, if it can tell.
pub(super) fn by_state(source: &Source, context: &Context<'_>) -> Option<Check> {
    let state = context.state.as_ref()?;
    let question = Question {
        ledger: &state.ledger,
        fleet: None,
        stacks: &context.settings.stacks,
        settings: &context.settings.rules,
        complete: Some(&state.complete),
        all: false,
    };
    let coverage = question.answer(Window::from(None), Accounting::default()).coverage;
    let found = coverage.sources.iter().find(|s| s.account == source.account && s.region == source.region)?;
    let (launched, seen) = (found.launched, found.baseline_seen);
    let detail = format!("by the state: {seen} of {launched} launches on record showed their first Decrypt");
    match found.sight {
        exposure_core::analysis::Sight::Blind => Some(Check::fail(NAME, &format!("blind, {detail}"), FIX)),
        exposure_core::analysis::Sight::Unknown => None,
        exposure_core::analysis::Sight::Seeing => {
            #[expect(clippy::cast_precision_loss, reason = "no fleet has 2^52 instances")]
            let is_poor = 100.0 * (seen as f64) < POOR * launched as f64;
            let poor = "the others have no encrypted volume, or their records are missing";
            Some(if is_poor { Check::warn(NAME, &detail, poor) } else { Check::ok(NAME, &detail) })
        }
    }
}

/// What lookups showed of it.
pub(super) fn by_lookups(learnt: &Learnt) -> Check {
    let launched = learnt.launched.len();
    let seen = learnt.launched.keys().filter(|instance| learnt.sighted.contains(instance)).count();
    let granted = learnt.launched.values().any(|granted| *granted);
    let detail = format!("{seen} of {} looked at showed the first Decrypt", launches(launched));
    if let Some(failure) = &learnt.unfinished {
        return Check::warn(NAME, &format!("not looked at to the end: {failure}"), "try again with more --timeout");
    }
    match (launched, seen) {
        (0, _) => Check::note(NAME, "no launch in the last 6 hours, so it cannot be told whether Decrypts show"),
        (_, 0) if launched >= ENOUGH || granted => Check::fail(NAME, &format!("blind: {detail}"), FIX),
        (_, 0) => Check::warn(NAME, &format!("{detail}: too few to tell"), FIX),
        _ if seen < launched => Check::warn(NAME, &detail, "the others have no encrypted volume, or are not shown"),
        _ => Check::ok(NAME, &detail),
    }
}

fn launches(count: usize) -> String {
    if count == 1 { "1 recent launch".to_owned() } else { format!("{count} recent launches") }
}

/// What is to say where neither can tell.
pub(super) fn unknown(kind: SourceKind) -> Check {
    let how = match kind {
        SourceKind::Lookup => "lookups do not work here",
        _ => "no state tells yet: run the analyzer, and then this again",
    };
    Check::note(NAME, &format!("it cannot be told whether recent launches show their Decrypts: {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::Verdict;
    use exposure_core::ids::InstanceId;

    #[test]
    fn silence_of_enough_launches_is_blindness_and_of_fewer_is_not_known() {
        let table = [
            (0, 0, false, Verdict::Note),
            (2, 0, false, Verdict::Warn),
            (1, 0, true, Verdict::Fail),
            (3, 0, false, Verdict::Fail),
            (3, 1, false, Verdict::Warn),
            (3, 3, true, Verdict::Ok),
        ];
        assert!(!table.is_empty());
        for (launched, seen, granted, result) in table {
            let ids = || (0..launched).map(|number| InstanceId::new(&format!("i-{number:017x}")).expect("an ID"));
            let learnt = Learnt {
                launched: ids().map(|id| (id, granted)).collect(),
                sighted: ids().take(seen).collect(),
                ..Learnt::default()
            };
            assert_eq!(by_lookups(&learnt).result, result, "{launched} {seen} {granted}");
        }
    }
}
