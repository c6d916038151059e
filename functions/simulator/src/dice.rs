//! Chance that can be repeated: everything random comes from the seed through here.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::ids::{InstanceId, Uuid, VolumeId};

/// A stream of chance. `ChaCha8` gives the same numbers on every machine, and its streams are independent: one for each
/// instance, one for the writing of records, one for delivery.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream numbered `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Sixty-four random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..n`; 0 where `n` is 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        let product = u128::from(self.bits()) * u128::from(n);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number in `low..=high`; `low` where the range is empty.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).unwrap_or(0) + 1;
        low + i64::try_from(self.below(span)).unwrap_or(0)
    }

    /// Whether an event of this many in a thousand happens.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// An index into something of this length.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        let n = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(n)).unwrap_or(0)
    }

    /// One of the items, or nothing where there are none.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let at = self.index(items.len());
        items.get(at)
    }

    /// A random (version 4) UUID.
    pub(crate) fn uuid(&mut self) -> Uuid {
        Uuid::random((u128::from(self.bits()) << 64) | u128::from(self.bits()))
    }

    /// A new instance ID of 17 or, as in the early years of EC2, 8 digits.
    pub(crate) fn instance_id(&mut self, short: bool) -> InstanceId {
        InstanceId::new(self.bits(), short)
    }

    /// A new volume ID, likewise.
    pub(crate) fn volume_id(&mut self, short: bool) -> VolumeId {
        VolumeId::new(self.bits(), short)
    }

    /// Puts items into another order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.index(last + 1);
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_repeats_itself_and_differs_from_its_neighbour() {
        let draw = |stream| {
            let mut dice = Dice::new(7, stream);
            [dice.bits(), dice.bits()]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn ranges_include_both_ends() {
        let mut dice = Dice::new(1, 0);
        let mut seen: Vec<i64> = (0..200).map(|_| dice.between(-1, 1)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [-1, 0, 1]);
        assert_eq!(dice.between(5, 5), 5);
    }
}
