//! Runs `rekindle export`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::{Place, text};

/// Returns a folder with a trained model in `model`, and labelled texts.
fn trained() -> Place {
    let place = Place::new();
    place.results(&["--model", "embedded", "--save-models", "--approaches", "feature-extraction"]);
    fs::rename(place.path("out/models/feature_extraction_freeze_all"), place.path("model")).expect("moved");
    place.write("data.csv", "text,label\na joy to use,1\nbroke within a week,0\nvery good,1\n");
    place
}

fn export(place: &Place, options: &[&str]) -> Output {
    place.command("export").args(options).output().expect("it ran")
}

#[test]
fn a_file_is_written_once_and_replaced_on_demand() {
    let place = trained();
    let options = ["--model", "model", "--onnx", "model.onnx"];
    let output = export(&place, &options);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let written = fs::read(place.path("model.onnx")).expect("a file");
    let megabytes = format!("model.onnx: {:.1} MB, f32", written.len() as f64 / 1e6);
    assert_eq!(text(&output.stdout).trim(), megabytes);
    place.write("model.onnx", "another");
    let refused = export(&place, &options);
    assert_eq!(refused.status.code(), Some(4));
    assert!(
        text(&refused.stderr).contains("model.onnx: already exists; to replace it, add --overwrite"),
        "{}",
        text(&refused.stderr)
    );
    assert_eq!(fs::read(place.path("model.onnx")).expect("a file"), b"another");
    assert!(export(&place, &[&options[..], &["--overwrite"]].concat()).status.success());
    assert!(fs::read(place.path("model.onnx")).expect("a file") == written, "the same bytes");
}

#[test]
fn int8_is_smaller_and_reports_its_accuracy() {
    let place = trained();
    assert!(export(&place, &["--model", "model", "--onnx", "f32.onnx"]).status.success());
    let options = ["--model", "model", "--onnx", "int8.onnx", "--int8", "--data", "data.csv"];
    let output = export(&place, &options);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for part in ["MB, int8", "accuracy on 3 examples: ", " % in f32, ", " % in int8 (", "predictions differ"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let size = |name: &str| fs::metadata(place.path(name)).expect("a file").len();
    assert!(size("int8.onnx") < size("f32.onnx"));
}

#[test]
fn what_cannot_be_exported_is_an_error_and_writes_nothing() {
    let place = trained();
    place.model("headless");
    place.write("other.csv", "text,label\nfine,perhaps\n");
    place.write("empty.csv", "text,label\n");
    let cases: [(&[&str], &str, i32); 7] = [
        (&["--model", "headless"], "no classification head", 3),
        (&["--model", "./none"], "none", 3),
        (&["--model", "model", "--data", "data.csv"], "--int8", 2),
        (&["--model", "model", "--text-column", "text"], "--text-column: needs --data", 2),
        (&["--model", "model", "--int8", "--data", "other.csv"], "perhaps", 3),
        (&["--model", "model", "--int8", "--data", "empty.csv"], "empty.csv", 3),
        (&["--model", "model", "--int8", "--data", "none.csv"], "none.csv", 3),
    ];
    for (options, expected, code) in cases {
        let output = export(&place, &[options, &["--onnx", "x.onnx"]].concat());
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(code) && error.contains(expected), "{options:?}: {error}");
        assert!(!place.path("x.onnx").exists(), "{options:?}");
    }
    for (path, expected) in [("model", "is a folder"), ("no/such/x.onnx", "no/such/x.onnx")] {
        let output = export(&place, &["--model", "model", "--onnx", path]);
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(4) && error.contains(expected), "{path}: {error}");
    }
}

/// Skipped without onnxruntime: `PYTHON` names an interpreter that has it, or else `python3` is asked.
#[test]
fn onnx_runtime_computes_the_same() {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let has_runtime = Command::new(&python).args(["-c", "import numpy, onnxruntime"]).output();
    if !has_runtime.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: {} has no onnxruntime", python.display());
        return;
    }
    let script = Path::new("../../fixtures/onnx/check.py").canonicalize().expect("the script");
    let rekindle = assert_cmd::cargo::cargo_bin("rekindle");
    let checked = Command::new(&python).arg(script).arg(rekindle).args(["/base", "trained"]).output().expect("it ran");
    assert!(checked.status.success(), "{}\n{}", text(&checked.stdout), text(&checked.stderr));
}
