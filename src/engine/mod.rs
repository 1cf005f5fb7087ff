//! The pass: collect, project, observe, diff, plan, guard, apply, confirm.
//!
//! Planning is handed the read halves of targets and cannot write to any. Applying takes an
//! [`guard::ApprovedPlan`], which only the guard can make.

mod apply;
mod batch;
mod blocking;
mod bounds;
mod claims;
mod collect;
mod confirm;
mod conflicts;
mod contest;
mod contradicted;
mod correlate;
mod diff;
mod error;
mod explain;
mod forget;
mod guard;
mod hashed;
mod held;
mod lane;
mod look;
mod memory;
mod observe;
mod order;
mod outlook;
mod parts;
mod plan;
mod planner;
mod point;
mod processed;
mod progress;
mod project;
mod question;
mod rebuild;
mod replaced;
mod retain;
mod settle;
mod spent;
mod unsure;
mod vanished;
mod weigh;

pub use apply::{Applied, apply};
pub use collect::{DIRECTORY, VAULT};
pub use conflicts::{KnownCandidate, KnownConflict, KnownRival, LeftOpen, SourcesRead, Told, recall};
pub use contradicted::Contradicted;
pub use error::PassError;
pub use explain::{
    Asked, Called, Confirmed, Doubt, Explained, Explainer, Explaining, KindExplained, LastApplied, Next, NextChange,
    PipelineExplained, Said, Sight,
};
pub use forget::{Kept, Refusal, forget, kept};
pub use guard::{ApprovedPlan, Consent, FIRST_LOAD, Judged, RULE_CODES, judge};
pub use memory::{CLAIMS_RESTORED, IDENTITY};
pub use plan::{CLAIMS_LOST, plan};
pub use planner::{Order, Planner};
pub use point::{Point, Points, Unstopped};
pub use progress::{Progress, Silent, Step};
pub use rebuild::{KindRebuilt, PipelineRebuilt, Rebuilt, keep as keep_rebuilt, rebuild};
pub use retain::retain;
pub use settle::{CLAIMS_NOT_COPIED, SETTLE};
pub use vanished::ATTRIBUTE_VANISHED;

pub use crate::model::Stop;
