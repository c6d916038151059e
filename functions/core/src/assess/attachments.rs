//! Attachments: the sightings of one volume that are one act of attaching it, and what explains it.

use std::collections::BTreeMap;

use crate::assess::Settings;
use crate::ids::{EventId, RequestId, VolumeId};
use crate::ledger::{Caused, InstanceHistory};
use crate::observation::Cause;
use crate::time::Timestamp;

/// One volume, attached once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The volume.
    pub volume: VolumeId,
    /// Its sightings, earliest first; there is at least one.
    pub sightings: Vec<SeenAt>,
    /// When the first sighting was.
    pub first: Timestamp,
    /// When the last was.
    pub last: Timestamp,
    /// What explains it, the most specific of several causes.
    pub cause: Option<Cause>,
    /// The event that explains it.
    pub cause_event: Option<EventId>,
    /// Whether Auto Scaling itself started the instance: that is a lifecycle transition, which writes the IMDS item.
    pub by_transition: bool,
}

/// One sighting of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenAt {
    /// When.
    pub time: Timestamp,
    /// By which event.
    pub event_id: EventId,
    request_id: Option<RequestId>,
}

/// The attachments of an instance in the order of their first sightings.
pub(crate) fn attachments(history: &InstanceHistory, settings: &Settings) -> Vec<Attachment> {
    let mut sightings: Vec<(VolumeId, SeenAt)> = history
        .sightings
        .iter()
        .map(|((volume, _), seen)| {
            let (time, event_id, request_id) = (seen.time, seen.event_id.clone(), seen.request_id.clone());
            (*volume, SeenAt { time, event_id, request_id })
        })
        .collect();
    sightings.sort_by(|(va, a), (vb, b)| (va, a.time, &a.event_id).cmp(&(vb, b.time, &b.event_id)));

    let mut attachments: Vec<Attachment> = Vec::new();
    for (volume, seen) in sightings {
        match attachments.last_mut() {
            Some(open) if open.volume == volume && open.first.until(seen.time) < settings.coalesce => {
                open.last = seen.time;
                open.sightings.push(seen);
            }
            _ => attachments.push(Attachment {
                volume,
                first: seen.time,
                last: seen.time,
                sightings: vec![seen],
                cause: None,
                cause_event: None,
                by_transition: false,
            }),
        }
    }
    let causes = Causes::of(history);
    for attachment in &mut attachments {
        causes.explain(attachment);
    }
    attachments.sort_by_key(|attachment| (attachment.first, attachment.volume));
    attachments
}

/// The causes of an instance, to be found by time and by request.
struct Causes<'a> {
    by_time: Vec<KnownCause<'a>>,
    by_request: BTreeMap<&'a RequestId, Vec<KnownCause<'a>>>,
}

#[derive(Clone, Copy)]
struct KnownCause<'a> {
    cause: Cause,
    volume: Option<VolumeId>,
    caused: &'a Caused,
}

impl<'a> Causes<'a> {
    fn of(history: &'a InstanceHistory) -> Self {
        let mut by_request: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut by_time: Vec<_> = history
            .causes
            .iter()
            .map(|((cause, _, volume), caused)| KnownCause { cause: *cause, volume: *volume, caused })
            .collect();
        by_time.sort_by_key(|known| (known.caused.time, known.cause));
        for known in &by_time {
            if let Some(request_id) = &known.caused.request_id {
                by_request.entry(request_id).or_default().push(*known);
            }
        }
        Self { by_time, by_request }
    }

    /// Names the cause of an attachment (rule 3): near its first sighting or of the same request; for its volume,
    /// where the cause names one; of several the most specific.
    fn explain(&self, attachment: &mut Attachment) {
        let from = attachment.first - Settings::CAUSE_BEFORE;
        let to = attachment.first + Settings::CAUSE_AFTER;
        let begin = self.by_time.partition_point(|known| known.caused.time < from);
        let near = self.by_time.iter().skip(begin).take_while(|known| known.caused.time <= to);
        let requests = attachment.sightings.iter().filter_map(|sighting| sighting.request_id.as_ref());
        let joined = requests.filter_map(|request_id| self.by_request.get(request_id)).flatten();
        let explaining: Vec<KnownCause<'_>> =
            near.chain(joined).filter(|known| known.volume.is_none_or(|v| v == attachment.volume)).copied().collect();
        let Some(named) = explaining.iter().min_by_key(|known| (known.cause, known.caused)) else { return };
        attachment.cause = Some(named.cause);
        attachment.cause_event = Some(named.caused.event_id.clone());
        attachment.by_transition = named.cause == Cause::Start
            && explaining.iter().any(|k| k.cause == Cause::Start && k.caused.by_auto_scaling);
    }
}
