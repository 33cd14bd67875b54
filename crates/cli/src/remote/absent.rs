//! What there is without the feature `remote`: words that say so.

use std::error::Error;

use rekindle_experiment::Unavailable;

use super::Offer;
use crate::cli::HostArgs;
use crate::exit::Failure;
use crate::host_url::HostUrl;
use crate::token::Token;

const ABSENT: &str = "remote devices were not compiled in; build with `--features remote`";

/// Says what is missing.
pub fn connect(_: &HostUrl, _: Option<&Token>, _: usize) -> Result<Offer, Unavailable> {
    Err(Unavailable::Refused(ABSENT.into()))
}

/// Says what is missing.
pub fn offers(_: &HostUrl, _: Option<&Token>) -> Result<Vec<Offer>, Unavailable> {
    Err(Unavailable::Refused(ABSENT.into()))
}

/// Says what is missing.
pub fn serve(_: &HostArgs) -> Result<(), Box<dyn Error>> {
    Err(Failure::usage(ABSENT).into())
}
