//! Where metrics go. What a slow receiver takes is never waited for: the next period is told with this one.

use std::time::Duration;

use exposure_lifecycle::api::configuration;
use exposure_lifecycle::identity::Identity;
use exposure_lifecycle::imds::ImdsClient;
use exposure_lifecycle::telemetry::Tally;
use exposure_lifecycle::telemetry::emf;
use exposure_lifecycle::telemetry::put::Publisher;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::args::{Emf, TelemetryFlags};
use crate::out::{Out, complain};

/// How long the agent may take.
const AGENT: Duration = Duration::from_secs(2);

/// The receivers.
struct Sinks {
    flags: TelemetryFlags,
    imds: ImdsClient,
    timeout: Duration,
    out: Out,
    agent: Option<TcpStream>,
    publisher: Option<Publisher>,
    is_failing: [bool; 2],
}

/// The metrics of this process.
pub(crate) struct Metrics {
    sinks: Option<Sinks>,
    under_way: Option<JoinHandle<Sinks>>,
    tally: Tally,
    interval: Duration,
    next: Option<Duration>,
}

impl Metrics {
    pub(crate) fn new(flags: &TelemetryFlags, imds: ImdsClient, timeout: Duration, out: Out) -> Self {
        let interval = flags.metrics_interval;
        let is_wanted = flags.emf.is_some() || flags.put_metric_data;
        let (agent, publisher, is_failing, flags) = (None, None, [false; 2], flags.clone());
        let sinks = is_wanted.then(|| Sinks { flags, imds, timeout, out, agent, publisher, is_failing });
        Self { sinks, under_way: None, tally: Tally::default(), interval, next: None }
    }

    /// Whether somebody takes them.
    pub(crate) fn is_wanted(&self) -> bool {
        self.sinks.is_some() || self.under_way.is_some()
    }

    /// What is counted in this period.
    pub(crate) fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// Tells the period, if it is over, under this stack. `last` tells it in any case.
    pub(crate) async fn tell(&mut self, now: Duration, stack: Option<&str>, identity: Option<&Identity>, last: bool) {
        let due = *self.next.get_or_insert(now.saturating_add(self.interval));
        if !self.is_wanted() || (now < due && !last) {
            return;
        }
        if let Some(task) = self.under_way.take_if(|task| task.is_finished() || last) {
            let wait = if last { Duration::from_secs(2) } else { Duration::ZERO };
            self.sinks = timeout(wait, task).await.ok().and_then(Result::ok);
        }
        let (Some(stack), Some(mut sinks)) = (stack, self.sinks.take()) else { return };
        self.next = Some(now.saturating_add(self.interval));
        let (stack, identity, tally) = (stack.to_owned(), identity.cloned(), self.tally.take());
        let telling = tokio::spawn(async move {
            sinks.tell(&stack, identity.as_ref(), &tally).await;
            sinks
        });
        if last {
            let _ = timeout(AGENT + Duration::from_secs(1), telling).await;
        } else {
            self.under_way = Some(telling);
        }
    }
}

impl Sinks {
    async fn tell(&mut self, stack: &str, identity: Option<&Identity>, tally: &Tally) {
        let now = jiff::Timestamp::now();
        let line = |group| emf::line(&self.flags.metric_namespace, stack, now.as_millisecond(), group, tally);
        match self.flags.emf {
            Some(Emf::Stdout) => self.out.text(line(None)),
            Some(Emf::Agent(address)) => {
                let line = line(Some(&self.flags.log_group)) + "\n";
                let sent = timeout(AGENT, self.send(address, &line)).await;
                let error = match sent {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(_) => Some("no answer in time".to_owned()),
                };
                // Half a line may be on its way.
                if error.is_some() {
                    self.agent = None;
                }
                self.complain(0, "the CloudWatch agent", error);
            }
            None => {}
        }
        if self.flags.put_metric_data {
            let error = self.put(stack, now.as_second(), identity, tally).await.err();
            self.complain(1, "PutMetricData", error);
        }
    }

    async fn send(&mut self, address: std::net::SocketAddr, line: &str) -> std::io::Result<()> {
        // A connection that the agent has closed meanwhile is found out by writing to it: once more, with another.
        if let Some(agent) = &mut self.agent {
            let mut probe = [0; 1];
            let is_open =
                matches!(agent.try_read(&mut probe), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
            if is_open && agent.write_all(line.as_bytes()).await.is_ok() {
                return Ok(());
            }
        }
        let mut agent = TcpStream::connect(address).await?;
        agent.write_all(line.as_bytes()).await?;
        self.agent = Some(agent);
        Ok(())
    }

    async fn put(&mut self, stack: &str, at: i64, identity: Option<&Identity>, tally: &Tally) -> Result<(), String> {
        if self.publisher.is_none() {
            let identity = identity.ok_or("IMDS does not say which region this is")?;
            let config = configuration(identity, &self.imds, self.timeout).await;
            self.publisher = Some(Publisher::new(&config, self.flags.metric_namespace.clone()));
        }
        let Some(publisher) = &self.publisher else { return Ok(()) };
        // Whole minutes, the resolution of standard metrics.
        let minute = u64::try_from(at).unwrap_or(0) / 60 * 60;
        publisher.put(stack, minute, tally).await.map_err(|error| error.to_string())
    }

    /// One line when it begins to fail, and one when it is over.
    fn complain(&mut self, which: usize, whom: &str, error: Option<String>) {
        let Some(is_failing) = self.is_failing.get_mut(which) else { return };
        match (error, *is_failing) {
            (Some(error), false) => complain(&format!("metrics are lost: {whom}: {error}")),
            (None, true) => complain(&format!("metrics are told again: {whom}")),
            _ => return,
        }
        *is_failing = !*is_failing;
    }
}
