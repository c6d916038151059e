//! `lifecycle-check`: what this Auto Scaling instance is meant to do next, through the 404 that a live migration leaves.

mod args;
mod bench;
mod complete;
mod config;
mod hooks;
mod marker;
mod metrics;
mod once;
mod out;
mod quota;
mod serve;
mod stack;
mod stop;
mod watch;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use exposure_lifecycle::platform;

use args::{Arguments, Command};
use out::complain;

/// What Windows calls the service.
const SERVICE: &str = "lifecycle-check";
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8_338);

fn main() -> ExitCode {
    let arguments = match config::arguments(std::env::args_os()) {
        Ok(arguments) => Arguments::parse_from(arguments),
        Err(error) => return fails(&error),
    };
    let is_daemon = matches!(arguments.command, Command::Watch(_) | Command::Serve(_));
    if is_daemon {
        // The service manager calls back, in a thread of its own.
        let body = || u8::from(begin().is_err());
        match platform::as_service(SERVICE, body, stop::now) {
            Some(Ok(())) => return ExitCode::SUCCESS,
            Some(Err(error)) => return fails(&error.into()),
            None => {}
        }
    }
    begin().unwrap_or_else(|error| fails(&error))
}

fn begin() -> Result<ExitCode> {
    let arguments = Arguments::parse_from(config::arguments(std::env::args_os())?);
    let stop = stop::listen();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let code = runtime.block_on(async {
        match arguments.command {
            Command::Once(once) => Box::pin(once::run(&once)).await,
            Command::Watch(watch) => Box::pin(watch::run(&watch, stop)).await,
            Command::Serve(mut watch) => {
                watch.listen.get_or_insert(LISTEN);
                Box::pin(watch::run(&watch, stop)).await
            }
            Command::Bench(bench) => Box::pin(bench::run(&bench)).await,
            Command::Quota(quota) => Ok(quota::run(&quota)),
        }
    });
    // Nothing that is still under way may hold up the end.
    runtime.shutdown_background();
    code
}

fn fails(error: &anyhow::Error) -> ExitCode {
    complain(&format!("{error:#}"));
    ExitCode::FAILURE
}
