//! Request controls: paged results (RFC 2696), assertion (RFC 4528), pre- and post-read (RFC 4527).

use ldap3_lber::Parser;
use ldap3_lber::structure::StructureTag;
use ldap3_lber::structures::{ASNTag, Tag};
use ldap3_lber::write::encode_into;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::LdapOp;
use ldap3_proto::{LdapFilter, LdapResultCode as Code, LdapSearchResultEntry};
use tokio_util::bytes::BytesMut;

use super::modify::Refused;

pub const PAGED: &str = "1.2.840.113556.1.4.319";
pub const ASSERTION: &str = "1.3.6.1.1.12";
pub const PRE_READ: &str = "1.3.6.1.1.13.1";
pub const POST_READ: &str = "1.3.6.1.1.13.2";

/// What a request's controls ask for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Controls {
    /// Page size and cookie.
    pub page: Option<(i64, Vec<u8>)>,
    pub assertion: Option<LdapFilter>,
    /// Attributes to answer with as they were before.
    pub pre_read: Option<Vec<String>>,
    /// Attributes to answer with as they became.
    pub post_read: Option<Vec<String>>,
}

impl Controls {
    /// Reads the controls; an unknown critical one is rc 12, an unknown other one is ignored.
    pub fn read(controls: Vec<LdapControl>) -> Result<Self, Refused> {
        let mut read = Self::default();
        for control in controls {
            match control {
                LdapControl::SimplePagedResults { size, cookie } => read.page = Some((size, cookie)),
                LdapControl::ManageDsaIT { .. } => {}
                LdapControl::Unknown { oid, criticality, value } => {
                    let value = value.unwrap_or_default();
                    match oid.as_str() {
                        ASSERTION => read.assertion = Some(filter(&value)?),
                        PRE_READ => read.pre_read = Some(names(&value)?),
                        POST_READ => read.post_read = Some(names(&value)?),
                        _ if criticality => {
                            let message = "critical extension is not recognized";
                            return Err(Refused::new(Code::UnavailableCriticalExtension, message));
                        }
                        _ => {}
                    }
                }
                other => {
                    let message = format!("control not simulated: {other:?}");
                    return Err(Refused::new(Code::UnavailableCriticalExtension, message));
                }
            }
        }
        Ok(read)
    }
}

/// The response to a pre- or post-read.
pub fn read_entry(oid: &str, entry: LdapSearchResultEntry) -> Option<LdapControl> {
    let mut value = BytesMut::new();
    encode_into(&mut value, Tag::from(LdapOp::SearchResultEntry(entry)).into_structure()).ok()?;
    Some(LdapControl::Unknown { oid: oid.to_owned(), criticality: false, value: Some(value.to_vec()) })
}

fn malformed() -> Refused {
    Refused::new(Code::ProtocolError, "control value cannot be decoded")
}

fn structure(value: &[u8]) -> Result<StructureTag, Refused> {
    Parser::default().parse(value).map(|(_, tag)| tag).map_err(|_| malformed())
}

fn filter(value: &[u8]) -> Result<LdapFilter, Refused> {
    LdapFilter::try_from(structure(value)?).map_err(|_| malformed())
}

fn names(value: &[u8]) -> Result<Vec<String>, Refused> {
    let parts = structure(value)?.expect_constructed().ok_or_else(malformed)?;
    parts
        .into_iter()
        .map(|part| part.expect_primitive().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(malformed))
        .collect()
}
