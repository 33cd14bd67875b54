//! HTTP requests to a hub. The token is sent to the hub's own origin only; large files lie on other hosts.

use std::io::{self, Read};
use std::path::PathBuf;

use serde::Deserialize;
use ureq::http::header::{ACCEPT_ENCODING, AUTHORIZATION, LOCATION, RANGE};
use ureq::http::{Response, Uri};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body, Proxy};

use super::HubOptions;
use super::cache;
use super::certificates;

/// Redirects that one request may follow.
const MAX_REDIRECTS: usize = 8;
/// The longest list of files that is read, in bytes.
const MAX_LIST: u64 = 32 << 20;

/// Why a request failed.
pub(super) enum Fault {
    /// An HTTP error status, and the value of the hub's header `x-error-code`, if it was there.
    Status(u16, String),
    /// There was no answer: no connection, or not HTTP.
    Request(Box<ureq::Error>),
    /// The time limit passed without a byte.
    Silent,
    /// The connection broke in the middle of an answer.
    Cut(io::Error),
    /// The answer is not one that a hub gives.
    Answer(String),
    /// A downloaded file is not what the hub announced, for this reason. It has been deleted.
    Corrupt(&'static str),
    /// A file or folder does not have certificates, for this reason.
    Certificates(PathBuf, String),
    /// A file in the cache could not be written.
    Disk(PathBuf, io::Error),
    /// Another process downloads the same file.
    Locked,
}

impl From<ureq::Error> for Fault {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::Silent,
            error => Self::Request(Box::new(error)),
        }
    }
}

impl Fault {
    /// The fault for a body that could not be read to its end.
    pub(super) fn body(error: io::Error) -> Self {
        match ureq::Error::from(error) {
            ureq::Error::Timeout(_) => Self::Silent,
            error => Self::Cut(error.into_io()),
        }
    }
}

/// The newest commit of a repository, and its files.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    pub(super) sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Listing {
    pub(super) fn has(&self, file: &str) -> bool {
        self.siblings.iter().any(|sibling| sibling.rfilename == file)
    }
}

/// Sends requests to one hub.
pub(super) struct Client<'a> {
    agent: Agent,
    options: &'a HubOptions,
}

impl<'a> Client<'a> {
    pub(super) fn new(options: &'a HubOptions) -> Result<Self, Fault> {
        let stall = Some(options.stall_timeout);
        let config = Agent::config_builder()
            .user_agent(concat!("rekindle/", env!("CARGO_PKG_VERSION")))
            // Without this line, ureq reads the proxy from the environment.
            .proxy(None)
            .tls_config(TlsConfig::builder().root_certs(certificates::trusted(options)?).build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(stall)
            .timeout_connect(stall)
            .timeout_recv_response(stall)
            .timeout_per_read(stall);
        Ok(Self { agent: config.build().into(), options })
    }

    /// The newest commit of `id` and the names of its files.
    pub(super) fn list(&self, id: &str) -> Result<Listing, Fault> {
        let url = format!("{}/api/models/{id}/revision/main", self.options.endpoint());
        let answer = self.get(&url, &Request::List, |_| true)?;
        serde_json::from_reader(answer.into_body().into_reader().take(MAX_LIST)).map_err(|error| match error.is_io() {
            true => Fault::body(error.into()),
            false => Fault::Answer(format!("its list of files cannot be read: {error}")),
        })
    }

    /// The URL of `file` in one commit.
    pub(super) fn url(&self, id: &str, commit: &str, file: &str) -> String {
        format!("{}/{id}/resolve/{commit}/{file}", self.options.endpoint())
    }

    /// The hub's name for a file's content, which is also the name of the file in the cache.
    ///
    /// Large files lie on another host; only the answer that redirects there has their name.
    pub(super) fn etag(&self, url: &str, commit: &str) -> Result<String, Fault> {
        let answer = self.get(url, &Request::Bytes("bytes=0-0".into()), |location| location.starts_with('/'))?;
        let needed = |name: &str| header(&answer, name).ok_or_else(|| Fault::Answer(format!("it has no {name}")));
        if needed("x-repo-commit")? != commit {
            return Err(Fault::Answer("it is of another commit".to_owned()));
        }
        let etag = needed("x-linked-etag").or_else(|_| needed("etag"))?;
        let etag = etag.trim_start_matches("W/").trim_matches('"');
        match cache::is_plain_name(etag) {
            true => Ok(etag.to_owned()),
            false => Err(Fault::Answer("its etag cannot be a file name".to_owned())),
        }
    }

    /// The bytes of a file from `start` on.
    pub(super) fn bytes(&self, url: &str, start: u64) -> Result<Response<Body>, Fault> {
        self.get(url, &Request::Bytes(format!("bytes={start}-")), |_| true)
    }

    /// Sends a request, and follows redirects as long as `follow` accepts the location.
    fn get(&self, url: &str, request: &Request, follow: impl Fn(&str) -> bool) -> Result<Response<Body>, Fault> {
        let parse = |url: &str| url.parse::<Uri>().map_err(|_| Fault::Answer("its address is not a URL".to_owned()));
        let hub = parse(self.options.endpoint())?;
        let mut here = parse(url)?;
        for _ in 0..MAX_REDIRECTS {
            let proxy = self.options.proxy(&here).map(Proxy::new).transpose()?;
            let mut get = self.agent.get(&here).config().proxy(proxy).build();
            if let Some(token) = self.options.token().filter(|_| origin(&here) == origin(&hub)) {
                get = get.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let answer = match request {
                Request::List => get.config().timeout_global(Some(self.options.answer_timeout)).build(),
                // Uncompressed, so that the size is that of the file.
                Request::Bytes(range) => get.header(RANGE, range).header(ACCEPT_ENCODING, "identity"),
            };
            let answer = answer.call()?;
            let status = answer.status();
            if status.is_client_error() || status.is_server_error() {
                let code = header(&answer, "x-error-code").unwrap_or_default().to_owned();
                return Err(Fault::Status(status.as_u16(), code));
            }
            let location = header(&answer, LOCATION.as_str()).filter(|_| status.is_redirection());
            let Some(location) = location.filter(|location| follow(location)) else { return Ok(answer) };
            // No message has the location: it may hold a signature.
            let next = resolve(&here, location);
            let next = next.ok_or_else(|| Fault::Answer("it redirects to something that is not a URL".to_owned()))?;
            if here.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                return Err(Fault::Answer("it redirects from https to an unencrypted connection".to_owned()));
            }
            here = next;
        }
        Err(Fault::Answer(format!("it redirects more than {MAX_REDIRECTS} times")))
    }
}

/// What a request asks for.
enum Request {
    /// The list of files, in all within [`HubOptions::answer_timeout`].
    List,
    /// A range of a file.
    Bytes(String),
}

/// A header of an answer, where it is text.
pub(super) fn header<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

/// Scheme, host and port: what must be the same for the token to be sent.
fn origin(url: &Uri) -> (Option<String>, Option<String>, Option<u16>) {
    let default = match url.scheme_str() {
        Some("http") => Some(80),
        Some("https") => Some(443),
        _ => None,
    };
    let lower = |text: &str| text.to_ascii_lowercase();
    (url.scheme_str().map(lower), url.host().map(lower), url.port_u16().or(default))
}

/// The URL that a `location` header of an answer from `base` means.
fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let absolute = if location.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    absolute.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Uri {
        text.parse().expect("a URL")
    }

    #[test]
    fn locations_are_resolved_against_the_url_of_the_answer() {
        let base = url("https://hub.example:8443/a/b?c=d");
        for (location, expected) in [
            ("http://other.example/x?y=z", "http://other.example/x?y=z"),
            ("//other.example/x", "https://other.example/x"),
            ("/x/y?redirect=http://z", "https://hub.example:8443/x/y?redirect=http://z"),
            ("x", "https://hub.example:8443/a/x"),
        ] {
            assert_eq!(resolve(&base, location), Some(url(expected)), "{location}");
        }
        for location in ["", "https://", "http://a b/"] {
            let resolved = resolve(&base, location);
            assert!(resolved.as_ref().is_none_or(|url| origin(url) == origin(&base)), "{location}: {resolved:?}");
        }
    }

    #[test]
    fn the_origin_is_scheme_host_and_port() {
        let hub = origin(&url("https://hub.example"));
        for same in ["https://hub.example:443/x", "https://HUB.example/y", "https://user:password@hub.example/"] {
            assert_eq!(origin(&url(same)), hub, "{same}");
        }
        for other in
            ["http://hub.example", "https://hub.example:8443", "https://hub.example.org", "https://a.hub.example"]
        {
            assert_ne!(origin(&url(other)), hub, "{other}");
        }
    }
}
