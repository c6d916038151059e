//! An AWS stand-in on loopback, for tests: it speaks the wire protocols that the Rust SDKs really use, and shows a made-up
//! account at the time of a clock that a test drives.
//!
//! | service | protocol | operations |
//! |---|---|---|
//! | CloudTrail | JSON 1.1 | `LookupEvents`, `DescribeTrails`, `ListTrails`, `GetTrailStatus`, `GetEventSelectors` |
//! | Auto Scaling | query, XML | `DescribeAutoScalingGroups`, `DescribeWarmPool`, `DescribeScalingActivities`, `DescribeAutoScalingInstances` |
//! | CloudWatch | rpc-v2-cbor | `PutMetricData` |
//! | S3 | REST, path style | `GetObject`, `HeadObject`, `PutObject`, `CopyObject`, `DeleteObject`, `ListObjectsV2` |
//! | SQS | JSON 1.0 | `ReceiveMessage`, `DeleteMessage`, `DeleteMessageBatch`, `SendMessage`, `GetQueueAttributes`, `GetQueueUrl`, `CreateQueue` |
//! | STS | query, XML | `GetCallerIdentity`, `AssumeRole` |
//!
//! The account and region of a call are those that it is signed for: an access key of twelve digits is the account. The
//! bucket `trail` has the account's log files, the queue `events` its records as EventBridge sends them, each as far as
//! they have been delivered by the clock; a bucket whose name begins with `missing` does not exist.
//!
//! It shares no code with the analysis: what it answers follows from the files of the simulator alone.
//!
//! Other processes drive it through `/_stand-in/`: `GET account`, `GET members`, `GET` and `PUT clock`
//! (`{"now": seconds or text}`, `{"millis": n}`, `{"advance": seconds}`), `PUT` and `DELETE faults`
//! (`{"seed": n, "faults": […]}`), `GET` and `PUT switches`, `PUT quota`, `GET` and `DELETE metrics`, `GET` and
//! `DELETE requests`, `POST reset`.

#![expect(
    clippy::indexing_slicing,
    reason = "of JSON values only: null for what is missing, and new members on writing"
)]
#![expect(clippy::format_push_string, clippy::format_collect, reason = "of a test helper: clear before fast")]

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

mod account;
mod autoscaling;
mod bucket;
mod cbor;
mod cloudtrail;
mod cloudwatch;
mod control;
mod delivery;
mod digest;
mod extras;
mod faults;
mod fleet;
mod gate;
pub mod gzip;
mod http;
mod hub;
mod launch;
mod life;
mod log;
mod options;
mod query;
mod queue;
mod quota;
mod record;
mod s3;
mod sqs;
mod sts;
mod switches;
mod time;
mod wire;
mod xml;

pub use account::Account;
pub use cloudwatch::Datum;
pub use delivery::{Delivery, Draws};
pub use faults::{Fault, FaultKind};
pub use log::RequestLine;
pub use options::{Clock, Options, Pace, Quota};
pub use switches::Switches;

use faults::Script;
use http::Server;
use hub::Hub;
use quota::Buckets;

/// A running stand-in. It stops when it is dropped.
#[derive(Debug)]
pub struct StandIn {
    hub: Arc<Hub>,
    server: Server,
}

impl StandIn {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// The port is taken, or there are no threads left.
    pub fn start(account: impl Into<Arc<Account>>, options: Options) -> io::Result<Self> {
        let port = options.port;
        let hub = Arc::new(Hub::new(account.into(), options));
        let server = Server::start(port, {
            let hub = Arc::clone(&hub);
            Arc::new(move |request| hub.handle(request))
        })?;
        Ok(Self { hub, server })
    }

    /// Where it listens: what an SDK takes as its endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The address of the queue that EventBridge feeds.
    #[must_use]
    pub fn queue_url(&self) -> String {
        format!("{}/{}/{}", self.url(), self.hub.account.id(), self.hub.options.queue)
    }

    /// The account that it shows.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.hub.account
    }

    /// What time it is there, in seconds of the Unix epoch.
    #[must_use]
    pub fn clock(&self) -> i64 {
        self.hub.live().now()
    }

    /// Sets the clock, in seconds of the Unix epoch.
    pub fn set_clock(&self, second: i64) {
        self.set_clock_millis(second.saturating_mul(1000));
    }

    /// Sets the clock, in milliseconds of the Unix epoch.
    pub fn set_clock_millis(&self, millis: i64) {
        self.hub.live().clock = Some(millis);
    }

    /// Has these faults happen from now on, in place of earlier ones. Another seed draws other calls.
    pub fn faults(&self, seed: u64, faults: Vec<Fault>) {
        self.hub.live().script = Script::new(seed, faults);
    }

    /// Waits until so many calls are held by [`FaultKind::Hold`] or [`FaultKind::HoldAnswer`], and says whether that came
    /// within a time of the system's clock.
    #[must_use]
    pub fn held(&self, calls: usize, within: Duration) -> bool {
        self.hub.gate.held(calls, within)
    }

    /// Lets the calls go on that are held now.
    pub fn release(&self) {
        self.hub.gate.release();
    }

    /// Sets all switches.
    pub fn switches(&self, switches: Switches) {
        self.hub.live().switches = switches;
    }

    /// Sets the limit of `LookupEvents`.
    pub fn lookup_quota(&self, quota: Quota) {
        self.hub.live().quota = Buckets::new(quota);
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestLine> {
        self.hub.live().requests.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.hub.live().requests.clear();
    }

    /// The metrics so far.
    #[must_use]
    pub fn metrics(&self) -> Vec<Datum> {
        self.hub.live().metrics.clone()
    }

    /// The metrics so far, which are forgotten here: of thousands of runs nobody wants them all each time.
    #[must_use]
    pub fn take_metrics(&self) -> Vec<Datum> {
        std::mem::take(&mut self.hub.live().metrics)
    }

    /// Forgets the metrics so far.
    pub fn clear_metrics(&self) {
        self.hub.live().metrics.clear();
    }

    /// The body of an object, if there is one.
    #[must_use]
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.hub.live().objects.get(bucket, key).map(|object| object.body.clone())
    }

    /// Puts an object, whatever is there.
    pub fn put_object(&self, bucket: &str, key: &str, body: Vec<u8>) {
        let mut live = self.hub.live();
        let modified = live.now();
        live.objects.put(bucket, key, bucket::Object { body, modified, ..bucket::Object::default() });
    }

    /// Back to the beginning: no objects, metrics, requests, faults or switches, and the clock of the options.
    pub fn reset(&self) {
        self.hub.reset();
    }
}

/// Locks; a thread that panicked with the lock leaves nothing half-done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
