//! Distinguished names, as far as the simulator compares them: folded, without blanks around `,` and `=`.

/// The form in which names are compared.
pub fn fold_dn(dn: &str) -> String {
    parts(dn).into_iter().map(fold_rdn).collect::<Vec<_>>().join(",")
}

/// The name above a folded one; `None` at the top.
pub fn parent(folded: &str) -> Option<&str> {
    let end = parts(folded).first()?.len();
    folded.get(end + 1..)
}

/// Whether a folded name lies under the other, or is it.
pub fn within(folded: &str, base: &str) -> bool {
    folded == base
        || folded.strip_suffix(base).is_some_and(|rest| rest.ends_with(',') && !rest.ends_with("\\,"))
        || base.is_empty()
}

/// Attribute and value of the first component, as written.
pub fn rdn(dn: &str) -> Option<(&str, &str)> {
    let (name, value) = parts(dn).first()?.split_once('=')?;
    Some((name.trim(), value.trim()))
}

fn parts(dn: &str) -> Vec<&str> {
    if dn.trim().is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, byte) in dn.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => {
                found.push(&dn[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&dn[start..]);
    found
}

fn fold_rdn(part: &str) -> String {
    match part.split_once('=') {
        Some((name, value)) => format!("{}={}", name.trim().to_lowercase(), value.trim().to_lowercase()),
        None => part.trim().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_regard_to_case_and_blanks() {
        assert_eq!(fold_dn("idautoID = AB ,OU=Accounts, dc=meta"), "idautoid=ab,ou=accounts,dc=meta");
        assert_eq!(parent("idautoid=ab,ou=accounts,dc=meta"), Some("ou=accounts,dc=meta"));
        assert_eq!(parent("dc=meta"), None);
        assert!(within("ou=accounts,dc=meta", "dc=meta"));
        assert!(!within("ou=accounts,xdc=meta", "dc=meta"));
    }

    #[test]
    fn an_escaped_comma_stays_inside_its_component() {
        assert_eq!(parent("cn=a\\,b,dc=meta"), Some("dc=meta"));
        assert_eq!(rdn("cn=a\\,b,dc=meta"), Some(("cn", "a\\,b")));
    }
}
