//! A scripted IMDS: a script for each path, played a request at a time, its last act for ever; tokens as `IMDSv2` has them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::server::{Act, Request, Server};

pub(crate) const TARGET: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";
pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";

/// The page that IMDS answers with in place of an item that is not there.
const PAGE: &str = "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 \
                    Transitional//EN\"\n\t\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\n<html \
                    xmlns=\"http://www.w3.org/1999/xhtml\">\n <head>\n  <title>404 - Not Found</title>\n </head>\n \
                    <body>\n  <h1>404 - Not Found</h1>\n </body>\n</html>\n";

pub(crate) fn says(text: &str) -> Act {
    Act::new(200, text)
}

pub(crate) fn gone() -> Act {
    Act::Answer(404, vec![("content-type", "text/html".to_owned())], PAGE.into())
}

pub(crate) fn page_as_state() -> Act {
    Act::new(200, PAGE)
}

#[derive(Default)]
struct Inner {
    scripts: HashMap<String, VecDeque<Act>>,
    /// What is done with the question for a token, in place of giving one.
    token: Option<Act>,
    tokens_given: u64,
    /// Tokens up to this one are not valid any more.
    revoked: u64,
    asked: Vec<Request>,
}

/// The IMDS of one instance.
#[derive(Clone)]
pub(crate) struct Imds {
    server: Arc<Server>,
    inner: Arc<Mutex<Inner>>,
}

impl Imds {
    pub(crate) fn start() -> Self {
        Self::of(INSTANCE)
    }

    pub(crate) fn of(instance: &str) -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        let handling = Arc::clone(&inner);
        let server = Server::start(move |request| handling.lock().expect("no panic before").answer(request));
        let imds = Self { server: Arc::new(server), inner };
        imds.play("/latest/meta-data/instance-id", [says(instance)]);
        imds.play("/latest/meta-data/placement/region", [says("eu-central-1")]);
        imds
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic before")
    }

    /// Plays a script for a path, in place of what was played before.
    pub(crate) fn play(&self, path: &str, script: impl IntoIterator<Item = Act>) {
        self.inner().scripts.insert(path.to_owned(), script.into_iter().collect());
    }

    /// Plays a script for the target state.
    pub(crate) fn target(&self, script: impl IntoIterator<Item = Act>) {
        self.play(TARGET, script);
    }

    /// What is done with questions for a token from now on; nothing to give them again.
    pub(crate) fn tokens(&self, act: Option<Act>) {
        self.inner().token = act;
    }

    /// No token that was given is valid any more.
    pub(crate) fn revoke(&self) {
        let mut inner = self.inner();
        inner.revoked = inner.tokens_given;
    }

    pub(crate) fn tokens_given(&self) -> u64 {
        self.inner().tokens_given
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.inner().asked.iter().filter(|request| request.path == path).count()
    }
}

impl Inner {
    fn answer(&mut self, request: &Request) -> Act {
        self.asked.push(request.clone());
        if request.path == "/latest/api/token" {
            let Some(ttl) = request.header("x-aws-ec2-metadata-token-ttl-seconds").filter(|_| request.method == "PUT")
            else {
                return Act::new(400, "");
            };
            let ttl = ("x-aws-ec2-metadata-token-ttl-seconds", ttl.to_owned());
            return self.token.clone().unwrap_or_else(|| {
                self.tokens_given += 1;
                Act::Answer(200, vec![ttl], format!("token-{}", self.tokens_given).into())
            });
        }
        let token = request.header("x-aws-ec2-metadata-token").and_then(|token| token.strip_prefix("token-"));
        if token.and_then(|number| number.parse().ok()).is_none_or(|number: u64| number <= self.revoked) {
            return Act::new(401, "");
        }
        let Some(script) = self.scripts.get_mut(&request.path) else { return gone() };
        match script.len() {
            0 => gone(),
            1 => script.front().cloned().expect("there is one"),
            _ => script.pop_front().expect("there are some"),
        }
    }
}
