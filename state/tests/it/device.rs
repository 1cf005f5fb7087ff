//! A disk whose power fails. What was written since the last sync is held apart; at the cut a random part of it is
//! kept, in any order, and some of it torn.

use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

/// What a disk writes whole, if it writes it at all.
const SECTOR: usize = 512;

/// Numbers that are the same for the same seed.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next one below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub fn of(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone, Debug)]
enum Waiting {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Default)]
struct Platter {
    /// What survives whatever happens.
    synced: Vec<u8>,
    /// What was asked for since, in order.
    waiting: Vec<Waiting>,
    /// What is read.
    shown: Vec<u8>,
    /// So many writes and syncs are done until the power fails; `None` is never.
    left: Option<u64>,
    off: bool,
}

/// The disk; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    /// A disk that holds this.
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Platter { synced: bytes.clone(), shown: bytes, ..Platter::default() })))
    }

    /// Lets the power fail after so many more writes and syncs.
    pub fn fail_after(&self, writes: u64) {
        self.0.lock().unwrap().left = Some(writes);
    }

    /// Whether the power has failed.
    pub fn is_off(&self) -> bool {
        self.0.lock().unwrap().off
    }

    /// What is found on it when the power is back.
    pub fn found(&self, chance: &mut Chance) -> Vec<u8> {
        let platter = self.0.lock().unwrap();
        let mut bytes = platter.synced.clone();
        // All of it, nothing, or any part: each is a cut of its own kind.
        let kept = [0, 20, 50, 80, 100][usize::try_from(chance.below(5)).unwrap()];
        let torn = [0, 0, 30, 100][usize::try_from(chance.below(4)).unwrap()];
        for one in &platter.waiting {
            match one {
                Waiting::Length(length) if chance.of(kept) => bytes.resize(*length, 0),
                Waiting::Length(_) => {}
                Waiting::Write(at, data) => {
                    let torn = chance.of(torn);
                    if torn || chance.of(kept) {
                        write(&mut bytes, *at, data, |_| !torn || chance.of(50));
                    }
                }
            }
        }
        bytes
    }

    fn act(&self, act: impl FnOnce(&mut Platter)) -> Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.off |= platter.left == Some(0);
        if platter.off {
            return Err(Error::other("the power is off"));
        }
        platter.left = platter.left.map(|left| left - 1);
        act(&mut platter);
        Ok(())
    }
}

/// Writes what of the data is kept, sector by sector.
fn write(bytes: &mut Vec<u8>, at: usize, data: &[u8], mut is_kept: impl FnMut(usize) -> bool) {
    let mut from = 0;
    while from < data.len() {
        let to = (from + SECTOR - (at + from) % SECTOR).min(data.len());
        if is_kept(at + from) {
            bytes.resize(bytes.len().max(at + to), 0);
            bytes[at + from..at + to].copy_from_slice(&data[from..to]);
        }
        from = to;
    }
}

fn place(at: u64) -> usize {
    usize::try_from(at).unwrap()
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64> {
        Ok(self.0.lock().unwrap().shown.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let platter = self.0.lock().unwrap();
        let found = platter.shown.get(place(offset)..place(offset) + out.len());
        out.copy_from_slice(found.ok_or(Error::from(ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<()> {
        self.act(|platter| {
            platter.shown.resize(place(length), 0);
            platter.waiting.push(Waiting::Length(place(length)));
        })
    }

    fn sync_data(&self) -> Result<()> {
        self.act(|platter| {
            for one in std::mem::take(&mut platter.waiting) {
                match one {
                    Waiting::Length(length) => platter.synced.resize(length, 0),
                    Waiting::Write(at, data) => write(&mut platter.synced, at, &data, |_| true),
                }
            }
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.act(|platter| {
            write(&mut platter.shown, place(offset), data, |_| true);
            platter.waiting.push(Waiting::Write(place(offset), data.to_vec()));
        })
    }
}

#[test]
fn what_was_synced_stays_and_the_rest_may_be_torn() {
    let mut chance = Chance::new(1);
    let (mut kept, mut lost, mut torn) = (0, 0, 0);
    for _ in 0..200 {
        let disk = Disk::default();
        disk.write(0, &[1; 4096]).unwrap();
        disk.sync_data().unwrap();
        disk.write(1024, &[2; 4096]).unwrap();
        disk.fail_after(0);
        assert!(disk.write(0, &[3; 10]).is_err() && disk.sync_data().is_err() && disk.is_off());
        let found = disk.found(&mut chance);
        assert!(found[..1024].iter().all(|byte| *byte == 1), "what was synced before");
        let sectors = found[1024..].chunks(SECTOR);
        let new = sectors.filter(|sector| sector.iter().all(|byte| *byte == 2)).count();
        match new {
            8 => kept += 1,
            0 => lost += 1,
            _ => torn += 1,
        }
    }
    assert!(kept > 20 && lost > 20 && torn > 20, "{kept} {lost} {torn}");
}
