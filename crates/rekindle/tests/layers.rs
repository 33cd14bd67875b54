//! Which crate may depend on which, which may hold unsafe code or start a program, and what crosses threads: invariants of
//! docs/architecture.md, and docs/api.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What a package of ours depends on, tests aside.
fn dependencies(metadata: &Value, package: &str) -> Vec<String> {
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|entry| entry["name"] == package).expect("a package of that name");
    let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
    let normal = dependencies.filter(|dependency| dependency["kind"] != "dev");
    normal.map(|dependency| dependency["name"].as_str().expect("a name").to_string()).collect()
}

#[test]
fn no_arrow_runs_back() {
    let cargo = std::env::var_os("CARGO").expect("run by cargo");
    let output = Command::new(cargo).args(["metadata", "--no-deps", "--format-version", "1"]).output().expect("cargo");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let allowed: [(&str, &[&str]); 21] = [
        ("rekindle-files", &[]),
        ("rekindle-raw", &[]),
        ("rekindle-baseline", &["rekindle-metrics"]),
        ("rekindle-corpus", &[]),
        ("rekindle-hub", &[]),
        ("rekindle-metrics", &[]),
        ("rekindle-data", &[]),
        ("rekindle-tokenizer", &[]),
        ("rekindle-checkpoint", &["burn", "rekindle-files", "rekindle-raw"]),
        ("rekindle-results", &[]),
        ("rekindle-report", &["rekindle-files", "rekindle-results"]),
        ("rekindle-ops", &["burn", "burn-autodiff", "burn-flex", "burn-ir"]),
        ("rekindle-nn", &["burn", "rekindle-ops", "rekindle-raw"]),
        ("rekindle-remote", &["burn", "burn-ir", "rekindle-nn", "rekindle-raw"]),
        ("rekindle-distilbert", &["burn", "rekindle-checkpoint", "rekindle-files", "rekindle-nn"]),
        ("rekindle-encoders", &["burn", "rekindle-checkpoint", "rekindle-distilbert", "rekindle-files", "rekindle-nn"]),
        (
            "rekindle-onnx",
            &[
                "burn",
                "rekindle-checkpoint",
                "rekindle-distilbert",
                "rekindle-encoders",
                "rekindle-files",
                "rekindle-nn",
            ],
        ),
        (
            "rekindle-infer",
            &[
                "burn",
                "rekindle-checkpoint",
                "rekindle-encoders",
                "rekindle-files",
                "rekindle-metrics",
                "rekindle-nn",
                "rekindle-tokenizer",
            ],
        ),
        ("rekindle-serve", &["rekindle-infer"]),
        (
            "rekindle-train",
            &[
                "burn",
                "rekindle-checkpoint",
                "rekindle-data",
                "rekindle-encoders",
                "rekindle-files",
                "rekindle-infer",
                "rekindle-metrics",
                "rekindle-nn",
                "rekindle-tokenizer",
            ],
        ),
        (
            "rekindle-experiment",
            &[
                "burn",
                "rekindle-baseline",
                "rekindle-checkpoint",
                "rekindle-data",
                "rekindle-tokenizer",
                "rekindle-encoders",
                "rekindle-files",
                "rekindle-infer",
                "rekindle-metrics",
                "rekindle-nn",
                "rekindle-results",
                "rekindle-remote",
                "rekindle-train",
            ],
        ),
    ];
    for (package, allowed) in allowed {
        for dependency in dependencies(&metadata, package) {
            let layered = dependency.starts_with("rekindle") || dependency.starts_with("burn");
            assert!(!layered || allowed.contains(&dependency.as_str()), "{package} must not depend on {dependency}");
        }
    }
}

/// A program that only predicts compiles no training, no reports and no archives.
#[test]
fn infer_brings_no_training() {
    let cargo = std::env::var_os("CARGO").expect("run by cargo");
    let arguments = ["tree", "--package", "rekindle-infer", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let output = Command::new(cargo).args(arguments).output().expect("cargo");
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    let packages: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(packages.contains(&"rekindle-distilbert"), "the tree is read: {packages:?}");
    let others = ["train", "experiment", "report", "results", "baseline", "data", "remote"]
        .map(|name| format!("rekindle-{name}"));
    for package in others.iter().map(String::as_str).chain(["zip", "csv", "maud", "parquet"]) {
        assert!(!packages.contains(&package), "rekindle-infer brings {package}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folders of all packages but the one that may hold unsafe code.
fn packages() -> Vec<PathBuf> {
    let folders = ["crates", "tools"].map(|folder| fs::read_dir(root().join(folder)).expect("packages"));
    let packages = folders.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let safe = packages.filter(|path| path.file_name() != Some("raw".as_ref()));
    safe.chain([root().join("xtask")]).collect()
}

/// The lines of a manifest's section.
fn section(manifest: &str, name: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| *line != format!("[{name}]")).skip(1);
    lines.take_while(|line| !line.starts_with('[')).map(str::to_owned).collect()
}

#[test]
fn one_package_may_hold_unsafe_code() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace");
    let lints = section(&manifest, "workspace.lints.rust");
    assert!(lints.contains(&"unsafe_code = \"forbid\"".to_owned()), "{lints:?}");
    for package in packages() {
        let manifest = fs::read_to_string(package.join("Cargo.toml")).expect("a manifest");
        assert_eq!(section(&manifest, "lints").first().map(String::as_str), Some("workspace = true"), "{package:?}");
    }
}

/// The sources below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A change for a model family is a change of the model crates.
#[test]
fn no_crate_above_the_encoders_names_a_family() {
    let mut found = Vec::new();
    for name in ["infer", "train", "experiment"] {
        sources(&root().join(format!("crates/{name}/src")), &mut found);
    }
    for path in found {
        let source = fs::read_to_string(&path).expect("read");
        for family in ["DistilBert", "BertFor", "Roberta", "Electra"] {
            assert!(!source.contains(family), "{family} in {}", path.display());
        }
    }
}

/// The choice between fused CPU kernels and Burn's operations is made below the models.
#[test]
fn no_model_file_depends_on_the_feature_of_the_fused_kernels() {
    let mut found = Vec::new();
    sources(&root().join("crates/distilbert/src"), &mut found);
    sources(&root().join("crates/encoders/src"), &mut found);
    assert!(!found.is_empty());
    for path in found {
        let source = fs::read_to_string(&path).expect("read");
        assert!(!source.contains("feature = \"flex\""), "{}", path.display());
    }
}

/// The path of a file below `src` as a module: `html::chart` is `["html", "chart"]`.
fn module(src: &Path, path: &Path) -> Vec<String> {
    let path = path.strip_prefix(src).expect("a source").with_extension("");
    let mut names: Vec<String> = path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names.pop_if(|last| ["lib", "main", "mod"].contains(&last.as_str()));
    names
}

/// The paths that a source imports with `keyword::`, for example `crate::`; of a group, the path of each item.
fn imported<'a>(source: &'a str, keyword: &str) -> Vec<Vec<&'a str>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let path = |text: &'a str| -> Vec<&'a str> {
        let end = text.find(|c| !is_name(c) && c != ':').unwrap_or(text.len());
        text[..end].split("::").filter(|name| !name.is_empty()).collect()
    };
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| line.as_ptr() as usize);
    let code: BTreeSet<usize> = code.map(|line| line - source.as_ptr() as usize).collect();
    let is_code = |place: usize| code.contains(&source[..place].rfind('\n').map_or(0, |end| end + 1));
    let places = source.match_indices(keyword).map(|(place, _)| place);
    let places = places.filter(|&place| is_code(place) && !source[..place].ends_with(|c| is_name(c) || c == ':'));
    places
        .flat_map(|place| {
            let rest = &source[place + keyword.len()..];
            match rest.strip_prefix('{') {
                Some(group) => group[..group.find('}').unwrap_or(0)].split(',').map(|item| path(item.trim())).collect(),
                None => vec![path(rest)],
            }
        })
        .collect()
}

/// The files that each file imports.
type Imports<'a> = BTreeMap<&'a [String], BTreeSet<&'a [String]>>;

/// The files that a file imports, directly or through others.
fn reached<'a>(from: &'a [String], imports: &Imports<'a>) -> BTreeSet<&'a [String]> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        open.extend(imports.get(file).into_iter().flatten().filter(|next| seen.insert(**next)));
    }
    seen
}

/// Files that import each other can only be understood together. In encoders, the configuration asks its family what a file may
/// contain, and each family reads its configuration.
#[test]
fn no_import_cycle_has_more_than_three_files() {
    for package in packages().into_iter().filter(|package| !package.ends_with("encoders")) {
        let (src, mut found) = (package.join("src"), Vec::new());
        sources(&src, &mut found);
        let files: BTreeMap<Vec<String>, PathBuf> = found.into_iter().map(|path| (module(&src, &path), path)).collect();
        let mut imports = Imports::new();
        for (file, path) in &files {
            let source = fs::read_to_string(path).expect("read");
            let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let parent = &file[..file.len().saturating_sub(1)];
            for (keyword, base) in [("crate::", &[][..]), ("self::", &file[..]), ("super::", parent)] {
                for names in imported(source, keyword) {
                    let names = base.iter().cloned().chain(names.into_iter().map(String::from)).collect::<Vec<_>>();
                    // The longest beginning that is a file; the rest are items of it.
                    let file_of = |length| files.get_key_value(&names[..length]).map(|(other, _)| &other[..]);
                    let other = (1..=names.len()).rev().find_map(file_of).filter(|other| *other != &file[..]);
                    imports.entry(file).or_default().extend(other.filter(|_| !file.is_empty()));
                }
            }
        }
        for file in imports.keys() {
            let circle: Vec<_> =
                reached(file, &imports).into_iter().filter(|other| reached(other, &imports).contains(file)).collect();
            assert!(circle.len() <= 3, "{}: these files import each other: {circle:?}", package.display());
        }
    }
}

#[test]
fn no_library_and_no_command_starts_a_program() {
    let mut found = Vec::new();
    for package in
        packages().iter().filter(|package| !package.ends_with("xtask") && !package.ends_with("tools/embedded"))
    {
        sources(&package.join("src"), &mut found);
    }
    assert!(found.len() > 100, "{}", found.len());
    for path in found {
        let source = fs::read_to_string(&path).expect("read");
        assert!(!source.contains("process::Command"), "{}", path.display());
    }
}

/// What crosses threads, and errors that `?` turns into a `Box<dyn Error + Send + Sync>`: to compile is to pass.
#[test]
fn errors_and_values_cross_threads() {
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    error::<rekindle::baseline::BaselineError>();
    error::<rekindle::data::DataError>();
    error::<rekindle::encoders::NnError>();
    error::<rekindle::experiment::ExperimentError>();
    error::<rekindle_files::FileError>();
    error::<rekindle_checkpoint::CheckpointError>();
    error::<rekindle::hub::HubError>();
    error::<rekindle::infer::ForwardError>();
    error::<rekindle::infer::InferError>();
    error::<rekindle::metrics::MetricsError>();
    error::<rekindle::onnx::OnnxError>();
    error::<rekindle::results::ResultsError>();
    error::<rekindle::tokenizer::TokenizerError>();
    error::<rekindle::train::TrainError>();
    shared::<rekindle::baseline::TfidfLogisticRegression>();
    shared::<rekindle::data::Dataset>();
    shared::<rekindle::data::Profile>();
    shared::<rekindle::encoders::Checkpoint>();
    shared::<rekindle::encoders::SequenceClassifier>();
    shared::<rekindle::infer::Predictor>();
    shared::<rekindle::infer::FillMask>();
    shared::<rekindle::infer::PretrainedModel>();
    shared::<rekindle::onnx::OnnxModel>();
    shared::<rekindle::results::Results>();
    shared::<rekindle::tokenizer::Tokenizer>();
    shared::<rekindle::train::EncodedDataset>();
    sent::<rekindle::data::Rows>();
}

/// With `autotests = false`, Cargo compiles only test files that are named.
#[test]
fn no_test_file_is_forgotten() {
    let mut files = 0;
    for package in packages() {
        let read = |name: &str| fs::read_to_string(package.join(name)).unwrap_or_default();
        let (manifest, program) = (read("Cargo.toml"), read("tests/main.rs"));
        if !manifest.contains("autotests = false") {
            assert!(program.is_empty(), "{}: tests/main.rs needs `autotests = false`", package.display());
            continue;
        }
        for entry in fs::read_dir(package.join("tests")).expect("tests") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
            if path.is_file() && name != "main" {
                let named = program.lines().any(|line| line == format!("mod {name};"));
                let separate = manifest.contains(&format!("[[test]]\nname = \"{name}\""));
                assert!(named || separate, "{}: name it in tests/main.rs", path.display());
                files += 1;
            }
        }
    }
    assert!(files > 40, "{files} files");
}
