//! Interrupts and resumes `rekindle experiment`: nothing is lost, and two runs never write to the same output.

use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Place, text, timeless};

/// An experiment of some seconds with all kinds of state.
const OPTIONS: [&str; 12] = [
    "--model",
    "embedded",
    "--epochs",
    "6",
    "--folds",
    "3",
    "--approaches",
    "last-layer,lora,last-1:pretrain=2",
    "--checkpoint-every",
    "2",
    "--save-models",
    "--verbose",
];

fn begin(place: &Place, more: &[&str]) -> Child {
    let mut command = std::process::Command::new(place.plain("experiment").get_program());
    command.current_dir(place.path("")).args(["experiment", "--output", "out", "--overwrite"]).args(OPTIONS).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
}

/// Waits until a number of runs are finished or have a checkpoint.
fn wait_for(place: &Place, runs: usize, child: &mut Child) {
    let count = || fs::read_dir(place.path("out.checkpoint/run/trials")).map_or(0, Iterator::count);
    while count() < runs {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it was interrupted");
        thread::sleep(Duration::from_millis(1));
    }
}

fn results(place: &Place) -> Value {
    timeless(serde_json::from_slice(&fs::read(place.path("out/results.json")).expect("results")).expect("JSON"))
}

/// Returns the results (without times) and models of an uninterrupted run.
fn undisturbed(place: &Place) -> (Value, Vec<Vec<u8>>) {
    let output = place.run(&OPTIONS);
    assert!(output.status.success(), "{}", text(&output.stderr));
    (results(place), models(place))
}

fn models(place: &Place) -> Vec<Vec<u8>> {
    let (files, folder) = (place.files().into_iter(), place.path("out/models"));
    files.filter(|(path, _)| path.starts_with(&folder)).map(|(_, content)| content).collect()
}

#[test]
fn a_killed_experiment_is_resumed_with_the_same_results_and_models() {
    let place = Place::new();
    let expected = undisturbed(&place);
    assert_eq!(expected.1.len(), 3 * 5, "a folder of five files for each approach");
    fs::remove_dir_all(place.path("out")).expect("removed");
    for runs in [1, 3, 5, 8] {
        let mut child = begin(&place, &["--resume"]);
        wait_for(&place, runs, &mut child);
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(!place.path("out").exists(), "nothing is half-written");
    }
    let said = place.run(&[&OPTIONS[..], &["--resume"]].concat());
    assert!(text(&said.stdout).contains("resumed  from"), "{}", text(&said.stderr));
    assert!((results(&place), models(&place)) == expected, "the same, byte for byte");
    let left: Vec<_> =
        fs::read_dir(place.path("")).expect("a folder").map(|entry| entry.expect("one").file_name()).collect();
    assert_eq!(left.len(), 2, "the output and its zip: {left:?}");
}

/// Returns whether termination signals are ignored here, and therefore in programs that are started here.
#[cfg(unix)]
fn are_signals_ignored() -> bool {
    const HUP_INT_TERM: u64 = 1 | 1 << 1 | 1 << 14;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    if mask & HUP_INT_TERM != 0 {
        eprintln!("skipped: signals are ignored here");
    }
    mask & HUP_INT_TERM != 0
}

#[cfg(unix)]
#[test]
fn under_nohup_the_end_of_the_terminal_is_ignored() {
    let place = Place::new();
    let mut child = begin_ignoring(&place, "HUP");
    wait_for(&place, 1, &mut child);
    send("HUP", &child);
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// As `nohup` ignores SIGHUP, and a shell ignores SIGINT for a program in the background.
#[cfg(unix)]
#[test]
fn a_signal_that_is_ignored_leaves_the_others_as_they_are() {
    if are_signals_ignored() {
        return;
    }
    let place = Place::new();
    for (ignored, sent) in [("HUP", "TERM"), ("HUP", "INT"), ("INT", "TERM"), ("INT", "HUP"), ("TERM", "INT")] {
        let mut child = begin_ignoring(&place, ignored);
        wait_for(&place, 1, &mut child);
        send(ignored, &child);
        send(sent, &child);
        let output = child.wait_with_output().expect("ended");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{sent} with {ignored} ignored: {said}");
        assert!(said.contains("stopping after this step") && said.contains("--resume"), "{said}");
        fs::remove_dir_all(place.path("out.checkpoint")).expect("the state to resume from");
    }
}

/// `timeout` sends its signal twice: once to the program, and once to the process group.
#[cfg(unix)]
#[test]
fn only_a_second_ctrl_c_stops_immediately() {
    if are_signals_ignored() {
        return;
    }
    let place = Place::new();
    let mut child = begin(&place, &[]);
    wait_for(&place, 1, &mut child);
    ["TERM", "HUP", "TERM"].into_iter().for_each(|signal| send(signal, &child));
    let output = child.wait_with_output().expect("ended");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("--resume"), "it ended by itself: {said}");
}

/// Starts an experiment in a shell that ignores a signal.
#[cfg(unix)]
fn begin_ignoring(place: &Place, signal: &str) -> Child {
    let mut command = std::process::Command::new("sh");
    let script = format!("trap '' {signal}; exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(place.plain("experiment").get_program());
    command.current_dir(place.path("")).args(["experiment", "--output", "out", "--overwrite"]).args(OPTIONS);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs")
}

#[cfg(unix)]
fn send(signal: &str, child: &Child) {
    // In a Turkish locale, procps' kill does not know HUP.
    let mut kill = std::process::Command::new("kill");
    kill.env("LC_ALL", "C").args([&format!("-{signal}"), &child.id().to_string()]);
    assert!(kill.status().expect("kill").success());
}

#[cfg(unix)]
#[test]
fn the_first_ctrl_c_writes_a_checkpoint_and_the_second_stops_immediately() {
    let interrupt = |child: &Child| send("INT", child);
    if are_signals_ignored() {
        return;
    }
    let place = Place::new();
    let expected = undisturbed(&place);
    let mut child = begin(&place, &[]);
    wait_for(&place, 1, &mut child);
    interrupt(&child);
    let output = child.wait_with_output().expect("ended");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("stopping after this step") && said.contains("--resume"), "{said}");
    assert!((results(&place), models(&place)) == expected, "earlier results are whole");

    let child = begin(&place, &["--resume", "--warmup-steps", "1"]);
    let said = text(&child.wait_with_output().expect("ended").stderr);
    assert!(said.contains("--warmup-steps was 0") && said.contains("without --resume"), "{said}");

    let mut child = begin(&place, &["--resume"]);
    wait_for(&place, 3, &mut child);
    interrupt(&child);
    interrupt(&child);
    assert_eq!(child.wait().expect("ended").code(), Some(130));

    let resumed = place.run(&[&OPTIONS[..], &["--resume"]].concat());
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    assert!((results(&place), models(&place)) == expected);
}

#[test]
fn two_runs_cannot_write_to_the_same_output() {
    let place = Place::new();
    let mut child = begin(&place, &[]);
    wait_for(&place, 1, &mut child);
    let second = place.run(&OPTIONS);
    assert!(!second.status.success() && text(&second.stderr).contains("another run"), "{}", text(&second.stderr));
    let first = child.wait_with_output().expect("ended");
    assert!(first.status.success(), "the first continues: {}", text(&first.stderr));
    assert!(place.path("out/results.json").exists());
}

#[test]
fn a_new_run_keeps_the_state_of_an_interrupted_one() {
    let place = Place::new();
    let mut child = begin(&place, &[]);
    wait_for(&place, 3, &mut child);
    child.kill().expect("killed");
    child.wait().expect("ended");
    let mut child = begin(&place, &["--seed", "7"]);
    while !place.path("out.checkpoint/before").exists() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended without setting anything aside");
        thread::sleep(Duration::from_millis(1));
    }
    wait_for(&place, 1, &mut child);
    child.kill().expect("killed");
    let said = text(&child.wait_with_output().expect("ended").stderr);
    assert!(said.contains("now in out.checkpoint") && said.contains("--resume"), "{said}");
    assert!(place.path("out.checkpoint/before/experiment.json").exists());
}
