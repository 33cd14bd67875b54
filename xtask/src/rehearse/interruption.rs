//! The step that kills an experiment and resumes it.

use super::job::Job;
use super::program::check;
use crate::artifacts::{Artifacts, steps};

/// Steps between two training checkpoints, and the most that a kill may lose.
const EVERY: usize = 2;

/// Kills an experiment after three quarters of its steps, so that one of two trainings is finished and the other is not; resumes it,
/// and compares the files with those of an uninterrupted one.
pub fn resume(job: &mut Job) -> Result<String, String> {
    let command =
        ["experiment", "--data", "train.csv", "--model", &job.model, "--approaches", "last-1,lora", "--epochs", "2"];
    let more = [
        "--validation-size",
        "0.2",
        "--checkpoint-every",
        &EVERY.to_string(),
        "--save-models",
        "--verbose",
        "--output",
    ];
    let command = [&command[..], &more, &["interrupted"]].concat();

    let whole = steps(&job.program.run(&command)?.out);
    check(whole > 4, || format!("only {whole} steps, too few to interrupt them"))?;
    let output = job.path("interrupted");
    let files = || Artifacts::of(&output).map_err(|error| format!("interrupted: {error}"));
    let expected = files()?;
    std::fs::remove_dir_all(&output).map_err(|error| error.to_string())?;
    std::fs::remove_file(output.with_extension("zip")).map_err(|error| error.to_string())?;

    let mut running = job.program.start(&command)?;
    running.wait_for("three quarters of its steps", |said| (steps(said) >= whole * 3 / 4).then_some(()))?;
    let first = steps(&running.kill()?);
    check(!output.exists(), || "a killed experiment left results".into())?;
    let said = job.program.run(&[&command[..], &["--resume"]].concat())?.out;
    check(said.contains("resumed"), || "it does not say that it resumed".into())?;
    let second = steps(&said);
    check(first + second <= whole + EVERY, || format!("{second} steps after {first} of {whole}: too many again"))?;
    let differences = files()?.differences(&expected);
    check(differences.is_empty(), || format!("other bytes than without interruption: {}", differences.join(", ")))?;
    Ok(format!("killed after {first} of {whole} steps, {second} after that; {} files of equal bytes", expected.len()))
}
