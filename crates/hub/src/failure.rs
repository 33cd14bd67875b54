//! What is said of a request that failed, without a word that is secret.

use super::client::Fault;
use super::{HubError, HubOptions};

/// Words the errors about one repository.
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

    /// The error for a request about `what`.
    pub(super) fn fault(&self, what: &str, fault: Fault) -> HubError {
        match fault {
            Fault::Request(error) => match *error {
                ureq::Error::Status(status, response) => self.status(status, &response, what),
                ureq::Error::Transport(transport) => self.transport(&transport),
            },
            Fault::Cut(error) => HubError::Incomplete {
                id: self.id.to_owned(),
                file: what.to_owned(),
                reason: self.options.redact(&error.to_string()),
            },
            Fault::Answer(reason) => self.unexpected(format!("{what}: {reason}")),
            Fault::Disk(path, source) => HubError::Io { path, source },
            Fault::Locked => HubError::Locked { id: self.id.to_owned(), file: what.to_owned() },
        }
    }

    fn status(&self, status: u16, response: &ureq::Response, what: &str) -> HubError {
        let header = |name| response.header(name).unwrap_or_default();
        match (status, header("x-error-code")) {
            (401 | 403, "GatedRepo") => self.unauthorized(
                "it is gated: accept its conditions on its page, and set HF_TOKEN to a token of that account",
            ),
            // To someone it does not know, the hub denies that a repository exists and that it is private alike.
            (404, _) | (401, "RepoNotFound") => self.not_found(what),
            (401, _) if self.options.token().is_none() => self.not_found(what),
            (401, _) => self.unauthorized("it does not accept the token; check HF_TOKEN or the token file"),
            (403, _) => self.unauthorized("the token, if any, does not allow it (HTTP 403)"),
            (429 | 500..=599, _) => self.unreachable(format!("HTTP {status}")),
            _ => self.unexpected(format!("HTTP {status} for {what}")),
        }
    }

    /// Leaves the address out: after a redirection it holds a signature, which is nobody's business.
    fn transport(&self, transport: &ureq::Transport) -> HubError {
        use ureq::ErrorKind as Kind;
        let mut reason = transport.kind().to_string();
        if let Some(message) = transport.message() {
            reason = format!("{reason}: {message}");
        }
        if let Some(source) = std::error::Error::source(transport) {
            reason = format!("{reason}: {source}");
        }
        match transport.kind() {
            Kind::InvalidUrl | Kind::UnknownScheme | Kind::InvalidProxyUrl | Kind::BadHeader => self.unexpected(reason),
            _ => self.unreachable(reason),
        }
    }

    fn endpoint(&self) -> String {
        self.options.redact(self.options.endpoint())
    }
}
