//! How counts and texts are written.

use rekindle::report::thousands;

/// Maximum number of characters of an example.
const EXAMPLE: usize = 60;

/// The beginning of a text, on one line.
pub(super) fn shortened(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(EXAMPLE) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// `12 (3.45 %)`.
pub(super) fn of(count: u64, rows: u64) -> String {
    format!("{} ({:.2} %)", thousands(count), 100.0 * share(count, rows))
}

/// `count / rows`; 0 without rows.
pub(super) fn share(count: u64, rows: u64) -> f64 {
    if rows == 0 { 0.0 } else { count as f64 / rows as f64 }
}
