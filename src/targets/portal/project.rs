//! What should be: marks and ids as the other pipelines' outlooks say. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reconcile_state::{AttributeId, Record, Schema, SchemaError, Value};

use super::schema::{self, BIRTHRIGHT, MARKS, Marked, REQUESTED};
use super::value;
use crate::model::person::directory;
use crate::model::{Call, Desired, Match, Outlook, Person, Prospect, Reason};
use crate::policy::entitles;
use crate::targets::port::{Because, Lookup, Project, Subject};

/// How a person's entry is recognised: its UH-ID.
pub const BY_ID: &str = "idautoID";
/// No pipeline can say how the person stands.
pub const NO_OPINION: Reason = Reason("no-opinion");

/// Which entitlements each set of marks repeats.
const SETS: [(AttributeId, &str, AttributeId); 2] =
    [(BIRTHRIGHT, "birthright", directory::BIRTHRIGHT), (REQUESTED, "requested", directory::REQUESTED)];

/// The projection.
pub struct Marks {
    kinds: Vec<Schema>,
    marked: Vec<Marked>,
}

impl Marks {
    /// The projection of these pipelines' marks.
    ///
    /// # Errors
    /// Where two pipelines have one number.
    pub fn new(marked: &[Marked]) -> Result<Self, SchemaError> {
        Ok(Self { kinds: vec![schema::schema(marked)?], marked: marked.to_vec() })
    }

    /// The outlooks that say something, of pipelines that are marked here.
    fn clear<'o>(&self, outlooks: &'o [Outlook]) -> impl Iterator<Item = &'o Outlook> {
        let known = |outlook: &&Outlook| self.marked.iter().any(|(pipeline, _)| *pipeline == outlook.pipeline);
        outlooks.iter().filter(known).filter(|outlook| outlook.prospect != Prospect::Unclear)
    }

    fn record(&self, person: &Person, outlooks: &[Outlook]) -> Record {
        let mut record = Record::new(person.key().clone());
        for (id, _, entitlements) in SETS {
            let open = || self.clear(outlooks).filter(|outlook| outlook.prospect == Prospect::In);
            let texts = person.directory.elements(entitlements);
            let borne = texts.filter(|text| open().any(|outlook| entitles(text, outlook.mark.entitlement)));
            record.set(id, Value::Set(borne.map(|text| text.trim().to_owned()).collect()));
        }
        for outlook in self.clear(outlooks).filter(|outlook| outlook.prospect != Prospect::Absent) {
            record.set(AttributeId(outlook.mark.number), Value::Reference(person.key().clone()));
        }
        record
    }
}

impl Project for Marks {
    fn kinds(&self) -> &[Schema] {
        &self.kinds
    }

    fn desired(&self, subject: Subject<'_>, look: &dyn Lookup, _at: Timestamp) -> Vec<Desired> {
        let Subject::Person(person) = subject;
        let key = person.key();
        let outlooks = look.outlooks(key);
        let scopes: BTreeSet<String> =
            self.clear(outlooks).map(|outlook| outlook.mark.entitlement.to_owned()).collect();
        let call =
            if scopes.is_empty() { Call::Untouched(NO_OPINION) } else { Call::Active(self.record(person, outlooks)) };
        let silent = |mark: &&Marked| self.clear(outlooks).all(|outlook| outlook.pipeline != mark.0);
        vec![Desired {
            kind: MARKS,
            key: key.clone(),
            call,
            matches: vec![Match { field: BY_ID, value: key.as_str().to_owned(), only_unique: false }],
            scopes: Some(scopes),
            unasked: self.marked.iter().filter(silent).map(|(_, mark)| AttributeId(mark.number)).collect(),
            left_out: BTreeMap::new(),
            valid_until: None,
        }]
    }

    fn scope_of<'e>(&self, kind: &str, attribute: AttributeId, element: &'e str) -> Option<&'e str> {
        let is_mark = kind == MARKS && SETS.iter().any(|(id, ..)| *id == attribute);
        value::marked(&self.marked, element).filter(|_| is_mark).map(|(_, mark)| mark.entitlement)
    }

    fn tables(&self, _kind: &str) -> Option<&[&'static str]> {
        Some(&[])
    }

    fn rules(&self, subject: Subject<'_>, look: &dyn Lookup, _at: Timestamp) -> Vec<Because> {
        let Subject::Person(person) = subject;
        look.outlooks(person.key()).iter().flat_map(|outlook| because(person, outlook)).collect()
    }
}

fn because(person: &Person, outlook: &Outlook) -> Vec<Because> {
    let Outlook { pipeline, mark, prospect, .. } = outlook;
    let (wanted, why) = match prospect {
        Prospect::In => (true, "is open and complete, or will be before this is written"),
        Prospect::Closed => (false, "is closed, or will be before this is written"),
        Prospect::Absent => (false, "is not there, and rightly so"),
        Prospect::Unclear => (false, "is not confirmed either way: left as it is"),
    };
    let rule = format!("the {} of {pipeline} {why}", mark.kind);
    let mut all = Vec::new();
    for (_, attribute, entitlements) in SETS {
        let texts = person.directory.elements(entitlements).filter(|text| entitles(text, mark.entitlement));
        all.extend(texts.map(|text| Because {
            kind: MARKS,
            attribute,
            element: Some(text.trim().to_owned()),
            wanted,
            rule: rule.clone(),
        }));
    }
    let stays = matches!(prospect, Prospect::In | Prospect::Closed);
    all.push(Because { kind: MARKS, attribute: pipeline, element: None, wanted: stays, rule });
    all
}

#[cfg(test)]
mod tests {
    use reconcile_state::{Claim, Key};

    use super::*;
    use crate::model::Semester;
    use crate::policy::testing::{person, set};
    use crate::targets::portal::testing::MARKED;

    struct Told(Vec<Outlook>);

    impl Lookup for Told {
        fn claim(&self, _: &str, _: &str, _: &Key) -> Option<&Claim> {
            None
        }

        fn adopt(&self) -> bool {
            false
        }

        fn semesters(&self) -> &[Semester] {
            &[]
        }

        fn outlooks(&self, _: &Key) -> &[Outlook] {
            &self.0
        }
    }

    fn told(prospects: [Option<Prospect>; 3]) -> Told {
        let outlook = |((pipeline, mark), prospect): (&Marked, Option<Prospect>)| {
            Some(Outlook { pipeline, mark: *mark, prospect: prospect?, after: BTreeSet::new() })
        };
        Told(MARKED.iter().zip(prospects).filter_map(outlook).collect())
    }

    fn someone() -> Person {
        let mut person = person();
        person.directory.set(directory::BIRTHRIGHT, set(&["Moodle", "fs fagperson", "lenel"]));
        person.directory.set(directory::REQUESTED, set(&["moodle:editor", "wiseflow:author", "moodleish"]));
        person
    }

    fn desired(person: &Person, prospects: [Option<Prospect>; 3]) -> Desired {
        let marks = Marks::new(&MARKED).unwrap();
        let mut all = marks.desired(Subject::Person(person), &told(prospects), Timestamp::UNIX_EPOCH);
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    const IN: Option<Prospect> = Some(Prospect::In);
    const CLOSED: Option<Prospect> = Some(Prospect::Closed);
    const ABSENT: Option<Prospect> = Some(Prospect::Absent);
    const UNCLEAR: Option<Prospect> = Some(Prospect::Unclear);

    #[test]
    fn marks_repeat_the_entitlements_own_text_where_it_stood() {
        let someone = someone();
        let Desired { call: Call::Active(record), scopes, unasked, matches, .. } = desired(&someone, [IN, IN, IN])
        else {
            panic!("active")
        };
        assert_eq!(record.elements(BIRTHRIGHT).collect::<Vec<_>>(), ["Moodle", "fs fagperson"]);
        assert_eq!(record.elements(REQUESTED).collect::<Vec<_>>(), ["moodle:editor", "wiseflow:author"]);
        for (_, mark) in MARKED {
            assert_eq!(record.get(AttributeId(mark.number)), Some(&Value::Reference(someone.key().clone())));
        }
        assert_eq!(scopes.unwrap().len(), 3);
        assert!(unasked.is_empty());
        assert_eq!((matches[0].field, matches[0].value.as_str()), (BY_ID, someone.key().as_str()));
        schema::schema(&MARKED).unwrap().check(&record).unwrap();
    }

    #[test]
    fn what_is_closed_keeps_its_id_and_what_is_absent_keeps_nothing() {
        let Desired { call: Call::Active(record), scopes, .. } = desired(&someone(), [CLOSED, ABSENT, IN]) else {
            panic!("active")
        };
        assert_eq!(record.elements(BIRTHRIGHT).count(), 0);
        assert_eq!(record.elements(REQUESTED).collect::<Vec<_>>(), ["wiseflow:author"]);
        let ids = MARKED.map(|(_, mark)| record.get(AttributeId(mark.number)).is_some());
        assert_eq!(ids, [true, false, true]);
        assert_eq!(scopes.unwrap().len(), 3, "all are in question");
    }

    #[test]
    fn what_nobody_can_say_is_in_question_on_neither_side() {
        let Desired { call: Call::Active(record), scopes, unasked, .. } = desired(&someone(), [IN, UNCLEAR, None])
        else {
            panic!("active")
        };
        assert_eq!(record.elements(BIRTHRIGHT).collect::<Vec<_>>(), ["Moodle"]);
        assert_eq!(scopes.unwrap().into_iter().collect::<Vec<_>>(), ["moodle"]);
        assert_eq!(unasked.into_iter().collect::<Vec<_>>(), [AttributeId(14), AttributeId(15)]);
        for prospects in [[UNCLEAR, UNCLEAR, UNCLEAR], [None, None, None]] {
            assert_eq!(desired(&someone(), prospects).call, Call::Untouched(NO_OPINION));
        }
    }

    #[test]
    fn a_disabled_person_is_judged_by_the_outlook_alone() {
        let mut someone = someone();
        someone.directory.set(directory::DISABLED, Value::Flag(true));
        let Desired { call: Call::Active(record), .. } = desired(&someone, [CLOSED, None, None]) else {
            panic!("active")
        };
        assert_eq!(record.elements(BIRTHRIGHT).count(), 0);
        assert!(record.get(AttributeId(12)).is_some());
    }

    #[test]
    fn elements_belong_to_the_system_they_name_and_others_to_nobody() {
        let marks = Marks::new(&MARKED).unwrap();
        for (element, scope) in [
            ("MOODLE", Some("moodle")),
            ("FS Fagperson", Some("fs fagperson")),
            ("wiseflow:author", Some("wiseflow")),
            ("fs", None),
            ("lenel", None),
        ] {
            assert_eq!(marks.scope_of(MARKS, BIRTHRIGHT, element), scope, "{element}");
            assert_eq!(marks.scope_of(MARKS, REQUESTED, element), scope, "{element}");
            assert_eq!(marks.scope_of(MARKS, AttributeId(12), element), None);
        }
        assert_eq!(marks.tables(MARKS), Some(&[][..]));
    }

    #[test]
    fn every_mark_and_id_has_its_rule() {
        let marks = Marks::new(&MARKED).unwrap();
        let someone = someone();
        let rules = marks.rules(Subject::Person(&someone), &told([IN, CLOSED, UNCLEAR]), Timestamp::UNIX_EPOCH);
        let shown: Vec<_> = rules.iter().map(|r| (r.attribute, r.element.as_deref(), r.wanted)).collect();
        assert_eq!(
            shown,
            [
                ("birthright", Some("Moodle"), true),
                ("requested", Some("moodle:editor"), true),
                ("moodle", None, true),
                ("birthright", Some("fs fagperson"), false),
                ("fs", None, true),
                ("requested", Some("wiseflow:author"), false),
                ("wiseflow", None, false),
            ]
        );
        assert!(rules[0].rule.contains("account of moodle") && rules[6].rule.contains("left as it is"));
    }
}
