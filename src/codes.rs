//! Every code that reports, logs and the journal use, with what it means and what to do: the text of
//! `docs/errors.md`. Targets tell their own ([`Definition::codes`]).

use std::fmt::Write as _;

use crate::targets::Registry;
use crate::targets::port::Definition;

/// A code, what it means and what to do.
pub type Code = (&'static str, &'static str);

/// Codes of one sort.
pub struct Chapter {
    /// Its heading.
    pub title: &'static str,
    /// What the codes have in common.
    pub about: &'static str,
    /// The codes.
    pub codes: &'static [Code],
}

/// All chapters but those of the targets.
pub const CHAPTERS: &[Chapter] = &[ERRORS, DOUBTS, REASONS, CONFLICTS, EVIDENCE, RULES, FINDINGS, KEPT];

const ERRORS: Chapter = Chapter {
    title: "Errors of sources, store and engine",
    about: "In events, logs, the journal and the lines of changes that did not land. A failed source ends the pass, a \
            failed target only its own pipeline.",
    codes: &[
        (
            "LDAP_CONNECTION_FAILED",
            "The directory could not be reached, or refused the log-in. Check `[portal_ldap]`, the network and the \
             password; `reconcile check` says which.",
        ),
        (
            "LDAP_SEARCH_FAILED",
            "The directory refused or broke off a search. A size limit or a missing right shows here; nothing missing \
             from such a reading counts as gone.",
        ),
        (
            "METAVAULT_CONNECTION_FAILED",
            "MetaVault could not be reached or opened. Check `[metavault]`; `reconcile check` says what is wrong.",
        ),
        ("METAVAULT_READ_FAILED", "A query failed half way. Run it again; if it stays, look at the database's log."),
        (
            "METAVAULT_SCHEMA_MISMATCH",
            "A table, view or column of the read model is missing. Compare the views with \
             `docs/metavault-read-model.sql`.",
        ),
        ("STORE_LOCKED", "Another process works on this store. Wait for it; two copies never share one store."),
        (
            "STORE_FAILED",
            "The store could not be read or written: a full disk, a lost right, a damaged file. Nothing more is \
             written. See the table of files in `docs/architecture.md`.",
        ),
        ("STORE_CLOSED", "Others could enter the store's directory; its rights were narrowed to 700."),
        (
            "CLAIMS_RESTORED",
            "A pipeline's file was lost and its claims came back from their copy. Run a plan and read it before \
             anything is written.",
        ),
        (
            "FILE_NOT_REWRITTEN",
            "What was forgotten, or is older than it is to be kept, was taken out of a file of the store and still stands in \
             unused parts of it: there was no writing the file anew. Make room for a second copy of it beside it and run \
             any pass again.",
        ),
        (
            "CLAIMS_NOT_COPIED",
            "What the pass did is remembered, but the copy of a pipeline's claims could not be written. Free the place \
             named there and run a pass; until then losing the pipeline's file loses the claims made since the last copy.",
        ),
        (
            "CLAIMS_LOST",
            "A pipeline that had claims has neither its file nor a copy that could be restored. It is not taken for a new \
             one: nothing of it is read or planned. Restore `<pipeline>.redb` or `claims/<pipeline>.jsonl` from the \
             backup; without one see `reconcile --rebuild-claims --plan`. Commands that only read show the rest and end with 1.",
        ),
        (
            "EVIDENCE_INCOMPLETE",
            "Claims were to be derived from evidence, and some of it could not be read whole, or a source is doubted. \
             Nothing was derived for the pipeline; mend what is named and run it again.",
        ),
        (
            "TARGET_CHANGED",
            "Another target answers than the one that is remembered. Nothing is read or written there; if the change \
             is meant, `reconcile --adopt` links to the new one.",
        ),
        (
            "TARGET_AWAY",
            "Several requests in a row found the target away, or it asked to be left alone for longer than anybody waits: \
             nothing more is sent until a trial after a while gets an answer. The message says what the last request \
             met. What was not sent did nothing and is due again in the next pass.",
        ),
        (
            "STOPPED",
            "In the journal: somebody asked the pass to stop before the change was sent, in the middle of a batch that takes \
             several requests. It is due again in the next pass.",
        ),
        (
            "LOOK_UNANSWERED",
            "The target did not say whether a record is there, so it was not written; it is due again.",
        ),
        (
            "NOT_CONFIRMED",
            "The target accepted a write that it does not show yet; a later pass reads it back before anything else.",
        ),
        ("NO_OUTCOME", "A target's client said nothing of a change: its outcome is unknown and is read back."),
        ("READ_BACK", "In the journal: an earlier write of unknown outcome was settled by reading the record."),
        (
            "RECORD_REPLACED",
            "Another record bears the name that was remembered. Nothing was written; the next pass meets it for the \
             first time.",
        ),
        ("INTERNAL_ERROR", "A defect of this program. Keep the log and report it; the store is as it was."),
    ],
};

const DOUBTS: Chapter = Chapter {
    title: "Doubts about a reading",
    about: "A doubted reading counts for what it shows and for nothing that it does not (exit code 5).",
    codes: &[
        (
            "source-incomplete",
            "The source never said that it was at its end. Who was not shown is left alone; run it again.",
        ),
        ("source-empty", "The source has nobody at all. Nobody is closed for that."),
        (
            "source-shrunk",
            "Far fewer people or rows than in the last trusted reading. If that is right: `--allow source-shrunk`.",
        ),
        (
            "attribute-shrunk",
            "Far fewer people carry an attribute, or none of those who were asked beside a narrow scope, or a table has far \
             fewer rows: a lost right, or a table that is being loaded. What is made of it is held. If it is right: `--allow attribute-shrunk`.",
        ),
        ("listing-incomplete", "The target never said that its list was at its end. Nothing is created."),
        ("listing-short", "The target counts more records than it shows. Nothing is created."),
        ("listing-repeats", "Records came twice: pages without an order. Nothing is created."),
        (
            "remembered-lost",
            "Too many remembered records were not found again: a filter, a lost right, or a restored target. Nothing \
             is created; look at the target first.",
        ),
        (
            "attribute-vanished",
            "Several records had this attribute when they were last in order, and the target shows it of nobody any \
             more: a lost right, most likely. Nothing of the pipeline is written. Check what the account may read; if it \
             was really emptied: `--allow attribute-vanished`.",
        ),
        ("answered-unasked", "The target shows records that no question asked for: it does not search as asked."),
        ("look-up-failed", "Records that a list did not show could not be looked up directly; they are unobserved."),
        ("nothing-known", "Nothing is remembered of a target that cannot be listed; name a known record."),
        ("known-record-missing", "The record that is configured as known was not found: we may be asking wrongly."),
        ("known-record-unread", "The record that is configured as known could not be looked up."),
        (
            "everybody-unknown",
            "A narrow scope before everybody was read once, or values are missing from a source: nobody knows who else \
             bears a shared number, or whether others still show what somebody does not. Nobody is created by such a \
             number, nobody is closed and nothing taken away for what a source does not say. Mend what is doubted of the \
             sources, and run `reconcile --plan` once.",
        ),
        (
            "parts-unread",
            "Parts (enrolments) of some or all scopes could not be read. There nothing is written; the rest goes on.",
        ),
    ],
};

const REASONS: Chapter = Chapter {
    title: "Why nothing, or less, was done",
    about: "Beside `untouched`, `disabled` and `held` in reports.",
    codes: &[
        ("disabled", "The directory calls the person disabled: closed."),
        ("not-entitled", "The person is not entitled to the system: closed where there is something to close."),
        ("gone", "The person is proved to be gone from the directory; see `surplus`."),
        ("no-uh-id", "The person has no UH-ID."),
        ("no-user-name", "The person has neither the institution's nor a UH user name."),
        ("no-name", "The person has no given name, or no surname."),
        ("no-affiliation", "The person has no affiliation."),
        ("malformed-attribute", "Something of the person could not be read as it should; see the source's findings."),
        ("not-read", "A reading that proves nothing did not show the person."),
        ("protected", "The configuration protects the person: shown, never written."),
        ("untrusted-source", "The change follows from something that a doubted source did not say."),
        ("refused", "The guard refused the pipeline; see its rules."),
        ("whole-closed", "What the record is part of is closed, and this plan does not open it."),
        ("whole-missing", "What the record is part of is not there, and this plan does not make it."),
        ("whole-unclear", "Nobody can say which record it is part of: see its conflict, or its write in doubt."),
    ],
};

const CONFLICTS: Chapter = Chapter {
    title: "Conflicts",
    about: "Nothing is written for these until a person has decided; `reconcile conflicts` lists them.",
    codes: &[
        ("several-records", "Several records at the target may be the person's. Merge or rename them there."),
        ("several-people", "One record may be several people's. Correct the shared value in the source."),
        ("claimed-by-another", "The record is remembered as somebody else's. Find out whose it is."),
        ("held-by-foreign", "A record that can never be ours bears the person's name. Rename one of them."),
        (
            "evidence-contradicts",
            "Claims were rebuilt from evidence that does not agree whose the record is. Correct the record or the id in the \
             directory, then run `reconcile --rebuild-claims` again.",
        ),
        ("value-wanted-twice", "Two people are to have a value that no two records may have. Correct the source."),
        ("value-held", "Another record has the value, and nothing planned takes it away."),
        ("value-swap", "Records are to take values from each other in a circle. Change one of them by hand first."),
    ],
};

const EVIDENCE: Chapter = Chapter {
    title: "What evidence does not tell",
    about: "Listed by `--rebuild-claims`: contradictions (`record-missing`, `values-differ`, and the codes of conflicts) and \
            what cannot be derived for certain.",
    codes: &[
        (
            "record-missing",
            "The directory names a record that the target does not have, or another one carries the person's values. Correct \
             whichever is wrong, then run `--rebuild-claims` again; until then nothing is written for the person.",
        ),
        (
            "values-differ",
            "The record that the directory names carries nothing by which the person is recognised. Find out whose it is, \
             correct the record or the directory, then run `--rebuild-claims` again.",
        ),
        (
            "no-target-id",
            "A record carries one value of the person, and the directory names none: it may be a stranger's. The next pass \
             meets it for the first time.",
        ),
        (
            "elements-unknown",
            "Nobody can say which elements (enrolments) we put there. Those that are there stay until somebody takes them \
             away by hand; they are listed where they are no longer called for.",
        ),
        (
            "standing-unknown",
            "The record is closed, and nobody can say by whom. It is listed and not opened, unless the sources move it.",
        ),
        (
            "mark-unconfirmed",
            "A mark stands and the record it stands for is not known to be open. It is left, and listed.",
        ),
    ],
};

const RULES: Chapter = Chapter {
    title: "Rules of the guard",
    about: "A rule that trips holds the whole pipeline (exit code 3) until `--allow RULE`, or, of `first-load`, an \
            approved plan. Limits are in `[guard]`.",
    codes: &[
        ("first-load", "The first load has not been carried through yet: read the plan and approve it."),
        ("creates", "Records for people who never had one."),
        ("lost", "Records that vanished from the target and would be made again."),
        ("disables", "Records that would be closed."),
        ("renames", "Records with a changed name."),
        ("moves", "Records with a changed place."),
        ("updates", "Records with changed attributes."),
        ("additions", "Elements that would be put into sets."),
        ("lost-elements", "Elements that vanished from the target and would be put there again."),
        ("removals", "Elements that would be taken out of sets."),
        ("removals-people", "Records that would lose elements."),
        ("removals-within", "Elements that would be taken out of one scope, such as a course."),
        ("one-attribute", "Records in which one and the same attribute would change."),
        ("collapse", "Records in which one attribute would be emptied, or get one and the same value."),
    ],
};

const FINDINGS: Chapter = Chapter {
    title: "Findings about sources",
    about: "Counted below each source in a report; nothing is written for what they are about.",
    codes: &[
        ("invalid-key", "Entries or rows whose UH-ID is no UUID, or is written in mixed case: left out."),
        ("orphan-rows", "Rows of MetaVault that belong to no person in it: left out."),
        ("not-in-directory", "People of MetaVault whom the directory does not have: left out."),
        ("malformed-attribute", "People with a value that is not what the attribute holds: left alone."),
        ("duplicate-value", "People with two different values where there is one at most: left alone."),
        ("not-utf8", "People with bytes that are no UTF-8: left alone."),
    ],
};

const KEPT: Chapter = Chapter {
    title: "Why somebody is not forgotten",
    about: "`reconcile forget` takes nothing out then (exit code 3).",
    codes: &[
        (
            "still-in-source",
            "A source showed the person when it was last read. The next pass would keep the same again.",
        ),
        (
            "source-not-read",
            "The last reading of the source was not whole or not believed, so nobody knows whether it has the person. Run \
             `reconcile --plan` until it is trusted.",
        ),
        (
            "target-not-read",
            "No pass has read everybody at the target, or the last one that looked for the person could not say whether a \
             record is there. Run `reconcile --plan` until it can.",
        ),
        (
            "record-at-target",
            "The target has a record of the person, or one is remembered as theirs. Without that memory it would be \
             nobody's, or be made a second time. Have it deleted there, run a pass over everybody, and try again.",
        ),
        (
            "still-in-doubt",
            "It is not known what came of a write for the person. A pass reads it back; `reconcile journal --open` shows it.",
        ),
        (
            "whose-is-unclear",
            "Records at the target may be the person's; see `reconcile conflicts`. Settle that, run a pass over everybody, \
             and try again.",
        ),
        (
            "claims-lost",
            "What was remembered of the target's records is lost, so nobody knows whether one is the person's. See \
             `reconcile --rebuild-claims --plan`.",
        ),
    ],
};

/// The text of `docs/errors.md`.
pub fn document(registry: &Registry) -> String {
    let mut text =
        "# Codes\n\nEvery code that reports, logs and the journal use. This page is generated from the program.\n"
            .to_owned();
    for chapter in CHAPTERS {
        let _ = write!(text, "\n## {}\n\n{}\n", chapter.title, chapter.about);
        table(&mut text, chapter.codes);
    }
    for target in registry.iter().filter(|target| !target.codes().is_empty()) {
        let _ = write!(text, "\n## Pipeline `{}`\n", target.name());
        table(&mut text, target.codes());
    }
    text
}

fn table(text: &mut String, codes: &[Code]) {
    text.push_str("\n| code | meaning, and what to do |\n|---|---|\n");
    for (code, meaning) in codes {
        let _ = writeln!(text, "| `{code}` | {meaning} |");
    }
}

/// What a code means and what to do, without the codes of targets; empty where it is none.
pub fn meaning(code: &str) -> &'static str {
    let mut all = CHAPTERS.iter().flat_map(|chapter| chapter.codes);
    all.find(|(known, _)| *known == code).map_or("", |(_, meaning)| meaning)
}

/// Whether a code is told in the document.
pub fn is_told(registry: &Registry, code: &str) -> bool {
    let mut all = CHAPTERS.iter().flat_map(|chapter| chapter.codes).chain(registry.iter().flat_map(Definition::codes));
    all.any(|(known, _)| *known == code)
}
