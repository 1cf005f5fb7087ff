//! Kind `marks`: what its attributes mean. Numbers are never re-used; those of target ids are given by the
//! pipelines that are marked.

use reconcile_state::{Attribute, AttributeId, Normal, Ownership, Schema, SchemaError, Sensitivity};

use crate::model::Mark;

/// The pipeline's name.
pub const PIPELINE: &str = "portal";
/// The kind.
pub const MARKS: &str = "marks";

/// Marks of birthright entitlements.
pub const BIRTHRIGHT: AttributeId = AttributeId(1);
/// Marks of requested entitlements.
pub const REQUESTED: AttributeId = AttributeId(2);

/// A pipeline that is marked.
pub type Marked = (&'static str, Mark);

/// The schema: both sets of marks, and one target id for each marked pipeline.
///
/// # Errors
/// Where two pipelines have one number, or one has the number of a set.
pub fn schema(marked: &[Marked]) -> Result<Schema, SchemaError> {
    let set = |id: AttributeId, name| {
        let set = Attribute::set(id.0, name).normal(Normal::Folded).owned(Ownership::ClaimedSet);
        set.sensitivity(Sensitivity::Public)
    };
    let id = |&(pipeline, mark): &Marked| {
        Attribute::reference(mark.number, pipeline, pipeline, mark.kind).sensitivity(Sensitivity::Public)
    };
    let sets = [set(BIRTHRIGHT, "birthright"), set(REQUESTED, "requested")];
    Schema::new(PIPELINE, MARKS, 9, sets.into_iter().chain(marked.iter().map(id)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::portal::testing::MARKED;

    #[test]
    fn every_marked_pipeline_has_its_target_id() {
        let schema = schema(&MARKED).unwrap();
        assert_eq!(
            schema.attributes().iter().map(|a| a.name).collect::<Vec<_>>(),
            ["birthright", "requested", "moodle", "wiseflow", "fs"]
        );
        let (pipeline, mark) = MARKED[0];
        assert!(super::schema(&[MARKED[0], ("other", mark)]).is_err(), "{pipeline}'s number is its own");
    }
}
