//! Nearly equal texts of the files of `rekindle data`.

use std::collections::HashSet;

use rekindle::data::{NearDuplicates, Row, near_duplicates};
use rekindle::report::thousands;
use serde_json::{Value, json};

use super::wording::{of, shortened};
use crate::terminal::Display;

/// The texts of both files, one behind the other: unlike the profile, it needs them all.
pub struct NearTexts {
    similarity: f64,
    texts: Vec<(String, Option<String>)>,
    lines: Vec<u64>,
}

/// What was found.
pub struct Near {
    similarity: f64,
    rows: usize,
    /// Rows of the first file that are nearly equal to an earlier one, and the groups of them with several rows.
    repeated: usize,
    clusters: usize,
    /// The lines and the texts of an example, and their similarity. A line of the second file is behind those of the first.
    example: Option<Example>,
    /// Rows of the test file that are nearly equal to a row of the first.
    leaks: usize,
}

struct Example {
    lines: [u64; 2],
    are_in_test: [bool; 2],
    texts: [String; 2],
    similarity: f64,
}

impl NearTexts {
    pub fn new(similarity: f64) -> Self {
        Self { similarity, texts: Vec::new(), lines: Vec::new() }
    }

    pub fn add(&mut self, row: &Row) {
        self.texts.push((row.text.clone(), row.text_pair.clone()));
        self.lines.push(row.line);
    }

    /// Counts the nearly equal texts, of which the first `rows` are those of the first file.
    pub fn count(&self, rows: usize, symmetric: bool) -> Near {
        let texts = self.texts.iter().map(|(text, text_pair)| (text.as_str(), text_pair.as_deref()));
        let NearDuplicates { groups, example } = near_duplicates(texts, symmetric, self.similarity);
        let (first, second) = groups.split_at(rows);
        let (mut seen, mut several, mut repeated) = (HashSet::new(), HashSet::new(), 0);
        for group in first {
            if !seen.insert(*group) {
                several.insert(*group);
                repeated += 1;
            }
        }
        let example = example.map(|(a, b, similarity)| {
            let places = [a, b];
            Example {
                lines: places.map(|place| self.lines[place]),
                are_in_test: places.map(|place| place >= rows),
                texts: places.map(|place| self.texts[place].0.clone()),
                similarity,
            }
        });
        let leaks = second.iter().filter(|group| seen.contains(*group)).count();
        Near { similarity: self.similarity, rows, repeated, clusters: several.len(), example, leaks }
    }
}

impl Near {
    pub fn json(&self) -> Value {
        let example = self.example.as_ref().map(|example| {
            let file = |is_in_test: bool| if is_in_test { "test" } else { "data" };
            json!({
                "files": example.are_in_test.map(file),
                "lines": example.lines,
                "texts": example.texts,
                "similarity": example.similarity,
            })
        });
        json!({
            "similarity": self.similarity,
            "rows": self.repeated,
            "clusters": self.clusters,
            "example": example,
            "leaks": self.leaks,
        })
    }

    /// Prints what was found; the test file has `test` rows, if there is one.
    /// `units` are those of the two files.
    pub fn print(&self, display: &Display, units: [&str; 2], test: Option<u64>) {
        let clusters = if self.clusters == 1 { "group" } else { "groups" };
        display.line(&format!(
            "near-duplicates {}: a text before is equal, or nearly (similarity {}); {} {clusters}",
            of(self.repeated as u64, self.rows as u64),
            self.similarity,
            thousands(self.clusters)
        ));
        if let Some(Example { lines, are_in_test, texts, similarity }) = &self.example {
            let place = |index: usize| {
                let file = if are_in_test[index] { " of the test file" } else { "" };
                let unit = units[usize::from(are_in_test[index])];
                format!("{unit} {}{file} `{}`", lines[index], shortened(&texts[index]))
            };
            display.line(&format!("                {} and {}: {similarity:.2}", place(0), place(1)));
        }
        if let Some(rows) = test {
            display
                .line(&format!("near leaks      {}: equal or nearly equal in both files", of(self.leaks as u64, rows)));
        }
    }
}
