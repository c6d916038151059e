//! Calls that are tried, and what to do about those that fail.

use std::cell::Cell;
use std::error::Error;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use exposure_core::ids::AccountId;
use tokio::time::Instant;

use super::check::Check;
use crate::clients::Identity;
use crate::clients::calls::{Calls, Patience, call};
use crate::failure::{Class, Failure};

/// How often a call is made at most by a client without retries of its own.
pub(super) const TRIES: u32 = 3;

const CREDENTIALS: &str = "give valid credentials: a role, AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret";

/// A call that failed.
#[derive(Debug, Clone)]
pub(super) struct Miss {
    pub(super) failure: Failure,
    /// Whether the service answered, be it with a refusal.
    pub(super) answered: bool,
}

/// Tries a call, `attempts` times at most.
pub(super) async fn tried<T, E, F, R>(
    operation: &'static str,
    deadline: Instant,
    attempts: u32,
    send: F,
) -> Result<T, Miss>
where
    E: ProvideErrorMetadata + Error + 'static,
    F: Fn() -> R,
    R: Future<Output = Result<T, SdkError<E>>>,
{
    let answered = Cell::new(false);
    let noted = || async {
        let answer = send().await;
        let is_answer = answer.as_ref().map_or_else(|error| error.raw_response().is_some(), |_| true);
        answered.set(answered.get() || is_answer);
        answer
    };
    let answer = call(operation, Patience { deadline, attempts }, &mut Calls::default(), noted).await;
    answer.map_err(|failure| Miss { failure, answered: answered.get() })
}

/// Asks STS whose credentials a client has.
pub(super) async fn who(sts: &aws_sdk_sts::Client, deadline: Instant) -> Result<Identity, Miss> {
    const OPERATION: &str = "sts:GetCallerIdentity";
    let answer = tried(OPERATION, deadline, 1, || sts.get_caller_identity().send()).await?;
    let account = AccountId::new(answer.account().unwrap_or_default()).map_err(|error| Miss {
        failure: Failure::new(OPERATION, Class::Invalid, &error.to_string()),
        answered: true,
    })?;
    Ok(Identity { account, arn: answer.arn().unwrap_or_default().chars().take(2_048).collect() })
}

impl Miss {
    /// One that was not answered, or of which that is only known by its class.
    pub(super) fn of(failure: Failure) -> Self {
        let answered = !matches!(failure.class, Class::TimedOut | Class::Unavailable);
        Self { failure, answered }
    }

    /// Whether there are no credentials to make the call with: none are configured, or whoever keeps them, such as the
    /// instance metadata service, does not give them.
    pub(super) fn is_without_credentials(&self) -> bool {
        let of_credentials = self.failure.class == Class::Denied || self.failure.message.contains("credentials");
        !self.answered && of_credentials
    }

    /// What happened, without the operation's name.
    pub(super) fn said(&self) -> String {
        format!("{}: {}", self.failure.class, self.failure.message)
    }

    /// A check that failed by it.
    pub(super) fn check(&self, name: &'static str) -> Check {
        let check = match self.failure.class {
            Class::Throttled => Check::warn(name, &self.said(), self.fix()),
            _ => Check::fail(name, &self.said(), &self.whole_fix()),
        };
        check.answered(self.answered)
    }

    /// A check of a call that only this command makes: the analyzer does not need it.
    pub(super) fn doubt(&self, name: &'static str, unknown: &str) -> Check {
        let detail = format!("{unknown}: {}", self.failure);
        let fix = format!("{}; the analyzer itself does not make this call", self.whole_fix());
        Check::warn(name, &detail, &fix).answered(self.answered)
    }

    fn whole_fix(&self) -> String {
        if self.failure.class == Class::Denied && self.answered && self.is_refusal() {
            return format!("allow {} to the role that makes this call", permission(self.failure.operation));
        }
        self.fix().to_owned()
    }

    /// Whether the caller is known and may not do this, rather than not known.
    fn is_refusal(&self) -> bool {
        ["AccessDenied", "Unauthorized", "NotAuthorized", "Forbidden"].iter().any(|c| self.failure.message.contains(c))
    }

    fn fix(&self) -> &'static str {
        match self.failure.class {
            Class::Denied if self.failure.message.contains("AssumeRole") => {
                "allow sts:AssumeRole of the roleArn, and let the role's trust policy name this caller, with the \
                 externalId that TARGETS gives"
            }
            _ if self.is_without_credentials() => CREDENTIALS,
            Class::Denied => CREDENTIALS,
            Class::Disabled => "enable the region for the account, or take it out of TARGETS",
            Class::Throttled => "others use up the quota: lower LOOKUP_REQUESTS_PER_SECOND, and try again",
            Class::TimedOut | Class::Unavailable => {
                "check the network, proxies and AWS_ENDPOINT_URL from where the analyzer runs, and try again"
            }
            Class::Invalid => "check the setting that names it, or the endpoint that answered",
        }
    }
}

/// The IAM action that allows an operation, where its name is another (Service Authorization Reference).
fn permission(operation: &'static str) -> &'static str {
    match operation {
        "s3:ListObjectsV2" => "s3:ListBucket",
        "s3:GetObject" => {
            "s3:GetObject and s3:ListBucket (and kms:Decrypt, if the bucket is encrypted by a key), in a bucket of the \
             own account,"
        }
        other => other,
    }
}
