//! TLS: whom we trust, made once and used by LDAP and HTTP alike.
//!
//! There is no way to switch verification off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Why no TLS configuration can be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The CA file cannot be read, or is not PEM.
    #[error("CA file {path} cannot be read: {detail}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The CA file holds no certificate.
    #[error("CA file {path} holds no certificate", path = .0.display())]
    Empty(PathBuf),
    /// A certificate in the CA file cannot be used.
    #[error("CA file {path}: certificate {number} is not valid: {source}", path = .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The system has no certificates; name a CA file.
    #[error("the system's certificate store has no usable certificate; name a CA file")]
    NoSystemRoots,
    /// The library has no protocol version in common with its provider.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[source] rustls::Error),
}

/// A client configuration that trusts only the certificates in `ca_file` (PEM) where one is given, else
/// the system's.
///
/// For LDAP it goes into an `Arc`; HTTP takes it by value (`reqwest::ClientBuilder::tls_backend_preconfigured`).
///
/// # Errors
/// [`TlsError`], naming the file.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let roots = match ca_file {
        Some(path) => read_roots(path)?,
        None => system_roots()?,
    };
    Ok(ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn read_roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let unreadable =
        |e: rustls::pki_types::pem::Error| TlsError::Unreadable { path: path.to_owned(), detail: e.to_string() };
    let mut roots = RootCertStore::empty();
    for (at, certificate) in CertificateDer::pem_file_iter(path).map_err(unreadable)?.enumerate() {
        roots.add(certificate.map_err(unreadable)?).map_err(|source| TlsError::Invalid {
            path: path.to_owned(),
            number: at + 1,
            source,
        })?;
    }
    if roots.is_empty() {
        return Err(TlsError::Empty(path.to_owned()));
    }
    Ok(roots)
}

/// Certificates of the system that cannot be used are left out, as every client does: a store of
/// hundreds always holds one.
fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err(TlsError::NoSystemRoots);
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_that_cannot_be_used_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let missing = dir.path().join("missing.pem");
        let empty = at("empty.pem", "nothing here\n");
        let odd = at("odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert!(matches!(client_config(Some(&missing)), Err(TlsError::Unreadable { .. })));
        assert!(matches!(client_config(Some(&empty)), Err(TlsError::Empty(_))));
        assert!(matches!(client_config(Some(&odd)), Err(TlsError::Invalid { number: 1, .. })));
        for path in [missing, empty, odd] {
            let name = path.display().to_string();
            assert!(client_config(Some(&path)).unwrap_err().to_string().contains(&name));
        }
    }
}
