//! The pass: collect, project, observe, diff, plan, guard, apply, confirm.
//!
//! Planning is handed the read halves of targets and cannot write to any. Applying takes an
//! [`guard::ApprovedPlan`], which only the guard can make.

pub mod correlate;
pub mod diff;
pub mod guard;
pub mod order;
