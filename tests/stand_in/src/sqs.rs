//! SQS in JSON 1.0.

use serde_json::{Value, json};

use crate::digest::md5;
use crate::hub::{Hub, unknown_operation};
use crate::queue::Message;
use crate::wire::{Answer, ApiError, Call, Service, json_answer};

/// Messages and entries of one call.
const MOST: usize = 10;

pub(crate) fn answer(hub: &Hub, call: &Call) -> Answer {
    let mut live = hub.live();
    let (now, millis, switches) = (live.now(), live.millis(), live.switches.clone());
    live.queues.feed(&hub.options.queue, &hub.account, &switches, now);
    let text = |key: &str| call.json.get(key).and_then(Value::as_str).unwrap_or_default();
    let url = |name: &str| {
        let host = call.request.header("host").unwrap_or("127.0.0.1");
        json!({"QueueUrl": format!("http://{host}/{}/{name}", hub.account.id())})
    };
    if call.operation == "CreateQueue" {
        live.queues.create(text("QueueName"));
        return Ok(json_answer(Service::Sqs, &url(text("QueueName"))));
    }
    let name = match call.operation.as_str() {
        "GetQueueUrl" => text("QueueName"),
        _ => text("QueueUrl").rsplit('/').next().unwrap_or_default(),
    };
    let queue = live
        .queues
        .get(name)
        .ok_or_else(|| ApiError::new(400, "QueueDoesNotExist", "The specified queue does not exist."))?;
    let value = match call.operation.as_str() {
        "GetQueueUrl" => url(name),
        "SendMessage" => {
            let body = text("MessageBody").to_owned();
            let digest = md5(body.as_bytes());
            json!({"MessageId": message_id(queue.send(body, millis)), "MD5OfMessageBody": digest})
        }
        "ReceiveMessage" => {
            let number = |key: &str| call.json.get(key).and_then(Value::as_i64);
            let most = usize::try_from(number("MaxNumberOfMessages").unwrap_or(1)).unwrap_or(0);
            if !(1..=MOST).contains(&most) {
                return Err(invalid("MaxNumberOfMessages must be between 1 and 10"));
            }
            let hidden = number("VisibilityTimeout").unwrap_or(hub.options.visibility_timeout) * 1000;
            let messages = queue.receive(most, millis, hidden);
            json!({"Messages": messages.iter().map(message).collect::<Vec<_>>()})
        }
        "DeleteMessage" => {
            queue.delete(text("ReceiptHandle")).ok_or_else(bad_handle)?;
            json!({})
        }
        "DeleteMessageBatch" => {
            let entries = call.json.get("Entries").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            check(entries)?;
            let (mut done, mut failed) = (Vec::new(), Vec::new());
            for entry in entries {
                let field = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
                if queue.delete(field("ReceiptHandle")).is_some() {
                    done.push(json!({"Id": field("Id")}));
                } else {
                    let code = "ReceiptHandleIsInvalid";
                    failed.push(json!({"Id": field("Id"), "SenderFault": true, "Code": code, "Message": code}));
                }
            }
            json!({"Successful": done, "Failed": failed})
        }
        "GetQueueAttributes" => {
            let (visible, hidden) = queue.counts(millis);
            json!({"Attributes": {
                "ApproximateNumberOfMessages": visible.to_string(),
                "ApproximateNumberOfMessagesNotVisible": hidden.to_string(),
                "ApproximateNumberOfMessagesDelayed": "0",
                "QueueArn": format!("arn:aws:sqs:{}:{}:{name}", hub.account.region(), hub.account.id()),
                "VisibilityTimeout": hub.options.visibility_timeout.to_string(),
                "MessageRetentionPeriod": "345600",
            }})
        }
        _ => return Err(unknown_operation(call)),
    };
    Ok(json_answer(Service::Sqs, &value))
}

fn message(message: &Message) -> Value {
    json!({
        "MessageId": message_id(message.serial),
        "ReceiptHandle": message.handle(),
        "MD5OfBody": md5(message.body.as_bytes()),
        "Body": message.body,
        "Attributes": {
            "ApproximateReceiveCount": message.received.to_string(),
            "SentTimestamp": message.sent.to_string(),
        },
    })
}

fn message_id(serial: u64) -> String {
    format!("{serial:08x}-0000-4000-8000-000000000000")
}

fn check(entries: &[Value]) -> Result<(), ApiError> {
    let ids: std::collections::BTreeSet<_> =
        entries.iter().map(|entry| entry.get("Id").map(Value::to_string)).collect();
    if entries.is_empty() {
        Err(ApiError::new(400, "EmptyBatchRequest", "There should be at least one entry in the request."))
    } else if entries.len() > MOST {
        Err(ApiError::new(400, "TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10."))
    } else if ids.len() < entries.len() {
        Err(ApiError::new(400, "BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id."))
    } else {
        Ok(())
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(400, "InvalidParameterValue", message)
}

fn bad_handle() -> ApiError {
    ApiError::new(400, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
}
