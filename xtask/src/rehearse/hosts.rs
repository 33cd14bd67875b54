//! The step with two hosts, which are processes on this machine.

use super::job::Job;
use super::program::{Running, check};
use crate::artifacts::Artifacts;

/// The runs of the experiment: of an approach and two baselines on two folds, and the final model.
const RUNS: usize = 7;

/// Distributes an experiment over two hosts, and compares the files with those of this machine alone.
pub fn distribute(job: &mut Job) -> Result<String, String> {
    if job
        .program
        .run(&["devices"])?
        .out
        .lines()
        .any(|line| line.starts_with("remote") && line.contains("not compiled"))
    {
        return Ok("SKIPPED: this program has no hosts; build one with `cargo build --workspace --bins --features \
                   rekindle-cli/remote`, and name it with --binary"
            .into());
    }
    job.write("token", "a token of this rehearsal alone\n")?;
    let (first, first_url) = host(job)?;
    let (second, second_url) = host(job)?;
    let hosts = ["--token-file", "token", "--host", &first_url, "--host", &second_url];
    let reached = job.program.run(&[&["devices"], &hosts[..]].concat())?.out;
    for url in [&first_url, &second_url] {
        let is_reached = reached.lines().any(|line| line.contains(url) && line.contains("CPU"));
        check(is_reached, || format!("{url} offers no CPU:\n{reached}"))?;
    }
    let command =
        ["experiment", "--data", "train.csv", "--model", &job.model, "--approaches", "last-1", "--folds", "2"];
    let command = [&command[..], &["--epochs", "1", "--save-models", "--verbose", "--output"]].concat();
    job.program.run(&[&command[..], &["local"]].concat())?;
    let said = job.program.run(&[&command[..], &["distributed", "--backend", "remote"], &hosts].concat())?.out;
    let finished = |url: &str| said.lines().filter(|line| line.contains(url) && line.contains("  finished ")).count();
    let (first_runs, second_runs) = (finished(&first_url), finished(&second_url));
    check(first_runs + second_runs == RUNS, || format!("{first_runs} and {second_runs} of {RUNS} runs were finished"))?;
    let files = |output: &str| Artifacts::of(&job.path(output)).map_err(|error| format!("{output}: {error}"));
    // `results.json` names the backend and the command line.
    let mut differences = files("local")?.differences(&files("distributed")?);
    differences.retain(|name| name != "results.json");
    check(differences.is_empty(), || format!("other bytes than on this machine: {}", differences.join(", ")))?;
    for host in [first, second] {
        check(matches!(host.terminate()?, None | Some(0)), || "a host did not end with 0 after SIGTERM".into())?;
    }
    Ok(format!("{first_runs} and {second_runs} runs; models and predictions as on this machine, byte for byte"))
}

/// Starts a host, and returns its URL.
fn host(job: &mut Job) -> Result<(Running, String), String> {
    let mut host = job.program.start(&["host", "--listen", "127.0.0.1:0", "--token-file", "token"])?;
    let url = host.wait_for("its URL", |said| {
        let line = said.lines().find_map(|line| line.strip_prefix("listening  "));
        line.filter(|_| said.contains("offers")).map(str::to_owned)
    })?;
    Ok((host, url))
}
