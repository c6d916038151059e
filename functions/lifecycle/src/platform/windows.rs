//! Windows.

use std::io;
use std::os::windows::io::AsRawHandle as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::time::Duration;

use win32job::{ExtendedLimitInfo, Job};
use windows_permissions::Sid;
use windows_permissions::constants::{SeObjectType, SecurityInformation};
use windows_permissions::wrappers::{GetNamedSecurityInfo, LookupAccountName};
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult};
use windows_service::{define_windows_service, service_dispatcher};

use super::Boot;

/// Whom everything belongs to in any case: the system, its administrators, and the installer of Windows.
const TRUSTED: [&str; 3] =
    ["S-1-5-18", "S-1-5-32-544", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"];
/// Rights that change or replace a file: write, append, delete (a child), permissions, ownership, all.
const WRITES: u32 = 0x0002 | 0x0004 | 0x0001_0000 | 0x0004_0000 | 0x0008_0000 | 0x1000_0000 | 0x4000_0000;
/// Of a folder those that replace what is in it. Adding to it changes no file that is there.
const REPLACES: u32 = 0x0040 | 0x0001_0000 | 0x0004_0000 | 0x0008_0000 | 0x1000_0000;

pub(super) fn boot() -> Boot {
    let uptime = uptime_lib::get().ok();
    let now = jiff::Timestamp::now().as_second();
    let at = uptime.and_then(|uptime| now.checked_sub_unsigned(uptime.as_secs()));
    Boot { id: None, at, uptime }
}

pub(super) fn state_folder() -> PathBuf {
    let data = std::env::var_os("ProgramData").map_or_else(|| r"C:\ProgramData".into(), PathBuf::from);
    data.join("lifecycle-check")
}

/// A real path as programs take it: without the prefix that Windows puts before it, which batch files cannot be run with.
pub(super) fn plain(real: PathBuf) -> PathBuf {
    let short = real.to_str().and_then(|text| text.strip_prefix(r"\\?\"));
    let is_of_a_drive = |text: &&str| text.len() < 260 && text.as_bytes().get(1) == Some(&b':');
    short.filter(is_of_a_drive).map(PathBuf::from).unwrap_or(real)
}

pub(super) fn check_writers(path: &Path, is_file: bool) -> Result<(), String> {
    if is_file && !path.is_file() {
        return Err("not a file".to_owned());
    }
    let wanted = SecurityInformation::Owner | SecurityInformation::Dacl;
    let security =
        GetNamedSecurityInfo(path, SeObjectType::SE_FILE_OBJECT, wanted).map_err(|error| error.to_string())?;
    let own = own_sid();
    let is_trusted = |sid: &Sid| {
        let text = sid.to_string();
        TRUSTED.contains(&text.as_str()) || own.as_deref().is_some_and(|own| own == text)
    };
    if let Some(owner) = security.owner().filter(|owner| !is_trusted(owner)) {
        return Err(format!("{owner} owns it; only administrators may"));
    }
    let Some(list) = security.dacl() else { return Err("everybody can write it; only administrators may".to_owned()) };
    let rights = if is_file { WRITES } else { REPLACES };
    for index in 0..list.len() {
        let Some(entry) = list.get_ace(index) else { continue };
        // Kinds of entries other than plain grants only take rights away, or grant under conditions: those have no SID here.
        let is_grant = format!("{:?}", entry.ace_type()).contains("ALLOWED");
        let only_inherits = entry.flags().bits() & 0x08 != 0;
        let Some(sid) = entry.sid().filter(|sid| !is_trusted(sid)) else { continue };
        if is_grant && !only_inherits && entry.mask().bits() & rights != 0 {
            return Err(format!("{sid} can write it; only administrators may"));
        }
    }
    Ok(())
}

/// The user that this runs as.
fn own_sid() -> Option<String> {
    let name = std::env::var_os("USERNAME")?;
    let (sid, _, _) = LookupAccountName(Option::<&std::ffi::OsStr>::None, &name).ok()?;
    Some(sid.to_string())
}

#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// All that the command starts belongs to it, and ends with it.
    job: Option<Job>,
    status: Option<ExitStatus>,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        // What the command starts before it is in the job stays out of it: a moment.
        let job = Job::create_with_limit_info(ExtendedLimitInfo::new().limit_kill_on_job_close())
            .ok()
            .filter(|job| job.assign_process(child.as_raw_handle() as isize).is_ok());
        Ok(Self { child, job, status: None })
    }

    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status)
    }

    /// Windows has no signal that every program knows.
    #[expect(clippy::unused_self, reason = "other systems have one")]
    pub(super) fn ask_to_end(&mut self) {}

    pub(super) fn end(&mut self) {
        if self.status.is_none() {
            // The last handle of the job ends all that is in it.
            drop(self.job.take());
            let _ = self.child.kill();
            self.status = self.child.wait().ok();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the service runs and how it is stopped: the system calls a plain function, which can be told nothing.
struct Service {
    name: &'static str,
    body: fn() -> u8,
    stop: fn(),
}

static SERVICE: OnceLock<Service> = OnceLock::new();

mod entry {
    //! What the service manager calls.

    use super::{define_windows_service, service_main};

    define_windows_service!(called_by_windows, service_main);

    /// The function that the service manager calls.
    pub(super) fn point() -> extern "system" fn(u32, *mut *mut u16) {
        called_by_windows
    }
}

pub(super) fn as_service(name: &'static str, body: fn() -> u8, stop: fn()) -> Option<io::Result<()>> {
    /// `ERROR_FAILED_SERVICE_CONTROLLER_CONNECT`: started by hand.
    const BY_HAND: i32 = 1_063;
    SERVICE.get_or_init(|| Service { name, body, stop });
    match service_dispatcher::start(name, entry::point()) {
        Ok(()) => Some(Ok(())),
        Err(windows_service::Error::Winapi(error)) if error.raw_os_error() == Some(BY_HAND) => None,
        Err(error) => Some(Err(io::Error::other(error))),
    }
}

fn service_main(_: Vec<std::ffi::OsString>) {
    let Some(service) = SERVICE.get() else { return };
    let stop = service.stop;
    let handler = move |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => {
            stop();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    let Ok(handle) = service_control_handler::register(service.name, handler) else { return };
    let tell = |state, code: u8| {
        let accepted = ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN;
        let running = state == ServiceState::Running;
        let status = ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state: state,
            controls_accepted: if running { accepted } else { ServiceControlAccept::empty() },
            exit_code: ServiceExitCode::Win32(code.into()),
            checkpoint: 0,
            wait_hint: Duration::from_mins(1),
            process_id: None,
        };
        // The manager may be gone; then nobody waits for it.
        let _ = handle.set_service_status(status);
    };
    tell(ServiceState::Running, 0);
    let code = (service.body)();
    tell(ServiceState::Stopped, code);
}
