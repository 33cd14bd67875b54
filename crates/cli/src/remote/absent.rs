//! Stands in for the modules of the feature `remote` where it is off: every function returns an error that names it.

use std::net::SocketAddr;
use std::path::Path;

use rekindle::workers::Unavailable;

use super::Offer;
use crate::exit::Failure;
use crate::options::backend::Backend;
use crate::options::host_url::HostUrl;
use crate::options::token::Token;

const ABSENT: &str =
    "remote devices were not compiled in; install them with `cargo install --path crates/cli --features remote`";

/// Returns an error that names the feature.
pub fn connect(_: &HostUrl, _: Option<&Token>, _: usize) -> Result<Offer, Unavailable> {
    Err(Unavailable::Refused(ABSENT.into()))
}

/// Returns an error that names the feature.
pub fn offers(_: &HostUrl, _: Option<&Token>) -> Result<Vec<Offer>, Unavailable> {
    Err(Unavailable::Refused(ABSENT.into()))
}

/// Returns an error that names the feature.
pub fn serve(_: Backend, _: SocketAddr, _: Option<&Path>, _: Option<&Token>) -> Result<(), Failure> {
    Err(Failure::usage(ABSENT))
}
