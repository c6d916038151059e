//! What a request asks of which service, and the form of each service's errors.

use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::query::Params;
use crate::xml::escape;

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    CloudTrail,
    AutoScaling,
    CloudWatch,
    S3,
    Sqs,
    Sts,
}

impl Service {
    /// Its name in fault scripts and in the log of requests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::AutoScaling => "autoscaling",
            Self::CloudWatch => "cloudwatch",
            Self::S3 => "s3",
            Self::Sqs => "sqs",
            Self::Sts => "sts",
        }
    }
}

/// A call of an API.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// The fields of the query protocol, or of an address.
    pub(crate) params: Params,
    /// The body of the JSON protocols.
    pub(crate) json: Value,
    pub(crate) request: Request,
}

/// What a fault makes of an answer.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "faults come in any combination")]
pub(crate) struct Mood {
    pub(crate) repeat_token: bool,
    pub(crate) short_page: bool,
    pub(crate) unknown_states: bool,
    pub(crate) expired_token: bool,
}

/// An error of an API.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// The answer of an API.
pub(crate) type Answer = Result<Response, ApiError>;

impl ApiError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// The throttling error of a service.
    pub(crate) fn throttled(service: Service) -> Self {
        let (status, code) = match service {
            Service::CloudTrail => (400, "ThrottlingException"),
            Service::AutoScaling | Service::CloudWatch | Service::Sts => (400, "Throttling"),
            Service::S3 => (503, "SlowDown"),
            Service::Sqs => (400, "RequestThrottled"),
        };
        Self::new(status, code, "Rate exceeded")
    }

    /// The refusal of a service.
    pub(crate) fn denied(call: &Call) -> Self {
        let message = format!(
            "User: arn:aws:sts::{}:assumed-role/analyzer/analyzer is not authorized to perform: {}:{}",
            call.account,
            call.service.name(),
            call.operation
        );
        match call.service {
            Service::CloudTrail => Self::new(400, "AccessDeniedException", message),
            Service::Sqs => Self::new(403, "AccessDeniedException", message),
            _ => Self::new(403, "AccessDenied", message),
        }
    }

    /// A failure of the server.
    pub(crate) fn server(service: Service, status: u16) -> Self {
        let code = match (service, status) {
            (_, 503) => "ServiceUnavailable",
            (Service::S3, _) => "InternalError",
            (Service::CloudWatch, _) => "InternalServiceError",
            _ => "InternalFailure",
        };
        Self::new(status, code, "We encountered an internal error. Please try again.")
    }

    /// As the service writes it.
    pub(crate) fn render(&self, service: Service, request_id: &str) -> Response {
        let Self { status, code, message } = self;
        let side = if *status < 500 { "Sender" } else { "Receiver" };
        match service {
            Service::CloudTrail => {
                let body = json!({"__type": code, "message": message}).to_string();
                Response::new(*status, "application/x-amz-json-1.1", body).with("x-amzn-errortype", code)
            }
            Service::Sqs => {
                let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message}).to_string();
                let compatible = match code.as_str() {
                    "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
                    other => other,
                };
                Response::new(*status, "application/x-amz-json-1.0", body)
                    .with("x-amzn-query-error", format!("{compatible};{side}"))
            }
            Service::CloudWatch => {
                let body = crate::cbor::map(&[("__type", code), ("message", message)]);
                Response::new(*status, "application/cbor", body)
                    .with("smithy-protocol", "rpc-v2-cbor")
                    .with("x-amzn-query-error", format!("{code};{side}"))
            }
            Service::AutoScaling | Service::Sts => {
                let body = format!(
                    "<ErrorResponse><Error><Type>{side}</Type><Code>{}</Code><Message>{}</Message></Error>\
                     <RequestId>{request_id}</RequestId></ErrorResponse>",
                    escape(code),
                    escape(message)
                );
                Response::new(*status, "text/xml", body)
            }
            Service::S3 => {
                let body = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>\
                     <RequestId>{request_id}</RequestId></Error>",
                    escape(code),
                    escape(message)
                );
                Response::new(*status, "application/xml", body)
            }
        }
    }
}

/// Who signed a request, and for where.
struct Scope<'a> {
    key: &'a str,
    region: &'a str,
    service: &'a str,
}

fn scope(request: &Request) -> Option<Scope<'_>> {
    let header = request.header("authorization")?;
    let (_, credential) = header.split_once("Credential=")?;
    let mut parts = credential.split(',').next()?.split('/');
    let (key, _date, region, service) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(Scope { key, region, service })
}

/// Tells what a request asks. `own` and `home` are the account and region of what is not signed for others.
pub(crate) fn identify(request: Request, own: &str, home: &str) -> Result<Call, ApiError> {
    let (mut account, mut region, mut signed_for) = (own.to_owned(), home.to_owned(), String::new());
    if let Some(scope) = scope(&request) {
        if scope.key.len() == 12 && scope.key.bytes().all(|byte| byte.is_ascii_digit()) {
            scope.key.clone_into(&mut account);
        }
        scope.region.clone_into(&mut region);
        scope.service.clone_into(&mut signed_for);
    }
    let target = request.header("x-amz-target").unwrap_or_default().to_owned();
    let (mut params, mut json) = (Params::default(), Value::Null);
    let (service, operation) = if let Some((service, operation)) = json_target(&target) {
        if !request.body.is_empty() {
            json = serde_json::from_slice(&request.body)
                .map_err(|error| ApiError::new(400, "SerializationException", error.to_string()))?;
        }
        (service, operation.to_owned())
    } else if let Some(operation) = request.path.strip_prefix("/service/GraniteServiceVersion20100801/operation/") {
        (Service::CloudWatch, operation.to_owned())
    } else if signed_for == "s3" || request.header("content-type") != Some("application/x-www-form-urlencoded") {
        params = Params::parse(&request.query);
        (Service::S3, crate::s3::operation(&request, &params).to_owned())
    } else {
        params = Params::parse(&String::from_utf8_lossy(&request.body));
        let service = if signed_for == "sts" { Service::Sts } else { Service::AutoScaling };
        (service, params.get("Action").unwrap_or_default().to_owned())
    };
    Ok(Call { service, operation, account, region, params, json, request })
}

fn json_target(target: &str) -> Option<(Service, &str)> {
    let (service, operation) = target.rsplit_once('.')?;
    match service {
        "CloudTrail_20131101" | "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101" => {
            Some((Service::CloudTrail, operation))
        }
        "AmazonSQS" => Some((Service::Sqs, operation)),
        _ => None,
    }
}

/// An answer in JSON 1.1 or 1.0.
pub(crate) fn json_answer(service: Service, value: &Value) -> Response {
    let kind = if service == Service::Sqs { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" };
    Response::new(200, kind, value.to_string())
}
