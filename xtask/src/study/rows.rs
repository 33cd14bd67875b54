//! The data sets of the study, and the draws of their rows: the files that Rekindle and its peers read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::cell::Condition;
use crate::random::Random;
use crate::tables::{csv, tab_separated};

/// A data set below `--data`, and what is measured on it.
pub(super) struct DataSet {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    train: &'static str,
    test: &'static str,
    layout: Layout,
    /// A column of `tl_results.csv`, computed as in scikit-learn.
    pub(super) metric: &'static str,
    pub(super) max_length: &'static str,
    /// What `rekindle` and `peers.py` need beyond the files.
    pub(super) options: &'static [&'static str],
    pub(super) approaches: &'static [&'static str],
}

/// How a file stores its rows.
enum Layout {
    /// Lines of text, tab, label, and what else follows, without a header.
    Lines,
    /// CSV with quotes and a header: text, label.
    Quoted,
    /// Lines with a header: label, two identifiers, two texts.
    Pairs,
}

pub(super) const DATA_SETS: &[DataSet] = &[
    DataSet {
        name: "sst2",
        title: "SST-2: 2 classes",
        train: "sst2/train.tsv",
        test: "sst2/dev.tsv",
        layout: Layout::Lines,
        metric: "accuracy",
        max_length: "64",
        options: &[],
        approaches: ALL,
    },
    DataSet {
        name: "banking77",
        title: "banking77: 77 classes",
        train: "banking77/train.csv",
        test: "banking77/test.csv",
        layout: Layout::Quoted,
        metric: "accuracy",
        max_length: "64",
        options: &[],
        approaches: ALL,
    },
    DataSet {
        name: "goemotions",
        title: "GoEmotions: 28 labels, several per text",
        train: "goemotions/train.tsv",
        test: "goemotions/test.tsv",
        layout: Layout::Lines,
        metric: "average_precision",
        max_length: "64",
        options: &["--label-separator", ","],
        approaches: &[
            "majority",
            "tfidf",
            "probe",
            "contrastive",
            "lora",
            "last-2",
            "full",
            "fit",
            "sentence-transformers",
            "trainer",
        ],
    },
    DataSet {
        name: "mrpc",
        title: "MRPC: pairs of texts, 2 classes",
        train: "mrpc/train.txt",
        test: "mrpc/test.txt",
        layout: Layout::Pairs,
        metric: "accuracy",
        max_length: "128",
        options: &["--text-pair-column", "text_pair"],
        approaches: &["majority", "tfidf", "probe", "lora", "last-2", "full", "fit", "trainer"],
    },
];

const ALL: &[&str] = &[
    "majority",
    "tfidf",
    "probe",
    "contrastive",
    "lora",
    "last-2",
    "full",
    "fit",
    "setfit",
    "sentence-transformers",
    "trainer",
];

/// An example: one text or two, and its labels.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    texts: Vec<String>,
    label: String,
}

/// Writes the files that all processes of a condition and draw read, and returns their paths.
pub(super) fn write(
    data: &Path,
    folder: &Path,
    condition: &Condition,
    draw: u64,
    tests: usize,
) -> Result<(PathBuf, PathBuf), String> {
    let set = &condition.data_set;
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let test = folder.join(format!("{}-test.csv", set.name));
    let rows = set.read(data, set.test)?;
    let kept: Vec<Row> = Random(0).order(rows.len()).into_iter().take(tests).map(|at| rows[at].clone()).collect();
    save(&test, &kept)?;
    let train = folder.join(format!("{}-train.csv", condition.name(draw)));
    let mut rows = drawn(&set.read(data, set.train)?, condition.size.parse().ok(), draw);
    flip(&mut rows, condition.noise, draw);
    save(&train, &rows)?;
    Ok((train, test))
}

impl DataSet {
    fn read(&self, data: &Path, name: &str) -> Result<Vec<Row>, String> {
        let path = data.join(name);
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| failed(&error))?;
        rows(&text, &self.layout).ok_or_else(|| failed(&"a row has too few columns, or there are no rows"))
    }
}

fn rows(text: &str, layout: &Layout) -> Option<Vec<Row>> {
    let text = text.trim_start_matches('\u{feff}');
    let (header, texts, label, records) = match layout {
        Layout::Lines => (0, &[0][..], 1, tab_separated(text)),
        Layout::Quoted => (1, &[0][..], 1, quoted(text)),
        Layout::Pairs => (1, &[3, 4][..], 0, tab_separated(text)),
    };
    let row = |record: &Vec<String>| {
        let texts = texts.iter().map(|&at| record.get(at).cloned()).collect::<Option<_>>()?;
        Some(Row { texts, label: record.get(label)?.clone() })
    };
    let rows: Option<Vec<Row>> = records.iter().skip(header).map(row).collect();
    rows.filter(|rows| !rows.is_empty())
}

/// Reads CSV whose fields may have quotes, and line breaks within them.
fn quoted(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field, mut is_quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => field.extend(characters.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => record.push(std::mem::take(&mut field)),
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            _ => field.push(character),
        }
    }
    if !field.is_empty() || !record.is_empty() {
        record.push(field);
        records.push(record);
    }
    records
}

/// Draws `size` examples of each label, or of all rows if `size` is absent, in an order that depends on the draw. A text with several
/// labels counts for each of them. The rows of a small size are among those of a larger one.
fn drawn(rows: &[Row], size: Option<usize>, draw: u64) -> Vec<Row> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut kept = Vec::new();
    for at in Random(draw).order(rows.len()) {
        let is_needed = |label: &str| size.is_none_or(|size| counts.get(label).is_none_or(|&count| count < size));
        if rows[at].label.split(',').any(is_needed) {
            rows[at].label.split(',').for_each(|label| *counts.entry(label).or_default() += 1);
            kept.push(rows[at].clone());
        }
    }
    kept
}

/// Gives `percent` of the rows the label of another class. The rows of a low share are among those of a higher one.
fn flip(rows: &mut [Row], percent: u32, draw: u64) {
    let classes: std::collections::BTreeSet<String> = rows.iter().map(|row| row.label.clone()).collect();
    let mut random = Random(draw ^ 0x6e6f_6973_6521);
    let order = random.order(rows.len());
    for &at in &order[..rows.len() * percent as usize / 100] {
        let others: Vec<&String> = classes.iter().filter(|class| **class != rows[at].label).collect();
        if !others.is_empty() {
            rows[at].label = others[random.below(others.len())].clone();
        }
    }
}

fn save(path: &Path, rows: &[Row]) -> Result<(), String> {
    let header = if rows.iter().any(|row| row.texts.len() == 2) { "text,text_pair,label" } else { "text,label" };
    let fields = rows.iter().map(|row| row.texts.iter().chain([&row.label]).map(String::as_str).collect());
    super::cell::replace(path, &csv(header, fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(labels: &[&str]) -> Vec<Row> {
        labels
            .iter()
            .enumerate()
            .map(|(at, label)| Row { texts: vec![at.to_string()], label: label.to_string() })
            .collect()
    }

    #[test]
    fn every_layout_is_read() {
        let row = |texts: &[&str], label: &str| Row {
            texts: texts.iter().map(ToString::to_string).collect(),
            label: label.into(),
        };
        assert_eq!(rows("a \"b\tx,y\tid\n", &Layout::Lines), Some(vec![row(&["a \"b"], "x,y")]));
        let csv = "text,category\r\n\"a, \"\"b\"\"\nc\",x\nd,y";
        assert_eq!(rows(csv, &Layout::Quoted), Some(vec![row(&["a, \"b\"\nc"], "x"), row(&["d"], "y")]));
        let pairs = "\u{feff}Quality\t#1 ID\t#2 ID\t#1\t#2\n1\t7\t8\ta\tb\n";
        assert_eq!(rows(pairs, &Layout::Pairs), Some(vec![row(&["a", "b"], "1")]));
        assert_eq!(rows("text without label\n", &Layout::Lines), None);
    }

    #[test]
    fn a_draw_has_as_many_examples_of_each_label_and_contains_the_smaller_draw() {
        let rows = labelled(&["a", "b", "a", "b", "a,c", "b", "c", "a"]);
        let count =
            |rows: &[Row], label: &str| rows.iter().filter(|row| row.label.split(',').any(|one| one == label)).count();
        for draw in 1..=20 {
            let (one, two) = (drawn(&rows, Some(1), draw), drawn(&rows, Some(2), draw));
            assert!(["a", "b", "c"].iter().all(|label| count(&one, label) >= 1 && count(&two, label) >= 2));
            assert_eq!(count(&two, "b"), 2);
            assert!(one.iter().all(|row| two.contains(row)));
            assert_eq!(drawn(&rows, None, draw).len(), rows.len());
        }
        assert_ne!(drawn(&rows, None, 1), drawn(&rows, None, 2));
    }

    #[test]
    fn noise_flips_the_share_and_grows() {
        let clean = labelled(&["a", "b", "c"].repeat(10));
        let noisy = |percent| {
            let mut rows = clean.clone();
            flip(&mut rows, percent, 3);
            (0..rows.len()).filter(|&at| rows[at].label != clean[at].label).collect::<Vec<_>>()
        };
        assert!(noisy(0).is_empty());
        assert_eq!((noisy(10).len(), noisy(20).len()), (3, 6));
        assert!(noisy(10).iter().all(|at| noisy(20).contains(at)));
    }
}
