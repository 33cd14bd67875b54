//! The bearer token.

use std::hint::black_box;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};

use crate::failure::Failure;

/// Checks the header `Authorization: Bearer TOKEN`.
pub(crate) fn check(headers: &HeaderMap, token: &str) -> Result<(), Failure> {
    let refused = |message: &str| Failure::new(StatusCode::UNAUTHORIZED, message);
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(refused("this server asks for a token: `Authorization: Bearer TOKEN`"));
    };
    let given = value.as_bytes().split_first_chunk::<7>().filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    match given {
        Some((_, given)) if equal(given.trim_ascii(), token.as_bytes()) => Ok(()),
        _ => Err(refused("the token is not that of this server")),
    }
}

/// Compares two secrets in a time that depends on their lengths only.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
    a.len() == b.len() && black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_accepted() {
        for (value, accepted) in [
            ("Bearer secret", true),
            ("bearer  secret", true),
            ("Bearer secre", false),
            ("Bearer secrets", false),
            ("Bearer ", false),
            ("Basic secret", false),
            ("secret", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().expect("a value"))]);
            assert_eq!(check(&headers, "secret").is_ok(), accepted, "{value}");
        }
        assert!(check(&HeaderMap::new(), "secret").is_err());
    }
}
