//! `cargo xtask rehearse`: a whole job with the installed program, as a user does it, in an empty folder.

mod hosts;
mod interruption;
mod job;
mod json;
mod program;
mod serving;
mod steps;
mod tables;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, path};

use self::job::Job;
use crate::{at_root, binary, cargo, refuse, root, run, target, told};

/// A step: checks what it gets, and returns what it found.
type Step = fn(&mut Job) -> Result<String, String>;

/// The steps of the job, in their order: later ones use the files of earlier ones.
const STEPS: [(&str, Step); 13] = [
    ("data in CSV, TSV, JSON, JSONL", steps::read),
    ("fit", steps::fit),
    ("predict to Parquet, JSONL in gzip", steps::convert),
    ("label audit", steps::audit),
    ("training without the suspects", steps::clean),
    ("suggest", steps::suggest),
    ("evaluate", steps::evaluate),
    ("compare", steps::compare),
    ("explain", steps::explain),
    ("serve", serving::serve),
    ("export to ONNX", steps::export),
    ("resume after kill -9", interruption::resume),
    ("two hosts", hosts::distribute),
];

/// The number of rows of the small form.
const FEW: usize = 60;

/// Does the job with the program and the data that the options name, and prints the time of each step.
pub fn rehearse(options: &[OsString]) -> Result<(), u8> {
    let Some(options) = Options::parse(options) else { return refuse() };
    let folder = target().join("rehearse");
    if folder.exists() {
        told(fs::remove_dir_all(&folder))?;
    }
    told(fs::create_dir_all(&folder))?;
    // Commands run in this folder, so that a relative path of the target folder would be another one there.
    let folder = told(path::absolute(&folder))?;
    let program = options.program(&folder)?;
    let examples = told(tables::read_tsv(&options.data, if options.is_small { FEW } else { usize::MAX }))?;
    let model = options.model.as_ref().map_or("embedded".into(), |model| model.display().to_string());
    println!("{} with {model} and {} rows of {}", program.display(), examples.len(), options.data.display());
    let mut job = told(Job::new(program, &folder, model, examples, options.is_small))?;

    let mut done = Vec::new();
    for (name, step) in STEPS {
        job.program.begin();
        let began = Instant::now();
        match step(&mut job).and_then(|found| job.check_leftovers().map(|()| found)) {
            Ok(found) => {
                let time = began.elapsed();
                println!("{name}, {:.1} s: {found}", time.as_secs_f64());
                done.push((name, time, found));
            }
            Err(reason) => {
                eprintln!("xtask rehearse: {name}: {reason}\n\nThe commands of this step, with their output:");
                eprintln!("{}\nAll files are in {}", job.program.describe(), folder.display());
                return Err(1);
            }
        }
    }
    print(&done);
    Ok(())
}

/// Prints a table of the steps.
fn print(done: &[(&str, Duration, String)]) {
    println!("\n| step | seconds | found |\n|---|---|---|");
    for (name, time, found) in done {
        println!("| {name} | {:.1} | {found} |", time.as_secs_f64());
    }
    println!("| all | {:.1} | |", done.iter().map(|(_, time, _)| time.as_secs_f64()).sum::<f64>());
}

/// The options of the command.
struct Options {
    is_small: bool,
    /// The program, if it is not to be built.
    binary: Option<PathBuf>,
    /// The model that all trainings start from, if it is not the embedded one.
    model: Option<PathBuf>,
    /// Texts and labels, separated by tabs, without a header.
    data: PathBuf,
}

impl Options {
    fn parse(options: &[OsString]) -> Option<Self> {
        let data = root().join("fixtures/cookbook/opinions.tsv");
        let mut parsed = Self { is_small: false, binary: None, model: None, data };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            let mut file = || options.next().and_then(|value| path::absolute(value).ok());
            match option.to_str()? {
                "--small" => parsed.is_small = true,
                "--binary" => parsed.binary = Some(file()?),
                "--model" => parsed.model = Some(file()?),
                "--data" => parsed.data = file()?,
                _ => return None,
            }
        }
        Some(parsed)
    }

    /// Returns the program: the given one, that of the dev profile, or one that is installed below `folder`.
    fn program(&self, folder: &Path) -> Result<PathBuf, u8> {
        if let Some(program) = &self.binary {
            return told(
                program
                    .canonicalize()
                    .map_err(|error| io::Error::new(error.kind(), format!("--binary {}: {error}", program.display()))),
            );
        }
        if self.is_small {
            run(at_root(cargo(&["build", "--quiet", "--workspace", "--bins"])))?;
            return told(path::absolute(binary("rekindle")));
        }
        let installed = folder.join("installed");
        let mut install = cargo(&["install", "--locked", "--path", "crates/cli", "--root"]);
        install.arg(&installed);
        run(at_root(install))?;
        Ok(installed.join("bin").join(format!("rekindle{}", std::env::consts::EXE_SUFFIX)))
    }
}
