//! The queue that EventBridge feeds.

use std::collections::BTreeSet;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, QueueAttributeName};
use exposure_stand_in::StandIn;
use serde_json::Value;

use super::common::{account, code, config, stand_in};

async fn receive(client: &Client, stand_in: &StandIn) -> Vec<Message> {
    let ask = client.receive_message().queue_url(stand_in.queue_url()).max_number_of_messages(10);
    ask.visibility_timeout(60).send().await.expect("answers").messages.unwrap_or_default()
}

async fn delete(client: &Client, stand_in: &StandIn, messages: &[Message]) -> usize {
    let entries = messages.iter().enumerate().map(|(number, message)| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
        entry.receipt_handle(message.receipt_handle().expect("has one")).build().expect("is complete")
    });
    let ask = client.delete_message_batch().queue_url(stand_in.queue_url()).set_entries(Some(entries.collect()));
    ask.send().await.expect("answers").successful().len()
}

/// Every event that the queue has now.
pub(crate) async fn drain(stand_in: &StandIn) -> Vec<Value> {
    let client = Client::new(&config(stand_in));
    let mut events = Vec::new();
    loop {
        let messages = receive(&client, stand_in).await;
        if messages.is_empty() {
            return events;
        }
        assert_eq!(delete(&client, stand_in, &messages).await, messages.len());
        let bodies = messages.iter().map(|message| message.body().expect("has one"));
        events.extend(bodies.map(|body| serde_json::from_str::<Value>(body).expect("is JSON")));
    }
}

#[tokio::test]
async fn records_come_as_events_when_they_are_delivered() {
    let stand_in = stand_in();
    let (first, last) = account().window();
    let middle = i64::midpoint(first, last);
    stand_in.set_clock(middle);
    let early = drain(&stand_in).await;
    stand_in.set_clock(last + 3600);
    let later = drain(&stand_in).await;
    assert!(!early.is_empty() && !later.is_empty());
    let id = |event: &Value| event["detail"]["eventID"].as_str().expect("has an ID").to_owned();
    let early_ids: BTreeSet<_> = early.iter().map(id).collect();
    assert!(later.iter().all(|event| !early_ids.contains(&id(event))));
    for event in early.iter().chain(&later) {
        assert_eq!(event["detail-type"], "AWS API Call via CloudTrail");
        let source = event["source"].as_str().and_then(|source| source.strip_prefix("aws.")).expect("is AWS");
        assert_eq!(event["detail"]["eventSource"], format!("{source}.amazonaws.com"));
        assert_eq!(event["time"], event["detail"]["eventTime"]);
        assert_eq!(event["region"], event["detail"]["awsRegion"]);
        assert_eq!(event["account"], event["detail"]["recipientAccountId"]);
    }
    assert!(early.iter().any(|event| event["detail"]["eventName"] == "Decrypt"));
}

#[tokio::test]
async fn a_message_comes_back_until_it_is_deleted() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let first = receive(&client, &stand_in).await;
    assert_eq!(first.len(), 10);
    let count = async |name: QueueAttributeName| {
        let ask =
            client.get_queue_attributes().queue_url(stand_in.queue_url()).attribute_names(QueueAttributeName::All);
        let answer = ask.send().await.expect("answers");
        answer
            .attributes()
            .and_then(|all| all.get(&name))
            .and_then(|count| count.parse::<usize>().ok())
            .expect("is a number")
    };
    assert_eq!(count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await, 10);
    let left = count(QueueAttributeName::ApproximateNumberOfMessages).await;
    stand_in.set_clock(stand_in.clock() + 60);
    assert_eq!(count(QueueAttributeName::ApproximateNumberOfMessages).await, left + 10);
    // These handles are old by the time that the messages are received once more.
    while !receive(&client, &stand_in).await.is_empty() {}
    assert_eq!(delete(&client, &stand_in, &first).await, 10);
    assert_eq!(count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await, left + 10);
}

#[tokio::test]
async fn calls_keep_their_limits() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let ask = client.receive_message().queue_url(stand_in.queue_url()).max_number_of_messages(11);
    assert_eq!(code(ask.send().await), "InvalidParameterValue");
    let elsewhere = format!("{}/1/elsewhere", stand_in.url());
    let ask = client.receive_message().queue_url(elsewhere).send().await.expect_err("is not there");
    assert!(ask.into_service_error().is_queue_does_not_exist());
    let made = client.create_queue().queue_name("spare").send().await.expect("is made");
    let url = made.queue_url().expect("has an address");
    client.send_message().queue_url(url).message_body("{}").send().await.expect("is sent");
    let back = client.receive_message().queue_url(url).send().await.expect("answers");
    assert_eq!(back.messages()[0].md5_of_body(), Some("99914b932bd37a50b983c5e7c90ae93b"));
}
