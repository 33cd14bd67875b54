//! A place to run the binary in.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A folder to run in, without network and without anybody's cache.
pub struct Place(TempDir);

impl Place {
    /// A new one.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("written");
    }

    /// A folder with the embedded model's files.
    pub fn model(&self, name: &str) {
        for file in fs::read_dir("../rekindle/embedded").expect("the embedded model") {
            let file = file.expect("a file");
            self.write(&format!("{name}/{}", file.file_name().display()), fs::read(file.path()).expect("read"));
        }
    }

    /// The embedded model as the hub's model of this name, in the cache.
    pub fn cached(&self, id: &str) {
        let repository = format!("cache/hub/models--{}", id.replace('/', "--"));
        self.write(&format!("{repository}/refs/main"), "c0ffee");
        self.model(&format!("{repository}/snapshots/c0ffee"));
    }

    /// A program of the workspace, such as `rekindle` or `examples/scores`; `None` where it was not built.
    pub fn program(&self, name: &str) -> Option<Command> {
        let test = std::env::current_exe().expect("this test");
        let built = test.parent().and_then(Path::parent).expect("a folder of what was built");
        let program = built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let mut command = Command::new(&program);
        command.current_dir(self.0.path()).env_clear().env("HF_HOME", self.path("cache"));
        program.is_file().then_some(command)
    }

    /// A command of the binary that may ask for a model.
    pub fn command(&self, name: &str) -> Command {
        let mut command = self.plain(name);
        command.arg("--offline");
        command
    }

    /// A command of the binary.
    pub fn plain(&self, name: &str) -> Command {
        let mut command = Command::cargo_bin("rekindle").expect("the binary");
        command.current_dir(self.0.path()).env_clear().env("HF_HOME", self.path("cache")).arg(name);
        command
    }

    /// `rekindle experiment`.
    pub fn run(&self, options: &[&str]) -> Output {
        let mut command = self.command("experiment");
        if !options.contains(&"--output") {
            command.args(["--output", "out"]);
        }
        command.args(options).output().expect("it ran")
    }

    /// The run's results and what it printed.
    pub fn results(&self, options: &[&str]) -> (Value, String) {
        let output = self.run(options);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{out}\n{err}");
        let json = fs::read(self.path("out/results.json")).expect("results.json");
        (serde_json::from_slice(&json).expect("JSON"), out + &err)
    }

    /// Every file below, with its content.
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

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The results but for times and memory.
#[allow(dead_code)] // not every test runs experiments
pub fn timeless(mut results: Value) -> Value {
    fn forget(value: &mut Value) {
        const TIMES: [&str; 5] = ["seconds", "train_seconds", "eval_seconds", "finished", "peak_memory"];
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
