//! A verification as a person reads it, in at most 100 columns.

use std::fmt::{Result, Write};

use anstyle::{AnsiColor, Style};
use exposure_core::evidence::observed::{ByCause, Pair, Share, Verdict, Verification};
use exposure_core::time::Timestamp;

use crate::text::{counted, grouped, left, right, wrapped};

const WIDTH: usize = 100;
const NAME: usize = 24;
/// The widths of the columns of shares.
const COLUMNS: [usize; 7] = [10, 11, 12, 8, 9, 8, 17];
/// How many single cases of each kind are listed.
const LISTED: usize = 10;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default().bold();
const LOUD: Style = AnsiColor::Red.on_default().bold();

/// Renders it, with colours; whoever prints it strips them where they are not wanted.
pub(crate) fn render(told: &Verification) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut page, told);
    page
}

fn write(page: &mut String, told: &Verification) -> Result {
    let time = |time: Option<Timestamp>| time.map_or_else(|| "(no record)".to_owned(), |time| time.to_string());
    let (from, to) = (time(told.window.from), time(told.window.to));
    writeln!(page, "{BOLD}Does the 404 begin with a second Decrypt?{BOLD:#}  {from} to {to}")?;
    writeln!(page)?;
    let style = match told.verdict {
        Verdict::Holds => GOOD,
        Verdict::Partly | Verdict::TooFew => WARN,
        Verdict::DoesNotHold => LOUD,
    };
    for line in wrapped(&told.sentences.verdict, WIDTH) {
        writeln!(page, "{style}{line}{style:#}")?;
    }
    writeln!(page)?;
    let sentences = &told.sentences;
    for sentence in [
        &sentences.observed,
        &sentences.migrations,
        &sentences.onsets,
        &sentences.delays,
        &sentences.chance,
        &sentences.reboots,
    ] {
        paragraph(page, sentence)?;
    }
    writeln!(page)?;
    confidences(page, told)?;
    causes(page, told)?;
    windows(page, told)?;
    cases(page, "Migrations under watch without a 404", &told.not_followed)?;
    cases(page, "404s without any Decrypt in reach", &told.without_trace)?;
    writeln!(page, "{BOLD}Taken for granted{BOLD:#}")?;
    for assumption in &told.assumptions {
        paragraph(page, assumption)?;
    }
    writeln!(page)?;
    accounting(page, told)
}

/// A sentence, its further lines set in.
fn paragraph(page: &mut String, sentence: &str) -> Result {
    for (place, line) in wrapped(sentence, WIDTH - 2).iter().enumerate() {
        writeln!(page, "{}{line}", if place == 0 { "- " } else { "  " })?;
    }
    Ok(())
}

fn percent(share: Share) -> String {
    share.value.map_or_else(|| "-".to_owned(), |value| format!("{:.1} %", 100.0 * value))
}

fn interval(share: Share) -> String {
    if share.of == 0 {
        return "-".to_owned();
    }
    format!("{:.1} to {:.1} %", 100.0 * share.low, 100.0 * share.high)
}

/// Cells to the right of a name.
fn row(page: &mut String, style: Style, name: &str, cells: &[(String, usize)]) -> Result {
    let cells: String = cells.iter().map(|(cell, width)| right(cell, *width)).collect();
    writeln!(page, "{style}{}{cells}{style:#}", left(name, NAME))
}

fn heading(page: &mut String, name: &str, cells: &[(&str, usize)]) -> Result {
    let cells: Vec<(String, usize)> = cells.iter().map(|(cell, width)| ((*cell).to_owned(), *width)).collect();
    row(page, DIM, name, &cells)
}

/// A table of shares, each with its interval.
fn shares(page: &mut String, told: &Verification, headings: [&str; 3], rows: &[(&str, [u64; 3], Share)]) -> Result {
    let level = format!("{:.0} % INTERVAL", 100.0 * told.settings.level);
    let [name, second, third] = headings;
    let titles = ["ON RECORD", second, third, "WATCHED", "WITH 404", "SHARE", level.as_str()];
    let titles: Vec<(&str, usize)> = titles.into_iter().zip(COLUMNS).collect();
    heading(page, name, &titles)?;
    for (name, [first, second, third], share) in rows {
        let counts = [*first, *second, *third, share.of, share.part].map(grouped);
        let cells = counts.into_iter().chain([percent(*share), interval(*share)]).zip(COLUMNS);
        row(page, Style::new(), name, &cells.collect::<Vec<_>>())?;
    }
    writeln!(page)
}

fn confidences(page: &mut String, told: &Verification) -> Result {
    let rows: Vec<(&str, [u64; 3], Share)> = told
        .by_confidence
        .iter()
        .filter(|of| of.moves.migrations > 0)
        .map(|of| {
            let moves = of.moves;
            let unwatched = moves.not_watched + moves.cut_short;
            (of.confidence.as_str(), [moves.migrations, unwatched, moves.already_absent], moves.followed)
        })
        .collect();
    shares(page, told, ["MIGRATIONS", "UNWATCHED", "GONE BEFORE"], &rows)
}

fn causes(page: &mut String, told: &Verification) -> Result {
    if told.causes.is_empty() {
        return Ok(());
    }
    let row = |of: &ByCause| (of.cause.as_str(), [of.reattachments, of.brief, of.already_absent], of.followed);
    let rows: Vec<(&str, [u64; 3], Share)> = told.causes.iter().map(row).collect();
    shares(page, told, ["REATTACHED BY", "BRIEF 404", "GONE BEFORE"], &rows)
}

fn windows(page: &mut String, told: &Verification) -> Result {
    let headings = [("FOLLOWED", 13), ("SHARE", 9), ("404s PRECEDED", 18), ("SHARE", 9), ("BY CHANCE", 12)];
    heading(page, "WINDOW", &headings)?;
    for of in &told.sensitivity {
        let (style, mark) = if of.chosen { (BOLD, " (chosen)") } else { (Style::new(), "") };
        let seconds = of.within_seconds;
        let window = if seconds % 60 == 0 { format!("{} min", seconds / 60) } else { format!("{seconds} s") };
        let cells = [
            (format!("{} of {}", grouped(of.followed.part), grouped(of.followed.of)), 13),
            (percent(of.followed), 9),
            (format!("{} of {}", grouped(of.preceded.part), grouped(of.preceded.of)), 18),
            (percent(of.preceded), 9),
            (of.by_chance.map_or_else(|| "-".to_owned(), |pairs| format!("{pairs:.1}")), 12),
        ];
        row(page, style, &format!("{window}{mark}"), &cells)?;
    }
    writeln!(page)
}

fn cases(page: &mut String, title: &str, cases: &[Pair]) -> Result {
    if cases.is_empty() {
        return Ok(());
    }
    writeln!(page, "{BOLD}{title}, newest first{BOLD:#}")?;
    for case in cases.iter().take(LISTED) {
        let at = case.migration.or(case.onset).map(|at| at.to_string()).unwrap_or_default();
        let confidence = case.confidence.map(|confidence| confidence.to_string()).unwrap_or_default();
        let line = format!("{} {} {confidence}", left(&at, 20), left(case.instance_id.as_str(), 19));
        writeln!(page, "{}", line.trim_end())?;
    }
    if let Some(more) = cases.len().checked_sub(LISTED).filter(|more| *more > 0) {
        writeln!(page, "… and {more} more; --format json has them")?;
    }
    writeln!(page)
}

fn accounting(page: &mut String, told: &Verification) -> Result {
    let a = told.observed.accounting;
    let unreadable =
        if a.unreadable_files > 0 { format!(" ({} unreadable)", grouped(a.unreadable_files)) } else { String::new() };
    let line = format!(
        "{}{unreadable}, {} = {} of lifecycle-check + {} + {} of others + {} malformed",
        counted(a.files, "file of observations", "files of observations"),
        counted(a.lines, "line", "lines"),
        grouped(a.told),
        counted(a.duplicates, "duplicate", "duplicates"),
        grouped(a.other),
        grouped(a.malformed),
    );
    for line in wrapped(&line, WIDTH) {
        writeln!(page, "{DIM}{line}{DIM:#}")?;
    }
    Ok(())
}
