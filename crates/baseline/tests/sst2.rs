//! Compares accuracy on SST-2 with scikit-learn, if `train.tsv` and `dev.tsv` (`text TAB label` per line) are in a
//! folder next to the repository, or in the folder `REKINDLE_SST2`.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use rekindle_baseline::{Baseline, LogisticOptions, TfidfLogisticRegression};
use serde_json::Value;

fn read(path: &Path) -> (Vec<String>, Vec<usize>) {
    let file = std::fs::read_to_string(path).unwrap();
    let rows = file.lines().map(|line| line.rsplit_once('\t').unwrap());
    rows.map(|(text, label)| (text.to_string(), label.trim().parse::<usize>().unwrap())).unzip()
}

#[test]
fn accuracy_matches_scikit_learn() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/sst2");
    let folder = std::env::var_os("REKINDLE_SST2").map_or(beside, PathBuf::from);
    if !folder.join("train.tsv").exists() {
        eprintln!("skipped: no SST-2 in {}", folder.display());
        return;
    }
    let golden: Value = serde_json::from_str(include_str!("../../../fixtures/baseline/golden.json")).unwrap();
    let ((texts, labels), (unseen, truth)) = (read(&folder.join("train.tsv")), read(&folder.join("dev.tsv")));
    assert_eq!(texts.len() as u64, golden["sst2"]["train"].as_u64().unwrap(), "scikit-learn used a different SST-2");
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let unseen: Vec<&str> = unseen.iter().map(String::as_str).collect();

    let start = Instant::now();
    let fitted = TfidfLogisticRegression::fit(&texts, &labels, 2, &LogisticOptions::default()).unwrap();
    let fit = start.elapsed();
    let predictions = fitted.predictions(&unseen);
    eprintln!("fitted in {fit:?}, predicted in {:?}", start.elapsed() - fit);
    let right = predictions.iter().zip(&truth).filter(|(found, truth)| found == truth).count();
    let accuracy = right as f64 / truth.len() as f64;
    let of = |name: &str| golden["sst2"][name].as_f64().unwrap();
    eprintln!("accuracy {accuracy}, scikit-learn's {}, and {} converged", of("accuracy"), of("converged"));
    assert!(
        (accuracy - of("accuracy")).abs() <= 0.002,
        "scikit-learn's lbfgs stops early, which may change one or two predictions"
    );
    assert!(
        (accuracy - of("converged")).abs() <= 1.5 / truth.len() as f64,
        "at most one prediction at the decision boundary may differ"
    );
}
