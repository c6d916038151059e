//! The scenario table: nights of a fleet, played at an hour a second against the real binary. Beside it polls a tool that takes
//! a 404 for "nothing to do", as the leading one does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::aws::{Aws, Says};
use crate::client::poll_as_if_404_meant_nothing;
use crate::imds::{Imds, TARGET, gone, says};
use crate::program::{Daemon, command, path, recorder, script, wait};
use crate::server::Act;

/// Seconds that pass in a real one.
const SCALE: u64 = 3_600;

/// What both sources say for so many minutes.
struct Phase {
    minutes: u64,
    imds: Act,
    api: Says,
}

fn phase(minutes: u64, imds: Act, api: Says) -> Phase {
    Phase { minutes, imds, api }
}

struct Scenario {
    name: &'static str,
    phases: Vec<Phase>,
    /// The last state and where it comes from.
    ends: (&'static str, &'static str),
    /// The commands that ran, in their order.
    commands: &'static [&'static str],
    /// Whether the other tool drains.
    other_drains: bool,
    /// How many 404s begin, and how many end.
    absences: (usize, usize),
}

#[rustfmt::skip]
fn scenarios() -> Vec<Scenario> {
    let up = || Says::State("InService");
    let serving = || phase(20, says("InService"), up());
    vec![
        Scenario {
            name: "a quiet night",
            phases: vec![phase(60, says("InService"), Says::State("Standby"))],
            ends: ("InService", "imds"), commands: &["InService"], other_drains: false, absences: (0, 0),
        },
        Scenario {
            name: "a migration in the small hours: 404 for six hours, no transition",
            phases: vec![serving(), phase(360, gone(), up())],
            ends: ("InService", "api"), commands: &["InService"], other_drains: false, absences: (1, 0),
        },
        Scenario {
            name: "a migration, and scale-in at dawn that IMDS does not tell",
            phases: vec![serving(), phase(360, gone(), up()), phase(10, gone(), Says::State("Terminating:Wait"))],
            ends: ("Terminated", "api"), commands: &["InService", "Terminated"], other_drains: false, absences: (1, 0),
        },
        Scenario {
            name: "a migration, and scale-in at dawn that brings the item back",
            phases: vec![serving(), phase(120, gone(), up()), phase(10, says("Terminated"), up())],
            ends: ("Terminated", "imds"), commands: &["InService", "Terminated"], other_drains: true, absences: (1, 1),
        },
        Scenario {
            name: "scale-in by day",
            phases: vec![serving(), phase(10, says("Terminated"), up())],
            ends: ("Terminated", "imds"), commands: &["InService", "Terminated"], other_drains: true, absences: (0, 0),
        },
        Scenario {
            name: "the drain goes on, though IMDS forgets it and the API is behind",
            phases: vec![serving(), phase(5, says("Terminated"), up()), phase(60, gone(), up())],
            ends: ("Terminated", "imds"), commands: &["InService", "Terminated"], other_drains: true, absences: (1, 0),
        },
        Scenario {
            name: "and through an outage of everything",
            phases: vec![serving(), phase(5, says("Terminated"), up()), phase(60, Act::Drop, Says::Down)],
            ends: ("Terminated", "imds"), commands: &["InService", "Terminated"], other_drains: true, absences: (0, 0),
        },
        Scenario {
            name: "standby and back while the item is gone",
            phases: vec![
                serving(), phase(30, gone(), up()), phase(30, gone(), Says::State("Standby")), phase(30, gone(), up()),
            ],
            ends: ("InService", "api"), commands: &["InService", "Standby", "InService"], other_drains: false, absences: (1, 0),
        },
        Scenario {
            name: "the API is throttled when the item goes, and has the news later",
            phases: vec![
                serving(), phase(60, gone(), Says::Throttled), phase(90, gone(), Says::State("Terminating:Wait")),
            ],
            ends: ("Terminated", "api"), commands: &["InService", "Terminated"], other_drains: false, absences: (1, 0),
        },
        Scenario {
            name: "a new instance, before its first transition is written",
            phases: vec![phase(15, gone(), Says::State("Pending:Wait")), phase(20, says("InService"), up())],
            ends: ("InService", "imds"), commands: &["InService"], other_drains: false, absences: (1, 1),
        },
        Scenario {
            name: "in no group",
            phases: vec![phase(60, gone(), Says::NoGroup)],
            ends: ("NotInGroup", "api"), commands: &[], other_drains: false, absences: (1, 0),
        },
        Scenario {
            name: "nobody answers: open, and no command for what is only assumed",
            phases: vec![phase(60, Act::Drop, Says::Down)],
            ends: ("InService", "assumed"), commands: &[], other_drains: false, absences: (0, 0),
        },
    ]
}

fn read(log: &Path) -> Vec<String> {
    std::fs::read_to_string(log).unwrap_or_default().lines().map(|line| line.trim_end().to_owned()).collect()
}

fn play(scenario: &Scenario) {
    let name = scenario.name;
    let (imds, aws) = (Imds::start(), Aws::start(Says::Down));
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("commands");
    let hook = path(&recorder(folder.path(), &log));
    imds.target([scenario.phases[0].imds.clone()]);
    aws.says([scenario.phases[0].api.clone()]);
    let mut command = command(&imds, Some(&aws));
    command.args(["watch", "--interval", "30s", "--time-scale", &SCALE.to_string()]);
    // Real delays of this machine are long on this clock: no answer is too old for that.
    command.args(["--hold-imds", "6h", "--hold-api", "6h"]);
    command.args(["--on-terminating", &hook, "--on-standby", &hook, "--on-in-service", &hook]);
    let daemon = Daemon::start(command.args(["--state-dir", &path(folder.path())]));
    let other = Other::start(imds.url());
    daemon.wait_for(name, |line| line["event"] == "state");

    let mut last = Instant::now();
    for phase in &scenario.phases {
        last = Instant::now();
        imds.target([phase.imds.clone()]);
        aws.says([phase.api.clone()]);
        std::thread::sleep(Duration::from_secs(phase.minutes * 60) / u32::try_from(SCALE).expect("small"));
    }
    let (state, source) = scenario.ends;
    let is_there = |lines: &[Value]| {
        let states: Vec<_> = lines.iter().filter(|line| line["event"] == "state").collect();
        states.last().is_some_and(|line| line["state"] == state && line["source"] == source)
    };
    let tell = || format!("{:#?}\n{:?}\n{}", daemon.lines(), read(&log), daemon.complaints());
    wait(name, || (is_there(&daemon.lines()) && read(&log).len() >= scenario.commands.len()).then_some(()), tell);
    // A moment in which nothing must run twice: twenty minutes of the night.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(read(&log), scenario.commands, "{name}: {}", tell());
    assert_eq!(other.stop(), scenario.other_drains, "{name}: what takes a 404 for nothing");
    let events = |event: &str| daemon.lines().iter().filter(|line| line["event"] == event).count();
    assert_eq!((events("imds_absent_begins"), events("imds_absent_ends")), scenario.absences, "{name}: {}", tell());
    daemon.finish();

    // Pauses that grow to five minutes. (That none is under the floor is a property of the schedule, tested there.)
    let calls = aws.calls("DescribeAutoScalingInstances");
    let minutes: u64 = scenario.phases.iter().map(|phase| phase.minutes).sum();
    assert!(calls.iter().filter(|call| call.at <= last).count() as u64 <= minutes / 5 + 20, "{name}: {}", calls.len());
}

/// The other tool, at the same pace.
struct Other {
    stopping: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<bool>,
}

impl Other {
    fn start(url: String) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&stopping);
        let thread = std::thread::spawn(move || {
            let mut drains = false;
            while !stops.load(Ordering::SeqCst) {
                drains |= poll_as_if_404_meant_nothing(&url, TARGET).is_some_and(|state| state == "Terminated");
                std::thread::sleep(Duration::from_millis(8));
            }
            drains
        });
        Self { stopping, thread }
    }

    fn stop(self) -> bool {
        self.stopping.store(true, Ordering::SeqCst);
        self.thread.join().expect("no panic")
    }
}

#[test]
fn every_night_ends_as_it_should() {
    let scenarios = scenarios();
    assert_eq!(scenarios.len(), 12);
    // Three at a time: they mostly wait.
    for batch in scenarios.chunks(3) {
        std::thread::scope(|scope| {
            for scenario in batch {
                scope.spawn(|| play(scenario));
            }
        });
    }
}

#[test]
fn the_drain_comes_in_time_and_the_404_is_told_with_what_the_analyzer_needs() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("InService")));
    let folder = tempfile::tempdir().expect("a folder");
    let hook = script(folder.path(), "hook", "exit 0");
    imds.target([says("InService")]);
    let mut command = command(&imds, Some(&aws));
    command.args(["watch", "--interval", "100ms", "--on-terminating"]).arg(hook).arg("--state-dir").arg(folder.path());
    let daemon = Daemon::start(&mut command);
    daemon.wait_for_state("InService", "imds");
    imds.target([gone()]);
    let begins = daemon.wait_for("the onset", |line| line["event"] == "imds_absent_begins");
    assert_eq!(begins["instance_id"], crate::imds::INSTANCE);
    assert_eq!(begins["region"], "eu-central-1");
    assert_eq!(begins["seen_before"], true);
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("Linux");
    assert_eq!(begins["boot_id"], boot.trim());
    for time in ["onset", "boot_time", "time"] {
        assert!(begins[time].as_str().is_some_and(|text| text.ends_with('Z') && text.starts_with("20")), "{begins}");
    }
    assert!(begins["uptime_seconds"].as_u64().is_some());
    imds.target([says("Terminated")]);
    let came = Instant::now();
    daemon.wait_for("the drain", |line| line["event"] == "command" && line["what"] == "started");
    // An interval and the time of a loaded machine.
    assert!(came.elapsed() < Duration::from_secs(5), "{:?}", came.elapsed());
    let ends = daemon.wait_for("the end", |line| line["event"] == "imds_absent_ends");
    assert_eq!((&ends["onset"], &ends["boot_id"]), (&begins["onset"], &begins["boot_id"]));
    assert!(ends["lasted_seconds"].as_u64().is_some_and(|seconds| seconds < 60));
}
