//! The step with two hosts, which are processes on this machine.

use super::job::Job;
use super::program::{Running, check};
use crate::artifacts::Artifacts;

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
    let model = job.model.clone();
    let command = ["experiment", "--data", "train.csv", "--model", &model, "--approaches", "feature-extraction,last-1"];
    let more = ["--folds", "3", "--epochs", "2", "--save-models", "--verbose", "--output"];
    let command = [&command[..], &more].concat();
    job.program.run(&[&command[..], &["local"]].concat())?;
    let hosts = ["--backend", "remote", "--token-file", "token", "--host", &first_url, "--host", &second_url];
    let said = job.program.run(&[&command[..], &["distributed"], &hosts].concat())?.out;
    let finished = |url: &str| said.lines().filter(|line| line.contains(url) && line.contains("finished")).count();
    let runs = [finished(&first_url), finished(&second_url)];
    check(runs.iter().all(|runs| *runs > 0), || format!("the hosts finished {runs:?} runs"))?;
    let files = |output: &str| Artifacts::of(&job.path(output)).map_err(|error| format!("{output}: {error}"));
    // `results.json` names the backend and the command line.
    let mut differences = files("local")?.differences(&files("distributed")?);
    differences.retain(|name| name != "results.json");
    check(differences.is_empty(), || format!("other bytes than on this machine: {}", differences.join(", ")))?;
    for host in [first, second] {
        check(matches!(host.terminate()?, None | Some(0)), || "a host did not end with 0 after SIGTERM".into())?;
    }
    Ok(format!("{} and {} runs; models and predictions as on this machine, byte for byte", runs[0], runs[1]))
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
