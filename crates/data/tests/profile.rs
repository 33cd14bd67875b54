//! Statistics of a profile.

use rekindle_data::{Conflict, Leaks, Profile, Row, Sample};

fn row(line: u64, text: &str, label: &str) -> Row {
    Row { text: text.into(), text_pair: None, label: label.into(), line, ..Row::default() }
}

fn profile(rows: &[(&str, &str)]) -> Profile {
    let mut profile = Profile::default();
    for (line, (text, label)) in (1..).zip(rows) {
        profile.add(&row(line, text, label));
    }
    profile
}

#[test]
fn classes_are_sorted_and_counted() {
    let classes = profile(&[("a", "10"), ("b", "9"), ("c", "10")]).classes();
    assert_eq!(classes, [("9".to_string(), 1), ("10".to_string(), 2)]);
    assert_eq!(profile(&[]).classes(), []);
    let long = "ä".repeat(300);
    let profile = profile(&[(" ", "x"), (&long, "y"), ("first", "x"), ("second", "x")]);
    assert_eq!(profile.sample("x"), Some(&Sample { line: 3, text: "first".into(), text_pair: None }));
    assert_eq!(profile.sample("y").map(|sample| sample.text.chars().count()), Some(200));
    assert_eq!(profile.sample("z"), None);
}

#[test]
fn texts_are_compared_without_white_space_and_case() {
    let profile = profile(&[
        ("Good  Film", "1"),
        (" good\tfilm\n", "1"),
        ("good film!", "1"),
        ("GOOD FILM", "0"),
        (" \u{a0}\n", "0"),
        ("", "1"),
        ("good film", "0"),
    ]);
    assert_eq!((profile.rows(), profile.empty()), (7, 2));
    assert_eq!((profile.duplicates(), profile.contradictions()), (3, 2));
    let conflict = |line| Conflict { first_line: 1, first_label: "1".into(), line, label: "0".into() };
    assert_eq!(profile.conflicts(), [conflict(4), conflict(7)]);
}

#[test]
fn counts_are_complete_and_examples_are_limited() {
    let rows: Vec<(String, &str)> =
        (0..3000).map(|i| (format!("text {}", i % 1000), if i < 1000 { "a" } else { "b" })).collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(text, label)| (text.as_str(), *label)).collect();
    let train = profile(&rows);
    assert_eq!((train.duplicates(), train.contradictions(), train.conflicts().len()), (2000, 2000, 5));

    let mut leaks = Leaks::default();
    for (line, text) in (1..).zip(["new", "TEXT 999", "", "text 1000", "text  0"]) {
        leaks.add(&train, &row(line, text, "a"));
    }
    assert_eq!((leaks.rows(), leaks.examples()), (2, &[(1000, 2), (1, 5)][..]));
}

#[test]
fn line_numbers_saturate() {
    let mut profile = Profile::default();
    profile.add(&row(1 << 40, "a", "0"));
    profile.add(&row((1 << 40) + 1, "a", "1"));
    assert_eq!((profile.conflicts()[0].first_line, profile.conflicts()[0].line), (u32::MAX.into(), (1 << 40) + 1));
}
