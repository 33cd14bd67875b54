//! An output folder replaces what earlier experiments wrote, completely, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rekindle_report::{Output, ReportError};

use crate::samples;

const NAMES: [&str; 6] =
    ["tl_results.csv", "scores.csv", "history.csv", "predictions.csv", "report.html", "results.json"];

/// Writes results and models to `out`.
fn write(folder: &Path, models: &[&str], overwrite: bool, zip_models: bool) -> Result<(PathBuf, PathBuf), ReportError> {
    let names: Vec<String> = models.iter().map(|model| (*model).to_owned()).collect();
    let output = Output::prepare(&folder.join("out"), &names, overwrite)?;
    output.write(&samples::toy(), zip_models, |to| {
        let save = |model: &&str| {
            fs::create_dir_all(to.join(model))?;
            fs::write(to.join(model).join("config.json"), "{}")?;
            Ok(format!("{model}/config.json"))
        };
        models.iter().map(save).collect::<std::io::Result<Vec<_>>>()
    })
}

/// All files below a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below");
                found.insert(name.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/"));
            }
        }
    }
    found
}

fn refusal(result: Result<(PathBuf, PathBuf), ReportError>) -> String {
    result.map(drop).expect_err("refused").to_string()
}

#[test]
fn earlier_results_are_replaced_only_on_request_and_then_completely() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    write(root, &["one", "two"], false, false).expect("a new folder");
    let out = root.join("out");
    for (name, text) in [("notes.txt", "mine"), ("models/two/notes.txt", "mine"), ("models/three/weights", "mine")] {
        fs::create_dir_all(out.join(name).parent().expect("a parent")).expect("a folder");
        fs::write(out.join(name), text).expect("written");
    }
    let before = files(root);
    let error = refusal(write(root, &["one"], false, false));
    assert!(error.contains("earlier experiment") && error.contains("--overwrite"), "{error}");
    assert_eq!(files(root), before);

    write(root, &["one"], true, false).expect("replaced");
    let mut expected: BTreeSet<String> = NAMES.map(|name| format!("out/{name}")).into();
    let more = ["out/.rekindle", "out/models/one/config.json", "out/notes.txt", "out/models/two/notes.txt"];
    expected.extend(more.into_iter().chain(["out/models/three/weights", "out.zip"]).map(str::to_owned));
    assert_eq!(files(root), expected, "the model `two` is gone; what is not ours is still there");

    fs::remove_dir_all(&out).expect("removed");
    let error = refusal(write(root, &[], false, false));
    assert!(error.contains("--overwrite"), "the zip is of an earlier experiment: {error}");
    write(root, &[], true, false).expect("replaced");
}

#[test]
fn a_file_that_is_not_from_an_experiment_is_never_replaced() {
    let foreign = NAMES.map(|name| format!("out/{name}"));
    let more = ["out.zip", "out.failed.csv", "out.checkpoint/notes.txt", "out/models", "out/models/one/config.json"];
    for name in foreign.iter().map(String::as_str).chain(more) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir_all(root.join(name).parent().expect("a parent")).expect("a folder");
        fs::write(root.join(name), "mine").expect("written");
        for overwrite in [false, true] {
            let error = refusal(write(root, &["one"], overwrite, false));
            let named = name.strip_suffix("/notes.txt").or(name.strip_suffix("/config.json")).unwrap_or(name);
            assert!(error.contains(named) && error.contains("not from an earlier experiment"), "{name}: {error}");
            assert_eq!(fs::read_to_string(root.join(name)).expect("read"), "mine");
            assert_eq!(files(root).len(), 1, "nothing is written");
        }
    }
}

/// A folder in which the user works may be the output.
#[test]
fn other_files_of_the_folder_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    fs::create_dir_all(root.join("out/models/mine")).expect("a folder");
    fs::write(root.join("out/reviews.csv"), "mine").expect("written");
    fs::write(root.join("out/models/mine/config.json"), "mine").expect("written");
    write(root, &["one"], false, false).expect("written beside them");
    write(root, &[], true, false).expect("replaced");
    for name in ["out/reviews.csv", "out/models/mine/config.json"] {
        assert_eq!(fs::read_to_string(root.join(name)).expect("read"), "mine");
    }
    assert!(!root.join("out/models/one").exists());
}

#[test]
fn models_are_in_the_zip_only_on_request() {
    for zip_models in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, zip) = write(folder.path(), &["one"], false, zip_models).expect("written");
        let bytes = fs::read(zip).expect("a zip");
        let has = |name: &str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
        assert!(NAMES.iter().all(|name| has(&format!("out/{name}"))));
        assert_eq!(has("out/models/one/config.json"), zip_models);
    }
}
