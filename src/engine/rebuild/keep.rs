//! What was derived is remembered: the only thing that this writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use reconcile_state::journal::Note;
use reconcile_state::store::StoreDir;
use reconcile_state::{Claim, Key};
use serde_json::json;

use super::run::{PipelineRebuilt, Rebuilt};
use crate::engine::blocking::blocking;
use crate::engine::contradicted::{CONTRADICTED, Contradictions};
use crate::engine::error::PassError;
use crate::engine::memory::IDENTITY;
use crate::engine::planner::Planner;
use crate::engine::point::Point;

/// Remembers what was derived, with a note of who says so and why.
///
/// # Errors
/// [`PassError::Store`]
pub async fn keep(planner: &Planner, rebuilt: &Rebuilt, who: &str, why: Option<&str>) -> Result<(), PassError> {
    for pipeline in rebuilt.pipelines.iter().filter(|pipeline| pipeline.is_due()) {
        let (directory, pipeline) = (Arc::clone(&planner.store), pipeline.clone());
        let at = planner.clock.now().as_millisecond();
        let note = Note { run: rebuilt.run.clone(), at, what: words(&pipeline, why), who: who.to_owned() };
        let reached = planner.tell(Some(pipeline.name));
        blocking(move || keep_one(&directory, &pipeline, note, &reached)).await?;
    }
    Ok(())
}

fn keep_one(
    directory: &StoreDir,
    pipeline: &PipelineRebuilt,
    note: Note,
    reached: &impl Fn(Point),
) -> Result<(), PassError> {
    let derived: BTreeMap<&str, BTreeMap<Key, Claim>> =
        pipeline.kinds.iter().map(|kind| (kind.kind, kind.derived.clone())).collect();
    let contradicted: Contradictions =
        pipeline.kinds.iter().map(|kind| (kind.kind.to_owned(), kind.contradicted.clone())).collect();
    directory.expect_claims(pipeline.name)?;
    reached(Point::Expected);
    let store = if pipeline.lost.is_some() {
        let values = [(CONTRADICTED, json!(contradicted)), (IDENTITY, json!(pipeline.target))];
        let store = directory.begin_again(pipeline.name, &derived, &values)?;
        reached(Point::RebuiltAnew);
        store
    } else {
        let store = directory.pipeline(pipeline.name)?;
        // First what forbids to write.
        store.set_meta(CONTRADICTED, &contradicted)?;
        reached(Point::RebuiltContradicted);
        for (kind, claims) in derived {
            store.put_claims(kind, &claims.into_iter().map(|(key, claim)| (key, Some(claim))).collect())?;
            reached(Point::RebuiltClaims);
        }
        store.set_meta(IDENTITY, &pipeline.target)?;
        reached(Point::RebuiltIdentity);
        store
    };
    store.record_note(note)?;
    reached(Point::Noted);
    directory.copy_claims_and(pipeline.name, || reached(Point::CopiedClaims))?;
    reached(Point::Copied);
    Ok(())
}

fn words(pipeline: &PipelineRebuilt, why: Option<&str>) -> String {
    let kinds = pipeline
        .kinds
        .iter()
        .map(|kind| format!("{} {} derived, {} contradicted", kind.derived.len(), kind.kind, kind.contradicted.len()));
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!("claims rebuilt from evidence, {}{why}", kinds.collect::<Vec<_>>().join(", "))
}
