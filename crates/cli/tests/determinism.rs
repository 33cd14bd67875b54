//! The same seed gives the same bytes, with any number of threads, on every CPU backend.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::common::{Place, text, timeless};

/// Everything that could differ: dropout, adapters, gradual unfreezing, cached features, texts of different lengths.
const APPROACHES: &str = "feature-extraction,last-layer,gradual,lora,last-1:pretrain=1";

fn backends() -> Vec<&'static str> {
    let compiled = [("flex", cfg!(feature = "flex")), ("ndarray", cfg!(feature = "ndarray"))];
    compiled.into_iter().filter(|(_, compiled)| *compiled).map(|(name, _)| name).collect()
}

/// Returns results without times, and the bytes of all models.
fn run(place: &Place, backend: &str, threads: &str, dropout: &str) -> (Value, BTreeMap<PathBuf, Vec<u8>>) {
    let mut command = place.command("experiment");
    command.env("RAYON_NUM_THREADS", threads).args(["--model", "embedded", "--data", "sentences.tsv", "--no-header"]);
    command.args(["--approaches", APPROACHES, "--epochs", "2", "--save-models", "--output", "out", "--overwrite"]);
    let output = command.args(["--frozen-dropout", dropout, "--backend", backend]).output().expect("it ran");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let results = fs::read(place.path("out/results.json")).expect("results");
    let models = place.path("out/models");
    let files = place.files().into_iter().filter(|(path, _)| path.starts_with(&models)).collect();
    (timeless(serde_json::from_slice(&results).expect("JSON")), files)
}

/// Compares runs with other numbers of threads with a run on one thread.
fn threads_change_no_byte(dropout: &str, others: [&str; 2]) {
    let place = Place::new();
    let all = fs::read_to_string("../../fixtures/transfer/sentences.tsv").expect("sentences");
    place.write("sentences.tsv", all.lines().step_by(24).collect::<Vec<_>>().join("\n"));
    for backend in backends() {
        let one = run(&place, backend, "1", dropout);
        assert_eq!(one.1.len(), 5 * 5, "five files for each approach");
        for threads in others {
            assert!(run(&place, backend, threads, dropout) == one, "{backend}, {threads} threads");
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_byte_with_dropout_in_frozen_layers() {
    threads_change_no_byte("on", ["1", "3"]);
}

#[test]
fn the_number_of_threads_changes_no_byte_without_dropout_in_frozen_layers() {
    threads_change_no_byte("off", ["2", "8"]);
}
