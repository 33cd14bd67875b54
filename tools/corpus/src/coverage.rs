//! Checks that every word of the lexicon occurs in the corpus.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::Generator;
use crate::inflect::{Form, Tense, inflect};

/// Returns the entries of the lexicon files; of an entry with a slot, only the words before it.
fn lexicon() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lexicon");
    let mut entries = Vec::new();
    for file in fs::read_dir(folder).expect("the folder of the lexicon") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("UTF-8");
        let lines = text.lines().filter(|line| !line.starts_with(['#', '[']));
        let words = lines.flat_map(|line| line.split(',')).map(|entry| entry.split('<').next().unwrap_or_default());
        entries.extend(words.map(|entry| entry.trim().to_lowercase()).filter(|entry| !entry.is_empty()));
    }
    entries
}

/// Returns a text in lower case, where everything except letters, digits and characters within words is a space.
fn normalise(text: &str) -> String {
    let keep = |letter: char| if letter.is_alphanumeric() || "'-/+".contains(letter) { letter } else { ' ' };
    let text: String = text.to_lowercase().chars().map(keep).collect();
    format!(" {} ", text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn four_hundred_thousand_documents_use_every_entry() {
    use Form::{Base, Ed, En, Ing, Plural, S};
    let mut missing: HashMap<String, Vec<(String, usize)>> = HashMap::new();
    let mut left = lexicon();
    left.sort();
    left.dedup();
    for (index, entry) in left.iter().enumerate() {
        for form in [Base, S, Ed, En, Ing, Plural] {
            let words = normalise(&inflect(entry, form, Tense::Present));
            let first = words.split_whitespace().next().expect("a word").to_string();
            missing.entry(first).or_default().push((words, index));
        }
    }
    for document in Generator::new(5).take(400_000) {
        let text = normalise(&document.text);
        for (space, _) in text.match_indices(' ') {
            let rest = &text[space..];
            let first = rest[1..].split(' ').next().unwrap_or_default();
            let Some(candidates) = missing.get_mut(first) else { continue };
            for (words, index) in &*candidates {
                if rest.starts_with(words.as_str()) {
                    left[*index].clear();
                }
            }
            candidates.retain(|(_, index)| !left[*index].is_empty());
        }
    }
    left.retain(|entry| !entry.is_empty());
    assert!(left.is_empty(), "never drawn: {left:?}");
}
