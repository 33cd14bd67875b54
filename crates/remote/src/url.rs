//! Addresses of hosts.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The text is not the address of a host.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("is neither ws://NAME:PORT nor iroh://ID@NAME:PORT; `rekindle host` prints its own")]
pub struct InvalidUrl;

/// The address of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostUrl {
    /// `ws://NAME:PORT`: not encrypted.
    WebSocket(String),
    /// `iroh://ID@NAME:PORT`: encrypted, and only the owner of the identity can answer.
    Iroh {
        /// The identity, as `rekindle host` prints it.
        id: String,
        /// Name and port.
        address: String,
    },
}

impl FromStr for HostUrl {
    type Err = InvalidUrl;

    fn from_str(url: &str) -> Result<Self, InvalidUrl> {
        let has_port = |address: &str| address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let plain = url.trim_end_matches('/');
        let known = match plain.split_once("://") {
            Some(("ws", address)) if has_port(address) => Some(Self::WebSocket(plain.into())),
            Some(("iroh", rest)) => rest
                .split_once('@')
                .filter(|(id, address)| !id.is_empty() && has_port(address))
                .map(|(id, address)| Self::Iroh { id: id.into(), address: address.into() }),
            _ => None,
        };
        known.ok_or(InvalidUrl)
    }
}

impl HostUrl {
    /// Returns the name of a device of the host: the URL, with `#index` for all but the first.
    #[must_use]
    pub fn device_name(&self, index: usize) -> String {
        if index == 0 { self.to_string() } else { format!("{self}#{index}") }
    }
}

impl fmt::Display for HostUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WebSocket(url) => f.write_str(url),
            Self::Iroh { id, address } => write!(f, "iroh://{id}@{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_written() {
        for url in ["ws://127.0.0.1:3000", "ws://[::1]:3000", "iroh://abc@10.0.0.1:3000"] {
            assert_eq!(url.parse::<HostUrl>().expect(url).to_string(), url);
        }
        assert_eq!("ws://gpu:3000/".parse(), Ok(HostUrl::WebSocket("ws://gpu:3000".into())));
        for url in ["", "gpu:3000", "ws://gpu", "wss://gpu:3000", "http://gpu:3000", "iroh://abc", "iroh://@gpu:3000"] {
            assert!(url.parse::<HostUrl>().expect_err(url).to_string().contains("ws://NAME:PORT"), "{url}");
        }
    }
}
