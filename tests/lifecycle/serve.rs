//! `serve`: pollers need only another base URL, and get the hybrid state.

use std::time::Duration;

use exposure_lifecycle::imds::{AskImds as _, ImdsClient, ImdsSettings};
use exposure_lifecycle::observation::Imds as Outcome;
use exposure_lifecycle::state::Target;

use crate::aws::{Aws, Says};
use crate::client::{ask, poll_as_if_404_meant_nothing};
use crate::imds::{Imds, TARGET, gone, says};
use crate::program::{Daemon, command, wait};

/// Method, path, headers, and the status that answers them.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], u16);

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";

fn serve(imds: &Imds, aws: &Aws) -> (Daemon, String) {
    let mut command = command(imds, Some(aws));
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--interval",
        "1m",
        "--time-scale",
        "600",
        "--stack",
        "Night\"time",
    ]);
    let daemon = Daemon::start(command.args(["--hold-imds", "24h", "--hold-api", "24h"]));
    let address = daemon.wait_for("the address", |line| line["event"] == "listening")["address"].clone();
    (daemon, format!("http://{}", address.as_str().expect("an address")))
}

#[test]
fn a_poller_that_knows_nothing_of_404s_drains_through_it() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("InService")));
    imds.target([gone()]);
    let (daemon, url) = serve(&imds, &aws);
    let poll = || poll_as_if_404_meant_nothing(&url, TARGET);
    daemon.wait_for_state("InService", "api");
    assert_eq!(poll().as_deref(), Some("InService"));
    assert_eq!(poll_as_if_404_meant_nothing(&imds.url(), TARGET), None, "IMDS itself has nothing");
    aws.says([Says::State("Terminating:Wait")]);
    wait("the drain", || poll().filter(|state| state == "Terminated"), || format!("{:?}", poll()));
    let answer = ask(&url, "GET", TARGET, &[]).expect("an answer");
    assert!(answer.head.contains("x-lifecycle-source: api"), "{}", answer.head);
    assert!(answer.head.contains("x-lifecycle-imds: absent"), "{}", answer.head);
    daemon.finish();
}

#[test]
fn the_sdks_own_client_gets_along_with_it() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::NoGroup));
    imds.target([says("Warmed:Running")]);
    let (daemon, url) = serve(&imds, &aws);
    daemon.wait_for_state("Warmed:Running", "imds");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let timeout = Duration::from_secs(10);
        let mut client =
            ImdsClient::new(ImdsSettings { endpoint: Some(url), ipv6: false, timeout }).expect("an address");
        assert_eq!(client.target().await, Outcome::Known(Target::WarmedRunning));
        imds.target([gone()]);
        daemon.wait_for_state("NotInGroup", "api");
        assert_eq!(client.target().await, Outcome::Absent, "as IMDS has it where there is no group");
    });
}

#[test]
fn hosts_tokens_and_methods_are_checked() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::Down));
    imds.target([says("Standby")]);
    let (daemon, url) = serve(&imds, &aws);
    daemon.wait_for_state("Standby", "imds");
    wait("an answer", || ask(&url, "GET", TARGET, &[]).filter(|answer| answer.status == 200), String::new);
    let table: [Row; 15] = [
        ("GET", TARGET, &[], 200),
        ("GET", TARGET, &[("host", "localhost:8338")], 200),
        ("GET", TARGET, &[("host", "evil.example")], 403),
        ("GET", TARGET, &[("host", "127.0.0.1.evil.example")], 403),
        ("GET", TARGET, &[("host", "localhost"), ("host", "localhost")], 400),
        ("GET", TARGET, &[("x-aws-ec2-metadata-token", "another's")], 401),
        ("POST", TARGET, &[], 405),
        ("PUT", "/latest/api/token", &[(TTL, "21600")], 200),
        ("PUT", "/latest/api/token", &[(TTL, "0")], 400),
        ("PUT", "/latest/api/token", &[(TTL, "21601")], 400),
        ("PUT", "/latest/api/token", &[], 400),
        ("PUT", "/latest/api/token", &[(TTL, "60"), ("x-forwarded-for", "10.0.0.1")], 403),
        ("GET", "/latest/meta-data/iam/security-credentials/", &[], 404),
        ("GET", "/healthz", &[], 200),
        ("GET", "/metrics", &[], 200),
    ];
    for (method, path, headers, expected) in table {
        let answer =
            ask(&url, method, path, headers).unwrap_or_else(|| panic!("{method} {path} {headers:?}: no answer"));
        assert_eq!(answer.status, expected, "{method} {path} {headers:?}: {}", answer.body);
    }
    let long = ask(&url, "GET", "/", &[("x", &"x".repeat(20_000))]).expect("an answer");
    assert_eq!(long.status, 400);
    let metrics = ask(&url, "GET", "/metrics", &[]).expect("an answer").body;
    for expected in [
        "lifecycle_imds_absent_total{stack=\"Night\\\"time\"} 0",
        "lifecycle_state{stack=\"Night\\\"time\",state=\"Standby\",source=\"imds\",imds=\"known\"} 1",
        "# TYPE lifecycle_imds_latency_seconds summary",
    ] {
        assert!(metrics.contains(expected), "{expected} is not in\n{metrics}");
    }
    assert!(!metrics.contains("i-0"), "no instance in labels");
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let imds = Imds::start();
    for address in ["0.0.0.0:8338", "[::]:8338", "10.0.0.1:80"] {
        let ran = exposure_tests::run(command(&imds, None).args(["serve", "--listen", address]));
        assert_eq!(ran.code, Some(2), "{address}: {}", ran.err);
        assert!(ran.err.contains("loopback"), "{}", ran.err);
    }
}
