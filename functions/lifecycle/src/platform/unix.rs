//! Linux, and what other Unixes share with it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};

use super::Boot;

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

pub(super) fn boot() -> Boot {
    let word = |path: &str, find: fn(&str) -> Option<&str>| {
        fs::read_to_string(path).ok().and_then(|text| find(&text).map(|word| word.trim().to_owned()))
    };
    let id = word("/proc/sys/kernel/random/boot_id", |text| Some(text));
    let at = word("/proc/stat", |text| text.lines().find_map(|line| line.strip_prefix("btime ")));
    let uptime = word("/proc/uptime", |text| text.split(' ').next());
    Boot {
        id: id.filter(|id| !id.is_empty()),
        at: at.and_then(|at| at.parse().ok()),
        uptime: uptime.and_then(|text| text.parse().ok()).and_then(|time| Duration::try_from_secs_f64(time).ok()),
    }
}

pub(super) fn state_folder() -> PathBuf {
    // systemd's `StateDirectory=` names the folder that it made.
    std::env::var_os("STATE_DIRECTORY").map_or_else(|| "/var/lib/lifecycle-check".into(), PathBuf::from)
}

/// A real path as programs take it: as it is.
pub(super) fn plain(real: PathBuf) -> PathBuf {
    real
}

pub(super) fn check_writers(path: &Path, is_file: bool) -> Result<(), String> {
    let found = fs::metadata(path).map_err(|error| error.to_string())?;
    if is_file && !found.is_file() {
        return Err("not a file".to_owned());
    }
    let (owner, mode) = (found.uid(), found.mode());
    if owner != 0 && owner != geteuid().as_raw() {
        return Err(format!("user {owner} can write it; only administrators may"));
    }
    // In a sticky folder nobody can replace what another owns.
    let is_sticky_folder = !is_file && mode & STICKY != 0;
    if mode & OTHERS_WRITE != 0 && !is_sticky_folder {
        return Err("everybody can write it; only administrators may".to_owned());
    }
    if mode & GROUP_WRITES != 0 && found.gid() != 0 && !is_sticky_folder {
        return Err(format!("group {} can write it; only administrators may", found.gid()));
    }
    Ok(())
}

#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    group: Option<Pid>,
    status: Option<ExitStatus>,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let group = i32::try_from(child.id()).ok().map(Pid::from_raw);
        Ok(Self { child, group, status: None })
    }

    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status)
    }

    pub(super) fn ask_to_end(&mut self) {
        self.signal(Signal::SIGTERM);
    }

    pub(super) fn end(&mut self) {
        self.signal(Signal::SIGKILL);
        if self.status.is_none() {
            self.status = self.child.wait().ok();
        }
    }

    /// Until its leader is waited for, no other group can have its number.
    fn signal(&self, signal: Signal) {
        if let (Some(group), None) = (self.group, self.status) {
            // It may have ended meanwhile.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// systemd starts a service as it starts anything.
pub(super) fn as_service(_: &'static str, _: fn() -> u8, _: fn()) -> Option<io::Result<()>> {
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Instant;

    use super::super::trusted;
    use super::*;

    #[test]
    fn a_file_that_others_can_write_or_replace_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).expect("a folder");
        let file = inner.join("drain");
        fs::write(&file, "").expect("a file");
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
        set(&file, 0o755);
        assert_eq!(trusted(&file), Ok(file.canonicalize().expect("it is there")));
        for (what, mode, back) in [(&file, 0o757, 0o755), (&inner, 0o757, 0o755)] {
            set(what, mode);
            let error = trusted(&file).expect_err("others can write it");
            assert!(error.contains("everybody can write it"), "{error}");
            set(what, back);
        }
        set(&inner, 0o1777);
        assert!(trusted(&file).is_ok(), "sticky");
        assert!(trusted(Path::new("drain")).expect_err("relative").contains("whole path"));
        assert!(trusted(&inner).expect_err("a folder").contains("not a file"));
        assert!(trusted(&inner.join("gone")).is_err());
        // A link is what it leads to.
        let open = folder.path().join("open");
        fs::create_dir(&open).expect("a folder");
        fs::write(open.join("drain"), "").expect("a file");
        set(&open, 0o777);
        std::os::unix::fs::symlink(open.join("drain"), inner.join("link")).expect("a link");
        assert!(trusted(&inner.join("link")).is_err());
        if geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(12_345), None).expect("root may");
            assert!(trusted(&file).expect_err("another's").contains("user 12345"));
            std::os::unix::fs::chown(&file, Some(0), Some(12_345)).expect("root may");
            set(&file, 0o775);
            assert!(trusted(&file).expect_err("a group's").contains("group 12345"));
        }
    }

    #[test]
    fn a_command_ends_with_all_that_it_started_and_leaves_no_zombie() {
        let folder = tempfile::tempdir().expect("a folder");
        let pid_of_child = folder.path().join("pid");
        let script = format!("sleep 60 & echo $! > {0}.new; mv {0}.new {0}; wait", pid_of_child.display());
        let mut running = Running::start(Command::new("/bin/sh").args(["-c", &script])).expect("it starts");
        assert_eq!(running.ended().expect("a state"), None);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !pid_of_child.exists() {
            assert!(Instant::now() < deadline, "it does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        let shell = running.child.id();
        running.end();
        assert!(running.ended().expect("a state").is_some_and(|status| !status.success()));
        assert!(!Path::new(&format!("/proc/{shell}")).exists(), "a zombie");
        let child = fs::read_to_string(pid_of_child).expect("a number");
        // Orphans are waited for by whoever adopts them, which may take a moment, or by nobody in a container.
        let is_over = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
            stat.is_empty() || stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
        };
        while !is_over() {
            assert!(Instant::now() < deadline, "it lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_boot_has_an_id_and_a_time() {
        let boot = boot();
        assert_eq!(boot.id.map(|id| id.len()), Some(36));
        assert!(boot.at.is_some_and(|at| at > 1_500_000_000) && boot.uptime.is_some_and(|time| time > Duration::ZERO));
    }
}
