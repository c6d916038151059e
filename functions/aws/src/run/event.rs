//! What asks for a run: the schedule's event.

use exposure_core::time::Timestamp;
use serde_json::Value;

/// The event of a run. Windows, verdicts and the time stamps of metrics follow from its scheduled time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Event {
    /// When the run was meant to be; nothing where the event says nothing, which means now.
    pub scheduled: Option<Timestamp>,
    /// From when on records are read again, though they were read before.
    pub from: Option<Timestamp>,
    /// Up to when records are read; the scheduled time at the latest.
    pub to: Option<Timestamp>,
    /// Whether to neither save nor publish.
    pub dry_run: bool,
}

/// An event that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not an object, or a member of it that is no time.
    #[error("{0}; send {{\"scheduledTime\": \"2026-05-11T23:05:00Z\"}}, or {{}} for now")]
    Shape(String),
    /// It lies in the future.
    #[error("scheduledTime {scheduled} lies more than 5 minutes ahead of the clock ({clock}); is a clock wrong?")]
    Ahead {
        /// The event's time.
        scheduled: Timestamp,
        /// The clock's.
        clock: Timestamp,
    },
}

impl Event {
    /// How far ahead of the clock an event may be.
    const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

    /// Reads `{"scheduledTime": …}`, an `EventBridge` rule's event (`time`), or `{}`.
    ///
    /// # Errors
    /// If it is something else.
    pub fn read(event: &Value) -> Result<Self, EventError> {
        let Value::Object(members) = event else {
            return Err(EventError::Shape("the event is no JSON object".to_owned()));
        };
        let named = ["scheduledTime", "time"].into_iter().find_map(|name| Some((name, members.get(name)?)));
        let time = |(name, value): (&str, &Value)| {
            let time = value.as_str().and_then(Timestamp::parse);
            time.ok_or_else(|| EventError::Shape(format!("{name} is no time: {}", cut(&value.to_string()))))
        };
        let scheduled = named.map(time).transpose()?;
        let bound =
            |name| members.get(name).filter(|value| !value.is_null()).map(|value| time((name, value))).transpose();
        let (from, to) = (bound("from")?, bound("to")?);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(EventError::Shape(format!("from {from} lies after to {to}")));
        }
        let dry_run = members.get("dryRun").and_then(Value::as_bool).unwrap_or_default();
        Ok(Self { scheduled, from, to, dry_run })
    }

    /// The scheduled time, if it is not from the future.
    ///
    /// # Errors
    /// If it lies too far ahead of the clock.
    pub fn at(&self, clock: Timestamp) -> Result<Timestamp, EventError> {
        match self.scheduled {
            None => Ok(clock),
            Some(scheduled) if scheduled > clock + Self::AHEAD => Err(EventError::Ahead { scheduled, clock }),
            Some(scheduled) => Ok(scheduled),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_scheduled_time_is_read_from_either_schedule() {
        let time = Timestamp::parse("2026-05-11T23:05:00Z");
        let table = [
            (json!({"scheduledTime": "2026-05-11T23:05:00Z"}), time, false),
            (json!({"time": "2026-05-11T23:05:00Z", "source": "aws.events"}), time, false),
            (json!({"dryRun": true}), None, true),
            (json!({"from": null}), None, false),
            (json!({}), None, false),
        ];
        assert_eq!(table.len(), 5);
        for (event, scheduled, dry_run) in table {
            assert_eq!(Event::read(&event), Ok(Event { scheduled, dry_run, ..Event::default() }), "{event}");
        }
        for bad in
            [json!([]), json!("now"), json!({"scheduledTime": 17}), json!({"time": "<aws.scheduler.scheduled-time>"})]
        {
            assert!(matches!(Event::read(&bad), Err(EventError::Shape(_))), "{bad}");
        }
        let window = json!({"from": "2026-05-11T00:00:00Z", "to": "2026-05-11T23:05:00Z"});
        assert_eq!(Event::read(&window).map(|event| event.to), Ok(time));
        for bad in
            [json!({"from": "2026-05-11"}), json!({"from": "2026-05-12T00:00:00Z", "to": "2026-05-11T00:00:00Z"})]
        {
            assert!(matches!(Event::read(&bad), Err(EventError::Shape(_))), "{bad}");
        }
    }

    #[test]
    fn an_event_from_the_future_is_refused() {
        let clock = Timestamp::from_second(1_778_457_600);
        let event =
            |ahead: i64| Event { scheduled: Some(Timestamp::from_second(1_778_457_600 + ahead)), ..Event::default() };
        assert!(event(300).at(clock).is_ok());
        assert!(matches!(event(301).at(clock), Err(EventError::Ahead { .. })));
        assert_eq!(Event::default().at(clock), Ok(clock));
    }
}
