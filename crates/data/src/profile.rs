//! What a file of labelled text holds, told row by row.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use twox_hash::XxHash64;

use crate::classes::Classes;
use crate::lengths::Lengths;
use crate::read::Row;

/// Places that are kept as examples, of each kind.
const EXAMPLES: usize = 5;

/// Counts of a file that is too large to keep: classes, empty and repeated texts, labels that contradict each other,
/// lengths.
///
/// Two texts are the same when they are equal once the space around them is trimmed, white space within is collapsed
/// to single spaces, and letters are lower-cased. Of each distinct text 64 bits are kept, of XXH64 without a key, with
/// its first line and class: 20 to 40 bytes a text, however long it is, and half as much again while the table grows.
/// Among n distinct texts, the odds that any two are taken for one are about n² / 2⁶⁵: 1 in 37 million for a million
/// texts, 1 in 3,700 for a hundred million. Whoever chose texts for the purpose could make them collide.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    classes: HashMap<String, (u32, u64)>,
    names: Vec<String>,
    rows: u64,
    empty: u64,
    duplicates: u64,
    contradictions: u64,
    conflicts: Vec<Conflict>,
    lengths: Lengths,
    texts: HashMap<u64, First, BuildHasherDefault<Identity>>,
    normal: String,
}

/// Where a text was met first. Lines beyond 2³² are told as 2³² - 1, so that a text takes 16 bytes.
#[derive(Clone, Copy, Debug)]
struct First {
    line: u32,
    class: u32,
}

/// A text that stands under two labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where the text is met first: as [`Row::line`].
    pub first_line: u64,
    /// Its label there.
    pub first_label: String,
    /// Where it is met again.
    pub line: u64,
    /// Its label there.
    pub label: String,
}

impl Profile {
    /// Counts a row.
    pub fn add(&mut self, row: &Row) {
        self.rows += 1;
        let class = self.class(&row.label);
        normalise(&row.text, &mut self.normal);
        if self.normal.is_empty() {
            self.empty += 1;
            return;
        }
        match self.texts.entry(hash(&self.normal)) {
            Entry::Vacant(entry) => {
                entry.insert(First { line: u32::try_from(row.line).unwrap_or(u32::MAX), class });
            }
            Entry::Occupied(entry) => {
                self.duplicates += 1;
                let first = *entry.get();
                if first.class != class {
                    self.contradict(first, row);
                }
            }
        }
    }

    /// Counts the tokens of a text.
    pub fn add_length(&mut self, tokens: usize) {
        self.lengths.add(tokens);
    }

    /// The number of a label, from 0 in the order in which they occur.
    fn class(&mut self, label: &str) -> u32 {
        if let Some((class, count)) = self.classes.get_mut(label) {
            *count += 1;
            return *class;
        }
        let class = self.names.len() as u32;
        self.names.push(label.into());
        self.classes.insert(label.into(), (class, 1));
        class
    }

    fn contradict(&mut self, first: First, row: &Row) {
        self.contradictions += 1;
        if self.conflicts.len() < EXAMPLES {
            self.conflicts.push(Conflict {
                first_line: first.line.into(),
                first_label: self.names[first.class as usize].clone(),
                line: row.line,
                label: row.label.clone(),
            });
        }
    }

    /// The rows counted.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Each class with its rows, in the order of [`Classes`].
    pub fn classes(&self) -> Vec<(String, u64)> {
        let classes = Classes::from_labels(self.names.iter().map(String::as_str));
        classes.names().iter().map(|name| (name.clone(), self.classes.get(name).map_or(0, |(_, rows)| *rows))).collect()
    }

    /// Rows whose text is empty, or nothing but white space. They count as no duplicates.
    pub fn empty(&self) -> u64 {
        self.empty
    }

    /// Rows whose text was met before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Rows whose text was met before, and first with another label.
    pub fn contradictions(&self) -> u64 {
        self.contradictions
    }

    /// The first five of the contradictions.
    pub fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    /// The lengths of the texts, where they were told.
    pub fn lengths(&self) -> &Lengths {
        &self.lengths
    }

    /// Where a text of this file was met first: as [`Row::line`].
    fn first_line(&self, normal: &str) -> Option<u64> {
        self.texts.get(&hash(normal)).map(|first| first.line.into())
    }
}

/// Texts of a training file that occur in its test file, told row by row of the latter.
#[derive(Clone, Debug, Default)]
pub struct Leaks {
    rows: u64,
    examples: Vec<(u64, u64)>,
    normal: String,
}

impl Leaks {
    /// Looks a row of the test file up among the texts of the training file.
    pub fn add(&mut self, train: &Profile, row: &Row) {
        normalise(&row.text, &mut self.normal);
        if let Some(line) = train.first_line(&self.normal) {
            self.rows += 1;
            if self.examples.len() < EXAMPLES {
                self.examples.push((line, row.line));
            }
        }
    }

    /// Rows of the test file whose text is in the training file too; empty texts are none.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The first five: where the text stands in the training file, and where in the test file.
    pub fn examples(&self) -> &[(u64, u64)] {
        &self.examples
    }
}

/// Writes the normal form of a text: its words in lower case with a space between two.
fn normalise(text: &str, normal: &mut String) {
    normal.clear();
    for word in text.split_whitespace() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.extend(word.chars().flat_map(char::to_lowercase));
    }
}

fn hash(normal: &str) -> u64 {
    XxHash64::oneshot(0, normal.as_bytes())
}

/// Passes on what is a hash already.
#[derive(Clone, Copy, Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::{hash, normalise};

    #[test]
    fn the_normal_form_is_what_the_documentation_says() {
        let mut normal = String::from("left over");
        for (text, expected) in
            [(" A\u{a0}\tb \r\n C ", "a b c"), ("\u{3000}\n", ""), ("ÄÖ ΣΑΣ ẞ", "äö σασ ß"), ("a b", "a b")]
        {
            normalise(text, &mut normal);
            assert_eq!(normal, expected, "{text:?}");
        }
    }

    #[test]
    fn the_hash_is_xxh64() {
        // From the reference implementation of xxHash, seed 0.
        assert_eq!(hash(""), 0xef46_db37_51d8_e999);
    }
}
