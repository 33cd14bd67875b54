//! What a test file shares with the training file: labels, texts, groups and times.

use rekindle::data::Leaks;
use rekindle::report::thousands;
use serde_json::{Value, json};

use super::part::{NAMED, Part};
use super::wording::of;
use crate::terminal::Display;

/// Prints unknown labels and leakage of the test file.
pub fn print_against(display: &Display, test: &Part, train: &Part, leaks: &Leaks) {
    let unknown = test.unknown(train);
    let named: Vec<&str> = unknown.iter().take(NAMED).map(String::as_str).collect();
    match unknown.len() {
        0 => display.line("unknown labels  none: the training file has all of them"),
        count if count > NAMED => {
            display.line(&format!("unknown labels  {} and {} more", named.join(", "), thousands(count - NAMED)));
        }
        _ => display.line(&format!("unknown labels  {}: the training file has none of them", named.join(", "))),
    }
    display.line(&format!(
        "leaks           {}: the same text in {}",
        of(leaks.rows(), test.profile.rows()),
        train.path.display()
    ));
    for (train_line, test_line) in leaks.examples() {
        display.line(&format!(
            "                {} {train_line} there, {} {test_line} here",
            train.format.unit(),
            test.format.unit()
        ));
    }
}

/// Prints how many rows of the test file have a group of the training file.
pub fn print_group_leaks(display: &Display, test: &Part, train: &Part, leaks: &Leaks) {
    if let Some(column) = train.columns.group {
        let rows = of(leaks.of_groups(), test.profile.rows());
        let (column, path) = (train.columns.name(column), train.path.display());
        display.line(&format!("group leaks     {rows}: their group (`{column}`) is in {path}, too"));
    }
}

/// Prints how many rows of the test file are not newer than the training file.
pub fn print_not_newer(display: &Display, test: &Part, train: &Part, leaks: &Leaks) {
    if let Some((column, (_, newest))) = train.columns.time.zip(train.profile.times()) {
        let rows = of(leaks.not_newer(), test.profile.rows());
        let (column, path) = (train.columns.name(column), train.path.display());
        display.line(&format!(
            "not newer       {rows}: their time (`{column}`) is at most {newest}, the newest in {path}"
        ));
    }
}

/// The leaks as JSON.
pub fn leaks_json(leaks: &Leaks) -> Value {
    let example = |(train, test): &(u64, u64)| json!({ "data_line": train, "test_line": test });
    json!({ "rows": leaks.rows(), "examples": leaks.examples().iter().map(example).collect::<Vec<_>>() })
}
