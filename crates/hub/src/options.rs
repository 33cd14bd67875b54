//! The addresses of the hub and of its cache, and what may be done there.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::proxies::Proxies;

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
    proxies: Proxies,
    /// Files and folders with the certificates of trusted authorities, instead of the system's.
    certificates: Vec<PathBuf>,
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
            proxies: Proxies::default(),
            certificates: Vec::new(),
        }
    }

    /// Settings from the environment variables that the Python libraries read, with the same meaning.
    ///
    /// - the cache: `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE`, else `TRANSFORMERS_CACHE`, else `hub` in `HF_HOME`,
    ///   else in `huggingface` in `XDG_CACHE_HOME`, else in `~/.cache/huggingface`;
    /// - the token: `HF_TOKEN`, else `HUGGING_FACE_HUB_TOKEN`, else the file `HF_TOKEN_PATH`, else the file `token` in
    ///   `HF_HOME`; none if `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set;
    /// - `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` set to `1`, `true`, `yes` or `on` forbids network access;
    /// - `HF_ENDPOINT` replaces the hub's address;
    /// - `HTTPS_PROXY` and `HTTP_PROXY`, by the scheme of the URL, else `ALL_PROXY` name a proxy, and `NO_PROXY` the
    ///   hosts that are reached without it ([`with_proxy`](Self::with_proxy)). The lower-case name has precedence;
    /// - the trusted certificates: `REQUESTS_CA_BUNDLE`, else `CURL_CA_BUNDLE` (a file or a folder), else
    ///   `SSL_CERT_FILE` and the folders of `SSL_CERT_DIR`, else the system's.
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
        let truthy = |name: &str| {
            text(name).is_some_and(|value| ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str()))
        };
        let variable = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"].into_iter().find_map(text);
        let token = variable.or_else(|| {
            let path = folder("HF_TOKEN_PATH").unwrap_or_else(|| hf_home.join("token"));
            fs::read_to_string(path).ok()
        });
        let token = token.filter(|_| !truthy("HF_HUB_DISABLE_IMPLICIT_TOKEN"));
        let cache = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE"].into_iter().find_map(folder);

        let mut options =
            Self::new(cache.unwrap_or_else(|| hf_home.join("hub"))).with_token(token.as_deref().unwrap_or_default());
        options.offline = truthy("HF_HUB_OFFLINE") || truthy("TRANSFORMERS_OFFLINE");
        if let Some(endpoint) = text("HF_ENDPOINT") {
            options.endpoint = endpoint;
        }
        options.proxies = Proxies::from_variables(&text);
        let bundle = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"].into_iter().find_map(folder);
        options.certificates = match bundle {
            Some(bundle) => vec![bundle],
            None => {
                let folders = set("SSL_CERT_DIR").map(|paths| std::env::split_paths(&paths).collect::<Vec<_>>());
                let paths = folder("SSL_CERT_FILE").into_iter().chain(folders.into_iter().flatten());
                paths.filter(|path| !path.as_os_str().is_empty()).collect()
            }
        };
        options
    }

    /// Adds the token that private and gated repositories need; white space around it is dropped.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        let token = token.trim();
        self.token = (!token.is_empty()).then(|| token.to_owned());
        self
    }

    /// Sends requests through a proxy: `http://`, `https://`, `socks4://`, `socks4a://`, `socks5://` or `socks5h://`,
    /// with `user:password@` where it asks for them.
    ///
    /// The hosts in `no_proxy`, between commas, are reached without it: `*` for all, a domain (with its subdomains), an
    /// address, or a range of addresses (`10.0.0.0/8`), each optionally with a port.
    #[must_use]
    pub fn with_proxy(mut self, proxy: &str, no_proxy: &str) -> Self {
        self.proxies = Proxies::new(proxy, no_proxy);
        self
    }

    /// Trusts the certificates in a file, or in the files of a folder (PEM), instead of the system's.
    #[must_use]
    pub fn with_certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.certificates = vec![path.into()];
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

    /// The address of the proxy for a URL, if it is reached through one.
    pub(super) fn proxy(&self, url: &ureq::http::Uri) -> Option<&str> {
        self.proxies.get(url.scheme_str()?, url.host()?, url.port_u16())
    }

    /// Files and folders with the certificates of trusted authorities; none for the system's.
    pub(super) fn certificates(&self) -> &[PathBuf] {
        &self.certificates
    }

    /// `text` without the token, and without the user and the password in the addresses of hub and proxies: the HTTP
    /// client quotes what it rejects.
    pub(super) fn redact(&self, text: &str) -> String {
        let logins = self.proxies.addresses().chain([self.endpoint.as_str()]).filter_map(user_info);
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
            .field("proxies", &self.proxies.addresses().map(shown).collect::<Vec<_>>())
            .field("certificates", &self.certificates)
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
        assert_eq!(cache(&[("HUGGINGFACE_HUB_CACHE", "old"), ("HF_HOME", "h")]), PathBuf::from("old"));
        assert_eq!(cache(&[("HUGGINGFACE_HUB_CACHE", "old"), ("HF_HUB_CACHE", "c")]), PathBuf::from("c"));
        assert_eq!(cache(&[("TRANSFORMERS_CACHE", "t"), ("HF_HOME", "h")]), PathBuf::from("t"));
        assert_eq!(cache(&[("TRANSFORMERS_CACHE", "t"), ("HUGGINGFACE_HUB_CACHE", "old")]), PathBuf::from("old"));
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

    #[test]
    fn certificates_are_those_of_the_variables() {
        let certificates = |variables: &[(&str, &str)]| options(variables).certificates;
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(certificates(&[("SSL_CERT_FILE", "")]), paths(&[]));
        assert_eq!(certificates(&[("SSL_CERT_FILE", "~/a.pem")]), paths(&["home/a.pem"]));
        assert_eq!(certificates(&[("SSL_CERT_FILE", "a"), ("CURL_CA_BUNDLE", "b")]), paths(&["b"]));
        assert_eq!(certificates(&[("REQUESTS_CA_BUNDLE", "c"), ("CURL_CA_BUNDLE", "b")]), paths(&["c"]));
        let folders = std::env::join_paths(["d", "e"]).expect("joined");
        let folders = folders.to_str().expect("UTF-8");
        assert_eq!(certificates(&[("SSL_CERT_FILE", "a"), ("SSL_CERT_DIR", folders)]), paths(&["a", "d", "e"]));
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
        let old = ("HUGGING_FACE_HUB_TOKEN", "hf_old");
        assert_eq!(options(&[("HF_HOME", path), old]).token.as_deref(), Some("hf_old"));
        assert_eq!(options(&[("HF_TOKEN", "hf_new"), old]).token.as_deref(), Some("hf_new"));
        assert_eq!(options(&[("HF_TOKEN", "hf_new"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token, None);
        assert!(!format!("{both:?}").contains("hf_variable"));
    }
}
