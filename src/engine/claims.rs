//! Claims of one kind, as a pass holds them: everybody's, from beginning to end.

use std::collections::{BTreeMap, HashSet};

use reconcile_state::{Claim, Key, Remote};

use super::hashed::Hashed;

/// Claims in the order of their keys, and whose record is which.
#[derive(Default)]
pub struct Claims {
    sorted: Vec<(Key, Claim)>,
    by_id: Hashed,
    by_handle: Hashed,
}

impl Claims {
    /// Those of one kind; a key that is `known` is held once for all of them.
    pub fn new(claims: BTreeMap<Key, Claim>, known: &mut HashSet<Key>) -> Self {
        let mut shared = |(key, claim): (Key, Claim)| {
            if let Some(known) = known.get(&key) {
                return (known.clone(), claim);
            }
            known.insert(key.clone());
            (key, claim)
        };
        let sorted: Vec<(Key, Claim)> = claims.into_iter().map(&mut shared).collect();
        let named = |name: fn(&Remote) -> Option<&String>| {
            let claims = sorted.iter().enumerate();
            Hashed::new(claims.filter_map(|(at, (_, claim))| Some((name(&claim.remote)?, at))))
        };
        let (by_id, by_handle) = (named(|remote| remote.id.as_ref()), named(|remote| remote.handle.as_ref()));
        Self { sorted, by_id, by_handle }
    }

    /// The claim on somebody's record.
    pub fn get(&self, key: &Key) -> Option<&Claim> {
        let at = self.sorted.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        Some(&self.sorted[at].1)
    }

    /// All of them, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Claim)> {
        self.sorted.iter().map(|(key, claim)| (key, claim))
    }

    /// Whose they are, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Key> {
        self.sorted.iter().map(|(key, _)| key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Whose a target's record is.
    pub fn owner(&self, remote: &Remote) -> Option<&Key> {
        let mine = |at: usize| {
            let (key, claim) = &self.sorted[at];
            claim.remote.is(remote).then_some(key)
        };
        let by_id = remote.id.iter().flat_map(|id| self.by_id.places(id)).rev().find_map(mine);
        by_id.or_else(|| remote.handle.iter().flat_map(|name| self.by_handle.places(name)).rev().find_map(mine))
    }
}
