use std::sync::Mutex;
use std::time::Duration;

use exposure_core::fleet::Fleet;
use exposure_core::ids::{AccountId, Region};
use exposure_core::ledger::Ledger;
use exposure_core::time::Timestamp;

use super::super::PlaceMemory;
use super::super::testing::{Dice, KEY, grant, instance, noise, place, sighting, time, volume};
use super::*;

#[derive(Debug, Default)]
struct Fake {
    messages: Mutex<Vec<(Message, bool)>>,
    /// How many more receives answer; none for no bound.
    answers: Mutex<Option<u32>>,
    most_deleted: Mutex<usize>,
    /// Whether the number of held messages is refused.
    denied: Mutex<bool>,
    sent: Mutex<u64>,
}

impl Fake {
    fn send(&self, body: String) {
        let mut sent = self.sent.lock().unwrap();
        *sent += 1;
        let id = format!("m-{sent}");
        self.messages.lock().unwrap().push((Message { receipt: format!("r-{id}"), id, body }, false));
    }

    fn left(&self) -> usize {
        self.messages.lock().unwrap().len()
    }

    /// What was received and not deleted is shown again.
    fn reappear(&self) {
        self.messages.lock().unwrap().iter_mut().for_each(|(_, hidden)| *hidden = false);
    }
}

impl QueueClient for &Fake {
    async fn receive(&self) -> Result<Vec<Message>, Failure> {
        if let Some(left) = self.answers.lock().unwrap().as_mut() {
            *left = left.checked_sub(1).ok_or(Failure::new(RECEIVE, Class::Unavailable, "made up"))?;
        }
        let mut messages = self.messages.lock().unwrap();
        let shown = messages.iter_mut().filter(|(_, hidden)| !hidden).take(10);
        Ok(shown
            .map(|(message, hidden)| {
                *hidden = true;
                message.clone()
            })
            .collect())
    }

    async fn delete(&self, receipts: &[String]) -> Result<(), Failure> {
        let mut most = self.most_deleted.lock().unwrap();
        *most = (*most).max(receipts.len());
        self.messages.lock().unwrap().retain(|(message, _)| !receipts.contains(&message.receipt));
        Ok(())
    }

    async fn held(&self) -> Result<u64, Failure> {
        if *self.denied.lock().unwrap() {
            return Err(Failure::new(ATTRIBUTES, Class::Denied, "made up"));
        }
        Ok(u64::try_from(self.messages.lock().unwrap().iter().filter(|(_, hidden)| *hidden).count()).unwrap())
    }
}

const NOW: &str = "2026-05-11T12:00:00Z";

fn envelope(record: &str, source: &str, account: &str, region: &str, detail_type: &str) -> String {
    format!(
        r#"{{"version":"0","id":"x","detail-type":"{detail_type}","source":"{source}","account":"{account}","time":"{NOW}","region":"{region}","resources":[],"detail":{record}}}"#
    )
}

fn kms(record: &str) -> String {
    envelope(record, "aws.kms", "111122223333", "eu-central-1", "AWS API Call via CloudTrail")
}

fn seen(number: u64, at: Timestamp) -> String {
    sighting(at, &format!("e-{number}"), &instance(number), &volume(number), KEY)
}

async fn read(fake: &Fake, places: &[Source], now: Timestamp) -> Vec<Result<Batch, Failure>> {
    let (ledger, fleet, memory) = (Ledger::new(), Fleet::default(), PlaceMemory::default());
    let deadline = Instant::now() + Duration::from_mins(1);
    let asks: Vec<Ask<'_>> = places
        .iter()
        .map(|place| Ask { place, now, deadline, ledger: &ledger, fleet: &fleet, memory: &memory })
        .collect();
    QueueSource::new(fake).read(&asks).await
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_emptied_and_confirmed_only_afterwards() {
    let fake = Fake::default();
    for number in 0..437 {
        fake.send(kms(&seen(number, shifted(time(NOW), -60))));
    }
    fake.send(kms(&seen(3, shifted(time(NOW), -60))));
    let batch = read(&fake, &[place()], time(NOW)).await.pop().unwrap().unwrap();
    assert_eq!((batch.observations.len(), batch.accounting.records, batch.receipts.len()), (437, 437, 438));
    assert_eq!(batch.complete_through, Some(shifted(time(NOW), -DELIVERY_SECONDS)));
    assert!(batch.problems.is_empty() && batch.requests.made < 80, "{:?}", batch.requests);
    assert_eq!(fake.left(), 438);
    QueueSource::new(&fake).confirm(&batch.receipts).await.unwrap();
    assert_eq!((fake.left(), *fake.most_deleted.lock().unwrap()), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn what_is_forged_is_refused() {
    let at = shifted(time(NOW), -60);
    let record = grant(at, "e-1", &instance(1), &volume(1), KEY);
    let elsewhere = record.replace(r#""recipientAccountId":"111122223333""#, r#""recipientAccountId":"999999999999""#);
    let region = record.replace(r#""awsRegion":"eu-central-1""#, r#""awsRegion":"us-east-1""#);
    let ec2 = record.replace("kms.amazonaws.com", "ec2.amazonaws.com");
    let via = "AWS API Call via CloudTrail";
    let table = [
        (envelope(&record, "aws.kms", "999999999999", "eu-central-1", via), "not among the targets"),
        (envelope(&record, "aws.kms", "111122223333", "us-east-1", via), "not among the targets"),
        (envelope(&record, "aws.kms", "nobody", "eu-central-1", via), "account or region is none"),
        (envelope(&record, "my.app", "111122223333", "eu-central-1", via), "not the service of its record"),
        (envelope(&record, "aws.ec2", "111122223333", "eu-central-1", via), "not the service of its record"),
        (envelope(&record, "aws.kms", "111122223333", "eu-central-1", "My Event"), "detail-type"),
        (kms(&elsewhere), "another account or region"),
        (kms(&region), "another account or region"),
        (kms(&ec2), "not the service of its record"),
        (kms("7"), "no record"),
        (record.clone(), "no EventBridge event"),
        ("{".to_owned(), "no EventBridge event"),
    ];
    assert!(table.len() > 10);
    for (body, why) in table {
        let fake = Fake::default();
        fake.send(body.clone());
        fake.send(body.clone());
        let batch = read(&fake, &[place()], time(NOW)).await.pop().unwrap().unwrap();
        assert!(batch.observations.is_empty(), "{body}");
        assert_eq!((batch.accounting.records, batch.accounting.malformed), (2, 2), "{body}");
        assert_eq!(batch.receipts.len(), 2);
        assert!(
            batch.problems.len() == 1 && batch.problems.iter().all(|(t, n)| t.contains(why) && *n == 2),
            "{batch:?}"
        );
    }
    let fake = Fake::default();
    fake.send(kms(&record));
    assert_eq!(read(&fake, &[place()], time(NOW)).await.pop().unwrap().unwrap().observations.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_fails_half_way_is_not_complete() {
    let fake = Fake::default();
    for number in 0..100 {
        fake.send(kms(&seen(number, shifted(time(NOW), -60))));
    }
    *fake.answers.lock().unwrap() = Some(0);
    assert_eq!(read(&fake, &[place()], time(NOW)).await.pop().unwrap().unwrap_err().class, Class::Unavailable);
    *fake.answers.lock().unwrap() = Some(4);
    let batch = read(&fake, &[place()], time(NOW)).await.pop().unwrap().unwrap();
    assert_eq!((batch.complete_through, batch.problems.len()), (None, 1));
    assert!(batch.work.done < batch.work.planned && !batch.receipts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_not_complete_while_another_run_holds_messages() {
    let fake = Fake::default();
    let complete = Some(shifted(time(NOW), -DELIVERY_SECONDS));
    for number in 0..3 {
        fake.send(kms(&seen(number, shifted(time(NOW), -60))));
    }
    let lost = read(&fake, &[place()], time(NOW)).await.pop().unwrap().unwrap();
    assert_eq!((lost.observations.len(), lost.complete_through), (3, complete));

    fake.send(kms(&seen(9, shifted(time(NOW), -60))));
    let again = read(&fake, &[place()], time(NOW)).await.pop().unwrap().unwrap();
    assert_eq!((again.observations.len(), again.complete_through, again.problems.len()), (1, None, 1));
    assert!(again.work.done < again.work.planned);

    fake.reappear();
    let found = read(&fake, &[place()], time(NOW)).await.pop().unwrap().unwrap();
    assert_eq!((found.observations.len(), found.complete_through, found.problems.len()), (4, complete, 0));

    fake.reappear();
    *fake.denied.lock().unwrap() = true;
    let untold = read(&fake, &[place()], time(NOW)).await.pop().unwrap().unwrap();
    assert_eq!((untold.observations.len(), untold.complete_through, untold.problems.len()), (4, None, 1));
}

#[tokio::test(start_paused = true)]
async fn each_place_gets_its_own_and_later_records_stay() {
    let other =
        Source { account: AccountId::new("222233334444").unwrap(), region: Region::new("eu-central-1").unwrap() };
    let fake = Fake::default();
    fake.send(kms(&seen(1, shifted(time(NOW), -60))));
    fake.send(kms(&seen(2, shifted(time(NOW), 60))));
    let theirs = seen(3, shifted(time(NOW), -60)).replace("111122223333", "222233334444");
    fake.send(kms(&theirs).replace("111122223333", "222233334444"));
    let batches = read(&fake, &[place(), other], time(NOW)).await;
    for batch in batches {
        let batch = batch.unwrap();
        assert_eq!((batch.observations.len(), batch.receipts.len()), (1, 1));
        QueueSource::new(&fake).confirm(&batch.receipts).await.unwrap();
    }
    fake.reappear();
    let later = read(&fake, &[place()], shifted(time(NOW), 300)).await.pop().unwrap().unwrap();
    assert_eq!(later.observations.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn cut_and_crashed_at_random_the_same_is_found() {
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        let (fake, mut ledger, mut whole) = (Fake::default(), Ledger::new(), Ledger::new());
        for run in 0..12 {
            let now = shifted(time(NOW), run * 300);
            for number in 0..dice.below(60) {
                let at = shifted(now, -dice.below_i64(280));
                let id = format!("e-{run}-{number}");
                let record = match dice.below(3) {
                    0 => noise(at, &id).replace("ssm.", "kms."),
                    _ => sighting(at, &id, &instance(number), &volume(number), KEY),
                };
                if let exposure_core::decode::Decoded::Observed(observation) =
                    exposure_core::decode::decode(record.as_bytes())
                {
                    whole.absorb(&observation);
                }
                (0..=dice.below(2)).for_each(|_| fake.send(kms(&record)));
            }
            fake.reappear();
            *fake.answers.lock().unwrap() = (run < 11 && dice.below(3) == 0).then_some(3);
            let Ok(batch) = read(&fake, &[place()], now).await.pop().unwrap() else { continue };
            // A run that dies before it saves has read nothing.
            if run == 11 || dice.below(4) > 0 {
                batch.observations.iter().for_each(|observation| {
                    ledger.absorb(observation);
                });
                QueueSource::new(&fake).confirm(&batch.receipts).await.unwrap();
            }
        }
        assert!(ledger == whole, "seed {seed}");
        assert_eq!(fake.left(), 0);
    }
}
