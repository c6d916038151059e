//! The stack that metrics are counted under: as it is told, else the instance's tag in IMDS, else the group's tag through
//! the API, which each process asks for at most until it has an answer.

use std::time::Duration;

use exposure_core::stacks::UNASSIGNED;
use exposure_lifecycle::api::LazyApi;
use exposure_lifecycle::identity;
use exposure_lifecycle::imds::ImdsClient;
use exposure_lifecycle::limiter::{AskApi as _, Schedule, random};
use exposure_lifecycle::observation::Api;

/// How long metrics wait for their stack before they are told without.
pub(crate) const PATIENCE: Duration = Duration::from_mins(10);

/// The search for the stack.
pub(crate) struct Stack {
    key: String,
    found: Option<String>,
    api: LazyApi,
    schedule: Schedule,
    is_in_imds: bool,
}

impl Stack {
    pub(crate) fn new(given: Option<String>, key: String, api: LazyApi, schedule: Schedule) -> Self {
        Self { key, found: given, api, schedule, is_in_imds: true }
    }

    /// The stack, if it is found.
    pub(crate) fn name(&self) -> Option<&str> {
        self.found.as_deref()
    }

    /// Looks for it, while IMDS answers.
    pub(crate) async fn look(&mut self, imds: &mut ImdsClient, now: Duration) {
        if self.found.is_some() {
            return;
        }
        if self.is_in_imds {
            self.found = identity::tag(imds, &self.key).await;
            self.is_in_imds = false;
            return;
        }
        if now < self.schedule.due(now, random()) {
            return;
        }
        let outcome = self.api.ask(now).await.unwrap_or(Api::Failed);
        let group = self.api.member().map(|member| member.group.clone());
        let told = match (&outcome, group) {
            (Api::Known(_), Some(group)) => match self.api.client().await {
                Some(client) => client.group_tag(&group, &self.key).await.map(Some).unwrap_or_default(),
                None => None,
            },
            (Api::NotInGroup, _) => Some(None),
            _ => None,
        };
        let outcome = if told.is_some() { outcome } else { Api::Failed };
        self.schedule.answered(now, now, &outcome, random());
        // A group without the tag is an answer too: another tag needs a restart, not a question every few minutes.
        self.found = told.map(|tag| tag.unwrap_or_else(|| UNASSIGNED.to_owned()));
    }
}
