//! The JSON report, version 1: an object with the fields of [`Report`].
//!
//! ```json
//! { "version": 1, "mode": "plan" | "apply", "run": "...", "at": "2026-08-03T02:00:00Z", "plan": "<32 hex>",
//!   "interrupted": false,
//!   "scope": { "what": "everything", "people": 3, "unknown_keys": [] },
//!   "sources": [ { "name", "people", "new", "changed", "gone", "trust": { "doubts": [] }, "findings": {} } ],
//!   "pipelines": [ { "name", "target", "trust", "observed", "first_load", "anew", "stopped",
//!     "counters": { "total": 3, "totalSkipped": 0, ... }, "drift": { "missing": 1 }, "untouched": {}, "disabled": {},
//!     "parts": { "enrolments": { "drift": {}, "untouched": {}, "in_doubt", "elements" } }, "strangers", "left_out": {}, "foreign", "in_doubt", "unobserved", "conflicts", "linked", "listed", "verdict": { "trips", "allowed", "held" },
//!     "changes": [ { "id", "kind", "key", "username", "remote", "action", "cause", "drift", "reason", "requires",
//!       "edits": [ { "op": "set", "attribute": "email", "from": null, "to": { "form": "text", "value": "..." } } ],
//!       "fate": null | { "result": "landed", "code", "message", "attributes", "left", "by" } } ] } ],
//!   "events": [ { "code", "pipeline", "step", "key", "message" } ],
//!   "approval": null | { "gone": [], "new": 0 } }
//! ```
//!
//! Fields are added without notice; none is renamed, removed or given another meaning under one version.
//! A secret value has the form `secret` and no value.

use std::io::{self, Write};

use super::value::{PipelineReport, Report};

/// Writes the report as one object and a newline.
///
/// # Errors
/// Where `out` refuses.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// The report of one pipeline alone, as it is kept in a directory of reports.
pub fn single(report: &Report, pipeline: &PipelineReport) -> Report {
    let concerns = |name: Option<&str>| name.is_none_or(|name| name == pipeline.name);
    Report {
        pipelines: vec![pipeline.clone()],
        events: report.events.iter().filter(|event| concerns(event.pipeline)).cloned().collect(),
        ..report.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::sample::planned;

    fn value() -> serde_json::Value {
        let mut out = Vec::new();
        write(&Report::of_plan(&planned(), &BTreeMap::new(), &[]), &mut out).unwrap();
        assert!(!String::from_utf8_lossy(&out).contains("4711"), "a secret is shown nowhere");
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn the_shape_of_version_1_stands() {
        let report = value();
        let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(keys(&report), "approval at events interrupted mode pipelines plan run scope sources version");
        let pipeline = &report["pipelines"][0];
        assert_eq!(
            keys(pipeline),
            "anew changes conflicts counters disabled drift first_load foreign in_doubt left_out linked listed name observed parts \
             stopped strangers target trust unobserved untouched verdict"
        );
        assert_eq!(
            keys(&pipeline["changes"][0]),
            "action cause drift edits fate id key kind reason remote requires username"
        );
        assert_eq!((report["version"].as_u64(), report["mode"].as_str()), (Some(1), Some("plan")));
        assert_eq!(pipeline["drift"]["in-sync"], 5);
        assert_eq!(pipeline["untouched"]["not-entitled"], 2);
        assert_eq!(pipeline["counters"]["totalAdd"], 1);
        assert_eq!(
            pipeline["changes"][0]["edits"],
            serde_json::json!([
                { "op": "set", "attribute": "username", "from": null, "to": { "form": "text", "value": "new-p1" } },
                { "op": "set", "attribute": "pin", "from": null, "to": { "form": "secret" } },
            ])
        );
    }

    #[test]
    fn a_kept_report_has_its_own_pipeline_alone() {
        let report = Report::of_plan(&planned(), &BTreeMap::new(), &[]);
        let mut other = report.pipelines[0].clone();
        other.name = "other";
        let both = Report { pipelines: vec![report.pipelines[0].clone(), other], ..report };
        let one = single(&both, &both.pipelines[1]);
        assert_eq!(one.pipelines.iter().map(|pipeline| pipeline.name).collect::<Vec<_>>(), ["other"]);
    }
}
