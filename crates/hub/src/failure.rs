//! Error values for failed requests. No message has a secret.

use super::client::Fault;
use super::{HubError, HubOptions};

/// Makes the errors about one repository.
pub(super) struct Failure<'a> {
    pub(super) id: &'a str,
    pub(super) options: &'a HubOptions,
}

impl Failure<'_> {
    pub(super) fn unreachable(&self, reason: impl AsRef<str>) -> HubError {
        HubError::Unreachable {
            id: self.id.to_owned(),
            endpoint: self.endpoint(),
            reason: self.options.redact(reason.as_ref()),
        }
    }

    pub(super) fn unexpected(&self, reason: impl AsRef<str>) -> HubError {
        HubError::Unexpected {
            id: self.id.to_owned(),
            endpoint: self.endpoint(),
            reason: self.options.redact(reason.as_ref()),
        }
    }

    pub(super) fn unauthorized(&self, reason: impl AsRef<str>) -> HubError {
        HubError::Unauthorized {
            id: self.id.to_owned(),
            endpoint: self.endpoint(),
            reason: self.options.redact(reason.as_ref()),
        }
    }

    pub(super) fn not_found(&self, what: &str) -> HubError {
        HubError::NotFound { id: self.id.to_owned(), endpoint: self.endpoint(), what: what.to_owned() }
    }

    /// The error for a failed request about `what`.
    pub(super) fn fault(&self, what: &str, fault: Fault) -> HubError {
        match fault {
            Fault::Status(status, code) => self.status(status, &code, what),
            Fault::Request(error) => self.request(&error),
            Fault::Silent => {
                let limit = self.options.stall_timeout.as_secs_f32();
                self.unreachable(format!("no byte of {what} arrived for {limit} s"))
            }
            Fault::Cut(error) => HubError::Incomplete {
                id: self.id.to_owned(),
                file: what.to_owned(),
                reason: self.options.redact(&error.to_string()),
            },
            Fault::Answer(reason) => self.unexpected(format!("{what}: {reason}")),
            Fault::Corrupt(reason) => {
                HubError::Corrupt { id: self.id.to_owned(), file: what.to_owned(), reason: reason.to_owned() }
            }
            Fault::Certificates(path, reason) => HubError::Certificates { path, reason },
            Fault::Disk(path, source) => HubError::Io { path, source },
            Fault::Locked => HubError::Locked { id: self.id.to_owned(), file: what.to_owned() },
        }
    }

    fn status(&self, status: u16, code: &str, what: &str) -> HubError {
        match (status, code) {
            (401 | 403, "GatedRepo") => self.unauthorized(
                "it is gated: accept its conditions on its page, and set HF_TOKEN to a token of that account",
            ),
            // Without a valid token, the hub does not tell a private repository from one that does not exist.
            (404, _) | (401, "RepoNotFound") => self.not_found(what),
            (401, _) if self.options.token().is_none() => self.not_found(what),
            (401, _) => self.unauthorized("it does not accept the token; check HF_TOKEN or the token file"),
            (403, _) => self.unauthorized("the token, if any, does not allow it (HTTP 403)"),
            (429 | 500..=599, _) => self.unreachable(format!("HTTP {status}")),
            _ => self.unexpected(format!("HTTP {status} for {what}")),
        }
    }

    /// Leaves the URL out: after a redirect it holds a signature, which is secret.
    fn request(&self, error: &ureq::Error) -> HubError {
        match error {
            ureq::Error::BadUri(_) => self.unexpected("an address is not an HTTP URL"),
            ureq::Error::InvalidProxyUrl => {
                self.unreachable("the address of the proxy is invalid; check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY")
            }
            _ if is_untrusted(error) => self.unreachable(format!(
                "its certificate is not trusted ({error}); if a proxy or a private hub has a certificate authority of \
                 its own, name the authority's file in SSL_CERT_FILE"
            )),
            ureq::Error::Http(_) | ureq::Error::Protocol(_) => self.unexpected(error.to_string()),
            _ => self.unreachable(error.to_string()),
        }
    }

    fn endpoint(&self) -> String {
        self.options.redact(self.options.endpoint())
    }
}

/// Whether a request failed because no trusted authority vouches for the certificate.
fn is_untrusted(error: &ureq::Error) -> bool {
    let error = match error {
        ureq::Error::Io(error) => error.get_ref().and_then(|error| error.downcast_ref()),
        ureq::Error::Rustls(error) => Some(error),
        _ => None,
    };
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}
