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
fn a_folder_in_int8_predicts_what_the_model_predicts_in_int8() {
    let place = trained();
    let answers = |options: &[&str]| {
        let output = place.command("predict").args(options).args(["a joy to use", "broke"]).output().expect("it ran");
        assert!(output.status.success(), "{options:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let options = ["--model", "model", "--output", "int8", "--int8", "--data", "data.csv"];
    let output = export(&place, &options);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for part in ["int8: ", " MB, int8", "accuracy on 3 examples: ", " % in int8 ("] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let (plain, int8) = (answers(&["--model", "model"]), answers(&["--model", "model", "--precision", "int8"]));
    assert!(plain != int8);
    assert_eq!(answers(&["--model", "int8"]), int8);
    assert_eq!(answers(&["--model", "int8", "--precision", "int8"]), int8);
    let [old, new] =
        ["model", "int8"].map(|folder| fs::read_to_string(place.path(folder).join("README.md")).expect("a card"));
    assert!(
        new.starts_with(&old) && new.contains("## Precision\n\nThe linear layers of the encoder have weights in int8")
    );

    // Without --int8, the folder is the model.
    assert!(export(&place, &["--model", "model", "--output", "f32"]).status.success());
    for name in ["config.json", "model.safetensors", "tokenizer.json", "README.md"] {
        let [old, new] = ["model", "f32"].map(|folder| fs::read(place.path(folder).join(name)).expect("a file"));
        assert!(old == new, "{name}");
    }

    let refused = |command: &str, options: &[&str]| {
        let output = place.command(command).args(options).output().expect("it ran");
        assert!(!output.status.success(), "{command} {options:?}");
        text(&output.stderr)
    };
    for (command, options, named) in [
        ("predict", &["--precision", "f32", "good"][..], "int8: its weights are in int8, and prediction in f32 needs"),
        ("explain", &["good"], "int8"),
        ("experiment", &["--output", "none"], "its weights are in int8, and training needs them in f32"),
        ("pretrain", &["--output", "none", "--corpus", "data.csv"], "and pretraining needs them in f32"),
        ("fill-mask", &["a [MASK]"], "and filling masks needs them in f32"),
        ("export", &["--onnx", "none"], "and an export needs them in f32"),
        ("export", &["--output", "none", "--int8"], "and an export needs them in f32"),
    ] {
        let error = refused(command, &[&["--model", "int8"], options].concat());
        assert!(error.contains(named), "{command} {options:?}: {error}");
        assert!(!place.path("none").exists(), "{command} {options:?}");
    }
    let weights = fs::read(place.path("int8/model.safetensors")).expect("a file");
    let error = refused("export", &["--model", "model", "--output", "int8", "--int8"]);
    assert!(error.contains("output int8: already has config.json"), "{error}");
    let error = refused("export", &["--model", "model", "--output", "./model", "--int8", "--overwrite"]);
    assert!(error.contains("is the model itself"), "{error}");
    assert!(export(&place, &[&options[..], &["--overwrite"]].concat()).status.success());
    assert!(fs::read(place.path("int8/model.safetensors")).expect("a file") == weights, "the same bytes");
    place.write("int8/modules.json", "[]");
    let error = refused("export", &["--model", "model", "--output", "int8", "--overwrite"]);
    assert!(error.contains("int8: modules.json belongs to another kind of model"), "{error}");
    let error = refused("export", &["--model", "model", "--output", "both", "--onnx", "x.onnx"]);
    assert!(error.contains("cannot be used with"), "{error}");
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
