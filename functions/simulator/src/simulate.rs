//! From a configuration to a folder.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::account::{Account, At};
use crate::calendar::Calendar;
use crate::config::Config;
use crate::dice::Dice;
use crate::error::SimulateError;
use crate::event::Class;
use crate::fleet::{write_fleet, write_json};
use crate::instance::Instance;
use crate::noise::{Noise, how_many};
use crate::observe::write_observations;
use crate::population::populate;
use crate::scribe::Scribe;
use crate::script::Plan;
use crate::trail::{Press, Tally, Trail, pressing, write_extras};
use crate::truth::Truth;

/// Calls of progress are this many records apart.
const PROGRESS_EVERY: u64 = 10_000;

/// How far a simulation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Records written so far.
    pub records: u64,
    /// About how many there will be.
    pub of_records: u64,
}

/// What was simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Instances that lived in the account.
    pub instances: u64,
    /// Log files, without digests and Insight files.
    pub files: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of all compressed files.
    pub compressed_bytes: u64,
}

/// Streams of chance beside those of the instances.
const RECORDS: u64 = u64::MAX - 1;
const DELIVERY: u64 = u64::MAX - 2;
const NOISE: u64 = u64::MAX - 3;
const EXTRAS: u64 = u64::MAX - 4;

/// Simulates an account into `out`: the trail under `AWSLogs`, `fleet.json`, `activities.json`, `warm-pool.json`,
/// `observations.jsonl` with the truth about them, and last `truth.json`, without which the folder is incomplete. The same configuration gives the same bytes.
///
/// `progress` is called now and then.
///
/// # Errors
///
/// Where the configuration makes no sense, `out` is not a new or an empty folder, or a file cannot be written.
pub fn simulate(config: &Config, out: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Summary, SimulateError> {
    let checked = config.check()?;
    prepare(out)?;
    let account = Account::new(config);
    let calendar = Calendar::new(&checked);
    let plan = populate(config, &account, &calendar);
    let stage = Stage { config, out, account: &account, calendar: &calendar, plan: &plan };
    let (tally, compressed_bytes) = pressing(config.gzip_level, |press| stage.write_trail(press, progress))?;
    write_fleet(out, &account, &plan)?;
    let trail = (tally.first.unwrap_or(calendar.start), tally.last.unwrap_or(calendar.start));
    write_observations(config, out, &account, &calendar, &plan, trail)?;
    let truth = Truth::of(&account, &plan.instances, &tally, calendar.end);
    let (partial, path) = (out.join(".truth.json.partial"), out.join("truth.json"));
    write_json(&partial, &truth)?;
    fs::rename(&partial, &path).map_err(SimulateError::write(&path))?;
    Ok(Summary {
        instances: u64::try_from(plan.instances.len()).unwrap_or(u64::MAX),
        files: tally.files,
        records: tally.records,
        compressed_bytes,
    })
}

/// Makes the folder, or makes sure that it is empty.
fn prepare(out: &Path) -> Result<(), SimulateError> {
    match fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(SimulateError::NotEmpty(out.to_owned())),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => fs::create_dir_all(out).map_err(SimulateError::write(out)),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(SimulateError::NotAFolder(out.to_owned())),
        Err(error) => Err(SimulateError::write(out)(error)),
    }
}

/// All that the writing of the trail needs.
struct Stage<'a> {
    config: &'a Config,
    out: &'a Path,
    account: &'a Account,
    calendar: &'a Calendar,
    plan: &'a Plan,
}

/// Where records go, and how many went.
struct Writer<'a, 'p> {
    scribe: Scribe<'a>,
    trail: Trail<'a>,
    record: Vec<u8>,
    copy: Vec<u8>,
    progress: &'p mut dyn FnMut(Progress),
    of_records: u64,
    told: u64,
}

impl Stage<'_> {
    fn write_trail(&self, mut press: Press, progress: &mut dyn FnMut(Progress)) -> Result<Tally, SimulateError> {
        let seed = self.config.seed;
        let (start, end) = (self.calendar.start, self.calendar.end);
        write_extras(self.account, self.out, &mut press, &mut Dice::new(seed, EXTRAS), (start, end))?;
        let events = &self.plan.events;
        let planned = u64::try_from(events.len()).unwrap_or(u64::MAX);
        let noises = how_many(self.config, planned);
        let of_records = planned.saturating_add(noises);
        let mut writer = Writer {
            scribe: Scribe::new(self.account, Dice::new(seed, RECORDS)),
            trail: Trail::new(self.account, self.out, press, Dice::new(seed, DELIVERY), of_records, end - start),
            record: Vec::new(),
            copy: Vec::new(),
            progress,
            of_records,
            told: 0,
        };
        let mut noise = Noise::new(self.places(), noises, (start, end), Dice::new(seed, NOISE));
        for event in events {
            while let Some((at, place, instance)) = noise.before(event.at, &self.plan.instances) {
                writer.noise(at, place, instance)?;
            }
            let instance = usize::try_from(event.instance).ok().and_then(|index| self.plan.instances.get(index));
            if let Some(instance) = instance {
                writer.event(event, instance)?;
            }
        }
        while let Some((at, place, instance)) = noise.before(end, &self.plan.instances) {
            writer.noise(at, place, instance)?;
        }
        writer.trail.finish()
    }

    /// The places that have anything to log.
    fn places(&self) -> Vec<At> {
        let any = |is: fn(&Instance) -> bool| self.plan.instances.iter().any(is);
        let second = any(|instance| instance.at == At::Second).then_some(At::Second);
        let key_account = any(|instance| instance.shared_key).then_some(At::KeyAccount);
        [Some(At::Home), second, key_account].into_iter().flatten().collect()
    }
}

impl Writer<'_, '_> {
    fn event(&mut self, event: &crate::event::Event, instance: &Instance) -> Result<(), SimulateError> {
        self.record.clear();
        self.copy.clear();
        self.scribe.event(event, instance, &mut self.record, &mut self.copy);
        let class = event.action.class();
        self.trail.record(event.at, instance.at, class, false, &self.record)?;
        if !self.copy.is_empty() {
            self.trail.record(event.at, At::KeyAccount, class, true, &self.copy)?;
        }
        self.tell();
        Ok(())
    }

    fn noise(&mut self, at: i64, place: At, instance: &Instance) -> Result<(), SimulateError> {
        self.record.clear();
        self.scribe.noise(at, place, instance, &mut self.record);
        self.trail.record(at, place, Class::Irrelevant, false, &self.record)?;
        self.tell();
        Ok(())
    }

    fn tell(&mut self) {
        let records = self.trail.tally.records;
        if records >= self.told + PROGRESS_EVERY {
            self.told = records;
            (self.progress)(Progress { records, of_records: self.of_records.max(records) });
        }
    }
}
