//! The endpoints by which other processes drive a stand-in.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::{Fault, Script};
use crate::http::{Request, Response};
use crate::hub::Hub;
use crate::options::Quota;
use crate::quota::Buckets;
use crate::switches::Switches;
use crate::time;

/// Where they are.
pub(crate) const ROOT: &str = "/_stand-in/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    #[serde(default)]
    seed: u64,
    faults: Vec<Fault>,
}

pub(crate) fn handle(hub: &Hub, request: &Request) -> Response {
    let what = request.path.strip_prefix(ROOT).unwrap_or_default();
    match answer(hub, request, what) {
        Ok(value) => Response::new(200, "application/json", value.to_string()),
        Err((status, message)) => Response::new(status, "application/json", json!({"error": message}).to_string()),
    }
}

fn answer(hub: &Hub, request: &Request, what: &str) -> Result<Value, (u16, String)> {
    let body = || serde_json::from_slice::<Value>(&request.body).map_err(|error| (400, error.to_string()));
    let mut live = hub.live();
    match (request.method.as_str(), what) {
        ("GET", "account") => Ok(json!({
            "account": hub.account.id(),
            "region": hub.account.region(),
            "places": hub.account.places(),
            "window": hub.account.window(),
        })),
        ("GET", "members") => Ok(json!(hub.account.members_at(live.now()))),
        ("GET", "clock") => Ok(json!({"now": live.now(), "time": time::iso(live.now())})),
        ("PUT" | "POST", "clock") => {
            live.clock = Some(clock(&body()?, live.millis()).ok_or((400, "now, millis or advance".to_owned()))?);
            Ok(json!({"now": live.now(), "time": time::iso(live.now())}))
        }
        ("PUT" | "POST", "faults") => {
            let Faults { seed, faults } = parse(body()?)?;
            live.script = Script::new(seed, faults);
            Ok(json!({}))
        }
        ("DELETE", "faults") => {
            live.script = Script::default();
            Ok(json!({}))
        }
        ("GET", "switches") => Ok(json!(live.switches)),
        ("PUT" | "POST", "switches") => {
            live.switches = parse::<Switches>(body()?)?;
            Ok(json!(live.switches))
        }
        ("PUT" | "POST", "quota") => {
            live.quota = Buckets::new(parse::<Quota>(body()?)?);
            Ok(json!({}))
        }
        ("GET", "metrics") => Ok(json!(live.metrics)),
        ("DELETE", "metrics") => {
            live.metrics.clear();
            Ok(json!({}))
        }
        ("GET", "requests") => Ok(json!(live.requests)),
        ("DELETE", "requests") => {
            live.requests.clear();
            Ok(json!({}))
        }
        ("POST", "reset") => {
            drop(live);
            hub.reset();
            Ok(json!({}))
        }
        _ => Err((404, format!("nothing at {} {what}", request.method))),
    }
}

fn parse<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, (u16, String)> {
    serde_json::from_value(value).map_err(|error| (400, error.to_string()))
}

/// The new clock in milliseconds: `{"now": seconds or text}`, `{"millis": n}` or `{"advance": seconds}`.
fn clock(body: &Value, now: i64) -> Option<i64> {
    let number = |key: &str| body.get(key).and_then(Value::as_i64);
    let text = body.get("now").and_then(Value::as_str).and_then(time::parse);
    let absolute = number("now").or(text).map(|second| second * 1000);
    absolute.or_else(|| number("millis")).or_else(|| Some(now + number("advance")? * 1000))
}
