//! Calls that met: what was committed while another call was under way.

use std::collections::VecDeque;

use super::call::Call;
use super::refusal::Refusal;

/// How many committed batches are remembered for overlaps.
const REMEMBERED: usize = 64;

/// Recent work that calls still under way may have met.
#[derive(Clone, Debug, Default)]
pub(super) struct Batches {
    /// Committed enrolment batches: tick, and their users in order of first appearance.
    enrols: VecDeque<(u64, Vec<u64>)>,
    /// Committed duplicates: tick and template.
    duplicates: VecDeque<(u64, u64)>,
    deadlocks: u64,
}

impl Batches {
    /// How often a call lost to another since the start.
    pub(super) fn deadlocks(&self) -> u64 {
        self.deadlocks
    }

    /// Notes a duplicate of a template. Whether another one of the same template overlapped it.
    pub(super) fn duplicated(&mut self, template: u64, call: &Call) -> bool {
        let met = self.duplicates.iter().any(|(tick, other)| *other == template && !call.sees(*tick));
        self.duplicates.push_back((call.own, template));
        if self.duplicates.len() > REMEMBERED {
            self.duplicates.pop_front();
        }
        met
    }

    /// Refuses a batch that overlapped another over the same users in another order, else remembers it.
    pub(super) fn take(&mut self, users: Vec<u64>, call: &Call) -> Result<(), Refusal> {
        let crossed = self.enrols.iter().filter(|(tick, _)| !call.sees(*tick)).any(|(_, other)| crosses(&users, other));
        if crossed {
            self.deadlocks += 1;
            return Err(Refusal::write("ERROR: deadlock detected"));
        }
        self.enrols.push_back((call.own, users));
        if self.enrols.len() > REMEMBERED {
            self.enrols.pop_front();
        }
        Ok(())
    }
}

/// Whether two sequences hold some of their common users in different order.
fn crosses(one: &[u64], other: &[u64]) -> bool {
    let places: Vec<usize> = one.iter().filter_map(|user| other.iter().position(|known| known == user)).collect();
    !places.is_sorted()
}
