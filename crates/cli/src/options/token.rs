//! The token that a host asks for, from a file or the environment.

use std::fs;
use std::path::Path;

use rekindle::remote::Token;

use crate::exit::Failure;

/// The environment variable that is read if no file is given.
pub const VARIABLE: &str = "REKINDLE_TOKEN";

/// Reads the token from `file`, or from the environment; `None` if there is neither.
///
/// # Errors
/// Returns an error if the file cannot be read, or the token is empty or has several lines.
pub fn find(file: Option<&Path>) -> Result<Option<Token>, Failure> {
    let (place, token) = match (file, std::env::var(VARIABLE)) {
        (Some(path), _) => {
            let place = path.display().to_string();
            let token = fs::read_to_string(path).map_err(|error| Failure::input(format!("{place}: {error}")))?;
            (place, token)
        }
        (None, Ok(token)) => (VARIABLE.into(), token),
        (None, Err(_)) => return Ok(None),
    };
    token.parse().map(Some).map_err(|error| Failure::input(format!("{place}: {error}")))
}
