//! Assigning and unassigning course roles (Moodle facts, section 7). Enrolment is not looked at.

use serde_json::Value;

use super::refusal::Refusal;
use super::strict::{Fields, Text};
use super::world::State;

/// `core_role_assign_roles`: one transaction, idempotent, no mail.
pub(super) fn assign(state: &mut State, mut fields: Fields<'_>) -> Result<Value, Refusal> {
    let sent = read(state, fields.need_records("assignments")?)?;
    fields.finish()?;
    for (role, user, _) in &sent {
        if !state.plan.roles.iter().any(|known| known.id == *role && known.assignable) {
            return Err(Refusal::parameter("Can not assign roleid"));
        }
        if state.accounts.get(*user).is_none_or(|user| user.deleted) {
            return Err(Refusal::coding("User ID does not exist or is deleted!"));
        }
    }
    for (role, user, course) in sent {
        let mut new = false;
        state.members.edit(course, user, |member| new = member.roles.insert(role));
        state.writes.records += u64::from(new);
    }
    Ok(Value::Null)
}

/// `core_role_unassign_roles`: one transaction, idempotent.
pub(super) fn unassign(state: &mut State, mut fields: Fields<'_>) -> Result<Value, Refusal> {
    let sent = read(state, fields.need_records("unassignments")?)?;
    fields.finish()?;
    if sent.iter().any(|(role, _, _)| !state.plan.roles.iter().any(|known| known.id == *role && known.assignable)) {
        return Err(Refusal::parameter("Can not unassign roleid"));
    }
    if sent.iter().any(|(_, user, _)| state.accounts.get(*user).is_none()) {
        return Err(Refusal::coding("Invalid user"));
    }
    for (role, user, course) in sent {
        let mut gone = false;
        state.members.edit(course, user, |member| gone = member.roles.remove(&role));
        state.writes.records += u64::from(gone);
    }
    Ok(Value::Null)
}

/// Reads (role, user, course). Only the course level is played.
fn read(state: &State, records: Vec<Fields<'_>>) -> Result<Vec<(u64, u64, u64)>, Refusal> {
    let mut sent = Vec::with_capacity(records.len());
    for mut record in records {
        let (role, user) = (record.need_id("roleid")?, record.need_id("userid")?);
        let level = record.need_text("contextlevel", Text::Alpha)?;
        let course = record.need_id("instanceid")?;
        record.finish()?;
        if level != "course" || state.courses.get(course).is_none() {
            return Err(Refusal::parameter("The context does not exist"));
        }
        state.check_place(course, user)?;
        sent.push((role, user, course));
    }
    Ok(sent)
}
