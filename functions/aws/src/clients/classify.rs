//! What kind of failure an answer of an SDK is.

use std::error::Error;

use aws_config::imds::client::error::ImdsError;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;

use crate::failure::{Class, Failure};

/// The class of a failed call, with its code and the first line of what was said. Later lines are left out: those of a
/// rejected signature repeat the signed request, its session token among it.
pub fn classify<E>(operation: &'static str, error: &SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let class = class_of(error);
    let message = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {}", first_line(message)),
        (Some(code), None) => code.to_owned(),
        (None, Some(message)) => first_line(message).to_owned(),
        (None, None) => chain(error),
    };
    Failure::new(operation, class, &message)
}

fn class_of<E>(error: &SdkError<E>) -> Class
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    match error {
        SdkError::TimeoutError(_) => Class::TimedOut,
        SdkError::DispatchFailure(failure) => class_of_credentials(error).unwrap_or(if failure.is_timeout() {
            Class::TimedOut
        } else {
            Class::Unavailable
        }),
        SdkError::ServiceError(_) => error.code().and_then(class_of_code).unwrap_or(match status {
            Some(401 | 403) => Class::Denied,
            Some(429) => Class::Throttled,
            Some(408) => Class::TimedOut,
            Some(500..) => Class::Unavailable,
            _ => Class::Invalid,
        }),
        // The body broke off.
        SdkError::ResponseError(_) => Class::Unavailable,
        _ => class_of_credentials(error).unwrap_or(Class::Invalid),
    }
}

/// The class of an error code (the services' "Common errors" and the SDK's own list of what is throttling).
fn class_of_code(code: &str) -> Option<Class> {
    const TABLE: [(Class, &[&str]); 5] = [
        (
            Class::Denied,
            &[
                "AccessDenied",
                "AuthFailure",
                "ExpiredToken",
                "Forbidden",
                "IncompleteSignature",
                "InvalidAccessKeyId",
                "InvalidClientTokenId",
                "InvalidSignature",
                "InvalidToken",
                "MissingAuthenticationToken",
                "NotAuthorized",
                "RequestExpired",
                "RequestTimeTooSkewed",
                "SignatureDoesNotMatch",
                "UnauthorizedAccess",
                "UnauthorizedOperation",
                "UnrecognizedClient",
            ],
        ),
        (Class::Disabled, &["OptInRequired", "RegionDisabled", "SubscriptionRequired"]),
        (
            Class::Throttled,
            &[
                "BandwidthLimitExceeded",
                "EC2Throttled",
                "PriorRequestNotComplete",
                "ProvisionedThroughputExceeded",
                "RequestLimitExceeded",
                "RequestThrottled",
                "SlowDown",
                "Throttled",
                "Throttling",
                "TooManyRequests",
            ],
        ),
        (Class::TimedOut, &["RequestTimeout"]),
        (
            Class::Unavailable,
            &["InternalError", "InternalFailure", "InternalServer", "InternalService", "ServiceUnavailable"],
        ),
    ];
    // `ThrottlingException`, `AccessDeniedException` and `InternalServerError` are the same as their short forms.
    let known = |codes: &&[&str]| codes.iter().any(|known| code.starts_with(known));
    TABLE.iter().find(|(_, codes)| known(codes)).map(|(class, _)| *class)
}

/// The class of a call that was not made, or not answered, for want of credentials.
fn class_of_credentials(error: &(dyn Error + 'static)) -> Option<Class> {
    let credentials = sources(error).find_map(|source| source.downcast_ref::<CredentialsError>())?;
    // What became of the call that was to get them says more.
    let role = sources(error).find_map(|source| source.downcast_ref::<SdkError<AssumeRoleError>>());
    if let Some(role) = role {
        return Some(class_of(role));
    }
    let unreachable = || sources(error).any(<dyn Error>::is::<ImdsError>);
    Some(match credentials {
        CredentialsError::ProviderTimedOut(_) => Class::TimedOut,
        CredentialsError::ProviderError(_) if unreachable() => Class::Unavailable,
        _ => Class::Denied,
    })
}

/// An error and what caused it, outermost first.
fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source()).take(16)
}

/// What an error and its causes say, without repetition.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for error in sources(error) {
        let text =
            match error.downcast_ref::<SdkError<AssumeRoleError>>().and_then(|role| role.code().zip(role.message())) {
                Some((code, message)) => format!("sts:AssumeRole: {code}: {}", first_line(message)),
                None => first_line(&error.to_string()).to_owned(),
            };
        if !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}

fn first_line(text: &str) -> &str {
    text.trim_start().lines().next().unwrap_or_default()
}
