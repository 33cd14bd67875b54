//! Requests to a hub. They keep the token from every other host, to which a hub sends for large files.

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use ureq::{Agent, Response};

use super::HubOptions;
use super::cache;

/// Redirections that one request may take.
const REDIRECTIONS: usize = 8;
/// The longest list of files that is read.
const MAX_LIST: u64 = 32 << 20;

/// Why a request came to nothing.
pub(super) enum Fault {
    /// The connection, or a status that is no success.
    Request(Box<ureq::Error>),
    /// The connection, in the middle of an answer.
    Cut(io::Error),
    /// An answer that makes no sense.
    Answer(String),
    /// The disk.
    Disk(PathBuf, io::Error),
    /// Another process downloads the same file.
    Locked,
}

impl From<ureq::Error> for Fault {
    fn from(error: ureq::Error) -> Self {
        Self::Request(Box::new(error))
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

/// What a hub is asked with.
#[derive(Clone)]
pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

impl Client {
    pub(super) fn new(options: &HubOptions) -> Self {
        let agent = ureq::builder()
            .try_proxy_from_env(true)
            .redirects(0)
            .user_agent(concat!("rekindle/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent, endpoint: options.endpoint().to_owned(), token: options.token().map(str::to_owned) }
    }

    /// The newest commit of `id` and the names of its files, within `limit`.
    pub(super) fn list(&self, id: &str, limit: Duration) -> Result<Listing, Fault> {
        let url = format!("{}/api/models/{id}/revision/main", self.endpoint);
        let answer = self.get(&url, None, Some(limit), |_| true)?;
        serde_json::from_reader(answer.into_reader().take(MAX_LIST)).map_err(|error| match error.is_io() {
            true => Fault::Cut(error.into()),
            false => Fault::Answer(format!("its list of files cannot be read: {error}")),
        })
    }

    /// Where `file` of one commit is.
    pub(super) fn address(&self, id: &str, commit: &str, file: &str) -> String {
        format!("{}/{id}/resolve/{commit}/{file}", self.endpoint)
    }

    /// The name that the hub gives to a file's content, which also becomes the name of a file here.
    ///
    /// A large file lies on another host, and only the answer that sends there tells its name.
    pub(super) fn etag(&self, url: &str, commit: &str) -> Result<String, Fault> {
        let answer = self.get(url, Some("bytes=0-0"), None, |location| location.starts_with('/'))?;
        let header = |name: &str| answer.header(name).ok_or_else(|| Fault::Answer(format!("no {name} in it")));
        if header("x-repo-commit")? != commit {
            return Err(Fault::Answer("it is of another commit".to_owned()));
        }
        let etag = header("x-linked-etag").or_else(|_| header("etag"))?;
        let etag = etag.trim_start_matches("W/").trim_matches('"');
        match cache::is_plain_name(etag) {
            true => Ok(etag.to_owned()),
            false => Err(Fault::Answer("its etag cannot be a file's name".to_owned())),
        }
    }

    /// The bytes of a file from `start` on.
    pub(super) fn bytes(&self, url: &str, start: u64) -> Result<Response, Fault> {
        self.get(url, Some(&format!("bytes={start}-")), None, |_| true)
    }

    /// Asks, and goes where it is sent as long as `follow` agrees to the location.
    fn get(
        &self,
        url: &str,
        range: Option<&str>,
        limit: Option<Duration>,
        follow: impl Fn(&str) -> bool,
    ) -> Result<Response, Fault> {
        let hub = self.agent.get(&self.endpoint).request_url()?;
        let mut request = self.agent.get(url);
        for _ in 0..REDIRECTIONS {
            let here = request.request_url()?;
            if let Some(token) = self.token.as_ref().filter(|_| here.as_url().origin() == hub.as_url().origin()) {
                request = request.set("Authorization", &format!("Bearer {token}"));
            }
            if let Some(range) = range {
                request = request.set("Range", range);
            }
            if let Some(limit) = limit {
                request = request.timeout(limit);
            }
            let answer = request.call()?;
            let location = answer.header("location").filter(|_| (300..400).contains(&answer.status()));
            let Some(location) = location.filter(|location| follow(location)) else { return Ok(answer) };
            // Neither address is named: they may hold a signature.
            let next = here.as_url().join(location);
            let next = next.map_err(|error| Fault::Answer(format!("it sends to no address: {error}")))?;
            if here.scheme() == "https" && next.scheme() != "https" {
                return Err(Fault::Answer("it sends from https to an open connection".to_owned()));
            }
            request = self.agent.get(next.as_str());
        }
        Err(Fault::Answer(format!("it sends on and on, more than {REDIRECTIONS} times")))
    }
}
