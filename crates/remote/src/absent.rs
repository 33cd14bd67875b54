//! Stands in for the modules of the feature `engine` where it is off: every function returns an error that names it.

use std::convert::Infallible;

use crate::connection::Connection;
use crate::serve::{ServeError, ServerOptions};
use crate::token::Token;
use crate::url::HostUrl;
use crate::work::Unavailable;

fn absent() -> Unavailable {
    Unavailable::Refused(ServeError::NotCompiled.to_string())
}

/// Returns an error: the feature `engine` is off.
///
/// # Errors
/// Always returns an error.
pub fn connect(_: &HostUrl, _: Option<&Token>, _: usize) -> Result<Connection, Unavailable> {
    Err(absent())
}

/// Returns an error: the feature `engine` is off.
///
/// # Errors
/// Always returns an error.
pub fn connect_all(_: &HostUrl, _: Option<&Token>) -> Result<Vec<Connection>, Unavailable> {
    Err(absent())
}

/// Devices that are offered to other machines.
#[derive(Debug)]
pub struct Server(Infallible);

impl Server {
    /// Returns an error: the feature `engine` is off.
    ///
    /// # Errors
    /// Always returns an error.
    pub fn bind(_: ServerOptions) -> Result<Self, ServeError> {
        Err(ServeError::NotCompiled)
    }

    /// Returns the address that clients connect to.
    pub fn url(&self) -> &HostUrl {
        match self.0 {}
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// Returns an error if Burn's engine fails.
    pub fn run(self) -> Result<(), ServeError> {
        match self.0 {}
    }
}
