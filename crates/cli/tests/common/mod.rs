//! Helpers that run the binary in a temporary folder.
#![allow(dead_code)]

pub mod models;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A temporary folder, without network access and with an empty cache.
pub struct Place(TempDir);

impl Place {
    /// Creates an empty folder.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// Returns a path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and creates its parent folders.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("written");
    }

    /// Writes the embedded model to a folder.
    pub fn model(&self, name: &str) {
        for file in fs::read_dir("../rekindle/embedded").expect("the embedded model") {
            let file = file.expect("a file");
            self.write(&format!("{name}/{}", file.file_name().display()), fs::read(file.path()).expect("read"));
        }
    }

    /// Writes the embedded model to the cache, as the hub's model of this name.
    pub fn cached(&self, id: &str) {
        let repository = format!("cache/hub/models--{}", id.replace('/', "--"));
        self.write(&format!("{repository}/refs/main"), "c0ffee");
        self.model(&format!("{repository}/snapshots/c0ffee"));
    }

    /// Returns a command of a program of the workspace, for example `rekindle` or `examples/scores`; `None` if it is
    /// not built.
    pub fn program(&self, name: &str) -> Option<Command> {
        let test = std::env::current_exe().expect("this test");
        let built = test.parent().and_then(Path::parent).expect("a folder of what was built");
        let program = built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let mut command = Command::new(&program);
        command.current_dir(self.0.path()).env_clear().env("HF_HOME", self.path("cache"));
        program.is_file().then_some(command)
    }

    /// Returns a command that may need a model.
    pub fn command(&self, name: &str) -> Command {
        let mut command = self.plain(name);
        command.arg("--offline");
        command
    }

    /// Returns a command of the binary.
    pub fn plain(&self, name: &str) -> Command {
        let mut command = Command::cargo_bin("rekindle").expect("the binary");
        command.current_dir(self.0.path()).env_clear().env("HF_HOME", self.path("cache")).arg(name);
        command
    }

    /// Runs `rekindle experiment`; without another `--output`, to the folder `out`, where it replaces earlier results.
    pub fn run(&self, options: &[&str]) -> Output {
        self.run_command("experiment", options)
    }

    fn run_command(&self, name: &str, options: &[&str]) -> Output {
        let mut command = self.command(name);
        if !options.contains(&"--output") {
            command.args(["--output", "out", "--overwrite"]);
        }
        command.args(options).output().expect("it ran")
    }

    /// Returns the results of a run and its output.
    pub fn results(&self, options: &[&str]) -> (Value, String) {
        self.results_of("experiment", options)
    }

    /// Returns the results of another command that trains, and its output.
    pub fn results_of(&self, name: &str, options: &[&str]) -> (Value, String) {
        let output = self.run_command(name, options);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{out}\n{err}");
        let json = fs::read(self.path("out/results.json")).expect("results.json");
        (serde_json::from_slice(&json).expect("JSON"), out + &err)
    }

    /// Returns every file below a folder, with its content.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.0.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let content = fs::read(&path).expect("read");
                    found.insert(path, content);
                }
            }
        }
        found
    }
}

/// Converts bytes to text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the results without times and memory.
#[allow(dead_code)] // not every test runs experiments
pub fn timeless(mut results: Value) -> Value {
    fn forget(value: &mut Value) {
        const TIMES: [&str; 8] = [
            "seconds",
            "train_seconds",
            "eval_seconds",
            "processor_seconds",
            "train_examples_per_second",
            "eval_examples_per_second",
            "finished",
            "peak_memory",
        ];
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| match TIMES.contains(&name.as_str()) {
                true => *value = Value::Null,
                false => forget(value),
            }),
            Value::Array(values) => values.iter_mut().for_each(forget),
            _ => {}
        }
    }
    forget(&mut results);
    results
}
