//! A cell of the study: one process, its score and its processor seconds; a line of the file of all cells.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::rows::{self, DATA_SETS, DataSet};
use crate::{optimised, root, target};

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

/// The header of the file of all cells.
pub(super) const KEYS: [&str; 9] =
    ["data_set", "size", "noise", "draw", "approach", "score", "seconds", "tests", "load"];

impl Cell {
    /// A line of the file of all cells.
    pub(super) fn line(&self) -> String {
        let Self { data_set, size, noise, draw, approach, score, seconds, tests, load } = self;
        format!("{data_set},{size},{noise},{draw},{approach},{score:.4},{seconds:.2},{tests},{load:.2}")
    }

    /// Returns whether this is the cell of an approach on a draw.
    pub(super) fn is(&self, condition: &Condition, draw: u64, approach: &str) -> bool {
        let Condition { data_set, size, noise } = condition;
        (&*self.data_set, &self.size, self.noise) == (data_set.name, size, *noise)
            && (self.draw, &*self.approach) == (draw, approach)
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
}

/// The options of the study.
pub(super) struct Settings {
    pub(super) model: PathBuf,
    pub(super) data: PathBuf,
    pub(super) peer: Option<PathBuf>,
    pub(super) data_sets: Vec<String>,
    pub(super) sizes: Vec<String>,
    pub(super) noise: Vec<u32>,
    /// All of the data set, if absent.
    pub(super) approaches: Option<Vec<String>>,
    pub(super) seeds: u64,
    pub(super) tests: usize,
}

impl Settings {
    /// Measures a cell.
    pub(super) fn measure(&self, condition: &Condition, draw: u64, approach: &str) -> Result<Cell, String> {
        let (train, test) = rows::write(&self.data, &folder().join("rows"), condition, draw, self.tests)?;
        let load = load_average().ok_or("/proc/loadavg cannot be read; the study needs Linux")?;
        let (score, seconds) = if PEERS.contains(&approach) {
            self.peer(condition, draw, approach, &train, &test)?
        } else {
            self.rekindle(condition, draw, approach, &train, &test)?
        };
        let Condition { data_set, size, noise } = condition;
        let (data_set, size, approach) = (data_set.name.into(), size.clone(), approach.into());
        Ok(Cell { data_set, size, noise: *noise, draw, approach, score, seconds, tests: self.tests, load })
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
        let scratch = folder().join("output");
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

/// Returns the folder of what processes read and write.
fn folder() -> PathBuf {
    target().join("study")
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
    }

    #[test]
    fn a_score_is_that_of_the_first_row() {
        let table = "approach,accuracy,f1\nprobe,0.5,0.25\nmajority,0.1,0.1\n";
        assert_eq!((first(table, "f1"), first(table, "loss")), (Some(0.25), None));
    }
}
