//! The stand-in as a program: `stand-in --account DIR [--port P] …`.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use exposure_stand_in::{Account, Clock, Delivery, Options, Quota, StandIn};

const USAGE: &str = "usage: stand-in --account DIR [--port P] [--clock SECONDS|system|end] [--quota off|system|BURST]
                [--delivery JSON]
  --account   a folder that `exposure simulate` wrote
  --clock     what time it is: a second of the Unix epoch, the system's, or an hour after the last record (the default)
  --quota     the limit of LookupEvents, 2 a second: none, by the system's clock (the default), or by the stand-in's own
              with so many requests saved up at most
  --delivery  \"as-filed\" (the default), or {\"drawn\": {\"seed\": 1, \"min_delay\": 60, \"max_delay\": 300,
              \"late_share\": 0.0, \"late_causes\": null, \"late_max\": 21600, \"duplicate_share\": 0.0}}";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nowhere_else = writeln!(io::stderr(), "stand-in: {error}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run() -> io::Result<()> {
    let mut options = Options::default();
    let (mut folder, mut delivery) = (None, Delivery::default());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| wrong(&word, "has no value"))?;
        match word.as_str() {
            "--account" => folder = Some(PathBuf::from(value)),
            "--port" => options.port = value.parse().map_err(|_| wrong(&word, "is no port"))?,
            "--clock" => {
                options.clock = match value.as_str() {
                    "system" => Clock::System,
                    "end" => Clock::AtEnd,
                    second => Clock::Driven(second.parse().map_err(|_| wrong(&word, "is no second"))?),
                };
            }
            "--quota" => {
                options.lookup_quota = match value.as_str() {
                    "off" => Quota::none(),
                    "system" => Quota::default(),
                    burst => Quota::by_clock(burst.parse().map_err(|_| wrong(&word, "is no number"))?),
                };
            }
            "--delivery" => delivery = serde_json::from_str(&value)?,
            _ => return Err(wrong(&word, "is unknown")),
        }
    }
    let folder = folder.ok_or_else(|| wrong("--account", "is missing"))?;
    let account = Account::load(&folder, &delivery)?;
    let stand_in = StandIn::start(account, options)?;
    let mut out = io::stdout();
    writeln!(out, "{}", stand_in.url())?;
    out.flush()?;
    loop {
        std::thread::park();
    }
}

fn wrong(option: &str, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{option} {what}"))
}
