//! The addresses of the hub and of its cache, and what may be done there.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The public hub.
const ENDPOINT: &str = "https://huggingface.co";

/// Settings of [`fetch`](super::fetch).
///
/// Nothing here reads the environment. A program passes its variables to [`HubOptions::from_variables`].
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
    /// The address of a proxy, and the hosts that are reached without it.
    proxy: Option<(String, String)>,
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
            proxy: None,
        }
    }

    /// Settings from the environment variables that the Python libraries read, with the same meaning.
    ///
    /// - the cache: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in `huggingface` in `XDG_CACHE_HOME`, else in
    ///   `~/.cache/huggingface`;
    /// - the token: `HF_TOKEN`, else the file `HF_TOKEN_PATH`, else the file `token` in `HF_HOME`;
    /// - `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` set to `1`, `true`, `yes` or `on` forbids network access;
    /// - `HF_ENDPOINT` replaces the hub's address;
    /// - `ALL_PROXY`, else `HTTPS_PROXY`, else `HTTP_PROXY` (or the same in lower case) names a proxy, and `NO_PROXY`
    ///   the hosts that are reached without it.
    ///
    /// `lookup` returns the value of a variable, `home` is the user's home folder:
    ///
    /// ```
    /// # use rekindle_hub::HubOptions;
    /// let options = HubOptions::from_variables(&|name| std::env::var_os(name), std::env::home_dir());
    /// ```
    #[must_use]
    pub fn from_variables(lookup: &dyn Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Self {
        // A variable set to nothing is the usual way to unset it for one command.
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let folder = |name: &str| {
            set(name).map(|value| match (value.to_str(), &home) {
                (Some(path), Some(home)) if path.starts_with("~/") => home.join(&path[2..]),
                _ => PathBuf::from(value),
            })
        };
        // Without a home folder, the cache is in the working folder, where the user sees it.
        let user_cache = || home.clone().unwrap_or_default().join(".cache");
        let hf_home = folder("HF_HOME")
            .unwrap_or_else(|| folder("XDG_CACHE_HOME").unwrap_or_else(user_cache).join("huggingface"));
        let token = text("HF_TOKEN").or_else(|| {
            let path = folder("HF_TOKEN_PATH").unwrap_or_else(|| hf_home.join("token"));
            fs::read_to_string(path).ok()
        });
        let truthy = |name: &str| {
            text(name).is_some_and(|value| ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str()))
        };

        let mut options = Self::new(folder("HF_HUB_CACHE").unwrap_or_else(|| hf_home.join("hub")))
            .with_token(token.as_deref().unwrap_or_default());
        options.offline = truthy("HF_HUB_OFFLINE") || truthy("TRANSFORMERS_OFFLINE");
        if let Some(endpoint) = text("HF_ENDPOINT") {
            options.endpoint = endpoint;
        }
        let either = |name: &str| text(name).or_else(|| text(&name.to_ascii_lowercase()));
        if let Some(proxy) = ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"].into_iter().find_map(either) {
            options = options.with_proxy(&proxy, &either("NO_PROXY").unwrap_or_default());
        }
        options
    }

    /// Adds the token that private and gated repositories need; white space around it is dropped.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        let token = token.trim();
        self.token = (!token.is_empty()).then(|| token.to_owned());
        self
    }

    /// Sends requests through a proxy: `http://`, `https://`, `socks4://`, `socks4a://` or `socks5://`, with
    /// `user:password@` where it asks for them. The hosts in `no_proxy`, between commas, are reached without it.
    #[must_use]
    pub fn with_proxy(mut self, proxy: &str, no_proxy: &str) -> Self {
        self.proxy = Some((proxy.to_owned(), no_proxy.to_owned()));
        self
    }
}

#[cfg(feature = "download")]
impl HubOptions {
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The endpoint in the form that paths are appended to.
    pub(super) fn endpoint(&self) -> &str {
        self.endpoint.trim_end_matches('/')
    }

    /// The address of the proxy.
    pub(super) fn proxy(&self) -> Option<&str> {
        self.proxy.as_ref().map(|(proxy, _)| proxy.as_str())
    }

    /// The hosts that are reached without the proxy.
    pub(super) fn no_proxy(&self) -> impl Iterator<Item = &str> {
        let hosts = self.proxy.as_ref().map_or("", |(_, hosts)| hosts.as_str());
        hosts.split(',').map(str::trim).filter(|host| !host.is_empty())
    }

    /// `text` without the token, and without the user and the password in the addresses of hub and proxy: the HTTP
    /// client quotes what it rejects.
    pub(super) fn redact(&self, text: &str) -> String {
        let logins = [Some(self.endpoint.as_str()), self.proxy()].into_iter().flatten().filter_map(user_info);
        let passwords = logins.clone().filter_map(|login| login.split_once(':')).map(|(_, password)| password);
        let secrets = self.token().into_iter().chain(logins).chain(passwords).filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

/// `user:password` of a URL, where it has them.
fn user_info(url: &str) -> Option<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(info, _)| info)
}

/// A URL as it may be shown.
fn shown(url: &str) -> String {
    match user_info(url) {
        Some(info) => url.replacen(info, "***", 1),
        None => url.to_owned(),
    }
}

impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions")
            .field("offline", &self.offline)
            .field("cache", &self.cache)
            .field("endpoint", &shown(&self.endpoint))
            .field("answer_timeout", &self.answer_timeout)
            .field("stall_timeout", &self.stall_timeout)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("proxy", &self.proxy.as_ref().map(|(proxy, _)| shown(proxy)))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> HubOptions {
        let lookup =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        HubOptions::from_variables(&lookup, Some(PathBuf::from("home")))
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
            #[cfg(feature = "download")]
            assert!(!options.redact(&format!("{endpoint} and p@ss")).contains("p@ss"));
        }
        assert!(format!("{:?}", options(&[("HF_ENDPOINT", "https://m/a@b")])).contains("https://m/a@b"));
        let proxied = options(&[("ALL_PROXY", "socks5://me:p@ss@proxy.example")]);
        assert!(!format!("{proxied:?}").contains("p@ss"), "{proxied:?}");
        #[cfg(feature = "download")]
        assert!(!proxied.redact("socks5://me:p@ss@proxy.example and p@ss").contains("p@ss"));
    }

    #[cfg(feature = "download")]
    #[test]
    fn the_proxy_is_read_from_the_variables() {
        let proxy = |variables: &[(&str, &str)]| options(variables).proxy().map(str::to_owned);
        assert_eq!(proxy(&[]), None);
        assert_eq!(proxy(&[("HTTP_PROXY", "a"), ("https_proxy", "b")]).as_deref(), Some("b"));
        assert_eq!(proxy(&[("HTTPS_PROXY", "b"), ("ALL_PROXY", "c")]).as_deref(), Some("c"));
        let options = options(&[("ALL_PROXY", "c"), ("NO_PROXY", "localhost, .example.org")]);
        assert_eq!(options.no_proxy().collect::<Vec<_>>(), ["localhost", ".example.org"]);
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
