//! Error codes and reasons, each with what it means and what to do.

/// What [`Definition::codes`](crate::targets::port::Definition::codes) gives.
pub const CODES: &[(&str, &str)] = &[
    (
        "PORTAL_CONNECTION_FAILED",
        "No connection to Portal LDAP, or one that broke while marks were read or written. Check `url`, `bind_dn` and \
         `password` in [portal_ldap]; a write whose answer was lost is read back before anything else happens to the \
         person.",
    ),
    (
        "PORTAL_FETCH_FAILED",
        "Marks could not be read to the end. Check the size limit and the rights of `bind_dn`: it must read idautoID and \
         the three attributes that [portal] names.",
    ),
    (
        "PORTAL_UPDATE_FAILED",
        "A mark could not be written. With insufficientAccessRights give `bind_dn` the right to write the three \
         attributes that [portal] names; with a referral or unwillingToPerform name the server that takes writes as \
         `url` in [portal_ldap].",
    ),
    (
        "PORTAL_ATTRIBUTE_MISSING",
        "The directory has no attribute of the name that [portal] gives. No mark is planned; correct the name, or have the \
         attribute added.",
    ),
    (
        "PORTAL_ATTRIBUTE_TAKEN",
        "Most people have something else than marks in an attribute that [portal] names, so none is planned. Correct the \
         name; if these are marks of systems that nobody looked at is entitled to, name the systems in `other_systems`.",
    ),
    (
        "no-opinion",
        "None of the marked pipelines can say how the person stands: marks and ids are left as they are. Nothing to do; \
         the next pass that confirms a pipeline writes them.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::portal::fit::{ATTRIBUTE_MISSING, ATTRIBUTE_TAKEN};
    use crate::targets::portal::place::{CONNECTION_FAILED, FETCH_FAILED, UPDATE_FAILED};
    use crate::targets::portal::project::NO_OPINION;

    #[test]
    fn every_code_and_reason_is_explained_once() {
        let codes: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
        assert_eq!(
            codes,
            [CONNECTION_FAILED, FETCH_FAILED, UPDATE_FAILED, ATTRIBUTE_MISSING, ATTRIBUTE_TAKEN, NO_OPINION.0]
        );
    }
}
