//! Rows of a scope held in memory, found by key digest.

use super::block::{Id, bucket, id};
use crate::digest::Digest;
use crate::drift::Applied;

/// Sorted rows with an index over the top bits of their key digests.
pub(super) struct Rows<const W: usize> {
    sorted: Vec<[u8; W]>,
    /// First row of each bucket, and the end.
    starts: Vec<u32>,
    bits: u8,
}

impl<const W: usize> Rows<W> {
    /// About sixteen rows to a bucket: the index stays in the processor's cache, and a search looks at
    /// one or two lines of rows.
    pub(super) fn new(rows: Vec<[u8; W]>) -> Self {
        let mut bits = 0;
        while bits < 24 && rows.len() >> bits > 16 {
            bits += 1;
        }
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        for (at, row) in rows.iter().enumerate() {
            // Four billion rows would be 128 GB: they never get here.
            starts.resize(starts.len().max(bucket(row, bits) as usize + 1), u32::try_from(at).unwrap_or(u32::MAX));
        }
        starts.resize((1 << bits) + 1, u32::try_from(rows.len()).unwrap_or(u32::MAX));
        Self { sorted: rows, starts, bits }
    }

    pub(super) fn find(&self, key: &Id) -> Option<usize> {
        let bucket = bucket(key, self.bits) as usize;
        let (from, to) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        self.sorted[from..to].binary_search_by(|row| id(row).cmp(key)).ok().map(|at| from + at)
    }

    pub(super) fn rows(&self) -> &[[u8; W]] {
        &self.sorted
    }
}

fn digest(row: &[u8], at: usize) -> Digest {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&row[at * 16..][..16]);
    Digest(bytes)
}

/// Record digests of a scope by key digest.
pub struct DigestSet(pub(super) Rows<32>);

impl DigestSet {
    /// The digest of the record with this key digest.
    pub fn get(&self, key: &Digest) -> Option<Digest> {
        self.0.find(&key.0).map(|at| digest(&self.0.sorted[at], 1))
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.0.sorted.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.sorted.is_empty()
    }

    /// Key digest and record digest of each, in ascending order of the former.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Digest, Digest)> {
        self.0.sorted.iter().map(|row| (digest(row, 0), digest(row, 1)))
    }
}

/// Last applied pairs of a kind by key digest.
pub struct AppliedSet(pub(super) Rows<48>);

impl AppliedSet {
    /// The pair of the record with this key digest.
    pub fn get(&self, key: &Digest) -> Option<Applied> {
        self.0.find(&key.0).map(|at| pair(&self.0.sorted[at]))
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.0.sorted.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.sorted.is_empty()
    }

    /// Key digest and pair of each, in ascending order of the former.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Digest, Applied)> {
        self.0.sorted.iter().map(|row| (digest(row, 0), pair(row)))
    }
}

/// The pair in a row.
pub(super) fn pair(row: &[u8; 48]) -> Applied {
    Applied { wanted: digest(row, 1), seen: digest(row, 2) }
}

/// The record digest in a row.
pub(super) fn second(row: &[u8; 32]) -> Digest {
    digest(row, 1)
}

/// The row of a record.
pub(super) fn digest_row(key: Digest, record: Digest) -> [u8; 32] {
    let mut row = [0; 32];
    row[..16].copy_from_slice(&key.0);
    row[16..].copy_from_slice(&record.0);
    row
}

/// The row of a pair.
pub(super) fn applied_row(key: Digest, applied: Applied) -> [u8; 48] {
    let mut row = [0; 48];
    row[..16].copy_from_slice(&key.0);
    row[16..32].copy_from_slice(&applied.wanted.0);
    row[32..].copy_from_slice(&applied.seen.0);
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digester;

    #[test]
    fn what_is_in_is_found_and_nothing_else() {
        let digester = Digester::new([1; 32]);
        for count in [0_u32, 1, 2, 17, 1000] {
            let mut rows: Vec<_> = (0..count)
                .map(|n| digest_row(digester.bytes(&n.to_be_bytes()), digester.bytes(&(n + 1).to_be_bytes())))
                .collect();
            rows.sort_unstable();
            let set = DigestSet(Rows::new(rows));
            for n in 0..count + 100 {
                let found = set.get(&digester.bytes(&n.to_be_bytes()));
                assert_eq!(found, (n < count).then(|| digester.bytes(&(n + 1).to_be_bytes())), "{n} of {count}");
            }
            assert!(set.iter().is_sorted() && set.iter().len() == count as usize);
        }
    }
}
