//! The analysis as a person reads it, in at most 100 columns.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use exposure_core::analysis::{Analysis, Coverage, InstanceRow, Sight, SourceCoverage, StackRow};
use exposure_core::assess::Verdict;
use exposure_core::time::Timestamp;

use crate::text::{counted, cut, grouped, left, right, shown, wrapped};

const WIDTH: usize = 100;
const NAME: usize = 20;
/// How many exposed instances are listed unless all are asked for.
const LISTED: usize = 50;
/// Coverage below this, in percent, is poor.
const POOR: f64 = 90.0;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const LOUD: Style = AnsiColor::Red.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default().bold();

/// Renders it, with colours; whoever prints it strips them where they are not wanted.
pub(crate) fn render(analysis: &Analysis, with_fleet: bool, all: bool) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut page, analysis, with_fleet, all).and_then(|()| accounting(&mut page, analysis));
    page
}

/// Renders what is remembered: the same without the accounting of a run's records.
#[cfg(feature = "aws")]
pub(crate) fn render_remembered(analysis: &Analysis, all: bool) -> String {
    let mut page = String::new();
    let _ = write(&mut page, analysis, true, all);
    page
}

fn write(page: &mut String, analysis: &Analysis, with_fleet: bool, all: bool) -> std::fmt::Result {
    let (from, to) = (analysis.window.from, analysis.window.to);
    let time = |time: Option<Timestamp>| time.map_or_else(|| "(no record)".to_owned(), |time| time.to_string());
    writeln!(page, "{BOLD}Migration exposure{BOLD:#}  {} to {}", time(from), time(to))?;
    writeln!(page)?;
    stacks(page, analysis, with_fleet)?;
    if with_fleet {
        exposed(page, analysis, all)?;
        undetermined(page, analysis)?;
    } else {
        migrated(page, analysis, all)?;
    }
    coverage(page, &analysis.coverage, with_fleet)
}

fn stacks(page: &mut String, analysis: &Analysis, with_fleet: bool) -> std::fmt::Result {
    const HEADINGS: [(&str, usize); 8] = [
        ("MEMBERS", 7),
        ("EXPOSED", 8),
        ("RECOVERED", 10),
        ("CLEAN", 7),
        ("UNSEEN", 7),
        ("UNDETERMINED", 13),
        ("MIGRATIONS", 11),
        ("EXPOSED %", 10),
    ];
    let mut heading = left("STACK", NAME);
    for (name, width) in HEADINGS {
        heading += &right(name, width);
    }
    writeln!(page, "{DIM}{heading}{DIM:#}")?;
    let mut rows: Vec<&StackRow> = analysis.stacks.iter().collect();
    rows.sort_by_key(|row| row.stack == exposure_core::stacks::UNASSIGNED);
    for row in &rows {
        write_row(page, &shown(&row.stack), row, HEADINGS.map(|(_, width)| width))?;
    }
    if rows.len() > 1 {
        write_row(page, "all", &StackRow::sum("all", &analysis.stacks), HEADINGS.map(|(_, width)| width))?;
    }
    if rows.is_empty() {
        let why = if with_fleet { "the fleet file holds no group" } else { "no group is known" };
        writeln!(page, "(no stack: {why})")?;
    }
    if !with_fleet {
        writeln!(page)?;
        writeln!(page, "Members and verdicts need --fleet, the output of")?;
        writeln!(page, "`aws autoscaling describe-auto-scaling-groups`; migrations are found without it.")?;
    }
    writeln!(page)
}

fn write_row(page: &mut String, name: &str, row: &StackRow, widths: [usize; 8]) -> std::fmt::Result {
    let share = row.exposed_percent().map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1}"));
    let cells = [row.members, row.exposed, row.recovered, row.clean, row.unseen, row.undetermined, row.migrations];
    write!(page, "{}", left(name, NAME))?;
    for (place, (cell, width)) in cells.map(grouped).iter().chain([&share]).zip(widths).enumerate() {
        let style = match place {
            1 | 7 if row.exposed > 0 => LOUD,
            4 if row.unseen > 0 => WARN,
            5 if row.undetermined > 0 => WARN,
            _ => Style::new(),
        };
        write!(page, "{style}{}{style:#}", right(cell, width))?;
    }
    writeln!(page)
}

/// The exposed instances, newest first.
fn exposed(page: &mut String, analysis: &Analysis, all: bool) -> std::fmt::Result {
    let of = |verdict| analysis.instances.iter().filter(move |instance| instance.verdict == Some(verdict));
    let mut exposed: Vec<&InstanceRow> = of(Verdict::Exposed).collect();
    exposed.sort_by_key(|instance| std::cmp::Reverse(last_counted(instance)));
    if exposed.is_empty() {
        writeln!(page, "No member is known to be exposed.")?;
        return writeln!(page);
    }
    writeln!(page, "{BOLD}Exposed now, newest first{BOLD:#} (IMDS target-lifecycle-state is expected to answer 404)")?;
    moved(page, &exposed, all)
}

/// Without a fleet: whatever has a migration, newest first.
fn migrated(page: &mut String, analysis: &Analysis, all: bool) -> std::fmt::Result {
    let mut migrated: Vec<&InstanceRow> = analysis.instances.iter().filter(|i| !i.migrations.is_empty()).collect();
    migrated.sort_by_key(|instance| std::cmp::Reverse(instance.migrations.last().map(|m| m.at)));
    if migrated.is_empty() {
        writeln!(page, "No migration was found.")?;
        return writeln!(page);
    }
    writeln!(page, "{BOLD}Migrated, newest first{BOLD:#}")?;
    moved(page, &migrated, all)
}

/// When an instance last moved, of the migrations that count.
pub(crate) fn last_counted(instance: &InstanceRow) -> Option<Timestamp> {
    instance.migrations.iter().filter(|m| m.confidence.counts()).map(|m| m.at).max()
}

fn moved(page: &mut String, instances: &[&InstanceRow], all: bool) -> std::fmt::Result {
    let listed = if all { instances.len() } else { LISTED };
    for instance in instances.iter().take(listed) {
        let last = instance.migrations.iter().rfind(|m| m.confidence.counts()).or(instance.migrations.last());
        let at = last.map(|m| m.at.to_string()).unwrap_or_default();
        let confidence = last.map(|m| m.confidence.to_string()).unwrap_or_default();
        let stack = instance.stack.as_deref().unwrap_or("(no stack)");
        let group = instance.auto_scaling_group.as_ref().map_or("(no group)", |group| group.as_str());
        writeln!(
            page,
            "{} {} {} {} {}",
            left(&at, 20),
            left(instance.instance_id.as_str(), 19),
            left(&confidence, 12),
            left(&shown(stack), 20),
            cut(&shown(group), 25)
        )?;
        let volumes = last.map_or(0, |m| m.volumes.len());
        let volumes = counted(u64::try_from(volumes).unwrap_or(u64::MAX), "volume", "volumes");
        let place = match (&instance.account, &instance.region) {
            (Some(account), Some(region)) => format!("{account} {region}"),
            _ => "account not known".to_owned(),
        };
        let reason = match &instance.reason {
            Some(reason) => format!("{place}, {volumes}: {}", shown(reason)),
            None => format!("{place}, {volumes}"),
        };
        for line in wrapped(&reason, WIDTH - 4) {
            writeln!(page, "{DIM}    {line}{DIM:#}")?;
        }
    }
    if let Some(more) = instances.len().checked_sub(listed).filter(|more| *more > 0) {
        writeln!(page, "… and {more} more; --all lists every one, --format json or csv has them for other tools")?;
    }
    writeln!(page)
}

fn undetermined(page: &mut String, analysis: &Analysis) -> std::fmt::Result {
    let count: u64 = analysis.stacks.iter().map(|stack| stack.undetermined).sum();
    if count == 0 {
        return Ok(());
    }
    let members = counted(count, "member is", "members are");
    for line in wrapped(
        &format!(
            "{members} undetermined: the item may be lost, and no transition has repaired it. \
             `exposure explain INSTANCE` tells why; --format csv lists them."
        ),
        WIDTH,
    ) {
        writeln!(page, "{line}")?;
    }
    writeln!(page)
}

fn coverage(page: &mut String, coverage: &Coverage, with_fleet: bool) -> std::fmt::Result {
    let whose = if with_fleet { "members" } else { "instances" };
    match coverage.percent() {
        None => writeln!(page, "Coverage: unknown; none of the {whose} was launched within the trail.")?,
        Some(percent) => {
            let style = if percent < POOR { WARN } else { Style::new() };
            let (seen, launched) = (grouped(coverage.baseline_seen), grouped(coverage.launched));
            writeln!(
                page,
                "Coverage: {style}{percent:.1} %{style:#}; of {launched} {whose} launched within the trail, \
                 {seen} showed their first Decrypt."
            )?;
            if percent < POOR {
                let line = "POOR COVERAGE: the others are unencrypted, or their records are missing. \
                            Their migrations cannot be seen.";
                writeln!(page, "{WARN}{line}{WARN:#}")?;
            }
        }
    }
    for source in coverage.sources.iter().filter(|source| source.sight == Sight::Blind) {
        for line in wrapped(&blindness(source), WIDTH) {
            writeln!(page, "{LOUD}{line}{LOUD:#}")?;
        }
    }
    let unknown: Vec<String> = coverage
        .sources
        .iter()
        .filter(|source| source.sight == Sight::Unknown)
        .map(|source| format!("{} {}", source.account, source.region))
        .collect();
    if !unknown.is_empty() {
        let line = format!("Too few launches to tell whether Decrypts are recorded at all in: {}.", unknown.join(", "));
        for line in wrapped(&line, WIDTH) {
            writeln!(page, "{line}")?;
        }
    }
    Ok(())
}

fn blindness(source: &SourceCoverage) -> String {
    format!(
        "BLIND: {} {} shows {} and none of their Decrypts. A zero here means nothing. Does the trail leave out KMS \
         events or read-only events, or are all volumes unencrypted?",
        source.account,
        source.region,
        counted(source.launched, "launch", "launches")
    )
}

fn accounting(page: &mut String, analysis: &Analysis) -> std::fmt::Result {
    let a = &analysis.accounting;
    let unreadable =
        if a.unreadable_files > 0 { format!(" ({} unreadable)", grouped(a.unreadable_files)) } else { String::new() };
    let failed = if a.failed_decrypts > 0 {
        format!(" ({})", counted(a.failed_decrypts, "failed Decrypt", "failed Decrypts"))
    } else {
        String::new()
    };
    let line = format!(
        "{}{unreadable}, {} = {} + {} + {} irrelevant{failed} + {} + {} malformed",
        counted(a.files, "file", "files"),
        counted(a.records, "record", "records"),
        counted(a.sightings, "sighting", "sightings"),
        counted(a.causes, "cause", "causes"),
        grouped(a.irrelevant),
        counted(a.duplicates, "duplicate", "duplicates"),
        grouped(a.malformed),
    );
    for line in wrapped(&line, WIDTH) {
        writeln!(page, "{DIM}{line}{DIM:#}")?;
    }
    Ok(())
}
