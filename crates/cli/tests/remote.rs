//! `rekindle host` and `--backend remote`, with real processes on loopback.

#[path = "remote/anywhere.rs"]
mod anywhere;
mod common;
#[path = "remote/hosts.rs"]
mod hosts;
#[path = "remote/kind.rs"]
mod kind;
#[cfg(target_os = "linux")]
#[path = "remote/links.rs"]
mod links;
#[path = "remote/several.rs"]
mod several;
#[path = "remote/version.rs"]
mod version;

use std::fs;
use std::net::UdpSocket;
use std::process::Stdio;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{Place, text};
use hosts::{Host, RUNS, TOKEN, anywhere, command, devices, interrupted, remote, results};
use serde_json::Value;

#[test]
fn predictions_of_a_host_are_the_local_ones() {
    let place = Place::new();
    let trained = place.run(&["--model", "embedded", "--approaches", "last-layer", "--save-models"]);
    assert!(trained.status.success(), "{}", text(&trained.stderr));
    let host = Host::local(&place, "host", "flex");
    let predict = |more: &[&str]| -> Vec<f64> {
        let mut command = place.command("predict");
        command.args(["--model", "out/models/fine_tune_last_layer", "a joy to use", "broke within a week"]).args(more);
        let output = command.output().expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let line = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["score"].as_f64().expect("a score");
        text(&output.stdout).lines().map(line).collect()
    };
    let (here, there) = (predict(&[]), predict(&["--backend", "remote", "--host", &host.url]));
    assert_eq!((here.len(), here), (2, there));
}

/// Dropout is derived from seeds, so one experiment does not use up random numbers of the other.
#[test]
fn two_experiments_on_one_host_do_not_change_each_others_results() {
    let places = [Place::new(), Place::new()];
    let host = Host::local(&places[0], "host", "flex");
    let options = remote(&[&host.url]);
    let both = thread::scope(|scope| {
        let threads = places.each_ref().map(|place| scope.spawn(|| place.results(&options)));
        threads.map(|thread| anywhere(thread.join().expect("results").0))
    });
    let (alone, said) = places[0].results(&[&hosts::EXPERIMENT[..], &["--backend", "flex"]].concat());
    assert!(both.iter().all(|results| *results == anywhere(alone.clone())), "{said}");
}

/// Runs an experiment on two hosts, of which the first is subjected to `end` during a run; returns the output.
fn survives(end: impl FnOnce(&mut Host)) -> String {
    let place = Place::new();
    let mut first = Host::local(&place, "first", "flex");
    let second = Host::local(&place, "second", "flex");
    let url = first.url.clone();
    interrupted(&place, &second, &[&url, &second.url], &url, || end(&mut first))
}

#[test]
fn killing_a_host_during_a_run_changes_no_result() {
    let said = survives(Host::kill);
    assert!(said.contains("connection is retried"), "{said}");
}

#[cfg(unix)]
#[test]
fn the_run_of_a_stopped_host_is_computed_elsewhere() {
    survives(|host| host.signal("-STOP"));
}

/// The host runs ten of every hundred milliseconds.
#[cfg(unix)]
#[test]
fn a_host_that_is_ten_times_slower_changes_no_result() {
    let place = Place::new();
    let (slow, sound) = (Host::local(&place, "slow", "flex"), Host::local(&place, "sound", "flex"));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for (signal, time) in [("-STOP", 90), ("-CONT", 10)] {
                    slow.signal(signal);
                    thread::sleep(Duration::from_millis(time));
                }
            }
        });
        let _ends = Ends(&over);
        let said = interrupted(&place, &sound, &[&slow.url, &sound.url], &slow.url, || {});
        assert!(!said.contains("connection is retried"), "{said}");
    });
}

/// Sets a flag when it is dropped, also by a failed assertion.
#[cfg(unix)]
struct Ends<'a>(&'a AtomicBool);

#[cfg(unix)]
impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_resumed_client_repeats_no_run() {
    let place = Place::new();
    let host = Host::local(&place, "host", "flex");
    let (whole, _) = place.results(&remote(&[&host.url]));
    let mut command = command(&place, None);
    command.args(["experiment", "--offline", "--output", "out", "--overwrite"]).args(remote(&[&host.url]));
    let mut child = command.stdout(Stdio::null()).spawn().expect("it runs");
    let finished = || {
        let trials = fs::read_dir(place.path("out.checkpoint/run/trials")).into_iter().flatten();
        trials.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "json")).count()
    };
    while finished() < 2 {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it could be killed");
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    let before = finished();
    let output = place.run(&[&remote(&[&host.url])[..], &["--resume"]].concat());
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
    assert!(results(&place) == anywhere(whole), "{said}");
    assert_eq!(said.matches("  finished ").count(), RUNS - before, "{said}");
}

#[test]
fn a_host_requires_the_token() {
    let place = Place::new();
    let host = Host::start(&place, "host", Some(TOKEN), &["--listen", "127.0.0.1:0"]);
    place.write("token", format!("{TOKEN}\n"));
    for wrong in [None, Some("open"), Some("open-sesame-seed")] {
        let output = devices(&place, wrong, &[&host.url]);
        assert!(text(&output.stdout).contains("the token is missing or wrong"), "{}", text(&output.stdout));
        let mut command = command(&place, wrong);
        command.args(["experiment", "--offline", "--output", "out"]).args(remote(&[&host.url]));
        let output = command.output().expect("it ran");
        assert!(!output.status.success() && text(&output.stderr).contains("--token-file"), "{}", text(&output.stderr));
        assert!(!place.path("out").exists(), "nothing is written");
    }
    assert!(text(&devices(&place, Some(TOKEN), &[&host.url]).stdout).contains("flex: CPU"));
    let output = place.run(&[&remote(&[&host.url])[..], &["--token-file", "token"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    fs::remove_file(place.path("token")).expect("removed");
    for (path, content) in place.files() {
        assert!(!text(&content).contains(TOKEN), "{}", path.display());
    }
}

#[test]
fn a_host_with_an_identity_is_encrypted_and_requires_the_token() {
    let place = Place::new();
    let port = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let listen = format!("0.0.0.0:{port}");
    let options = ["--identity", "identity", "--listen", &listen];
    let open = command(&place, None).arg("host").args(options).output().expect("it ran");
    assert!(!open.status.success() && text(&open.stderr).contains("token"), "{}", text(&open.stderr));
    let host = Host::start(&place, "host", Some(TOKEN), &options);
    assert!(host.url.starts_with("iroh://"), "{}", host.url);
    let listed = |token| text(&devices(&place, token, &[&host.url]).stdout);
    assert!(listed(Some(TOKEN)).contains("flex: CPU"), "{}", listed(Some(TOKEN)));
    assert!(listed(Some("wrong")).contains("the token is missing or wrong"));
    // Another identity at the same address is not accepted.
    let url = host.url.clone();
    drop(host);
    fs::remove_file(place.path("identity")).expect("removed");
    let other = Host::start(&place, "other", Some(TOKEN), &options);
    assert_ne!(other.url, url);
    let listed = text(&devices(&place, Some(TOKEN), &[&url]).stdout);
    assert!(!listed.contains("flex: CPU"), "{listed}");
}

#[test]
fn invalid_options_are_errors() {
    let place = Place::new();
    let refused = |arguments: &[&str], words: &str| {
        let output = command(&place, None).args(arguments).output().expect("it ran");
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{arguments:?}: {said}");
    };
    refused(&["host", "--listen", "0.0.0.0:0"], "--token-file");
    refused(&["host", "--backend", "remote"], "[possible values: flex, ndarray, wgpu, vulkan, cuda]");
    refused(&["host", "--listen", "192.0.2.1:0", "--token-file", "absent"], "absent");
    refused(&["experiment", "--backend", "remote"], "--host URL");
    refused(&["experiment", "--host", "ws://127.0.0.1:1"], "--backend remote");
    refused(&["experiment", "--backend", "remote", "--host", "gpu"], "ws://NAME:PORT");
    let twice = ["experiment", "--backend", "remote", "--host", "ws://127.0.0.1:1", "--host", "ws://127.0.0.1:1/"];
    refused(&twice, "twice");
}
