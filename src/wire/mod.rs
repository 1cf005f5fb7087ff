//! Transports that sources and targets share. Nothing here knows what is carried.

pub mod ldap;
pub mod tls;
