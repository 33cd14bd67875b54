//! Starts hosts as processes, and experiments on them.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Place, timeless};

pub const TOKEN: &str = "open-sesame";

/// A host process, which is killed when it is dropped.
pub struct Host {
    child: Child,
    pub url: String,
}

impl Host {
    /// Starts a host, and waits until it listens.
    pub fn start(place: &Place, name: &str, token: Option<&str>, options: &[&str]) -> Self {
        let mut command = command(place, token);
        command.arg("host").args(options);
        Self::launch(place, name, command)
    }

    /// Starts a host with a command, and waits until it listens.
    pub fn launch(place: &Place, name: &str, mut command: Command) -> Self {
        let log = place.path(&format!("{name}.log"));
        command.stdout(File::create(&log).expect("a log")).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("it runs");
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let said = fs::read_to_string(&log).expect("a log");
            let line = said.lines().find_map(|line| line.strip_prefix("listening  "));
            if let Some(line) = line.filter(|_| said.contains("offers")) {
                let url = line.split(',').next().expect("a URL").replace("0.0.0.0", "127.0.0.1");
                return Self { child, url };
            }
            assert!(child.try_wait().expect("a child").is_none() && Instant::now() < until, "no host: {said}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts a host on a free loopback port.
    pub fn local(place: &Place, name: &str, backend: &str) -> Self {
        Self::start(place, name, None, &["--listen", "127.0.0.1:0", "--backend", backend])
    }

    /// Sends a signal, for example `-STOP`.
    #[cfg(unix)]
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").env("LC_ALL", "C").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn command(place: &Place, token: Option<&str>) -> Command {
    let mut command = Command::new(place.plain("").get_program());
    command.current_dir(place.path("")).env_clear().env("HF_HOME", place.path("cache"));
    command.envs(token.map(|token| ("REKINDLE_TOKEN", token)));
    command
}

pub fn devices(place: &Place, token: Option<&str>, urls: &[&str]) -> Output {
    let mut command = command(place, token);
    command.arg("devices").args(urls.iter().flat_map(|url| ["--host", url]));
    command.output().expect("it ran")
}

/// The options of the experiment.
pub const EXPERIMENT: [&str; 8] =
    ["--model", "embedded", "--folds", "3", "--approaches", "feature-extraction,last-layer,lora", "--epochs", "2"];
/// The number of its runs: of three approaches and two baselines, on three folds each.
pub const RUNS: usize = 15;

/// Returns the results without times and the devices that computed them.
pub fn anywhere(results: Value) -> Value {
    let mut results = timeless(results);
    for name in ["backend", "provenance"] {
        results[name] = Value::Null;
    }
    results
}

pub fn results(place: &Place) -> Value {
    let json = fs::read(place.path("out/results.json")).expect("results");
    anywhere(serde_json::from_slice(&json).expect("JSON"))
}

/// Returns a command of an experiment on hosts.
pub fn remote<'a>(urls: &[&'a str]) -> Vec<&'a str> {
    let hosts = urls.iter().flat_map(|url| ["--host", url]);
    EXPERIMENT.into_iter().chain(["--backend", "remote"]).chain(hosts).collect()
}

/// Runs an experiment on `urls`, and subjects the host at `struck` to an event during a run. Checks that the results
/// are those of `sound` alone, and that each run is done once. Returns the output.
pub fn interrupted(place: &Place, sound: &Host, urls: &[&str], struck: &str, happens: impl FnOnce()) -> String {
    let (whole, _) = place.results(&remote(&[&sound.url]));
    let mut experiment = Experiment::start(place, None, urls);
    experiment.wait_for(&format!("{struck}  step"));
    happens();
    let (code, said) = experiment.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(results(place) == anywhere(whole), "{said}");
    assert_eq!(said.matches("  finished ").count(), RUNS, "each run once: {said}");
    said
}

/// Returns a command that writes to `out`, and prints everything.
pub fn writing(place: &Place, token: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = command(place, token);
    command.args(arguments).args(["--offline", "--output", "out", "--verbose"]);
    if arguments.first() == Some(&"experiment") {
        command.arg("--overwrite");
    }
    command
}

/// A running command, which is killed when it is dropped.
pub struct Experiment {
    child: Child,
    log: PathBuf,
}

impl Experiment {
    /// Starts an experiment that prints every step.
    pub fn start(place: &Place, token: Option<&str>, urls: &[&str]) -> Self {
        Self::command(place, token, &[&["experiment"], &remote(urls)[..]].concat())
    }

    /// Starts another command that writes to `out`.
    pub fn command(place: &Place, token: Option<&str>, arguments: &[&str]) -> Self {
        Self::launch(place, writing(place, token, arguments))
    }

    /// Starts a command.
    pub fn launch(place: &Place, mut command: Command) -> Self {
        let log = place.path("experiment.log");
        let file = File::create(&log).expect("a log");
        let child = command.stdout(file.try_clone().expect("a log")).stderr(file).spawn().expect("it runs");
        Self { child, log }
    }

    /// Returns the output so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    /// Waits until the output contains some words.
    pub fn wait_for(&mut self, words: &str) {
        self.wait_for_more(words, 0);
    }

    /// Waits until the output contains some words more often than a number of times.
    pub fn wait_for_more(&mut self, words: &str, times: usize) {
        while self.said().matches(words).count() <= times {
            assert!(self.child.try_wait().expect("a child").is_none(), "no {words:?}: {}", self.said());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for the end, and returns the exit code and the output.
    pub fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("ended");
        (status.code(), self.said())
    }
}

impl Drop for Experiment {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
