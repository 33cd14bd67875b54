//! A cell of the study: one process, its score and its processor seconds, stored as a JSON file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::rows::{self, DATA_SETS, DataSet};
use crate::rehearse::json::{Json, quoted};
use crate::{optimised, root};

/// The columns of the peers: programs of others, which `peers.py` runs.
pub(super) const PEERS: [&str; 3] = ["setfit", "sentence-transformers", "trainer"];
/// Trainings that a search of `fit` may spend: a budget of time would depend on the machine.
const FIT_TRAININGS: &str = "16";
/// One thread, so that processor seconds contain no waiting for another; and no network.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("RAYON_NUM_THREADS", "1"),
    ("OMP_NUM_THREADS", "1"),
    ("MKL_NUM_THREADS", "1"),
    ("TOKENIZERS_PARALLELISM", "false"),
    ("CUDA_VISIBLE_DEVICES", ""),
    ("HF_HUB_OFFLINE", "1"),
];

/// What the rows of a draw are drawn from.
#[derive(Clone)]
pub(super) struct Condition {
    pub(super) data_set: &'static DataSet,
    /// Examples per class, or `all`.
    pub(super) size: String,
    /// Percentage of flipped labels.
    pub(super) noise: u32,
}

impl Condition {
    /// The name of a draw, for files.
    pub(super) fn name(&self, draw: u64) -> String {
        format!("{}-{}-noise{}-draw{draw}", self.data_set.name, self.size, self.noise)
    }
}

/// What one process measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) data_set: String,
    pub(super) size: String,
    pub(super) noise: u32,
    pub(super) draw: u64,
    pub(super) approach: String,
    pub(super) score: f64,
    pub(super) seconds: f64,
    pub(super) tests: usize,
    /// The one-minute load average when the process began.
    pub(super) load: f64,
}

/// The keys of a cell: of its JSON file, and the header of the file of all cells.
pub(super) const KEYS: [&str; 9] =
    ["data_set", "size", "noise", "draw", "approach", "score", "seconds", "tests", "load"];

impl Cell {
    fn values(&self) -> [String; 9] {
        let Self { data_set, size, noise, draw, approach, score, seconds, tests, load } = self;
        [
            data_set.clone(),
            size.clone(),
            noise.to_string(),
            draw.to_string(),
            approach.clone(),
            format!("{score:.4}"),
            format!("{seconds:.2}"),
            tests.to_string(),
            format!("{load:.2}"),
        ]
    }

    /// A line of the file of all cells.
    pub(super) fn line(&self) -> String {
        self.values().join(",")
    }

    /// Reads the values in the order of [`KEYS`].
    pub(super) fn parse(values: &[&str]) -> Option<Self> {
        let [data_set, size, noise, draw, approach, score, seconds, tests, load] = values else { return None };
        Some(Self {
            data_set: DATA_SETS.iter().find(|known| known.name == *data_set)?.name.into(),
            size: size.to_string(),
            noise: noise.parse().ok()?,
            draw: draw.parse().ok()?,
            approach: approach.to_string(),
            score: finite(score)?,
            seconds: finite(seconds)?,
            tests: tests.parse().ok()?,
            load: finite(load)?,
        })
    }

    /// An object with one key per line.
    fn json(&self) -> String {
        let pair = |(at, value): (usize, String)| match at {
            0 | 1 | 4 => format!("  \"{}\": {}", KEYS[at], quoted(&value)),
            _ => format!("  \"{}\": {value}", KEYS[at]),
        };
        let pairs: Vec<String> = self.values().into_iter().enumerate().map(pair).collect();
        format!("{{\n{}\n}}\n", pairs.join(",\n"))
    }

    fn from_json(text: &str) -> Option<Self> {
        let json = Json::parse(text).ok()?;
        let values = KEYS.map(|key| match json.at(key) {
            Json::Text(text) => text.clone(),
            other => other.number().to_string(),
        });
        Self::parse(&values.each_ref().map(String::as_str))
    }

    /// Reads all cells of a results folder, in the order of their names.
    pub(super) fn read_all(results: &Path) -> Result<Vec<Self>, String> {
        let folder = results.join("cells");
        let failed = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let entries = fs::read_dir(&folder).map_err(|error| failed(&folder, &error))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        let read = |path: &PathBuf| {
            let text = fs::read_to_string(path).map_err(|error| failed(path, &error))?;
            Self::from_json(&text).ok_or_else(|| failed(path, &"not a cell; remove it to measure it again"))
        };
        paths.iter().map(read).collect()
    }
}

/// What all cells of a results folder have in common.
pub(super) struct Settings {
    pub(super) model: PathBuf,
    pub(super) data: PathBuf,
    pub(super) peer: Option<PathBuf>,
    pub(super) tests: usize,
    pub(super) results: PathBuf,
}

impl Settings {
    /// Measures a cell unless it exists; returns whether it was measured.
    pub(super) fn measure(&self, condition: &Condition, draw: u64, approach: &str) -> Result<bool, String> {
        let file = format!("{}-{}.json", condition.name(draw), approach.replace([':', '/'], "_"));
        let path = self.results.join("cells").join(file);
        if path.exists() {
            return Ok(false);
        }
        let (train, test) = rows::write(&self.data, &self.results, condition, draw, self.tests)?;
        let load = load_average().ok_or("/proc/loadavg cannot be read; the study needs Linux")?;
        let (score, seconds) = if PEERS.contains(&approach) {
            self.peer(condition, draw, approach, &train, &test)?
        } else {
            self.rekindle(condition, draw, approach, &train, &test)?
        };
        let Condition { data_set, size, noise } = condition;
        let (data_set, size, approach) = (data_set.name.into(), size.clone(), approach.into());
        let cell = Cell { data_set, size, noise: *noise, draw, approach, score, seconds, tests: self.tests, load };
        replace(&path, &cell.json())?;
        Ok(true)
    }

    fn rekindle(
        &self,
        condition: &Condition,
        draw: u64,
        approach: &str,
        train: &Path,
        test: &Path,
    ) -> Result<(f64, f64), String> {
        // With the archive and what an interrupted process left beside it.
        let scratch = self.results.join("output");
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
        let output = scratch.join("results");
        let set = condition.data_set;
        let mut command = Command::new(optimised("rekindle"));
        match approach {
            "fit" => command.args(["fit", "--runs", FIT_TRAININGS]),
            approach => command.args(["experiment", "--approaches", approach]),
        };
        command.args(["--offline", "--quiet", "--seed", &draw.to_string()]);
        command.args(["--max-length", set.max_length]).args(set.options);
        command.arg("--model").arg(&self.model).arg("--train").arg(train).arg("--test").arg(test);
        command.arg("--output").arg(&output);
        let (_, seconds) = run(command)?;
        let scores = output.join("tl_results.csv");
        let text = fs::read_to_string(&scores).map_err(|error| format!("{}: {error}", scores.display()))?;
        let score = first(&text, set.metric).ok_or_else(|| format!("{}: no {}", scores.display(), set.metric))?;
        // `fit` saves a model, which is large.
        let _ = fs::remove_dir_all(&scratch);
        Ok((score, seconds))
    }

    fn peer(
        &self,
        condition: &Condition,
        draw: u64,
        peer: &str,
        train: &Path,
        test: &Path,
    ) -> Result<(f64, f64), String> {
        let python = self.peer.as_ref().ok_or_else(|| format!("`{peer}` needs --peer PYTHON"))?;
        let set = condition.data_set;
        let mut command = Command::new(python);
        command.arg(root().join("fixtures/study/peers.py")).arg(peer);
        command.args(["--seed", &draw.to_string(), "--max-length", set.max_length]).args(set.options);
        command.arg("--model").arg(&self.model).arg("--train").arg(train).arg("--test").arg(test);
        let (output, seconds) = run(command)?;
        let score = output.lines().rev().find_map(|line| line.strip_prefix("score ")?.parse().ok());
        Ok((score.ok_or_else(|| format!("peers.py {peer}: no score in its output"))?, seconds))
    }
}

/// Returns a column of the first row of a CSV table.
fn first(table: &str, column: &str) -> Option<f64> {
    let mut lines = table.lines();
    let at = lines.next()?.split(',').position(|name| name == column)?;
    finite(lines.next()?.split(',').nth(at)?)
}

fn finite(word: &str) -> Option<f64> {
    word.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Runs a command on one thread; returns its output and the processor seconds of it and its children.
fn run(mut command: Command) -> Result<(String, f64), String> {
    let before = seconds_of_children().ok_or("/proc/self/stat cannot be read; the study needs Linux")?;
    let output = command.envs(ENVIRONMENT).stdin(Stdio::null()).output();
    let program = command.get_program().display();
    let output = output.map_err(|error| format!("cannot run {program}: {error}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = errors.lines().rev().take(5).collect();
        return Err(format!(
            "{program}: {}: {}",
            output.status,
            last.into_iter().rev().collect::<Vec<_>>().join(" / ")
        ));
    }
    let seconds = seconds_of_children().unwrap_or(before) - before;
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), seconds))
}

/// Returns the processor seconds of all processes that were waited for, in user and kernel mode.
fn seconds_of_children() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may contain spaces. `cutime` and `cstime` are fields 16 and 17, in hundredths of a second (`USER_HZ`).
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(13);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}

fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Writes a file whole or not at all.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let partial = path.with_extension("partial");
    fs::write(&partial, text).map_err(failed)?;
    fs::rename(&partial, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_read_as_it_was_written() {
        let cell = Cell::parse(&["sst2", "all", "10", "2", "contrastive:r=8", "0.6125", "3.10", "400", "1.25"]);
        let cell = cell.expect("a cell");
        assert_eq!(cell.line(), "sst2,all,10,2,contrastive:r=8,0.6125,3.10,400,1.25");
        assert_eq!(Cell::from_json(&cell.json()), Some(cell.clone()));
        assert_eq!(Cell::from_json(&cell.json().replace("score", "scores")), None);
        assert_eq!(Cell::from_json(&cell.json().replace("0.6125", "high")), None);
    }

    #[test]
    fn a_score_is_that_of_the_first_row() {
        let table = "approach,accuracy,f1\nprobe,0.5,0.25\nmajority,0.1,0.1\n";
        assert_eq!((first(table, "f1"), first(table, "loss")), (Some(0.25), None));
    }
}
