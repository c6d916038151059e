//! A verification in plain words.

use super::result::{ByCause, Chance, Moves, Sentences, Share, Verdict, Verification};

/// With fewer alternatives than this on average, putting a migration onto another instance says nothing.
const ALTERNATIVES: f64 = 1.5;

/// Whether there are more pairs than chance makes; nothing where that cannot be said.
fn beyond_chance(told: &Verification) -> Option<bool> {
    let limit = 1.0 - told.settings.level;
    let anywhere = told.chance.anywhere?;
    let same_times = told.chance.same_times.filter(|_| tells_instances(&told.chance));
    Some(anywhere.p <= limit && same_times.is_none_or(|same| same.p <= limit))
}

fn tells_instances(chance: &Chance) -> bool {
    chance.alternatives.is_some_and(|alternatives| alternatives >= ALTERNATIVES)
}

/// What follows.
pub(super) fn verdict(told: &Verification) -> Verdict {
    let (followed, preceded) = (told.migrations.followed, told.onsets.preceded);
    match beyond_chance(told) {
        Some(true) if followed.low > 0.5 && preceded.low > 0.5 => Verdict::Holds,
        Some(true) => Verdict::Partly,
        _ if followed.high < 0.5 => Verdict::DoesNotHold,
        _ => Verdict::TooFew,
    }
}

pub(super) fn sentences(told: &Verification) -> Sentences {
    Sentences {
        verdict: the_verdict(told),
        observed: the_watch(told),
        migrations: the_migrations(told),
        onsets: the_onsets(told),
        delays: the_delays(told),
        chance: the_chance(told),
        reboots: the_reboots(told),
        causes: the_causes(told),
        sensitivity: the_sensitivity(told),
    }
}

fn the_verdict(told: &Verification) -> String {
    let (followed, preceded) = (told.migrations.followed, told.onsets.preceded);
    match told.verdict {
        Verdict::Holds => "It holds here: a second Decrypt is the moment at which the 404 begins. Most migrations are \
                           followed by one, most 404s have a migration before them, and chance does not make that."
            .to_owned(),
        Verdict::Partly => {
            let mut missing = Vec::new();
            if followed.low <= 0.5 {
                missing.push("that most migrations are followed by a 404");
            }
            if preceded.low <= 0.5 {
                missing.push("that most 404s have a migration before them");
            }
            let missing = missing.join(", nor ");
            format!(
                "That a 404 begins with a second Decrypt holds in part: migrations and 404s meet more often than by chance, \
                 but it is not shown {missing}."
            )
        }
        Verdict::DoesNotHold => "That a 404 begins with a second Decrypt does not hold here: most migrations are not \
                                 followed by one, and those that are are no more than chance makes."
            .to_owned(),
        Verdict::TooFew if followed.of == 0 => "Whether a 404 begins with a second Decrypt cannot be said: no \
                                                migration happened on an instance that was watched, with the item \
                                                there."
            .to_owned(),
        Verdict::TooFew => format!(
            "Too few to tell whether a 404 begins with a second Decrypt: {} under watch. About ten are needed, if all behave alike; more, if they do not.",
            counted(followed.of, "migration", "migrations")
        ),
    }
}

fn the_watch(told: &Verification) -> String {
    let observed = &told.observed;
    let (instances, hours) = (counted(observed.instances, "instance", "instances"), observed.hours);
    let mut said = vec![format!("{instances} under watch for {} instance-hours in all.", grouped(whole(hours)))];
    if observed.assumed_instances > 0 {
        let assumed = counted(observed.assumed_instances, "instance", "instances");
        said.push(format!("Of {assumed} the lines do not say when they were watched: that is assumed."));
    }
    if observed.not_in_trail > 0 {
        let unknown = counted(observed.not_in_trail, "of them is", "of them are");
        said.push(format!("{unknown} not in the trail."));
    }
    said.join(" ")
}

fn the_migrations(told: &Verification) -> String {
    let Moves { migrations, not_watched, cut_short, already_absent, followed, .. } = told.migrations;
    let mut left = Vec::new();
    for (number, what) in [
        (not_watched, "on an instance that nobody watched then"),
        (cut_short, "too near to the end of a watch"),
        (already_absent, "while the item was gone already"),
    ] {
        if number > 0 {
            left.push(format!("{} {what}", grouped(number)));
        }
    }
    let others = if left.is_empty() { String::new() } else { format!(" Not counted: {}.", left.join(", ")) };
    if followed.of == 0 {
        let all = counted(migrations, "migration", "migrations");
        return format!("Of {all} none happened under watch, with the item there.{others}");
    }
    format!(
        "Of {} under watch, {} followed by a 404 within {}: {}.{others}",
        counted(followed.of, "migration", "migrations"),
        were(followed.part),
        length(told.settings.within_seconds),
        percent(followed, told.settings.level),
    )
}

fn the_onsets(told: &Verification) -> String {
    let onsets = &told.onsets;
    let mut said = vec![if onsets.preceded.of == 0 {
        "No 404 was seen to begin where the trail could show a reason.".to_owned()
    } else {
        let all = counted(onsets.preceded.of, "404", "404s");
        let (part, share) = (grouped(onsets.preceded.part), percent(onsets.preceded, told.settings.level));
        format!("Of {all} that were seen to begin, {part} had a migration before them: {share}.")
    }];
    let traces = onsets.traces;
    for (number, what) in [
        (traces.partial, "a partial migration"),
        (traces.undetermined, "an undetermined one"),
        (traces.reattachment, "a reattachment with a cause"),
        (traces.nothing, "none of these, nor any other reattachment"),
    ] {
        if number > 0 {
            said.push(format!("{} had {what}.", grouped(number)));
        }
    }
    for (number, what) in [
        (onsets.untraceable, "on instances of which the trail can show no Decrypt"),
        (onsets.outside_trail, "too near to an end of the trail, or beyond it"),
        (onsets.found_absent, "there when the check looked first, so that nobody saw them begin"),
    ] {
        if number > 0 {
            said.push(format!("Not counted: {} {what}.", grouped(number)));
        }
    }
    said.join(" ")
}

fn the_delays(told: &Verification) -> String {
    let delays = &told.delays;
    let value = |percent: u8| {
        let percentile = delays.percentiles.iter().find(|p| p.percent == percent)?;
        let interval = match (percentile.low, percentile.high) {
            (Some(low), Some(high)) => format!(" ({} to {})", length(low), length(high)),
            (Some(low), None) => format!(" ({} at least)", length(low)),
            (None, Some(high)) => format!(" ({} at most)", length(high)),
            (None, None) => String::new(),
        };
        percentile.seconds.map(|seconds| length(seconds) + &interval)
    };
    let (Some(median), Some(most)) = (value(50), value(90)) else { return "No 404 was a migration's.".to_owned() };
    let before = match delays.before {
        0 => String::new(),
        some => format!(" {} seen before the Decrypt, as the clocks have it.", were(some)),
    };
    format!("The 404 is seen {median} after the first Decrypt in the median, within {most} in nine of ten.{before}")
}

fn the_chance(told: &Verification) -> String {
    let chance = &told.chance;
    let Some(anywhere) = chance.anywhere else { return "Nothing can be put elsewhere.".to_owned() };
    let mut said = vec![format!(
        "{} of {} have a 404; put at random onto any instance and time under watch, {:.1} would (p {}).",
        grouped(chance.matched),
        counted(chance.migrations, "migration", "migrations"),
        anywhere.expected,
        p_value(anywhere.p)
    )];
    match chance.same_times {
        Some(same) if tells_instances(chance) => {
            said.push(format!(
                "Put onto other instances at their own times, {:.1} would (p {}).",
                same.expected,
                p_value(same.p)
            ));
        }
        _ => said.push("Too few instances were under watch at the same times to tell one from another.".to_owned()),
    }
    said.join(" ")
}

fn the_reboots(told: &Verification) -> String {
    let reboots = told.reboots;
    if told.delays.pairs == 0 {
        return "No guest is known to have been moved.".to_owned();
    }
    let mut said = vec![format!(
        "In {} of {} the guest ran on, as in a live migration; in {} it was started in between.",
        grouped(reboots.ran_on),
        counted(told.delays.pairs, "case", "cases"),
        grouped(reboots.rebooted)
    )];
    if reboots.not_told > 0 {
        said.push(format!("In {} its boot time is not told.", grouped(reboots.not_told)));
    }
    said.join(" ")
}

fn the_causes(told: &Verification) -> String {
    let watched: Vec<&ByCause> = told.causes.iter().filter(|cause| cause.followed.of > 0).collect();
    if watched.is_empty() {
        return "No reattachment with a cause was watched before and after.".to_owned();
    }
    let parts: Vec<String> = watched
        .iter()
        .map(|cause| {
            let brief =
                if cause.brief > 0 { format!(" ({} only briefly)", grouped(cause.brief)) } else { String::new() };
            format!(
                "{} of {} with cause {}{brief}",
                grouped(cause.followed.part),
                grouped(cause.followed.of),
                cause.cause
            )
        })
        .collect();
    format!("Other reattachments that came with a 404 which lasted: {}.", parts.join(", "))
}

fn the_sensitivity(told: &Verification) -> String {
    let share = |s: &super::Sensitivity| s.followed.value;
    let values: Vec<f64> = told.sensitivity.iter().filter_map(share).collect();
    let (least, most) = (values.iter().copied().reduce(f64::min), values.iter().copied().reduce(f64::max));
    let (Some(shortest), Some(longest)) = (told.sensitivity.first(), told.sensitivity.last()) else {
        return String::new();
    };
    let (Some(least), Some(most)) = (least, most) else { return "No window has a migration in it.".to_owned() };
    format!(
        "With windows from {} to {} the share of migrations that are followed lies between {:.0} and {:.0} %.",
        length(shortest.within_seconds),
        length(longest.within_seconds),
        100.0 * least,
        100.0 * most
    )
}

/// What had to be taken for granted.
pub(super) fn assumptions(told: &Verification) -> Vec<String> {
    let (within, tolerance) = (length(told.settings.within_seconds), length(told.settings.tolerance_seconds));
    let mut assumed = vec![
        format!(
            "A 404 is a migration's if it begins on the same instance at most {within} after its first Decrypt, or at most \
             {tolerance} before it, since the guest's clock is not that of KMS. One 404 is one migration's."
        ),
        "An instance is watched while its `watched` lines say so, and IMDS was never silent for more than a minute; \
         stretches less than a minute apart are one."
            .to_owned(),
        "A 404 that was there when the check looked first is none that began: when it began is not known.".to_owned(),
    ];
    if told.observed.assumed_instances > 0 {
        let to = told.observed.to.map(|to| to.to_string()).unwrap_or_default();
        assumed.push(format!(
            "{} without `watched` lines, as of an earlier lifecycle-check: taken to be watched from the first line to the \
             last of any instance ({to}). If the check did not run on, migrations in that time count against the \
             hypothesis.",
            counted(told.observed.assumed_instances, "instance is", "instances are")
        ));
    }
    if told.onsets.untraceable > 0 {
        assumed.push(
            "Of an instance without an encrypted volume the trail shows nothing: its 404s say nothing of Decrypts."
                .to_owned(),
        );
    }
    assumed
}

fn percent(share: Share, level: f64) -> String {
    let Some(value) = share.value else { return "of none".to_owned() };
    let [value, low, high] = [value, share.low, share.high].map(|share| 100.0 * share);
    format!("{value:.1} % ({:.0} % interval {low:.1} to {high:.1} %)", 100.0 * level)
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "below 0.001".to_owned() } else { format!("{p:.3}") }
}

/// Seconds as a person says them.
fn length(seconds: i64) -> String {
    match seconds.unsigned_abs() {
        0..120 => format!("{seconds} s"),
        120..7_200 if seconds % 60 == 0 => format!("{} min", seconds / 60),
        120..7_200 => format!("{} min {} s", seconds / 60, (seconds % 60).abs()),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no watch lasts 2^53 hours, or less than none"
)]
fn whole(hours: f64) -> u64 {
    hours.round() as u64
}

fn were(number: u64) -> String {
    if number == 1 { "1 was".to_owned() } else { format!("{} were", grouped(number)) }
}

fn counted(number: u64, singular: &str, plural: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { singular } else { plural })
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
