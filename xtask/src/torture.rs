//! `cargo xtask torture`: kills an experiment at random moments, resumes it, and checks that nothing is lost.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::artifacts::{Artifacts, steps};
use crate::random::Random;
use crate::{at_root, binary, cargo, root, run, target, told};

/// Approaches that cover every kind of state: a head, some layers, all layers, gradual unfreezing, adapters, and an encoder that is
/// pretrained first; with best-epoch selection and saved models.
const APPROACHES: &str = "feature-extraction,last-layer,full,gradual,lora,last-2:pretrain=1";
/// Steps between two training checkpoints, and the most that a kill may lose.
const EVERY: usize = 2;
/// The number of training sentences; a run takes one or two seconds.
const SENTENCES: usize = 48;

/// Kills `options[0]` runs (default 50) on the backend `options[1]`, at moments that follow from the seed `options[2]`.
pub fn torture(options: &[OsString]) -> Result<(), u8> {
    let option = |at: usize| options.get(at).and_then(|option| option.to_str());
    let kills: usize = option(0).map_or(Some(50), |kills| kills.parse().ok()).ok_or(2)?;
    let backend = option(1).unwrap_or("flex");
    let mut random = Random(option(2).map_or(Some(42), |seed| seed.parse().ok()).ok_or(2)?);
    run(at_root(cargo(&[
        "build",
        "--quiet",
        "--workspace",
        "--bins",
        "--features",
        &format!("rekindle-cli/{backend}"),
    ])))?;
    let place = Place::new(backend)?;

    let began = Instant::now();
    let uninterrupted = place.run(None, &[])?;
    let whole = began.elapsed();
    let expected = place.results()?;
    println!("uninterrupted: {uninterrupted} steps in {:.1} s; checkpoints every {EVERY} steps", whole.as_secs_f64());
    let (mut killed, mut most_lost, mut reads) = (0, 0, 0);
    for round in 1..=kills {
        let moment = whole.mul_f64(random.fraction());
        let (first, second, seen) = place.watched(&expected, || {
            let first = place.run(Some(moment), &[])?;
            Ok((first, place.run(None, &["--resume"])?))
        })?;
        let lost = (first + second).saturating_sub(uninterrupted);
        // If the run finished before it was killed, `--resume` starts a new one.
        if first < uninterrupted {
            killed += 1;
            most_lost = most_lost.max(lost);
            if lost > EVERY {
                return failed(&format!("round {round}: {lost} steps were repeated after a kill at {moment:?}"));
            }
        }
        if place.results()? != expected {
            return failed(&format!("round {round}: the results differ after a kill at {moment:?}"));
        }
        let left = place.leftovers()?;
        if !left.is_empty() {
            return failed(&format!("round {round}: files were left behind: {left:?}"));
        }
        reads += seen;
    }
    println!(
        "{kills} rounds, {killed} killed before the end: weights and results are byte-identical each time; at most \
         {most_lost} steps repeated; {reads} reads of the output meanwhile, each of complete files"
    );
    let _ = fs::remove_dir_all(&place.folder);
    Ok(())
}

/// The folder of the runs.
struct Place {
    folder: PathBuf,
    backend: String,
}

impl Place {
    fn new(backend: &str) -> Result<Self, u8> {
        let folder = target().join("torture");
        let _ = fs::remove_dir_all(&folder);
        told(fs::create_dir_all(&folder))?;
        let all = told(fs::read_to_string(root().join("fixtures/transfer/sentences.tsv")))?;
        let some: Vec<&str> = all.lines().step_by((all.lines().count() / SENTENCES).max(1)).collect();
        told(fs::write(folder.join("sentences.tsv"), some.join("\n")))?;
        Ok(Self { folder, backend: backend.into() })
    }

    /// Runs the experiment, optionally kills it, and returns the number of steps that it reported.
    fn run(&self, kill_after: Option<Duration>, more: &[&str]) -> Result<usize, u8> {
        let mut command = Command::new(binary("rekindle"));
        command.current_dir(&self.folder).args(["experiment", "--model", "embedded", "--data", "sentences.tsv"]);
        command.args(["--no-header", "--approaches", APPROACHES, "--epochs", "3", "--validation-size", "0.2"]);
        command.args(["--verbose", "--save-models", "--output", "output", "--overwrite", "--backend", &self.backend]);
        command.args(["--checkpoint-every", &EVERY.to_string()]).args(more);
        let mut child = told(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn())?;
        let began = Instant::now();
        let (Some(mut output), Some(mut errors)) = (child.stdout.take(), child.stderr.take()) else { return Err(1) };
        let (status, printed) = thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let mut printed = Vec::new();
                output.read_to_end(&mut printed).map(|_| printed)
            });
            let status = loop {
                match told(child.try_wait())? {
                    Some(status) => break status,
                    None if kill_after.is_some_and(|moment| began.elapsed() >= moment) => told(child.kill())?,
                    None => thread::sleep(Duration::from_millis(1)),
                }
            };
            Ok::<_, u8>((status, told(reader.join().map_err(|_| 1)?)?))
        })?;
        if kill_after.is_none() && !status.success() {
            let _ = std::io::copy(&mut errors, &mut std::io::stderr());
            return failed("the experiment failed");
        }
        Ok(steps(&String::from_utf8_lossy(&printed)))
    }

    /// Does `work` while the output is read repeatedly; the output must be complete at any time.
    fn watched(
        &self,
        expected: &Artifacts,
        work: impl FnOnce() -> Result<(usize, usize), u8>,
    ) -> Result<(usize, usize, usize), u8> {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut reads = 0;
                while !done.load(Ordering::Relaxed) {
                    if self.results()? != *expected {
                        return failed("a reader saw different files during a run");
                    }
                    reads += 1;
                    thread::sleep(Duration::from_millis(5));
                }
                Ok(reads)
            });
            let result = work();
            done.store(true, Ordering::Relaxed);
            let reads = reader.join().unwrap_or(Err(1))?;
            result.map(|(first, second)| (first, second, reads))
        })
    }

    /// Returns all files of the output, without times.
    fn results(&self) -> Result<Artifacts, u8> {
        told(Artifacts::of(&self.folder.join("output")))
    }

    /// Returns the files next to the output after a run.
    fn leftovers(&self) -> Result<Vec<OsString>, u8> {
        let entries = told(fs::read_dir(&self.folder))?.filter_map(Result::ok).map(|entry| entry.file_name());
        Ok(entries.filter(|name| name != "output" && name != "output.zip" && name != "sentences.tsv").collect())
    }
}

fn failed<T>(reason: &str) -> Result<T, u8> {
    eprintln!("xtask torture: {reason}");
    Err(1)
}
