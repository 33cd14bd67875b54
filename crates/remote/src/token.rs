//! The secret that hosts and clients share.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A secret of one line. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The text is empty, or has several lines.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a token is one line that is not empty")]
pub struct InvalidToken;

impl FromStr for Token {
    type Err = InvalidToken;

    /// Reads a token; white space around it is dropped.
    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let token = text.trim();
        if token.is_empty() || token.contains('\n') { Err(InvalidToken) } else { Ok(Self(token.into())) }
    }
}

impl Token {
    /// Returns the secret itself.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_and_is_not_shown() {
        let token: Token = " secret\n".parse().expect("a token");
        assert_eq!(token, Token("secret".into()));
        assert_eq!(format!("{token:?}"), "Token(..)");
        for text in ["", " \n", "two\nlines"] {
            assert_eq!(text.parse::<Token>(), Err(InvalidToken), "{text:?}");
        }
    }
}
