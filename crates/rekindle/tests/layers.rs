//! Which crate may depend on which: the first invariant of docs/architecture.md.

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
    let allowed: [(&str, &[&str]); 8] = [
        ("rekindle-baseline", &[]),
        ("rekindle-corpus", &[]),
        ("rekindle-metrics", &[]),
        ("rekindle-data", &[]),
        ("rekindle-tokenizer", &[]),
        ("rekindle-distilbert", &["burn", "burn-autodiff", "burn-flex"]),
        (
            "rekindle-train",
            &["burn", "burn-flex", "rekindle-data", "rekindle-tokenizer", "rekindle-distilbert", "rekindle-metrics"],
        ),
        (
            "rekindle-experiment",
            &[
                "burn",
                "rekindle-baseline",
                "rekindle-data",
                "rekindle-tokenizer",
                "rekindle-distilbert",
                "rekindle-metrics",
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
