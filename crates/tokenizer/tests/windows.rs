//! Compares the windows, and head and tail, of long texts with transformers (`fixtures/tokenizer/make_windows.py`).

use std::fs;
use std::path::Path;

use rekindle_tokenizer::{Tokenizer, TokenizerError};
use serde::Deserialize;
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokenizer");

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    family: String,
    truncation_side: String,
    max_length: usize,
    stride: usize,
    windows: Vec<Vec<Vec<u32>>>,
    head_tail: Vec<Vec<u32>>,
}

fn tokenizer(family: &str, truncation_side: &str) -> Tokenizer {
    let (folder, files) = (tempfile::tempdir().expect("a folder"), Path::new(FIXTURES).join("families").join(family));
    for entry in fs::read_dir(files).expect("a family") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    let path = folder.path().join("tokenizer_config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    config["truncation_side"] = json!(truncation_side);
    fs::write(&path, config.to_string()).expect("written");
    Tokenizer::from_folder(folder.path()).expect("a tokenizer")
}

#[test]
fn windows_and_head_and_tail_of_every_family_are_those_of_transformers() {
    let json = fs::read(Path::new(FIXTURES).join("windows.json")).expect("windows.json exists");
    let Golden { texts, cases } = serde_json::from_slice(&json).expect("windows.json parses");
    assert!(cases.len() > 70);
    for Case { family, truncation_side, max_length, stride, windows, head_tail } in cases {
        let about = format!("{family}, from the {truncation_side}, at most {max_length}, stride {stride}");
        let tokenizer = tokenizer(&family, &truncation_side);
        assert_eq!(tokenizer.encode_windows(&texts, max_length, stride).expect("windows"), windows, "{about}");
        assert_eq!(tokenizer.encode_head_tail(&texts, max_length).expect("ids"), head_tail, "{about}");
    }
}

#[test]
fn a_stride_must_be_smaller_than_the_window() {
    let tokenizer = tokenizer("bert", "right");
    assert_eq!(tokenizer.encode_windows(&["good"], 12, 9).expect("windows").len(), 1);
    let error = tokenizer.encode_windows(&["good"], 12, 10).expect_err("no progress");
    assert!(matches!(error, TokenizerError::Stride { stride: 10, room: 10 }), "{error}");
    assert!(tokenizer.encode_windows(&["good"], 2, 0).is_err());
}
