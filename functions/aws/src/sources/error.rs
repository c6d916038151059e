//! Which class of failure an error of an AWS client belongs to.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::failure::{Class, Failure};

/// The failure that an error of `operation` is.
pub(crate) fn failure<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let class = match error {
        SdkError::TimeoutError(_) => Class::TimedOut,
        SdkError::DispatchFailure(failed) if failed.is_timeout() => Class::TimedOut,
        SdkError::DispatchFailure(failed) if failed.is_user() => Class::Denied,
        SdkError::DispatchFailure(_) => Class::Unavailable,
        SdkError::ServiceError(failed) => class_of(failed.err().code(), status),
        SdkError::ResponseError(_) => class_of(None, status),
        // No credentials end here: they are looked for while the request is built.
        SdkError::ConstructionFailure(_) => Class::Denied,
        _ => Class::Invalid,
    };
    let message = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    };
    Failure::new(operation, class, &message)
}

/// The class of an error code; without one, or with an unknown one, that of the HTTP status.
///
/// A throttled `LookupEvents` answers 400 `ThrottlingException`, which its model does not have.
fn class_of(code: Option<&str>, status: Option<u16>) -> Class {
    let code = code.unwrap_or_default();
    let has = |parts: &[&str]| parts.iter().any(|part| code.contains(part));
    if has(&["Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "RequestThrottled", "Rate exceeded"]) {
        return Class::Throttled;
    }
    if has(&["OptInRequired", "SubscriptionRequired", "RegionDisabled", "UnsupportedOperation"]) {
        return Class::Disabled;
    }
    if has(&[
        "AccessDenied",
        "NotAuthorized",
        "Unauthorized",
        "UnrecognizedClient",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "MissingAuthentication",
        "AuthFailure",
        "OperationNotPermitted",
    ]) {
        return Class::Denied;
    }
    match status {
        Some(429) => Class::Throttled,
        Some(401 | 403) => Class::Denied,
        Some(408) => Class::TimedOut,
        Some(500..) | None => Class::Unavailable,
        Some(_) => Class::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_before_statuses() {
        let table = [
            (Some("ThrottlingException"), Some(400), Class::Throttled),
            (Some("SlowDown"), Some(503), Class::Throttled),
            (Some("AccessDeniedException"), Some(400), Class::Denied),
            (Some("OptInRequired"), Some(403), Class::Disabled),
            (Some("InvalidTimeRangeException"), Some(400), Class::Invalid),
            (Some("InternalFailure"), Some(500), Class::Unavailable),
            (None, Some(403), Class::Denied),
            (None, Some(502), Class::Unavailable),
        ];
        assert!(!table.is_empty());
        for (code, status, class) in table {
            assert_eq!(class_of(code, status), class, "{code:?} {status:?}");
        }
    }
}
