//! Compares token ids and batches with transformers (`fixtures/tokenizer/make.py`).

use std::path::Path;

use rekindle_tokenizer::{Batch, Padding, Tokenizer, TokenizerError};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokenizer");

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    cases: Vec<Case>,
    long: Vec<Long>,
    tokenizer_json: Json,
}

#[derive(Deserialize)]
struct Case {
    settings: Value,
    max_length: usize,
    input_ids: Vec<Vec<u32>>,
    padded_longest: Padded,
    padded_max: Padded,
}

#[derive(Deserialize)]
struct Padded {
    input_ids: Vec<Vec<u32>>,
    attention_mask: Vec<Vec<u8>>,
}

/// A text of `part` repeated `times` times, followed by `tail`.
#[derive(Deserialize)]
struct Long {
    settings: Value,
    part: String,
    times: usize,
    tail: String,
    max_length: usize,
    input_ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Json {
    texts: Vec<String>,
    cases: Vec<Case>,
}

fn golden() -> Golden {
    let json = std::fs::read(Path::new(FIXTURES).join("golden.json")).expect("golden.json exists");
    serde_json::from_slice(&json).expect("golden.json parses")
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).expect("a file");
    }
    folder
}

fn with_settings(settings: &Value) -> Tokenizer {
    let vocab = std::fs::read(Path::new(FIXTURES).join("vocab.txt")).expect("vocab.txt exists");
    let folder = folder(&[("vocab.txt", &vocab), ("tokenizer_config.json", settings.to_string().as_bytes())]);
    Tokenizer::from_folder(folder.path()).expect("a tokenizer")
}

fn refusal(files: &[(&str, &[u8])]) -> TokenizerError {
    Tokenizer::from_folder(folder(files).path()).expect_err("no tokenizer")
}

fn check(tokenizer: &Tokenizer, texts: &[String], case: &Case) {
    let (max_length, about) = (case.max_length, format!("{} at {}", case.settings, case.max_length));
    let rows = tokenizer.encode_all(texts, max_length).expect("ids");
    assert_eq!(rows.len(), case.input_ids.len());
    for ((text, row), expected) in texts.iter().zip(&rows).zip(&case.input_ids) {
        assert_eq!(row, expected, "{text:?}, {about}");
        assert_eq!(&tokenizer.encode(text, max_length).expect("ids"), expected, "{text:?} alone, {about}");
    }
    for (padding, expected) in
        [(Padding::Longest, &case.padded_longest), (Padding::MaxLength(max_length), &case.padded_max)]
    {
        let batch = Batch::padded(&rows[..expected.input_ids.len()], tokenizer.pad_id(), padding);
        assert_eq!(batch.input_ids, expected.input_ids.concat(), "{padding:?}, {about}");
        assert_eq!(batch.attention_mask, expected.attention_mask.concat(), "{padding:?}, {about}");
    }
}

#[test]
fn ids_match_transformers_with_every_setting() {
    let golden = golden();
    assert_eq!((golden.cases.len(), golden.texts.len() >= 50), (48, true));
    for case in &golden.cases {
        check(&with_settings(&case.settings), &golden.texts, case);
    }
}

#[test]
fn long_texts_are_truncated_as_in_transformers() {
    for Long { settings, part, times, tail, max_length, input_ids } in golden().long {
        let tokenizer = with_settings(&settings);
        let text = part.repeat(times) + &tail;
        let about = format!("{part:?} {times} times, then {tail:.20?}, {settings} at {max_length}");
        assert!(text.len() > 16 * 1024, "{about}");
        assert_eq!(tokenizer.encode(&text, max_length).expect("ids"), input_ids, "{about}");
        assert_eq!(tokenizer.encode_all(&[text], max_length).expect("ids"), [input_ids], "{about}, of many");
    }
}

#[test]
fn truncation_follows_the_argument_and_not_the_file() {
    let tokenizer = Tokenizer::from_folder(Path::new(FIXTURES)).expect("tokenizer.json comes before vocab.txt");
    assert_eq!((tokenizer.vocab_size(), tokenizer.pad_id()), (11, 4));
    let Json { texts, cases } = golden().tokenizer_json;
    for case in &cases {
        check(&tokenizer, &texts, case);
    }
    let longest = cases.iter().flat_map(|case| &case.input_ids).map(Vec::len).max();
    assert_eq!(longest, Some(160));
}

#[test]
fn lengths_are_counted_before_truncation() {
    let golden = golden();
    for case in &golden.cases {
        let lengths = with_settings(&case.settings).lengths_all(&golden.texts).expect("lengths");
        let cut: Vec<usize> = lengths.into_iter().map(|length| length.min(case.max_length)).collect();
        let expected: Vec<usize> = case.input_ids.iter().map(Vec::len).collect();
        assert_eq!(cut, expected, "{} at {}", case.settings, case.max_length);
    }
}

#[test]
fn a_tokenizer_can_be_written_and_read() {
    let golden = golden();
    for case in golden.cases.iter().filter(|case| case.max_length == 64) {
        let json = with_settings(&case.settings).to_json().expect("JSON");
        check(&Tokenizer::from_json_bytes(json.as_bytes()).expect("a tokenizer"), &golden.texts, case);
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let missing = refusal(&[("config.json", b"{}")]);
    assert!(matches!(missing, TokenizerError::Missing { .. }), "{missing}");

    let no_pad = refusal(&[("vocab.txt", b"[UNK]\n[CLS]\n[SEP]\ngood\n")]).to_string();
    assert!(no_pad.contains("vocab.txt") && no_pad.contains("[PAD]"), "{no_pad}");

    let broken = refusal(&[("tokenizer.json", b"{\"version\": \"1.0\"")]).to_string();
    assert!(broken.contains("tokenizer.json"), "{broken}");
    let broken = refusal(&[("vocab.txt", b"[PAD]"), ("tokenizer_config.json", b"{")]).to_string();
    assert!(broken.contains("tokenizer_config.json"), "{broken}");
    let broken = refusal(&[("vocab.txt", b"[PAD]\n\xff\n")]).to_string();
    assert!(broken.contains("vocab.txt"), "{broken}");

    let tokenizer = Tokenizer::from_folder(Path::new(FIXTURES)).expect("a tokenizer");
    for max_length in 0..=2 {
        let error = tokenizer.encode("good", max_length).expect_err("no room");
        assert!(matches!(error, TokenizerError::MaxLength { special: 2, .. }), "{error}");
        assert!(tokenizer.encode_all(&["good"], max_length).is_err());
    }
}
