//! `exposure preflight`: whether the analyzer would see, as a table of checks with a fix for each.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result, anyhow, bail};
use exposure_aws::preflight::{Check, PreflightError, Report, TargetReport, Verdict, preflight};
use exposure_aws::settings::Settings;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::End;
use crate::args::{CheckFormat, Preflight};
use crate::inputs::Usage;
use crate::live::{now, runtime};
use crate::text::{counted, left, shown, wrapped};

const WIDTH: usize = 100;
/// The columns of a check's result and name.
const RESULT: usize = 5;
const NAME: usize = 38;
const TEXT: usize = WIDTH - RESULT - NAME - 2;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const LOUD: Style = AnsiColor::Red.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();

/// Tries everything, and prints what was found.
pub(crate) fn run(arguments: &Preflight) -> Result<End> {
    let settings =
        Settings::from_variables(|name| arguments.settings.variable(name)).map_err(|error| Usage(error.to_string()))?;
    let timeout = Duration::try_from(arguments.timeout).unwrap_or(Duration::from_mins(2));
    let report = match runtime()?.block_on(preflight(&settings, now(), timeout)) {
        Ok(report) => report,
        Err(PreflightError::Start(error)) => return Err(Usage(error.to_string()).into()),
        Err(error @ PreflightError::NoRegion) => bail!(error),
    };
    let mut out = BufWriter::new(anstream::stdout().lock());
    match arguments.format {
        CheckFormat::Table => out.write_all(render(&report).as_bytes())?,
        CheckFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &report)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush().context("cannot print the checks")?;
    if !report.answered {
        return Err(unanswered(&report));
    }
    Ok(if report.ok { End::Done } else { End::Alarm })
}

/// Why nothing could be tried: the first check that failed says it.
fn unanswered(report: &Report) -> anyhow::Error {
    let mut checks = report.targets.iter().flat_map(|target| &target.checks);
    let first = checks.find(|check| check.result == Verdict::Fail);
    let why = first.map(|check| shown(&check.detail)).unwrap_or_default();
    let fix = first.and_then(|check| check.fix.as_deref()).unwrap_or("check credentials and network");
    anyhow!("no call was answered: {why}; {}", shown(fix))
}

/// Renders it, with colours; whoever prints it strips them where they are not wanted.
fn render(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut page, report);
    page
}

fn write(page: &mut String, report: &Report) -> std::fmt::Result {
    for target in &report.targets {
        write_target(page, target)?;
    }
    let [failed, warned] = [Verdict::Fail, Verdict::Warn].map(|result| report.count(result));
    let style = match (failed, warned) {
        (0, 0) => GOOD,
        (0, _) => WARN,
        _ => LOUD,
    };
    let failed = counted(failed, "check failed", "checks failed");
    writeln!(page, "{style}{failed}, {}.{style:#}", counted(warned, "warning", "warnings"))
}

fn write_target(page: &mut String, target: &TargetReport) -> std::fmt::Result {
    let account = target.account.map_or_else(|| "(account not known)".to_owned(), |account| account.to_string());
    writeln!(page, "{BOLD}{account} {}{BOLD:#}", target.region)?;
    let heading = format!("{} {} WHAT, FIX", left("", RESULT), left("CHECK", NAME));
    writeln!(page, "{DIM}{heading}{DIM:#}")?;
    for check in &target.checks {
        write_check(page, check)?;
    }
    writeln!(page)
}

fn write_check(page: &mut String, check: &Check) -> std::fmt::Result {
    let (result, style) = match check.result {
        Verdict::Ok => ("ok", GOOD),
        Verdict::Note => ("note", DIM),
        Verdict::Warn => ("warn", WARN),
        Verdict::Fail => ("FAIL", LOUD),
    };
    let detail = lines(&check.detail);
    let mut first = format!("{style}{}{style:#} {}", left(result, RESULT), left(check.name, NAME));
    for line in detail {
        writeln!(page, "{first} {line}")?;
        first = " ".repeat(RESULT + NAME + 1);
    }
    for line in check.fix.iter().flat_map(|fix| lines(&format!("fix: {fix}"))) {
        writeln!(page, "{first} {DIM}{line}{DIM:#}")?;
        first = " ".repeat(RESULT + NAME + 1);
    }
    Ok(())
}

/// Text from outside in lines that fit; a word that is longer than a line, such as an ARN, goes on in the next.
fn lines(text: &str) -> Vec<String> {
    let words: Vec<String> = shown(text).split_whitespace().map(broken).collect();
    let lines = wrapped(&words.join(" "), TEXT);
    if lines.is_empty() { vec![String::new()] } else { lines }
}

/// A word with spaces where it must break.
fn broken(word: &str) -> String {
    if word.width() <= TEXT {
        return word.to_owned();
    }
    let (mut broken, mut used) = (String::with_capacity(word.len()), 0);
    for character in word.chars() {
        let width = character.width().unwrap_or(0);
        if used + width > TEXT {
            broken.push(' ');
            used = 0;
        }
        broken.push(character);
        used += width;
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_nothing() {
        let arn = format!("arn:aws:sts::111122223333:assumed-role/{}", "x".repeat(200));
        let text = format!("the credentials are of {arn} and 夜間夜間\u{1b}[2J");
        let lines = lines(&text);
        assert!(lines.len() > 4);
        assert!(lines.iter().all(|line| line.width() <= TEXT), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), shown(&text).replace(' ', ""));
    }
}
