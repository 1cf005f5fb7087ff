//! What the help of each command ends with.

/// `reconcile --help`.
pub(super) const PASS: &str = "\
Examples:
  reconcile init                                   write a commented configuration, fill it in
  reconcile check                                  is everything there that a pass needs?
  reconcile --plan                                 what would be done, and why; nothing is written
  reconcile                                        the same, and do it after a typed `yes`
  reconcile --yes --changed --report-dir /var/log/reconcile    from a timer
  reconcile --plan --key username=kari             one person
  reconcile --yes --pending                        once more whoever was left over
  reconcile journal --since 2h                     what was written, and what came of it
  reconcile explain kari                           why one person's records are as they are
  reconcile conflicts                              what only a person can decide
  reconcile forget UH-ID --plan                    what is kept of somebody who has left
  reconcile --rebuild-claims --plan                what evidence says of lost claims
  reconcile --plan --out plan.json                 save a plan, read it, and then, within 24 hours:
  reconcile --approve plan.json --why \"term start\"

Without a terminal nothing is written unless --yes or --approve is given.

Exit codes:
    0  in sync, or applied              6  another process holds the store
    1  error                           64  usage
    2  the plan holds changes          78  configuration
    3  the guard refused              130  interrupted
    4  changes failed, were deferred or are in doubt
    5  a snapshot is not trusted, or more than half of a pipeline is in conflict or unobserved
  With several pipelines the first of 1, 3, 5, 4, 2 that any earned.
  Few conflicts and differences that are only listed are 0; the last line says what stands open.

Signs in a plan:
  + create, ^ enable, ~ update, - disable, ! conflict, ? not known, = differs and is only listed

Rules of the guard, for --allow:
  first-load, creates, lost, disables, renames, moves, updates, additions, lost-elements, removals,
  removals-people, removals-within, one-attribute, collapse
  and doubts about what was read: source-shrunk, attribute-shrunk, attribute-vanished

User names, for --key:
  username     the institution's own user name
  uh-username  the UH user name; a plan shows the selected one of the two under `username`
  idautoID     the UH-ID, which every line of a plan shows; uhid is the same";

/// `reconcile check --help`.
pub(super) const CHECK: &str = "\
Examples:
  reconcile check                       everything: configuration, store, sources, targets
  reconcile check --pipeline NAME       one target, with the sources and the store
  reconcile check --format json         for a monitor

Each line says whether what was looked at is ok, is worth a warning or is a problem, and what to do about it.
All systems are asked at the same time. Nothing is written: no target, no source, and no store is made.

Exit codes: 0 nothing is wrong (there may be warnings), 1 problems, 64 usage, 78 the configuration is wrong.";

/// `reconcile journal --help`.
pub(super) const JOURNAL: &str = "\
Examples:
  reconcile journal                                the last 50 writes, newest last
  reconcile journal --since 2h                     of the last two hours; also 3d, 2026-08-03, 2026-08-03T02:00
  reconcile journal --key username=kari --limit all    all that was ever written for one person
  reconcile journal --open                         writes of which it is not known what came of them
  reconcile journal --run 20260803T020000-5f1c09aa     one run, as a report names it
  reconcile journal --since 2026-08-01 --limit all --format json > august.jsonl    for the audit

A write is one line of text, and two objects of JSON: its intent, and later its outcome. Times are UTC.
Outcomes: done, failed, in part, superseded (the record had moved, nothing was sent), in doubt, read back.
The journal names records by key and attributes by name; it holds no value, no person's name and no address.
It is read from the store alone: no network, no secrets; while a pass runs the command ends with 6.";

/// `reconcile explain --help`.
pub(super) const EXPLAIN: &str = "\
Examples:
  reconcile explain kari                           whoever has this user name, or this UH-ID
  reconcile explain uh-username=kno123             by one field, as for --key
  reconcile explain kari --pipeline NAME --live    read now, planned as by `--plan --key`
  reconcile explain kari --format json | jq '.pipelines[].kinds[] | {kind, drift, next}'

For each pipeline and kind of record it shows what is called for, and by which rule; what was last
applied; what the target showed when it was last read, and how long ago; and what the next pass
would do, or why nothing. Without --live nothing is read but the store; with it, nothing is written
but the store's cache. With -v also all that the sources said and the target shows.

Exit codes:
    0  explained                        6  a pass holds the store
    1  nobody is known by that; with --live, something could not be read; or an error
   64  usage; or several people are meant: they are listed, say which by UH-ID
   78  configuration";

/// `reconcile forget --help`.
pub(super) const FORGET: &str = "\
Examples:
  reconcile forget 0b7c4e1a-5d2f-4a60-9c3b-1f2e3d4c5b6a --plan     what is kept, and why it may be needed
  reconcile forget 0b7c4e1a-5d2f-4a60-9c3b-1f2e3d4c5b6a --yes --why \"case 4711\"

Whoever has left is known by the UH-ID alone. Forgotten is who is in no source any more, by readings that were
whole and believed, and has no record at any target: as long as there is one, it must be known whose it is.
Records, last applied, claims, their copies and the entries of the journal go; the store's files are written anew,
so that nothing is left in unused parts of them. The journal keeps that somebody was forgotten, when, by whom and why.
Nothing is read but the store. Saved plans, reports, logs and backups are not looked at.

Exit codes:
    0  forgotten, or nothing is kept        6  a pass holds the store
    1  nobody is known by that; an error   64  usage
    2  something is kept (--plan, or `no`) 78  configuration
    3  refused: it says why, and what to do";

/// `reconcile conflicts --help`.
pub(super) const CONFLICTS: &str = "\
Examples:
  reconcile conflicts                              all that the last passes found
  reconcile conflicts --pipeline NAME              of one pipeline
  reconcile conflicts --format json | jq -r '.conflicts[].key' | reconcile --plan --keys-from -
                                                   look again, once they are resolved

Nothing is read but the store: a conflict that was resolved since is listed until a pass looks again.

Exit codes:
    0  listed, also where there is none     6  a pass holds the store
    1  error                               64  usage
                                           78  configuration";
