//! The files of an experiment's output, for comparisons byte for byte, and its reported steps.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Returns the number of steps that an experiment with `--verbose` printed.
pub(crate) fn steps(printed: &str) -> usize {
    printed.lines().filter(|line| line.starts_with("  step ")).count()
}

/// All files of an output folder by their path in it, and the zip beside it (`.zip`); without what differs between two runs: times and
/// memory.
#[derive(PartialEq)]
pub(crate) struct Artifacts(Vec<(PathBuf, Vec<u8>)>);

impl Artifacts {
    /// Reads the files of the folder `output`.
    pub fn of(output: &Path) -> io::Result<Self> {
        let mut paths = Vec::new();
        walk(output, &mut paths)?;
        let mut files = Vec::new();
        for path in paths {
            // The page shows times; only its end is checked.
            let content = match path.file_name().and_then(|name| name.to_str()) {
                Some("report.html") => tail(&fs::read(&path)?, b"</html>"),
                Some("results.json") => without_times(&fs::read_to_string(&path)?),
                _ => fs::read(&path)?,
            };
            files.push((path.strip_prefix(output).unwrap_or(&path).to_path_buf(), content));
        }
        // A zip ends with the end of the central directory.
        let end = tail(&fs::read(output.with_extension("zip"))?, b"PK\x05\x06");
        files.push((".zip".into(), end));
        files.sort();
        Ok(Self(files))
    }

    /// Returns the number of files.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the names of the files that only one of two outputs has, or that differ.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let lacks = |of: &Self, file| !of.0.contains(file);
        let ours = self.0.iter().filter(|file| lacks(other, file));
        let theirs = other.0.iter().filter(|file| lacks(self, file));
        let mut names: Vec<String> = ours.chain(theirs).map(|(name, _)| name.display().to_string()).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Returns `words` if a file ends with them.
fn tail(bytes: &[u8], words: &[u8]) -> Vec<u8> {
    let last = &bytes[bytes.len().saturating_sub(words.len() + 32)..];
    if last.windows(words.len()).any(|window| window == words) { words.to_vec() } else { b"torn".to_vec() }
}

/// Returns `results.json` without the lines for time and memory.
fn without_times(json: &str) -> Vec<u8> {
    const VOLATILE: [&str; 8] = [
        "seconds",
        "train_seconds",
        "eval_seconds",
        "processor_seconds",
        "train_examples_per_second",
        "eval_examples_per_second",
        "peak_memory",
        "finished",
    ];
    let volatile = |line: &&str| VOLATILE.iter().any(|field| line.trim_start().starts_with(&format!("\"{field}\":")));
    let mut kept: String = json.lines().filter(|line| !volatile(line)).collect();
    kept.push_str(if json.ends_with("}\n") { "" } else { "torn" });
    kept.into_bytes()
}

/// Collects all files below a folder, except staged ones.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true if entry.file_name() == ".staging" => {}
            true => walk(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
    }
    Ok(())
}
