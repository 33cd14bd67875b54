//! The certificate authorities that are trusted.

use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};
use ureq::tls::{Certificate, RootCerts};

use super::client::Fault;
use super::options::HubOptions;

/// The certificates of the options. Without any, those of the system; without a system that has any, Mozilla's.
pub(super) fn trusted(options: &HubOptions) -> Result<RootCerts, Fault> {
    if options.certificates().is_empty() {
        let system = load_native_certs();
        return Ok(if system.certs.is_empty() { RootCerts::WebPki } else { roots(system) });
    }
    let mut all = CertificateResult::default();
    for path in options.certificates() {
        let is_folder = path.is_dir();
        let read = load_certs_from_paths((!is_folder).then_some(path), is_folder.then_some(path));
        let fault = |reason: String| Fault::Certificates(path.clone(), reason);
        match read.errors.first() {
            Some(error) if read.certs.is_empty() => return Err(fault(error.to_string())),
            None if read.certs.is_empty() => return Err(fault("no certificates in PEM format".to_owned())),
            _ => all.certs.extend(read.certs),
        }
    }
    Ok(roots(all))
}

fn roots(read: CertificateResult) -> RootCerts {
    read.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).into()
}
