//! Creating, updating and deleting users (Moodle facts, section 4). Records are read in `users_patch.rs`; reading users is
//! `users_read.rs`.

use serde_json::{Value, json};

use super::accounts::{ADMIN, GUEST};
use super::call::Call;
use super::refusal::Refusal;
use super::strict::Fields;
use super::users_patch::{Patch, is_email};
use super::world::{State, blank_user};

/// `core_user_create_users`: one transaction, all or nothing; ids given to rolled back records are burnt.
pub(super) fn create(state: &mut State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let mut patches = Vec::new();
    for record in fields.need_records("users")? {
        patches.push(Patch::for_create(record)?);
    }
    fields.finish()?;
    let mut made = Vec::with_capacity(patches.len());
    let mut mails = 0;
    for patch in &patches {
        match create_one(state, patch, call) {
            Ok(row) => {
                made.push(row);
                mails += u64::from(patch.createpassword);
            }
            Err(refusal) => {
                for (id, _) in made {
                    state.accounts.remove(id);
                }
                return Err(refusal);
            }
        }
    }
    state.mail.sent += mails;
    state.writes.records += made.len() as u64;
    Ok(made.into_iter().map(|(id, username)| json!({"id": id, "username": username})).collect())
}

fn create_one(state: &mut State, patch: &Patch, call: &Call) -> Result<(u64, String), Refusal> {
    let text = |key: &str| patch.text(key).unwrap_or_default();
    for key in ["firstname", "lastname"] {
        if text(key).trim().is_empty() {
            return Err(Refusal::parameter(format!("The field {key} cannot be blank")));
        }
    }
    if text("username").is_empty() {
        return Err(Refusal::parameter("The field username cannot be blank"));
    }
    let holder = state.accounts.named(text("username"));
    if holder.is_some_and(|user| call.sees(state.accounts.stamp(user.id))) {
        return Err(Refusal::parameter(format!("Username already exists: {}", text("username"))));
    }
    patch.check_installed(&state.plan)?;
    patch.check_password_given()?;
    if !is_email(text("email")) {
        return Err(Refusal::parameter("Email address is invalid"));
    }
    if email_taken(state, text("email"), 0, call) {
        return Err(Refusal::parameter("Email address already exists"));
    }
    patch.check_password_policy(patch.text("auth").unwrap_or("manual"))?;
    // The sequence moves before the database looks at the row.
    let id = state.accounts.next_id();
    patch.check_lengths()?;
    if state.accounts.named(text("username")).is_some() {
        return Err(Refusal::write("duplicate key value violates unique constraint mdl_user_mneuse_uix"));
    }
    let mut user = blank_user("manual", call.second());
    user.id = id;
    patch.apply(&mut user, &state.plan.profile_fields);
    let row = (id, user.username.clone());
    state.accounts.put(user, call.own);
    Ok(row)
}

/// Whether another account is seen to have the address. A query, not a constraint: parallel calls do not see each other.
fn email_taken(state: &State, email: &str, except: u64, call: &Call) -> bool {
    !state.plan.same_email
        && state
            .accounts
            .mailed(email)
            .any(|user| user.id != except && !user.deleted && call.sees(state.accounts.stamp(user.id)))
}

/// `core_user_update_users`: the types of everything first, then a transaction per user whose failure is a warning.
pub(super) fn update(state: &mut State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let mut patches = Vec::new();
    for mut record in fields.need_records("users")? {
        let id = record.need_id("id")?;
        patches.push((id, Patch::for_update(record, &state.plan)?));
    }
    fields.finish()?;
    let mut warnings = Vec::new();
    for (id, patch) in &patches {
        match update_one(state, *id, patch, call) {
            Ok(()) => state.writes.records += 1,
            Err(refusal) => warnings.push(json!({
                "item": "user",
                "itemid": id,
                "warningcode": refusal.code(),
                "message": refusal.message,
            })),
        }
    }
    Ok(json!({"warnings": warnings}))
}

fn update_one(state: &mut State, id: u64, patch: &Patch, call: &Call) -> Result<(), Refusal> {
    let Some(mut user) = state.accounts.get(id).cloned() else { return Err(Refusal::moodle("invaliduserid")) };
    if id == ADMIN && call.caller != ADMIN {
        return Err(Refusal::moodle("usernotupdatedadmin"));
    }
    if user.deleted {
        return Err(Refusal::moodle("usernotupdateddeleted"));
    }
    if user.remote {
        return Err(Refusal::moodle("usernotupdatedremote"));
    }
    if id == GUEST {
        return Err(Refusal::moodle("usernotupdatedguest"));
    }
    if let Some(email) = patch.text("email").filter(|email| *email != user.email) {
        if !is_email(email) {
            return Err(Refusal::moodle("useremailinvalid"));
        }
        if email_taken(state, email, id, call) {
            return Err(Refusal::moodle("useremailduplicate"));
        }
    }
    patch.check_password_policy(patch.text("auth").unwrap_or(&user.auth))?;
    patch.check_lengths()?;
    if let Some(username) = patch.text("username")
        && (username.is_empty() || state.accounts.named(username).is_some_and(|holder| holder.id != id))
    {
        return Err(Refusal::write("duplicate key value violates unique constraint mdl_user_mneuse_uix"));
    }
    patch.apply(&mut user, &state.plan.profile_fields);
    user.modified = call.second();
    state.accounts.put(user, call.own);
    Ok(())
}

/// `core_user_delete_users`: one transaction.
pub(super) fn delete(state: &mut State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let ids = fields.need_ids("userids")?;
    fields.finish()?;
    let mut seen = std::collections::BTreeSet::new();
    for id in &ids {
        match state.accounts.get(*id) {
            Some(user) if !user.deleted && seen.insert(*id) => {}
            _ => return Err(Refusal::moodle("invaliduser")),
        }
        if *id == ADMIN {
            return Err(Refusal::moodle("useradminodelete"));
        }
        if *id == call.caller || *id == GUEST {
            return Err(Refusal::moodle("usernotdeletederror"));
        }
    }
    for id in ids {
        state.disguise_user(id, call.second());
        state.writes.records += 1;
    }
    Ok(Value::Null)
}
