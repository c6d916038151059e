//! Publishing over HTTP on loopback.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use exposure_core::metrics::{Kind, Metric, Split, Stability, Unit};
use exposure_core::time::Timestamp;
use libdeflater::Decompressor;

use super::*;
use crate::clients::loopback::{Loopback, Reply, Request};

/// A metric of that name, for as long as the tests run.
pub(super) fn metric(name: &str) -> &'static Metric {
    Box::leak(Box::new(Metric {
        name: name.to_owned().leak(),
        unit: Unit::Count,
        split: Split::StackAndFleet,
        kind: Kind::Gauge,
        stability: Stability::Stable,
        meaning: "A number.",
    }))
}

pub(super) fn datum(name: &str, stack: Option<&str>, value: f64) -> Datum {
    let at = Timestamp::parse("2026-05-11T23:05:00Z").expect("a time");
    Datum { metric: metric(name), stack: stack.map(str::to_owned), at, value }
}

/// The bytes of a request's CBOR, unpacked.
fn cbor(request: &Request) -> Vec<u8> {
    if request.header("content-encoding") != Some("gzip") {
        return request.body.clone();
    }
    let mut room = vec![0; 2_000_000];
    let len = Decompressor::new().gzip_decompress(&request.body, &mut room).expect("gzip");
    room.truncate(len);
    room
}

/// How often a text stands in a request.
fn count_of(request: &Request, text: &str) -> usize {
    cbor(request).windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

fn data_of(request: &Request) -> usize {
    count_of(request, "MetricName")
}

fn taken() -> Reply {
    Reply::Answer(200, vec![("smithy-protocol", "rpc-v2-cbor".to_owned())], vec![0xa0])
}

fn refused(status: u16, code: &str) -> Reply {
    let text = |text: &str| {
        // A text of less than 256 bytes.
        let len = u8::try_from(text.len()).expect("short");
        [&[0x78, len][..], text.as_bytes()].concat()
    };
    let body = [vec![0xa2], text("__type"), text(code), text("message"), text("no")].concat();
    Reply::Answer(status, vec![("smithy-protocol", "rpc-v2-cbor".to_owned())], body)
}

async fn published(server: &Loopback, namespace: &str, data: &[Datum], seconds: u64) -> Published {
    let client = server.clients().await.cloudwatch();
    publish(&client, namespace, data, Instant::now() + Duration::from_secs(seconds)).await
}

fn many(count: u32) -> Vec<Datum> {
    (0..count).map(|n| datum("Members", Some(&format!("stack {n:05}")), f64::from(n))).collect()
}

#[tokio::test]
async fn data_go_out_compressed_in_requests_of_a_thousand() {
    let server = Loopback::start(|_, _| taken());
    let data = many(2_500);
    let done = published(&server, "MigrationExposure", &data, 20).await;
    assert_eq!((done.sent, done.rejected_count, done.unsent, done.failed), (2_500, 0, 0, None));
    let asked = server.asked();
    assert_eq!(asked.iter().map(data_of).collect::<Vec<_>>(), [1_000, 1_000, 500]);
    for request in &asked {
        assert_eq!(request.path, "/service/GraniteServiceVersion20100801/operation/PutMetricData");
        assert_eq!(request.header("content-encoding"), Some("gzip"));
        assert!(cbor(request).len() < 1_000_000);
        assert_eq!(count_of(request, "MigrationExposure"), 1);
    }
    assert_eq!(asked.iter().map(|r| count_of(r, "stack 02499")).sum::<usize>(), 1);
}

#[tokio::test]
async fn long_names_make_smaller_requests() {
    let server = Loopback::start(|_, _| taken());
    let data: Vec<Datum> =
        (0..1_000).map(|n| datum("Members", Some(&format!("{}{n}", "ж".repeat(160))), 1.0)).collect();
    assert_eq!(published(&server, "MigrationExposure", &data, 20).await.sent, 1_000);
    let asked = server.asked();
    assert!(asked.len() > 1 && asked.iter().all(|request| cbor(request).len() < 600_000));
}

#[tokio::test]
async fn a_datum_is_written_with_its_unit_stack_and_time() {
    let server = Loopback::start(|_, _| taken());
    published(&server, "MigrationExposure", &[datum("Members", Some("Café"), 2.0), datum("Members", None, 3.0)], 20)
        .await;
    let asked = server.asked();
    let count = |text: &str| count_of(&asked[0], text);
    assert_eq!((count("Caf%C3%A9"), count("Dimensions"), count("Count"), count("Timestamp")), (1, 1, 2, 2));
    // Tag 1 and a double: seconds since 1970.
    let time = [&[0xc1, 0xfb][..], &1_778_540_700_f64.to_be_bytes()].concat();
    assert_eq!(cbor(&asked[0]).windows(time.len()).filter(|window| *window == time).count(), 2);
}

#[tokio::test]
async fn a_rejected_request_is_halved_until_the_bad_one_is_alone() {
    let bad = ["stack 00003", "stack 00004", "stack 00700"];
    let server = Loopback::start(move |request, _| {
        if bad.iter().any(|bad| count_of(request, bad) > 0) {
            refused(400, "InvalidParameterValueException")
        } else {
            taken()
        }
    });
    let done = published(&server, "MigrationExposure", &many(1_000), 20).await;
    assert_eq!((done.sent, done.rejected_count, done.unsent, done.failed.clone()), (997, 3, 0, None), "{done:?}");
    assert_eq!(done.rejected, bad.map(|stack| format!("Members of {stack:?}")));
    let asked = server.asked();
    assert!(asked.len() < 60, "{}", asked.len());
    assert_eq!(done.calls.made, u64::try_from(asked.len()).expect("small"), "nothing was retried behind our back");
}

#[tokio::test]
async fn what_is_wrong_with_all_data_ends_in_a_failure_and_not_in_thousands_of_requests() {
    let server = Loopback::start(|_, _| refused(400, "InvalidParameterValueException"));
    let done = published(&server, "MigrationExposure", &many(3_000), 60).await;
    assert_eq!(done.sent + done.rejected_count + done.unsent, 3_000);
    assert_eq!(done.failed.as_ref().map(|failure| failure.class), Some(Class::Invalid));
    assert!(done.rejected.len() <= NAMES);
    assert_eq!(server.asked().len(), 201);
}

#[tokio::test]
async fn data_that_cloudwatch_would_never_take_are_not_sent() {
    let server = Loopback::start(|_, _| taken());
    let data = [
        datum("Members", None, f64::NAN),
        datum("Members", Some("Nighttime"), f64::INFINITY),
        datum("Members", None, 1e300),
        datum("", None, 1.0),
        datum("naïve", None, 1.0),
        datum("Members", Some(""), 1.0),
    ];
    let done = published(&server, "MigrationExposure", &data, 20).await;
    assert_eq!((done.sent, done.rejected_count), (1, 5));
    assert_eq!(done.rejected[1], "Members of \"Nighttime\"");
    assert_eq!(data_of(&server.asked()[0]), 1);
    for namespace in ["", "AWS/EC2", ":x", "naïve", &"x".repeat(256)] {
        let done = published(&server, namespace, &data, 20).await;
        assert_eq!((done.sent, done.unsent), (0, 1), "{namespace:?}");
        assert!(done.failed.expect("a failure").message.contains("not a namespace"));
    }
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn throttling_and_failures_pass_within_the_deadline() {
    let server = Loopback::start(|_, before| match before {
        0 => refused(400, "Throttling"),
        1 => refused(500, "InternalServiceFault"),
        2 => Reply::Drops,
        _ => taken(),
    });
    let done = published(&server, "MigrationExposure", &many(10), 20).await;
    assert_eq!((done.sent, done.failed), (10, None));
    assert_eq!(done.calls, Calls { made: 4, throttled: 1 });
}

#[tokio::test]
async fn a_refusal_or_the_deadline_leaves_the_rest_unsent_and_says_so() {
    let table = [
        (refused(403, "AccessDenied"), Class::Denied, 20),
        (refused(400, "Throttling"), Class::Throttled, 1),
        (Reply::Hangs(Duration::from_secs(2)), Class::TimedOut, 1),
        // Nobody there who knows the call: no fault of the data.
        (Reply::of(404, "junk"), Class::Invalid, 20),
    ];
    assert!(!table.is_empty());
    for (reply, class, seconds) in table {
        let server = Loopback::start(move |_, before| if before == 0 { taken() } else { reply.clone() });
        let begun = Instant::now();
        let done = published(&server, "MigrationExposure", &many(1_500), seconds).await;
        assert_eq!((done.sent, done.rejected_count, done.unsent), (1_000, 0, 500), "{class}");
        assert_eq!(done.failed.map(|failure| failure.class), Some(class));
        assert!(begun.elapsed() < Duration::from_millis(1_800));
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_after_all_is_halved_too() {
    let largest = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&largest);
    let server = Loopback::start(move |request, _| {
        if data_of(request) > 100 {
            return Reply::of(413, "");
        }
        let mut seen = seen.lock().expect("no panic before");
        *seen = data_of(request).max(*seen);
        taken()
    });
    let done = published(&server, "MigrationExposure", &many(400), 20).await;
    assert_eq!((done.sent, done.failed, *largest.lock().expect("no panic before")), (400, None, 100));
}
