//! An Auto Scaling endpoint, and CloudWatch beside it: what it says is set by the test, what it is asked is written down.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::imds::INSTANCE;
use crate::server::{Act, Request, Server};

pub(crate) const GROUP: &str = "night-web";

/// What the API says of the instance.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    /// It is in this state.
    State(&'static str),
    /// It is in no group.
    NoGroup,
    /// So many pages with others or nobody, each with a token, before the one with the instance.
    Late(usize, &'static str),
    /// Pages without end.
    Endless,
    /// `Throttling`, with status 400.
    Throttled,
    /// 503.
    Down,
    /// No answer for this long.
    Hangs(Duration),
    /// The connection ends.
    Drops,
    /// The credentials may not.
    Denied,
}

/// A call: when, which, and its body.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    pub(crate) action: String,
    pub(crate) body: String,
}

#[derive(Debug)]
struct Inner {
    /// Played a call of `DescribeAutoScalingInstances` at a time, the last one for ever.
    says: VecDeque<Says>,
    tag: Option<&'static str>,
    calls: Vec<Call>,
}

/// The endpoint.
#[derive(Clone)]
pub(crate) struct Aws {
    server: Arc<Server>,
    inner: Arc<Mutex<Inner>>,
}

impl Aws {
    pub(crate) fn start(says: Says) -> Self {
        let inner = Arc::new(Mutex::new(Inner { says: [says].into(), tag: None, calls: Vec::new() }));
        let handling = Arc::clone(&inner);
        let server = Server::start(move |request| handling.lock().expect("no panic before").answer(request));
        Self { server: Arc::new(server), inner }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic before")
    }

    pub(crate) fn says(&self, says: impl IntoIterator<Item = Says>) {
        self.inner().says = says.into_iter().collect();
    }

    /// The value of the group's tag `Stack`.
    pub(crate) fn tag(&self, value: &'static str) {
        self.inner().tag = Some(value);
    }

    pub(crate) fn calls(&self, action: &str) -> Vec<Call> {
        self.inner().calls.iter().filter(|call| call.action == action).cloned().collect()
    }

    pub(crate) fn all_calls(&self) -> Vec<Call> {
        self.inner().calls.clone()
    }
}

impl Inner {
    fn answer(&mut self, request: &Request) -> Act {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let operation = request.path.rsplit_once("/operation/").map(|(_, operation)| operation.to_owned());
        let action = operation.or_else(|| field(&body, "Action")).unwrap_or_default();
        self.calls.push(Call { at: Instant::now(), action: action.clone(), body: body.clone() });
        match action.as_str() {
            "DescribeAutoScalingInstances" => self.describe(&body),
            "DescribeTags" => {
                let tag = |value| {
                    format!(
                        "<member><ResourceId>{GROUP}</ResourceId><ResourceType>auto-scaling-group</ResourceType>\
                         <Key>Stack</Key><Value>{value}</Value><PropagateAtLaunch>true</PropagateAtLaunch></member>"
                    )
                };
                xml(&action, &format!("<Tags>{}</Tags>", self.tag.map(tag).unwrap_or_default()))
            }
            "CompleteLifecycleAction" | "RecordLifecycleActionHeartbeat" => xml(&action, ""),
            // An empty map.
            "PutMetricData" => Act::Answer(
                200,
                vec![("smithy-protocol", "rpc-v2-cbor".to_owned()), ("content-type", "application/cbor".to_owned())],
                vec![0xA0],
            ),
            _ => Act::new(400, "no such operation"),
        }
    }

    fn describe(&mut self, body: &str) -> Act {
        let says = match self.says.len() {
            1 => self.says.front().cloned().expect("there is one"),
            _ => self.says.pop_front().expect("there are some"),
        };
        assert!(body.contains(INSTANCE) || body.contains("i-"), "it asks for one instance: {body}");
        let instance = field(body, "InstanceIds.member.1").expect("one instance");
        let page: usize = field(body, "NextToken").map_or(0, |token| token.parse().expect("ours"));
        let row = |id: &str, state: &str| {
            format!(
                "<member><InstanceId>{id}</InstanceId><AutoScalingGroupName>{GROUP}</AutoScalingGroupName>\
                 <LifecycleState>{state}</LifecycleState><AvailabilityZone>eu-central-1a</AvailabilityZone>\
                 <HealthStatus>HEALTHY</HealthStatus><ProtectedFromScaleIn>false</ProtectedFromScaleIn></member>"
            )
        };
        let list = |rows: &str, token: Option<usize>| {
            let token = token.map(|token| format!("<NextToken>{token}</NextToken>")).unwrap_or_default();
            let text = format!("<AutoScalingInstances>{rows}</AutoScalingInstances>{token}");
            xml("DescribeAutoScalingInstances", &text)
        };
        match says {
            Says::NoGroup => list("", None),
            Says::Late(pages, _) if page < pages => {
                self.says.push_front(says);
                let rows = if page == 0 { row("i-0fedcba9876543210", "Terminating") } else { String::new() };
                list(&rows, Some(page + 1))
            }
            Says::State(state) | Says::Late(_, state) => list(&row(&instance, state), None),
            Says::Endless => {
                self.says.push_front(says);
                list("", Some(page + 1))
            }
            Says::Throttled => error(400, "Throttling", "Rate exceeded"),
            Says::Denied => {
                error(403, "AccessDenied", "not authorized to perform autoscaling:DescribeAutoScalingInstances")
            }
            Says::Down => Act::new(503, "no"),
            Says::Hangs(time) => Act::Slow(time, Box::new(Act::Drop)),
            Says::Drops => Act::Drop,
        }
    }
}

fn xml(action: &str, result: &str) -> Act {
    let text = format!(
        "<{action}Response xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><{action}Result>{result}\
         </{action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
    );
    Act::Answer(200, vec![("content-type", "text/xml".to_owned())], text.into())
}

fn error(status: u16, code: &str, message: &str) -> Act {
    let text = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>r</RequestId></ErrorResponse>"
    );
    Act::Answer(status, vec![("content-type", "text/xml".to_owned())], text.into())
}

/// A field of a form.
pub(crate) fn field(body: &str, name: &str) -> Option<String> {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
