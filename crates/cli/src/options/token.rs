//! The token that a host asks for, from a file or the environment. It is never printed.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::exit::Failure;

/// The environment variable that is read if no file is given.
const VARIABLE: &str = "REKINDLE_TOKEN";

/// A secret of one line that a host and its clients share.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Reads the token from `file`, or from the environment; `None` if there is neither.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or the token is empty or has several lines.
    pub fn find(file: Option<&Path>) -> Result<Option<Self>, Failure> {
        let (place, token) = match (file, std::env::var(VARIABLE)) {
            (Some(path), _) => {
                let place = path.display().to_string();
                let token = fs::read_to_string(path).map_err(|error| Failure::input(format!("{place}: {error}")))?;
                (place, token)
            }
            (None, Ok(token)) => (VARIABLE.into(), token),
            (None, Err(_)) => return Ok(None),
        };
        let token = token.trim();
        match token.is_empty() || token.contains('\n') {
            true => Err(Failure::input(format!("{place}: a token is one line that is not empty"))),
            false => Ok(Some(Self(token.into()))),
        }
    }

    /// The token itself.
    #[cfg_attr(not(feature = "remote"), expect(dead_code, reason = "only hosts read it"))]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
