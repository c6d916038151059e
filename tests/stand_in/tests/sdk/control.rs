//! The program, driven from outside.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::common::folder;

struct Program {
    child: Child,
    address: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _may_have_ended = self.child.kill();
        let _may_have_ended = self.child.wait();
    }
}

impl Program {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stand-in"))
            .args(["--account".as_ref(), folder().as_os_str()])
            .args(["--quota", "off", "--delivery", "{\"drawn\": {\"late_share\": 0.1}}"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("is piped")).read_line(&mut line).expect("says where it is");
        let address = line.trim().strip_prefix("http://").expect("is an address").to_owned();
        Self { child, address }
    }

    fn ask(&self, method: &str, what: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).expect("listens");
        let head = format!(
            "{method} /_stand-in/{what} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("is sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("answers");
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("has a status");
        let (_, body) = text.split_once("\r\n\r\n").expect("has a body");
        (status, serde_json::from_str(body).expect("is JSON"))
    }
}

#[test]
fn other_processes_can_drive_it() {
    let program = Program::start();
    let ask = |method, what, body: Value| program.ask(method, what, &body);
    let (_, account) = ask("GET", "account", Value::Null);
    assert_eq!((&account["account"], &account["region"]), (&json!("111122223333"), &json!("eu-central-1")));
    let (_, clock) = ask("PUT", "clock", json!({"now": "2026-05-12T00:00:00Z"}));
    assert_eq!(clock["now"], 1_778_544_000);
    assert_eq!(ask("PUT", "clock", json!({"advance": 300})).1["time"], "2026-05-12T00:05:00Z");
    assert_eq!(ask("PUT", "clock", json!({"when": 1})).0, 400);
    let faults =
        json!({"seed": 3, "faults": [{"operation": "LookupEvents", "share": 0.5, "kind": "slow", "millis": 5}]});
    assert_eq!(ask("PUT", "faults", faults).0, 200);
    assert_eq!(ask("PUT", "faults", json!({"faults": [{"kind": "surprise"}]})).0, 400);
    let (_, switches) = ask("PUT", "switches", json!({"kms-is-hidden": true}));
    assert_eq!(switches["kms-is-hidden"], true);
    assert_eq!(ask("PUT", "switches", json!({"unknown": true})).0, 400);
    assert_eq!(ask("PUT", "quota", json!({"burst": 600.0, "pace": "clock"})).0, 200);
    assert_eq!(ask("GET", "metrics", Value::Null).1, json!([]));
    assert_eq!(ask("GET", "requests", Value::Null).1, json!([]));
    assert!(ask("GET", "members", Value::Null).1.as_array().is_some_and(|members| !members.is_empty()));
    assert_eq!(ask("POST", "reset", Value::Null).0, 200);
    assert_eq!(ask("GET", "switches", Value::Null).1["kms-is-hidden"], false);
    assert_eq!(ask("GET", "elsewhere", Value::Null).0, 404);
}

#[test]
fn a_wrong_call_is_explained() {
    let out = Command::new(env!("CARGO_BIN_EXE_stand-in")).args(["--port", "many"]).output().expect("runs");
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("--port is no port"));
}
