//! The measured part of docs/results.md: a table per data set, pictures, and what was not run.

use std::fs;

use super::cell::{self, Cell, PEERS};
use super::rows::{DATA_SETS, DataSet};
use super::statistics::{interval, mean};
use crate::chart::{self, Row};
use crate::root;

const PAGE: &str = "docs/results.md";
const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->";

/// Draws per cell of the whole study.
const DRAWS: usize = 5;
pub(super) const SIZES: [&str; 3] = ["8", "64", "all"];
/// The approach that others are compared with.
const REFERENCE: &str = "probe";
/// What is measured with flipped labels: the data set and the size.
pub(super) const NOISY: (&str, &str) = ("sst2", "64");
/// The percentages of flipped labels.
pub(super) const NOISE: [u32; 3] = [0, 10, 20];

/// A picture of one condition.
struct Picture {
    path: &'static str,
    title: &'static str,
    data_set: &'static str,
    size: &'static str,
    noise: u32,
}

const PICTURES: [Picture; 4] = [
    Picture {
        path: "docs/study-few-labels.svg",
        title: "Few labels: SST-2, 8 examples per class",
        data_set: "sst2",
        size: "8",
        noise: 0,
    },
    Picture {
        path: "docs/study-many-labels.svg",
        title: "Many labels: SST-2, 64 examples per class",
        data_set: "sst2",
        size: "64",
        noise: 0,
    },
    Picture {
        path: "docs/study-many-classes.svg",
        title: "Many classes: banking77, 8 examples per class",
        data_set: "banking77",
        size: "8",
        noise: 0,
    },
    Picture {
        path: "docs/study-noisy-labels.svg",
        title: "Noisy labels: SST-2, 64 examples per class, 20 % of the labels flipped",
        data_set: "sst2",
        size: "64",
        noise: 20,
    },
];

/// Writes the page and its pictures.
pub(super) fn write(cells: &[Cell]) -> Result<(), String> {
    for (path, text) in files(cells)? {
        cell::replace(&root().join(path), &text)?;
        println!("{path}");
    }
    Ok(())
}

/// Returns the page and its pictures, by path.
pub(super) fn files(cells: &[Cell]) -> Result<Vec<(&'static str, String)>, String> {
    let page = fs::read_to_string(root().join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("{PAGE}: no `{}` and `{END}`", BEGIN.trim()))?;
    let study = Study { cells };
    let mut files = vec![(PAGE, format!("{before}{BEGIN}{}{END}{after}", study.text()))];
    files.extend(PICTURES.iter().filter_map(|picture| Some((picture.path, study.picture(picture)?))));
    Ok(files)
}

/// The cells, as the page shows them.
struct Study<'a> {
    cells: &'a [Cell],
}

/// A column: of which cells.
struct Column<'a> {
    title: String,
    data_set: &'a str,
    size: &'a str,
    noise: u32,
}

impl Study<'_> {
    fn text(&self) -> String {
        let mut text = self.conditions_of_measurement();
        for set in DATA_SETS {
            let columns = SIZES.map(|size| Column {
                title: if size == "all" { "all".into() } else { format!("{size} per class") },
                data_set: set.name,
                size,
                noise: 0,
            });
            let is_measured = self.cells.iter().any(|cell| cell.data_set == set.name);
            let section = if is_measured { self.section(set, &columns) } else { "Not run.\n".into() };
            text += &format!("\n### {}\n\n{section}", set.title);
        }
        if let Some(set) = DATA_SETS.iter().find(|set| set.name == NOISY.0)
            && self.cells.iter().any(|cell| cell.noise > 0)
        {
            let columns = NOISE.map(|noise| Column {
                title: format!("{noise} % flipped"),
                data_set: set.name,
                size: NOISY.1,
                noise,
            });
            text += "\n### Noisy labels: SST-2, 64 examples per class\n\n";
            text += &self.section(set, &columns);
        }
        text
    }

    fn conditions_of_measurement(&self) -> String {
        let count = self.cells.len();
        let load = |pick: fn(f64, f64) -> f64, start| self.cells.iter().map(|cell| cell.load).fold(start, pick);
        let tests = self.cells.iter().map(|cell| cell.tests).max().unwrap_or_default();
        format!(
            "{count} processes, at most {tests} test examples each. The load average of the machine was between {:.1} and {:.1} when they \
             began.\n",
            load(f64::min, f64::INFINITY),
            load(f64::max, 0.0)
        )
    }

    /// A table, the differences to the reference, pictures, and what is missing.
    fn section(&self, set: &DataSet, columns: &[Column]) -> String {
        let measured = if set.metric == "accuracy" { "Accuracy" } else { "Average precision (macro)" };
        let titles = columns.iter().map(|column| format!(" {} | s |", column.title)).collect::<String>();
        let mut text = format!(
            "{measured}, and processor seconds per process:\n\n| |{titles}\n|---|{}\n",
            "---|---|".repeat(columns.len())
        );
        let approaches = self.approaches(set);
        for approach in &approaches {
            let shown = columns.iter().map(|column| format!(" {} |", self.score(column, approach)));
            text += &format!("| {} |{}\n", shown_name(approach), shown.collect::<String>());
        }
        text += "\nEvery process of `rekindle` computes `majority` and `tfidf`: the time of each is that of both.\n";
        text += &self.differences(&approaches, columns);
        let has_picture = |picture: &&Picture| {
            let is_shown = |column: &Column| {
                (column.data_set, column.size, column.noise) == (picture.data_set, picture.size, picture.noise)
            };
            // The clean column of the noisy table has its picture above.
            columns.iter().any(is_shown) && (picture.noise > 0) == columns.iter().any(|column| column.noise > 0)
        };
        for picture in PICTURES.iter().filter(has_picture).filter(|picture| self.picture(picture).is_some()) {
            let file = picture.path.trim_start_matches("docs/");
            text += &format!("\n![{}: accuracy by processor seconds]({file})\n", picture.title);
        }
        text + &self.missing(set, columns)
    }

    /// Returns the approaches of a data set in the order of tables: those of the plan, and then others that were measured.
    fn approaches(&self, set: &DataSet) -> Vec<String> {
        let mut approaches: Vec<String> = set.approaches.iter().map(ToString::to_string).collect();
        for cell in self.cells.iter().filter(|cell| cell.data_set == set.name) {
            if !approaches.contains(&cell.approach) {
                approaches.push(cell.approach.clone());
            }
        }
        approaches
    }

    fn of<'a>(&'a self, column: &'a Column, approach: &'a str) -> impl Iterator<Item = &'a Cell> {
        self.cells.iter().filter(move |cell| {
            (cell.data_set.as_str(), cell.size.as_str(), cell.noise, cell.approach.as_str())
                == (column.data_set, column.size, column.noise, approach)
        })
    }

    fn score(&self, column: &Column, approach: &str) -> String {
        let scores: Vec<f64> = self.of(column, approach).map(|cell| cell.score).collect();
        let seconds: Vec<f64> = self.of(column, approach).map(|cell| cell.seconds).collect();
        if scores.is_empty() {
            return "– | –".into();
        }
        let notes = notes(&scores, |low, high| format!("{low:.3} to {high:.3}"));
        format!("{:.3}{notes} | {:.1}", mean(&scores), mean(&seconds))
    }

    /// The differences to the reference on the same draws.
    fn differences(&self, approaches: &[String], columns: &[Column]) -> String {
        let difference = |column: &Column, approach: &str| {
            let of = |cell: &Cell| {
                let is_same = |other: &&Cell| other.draw == cell.draw;
                Some(100.0 * (cell.score - self.of(column, REFERENCE).find(is_same)?.score))
            };
            let differences: Vec<f64> = self.of(column, approach).filter_map(of).collect();
            if differences.is_empty() {
                return None;
            }
            let notes = notes(&differences, |low, high| format!("{low:+.1} to {high:+.1}"));
            Some(format!("{:+.1}{notes}", mean(&differences)).replace('-', "−"))
        };
        let row = |approach: &String| {
            let shown: Vec<Option<String>> = columns.iter().map(|column| difference(column, approach)).collect();
            shown.iter().any(Option::is_some).then(|| {
                let shown = shown.into_iter().map(|one| format!(" {} |", one.unwrap_or_else(|| "–".into())));
                format!("| {} |{}\n", shown_name(approach), shown.collect::<String>())
            })
        };
        let rows: String = approaches.iter().filter(|approach| *approach != REFERENCE).filter_map(row).collect();
        if rows.is_empty() {
            return rows;
        }
        let titles = columns.iter().map(|column| format!(" {} |", column.title)).collect::<String>();
        format!(
            "\nDifference to `{REFERENCE}` on the same draws, in points:\n\n| |{titles}\n|---|{}\n{rows}",
            "---|".repeat(columns.len())
        )
    }

    fn missing(&self, set: &DataSet, columns: &[Column]) -> String {
        let of = |column: &Column| {
            let is_missing = |approach: &&&str| self.of(column, approach).next().is_none();
            let missing: Vec<String> = set.approaches.iter().filter(is_missing).map(|one| shown_name(one)).collect();
            (!missing.is_empty()).then(|| format!("{}: {}", column.title, missing.join(", ")))
        };
        let missing: Vec<String> = columns.iter().filter_map(of).collect();
        if missing.is_empty() { String::new() } else { format!("\nNot run: {}.\n", missing.join("; ")) }
    }

    /// Draws a picture, if it has at least two points.
    fn picture(&self, picture: &Picture) -> Option<String> {
        let Picture { data_set, size, noise, .. } = *picture;
        let column = Column { title: String::new(), data_set, size, noise };
        let set = DATA_SETS.iter().find(|set| set.name == data_set)?;
        let row = |approach: &String| {
            let scores: Vec<f64> = self.of(&column, approach).map(|cell| cell.score).collect();
            let seconds: Vec<f64> = self.of(&column, approach).map(|cell| cell.seconds).collect();
            (!scores.is_empty()).then(|| Row {
                name: approach.clone(),
                accuracy: mean(&scores),
                interval: interval(&scores),
                seconds: (approach != "majority").then(|| mean(&seconds)),
            })
        };
        let rows: Vec<Row> = self.approaches(set).iter().filter_map(row).collect();
        let points = rows.iter().filter(|row| row.seconds.is_some()).count();
        (points > 1).then(|| chart::svg(&rows, picture.title, "processor seconds of a process"))
    }
}

/// Returns the interval over the draws in parentheses, and the number of draws if it is not that of the whole study.
fn notes(values: &[f64], shown: impl Fn(f64, f64) -> String) -> String {
    let draws = match values.len() {
        DRAWS => None,
        1 => Some("1 draw".to_string()),
        count => Some(format!("{count} draws")),
    };
    let interval = interval(values).map(|(low, high)| shown(low, high));
    let notes: Vec<String> = [interval, draws].into_iter().flatten().collect();
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) }
}

/// The name of an approach in a table: approaches of ours as they are written, other programs by their names.
fn shown_name(approach: &str) -> String {
    match approach {
        "setfit" => "SetFit".into(),
        "sentence-transformers" => "sentence-transformers + scikit-learn".into(),
        "trainer" => "transformers' Trainer".into(),
        other => {
            debug_assert!(!PEERS.contains(&other));
            format!("`{other}`")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells() -> Vec<Cell> {
        let line = |size: &str, draw: u64, approach: &str, score: f64| Cell {
            data_set: "sst2".into(),
            size: size.into(),
            noise: 0,
            draw,
            approach: approach.into(),
            score,
            seconds: 2.0 + draw as f64,
            tests: 400,
            load: 1.5,
        };
        vec![
            line("8", 1, "probe", 0.60),
            line("8", 2, "probe", 0.64),
            line("8", 2, "trainer", 0.60),
            line("8", 1, "trainer", 0.58),
            line("64", 1, "probe", 0.75),
        ]
    }

    #[test]
    fn a_table_shows_means_intervals_and_what_was_not_run() {
        let text = Study { cells: &cells() }.text();
        let row = "| `probe` | 0.620 (2 draws) | 3.5 | 0.750 (1 draw) | 3.0 | – | – |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| transformers' Trainer | −3.0 (2 draws) | – | – |"), "{text}");
        assert!(text.contains("Not run: 8 per class: `majority`,"), "{text}");
        assert!(text.contains(
            "![Few labels: SST-2, 8 examples per class: accuracy by processor seconds](study-few-labels.svg)"
        ));
        assert!(text.contains("\n### MRPC: pairs of texts, 2 classes\n\nNot run.\n") && !text.contains("Noisy labels"));
    }

    #[test]
    fn a_picture_needs_two_points() {
        let cells = cells();
        let study = Study { cells: &cells };
        let drawn: Vec<bool> = PICTURES.iter().map(|picture| study.picture(picture).is_some()).collect();
        assert_eq!(drawn, [true, false, false, false]);
    }
}
