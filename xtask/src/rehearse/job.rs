//! What the steps of a rehearsal share: the program, the folder and the examples.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::json::Json;
use super::program::{Program, check};
use super::tables::Example;

/// The job.
pub struct Job {
    pub program: Program,
    /// The working directory of all commands, which is empty at first.
    folder: PathBuf,
    /// The model that all trainings start from.
    pub model: String,
    /// Examples to train on. Every tenth has a wrong label.
    pub train: Vec<Example>,
    /// The rows of the wrong labels.
    pub wrong: Vec<usize>,
    pub test: Vec<Example>,
    /// The labels that the fitted model predicts for the test texts.
    pub predicted: Vec<String>,
    /// Texts whose labels are not used.
    pub unlabelled: Vec<Example>,
    pub is_small: bool,
}

impl Job {
    /// Prepares the folders below `folder`. Of five examples, three are to train on, and one is to test on.
    pub fn new(
        program: PathBuf,
        folder: &Path,
        model: String,
        examples: Vec<Example>,
        is_small: bool,
    ) -> io::Result<Self> {
        let (place, logs) = (folder.join("job"), folder.join("logs"));
        fs::create_dir(&place)?;
        fs::create_dir(&logs)?;
        let labels: BTreeSet<&str> = examples.iter().map(|example| example.label.as_str()).collect();
        let next = |label: &str| labels.range(label..).nth(1).or(labels.first()).map_or("", |next| next).to_owned();
        let part = |remainders: &[usize]| -> Vec<Example> {
            let chosen = examples.iter().enumerate().filter(|(row, _)| remainders.contains(&(row % 5)));
            chosen.map(|(_, example)| example.clone()).collect()
        };
        let (mut train, test, unlabelled) = (part(&[0, 1, 2]), part(&[3]), part(&[4]));
        let wrong: Vec<usize> = (0..train.len()).step_by(10).collect();
        for &row in &wrong {
            train[row].label = next(&train[row].label);
        }
        let program = Program::new(program, place.clone(), logs);
        Ok(Self { program, folder: place, model, train, wrong, test, predicted: Vec::new(), unlabelled, is_small })
    }

    /// Returns the path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: &str) -> Result<(), String> {
        fs::write(self.path(name), content).map_err(|error| format!("{name}: {error}"))
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        fs::read(self.path(name)).map_err(|error| format!("{name}: {error}"))
    }

    /// Returns an error if a command left a file of its own behind: a training checkpoint, or a temporary file.
    pub fn check_leftovers(&self) -> Result<(), String> {
        let entries = fs::read_dir(&self.folder).map_err(|error| error.to_string())?;
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let ours = |name: &String| name.starts_with('.') || name.ends_with(".checkpoint") || name.ends_with(".partial");
        let left: Vec<String> = names.filter(ours).collect();
        check(left.is_empty(), || format!("left behind: {}", left.join(", ")))
    }

    /// Reads `results.json` of an output folder, after a check that the folder is complete.
    pub fn results(&self, output: &str) -> Result<Json, String> {
        for name in ["report.html", "tl_results.csv", "scores.csv", "predictions.csv"] {
            check(!self.read(&format!("{output}/{name}"))?.is_empty(), || format!("{output}/{name} is empty"))?;
        }
        check(self.read(&format!("{output}.zip"))?.starts_with(b"PK"), || format!("{output}.zip is no zip"))?;
        let json = self.read(&format!("{output}/results.json"))?;
        Json::parse(&String::from_utf8_lossy(&json)).map_err(|error| format!("{output}/results.json: {error}"))
    }
}

/// Returns an error if a score is no fraction.
pub fn check_fraction(name: &str, value: &Json) -> Result<f64, String> {
    let number = value.number();
    check((0.0..=1.0).contains(&number), || format!("{name} is {value:?}, not a number from 0 to 1"))?;
    Ok(number)
}
