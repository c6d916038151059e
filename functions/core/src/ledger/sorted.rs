//! A map of a few entries: a sorted list. Of one instance a ledger has a handful of each kind of thing, for which a
//! `BTreeMap` sets aside room for eleven: that took three quarters of the memory of a large fleet.

use std::ops::RangeBounds;

/// Up to how many entries no room is set aside for more.
const FEW: usize = 16;

/// A map of a few entries, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    fn find(&self, key: &K) -> Result<usize, usize> {
        // What is new is mostly the last.
        match self.0.last() {
            Some((last, _)) if last < key => Err(self.0.len()),
            _ => self.0.binary_search_by(|(known, _)| known.cmp(key)),
        }
    }

    /// Puts a value in its place, or has `join` put it together with what is there. True if nothing was.
    pub(crate) fn put(&mut self, key: K, value: V, join: impl FnOnce(&mut V, V)) -> bool {
        match self.find(&key) {
            Ok(at) => {
                if let Some((_, known)) = self.0.get_mut(at) {
                    join(known, value);
                }
                false
            }
            Err(at) => {
                if self.0.len() < FEW {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (key, value));
                true
            }
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.get_key_value(key).map(|(_, value)| value)
    }

    pub(crate) fn get_key_value(&self, key: &K) -> Option<(&K, &V)> {
        let (key, value) = self.0.get(self.find(key).ok()?)?;
        Some((key, value))
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Ok(at) = self.find(key) {
            self.0.remove(at);
        }
    }

    /// The entries whose keys lie in a range.
    pub(crate) fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.iter().filter(move |(key, _)| range.contains(*key))
    }
}

impl<K, V> Sorted<K, V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + Clone {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }
}

impl<K, V> IntoIterator for Sorted<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Of entries with one key the last is kept.
impl<K: Ord, V> FromIterator<(K, V)> for Sorted<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        let mut sorted = Self(Vec::with_capacity(entries.size_hint().0));
        for (key, value) in entries {
            sorted.put(key, value, |known, value| *known = value);
        }
        sorted.0.shrink_to_fit();
        sorted
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    proptest::proptest! {
        #[test]
        fn it_is_a_map(entries: Vec<(u8, u16)>, asked: u8, from: u8) {
            let plain: BTreeMap<u8, u16> = entries.iter().copied().collect();
            let mut sorted: Sorted<u8, u16> = entries.iter().copied().collect();
            assert!(sorted.iter().eq(&plain) && sorted.keys().eq(plain.keys()) && sorted.values().eq(plain.values()));
            assert_eq!(sorted.get(&asked), plain.get(&asked));
            assert_eq!(sorted.contains_key(&asked), plain.contains_key(&asked));
            assert!(sorted.range(from..).eq(plain.range(from..)) && sorted.range(..=from).eq(plain.range(..=from)));
            assert_eq!(sorted.is_empty(), plain.is_empty());
            let mut plain = plain;
            assert_eq!(sorted.put(asked, 7, |known, new| *known = known.wrapping_add(new)), !plain.contains_key(&asked));
            plain.entry(asked).and_modify(|known| *known = known.wrapping_add(7)).or_insert(7);
            sorted.remove(&from);
            plain.remove(&from);
            sorted.retain(|key, _| *key != 3);
            plain.retain(|key, _| *key != 3);
            assert!(sorted.into_iter().eq(plain));
        }
    }
}
