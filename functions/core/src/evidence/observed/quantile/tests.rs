use serde::Deserialize;

use super::*;

type Case = (u32, u8, f64, [Option<i64>; 3]);

/// What `SciPy` says, as `tests/evidence/observed.py` writes it.
#[derive(Deserialize)]
struct Oracle {
    percentiles: Vec<Case>,
}

#[test]
fn percentiles_and_their_intervals_are_those_of_the_oracle() {
    let oracle: Oracle = serde_json::from_str(include_str!("../oracle.json")).expect("the oracle's answers");
    assert!(oracle.percentiles.len() > 70);
    for (count, percent, level, [value, low, high]) in oracle.percentiles {
        // Each value is its rank.
        let sorted: Vec<i64> = (1..=i64::from(count)).collect();
        let found = percentile(&sorted, percent, Level::new(level).unwrap());
        let expected = Percentile { percent, seconds: value, low, high };
        assert_eq!(found, expected, "{percent} of {count} at {level}");
    }
}

#[test]
fn of_nothing_there_is_no_percentile() {
    let none = Percentile { percent: 50, seconds: None, low: None, high: None };
    assert_eq!(percentile(&[], 50, Level::USUAL), none);
}
