//! The directory part of a campus as LDIF (RFC 2849), loadable by `slapadd` below `ou=Accounts,dc=meta`.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::sim::ldap::Entry;

/// Writes entries. All values of one attribute stand together: `slapadd -q` keeps scattered ones as two
/// attributes of the same name.
pub fn write(mut to: impl Write, entries: impl Iterator<Item = Entry>) -> io::Result<()> {
    for entry in entries {
        line(&mut to, "dn", entry.dn().as_bytes())?;
        for (name, values) in entry.attributes() {
            for value in values {
                line(&mut to, name, value)?;
            }
        }
        writeln!(to)?;
    }
    to.flush()
}

fn line(to: &mut impl Write, name: &str, value: &[u8]) -> io::Result<()> {
    match std::str::from_utf8(value) {
        Ok(text) if safe(value) => writeln!(to, "{name}: {text}"),
        _ => writeln!(to, "{name}:: {}", STANDARD.encode(value)),
    }
}

fn safe(value: &[u8]) -> bool {
    let start = value.first().is_none_or(|first| !b" :<".contains(first));
    start && value.last() != Some(&b' ') && value.iter().all(|byte| byte.is_ascii() && !b"\0\r\n".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ldif_cannot_hold_is_base64() {
        let entry =
            Entry::new("idautoID=a,dc=meta").with("sn", ["Plain: yes", "Ås", " lead", "trail ", ":c", "<u", "a\nb"]);
        let mut text = Vec::new();
        write(&mut text, std::iter::once(entry)).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            text,
            "dn: idautoID=a,dc=meta\nsn: Plain: yes\nsn:: w4Vz\nsn:: IGxlYWQ=\nsn:: dHJhaWwg\nsn:: OmM=\nsn:: PHU=\nsn:: YQpi\n\n"
        );
    }
}
