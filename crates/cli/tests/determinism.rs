//! The same seed gives the same bytes, with any number of threads, on every CPU backend.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use common::{Place, text, timeless};
use serde_json::Value;

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

#[test]
fn the_number_of_threads_changes_no_byte() {
    let place = Place::new();
    let all = fs::read_to_string("../../fixtures/transfer/sentences.tsv").expect("sentences");
    place.write("sentences.tsv", all.lines().step_by(12).collect::<Vec<_>>().join("\n"));
    for backend in backends() {
        for (dropout, others) in [("on", ["1", "3"]), ("off", ["2", "8"])] {
            let one = run(&place, backend, "1", dropout);
            assert_eq!(one.1.len(), 5 * 5, "five files for each approach");
            for threads in others {
                assert!(run(&place, backend, threads, dropout) == one, "{backend}, {threads} threads");
            }
        }
    }
}
