//! A summary of a file of labelled texts, computed row by row.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use twox_hash::XxHash64;

use crate::classes::Classes;
use crate::equal_texts::normalise_pair;
use crate::lengths::Lengths;
use crate::read::Row;
use crate::time::Time;

/// The number of places that are kept as examples of each kind.
const EXAMPLES: usize = 5;
/// The number of characters that are kept of a text.
const SAMPLE: usize = 200;

/// Statistics of a file that is too large for memory: classes, empty and duplicate texts, conflicting labels, lengths.
///
/// Two texts are equal as in [`text_groups`](crate::text_groups): after normalisation of Unicode, case and white space. For each distinct text, the profile keeps a
/// 64-bit hash (XXH64 without a key), its first line and its class: 20 to 40 bytes per text, independent of its length,
/// and half as much again while the table grows. The probability that any two of n distinct texts have the same hash is
/// about n² / 2⁶⁵: 1 in 37 million for a million texts, 1 in 3,700 for a hundred million. An attacker can construct
/// texts with equal hashes.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    classes: HashMap<String, (u32, u64)>,
    /// The rows of each of several labels; `classes` then has their combinations.
    labels: BTreeMap<String, u64>,
    names: Vec<String>,
    samples: Vec<Option<Sample>>,
    /// The first text with each label, if rows may have several.
    label_samples: HashMap<String, Sample>,
    rows: u64,
    empty: u64,
    duplicates: u64,
    contradictions: u64,
    conflicts: Vec<Conflict>,
    lengths: Lengths,
    texts: HashMap<u64, First, BuildHasherDefault<Identity>>,
    /// The rows of each group.
    groups: HashMap<String, u64>,
    /// The oldest and the newest time.
    times: Option<(Time, Time)>,
    normal: String,
    symmetric: bool,
}

/// The first occurrence of a text. Lines above 2³² - 1 are stored as 2³² - 1, so that a text takes 16 bytes.
#[derive(Clone, Copy, Debug)]
struct First {
    line: u32,
    class: u32,
}

/// A text of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The line of the text, as [`Row::line`].
    pub line: u64,
    /// The text, at most its first 200 characters.
    pub text: String,
    /// The second text of a text pair, at most its first 200 characters.
    pub text_pair: Option<String>,
}

/// A text with two different labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The first occurrence of the text, as [`Row::line`].
    pub first_line: u64,
    /// Its label there.
    pub first_label: String,
    /// The later occurrence.
    pub line: u64,
    /// Its label there.
    pub label: String,
}

impl Profile {
    /// Returns the profile of no rows. If pairs are `symmetric`, a pair with exchanged texts is a duplicate, as in
    /// [`pair_groups`](crate::pair_groups).
    pub fn new(symmetric: bool) -> Self {
        Self { symmetric, ..Self::default() }
    }

    /// Adds a row.
    pub fn add(&mut self, row: &Row) {
        self.rows += 1;
        let class = self.class(&row.label);
        for label in row.labels.iter().flatten() {
            *self.labels.entry(label.clone()).or_default() += 1;
        }
        if let Some(time) = row.time {
            let (oldest, newest) = self.times.unwrap_or((time, time));
            self.times = Some((oldest.min(time), newest.max(time)));
        }
        if let Some(group) = &row.group {
            match self.groups.get_mut(group) {
                Some(rows) => *rows += 1,
                None => _ = self.groups.insert(group.clone(), 1),
            }
        }
        if is_empty(row) {
            self.empty += 1;
            return;
        }
        normalise_pair(&row.text, row.text_pair.as_deref(), self.symmetric, &mut self.normal);
        let start = |text: &String| text.chars().take(SAMPLE).collect();
        let sample = || Sample { line: row.line, text: start(&row.text), text_pair: row.text_pair.as_ref().map(start) };
        self.samples[class as usize].get_or_insert_with(sample);
        for label in row.labels.iter().flatten() {
            if !self.label_samples.contains_key(label) {
                self.label_samples.insert(label.clone(), sample());
            }
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

    /// Adds the number of tokens of a text.
    pub fn add_length(&mut self, tokens: usize) {
        self.lengths.add(tokens);
    }

    /// Returns the number of a label, from 0 in the order of occurrence.
    fn class(&mut self, label: &str) -> u32 {
        if let Some((class, count)) = self.classes.get_mut(label) {
            *count += 1;
            return *class;
        }
        let class = self.names.len() as u32;
        self.names.push(label.into());
        self.samples.push(None);
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

    /// Returns the number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns each class or label with its number of rows, in the order of [`Classes`].
    pub fn classes(&self) -> Vec<(String, u64)> {
        if !self.labels.is_empty() {
            let labels = Classes::from_labels(self.labels.keys().map(String::as_str));
            return labels.names().iter().map(|name| (name.clone(), self.labels[name])).collect();
        }
        let classes = Classes::from_labels(self.names.iter().map(String::as_str));
        classes.names().iter().map(|name| (name.clone(), self.classes.get(name).map_or(0, |(_, rows)| *rows))).collect()
    }

    /// Returns the first text of a class, or with a label, that is not empty.
    pub fn sample(&self, class: &str) -> Option<&Sample> {
        if let Some(sample) = self.label_samples.get(class) {
            return Some(sample);
        }
        self.classes.get(class).and_then(|(class, _)| self.samples[*class as usize].as_ref())
    }

    /// Returns the number of rows whose text, or a text of whose pair, is empty or only white space. They do not count as
    /// duplicates.
    pub fn empty(&self) -> u64 {
        self.empty
    }

    /// Returns the number of rows whose text occurred before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Returns the number of rows whose text first occurred with another label.
    pub fn contradictions(&self) -> u64 {
        self.contradictions
    }

    /// Returns the first five conflicts.
    pub fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    /// Returns the number of groups; 0 if their column was not read.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Returns the group with the most rows, the first by name of several, and their number.
    pub fn largest_group(&self) -> Option<(&str, u64)> {
        let largest = self.groups.iter().max_by(|(a, rows), (b, others)| rows.cmp(others).then_with(|| b.cmp(a)));
        largest.map(|(name, rows)| (name.as_str(), *rows))
    }

    /// Returns the oldest and the newest time, if their column was read.
    pub fn times(&self) -> Option<(Time, Time)> {
        self.times
    }

    /// Returns the lengths that were added.
    pub fn lengths(&self) -> &Lengths {
        &self.lengths
    }

    /// Returns the first occurrence of a normalised text, as [`Row::line`].
    fn first_line(&self, normal: &str) -> Option<u64> {
        self.texts.get(&hash(normal)).map(|first| first.line.into())
    }
}

/// Texts and groups of a training file that also occur in its test file, whose rows are added one by one.
#[derive(Clone, Debug, Default)]
pub struct Leaks {
    rows: u64,
    of_groups: u64,
    not_newer: u64,
    examples: Vec<(u64, u64)>,
    normal: String,
}

impl Leaks {
    /// Looks up a row of the test file in the training file.
    pub fn add(&mut self, train: &Profile, row: &Row) {
        self.of_groups += u64::from(row.group.as_ref().is_some_and(|group| train.groups.contains_key(group)));
        let newest = train.times.map(|(_, newest)| newest);
        self.not_newer += u64::from(row.time.zip(newest).is_some_and(|(time, newest)| time <= newest));
        if is_empty(row) {
            return;
        }
        normalise_pair(&row.text, row.text_pair.as_deref(), train.symmetric, &mut self.normal);
        if let Some(line) = train.first_line(&self.normal) {
            self.rows += 1;
            if self.examples.len() < EXAMPLES {
                self.examples.push((line, row.line));
            }
        }
    }

    /// Returns the number of rows of the test file whose text occurs in the training file, except empty texts.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the number of rows of the test file whose group occurs in the training file.
    pub fn of_groups(&self) -> u64 {
        self.of_groups
    }

    /// Returns the number of rows of the test file that are not newer than the newest row of the training file.
    pub fn not_newer(&self) -> u64 {
        self.not_newer
    }

    /// Returns the first five: the line in the training file, and the line in the test file.
    pub fn examples(&self) -> &[(u64, u64)] {
        &self.examples
    }
}

/// Returns whether a text of a row is empty or only white space.
fn is_empty(row: &Row) -> bool {
    let is_blank = |text: &str| text.trim().is_empty();
    is_blank(&row.text) || row.text_pair.as_deref().is_some_and(is_blank)
}

fn hash(normal: &str) -> u64 {
    XxHash64::oneshot(0, normal.as_bytes())
}

/// A hasher for keys that are hashes already.
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
    use super::hash;

    #[test]
    fn the_hash_is_xxh64() {
        // Values of the xxHash reference implementation, seed 0.
        assert_eq!(hash(""), 0xef46_db37_51d8_e999);
    }
}
