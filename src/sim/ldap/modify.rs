//! Writes by protocol, with slapd's result codes: 16, 17, 19, 20, 21, 32, 65, 66, 67, 68. A write with one
//! bad part changes nothing.

use ldap3_proto::LdapResultCode as Code;
use ldap3_proto::proto::{LdapAddRequest, LdapModify, LdapModifyRequest, LdapModifyType};

use super::dn::{fold_dn, parent, rdn};
use super::entry::Entry;
use super::schema::{AttributeType, Schema};
use super::tree::Tree;

/// Why a request was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    pub code: Code,
    /// The nearest existing name above, for rc 32.
    pub matched: String,
    pub message: String,
}

impl Refused {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, matched: String::new(), message: message.into() }
    }

    pub fn no_such_object(tree: &Tree, folded: &str) -> Self {
        Self { code: Code::NoSuchObject, matched: tree.nearest(folded), message: String::new() }
    }
}

/// Changes an entry.
pub fn modify(tree: &mut Tree, request: &LdapModifyRequest) -> Result<(), Refused> {
    let folded = fold_dn(&request.dn);
    let Some(stored) = tree.at(&folded) else { return Err(Refused::no_such_object(tree, &folded)) };
    let mut entry = stored.entry.clone();
    for change in &request.changes {
        apply(&mut entry, change, &tree.schema)?;
    }
    check(&entry)?;
    tree.put(entry);
    Ok(())
}

/// Adds an entry below an existing one.
pub fn add(tree: &mut Tree, request: LdapAddRequest) -> Result<(), Refused> {
    let folded = fold_dn(&request.dn);
    if tree.at(&folded).is_some() {
        return Err(Refused::new(Code::EntryAlreadyExists, ""));
    }
    if parent(&folded).is_none_or(|above| tree.at(above).is_none()) {
        return Err(Refused::no_such_object(tree, &folded));
    }
    let mut entry = Entry::new(request.dn);
    for attribute in request.attributes {
        let kind = writable(&tree.schema, &attribute.atype)?;
        if attribute.vals.is_empty() {
            return Err(Refused::new(Code::ProtocolError, "no values for attribute type"));
        }
        if !entry.values(&kind.name).is_empty() {
            return Err(Refused::new(Code::AttributeOrValueExists, format!("{}: given twice", kind.name)));
        }
        extend(&mut entry, kind, attribute.vals)?;
    }
    check(&entry)?;
    tree.put(entry);
    Ok(())
}

/// Deletes an entry without children.
pub fn delete(tree: &mut Tree, dn: &str) -> Result<(), Refused> {
    let folded = fold_dn(dn);
    if tree.at(&folded).is_none() {
        return Err(Refused::no_such_object(tree, &folded));
    }
    if tree.has_children(&folded) {
        return Err(Refused::new(Code::NotAllowedOnNonLeaf, "subordinate objects must be deleted first"));
    }
    tree.take(&folded);
    Ok(())
}

fn apply(entry: &mut Entry, change: &LdapModify, schema: &Schema) -> Result<(), Refused> {
    let kind = writable(schema, &change.modification.atype)?;
    let (name, values) = (kind.name.as_str(), &change.modification.vals);
    let absent = || Refused::new(Code::NoSuchAttribute, format!("modify/delete: {name}: no such value"));
    match change.operation {
        LdapModifyType::Add if values.is_empty() => {
            Err(Refused::new(Code::ProtocolError, format!("modify/add: {name}: no values given")))
        }
        LdapModifyType::Add => extend(entry, kind, values.clone()),
        LdapModifyType::Delete if values.is_empty() => {
            let had = !entry.values(name).is_empty();
            entry.set(name, Vec::<Vec<u8>>::new());
            if had { Ok(()) } else { Err(absent()) }
        }
        LdapModifyType::Delete => {
            values.iter().try_for_each(|value| if entry.remove(name, value) { Ok(()) } else { Err(absent()) })
        }
        LdapModifyType::Replace => {
            entry.set(name, Vec::<Vec<u8>>::new());
            extend(entry, kind, values.clone())
        }
        LdapModifyType::Increment => Err(Refused::new(Code::UnwillingToPerform, "modify/increment: not supported")),
    }
}

fn extend(entry: &mut Entry, kind: &AttributeType, values: Vec<Vec<u8>>) -> Result<(), Refused> {
    let name = kind.name.as_str();
    for value in values {
        if entry.holds(name, &value) {
            return Err(Refused::new(Code::AttributeOrValueExists, format!("{name}: value exists")));
        }
        let text = std::str::from_utf8(&value).is_ok_and(|text| !text.is_empty());
        if name != "userPassword" && !text || kind.boolean && value != b"TRUE" && value != b"FALSE" {
            return Err(Refused::new(Code::InvalidAttributeSyntax, format!("{name}: value invalid per syntax")));
        }
        entry.add(name, value);
    }
    if kind.single && entry.values(name).len() > 1 {
        return Err(Refused::new(Code::ConstraintViolation, format!("{name}: cannot have multiple values")));
    }
    Ok(())
}

fn writable<'a>(schema: &'a Schema, name: &str) -> Result<&'a AttributeType, Refused> {
    match schema.get(name) {
        None => Err(Refused::new(Code::UndefinedAttributeType, format!("{name}: attribute type undefined"))),
        Some(kind) if kind.operational => {
            Err(Refused::new(Code::ConstraintViolation, format!("{name}: no user modification allowed")))
        }
        Some(kind) => Ok(kind),
    }
}

fn check(entry: &Entry) -> Result<(), Refused> {
    if entry.values("objectClass").is_empty() {
        return Err(Refused::new(Code::ObjectClassViolation, "no objectClass attribute"));
    }
    if entry.holds("objectClass", "idautoPerson") {
        for required in ["idautoID", "idautoPersonUserNameMV"] {
            if entry.values(required).is_empty() {
                let message = format!("object class 'idautoPerson' requires attribute '{required}'");
                return Err(Refused::new(Code::ObjectClassViolation, message));
            }
        }
    }
    match rdn(entry.dn()) {
        Some((name, value)) if !entry.holds(name, value) => {
            Err(Refused::new(Code::NotALlowedOnRDN, "naming attribute is not in the entry"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ldap3_proto::LdapPartialAttribute;

    const DN: &str = "idautoID=a,ou=Accounts,dc=meta";

    fn tree() -> Tree {
        let mut tree = Tree::new(Schema::portal(), "2026-09-01T00:00:00Z".parse().unwrap());
        tree.put(
            Entry::new("ou=Accounts,dc=meta").with("objectClass", ["organizationalUnit"]).with("ou", ["Accounts"]),
        );
        tree.put(
            Entry::new(DN)
                .with("objectClass", ["idautoPerson"])
                .with("idautoID", ["a"])
                .with("idautoPersonUserNameMV", ["kaola0001"])
                .with("idautoPersonAppRoles5", ["moodle"]),
        );
        tree
    }

    fn part(operation: LdapModifyType, name: &str, values: &[&str]) -> LdapModify {
        let vals = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        LdapModify { operation, modification: LdapPartialAttribute { atype: name.into(), vals } }
    }

    fn code(tree: &mut Tree, changes: Vec<LdapModify>) -> i64 {
        let request = LdapModifyRequest { dn: DN.to_uppercase(), changes };
        modify(tree, &request).map_or_else(|refused| refused.code as i64, |()| 0)
    }

    #[test]
    fn modify_answers_with_the_codes_of_slapd() {
        use LdapModifyType::{Add, Delete, Replace};
        let mut tree = tree();
        for (wanted, change) in [
            (20, part(Add, "idautoPersonAppRoles5", &["MOODLE"])),
            (16, part(Delete, "idautoPersonAppRoles5", &["lenel"])),
            (16, part(Delete, "idautoPersonAppRoles8", &[])),
            (19, part(Add, "idautoPersonSystem1ID", &["x", "y"])),
            (19, part(Replace, "entryCSN", &["x"])),
            (17, part(Add, "noSuchAttribute", &["x"])),
            (21, part(Add, "idautoDisabled", &["yes"])),
            (65, part(Delete, "idautoPersonUserNameMV", &[])),
            (67, part(Replace, "idautoID", &["b"])),
            (2, part(Add, "idautoPersonAppRoles5", &[])),
            (0, part(Replace, "idautoPersonAppRoles8", &[])),
            (0, part(Add, "idautopersonapproles5", &["lenel"])),
        ] {
            assert_eq!(code(&mut tree, vec![change.clone()]), wanted, "{change:?}");
        }
    }

    #[test]
    fn a_write_with_one_bad_part_changes_nothing() {
        use LdapModifyType::{Add, Delete};
        let mut tree = tree();
        let before = tree.all();
        let parts =
            vec![part(Add, "idautoPersonAppRoles5", &["lenel"]), part(Delete, "idautoPersonAppRoles5", &["absent"])];
        assert_eq!(code(&mut tree, parts), 16);
        assert_eq!(tree.all(), before);
    }

    #[test]
    fn every_write_gives_a_new_csn_and_keeps_the_uuid() {
        let mut tree = tree();
        let before = tree.find("A").cloned().unwrap();
        assert_eq!(code(&mut tree, vec![part(LdapModifyType::Replace, "sn", &["Hauge"])]), 0);
        let after = tree.find("a").cloned().unwrap();
        assert!(after.csn > before.csn);
        assert_eq!(after.uuid(), before.uuid());
    }

    #[test]
    fn entries_are_added_below_others_and_deleted_from_the_leaf() {
        let mut tree = tree();
        let values = |name: &str, value: &str| LdapPartialAttribute { atype: name.into(), vals: vec![value.into()] };
        let person = |dn: &str| LdapAddRequest {
            dn: dn.to_owned(),
            attributes: vec![
                values("objectClass", "idautoPerson"),
                values("idautoID", "b"),
                values("idautoPersonUserNameMV", "x"),
            ],
        };
        let code_of = |result: Result<(), Refused>| result.map_or_else(|refused| refused.code as i64, |()| 0);
        assert_eq!(code_of(add(&mut tree, person("idautoID=b,ou=Accounts,dc=meta"))), 0);
        assert_eq!(code_of(add(&mut tree, person("idautoID=B,ou=accounts,dc=meta"))), 68);
        assert_eq!(code_of(add(&mut tree, person("idautoID=b,ou=Nowhere,dc=meta"))), 32);
        assert_eq!(code_of(delete(&mut tree, "ou=Accounts,dc=meta")), 66);
        assert_eq!(code_of(delete(&mut tree, "idautoID=b,ou=Accounts,dc=meta")), 0);
        assert_eq!(code_of(delete(&mut tree, "idautoID=b,ou=Accounts,dc=meta")), 32);
    }
}
