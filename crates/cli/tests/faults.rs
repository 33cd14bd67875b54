//! Faults of machines and files during `rekindle experiment`: a clear error, and complete earlier results.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Place, text, timeless};

const OPTIONS: [&str; 4] = ["--model", "embedded", "--approaches", "last-layer"];

/// Runs a shell script in a mount namespace of its own; `None`, with a message, if the system does not permit this.
#[cfg(target_os = "linux")]
fn with_mounts(place: &Place, script: &str) -> Option<String> {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", script]).current_dir(place.path(""));
        command.env("REKINDLE", place.plain("experiment").get_program()).output()
    };
    let allowed = unshare("mkdir -p probe && mount -t tmpfs tmpfs probe");
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this system does not permit mounting");
        return None;
    }
    let output = unshare(script).expect("it ran");
    Some(text(&output.stdout) + &text(&output.stderr))
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_leaves_earlier_results_unchanged() {
    let place = Place::new();
    place.results(&OPTIONS);
    let (mut failed, mut succeeded) = (0, 0);
    // Disks that are full when a checkpoint, the files, the models or the zip is written; and one that is large enough.
    for kilobytes in [160, 1000, 3000, 6000, 12000, 16000, 24000, 32000, 64000] {
        let script = format!(
            "mkdir -p disk && mount -t tmpfs -o size={kilobytes}k tmpfs disk && cp -r out out.zip disk/ && \
             \"$REKINDLE\" experiment --output disk/out --overwrite {} --save-models --epochs 2 --checkpoint-every 1 >said 2>&1; \
             echo code $?; diff -r out disk/out >/dev/null && cmp out.zip disk/out.zip && echo same; \
             ls -A disk disk/out; cat said",
            OPTIONS.join(" ")
        );
        let Some(said) = with_mounts(&place, &script) else { return };
        if said.contains("code 0") {
            succeeded += 1;
            assert!(!said.contains("same") && !said.contains("checkpoint\n"), "{kilobytes} kB: {said}");
            continue;
        }
        failed += 1;
        assert!(said.contains("No space left") && said.contains("disk/out"), "{kilobytes} kB: {said}");
        assert!(said.contains("same"), "{kilobytes} kB: earlier results are whole: {said}");
        let is_left = said.lines().any(|line| line == ".staging" || line.ends_with(".new"));
        assert!(!said.contains("panicked") && !is_left, "{said}");
    }
    assert!(failed >= 4 && succeeded >= 1, "{failed} disks were too small, {succeeded} large enough");
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_folder_is_refused_before_any_work() {
    let place = Place::new();
    let script = format!(
        "mkdir -p disk && mount -t tmpfs tmpfs disk && mkdir disk/out && mount -o remount,bind,ro disk && \
         \"$REKINDLE\" experiment --output disk/out {0}; \"$REKINDLE\" experiment --output disk/new {0}; ls -A disk",
        OPTIONS.join(" ")
    );
    let Some(said) = with_mounts(&place, &script) else { return };
    assert!(said.contains("disk/out") && said.contains("disk/new"), "{said}");
    assert_eq!(said.matches("Read-only file system").count(), 2, "{said}");
    assert!(!said.contains("trainable parameters"), "nothing was trained: {said}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_a_symlink_to_another_disk_stays_a_symlink() {
    let place = Place::new();
    let script = format!(
        "mkdir -p disk && mount -t tmpfs tmpfs disk && mkdir disk/real && ln -s disk/real out && \
         \"$REKINDLE\" experiment --output out {}; test -L out && echo link; ls -A disk/real; ls -A",
        OPTIONS.join(" ")
    );
    let Some(said) = with_mounts(&place, &script) else { return };
    for part in ["link", "results.json", "out.zip"] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
}

#[cfg(unix)]
#[test]
fn a_dangling_symlink_is_refused() {
    let place = Place::new();
    std::os::unix::fs::symlink("nowhere", place.path("out")).expect("a link");
    let output = place.run(&OPTIONS);
    let error = text(&output.stderr);
    assert!(!output.status.success() && error.contains("link to nothing"), "{error}");
}

#[test]
fn folders_that_are_deleted_during_a_run_are_created_again() {
    let place = Place::new();
    place.results(&[&OPTIONS[..], &["--epochs", "60"]].concat());
    let results = |path: &str| {
        timeless(serde_json::from_slice::<Value>(&fs::read(place.path(path)).expect("results")).expect("JSON"))
    };
    let mut command = Command::new(place.plain("experiment").get_program());
    command
        .current_dir(place.path(""))
        .args(["experiment", "--output", "far/away/out", "--epochs", "60"])
        .args(OPTIONS);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
    while !place.path("far/away/out.checkpoint/run/experiment.json").exists() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended too soon");
        thread::sleep(Duration::from_millis(1));
    }
    fs::remove_dir_all(place.path("far")).expect("removed");
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (mut here, mut there) = (results("out/results.json"), results("far/away/out/results.json"));
    (here["provenance"], there["provenance"]) = (Value::Null, Value::Null);
    assert_eq!(here, there);
}

#[test]
fn names_may_have_spaces_and_letters_of_any_script() {
    let place = Place::new();
    let (data, model, output) = ("my data/Sätze №1.csv", "ein Modell/модель", "my results/結果 ☃");
    place.model(model);
    place.write(data, "text,label\ngood,ja\nvery good,ja\nso good,ja\nbad,nein\nvery bad,nein\nso bad,nein\n");
    let options = ["--data", data, "--model", &format!("./{model}"), "--output", output, "--test-size", "2"];
    let ran = place.run(&options);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let results: Value =
        serde_json::from_slice(&fs::read(place.path(output).join("results.json")).expect("results")).expect("JSON");
    assert_eq!(results["data"]["files"], serde_json::json!([data]));
    let zip = fs::read(place.path(&format!("{output}.zip"))).expect("a zip");
    let name = "結果 ☃/results.json".as_bytes();
    assert!(zip.windows(name.len()).any(|window| window == name));
}

/// The numbers do not depend on the machine's clock.
#[cfg(target_os = "linux")]
#[test]
fn jumps_of_the_clock_change_no_number() {
    let place = Place::new();
    let expected = timeless(place.results(&OPTIONS).0);
    let library = ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1"];
    let Some(library) = library.into_iter().find(|path| std::path::Path::new(path).exists()) else {
        eprintln!("skipped: there is no libfaketime");
        return;
    };
    // Ten thousand times too fast, and before 1970.
    for (time, finished) in
        [("@2020-01-01 00:00:00 x10000", 1_577_000_000..1_600_000_000), ("@1969-07-20 20:17:00", 0..1)]
    {
        let mut command = place.command("experiment");
        command.env("LD_PRELOAD", library).env("FAKETIME", time).args(["--output", "out", "--overwrite"]).args(OPTIONS);
        let output = command.output().expect("it ran");
        assert!(output.status.success(), "{time}: {}", text(&output.stderr));
        let results = fs::read(place.path("out/results.json")).expect("results");
        let results: Value = serde_json::from_slice(&results).expect("JSON");
        let end = results["provenance"]["finished"].as_u64().expect("a number");
        assert!(finished.contains(&end), "{time}: the clock was another, {end}");
        assert_eq!(timeless(results), expected, "{time}");
    }
}
