//! The program that is rehearsed: its commands, with a log for each.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Time after which a program that does not answer counts as hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program, and the commands of the current step.
pub struct Program {
    path: PathBuf,
    /// The working directory of all commands.
    folder: PathBuf,
    logs: PathBuf,
    started: usize,
    step: Vec<Log>,
}

/// A command line, and the files with its output.
#[derive(Clone)]
struct Log {
    line: String,
    out: PathBuf,
    err: PathBuf,
}

/// What a command printed to standard output and standard error.
pub struct Printed {
    pub out: String,
    pub err: String,
}

impl Program {
    /// Returns the program at `path`, which works in `folder`.
    pub fn new(path: PathBuf, folder: PathBuf, logs: PathBuf) -> Self {
        Self { path, folder, logs, started: 0, step: Vec::new() }
    }

    /// Runs a command to its end, and returns what it printed.
    pub fn run(&mut self, arguments: &[&str]) -> Result<Printed, String> {
        let mut running = self.start(arguments)?;
        let code = running.child.wait().map_err(|error| error.to_string())?.code();
        check(code == Some(0), || format!("it ended with exit code {code:?} instead of 0"))?;
        let printed = Printed { out: running.output()?, err: read(&running.log.err)? };
        check(!printed.err.contains("panicked"), || "it panicked".into())?;
        Ok(printed)
    }

    /// Runs a command that must end with the exit code `expected`, and returns its message.
    pub fn refuse(&mut self, expected: i32, arguments: &[&str]) -> Result<String, String> {
        let mut running = self.start(arguments)?;
        let code = running.child.wait().map_err(|error| error.to_string())?.code();
        check(code == Some(expected), || format!("it ended with exit code {code:?} instead of {expected}"))?;
        read(&running.log.err)
    }

    /// Starts a command.
    pub fn start(&mut self, arguments: &[&str]) -> Result<Running, String> {
        self.started += 1;
        let name = format!("{:02}-{}", self.started, arguments.first().unwrap_or(&"rekindle"));
        let log = |end: &str| self.logs.join(format!("{name}.{end}"));
        let quoted = arguments.iter().map(|argument| match argument.contains([' ', '"', '\'', '*']) {
            true => format!(" '{}'", argument.replace('\'', r"'\''")),
            false => format!(" {argument}"),
        });
        let line = format!("{}{}", self.path.display(), quoted.collect::<String>());
        let log = Log { line, out: log("out"), err: log("err") };
        let open = |path: &Path| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
        let mut command = Command::new(&self.path);
        command.current_dir(&self.folder).args(arguments).stdin(Stdio::null());
        command.stdout(open(&log.out)?).stderr(open(&log.err)?);
        // Nothing is read from the user's cache, and nothing is downloaded.
        command.env("HF_HOME", self.folder.join("cache")).env("HF_HUB_OFFLINE", "1").env("NO_COLOR", "1");
        command.env_remove("HF_HUB_CACHE").env_remove("REKINDLE_TOKEN");
        self.step.push(log.clone());
        let child = command.spawn().map_err(|error| format!("{}: {error}", self.path.display()))?;
        Ok(Running { child, log })
    }

    /// Begins another step.
    pub fn begin(&mut self) {
        self.step.clear();
    }

    /// Describes the commands of the current step, and prints their output.
    pub fn describe(&self) -> String {
        let read = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let logs = self.step.iter().map(|Log { line, out, err }| {
            format!("$ {line}\n{}{}", read(out).unwrap_or_default(), read(err).unwrap_or_default())
        });
        logs.collect()
    }
}

/// A command that runs; it is killed when it is dropped.
pub struct Running {
    child: Child,
    log: Log,
}

impl Running {
    /// Waits until the standard output says what `find` looks for.
    pub fn wait_for<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let began = Instant::now();
        loop {
            // Before the output is read, so that its end is not missed.
            let ended = self.child.try_wait().map_err(|error| error.to_string())?;
            if let Some(found) = find(&self.output()?) {
                return Ok(found);
            }
            check(ended.is_none(), || format!("it ended before {what}"))?;
            check(began.elapsed() < PATIENCE, || format!("no sign of {what} in {PATIENCE:?}"))?;
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills the program as `kill -9` does, and returns what it had printed.
    pub fn kill(mut self) -> Result<String, String> {
        self.child.kill().map_err(|error| error.to_string())?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        check(!status.success(), || "it ended before it was killed".into())?;
        self.output()
    }

    /// Sends SIGTERM, and returns the exit code; `None` on systems without signals, where the program is killed.
    pub fn terminate(mut self) -> Result<Option<i32>, String> {
        if !cfg!(unix) {
            return self.kill().map(|_| None);
        }
        let sent = Command::new("kill").env("LC_ALL", "C").args(["-TERM", &self.child.id().to_string()]).status();
        check(sent.is_ok_and(|status| status.success()), || "SIGTERM could not be sent".into())?;
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return status.code().map(Some).ok_or_else(|| format!("it ended by the signal: {status}"));
            }
            check(began.elapsed() < PATIENCE, || format!("it did not stop within {PATIENCE:?} after SIGTERM"))?;
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn output(&self) -> Result<String, String> {
        read(&self.log.out)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a file whose last character may be incomplete.
fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns an error with the message if a statement is false.
pub fn check(is_true: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if is_true { Ok(()) } else { Err(message()) }
}
