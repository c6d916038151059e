//! Where requests come in: who is asked, what goes wrong, what is answered, and the log of it all.

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::account::Account;
use crate::bucket::Buckets as Objects;
use crate::cloudwatch::Datum;
use crate::control;
use crate::faults::{FaultKind, Script};
use crate::gate::Gate;
use crate::http::{Reply, Request, Response};
use crate::log::RequestLine;
use crate::options::{Clock, Options};
use crate::queue::Queues;
use crate::quota::Buckets;
use crate::switches::Switches;
use crate::time;
use crate::wire::{Answer, ApiError, Call, Mood, Service, identify};
use crate::{autoscaling, cloudtrail, cloudwatch, lock, s3, sqs, sts};

/// Everything behind the server.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) account: Arc<Account>,
    pub(crate) options: Options,
    pub(crate) gate: Gate,
    live: Mutex<Live>,
}

/// What changes.
#[derive(Debug)]
pub(crate) struct Live {
    /// Milliseconds; the system's clock if there are none.
    pub(crate) clock: Option<i64>,
    pub(crate) switches: Switches,
    pub(crate) script: Script,
    pub(crate) quota: Buckets,
    pub(crate) requests: Vec<RequestLine>,
    pub(crate) metrics: Vec<Datum>,
    pub(crate) objects: Objects,
    pub(crate) queues: Queues,
    serial: u64,
}

impl Live {
    fn new(account: &Account, options: &Options) -> Self {
        let clock = match options.clock {
            Clock::System => None,
            Clock::Driven(second) => Some(second * 1000),
            Clock::AtEnd => Some((account.window().1 + 3600) * 1000),
        };
        Self {
            clock,
            switches: Switches::default(),
            script: Script::default(),
            quota: Buckets::new(options.lookup_quota.clone()),
            requests: Vec::new(),
            metrics: Vec::new(),
            objects: Objects::default(),
            queues: Queues::default(),
            serial: 0,
        }
    }

    /// Milliseconds of the stand-in's clock.
    pub(crate) fn millis(&self) -> i64 {
        self.clock.unwrap_or_else(time::system_millis)
    }

    /// Seconds of the stand-in's clock.
    pub(crate) fn now(&self) -> i64 {
        self.millis().div_euclid(1000)
    }

    /// A number that no other thing has.
    pub(crate) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

impl Hub {
    pub(crate) fn new(account: Arc<Account>, options: Options) -> Self {
        let live = Mutex::new(Live::new(&account, &options));
        Self { account, options, gate: Gate::default(), live }
    }

    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        lock(&self.live)
    }

    /// Back to the beginning, with the clock, switches and faults of the beginning too.
    pub(crate) fn reset(&self) {
        *self.live() = Live::new(&self.account, &self.options);
    }

    /// Answers a request.
    pub(crate) fn handle(&self, request: Request) -> Reply {
        if request.path.starts_with(control::ROOT) {
            return Reply::Answer(control::handle(self, &request));
        }
        let id = request_id(self.live().serial());
        match identify(request, self.account.id(), self.account.region()) {
            Ok(call) => self.serve(&call, &id),
            Err(error) => Reply::Answer(error.render(Service::CloudTrail, &id)),
        }
    }

    fn serve(&self, call: &Call, id: &str) -> Reply {
        let kinds = self.live().script.judge(call);
        let mut plan = Plan::default();
        for kind in &kinds {
            plan.take(kind, call);
        }
        if let Some(delay) = plan.delay {
            thread::sleep(delay);
        }
        if plan.hold {
            self.gate.wait();
        }
        if plan.drop {
            self.note(call, 0, "dropped", 0);
            return Reply::HangUp;
        }
        let answer = plan.error.map_or_else(|| self.answer(call, plan.mood, id), Err);
        let (response, code) = match answer {
            Ok(response) => (response, String::new()),
            Err(error) => (error.render(call.service, id), error.code),
        };
        let code = if plan.drop_answer { "answer dropped" } else { code.as_str() };
        self.note(call, response.status, code, response.body.len());
        if plan.hold_answer {
            self.gate.wait();
        }
        if plan.drop_answer {
            return Reply::HangUp;
        }
        let date = time::http_date(time::system_millis().div_euclid(1000) + plan.skew);
        Reply::Answer(response.with("date", date).with(request_id_header(call.service), id))
    }

    fn answer(&self, call: &Call, mood: Mood, id: &str) -> Answer {
        match call.service {
            Service::CloudTrail => cloudtrail::answer(self, call, mood),
            Service::AutoScaling => autoscaling::answer(self, call, mood, id),
            Service::CloudWatch => cloudwatch::answer(self, call),
            Service::S3 => s3::answer(self, call, mood),
            Service::Sqs => sqs::answer(self, call),
            Service::Sts => sts::answer(self, call, id),
        }
    }

    fn note(&self, call: &Call, status: u16, error: &str, bytes: usize) {
        let mut live = self.live();
        let details = match call.service {
            Service::CloudTrail | Service::Sqs => call.json.clone(),
            Service::S3 => json!({"path": call.request.path, "query": call.request.query}),
            Service::CloudWatch => Value::Null,
            Service::AutoScaling | Service::Sts => call.params.to_json(),
        };
        let entry = RequestLine {
            clock: live.now(),
            system_millis: time::system_millis(),
            service: call.service.name().to_owned(),
            operation: call.operation.clone(),
            account: call.account.clone(),
            region: call.region.clone(),
            status,
            error: error.to_owned(),
            sent_bytes: call.request.body.len(),
            answer_bytes: bytes,
            details,
        };
        live.requests.push(entry);
    }
}

/// What faults do to one call.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
struct Plan {
    delay: Option<Duration>,
    hold: bool,
    hold_answer: bool,
    drop: bool,
    drop_answer: bool,
    skew: i64,
    mood: Mood,
    error: Option<ApiError>,
}

impl Plan {
    fn take(&mut self, kind: &FaultKind, call: &Call) {
        let error = match kind {
            FaultKind::Slow { millis } => {
                self.delay = Some(self.delay.unwrap_or_default() + Duration::from_millis(*millis));
                return;
            }
            FaultKind::Hold => return self.hold = true,
            FaultKind::HoldAnswer => return self.hold_answer = true,
            FaultKind::Drop => return self.drop = true,
            FaultKind::DropAnswer => return self.drop_answer = true,
            FaultKind::ExpiredToken => return self.mood.expired_token = true,
            FaultKind::RepeatToken => return self.mood.repeat_token = true,
            FaultKind::ShortPage => return self.mood.short_page = true,
            FaultKind::UnknownStates => return self.mood.unknown_states = true,
            FaultKind::ClockSkew { seconds } => return self.skew = *seconds,
            FaultKind::Throttle => ApiError::throttled(call.service),
            FaultKind::ServerError { status } => ApiError::server(call.service, *status),
            FaultKind::AccessDenied => ApiError::denied(call),
            FaultKind::Error { status, code } => ApiError::new(*status, code, "A scripted error."),
        };
        self.error.get_or_insert(error);
    }
}

fn request_id(serial: u64) -> String {
    format!("{serial:08x}-0000-4000-8000-{serial:012x}")
}

fn request_id_header(service: Service) -> &'static str {
    if service == Service::S3 { "x-amz-request-id" } else { "x-amzn-requestid" }
}

/// The answer to what a service does not do here.
pub(crate) fn unknown_operation(call: &Call) -> ApiError {
    let code = match call.service {
        Service::S3 => "NotImplemented",
        Service::AutoScaling | Service::Sts => "InvalidAction",
        _ => "UnknownOperationException",
    };
    ApiError::new(if call.service == Service::S3 { 501 } else { 400 }, code, format!("not here: {}", call.operation))
}

/// An empty answer.
pub(crate) fn empty(status: u16) -> Response {
    Response { status, ..Response::default() }
}
