//! `exposure explain`: the timeline of one instance, with the rule behind each judgement.

use std::io::Write;

use anstyle::Style;
use anyhow::{Context, Result, bail};
use exposure_core::analysis::{Question, Subject};
use exposure_core::assess::{Attachment, Confidence, Evidence, Migration, Step, Verdict};
use exposure_core::ids::InstanceId;
use exposure_core::ledger::Recorded;
use exposure_core::time::Timestamp;

use crate::End;
use crate::args::Explain;
use crate::inputs::{Gathered, gather, question};
use crate::text::{shown, wrapped};

const WIDTH: usize = 100;
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// One line of the timeline: when, what, the details, and the rule.
struct Line {
    at: Timestamp,
    what: String,
    details: Vec<String>,
}

pub(crate) fn run(arguments: &Explain) -> Result<End> {
    #[cfg(feature = "aws")]
    if let Some(url) = &arguments.state_url {
        let remembered = crate::live::remember(url, crate::inputs::rules(&arguments.inputs)?)?;
        let question = remembered.question(true);
        return explain(
            &question,
            arguments.instance,
            "not in the analyzer's state; check the ID, the account and region",
        );
    }
    let Gathered { ledger, fleet, stacks, settings, state, .. } = gather(&arguments.inputs)?;
    explain(
        &question(&ledger, fleet.as_ref(), &stacks, &settings, true),
        arguments.instance,
        "neither in the trail nor in the fleet; check the ID, the account and region, and the time of the logs",
    )?;
    // What was read is worth keeping, whatever was asked.
    if let Some(state) = state {
        state.save(&ledger)?;
    }
    Ok(End::Done)
}

/// Writes the story of one instance, or says where it is not.
fn explain(question: &Question<'_>, instance: InstanceId, absent: &str) -> Result<End> {
    let subjects = question.of_instance(instance);
    if subjects.is_empty() {
        bail!("{instance}: {absent}");
    }
    let mut out = anstream::stdout().lock();
    for subject in &subjects {
        let recorded = question.ledger.recorded(subject.source.as_ref(), subject.instance);
        write(&mut out, subject, &recorded).context("cannot write to standard output")?;
    }
    out.flush()?;
    Ok(End::Done)
}

fn write(out: &mut impl Write, subject: &Subject, recorded: &[Recorded]) -> Result<()> {
    let place = subject.source.as_ref().map_or_else(|| "account not known".to_owned(), ToString::to_string);
    let group = subject.group.as_ref().map_or_else(|| "in no known group".to_owned(), |g| format!("group {g}"));
    let stack = subject.stack.as_ref().map_or_else(|| "no stack".to_owned(), |s| format!("stack {s}"));
    writeln!(out, "{BOLD}{}{BOLD:#}  {place}, {}, {}", subject.instance, shown(&group), shown(&stack))?;
    match &subject.judged {
        Some((state, judgement)) => {
            writeln!(out, "{} now. Verdict: {BOLD}{}{BOLD:#}", shown(state.as_str()), judgement.verdict)?;
            for line in wrapped(&judgement.reason, WIDTH - 2) {
                writeln!(out, "  {line}")?;
            }
        }
        None => writeln!(out, "No member of the fleet (or no --fleet was given): no verdict.")?,
    }
    writeln!(out)?;
    let mut lines = timeline(subject, recorded);
    lines.sort_by_key(|line| line.at);
    if lines.is_empty() {
        writeln!(out, "Nothing about it is on record.")?;
    }
    for line in lines {
        writeln!(out, "{}  {}", line.at, line.what)?;
        for detail in line.details.iter().flat_map(|detail| wrapped(detail, WIDTH - 22)) {
            writeln!(out, "{DIM}{:22}{detail}{DIM:#}", "")?;
        }
    }
    writeln!(out)?;
    for line in wrapped(&what_would_change_it(subject), WIDTH) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn timeline(subject: &Subject, recorded: &[Recorded]) -> Vec<Line> {
    let mut lines: Vec<Line> = recorded
        .iter()
        .map(|recorded| Line {
            at: recorded.at,
            what: match recorded.volume {
                Some(volume) => format!("{} of {volume}", shown(&recorded.what)),
                None => shown(&recorded.what),
            },
            details: recorded.event_id.iter().map(|id| format!("event {}", shown(id.as_str()))).collect(),
        })
        .collect();
    lines.extend(subject.timeline.steps.iter().map(step));
    lines
}

fn step(step: &Step) -> Line {
    match step {
        Step::Baseline(attachment) => Line {
            at: attachment.first,
            what: format!("baseline of {}", attachment.volume),
            details: vec![
                events(attachment),
                match attachment.cause {
                    Some(cause) => format!("rule 5: its first attachment, explained by {cause}{}", by(attachment)),
                    None => "rule 5: its first attachment, of unknown cause, while the other volumes stayed".to_owned(),
                },
            ],
        },
        Step::Reattached(attachment) => Line {
            at: attachment.first,
            what: format!("{} came again", attachment.volume),
            details: vec![
                events(attachment),
                match attachment.cause {
                    Some(cause) => format!(
                        "rule 3: explained by {cause}{}: from 15 min before it to 5 min after, or of the same request",
                        by(attachment)
                    ),
                    None => "rule 3: unexplained".to_owned(),
                },
            ],
        },
        Step::Migrated(migration, attachments) => Line {
            at: migration.at,
            what: format!("MIGRATION, {}{}", migration.confidence, if migration.pending { ", pending" } else { "" }),
            details: attachments
                .iter()
                .map(|attachment| format!("{}: {}", attachment.volume, events(attachment)))
                .chain([confidence(migration)])
                .collect(),
        },
        Step::NoLongerKnown { at, volume, why } => Line {
            at: *at,
            what: format!("{volume} is not known to be attached any more"),
            details: vec![format!("rule 7: {why}")],
        },
    }
}

fn events(attachment: &Attachment) -> String {
    let ids: Vec<String> = attachment.sightings.iter().map(|sighting| shown(sighting.event_id.as_str())).collect();
    match ids.as_slice() {
        [one] => format!("Decrypt {one}"),
        many => format!("{} Decrypts: {}", many.len(), many.join(", ")),
    }
}

fn by(attachment: &Attachment) -> String {
    attachment.cause_event.as_ref().map(|id| format!(" (event {})", shown(id.as_str()))).unwrap_or_default()
}

fn confidence(migration: &Migration) -> String {
    let names = |volumes: &std::collections::BTreeSet<exposure_core::ids::VolumeId>| {
        volumes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match (migration.confidence, migration.evidence) {
        (Confidence::Confirmed, _) => {
            "rule 7: no cause on record, every volume known to be attached came again, and baselines are on record"
                .into()
        }
        (Confidence::Partial, _) => {
            format!("rule 7: no cause on record, but {} did not come again", names(&migration.missing))
        }
        (Confidence::Presumed, Some(Evidence::Snapshot)) => {
            "rule 7: no baseline in view, but an earlier fleet snapshot shows the instance".into()
        }
        (Confidence::Presumed, Some(Evidence::Launch)) => {
            "rule 7: no baseline in view, but the launch is on record".into()
        }
        (Confidence::Presumed, Some(Evidence::OtherBaseline)) => {
            "rule 7: no baseline in view, but that of another volume is on record".into()
        }
        (Confidence::Presumed, _) => {
            "rule 7: no baseline in view, but the trail shows launches and none of this instance: it is older".into()
        }
        (Confidence::Undetermined, _) => {
            "rule 7: no baseline in view, and nothing shows that the instance was running before".into()
        }
    }
}

fn what_would_change_it(subject: &Subject) -> String {
    let Some((_, judgement)) = &subject.judged else {
        return "A verdict needs --fleet with this instance in it.".to_owned();
    };
    match judgement.verdict {
        Verdict::Exposed => {
            "This would change it: a lifecycle transition after the migration (Standby and back, or termination), \
             or a record of a cause within 15 min before or 5 min after it."
        }
        Verdict::Undetermined => {
            "This would change it: a lifecycle transition since, logs from before the trail that hold the launch, \
             or --fleet-time with a fleet file that shows the instance earlier."
        }
        Verdict::Recovered => "This would change it: another migration with no transition after it.",
        Verdict::Clean => "This would change it: another Decrypt of its volumes that nothing explains.",
        Verdict::Unseen => {
            "This would change it: any Decrypt of its volumes. Older logs may hold one; an unencrypted volume never does."
        }
    }
    .to_owned()
}
