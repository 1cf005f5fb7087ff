//! Changes as the fields that are sent. Pure; what cannot be sent is refused here, before it spoils a batch.

use reconcile_state::{AttributeId, Edit, Standing};

use super::super::answer::{CREATE_FAILED, DISABLE_FAILED, UPDATE_FAILED};
use super::super::schema as id;
use super::super::wire::UserFields;
use crate::model::{Change, ErrorKind, TargetError};

/// What every account must have.
const REQUIRED: [AttributeId; 4] = [id::USERNAME, id::EMAIL, id::FIRSTNAME, id::LASTNAME];

/// The code of the step that a change is, when it fails.
pub fn step(change: &Change) -> &'static str {
    if change.disables() { DISABLE_FAILED } else { UPDATE_FAILED }
}

/// The fields of a new account.
///
/// # Errors
/// The desired record lacks what every account must have.
pub fn creation(change: &Change) -> Result<UserFields, TargetError> {
    let refused = |message: String| TargetError::new(ErrorKind::Rejected, CREATE_FAILED, message);
    let record = &change.desired;
    if record.standing != Standing::Active {
        return Err(refused("an account is not made in order to be closed".into()));
    }
    let needed = REQUIRED.iter().chain([&id::AUTH]);
    if let Some(missing) = needed.copied().find(|id| record.text(*id).is_none()) {
        return Err(refused(format!("a new account needs `{}`", field(missing).unwrap_or_default())));
    }
    let fields = record.attributes().iter().filter_map(|(id, value)| Some((field(*id)?, value.as_text()?.to_owned())));
    Ok(UserFields(fields.collect()))
}

/// The fields of a changed account: its id, and what differs.
///
/// # Errors
/// An edit that Moodle knows no field for, or that would empty what every account must have.
pub fn update(change: &Change, remote: u64) -> Result<UserFields, TargetError> {
    let mut fields = vec![("id", remote.to_string())];
    for edit in &change.edits {
        fields.push(changed(edit).map_err(|message| TargetError::new(ErrorKind::Rejected, step(change), message))?);
    }
    Ok(UserFields(fields))
}

fn changed(edit: &Edit) -> Result<(&'static str, String), String> {
    let own = |attribute: AttributeId| match field(attribute) {
        Some(name) if attribute != id::AUTH => Ok(name),
        _ => Err(format!("attribute {} is not one that can be changed", attribute.0)),
    };
    match edit {
        Edit::Standing { to } => Ok(("suspended", if *to == Standing::Disabled { "1" } else { "0" }.to_owned())),
        Edit::Set { attribute, to, .. } => {
            let text = to.as_text().ok_or_else(|| format!("attribute {} is not a text", attribute.0))?;
            Ok((own(*attribute)?, text.to_owned()))
        }
        Edit::Clear { attribute, .. } if REQUIRED.contains(attribute) => {
            Err(format!("`{}` cannot be emptied", field(*attribute).unwrap_or_default()))
        }
        Edit::Clear { attribute, .. } => Ok((own(*attribute)?, String::new())),
        Edit::Add { attribute, .. } | Edit::Remove { attribute, .. } => {
            Err(format!("attribute {} is no set", attribute.0))
        }
    }
}

/// Moodle's name of an attribute.
fn field(attribute: AttributeId) -> Option<&'static str> {
    Some(match attribute {
        id::USERNAME => "username",
        id::EMAIL => "email",
        id::FIRSTNAME => "firstname",
        id::LASTNAME => "lastname",
        id::IDNUMBER => "idnumber",
        id::DEPARTMENT => "department",
        id::INSTITUTION => "institution",
        id::CITY => "city",
        id::AUTH => "auth",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use reconcile_state::{Record, Value};

    use super::*;
    use crate::targets::moodle::testing::{self, account};

    #[test]
    fn a_new_account_is_sent_whole_and_without_a_password() {
        let ready = testing::create(account("kari"));
        let fields = creation(&ready.change).unwrap().0;
        let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["username", "email", "firstname", "lastname", "auth"]);
    }

    #[test]
    fn a_new_account_without_what_it_needs_is_refused_by_name() {
        for (attribute, name) in [(id::EMAIL, "email"), (id::LASTNAME, "lastname"), (id::AUTH, "auth")] {
            let error = creation(&testing::create(account("kari").with(attribute, "")).change).unwrap_err();
            assert!(error.message.contains(name) && error.code == CREATE_FAILED);
        }
        let closed: Record = account("kari").standing(Standing::Disabled);
        assert!(creation(&testing::create(closed).change).is_err());
    }

    #[test]
    fn only_what_differs_is_sent() {
        let from = Value::from("x");
        let edits = vec![
            Edit::Standing { to: Standing::Disabled },
            Edit::Set { attribute: id::EMAIL, from: None, to: "new@x.no".into() },
            Edit::Clear { attribute: id::DEPARTMENT, from: from.clone() },
        ];
        let ready = testing::update("k", "7", edits);
        let sent = update(&ready.change, 7).unwrap().0;
        let want = [("id", "7"), ("suspended", "1"), ("email", "new@x.no"), ("department", "")];
        assert_eq!(sent, want.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(step(&ready.change), DISABLE_FAILED);
    }

    #[test]
    fn what_cannot_be_changed_is_refused() {
        let edits = [
            Edit::Clear { attribute: id::USERNAME, from: "x".into() },
            Edit::Set { attribute: id::AUTH, from: None, to: "manual".into() },
            Edit::Set { attribute: id::EMAIL, from: None, to: Value::Flag(true) },
            Edit::Add { attribute: id::CITY, element: "x".into() },
            Edit::Set { attribute: AttributeId(99), from: None, to: "x".into() },
        ];
        for edit in edits {
            let error = update(&testing::update("k", "7", vec![edit]).change, 7).unwrap_err();
            assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Rejected, UPDATE_FAILED));
        }
    }
}
