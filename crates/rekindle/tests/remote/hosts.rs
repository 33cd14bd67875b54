//! Hosts as processes of their own, and experiments on them.

use std::fs::{self, File};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Place, timeless};

pub const TOKEN: &str = "open-sesame";

/// A host, ended when it is dropped.
pub struct Host {
    pub child: Child,
    pub url: String,
}

impl Host {
    /// Starts one and waits until it says where it listens.
    pub fn start(place: &Place, name: &str, token: Option<&str>, options: &[&str]) -> Self {
        let log = place.path(&format!("{name}.log"));
        let mut command = command(place, token);
        command.arg("host").args(options).stdout(File::create(&log).expect("a log"));
        let mut child = command.stderr(Stdio::inherit()).spawn().expect("it runs");
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

    /// One on a free port of loopback.
    pub fn local(place: &Place, name: &str, backend: &str) -> Self {
        Self::start(place, name, None, &["--listen", "127.0.0.1:0", "--backend", backend])
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

/// What is run.
pub const EXPERIMENT: [&str; 8] =
    ["--model", "embedded", "--folds", "3", "--approaches", "feature-extraction,last-layer,lora", "--epochs", "2"];

/// The results but for times, and for where they were computed.
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

pub fn remote<'a>(hosts: &[&'a Host]) -> Vec<&'a str> {
    let hosts = hosts.iter().flat_map(|host| ["--host", host.url.as_str()]);
    EXPERIMENT.into_iter().chain(["--backend", "remote"]).chain(hosts).collect()
}
