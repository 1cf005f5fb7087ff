//! Hashed: places found by what stands there, without a second copy of it. A map of everybody's names holds each name
//! once more, and a list for each that has mostly one place in it.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Places by the hash of what stands there. Whoever asks looks whether it is what was asked for.
#[derive(Clone, Default)]
pub struct Hashed(Vec<(u64, usize)>);

impl Hashed {
    /// Each place may stand for several values, and a value at several places.
    pub fn new<V: Hash>(values: impl Iterator<Item = (V, usize)>) -> Self {
        let mut places: Vec<(u64, usize)> = values.map(|(value, place)| (hash(&value), place)).collect();
        places.sort_unstable();
        places.dedup();
        places.shrink_to_fit();
        Self(places)
    }

    /// Where it may stand, in order: wherever it stands, and seldom anywhere else.
    pub fn places(&self, value: impl Hash) -> impl DoubleEndedIterator<Item = usize> {
        let hash = hash(&value);
        let from = self.0.partition_point(|(other, _)| *other < hash);
        let many = self.0[from..].partition_point(|(other, _)| *other == hash);
        self.0[from..from + many].iter().map(|(_, place)| *place)
    }

    /// The places at which the same may stand, where there are several.
    pub fn several(&self) -> impl Iterator<Item = impl Iterator<Item = usize>> {
        let same = self.0.chunk_by(|(one, _), (other, _)| one == other).filter(|same| same.len() > 1);
        same.map(|same| same.iter().map(|(_, place)| *place))
    }
}

/// Of no meaning outside this process.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_a_value_is_found_in_order_and_once() {
        let values = ["b", "a", "c", "a", "b", "b"];
        let pairs = values.into_iter().enumerate().map(|(at, value)| (value, at));
        let hashed = Hashed::new(pairs.chain([("b", 4)]));
        let places = |value: &str| hashed.places(value).collect::<Vec<_>>();
        assert_eq!((places("a"), places("b"), places("c"), places("d")), (vec![1, 3], vec![0, 4, 5], vec![2], vec![]));
        let mut several: Vec<Vec<usize>> = hashed.several().map(Iterator::collect).collect();
        several.sort();
        assert_eq!(several, [vec![0, 4, 5], vec![1, 3]]);
        assert_eq!(Hashed::default().places("a").count(), 0);
    }
}
