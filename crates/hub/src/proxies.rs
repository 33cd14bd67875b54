//! Which proxy a URL is reached through, as requests, httpx and curl decide it.

#[cfg(feature = "download")]
use std::net::IpAddr;

/// The proxies of the two schemes, and the hosts that are reached without one.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    http: Option<String>,
    https: Option<String>,
    #[cfg_attr(not(feature = "download"), expect(dead_code))]
    no_proxy: String,
}

impl Proxies {
    /// One proxy for both schemes.
    pub(super) fn new(proxy: &str, no_proxy: &str) -> Self {
        Self { http: Some(proxy.to_owned()), https: Some(proxy.to_owned()), no_proxy: no_proxy.to_owned() }
    }

    /// The proxies of `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`; the lower-case name has precedence.
    pub(super) fn from_variables(text: &dyn Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| text(&name.to_ascii_lowercase()).or_else(|| text(name));
        let proxy = |name: &str| either(name).or_else(|| either("ALL_PROXY"));
        Self {
            http: proxy("HTTP_PROXY"),
            https: proxy("HTTPS_PROXY"),
            no_proxy: either("NO_PROXY").unwrap_or_default(),
        }
    }

    /// The addresses of the proxies.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> + Clone {
        [&self.http, &self.https].into_iter().flatten().map(String::as_str)
    }
}

#[cfg(feature = "download")]
impl Proxies {
    /// The address of the proxy for a host, if it is reached through one.
    pub(super) fn get(&self, scheme: &str, host: &str, port: Option<u16>) -> Option<&str> {
        let (proxy, default) = if scheme == "https" { (&self.https, 443) } else { (&self.http, 80) };
        let proxy = proxy.as_deref()?;
        (!is_excepted(&self.no_proxy, host, port.unwrap_or(default))).then_some(proxy)
    }
}

/// Whether a list of hosts (`NO_PROXY`) has a host.
#[cfg(feature = "download")]
fn is_excepted(no_proxy: &str, host: &str, port: u16) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches([']', '.']).to_ascii_lowercase();
    let address = host.parse::<IpAddr>().ok();
    let entries = no_proxy.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
    entries.into_iter().any(|entry| {
        let (name, wanted) = split_port(entry);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let matches = match address {
            _ if name == "*" => true,
            Some(address) => is_in_range(address, name),
            None => {
                let domain = name.trim_start_matches('*').trim_matches('.').to_ascii_lowercase();
                let prefix = host.strip_suffix(&domain).filter(|_| !domain.is_empty());
                prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            }
        };
        matches && wanted.is_none_or(|wanted| wanted == port)
    })
}

/// A host and its port, if there is one. The last part of an IPv6 address without brackets is not a port.
#[cfg(feature = "download")]
fn split_port(entry: &str) -> (&str, Option<u16>) {
    let split = entry.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    match split.map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host, Some(port)),
        _ => (entry, None),
    }
}

/// Whether an address is the one of an entry, or in its range (`10.0.0.0/8`).
#[cfg(feature = "download")]
fn is_in_range(address: IpAddr, entry: &str) -> bool {
    let (network, length) = entry.split_once('/').map_or((entry, None), |(network, length)| (network, Some(length)));
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let Ok(network) = network.parse::<IpAddr>() else { return false };
    let ((address, width), (network, network_width)) = (bits(address), bits(network));
    let length = length.map_or(Ok(width), str::parse::<u32>);
    let same = |length: u32| (address ^ network).checked_shr(128 - length).unwrap_or(0) == 0;
    width == network_width && length.is_ok_and(|length| length <= width && same(length))
}

#[cfg(all(test, feature = "download"))]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Proxies::from_variables(&lookup)
    }

    #[test]
    fn the_scheme_of_the_url_decides_on_the_proxy() {
        let get = |scheme: &str, variables: &[(&str, &str)]| {
            proxies(variables).get(scheme, "hub.example", None).map(str::to_owned)
        };
        assert_eq!(get("https", &[]), None);
        assert_eq!(get("https", &[("HTTP_PROXY", "a")]), None);
        assert_eq!(get("http", &[("HTTP_PROXY", "a"), ("https_proxy", "b")]).as_deref(), Some("a"));
        assert_eq!(get("https", &[("HTTP_PROXY", "a"), ("https_proxy", "b")]).as_deref(), Some("b"));
        assert_eq!(get("https", &[("HTTPS_PROXY", "b"), ("ALL_PROXY", "c")]).as_deref(), Some("b"));
        assert_eq!(get("http", &[("HTTPS_PROXY", "b"), ("ALL_PROXY", "c")]).as_deref(), Some("c"));
        assert_eq!(get("https", &[("HTTPS_PROXY", "b"), ("https_proxy", "c")]).as_deref(), Some("c"));
        assert_eq!(get("https", &[("ALL_PROXY", "c"), ("no_proxy", "example")]), None);
    }

    #[test]
    fn a_list_of_hosts_is_read_as_curl_reads_it() {
        for (list, host, port) in [
            ("*", "hub.example", 443),
            ("other, hub.example", "hub.example", 443),
            ("other hub.example", "HUB.example", 443),
            ("example", "hub.example", 443),
            (".hub.example", "hub.example", 443),
            (".example", "hub.example", 443),
            ("*.example", "a.hub.example", 443),
            ("hub.example:8443", "hub.example", 8443),
            ("hub.example", "hub.example.", 80),
            ("127.0.0.1", "127.0.0.1", 80),
            ("127.0.0.1:8080", "127.0.0.1", 8080),
            ("10.0.0.0/8", "10.20.30.40", 80),
            ("192.168.1.128/25", "192.168.1.200", 80),
            ("0.0.0.0/0", "8.8.8.8", 80),
            ("::1", "[::1]", 80),
            ("[::1]:8080", "[::1]", 8080),
            ("fd00::/8", "[fd12::1]", 80),
        ] {
            assert!(is_excepted(list, host, port), "{list}: {host}:{port}");
        }
        for (list, host, port) in [
            ("", "hub.example", 443),
            (",, ", "hub.example", 443),
            (".", "hub.example", 443),
            ("ample", "hub.example", 443),
            ("hub.example", "example", 443),
            ("hub.example:8443", "hub.example", 443),
            ("a.hub.example", "hub.example", 443),
            ("0.0.1", "127.0.0.1", 80),
            ("10.0.0.0/8", "11.0.0.1", 80),
            ("192.168.1.128/25", "192.168.1.100", 80),
            ("10.0.0.0/33", "10.0.0.0", 80),
            ("10.0.0.0/x", "10.0.0.0", 80),
            ("::/0", "10.0.0.0", 80),
            ("::1", "[::2]", 80),
        ] {
            assert!(!is_excepted(list, host, port), "{list}: {host}:{port}");
        }
    }
}
