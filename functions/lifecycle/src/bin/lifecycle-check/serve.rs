//! An endpoint on loopback with IMDS' own path, so that existing pollers need only another base URL; `/healthz`, and
//! `/metrics` for Prometheus. As much of HTTP/1.1 as that takes: an HTTP crate's server would have the clients of AWS built
//! a second time.

mod http;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use exposure_core::stacks::UNASSIGNED;
use exposure_lifecycle::check::Round;
use exposure_lifecycle::imds::TARGET_PATH;
use exposure_lifecycle::machine::Decision;
use exposure_lifecycle::state::State;
use exposure_lifecycle::telemetry::{Tally, prometheus};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use http::{Request, Response};

/// How many connections there may be at a time.
const CONNECTIONS: usize = 64;
const TOKEN_PATH: &str = "/latest/api/token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN: &str = "x-aws-ec2-metadata-token";
/// The token of everybody. It guards nothing: it keeps the two steps that pollers are written for. A token of before a
/// restart of this program must do as well, since some clients never ask for another (the SDK's own, for one).
const THE_TOKEN: &str = "lifecycle-check";

/// What the poller leaves for the server.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    last: Option<(Decision, Instant)>,
    total: Tally,
    stack: String,
    /// How old the last poll may be.
    patience: Duration,
    is_served: bool,
}

impl Shared {
    pub(crate) fn new(between_polls: Duration) -> Self {
        let patience = between_polls.saturating_mul(3).max(Duration::from_secs(5));
        let (last, total, stack, is_served) = (None, Tally::default(), UNASSIGNED.to_owned(), false);
        Self { inner: Arc::new(Mutex::new(Inner { last, total, stack, patience, is_served })) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        // Nothing is left half-done by a panic here.
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn is_served(&self) -> bool {
        self.with(|inner| inner.is_served)
    }

    pub(crate) fn update(&self, round: &Round, stack: Option<&str>) {
        self.with(|inner| {
            inner.last = Some((round.decision.clone(), Instant::now()));
            inner.total.add(round);
            if let Some(stack) = stack {
                stack.clone_into(&mut inner.stack);
            }
        });
    }
}

/// Answers until the process ends.
pub(crate) async fn serve(listener: TcpListener, shared: Shared) {
    shared.with(|inner| inner.is_served = true);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    http::converse(stream, |request| answer(request, &shared)).await;
                    drop(place);
                });
            }
            // Out of descriptors, as a rule: they come back.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn answer(request: &Request, shared: &Shared) -> Response {
    // A web page that has its own name resolve to this machine must not be answered.
    if !request.header("host").is_some_and(is_loopback) {
        return Response::new(403, "this answers to localhost, 127.0.0.1 and [::1] only\n");
    }
    let path = request.path.split('?').next().unwrap_or_default();
    match (request.method.as_str(), path) {
        ("PUT", TOKEN_PATH) => token(request),
        ("GET" | "HEAD", TARGET_PATH) => target(request, shared),
        ("GET" | "HEAD", "/healthz") => health(shared),
        ("GET" | "HEAD", "/metrics") => shared.with(|inner| {
            let text = prometheus::text(&inner.stack, &inner.total, inner.last.as_ref().map(|(last, _)| last));
            Response::new(200, text).with("content-type", "text/plain; version=0.0.4")
        }),
        (_, TOKEN_PATH | TARGET_PATH | "/healthz" | "/metrics") => Response::new(405, "no such method\n"),
        _ => Response::new(404, "no such item; this stands in for one item of IMDS only\n"),
    }
}

fn is_loopback(host: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    ["localhost", "127.0.0.1", "[::1]"].into_iter().any(|name| {
        let rest = host.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name)).and(host.get(name.len()..));
        rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
    })
}

/// EC2 User Guide, "Use IMDSv2": a lifetime of 1 s to 6 h, and no proxies.
fn token(request: &Request) -> Response {
    if request.header("x-forwarded-for").is_some() {
        return Response::new(403, "");
    }
    let ttl = request.header(TTL).and_then(|ttl| ttl.parse::<u32>().ok()).filter(|ttl| (1..=21_600).contains(ttl));
    match ttl {
        Some(ttl) => Response::new(200, THE_TOKEN).with(TTL, &ttl.to_string()),
        None => Response::new(400, ""),
    }
}

fn target(request: &Request, shared: &Shared) -> Response {
    if request.header(TOKEN).is_some_and(|token| token != THE_TOKEN) {
        return Response::new(401, "");
    }
    let Some(decision) = shared.with(|inner| inner.last.as_ref().map(|(last, _)| last.clone())) else {
        return Response::new(503, "not polled yet\n");
    };
    let response = match &decision.state {
        State::Known(target) => Response::new(200, target.as_str()),
        // As IMDS has it where there is no group.
        State::NotInGroup => Response::new(404, "in no Auto Scaling group\n"),
        State::Unknown => Response::new(503, "a state that nobody knows\n"),
    };
    response
        .with("x-lifecycle-source", decision.source.as_str())
        .with("x-lifecycle-imds", decision.imds.as_str())
        .with("x-lifecycle-age-seconds", &decision.age.as_secs().to_string())
}

fn health(shared: &Shared) -> Response {
    let is_alive = shared.with(|inner| inner.last.as_ref().is_some_and(|(_, at)| at.elapsed() <= inner.patience));
    if is_alive { Response::new(200, "ok\n") } else { Response::new(503, "it does not poll\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_hosts() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8338", "[::1]", "[::1]:1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1:",
            "localhost:x",
            "[::1",
            "é",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
