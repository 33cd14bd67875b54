//! Which names may be looked up.

use super::HubError;

/// The longest name that the hub allows for one part.
const MAX_PART: usize = 96;

/// Refuses everything that is not `name` or `organisation/name` in the hub's own alphabet.
///
/// The name becomes part of a URL and of a folder name, so this is also what keeps a name from leaving the cache.
pub(super) fn validate(id: &str) -> Result<(), HubError> {
    match broken_rule(id) {
        None => Ok(()),
        Some(reason) => Err(HubError::InvalidId { id: id.to_owned(), reason }),
    }
}

fn broken_rule(id: &str) -> Option<&'static str> {
    if id.matches('/').count() > 1 {
        return Some("it has more than one slash");
    }
    // `--` stands for the slash in the cache's folder names.
    if id.contains("..") || id.contains("--") {
        return Some("`..` and `--` are not allowed");
    }
    id.split('/').find_map(|part| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if part.is_empty() {
            Some("a part of it is empty")
        } else if part.len() > MAX_PART {
            Some("it is too long")
        } else if !part.chars().all(allowed) {
            Some("only letters, digits, `_`, `-` and `.` are allowed")
        } else if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) {
            Some("a part of it begins or ends with `-` or `.`")
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_hub_pass() {
        for id in [
            "distilbert-base-uncased",
            "distilbert/distilbert-base-uncased",
            "sentence-transformers/all-MiniLM-L6-v2",
            "a/b_c.d",
            "x",
        ] {
            assert!(validate(id).is_ok(), "{id}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = "a".repeat(97);
        for id in [
            "",
            "/",
            "..",
            "../x",
            "a/..",
            "a/../b",
            "a/b/c",
            "/etc/passwd",
            "/abs",
            "a/",
            "a\\b",
            "C:\\models",
            "C:x",
            "a--b",
            ".hidden",
            "a/-b",
            "a b",
            "a?x=1",
            "a#b",
            "a%2e%2e",
            "é",
            "a\nb",
            &long,
        ] {
            assert!(matches!(validate(id), Err(HubError::InvalidId { .. })), "{id:?}");
        }
    }
}
