//! `exposure simulate`.

use std::io::{self, Write};

use anyhow::{Context, Result};
use exposure_simulator::Config;
use indicatif::{ProgressBar, ProgressStyle};

use crate::End;
use crate::args::Simulate;
use crate::text::{counted, shown};

pub(crate) fn run(arguments: &Simulate) -> Result<End> {
    let start = jiff::Timestamp::from_second(arguments.start.as_second()).context("--start")?;
    let config = Config {
        seed: arguments.seed,
        instances: arguments.instances,
        scheduled: arguments.scheduled,
        records: arguments.records,
        start,
        days: arguments.days,
        time_zone: arguments.time_zone.clone(),
        gzip_level: arguments.gzip_level,
        unrelated_absences: arguments.unrelated_absences,
        ..Config::default()
    };
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos} of {len} records, {eta} left") {
        bar.set_style(style);
    }
    let summary = exposure_simulator::simulate(&config, &arguments.out, &mut |progress| {
        bar.set_length(progress.of_records);
        bar.set_position(progress.records);
    })?;
    bar.finish_and_clear();
    let out = shown(&arguments.out.display().to_string());
    let (records, files) = (counted(summary.records, "record", "records"), counted(summary.files, "file", "files"));
    let instances = counted(summary.instances, "instance", "instances");
    let told = writeln!(
        io::stderr(),
        "{out}: {instances}, {records} in {files}, and truth.json. Analyse it:\n  \
         exposure analyze --trail {out}/AWSLogs --fleet {out}/fleet.json --warm-pool {out}/warm-pool.json\n  \
         exposure verify --trail {out}/AWSLogs --observations {out}/observations.jsonl"
    );
    told.context("cannot write to standard error")?;
    Ok(End::Done)
}
