//! Where the hub and its cache are, and what may be done there.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The public hub.
const ENDPOINT: &str = "https://huggingface.co";

/// Settings of [`fetch`](super::fetch).
///
/// [`HubOptions::from_env`] is what a program wants; [`HubOptions::new`] reads nothing from the environment.
#[derive(Clone)]
pub struct HubOptions {
    /// Never use the network.
    pub offline: bool,
    /// The folder that holds the `models--…` folders.
    pub cache: PathBuf,
    /// The hub's address, without a slash at its end.
    pub endpoint: String,
    /// How long the hub may take, from the look-up of its address to the whole list of a repository's files.
    pub answer_timeout: Duration,
    /// How long a download may go without a single byte arriving.
    pub stall_timeout: Duration,
    token: Option<String>,
}

impl HubOptions {
    /// Settings for the public hub with the given cache and no token.
    #[must_use]
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            offline: false,
            cache: cache.into(),
            endpoint: ENDPOINT.to_owned(),
            answer_timeout: Duration::from_secs(6),
            stall_timeout: Duration::from_secs(30),
            token: None,
        }
    }

    /// Settings from the variables that the Python libraries read, with the same meaning.
    ///
    /// - the cache: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in `huggingface` in `XDG_CACHE_HOME`, else in
    ///   `~/.cache/huggingface`;
    /// - the token: `HF_TOKEN`, else the file `HF_TOKEN_PATH`, else the file `token` in `HF_HOME`;
    /// - `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` set to `1`, `true`, `yes` or `on` forbids to use the network;
    /// - `HF_ENDPOINT` replaces the hub's address.
    ///
    /// A proxy is taken from `ALL_PROXY`, `HTTPS_PROXY` or `HTTP_PROXY` by the HTTP client itself.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_lookup(&|name| std::env::var_os(name), std::env::home_dir())
    }

    /// Adds the token that private and gated repositories need; white space around it is dropped.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        let token = token.trim();
        self.token = (!token.is_empty()).then(|| token.to_owned());
        self
    }

    /// [`HubOptions::from_env`] with the environment passed in, for a test must not change the process's own.
    fn from_lookup(lookup: &dyn Fn(&str) -> Option<OsString>, user_home: Option<PathBuf>) -> Self {
        // A variable set to nothing is the usual way to unset it for one command.
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let folder = |name: &str| {
            set(name).map(|value| match (value.to_str(), &user_home) {
                (Some(path), Some(home)) if path.starts_with("~/") => home.join(&path[2..]),
                _ => PathBuf::from(value),
            })
        };
        // Without a home there is no good place; the working folder at least is one that the user sees.
        let user_cache = || user_home.clone().unwrap_or_default().join(".cache");
        let home = folder("HF_HOME")
            .unwrap_or_else(|| folder("XDG_CACHE_HOME").unwrap_or_else(user_cache).join("huggingface"));
        let token = text("HF_TOKEN").or_else(|| {
            let path = folder("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
            fs::read_to_string(path).ok()
        });
        let truthy = |name: &str| {
            text(name).is_some_and(|value| ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str()))
        };

        let mut options = Self::new(folder("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub")))
            .with_token(token.as_deref().unwrap_or_default());
        options.offline = truthy("HF_HUB_OFFLINE") || truthy("TRANSFORMERS_OFFLINE");
        if let Some(endpoint) = text("HF_ENDPOINT") {
            options.endpoint = endpoint;
        }
        options
    }
}

#[cfg(feature = "hub")]
impl HubOptions {
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The endpoint in the form that paths are appended to.
    pub(super) fn endpoint(&self) -> &str {
        self.endpoint.trim_end_matches('/')
    }

    /// `text` without the token, and without what HF_ENDPOINT holds before an `@`: the HTTP client quotes what it
    /// refuses, so its words are not safe to show.
    pub(super) fn redact(&self, text: &str) -> String {
        let password = self.user_info().and_then(|info| info.split_once(':')).map(|(_, password)| password);
        let secrets = [self.token(), self.user_info(), password].into_iter().flatten();
        secrets.filter(|secret| !secret.is_empty()).fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

impl HubOptions {
    /// `user:password` of the endpoint, where it has one.
    fn user_info(&self) -> Option<&str> {
        let (_, rest) = self.endpoint.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        authority.rsplit_once('@').map(|(info, _)| info)
    }

    /// The endpoint as it may be shown.
    fn shown(&self) -> String {
        match self.user_info() {
            Some(info) => self.endpoint.replacen(info, "***", 1),
            None => self.endpoint.clone(),
        }
    }
}

impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions")
            .field("offline", &self.offline)
            .field("cache", &self.cache)
            .field("endpoint", &self.shown())
            .field("answer_timeout", &self.answer_timeout)
            .field("stall_timeout", &self.stall_timeout)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> HubOptions {
        let lookup =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        HubOptions::from_lookup(&lookup, Some(PathBuf::from("home")))
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        let cache = |variables: &[(&str, &str)]| options(variables).cache;
        let default = PathBuf::from("home/.cache/huggingface/hub");
        assert_eq!(cache(&[]), default);
        assert_eq!(cache(&[("HF_HOME", "")]), default);
        assert_eq!(cache(&[("XDG_CACHE_HOME", "x")]), PathBuf::from("x/huggingface/hub"));
        assert_eq!(cache(&[("HF_HOME", "h"), ("XDG_CACHE_HOME", "x")]), PathBuf::from("h/hub"));
        assert_eq!(cache(&[("HF_HOME", "~/h")]), PathBuf::from("home/h/hub"));
        assert_eq!(cache(&[("HF_HUB_CACHE", "c"), ("HF_HOME", "h")]), PathBuf::from("c"));
    }

    #[test]
    fn offline_and_endpoint_are_read() {
        for (value, offline) in [("1", true), ("True", true), ("ON", true), ("yes", true), ("0", false), ("no", false)]
        {
            assert_eq!(options(&[("HF_HUB_OFFLINE", value)]).offline, offline, "{value}");
        }
        assert!(options(&[("TRANSFORMERS_OFFLINE", "1")]).offline);
        assert_eq!(options(&[]).endpoint, ENDPOINT);
        assert_eq!(options(&[("HF_ENDPOINT", "http://mirror")]).endpoint, "http://mirror");
    }

    #[test]
    fn a_password_in_the_endpoint_is_not_shown() {
        for endpoint in ["https://me:p@ss@mirror.example/hub", "http://me:p@ss@mirror.example:80", "https://p@ss@m"] {
            let options = options(&[("HF_ENDPOINT", endpoint)]);
            assert!(!format!("{options:?}").contains("p@ss"), "{options:?}");
            #[cfg(feature = "hub")]
            assert!(!options.redact(&format!("{endpoint} and p@ss")).contains("p@ss"));
        }
        assert!(format!("{:?}", options(&[("HF_ENDPOINT", "https://m/a@b")])).contains("https://m/a@b"));
    }

    #[test]
    fn the_token_comes_from_the_variable_or_the_file() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().to_str().expect("UTF-8");
        assert_eq!(options(&[("HF_HOME", path)]).token, None);
        fs::write(home.path().join("token"), "hf_file\n").expect("written");
        assert_eq!(options(&[("HF_HOME", path)]).token.as_deref(), Some("hf_file"));
        let both = options(&[("HF_HOME", path), ("HF_TOKEN", " hf_variable ")]);
        assert_eq!(both.token.as_deref(), Some("hf_variable"));
        assert!(!format!("{both:?}").contains("hf_variable"));
    }
}
