use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use exposure_core::fleet::Fleet;
use exposure_core::ledger::Ledger;

use super::super::PlaceMemory;
use super::super::testing::{Dice, KEY, instance, noise, place, sighting, time, volume};
use super::*;

const NOW: &str = "2026-05-11T12:00:00Z";

#[derive(Debug, Default)]
struct Fake {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    denied: Mutex<BTreeSet<String>>,
    fetched: Mutex<u64>,
    listed: Mutex<u64>,
}

impl Fake {
    fn put(&self, root: &str, delivered: Timestamp, name: u64, records: &[String]) -> String {
        let key = format!(
            "{root}111122223333/CloudTrail/eu-central-1/{}/111122223333_CloudTrail_eu-central-1_{}Z_{name:016}.json",
            day(delivered),
            stamp(delivered)
        );
        let text = format!("{{\"Records\":[{}]}}", records.join(","));
        self.objects.lock().unwrap().insert(key.clone(), text.into_bytes());
        key
    }
}

impl ObjectClient for &Fake {
    async fn list(&self, prefix: &str, after: Option<&str>, token: Option<&str>) -> Result<Listing, Failure> {
        *self.listed.lock().unwrap() += 1;
        let after = token.or(after).unwrap_or_default();
        let objects = self.objects.lock().unwrap();
        let matching: Vec<Object> = objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after)
            .map(|(key, bytes)| Object { key: key.clone(), etag: super::hash(&[bytes]).to_string() })
            .collect();
        let page: Vec<Object> = matching.iter().take(7).cloned().collect();
        let next = (matching.len() > 7).then(|| page[6].key.clone());
        Ok(Listing { objects: page, next })
    }

    async fn folders(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let objects = self.objects.lock().unwrap();
        let below = objects.keys().filter_map(|key| key.strip_prefix(prefix)?.split_once('/'));
        let folders: BTreeSet<String> = below.map(|(folder, _)| format!("{prefix}{folder}/")).collect();
        Ok(folders.into_iter().collect())
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, Failure> {
        *self.fetched.lock().unwrap() += 1;
        if self.denied.lock().unwrap().contains(key) {
            return Err(Failure::new("s3:GetObject", Class::Denied, "made up"));
        }
        Ok(self.objects.lock().unwrap().get(key).unwrap().clone())
    }
}

fn seen(number: u64, at: Timestamp) -> String {
    sighting(at, &format!("e-{number}"), &instance(number), &volume(number), KEY)
}

async fn read(fake: &Fake, prefix: &str, memory: &mut PlaceMemory, now: Timestamp) -> Batch {
    let (ledger, fleet, place) = (Ledger::new(), Fleet::default(), place());
    let deadline = Instant::now() + Duration::from_mins(1);
    let ask = Ask { place: &place, now, deadline, ledger: &ledger, fleet: &fleet, memory };
    let batch = LogsSource::new(fake, prefix).read(&[ask]).await.pop().unwrap().unwrap();
    let text = serde_json::to_string(&batch.memory).unwrap();
    *memory = serde_json::from_str(&text).unwrap();
    batch
}

#[tokio::test]
async fn each_object_is_read_once_and_one_delivered_again_again() {
    for root in ["AWSLogs/", "AWSLogs/o-abc123/", "trails/main/AWSLogs/", "trails/main/AWSLogs/o-abc123/"] {
        let prefix = root.split("AWSLogs").next().unwrap();
        let (fake, mut memory) = (Fake::default(), PlaceMemory::default());
        for number in 0..30 {
            let at = shifted(time(NOW), -60 * i64::try_from(number).unwrap() * 30);
            fake.put(
                root,
                at,
                number,
                &[seen(number, shifted(at, -120)), noise(shifted(at, -90), &format!("n-{number}"))],
            );
        }
        let batch = read(&fake, prefix, &mut memory, time(NOW)).await;
        assert_eq!(
            (batch.accounting.files, batch.accounting.records, batch.observations.len()),
            (30, 60, 30),
            "{root}"
        );
        assert_eq!(batch.accounting.irrelevant, 30);
        assert_eq!(batch.complete_through, Some(shifted(time(NOW), -DELIVERY_SECONDS)));
        let fetched = *fake.fetched.lock().unwrap();
        assert_eq!(read(&fake, prefix, &mut memory, shifted(time(NOW), 300)).await.accounting.records, 0);
        assert_eq!(*fake.fetched.lock().unwrap(), fetched);
        // Delivered again with more in it, ten hours late: found within the hour.
        let again = shifted(time(NOW), -36_000);
        fake.put(root, again, 20, &[seen(20, shifted(again, -120)), seen(99, shifted(again, -100))]);
        let mut found = 0;
        for run in 2..15 {
            found += read(&fake, prefix, &mut memory, shifted(time(NOW), run * 300)).await.observations.len();
        }
        assert_eq!(found, 2, "{root}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_spoils_no_other_and_is_tried_again() {
    let (fake, mut memory) = (Fake::default(), PlaceMemory::default());
    let early = shifted(time(NOW), -1_200);
    let key = fake.put("AWSLogs/", early, 1, &[seen(1, shifted(early, -60))]);
    fake.put("AWSLogs/", shifted(time(NOW), -600), 2, &[seen(2, shifted(time(NOW), -700))]);
    let broken = fake.put("AWSLogs/", shifted(time(NOW), -300), 3, &[]);
    fake.objects.lock().unwrap().insert(broken, b"{\"Records\":[{".to_vec());
    fake.denied.lock().unwrap().insert(key);
    let batch = read(&fake, "", &mut memory, time(NOW)).await;
    assert_eq!((batch.observations.len(), batch.accounting.unreadable_files, batch.problems.len()), (1, 2, 2));
    assert_eq!(batch.complete_through, Some(shifted(early, -DELIVERY_SECONDS)));
    assert_eq!((batch.work.done, batch.work.planned), (2, 3));
    fake.denied.lock().unwrap().clear();
    let batch = read(&fake, "", &mut memory, shifted(time(NOW), 300)).await;
    assert_eq!((batch.observations.len(), batch.accounting.unreadable_files), (1, 0));
    assert_eq!(batch.complete_through, Some(shifted(time(NOW), 300 - DELIVERY_SECONDS)));
}

#[tokio::test]
async fn few_lists_and_few_gets_in_a_common_run() {
    let (fake, mut memory) = (Fake::default(), PlaceMemory::default());
    for number in 0..288 {
        let at = shifted(time(NOW), -86_000 + 300 * i64::try_from(number).unwrap());
        fake.put("AWSLogs/", at, number, &[seen(number, at)]);
    }
    read(&fake, "", &mut memory, time(NOW)).await;
    let before = *fake.listed.lock().unwrap();
    read(&fake, "", &mut memory, shifted(time(NOW), 300)).await;
    // Thirteen objects of an hour, seven a page.
    assert!(*fake.listed.lock().unwrap() - before <= 2);
    assert!(serde_json::to_string(&memory).unwrap().len() < 288 * 40);
}

#[tokio::test]
async fn however_it_is_cut_the_same_is_found() {
    for seed in 0..10 {
        let mut dice = Dice::new(seed);
        let (fake, mut memory) = (Fake::default(), PlaceMemory::default());
        let (mut ledger, mut whole, mut records, mut counted) = (Ledger::new(), Ledger::new(), 0_u64, 0);
        let start = time("2026-05-11T22:00:00Z");
        for number in 0..60 {
            let delivered = shifted(start, 60 * dice.below_i64(240));
            let texts: Vec<String> = (0..dice.below(5))
                .map(|_| {
                    records += 1;
                    seen(records, shifted(delivered, -dice.below_i64(900)))
                })
                .collect();
            for text in &texts {
                let decoded = exposure_core::decode::decode(text.as_bytes());
                let exposure_core::decode::Decoded::Observed(observation) = decoded else { panic!("{text}") };
                whole.absorb(&observation);
            }
            fake.put("AWSLogs/", delivered, number, &texts);
        }
        let mut now = start;
        while now < shifted(start, 5 * 3_600) {
            now = shifted(now, 60 + dice.below_i64(3_600));
            let kept = memory.clone();
            let batch = read(&fake, "", &mut memory, now).await;
            if dice.below(4) == 0 {
                // It died before it saved.
                memory = kept;
                continue;
            }
            assert!(batch.observations.iter().all(|observation| observation.time <= now));
            counted += batch.accounting.records;
            batch.observations.iter().for_each(|observation| {
                ledger.absorb(observation);
            });
        }
        counted += read(&fake, "", &mut memory, shifted(now, 3_600)).await.accounting.records;
        assert_eq!(counted, records, "seed {seed}");
        assert!(ledger == whole, "seed {seed}");
    }
}
