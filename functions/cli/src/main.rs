//! `exposure`: which Auto Scaling instances were moved to another host without a reboot, which are exposed because
//! of it, and how that splits by stack.

mod analyze;
mod args;
mod catalogue;
#[cfg(feature = "aws")]
mod cost;
mod csv_report;
mod explain;
#[cfg(feature = "aws")]
mod flags;
mod inputs;
mod interrupt;
#[cfg(feature = "aws")]
mod live;
#[cfg(feature = "aws")]
mod preflight;
mod reading;
mod replace;
mod report;
mod simulate;
mod state;
mod table;
mod text;
mod verify;
mod verify_table;
mod walk;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use args::{Arguments, Command};

/// What a command ends with (README, "Exit codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Alarm,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Alarm) => ExitCode::from(3),
        // Whoever reads the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails too.
            let _ = writeln!(io::stderr(), "exposure: {error:#}");
            if error.is::<inputs::Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(arguments: &Arguments) -> Result<End> {
    interrupt::watch()?;
    match &arguments.command {
        Command::Analyze(analyze) => analyze::run(analyze),
        Command::Explain(explain) => explain::run(explain),
        Command::Report(report) => report::run(report),
        Command::Verify(verify) => verify::run(verify),
        Command::Simulate(simulate) => simulate::run(simulate),
        Command::Catalogue(arguments) => catalogue::run(arguments),
        #[cfg(feature = "aws")]
        Command::Run(run) => live::run(run),
        #[cfg(feature = "aws")]
        Command::List(list) => live::list(list),
        #[cfg(feature = "aws")]
        Command::Cost(cost) => cost::run(cost),
        #[cfg(feature = "aws")]
        Command::Preflight(preflight) => preflight::run(preflight),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let plain = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let in_json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        plain.or(in_json) == Some(io::ErrorKind::BrokenPipe)
    })
}
