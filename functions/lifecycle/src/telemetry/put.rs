//! `PutMetricData`.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use aws_smithy_types::DateTime;
use exposure_core::metrics::Metric;

use super::{Tally, dimension_value};
use crate::api::{ApiError, failure};

/// A client that publishes.
#[derive(Debug, Clone)]
pub struct Publisher {
    client: Client,
    namespace: String,
}

impl Publisher {
    /// A publisher to a namespace.
    #[must_use]
    pub fn new(config: &SdkConfig, namespace: String) -> Self {
        Self { client: Client::new(config), namespace }
    }

    /// Publishes a period's counts, zeros among them. Never sent twice: where it is not known whether a request arrived, the
    /// counts of one period are lost rather than doubled.
    ///
    /// # Errors
    /// If CloudWatch does not take it.
    pub async fn put(&self, stack: &str, seconds: u64, tally: &Tally) -> Result<(), ApiError> {
        let sent = self.client.put_metric_data().namespace(&self.namespace);
        let sent = sent.set_metric_data(Some(data(stack, seconds, tally))).send().await;
        sent.map(|_| ()).map_err(|error| failure("PutMetricData", &error))
    }
}

fn data(stack: &str, seconds: u64, tally: &Tally) -> Vec<MetricDatum> {
    let dimension = Dimension::builder().name("Stack").value(dimension_value(stack)).build();
    let datum = |metric: &Metric| {
        MetricDatum::builder()
            .metric_name(metric.name)
            .unit(StandardUnit::from(metric.unit.as_str()))
            .dimensions(dimension.clone())
            .timestamp(DateTime::from(UNIX_EPOCH + Duration::from_secs(seconds)))
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
    let counts = tally.counts().map(|(metric, count)| datum(metric).value(count as f64).build());
    let latencies = tally.latencies().filter(|(_, latencies)| !latencies.is_empty());
    let latencies = latencies.map(|(metric, latencies)| datum(metric).set_values(Some(latencies.to_vec())).build());
    counts.chain(latencies).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::tests::tally;

    #[test]
    fn every_metric_is_a_datum_of_its_stack_and_no_instance() {
        let data = data("Nighttime", 1_778_540_700, &tally());
        assert_eq!(data.len(), 7);
        for datum in &data {
            let dimensions: Vec<_> = datum.dimensions().iter().map(|d| (d.name(), d.value())).collect();
            assert_eq!(dimensions, [(Some("Stack"), Some("Nighttime"))]);
            assert_eq!(datum.timestamp().map(DateTime::secs), Some(1_778_540_700));
            assert_eq!(datum.value().is_some(), datum.values().is_empty());
        }
    }
}
