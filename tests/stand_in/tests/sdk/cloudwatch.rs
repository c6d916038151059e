//! `PutMetricData`: what is taken, and what is refused as a whole.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use exposure_stand_in::StandIn;

use super::common::{code, config, stand_in};

fn datum(stand_in: &StandIn, stack: &str, value: f64) -> MetricDatum {
    MetricDatum::builder()
        .metric_name("MembersExposed")
        .dimensions(Dimension::builder().name("Stack").value(stack).build())
        .timestamp(DateTime::from_secs(stand_in.clock()))
        .unit(StandardUnit::Count)
        .value(value)
        .build()
}

async fn put(stand_in: &StandIn, data: Vec<MetricDatum>) -> String {
    let client = Client::new(&config(stand_in));
    let put = client.put_metric_data().namespace("MigrationExposure").set_metric_data(Some(data)).send().await;
    if put.is_ok() { String::new() } else { code(put) }
}

#[tokio::test]
async fn what_is_put_is_kept() {
    let stand_in = stand_in();
    assert_eq!(put(&stand_in, vec![datum(&stand_in, "Nighttime", 3.0)]).await, "");
    let kept = stand_in.metrics();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].namespace.as_str(), kept[0].name.as_str()), ("MigrationExposure", "MembersExposed"));
    assert_eq!(kept[0].dimensions, [("Stack".to_owned(), "Nighttime".to_owned())]);
    assert_eq!((kept[0].timestamp, kept[0].unit.as_str()), (stand_in.clock(), "Count"));
    assert_eq!(kept[0].values, [3.0]);
    assert_eq!((kept[0].account.as_str(), kept[0].region.as_str()), ("111122223333", "eu-central-1"));
}

#[tokio::test]
async fn a_thousand_data_come_packed_and_no_more() {
    let stand_in = stand_in();
    let many = |count: usize| (0..count).map(|n| datum(&stand_in, &format!("stack-{n}"), 1.0)).collect::<Vec<_>>();
    assert_eq!(put(&stand_in, many(1000)).await, "");
    assert_eq!(stand_in.metrics().len(), 1000);
    assert!(stand_in.requests()[0].sent_bytes < 30_000, "was sent as gzip");
    assert_eq!(put(&stand_in, many(1001)).await, "InvalidParameterValue");
    let long = "x".repeat(1000);
    let large: Vec<_> = (0..1000).map(|n| datum(&stand_in, &format!("{long}{n}"), 1.0)).collect();
    assert_eq!(put(&stand_in, large).await, "RequestEntityTooLarge");
}

#[tokio::test]
async fn one_bad_datum_refuses_all() {
    let stand_in = stand_in();
    let good = || datum(&stand_in, "Nighttime", 1.0);
    let at = |shift: i64| {
        let mut datum = good();
        datum.timestamp = Some(DateTime::from_secs(stand_in.clock() + shift));
        datum
    };
    let nameless = MetricDatum::builder().value(1.0).build();
    for bad in [
        datum(&stand_in, "Größe", 1.0),
        datum(&stand_in, "", 1.0),
        datum(&stand_in, "Nighttime", f64::NAN),
        datum(&stand_in, "Nighttime", f64::INFINITY),
        at(-14 * 86_400 - 1),
        at(2 * 3600 + 1),
        nameless,
    ] {
        assert_eq!(put(&stand_in, vec![good(), bad]).await, "InvalidParameterValue");
    }
    assert!(stand_in.metrics().is_empty());
    assert_eq!(put(&stand_in, vec![at(-14 * 86_400), at(2 * 3600)]).await, "");
}
