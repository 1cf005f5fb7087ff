//! Manual enrolments (Moodle facts, sections 7 and 9). Roles alone are `roles.rs`; reading is `enrolled.rs`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::call::Call;
use super::membership::{Enrolment, MANUAL};
use super::refusal::Refusal;
use super::strict::Fields;
use super::world::State;

/// One enrolment as sent.
struct Sent {
    role: u64,
    user: u64,
    course: u64,
    enrolment: Enrolment,
}

/// `enrol_manual_enrol_users`: one transaction, then the mail.
pub(super) fn enrol(state: &mut State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let mut sent = Vec::new();
    for mut record in fields.need_records("enrolments")? {
        sent.push(Sent {
            role: record.need_id("roleid")?,
            user: record.need_id("userid")?,
            course: record.need_id("courseid")?,
            enrolment: Enrolment {
                timestart: record.int("timestart")?.unwrap_or(0),
                timeend: record.int("timeend")?.unwrap_or(0),
                suspended: record.int("suspend")?.unwrap_or(0) != 0,
            },
        });
        record.finish()?;
    }
    fields.finish()?;
    for one in &sent {
        let course = state.courses.get(one.course).ok_or_else(|| Refusal::parameter("Context does not exist"))?;
        let assignable = state.plan.roles.iter().any(|role| role.id == one.role && role.assignable);
        if !assignable {
            return Err(Refusal::moodle("wsusercannotassign"));
        }
        check_user(state, one.user)?;
        state.check_place(one.course, one.user)?;
        if !course.manual.is_some_and(|instance| instance.enabled) {
            return Err(Refusal::moodle("wsnoinstance"));
        }
    }
    let mut known = BTreeSet::new();
    let users = sent.iter().map(|one| one.user).filter(|user| known.insert(*user)).collect();
    state.batches.take(users, call)?;
    for one in &sent {
        state.members.edit(one.course, one.user, |member| {
            member.methods.insert(MANUAL.to_owned(), one.enrolment);
            member.roles.insert(one.role);
        });
    }
    state.writes.records += sent.len() as u64;
    send_welcome(state, &sent)?;
    Ok(Value::Null)
}

/// Mails everybody listed, new or not, in courses with the message on and a course contact. Everything is stored by now.
fn send_welcome(state: &mut State, sent: &[Sent]) -> Result<(), Refusal> {
    let contacts: BTreeSet<u64> = state.plan.roles.iter().filter(|role| role.contact).map(|role| role.id).collect();
    for one in sent {
        let on = state.courses.get(one.course).and_then(|course| course.manual).is_some_and(|manual| manual.welcome);
        let mut members = state.members.of_course(one.course);
        if !on || !members.any(|(_, member)| !member.roles.is_disjoint(&contacts)) {
            continue;
        }
        if state.mail.broken {
            return Err(Refusal::moodle("Message was not sent."));
        }
        state.mail.sent += 1;
    }
    Ok(())
}

fn check_user(state: &State, id: u64) -> Result<(), Refusal> {
    match state.accounts.get(id) {
        None => Err(Refusal::moodle("invaliduser")),
        Some(user) if user.deleted => Err(Refusal::moodle("userdeleted")),
        Some(_) => Ok(()),
    }
}

/// `enrol_manual_unenrol_users`: one transaction. `roleid` is refused as an unknown key, as newer versions do.
pub(super) fn unenrol(state: &mut State, mut fields: Fields<'_>) -> Result<Value, Refusal> {
    let mut sent = Vec::new();
    for mut record in fields.need_records("enrolments")? {
        sent.push((record.need_id("userid")?, record.need_id("courseid")?));
        record.finish()?;
    }
    fields.finish()?;
    for (user, course) in &sent {
        let course = state.courses.get(*course).ok_or_else(|| Refusal::record("context"))?;
        check_user(state, *user)?;
        state.check_place(course.id, *user)?;
        if course.manual.is_none() {
            return Err(Refusal::moodle("wsnoinstance"));
        }
    }
    for (user, course) in sent {
        let mut gone = false;
        state.members.edit(course, user, |member| {
            gone = member.methods.remove(MANUAL).is_some();
            // Other methods keep the person, and the roles, in the course.
            if gone && member.methods.is_empty() {
                member.roles.clear();
            }
        });
        state.writes.records += u64::from(gone);
    }
    Ok(Value::Null)
}
