use std::time::Duration;

use exposure_core::fleet::Fleet;
use exposure_core::ids::{AccountId, Region};
use exposure_core::ledger::Ledger;

use super::super::testing::{Dice, KEY, instance, launch, noise, place, sighting, time, volume};
use super::*;

const NOW: &str = "2026-05-11T12:00:00Z";

fn other() -> Source {
    Source { account: AccountId::new("222233334444").unwrap(), region: Region::new("eu-central-1").unwrap() }
}

async fn read(root: &Path, places: &[Source], memories: &mut [PlaceMemory], now: Timestamp) -> Vec<Batch> {
    let (ledger, fleet) = (Ledger::new(), Fleet::default());
    let deadline = Instant::now() + Duration::from_mins(1);
    let batches = {
        let asks: Vec<Ask<'_>> = places
            .iter()
            .zip(memories.iter())
            .map(|(place, memory)| Ask { place, now, deadline, ledger: &ledger, fleet: &fleet, memory })
            .collect();
        DirectorySource::new(root.to_owned()).read(&asks).await
    };
    let batches: Vec<Batch> = batches.into_iter().map(Result::unwrap).collect();
    for (memory, batch) in memories.iter_mut().zip(&batches) {
        *memory = batch.memory.clone();
    }
    batches
}

fn write(root: &Path, name: &str, records: &[String]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("{{\"Records\":[{}]}}", records.join(","))).unwrap();
}

fn seen(number: u64, at: Timestamp) -> String {
    sighting(at, &format!("e-{number}"), &instance(number), &volume(number), KEY)
}

#[tokio::test]
async fn a_folder_is_shared_out_and_every_record_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = shifted(time(NOW), -600);
    write(folder.path(), "a/one.json", &[seen(1, at), noise(at, "n-1"), launch(at, "l-1", &instance(1))]);
    write(folder.path(), "b/two.json", &[seen(2, at).replace("111122223333", "222233334444")]);
    write(folder.path(), "b/three.json", &[seen(3, at).replace("111122223333", "333344445555")]);
    std::fs::write(folder.path().join("b/broken.json"), "{\"Records\":[{").unwrap();
    let mut memories = [PlaceMemory::default(), PlaceMemory::default()];
    let batches = read(folder.path(), &[place(), other()], &mut memories, time(NOW)).await;
    let observed: Vec<usize> = batches.iter().map(|batch| batch.observations.len()).collect();
    assert_eq!(observed, [2, 1]);
    let counted = &batches[0].accounting;
    assert_eq!((counted.files, counted.unreadable_files, counted.records, counted.irrelevant), (3, 1, 5, 2));
    assert_eq!(counted.records, counted.irrelevant + 3);
    assert_eq!(batches[1].accounting.records, 0);
    assert!(batches.iter().all(|batch| batch.complete_through == Some(shifted(time(NOW), -DELIVERY_SECONDS))));
    let again = read(folder.path(), &[place(), other()], &mut memories, time(NOW)).await;
    assert_eq!((again[0].accounting.files, again[0].accounting.unreadable_files), (0, 0));
    // A place that is asked for the first time gets what others have had.
    memories[1] = PlaceMemory::default();
    let again = read(folder.path(), &[place(), other()], &mut memories, time(NOW)).await;
    assert_eq!(again[1].observations.len(), 1);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let (ledger, fleet, memory, place) = (Ledger::new(), Fleet::default(), PlaceMemory::default(), place());
    let deadline = Instant::now() + Duration::from_mins(1);
    let ask = Ask { place: &place, now: time(NOW), deadline, ledger: &ledger, fleet: &fleet, memory: &memory };
    let source = DirectorySource::new("/nowhere/at/all".into());
    let failure = source.read(&[ask]).await.pop().unwrap().unwrap_err();
    assert!(failure.message.contains("/nowhere/at/all"), "{failure}");
}

#[tokio::test]
async fn however_it_is_cut_the_same_is_found() {
    for seed in 0..10 {
        let mut dice = Dice::new(seed);
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, mut whole) = (Ledger::new(), Ledger::new());
        let mut memories = [PlaceMemory::default()];
        let (mut records, mut counted) = (0_u64, 0);
        for file in 0..12 {
            let texts: Vec<String> = (0..dice.below(8))
                .map(|_| {
                    records += 1;
                    seen(records, shifted(time(NOW), dice.below_i64(7_200)))
                })
                .collect();
            for text in &texts {
                let decoded = exposure_core::decode::decode(text.as_bytes());
                let exposure_core::decode::Decoded::Observed(observation) = decoded else { panic!("{text}") };
                whole.absorb(&observation);
            }
            write(folder.path(), &format!("{file}.json"), &texts);
        }
        let mut now = time(NOW);
        while now < shifted(time(NOW), 7_200) {
            now = shifted(now, 1 + dice.below_i64(1_800));
            let kept = memories.clone();
            let batch = read(folder.path(), &[place()], &mut memories, now).await.remove(0);
            if dice.below(4) == 0 {
                memories = kept;
                continue;
            }
            assert!(batch.observations.iter().all(|observation| observation.time <= now));
            counted += batch.accounting.records;
            batch.observations.iter().for_each(|observation| {
                ledger.absorb(observation);
            });
        }
        let last = read(folder.path(), &[place()], &mut memories, shifted(now, 60)).await.remove(0);
        counted += last.accounting.records;
        last.observations.iter().for_each(|observation| {
            ledger.absorb(observation);
        });
        assert_eq!(counted, records, "seed {seed}");
        assert!(ledger == whole, "seed {seed}");
    }
}
