//! Digest blocks: sorted rows of `W` bytes, the first 16 of them the digest of a key, cut into blocks by
//! the top bits of that digest. Hash table and leaf level in one: a million rows are read in
//! milliseconds, and a changed row touches one page. Keyed digests are spread evenly, so blocks are too.

use redb::{ReadableTable, Table};

use super::error::Fault;

type Blocks<'t> = Table<'t, (u16, u32), &'static [u8]>;

/// The digest of a key.
pub(super) type Id = [u8; 16];

/// What a row becomes; `None` takes it away.
#[derive(Clone, Copy)]
pub(super) struct Change<const W: usize> {
    pub(super) id: Id,
    pub(super) row: Option<[u8; W]>,
}

/// The key digest a row begins with.
pub(super) fn id<const W: usize>(row: &[u8; W]) -> &[u8] {
    &row[..16]
}

/// The block, or bucket, of a key digest: its top bits.
pub(super) fn bucket(id: &[u8], bits: u8) -> u32 {
    let top = id.iter().take(4).fold(0_u32, |top, byte| top << 8 | u32::from(*byte));
    top.checked_shr(32 - u32::from(bits)).unwrap_or(0)
}

/// Rows that fill a page of 4 KiB with its own bookkeeping.
const fn page(width: usize) -> u64 {
    (4032 / width) as u64
}

/// The bits for this many rows: those they have while blocks are neither tiny nor over two pages, else
/// as many as leave a block some room within its page.
fn bits_for<const W: usize>(count: u64, now: u8) -> u8 {
    let mean = count >> now;
    if mean <= 2 * page(W) && (now == 0 || mean >= page(W) / 6) {
        return now;
    }
    let mut bits = 0;
    while bits < 24 && (count >> bits) > page(W) * 17 / 20 {
        bits += 1;
    }
    bits
}

/// The rows in a block.
pub(super) fn rows_of<const W: usize>(block: &[u8]) -> Result<&[[u8; W]], Fault> {
    match block.as_chunks() {
        (rows, []) => Ok(rows),
        _ => Err(Fault::damaged("a digest block")),
    }
}

/// All rows of a scope, in order; about `count` of them.
pub(super) fn load<const W: usize>(
    table: &impl ReadableTable<(u16, u32), &'static [u8]>,
    scope: u16,
    count: u64,
) -> Result<Vec<[u8; W]>, Fault> {
    // A damaged count must not ask for all memory there is.
    let mut rows = Vec::with_capacity(usize::try_from(count.min(1 << 23)).unwrap_or(0));
    for block in table.range((scope, 0)..=(scope, u32::MAX))? {
        rows.extend_from_slice(rows_of(block?.1.value())?);
    }
    Ok(rows)
}

/// Feeds all rows of a scope, in order, to a hash.
pub(super) fn hash(table: &Blocks<'_>, scope: u16) -> Result<blake3::Hash, Fault> {
    let mut hash = blake3::Hasher::new();
    // Large inputs hash ten times faster than blocks of a page.
    let mut buffer = Vec::with_capacity(1 << 18);
    for block in table.range((scope, 0)..=(scope, u32::MAX))? {
        buffer.extend_from_slice(block?.1.value());
        if buffer.len() >= 1 << 17 {
            hash.update(&buffer);
            buffer.clear();
        }
    }
    Ok(hash.update(&buffer).finalize())
}

/// One row.
pub(super) fn find<const W: usize>(
    table: &impl ReadableTable<(u16, u32), &'static [u8]>,
    scope: u16,
    bits: u8,
    key: &Id,
) -> Result<Option<[u8; W]>, Fault> {
    let Some(block) = table.get((scope, bucket(key, bits)))? else { return Ok(None) };
    let rows = rows_of::<W>(block.value())?;
    Ok(rows.binary_search_by(|row| id(row).cmp(key)).ok().map(|at| rows[at]))
}

/// Rows with changes made to them; both in order, changes without repetition.
pub(super) fn merge<const W: usize>(rows: &[[u8; W]], changes: &[Change<W>]) -> Vec<[u8; W]> {
    let mut merged = Vec::with_capacity(rows.len() + changes.len());
    let mut rest = rows;
    for change in changes {
        let before = rest.partition_point(|row| id(row) < &change.id[..]);
        merged.extend_from_slice(&rest[..before]);
        rest = &rest[before..];
        if rest.first().is_some_and(|row| id(row) == change.id) {
            rest = &rest[1..];
        }
        merged.extend(change.row);
    }
    merged.extend_from_slice(rest);
    merged
}

/// Puts changes in order; of several for one key the last given stays.
pub(super) fn in_order<const W: usize>(changes: &mut Vec<Change<W>>) {
    changes.reverse();
    changes.sort_by_key(|change| change.id);
    changes.dedup_by_key(|change| change.id);
}

/// Makes changes (in order) to the blocks of a scope of which `count` rows lie in `2^bits` blocks; both
/// are brought up to date. Says whether any row changed.
pub(super) fn change<const W: usize>(
    table: &mut Blocks<'_>,
    scope: u16,
    (count, bits): (&mut u64, &mut u8),
    changes: &[Change<W>],
) -> Result<bool, Fault> {
    let added = changes.iter().filter(|change| change.row.is_some()).count() as u64;
    let removed = changes.len() as u64 - added;
    if bits_for::<W>(*count + added, *bits) != *bits || bits_for::<W>(count.saturating_sub(removed), *bits) != *bits {
        return rebuild(table, scope, (count, bits), changes);
    }
    let mut differs = false;
    for changes in changes.chunk_by(|one, two| bucket(&one.id, *bits) == bucket(&two.id, *bits)) {
        let block = (scope, bucket(&changes[0].id, *bits));
        let (old, new) = {
            let guard = table.get(block)?;
            let rows = rows_of(guard.as_ref().map_or(&[][..], |block| block.value()))?;
            let merged = merge(rows, changes);
            if merged.as_slice() == rows {
                continue;
            }
            (rows.len() as u64, merged)
        };
        differs = true;
        *count = (*count + new.len() as u64).saturating_sub(old);
        if new.is_empty() {
            table.remove(block)?;
        } else {
            table.insert(block, new.as_flattened())?;
        }
    }
    Ok(differs)
}

/// The same, with another number of blocks where the rows ask for it.
fn rebuild<const W: usize>(
    table: &mut Blocks<'_>,
    scope: u16,
    (count, bits): (&mut u64, &mut u8),
    changes: &[Change<W>],
) -> Result<bool, Fault> {
    let old = load(table, scope, *count)?;
    let new = merge(&old, changes);
    let now = bits_for::<W>(new.len() as u64, *bits);
    if now == *bits && old == new {
        return Ok(false);
    }
    let differs = old != new;
    drop(old);
    table.retain_in((scope, 0)..=(scope, u32::MAX), |_, _| false)?;
    for rows in new.chunk_by(|one, two| bucket(one, now) == bucket(two, now)) {
        table.insert((scope, bucket(&rows[0], now)), rows.as_flattened())?;
    }
    (*count, *bits) = (new.len() as u64, now);
    Ok(differs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_fit_two_pages_and_do_not_flicker() {
        fn check<const W: usize>(count: u64) {
            for now in 0..=24 {
                let bits = bits_for::<W>(count, now);
                assert!(count >> bits <= 2 * page(W), "{count}: {bits}");
                assert_eq!(bits_for::<W>(count, bits), bits, "{count}");
                let more = bits_for::<W>(count + 1, bits);
                assert_eq!(bits_for::<W>(count, more), more, "one to and fro at {count}");
            }
        }
        for count in (0..20_000).chain((0..100).map(|n| n * 50_021)) {
            check::<32>(count);
            check::<48>(count);
        }
        assert_eq!(bits_for::<32>(0, 13), 0, "an emptied scope shrinks");
    }

    #[test]
    fn merging_replaces_inserts_and_removes() {
        let row = |id: u8, value: u8| {
            let mut row = [value; 17];
            row[..16].fill(id);
            row
        };
        let change = |id: u8, value: Option<u8>| Change { id: [id; 16], row: value.map(|value| row(id, value)) };
        let mut changes =
            vec![change(5, Some(2)), change(2, Some(9)), change(3, None), change(9, None), change(2, None)];
        changes.push(change(2, Some(8)));
        in_order(&mut changes);
        let merged = merge(&[row(1, 1), row(3, 1), row(5, 1)], &changes);
        assert_eq!(merged, [row(1, 1), row(2, 8), row(5, 2)]);
    }

    #[test]
    fn buckets_are_the_top_bits() {
        let id = [0xff, 0x80, 0, 1, 9, 9];
        assert_eq!(bucket(&id, 0), 0);
        assert_eq!(bucket(&id, 1), 1);
        assert_eq!(bucket(&id, 9), 0x1ff);
        assert_eq!(bucket(&id, 10), 0x3fe);
    }
}
