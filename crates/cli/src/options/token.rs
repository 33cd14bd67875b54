//! The token that opens a host's devices: from a file or the environment, and shown to nobody.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::exit::Failure;

/// Where it is looked for when no file is named.
const VARIABLE: &str = "REKINDLE_TOKEN";

/// A secret that a host and its clients share: one line.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The one in `file`, or else the environment's; `None` where there is neither.
    ///
    /// # Errors
    /// When the file cannot be read, or the token is empty or has several lines.
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
    #[cfg_attr(not(feature = "remote"), expect(dead_code, reason = "nobody to show it to"))]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
