//! Compares tokenizers of every family with AutoTokenizer (`fixtures/tokenizer/make_families.py`).

use std::fs;
use std::path::Path;

use rekindle_tokenizer::{Batch, Encoded, Padding, Side, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, Value};
use tempfile::TempDir;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokenizer");

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    text_pairs: Vec<(String, String)>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    family: String,
    vocabulary: String,
    files: Map<String, Value>,
    has_type_ids: bool,
    padded: Padded,
    pad_token_id: u32,
    unk_token_id: Option<u32>,
    mask_token_id: Option<u32>,
    cls_token_id: Option<u32>,
    sep_token_id: Option<u32>,
    padding_side: String,
    encoded: Vec<Rows>,
}

#[derive(Deserialize)]
struct Padded {
    input_ids: Vec<Vec<u32>>,
    attention_mask: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
struct Rows {
    max_length: Option<usize>,
    ids: Vec<Vec<u32>>,
    pairs: Vec<Vec<u32>>,
    token_type_ids: Vec<String>,
    special: Vec<String>,
}

fn golden() -> Golden {
    let json = fs::read(Path::new(FIXTURES).join("families.json")).expect("families.json exists");
    serde_json::from_slice(&json).expect("families.json parses")
}

/// The folder of a family, with the files of a case in it.
fn folder(Case { family, vocabulary, files, .. }: &Case) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    for entry in fs::read_dir(Path::new(FIXTURES).join("families").join(family)).expect("a family") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), path(&entry.file_name().to_string_lossy())).expect("copied");
    }
    if vocabulary == "plain" {
        let whole = fs::read(path("tokenizer.json")).expect("tokenizer.json");
        let whole: Value = serde_json::from_slice(&whole).expect("JSON");
        older_files(&folder, &whole["model"]);
        fs::remove_file(path("tokenizer.json")).expect("removed");
    }
    for (name, content) in files {
        match content {
            Value::Null => fs::remove_file(path(name)).expect("removed"),
            content => fs::write(path(name), content.to_string()).expect("written"),
        }
    }
    folder
}

/// Writes a model as `vocab.txt`, or as `vocab.json` and `merges.txt`.
fn older_files(folder: &TempDir, model: &Value) {
    if model["type"] == "WordPiece" {
        let vocab = model["vocab"].as_object().expect("a vocabulary");
        let mut entries: Vec<(&String, u64)> =
            vocab.iter().map(|(token, id)| (token, id.as_u64().expect("an id"))).collect();
        entries.sort_by_key(|(_, id)| *id);
        let lines: String = entries.iter().map(|(token, _)| format!("{token}\n")).collect();
        fs::write(folder.path().join("vocab.txt"), lines).expect("written");
        return;
    }
    let merge = |merge: &Value| format!("{} {}\n", merge[0].as_str().expect("text"), merge[1].as_str().expect("text"));
    let merges: String = model["merges"].as_array().expect("merges").iter().map(merge).collect();
    fs::write(folder.path().join("vocab.json"), model["vocab"].to_string()).expect("written");
    fs::write(folder.path().join("merges.txt"), format!("#version: 0.2\n{merges}")).expect("written");
}

fn check(tokenizer: &Tokenizer, golden: &Golden, rows: &Rows, about: &str) {
    let length = rows.max_length.unwrap_or(usize::MAX);
    let about = format!("{about}, at most {:?}", rows.max_length);
    for (text, expected) in golden.texts.iter().zip(&rows.ids) {
        assert_eq!(&tokenizer.encode(text, length).expect("ids"), expected, "{text:?}, {about}");
        assert_eq!(&tokenizer.encode_pair(text, None, length).expect("ids").input_ids, expected, "{text:?}, {about}");
    }
    assert_eq!(tokenizer.encode_all(&golden.texts, length).expect("ids"), rows.ids, "{about}");
    let digits = |digits: &str| digits.bytes().map(|digit| u32::from(digit - b'0')).collect();
    let pairs = rows.pairs.iter().zip(&rows.token_type_ids).zip(&rows.special);
    let expected = pairs.map(|((ids, types), special)| Encoded {
        input_ids: ids.clone(),
        token_type_ids: digits(types),
        special_tokens_mask: digits(special),
    });
    let expected: Vec<Encoded> = expected.collect();
    for ((text, pair), expected) in golden.text_pairs.iter().zip(&expected) {
        assert_eq!(
            &tokenizer.encode_pair(text, Some(pair), length).expect("ids"),
            expected,
            "{text:?} {pair:?}, {about}"
        );
    }
    let pairs: Vec<(&str, Option<&str>)> =
        golden.text_pairs.iter().map(|(a, b)| (a.as_str(), Some(b.as_str()))).collect();
    assert_eq!(tokenizer.encode_pairs(&pairs, length).expect("ids"), expected, "{about}");
}

#[test]
fn ids_match_transformers_for_every_family_and_its_variants() {
    let golden = golden();
    assert!(golden.cases.len() > 30);
    for case in &golden.cases {
        let about = format!("{} {} {:?}", case.family, case.vocabulary, case.files);
        let folder = folder(case);
        let tokenizer = Tokenizer::from_folder(folder.path()).expect(&about);
        case.encoded.iter().for_each(|rows| check(&tokenizer, &golden, rows, &about));
        assert_eq!(tokenizer.pad_id(), case.pad_token_id, "{about}");
        let special = [tokenizer.unk_id(), tokenizer.mask_id(), tokenizer.cls_id(), tokenizer.sep_id()];
        let expected = [case.unk_token_id, case.mask_token_id, case.cls_token_id, case.sep_token_id];
        for (found, expected) in special.into_iter().zip(expected) {
            assert!(expected.is_none() || found == expected, "{special:?}, {about}");
        }
        let side = if case.padding_side == "left" { Side::Left } else { Side::Right };
        assert_eq!((tokenizer.padding_side(), tokenizer.has_type_ids()), (side, case.has_type_ids), "{about}");
        let rows = tokenizer.encode_all(&["good", "a good film"], 64).expect("ids");
        let batch = Batch::padded_at(&rows, tokenizer.pad_id(), Padding::Longest, tokenizer.padding_side());
        assert_eq!(batch.input_ids, case.padded.input_ids.concat(), "{about}");
        assert_eq!(batch.attention_mask, case.padded.attention_mask.concat(), "{about}");
    }
}

#[test]
fn a_saved_tokenizer_of_every_family_has_the_same_ids() {
    let golden = golden();
    for case in &golden.cases {
        let about = format!("{} {} {:?}, saved", case.family, case.vocabulary, case.files);
        let tokenizer = Tokenizer::from_folder(folder(case).path()).expect(&about);
        let again = tempfile::tempdir().expect("a folder");
        let model = format!("{{\"model_type\": \"{}\"}}", case.family);
        fs::write(again.path().join("config.json"), model).expect("written");
        fs::write(again.path().join("tokenizer.json"), tokenizer.to_json().expect("JSON")).expect("written");
        let config = tokenizer.config_json(64, tokenizer.has_type_ids());
        fs::write(again.path().join("tokenizer_config.json"), config).expect("written");
        let again = Tokenizer::from_folder(again.path()).expect(&about);
        case.encoded.iter().for_each(|rows| check(&again, &golden, rows, &about));
        assert_eq!(again.special_ids(), tokenizer.special_ids(), "{about}");
        assert_eq!(again.has_type_ids(), tokenizer.has_type_ids(), "{about}");
    }
}
