//! Compares folders whose files disagree, and saved folders, with AutoTokenizer (`fixtures/tokenizer/make_folders.py`).

use std::path::Path;

use rekindle_tokenizer::{Tokenizer, TokenizerError};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokenizer");

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    max_length: usize,
    folders: Vec<Folder>,
    saved: Vec<Saved>,
}

#[derive(Deserialize)]
struct Folder {
    name: String,
    normalizer: Value,
    files: Map<String, Value>,
    ids: Vec<Vec<u32>>,
    truncated: Vec<Vec<u32>>,
}

#[derive(Deserialize)]
struct Saved {
    normalizer: Value,
    tokenizer_config: Value,
    ids: Vec<Vec<u32>>,
    truncated: Vec<Vec<u32>>,
}

fn golden() -> Golden {
    let json = std::fs::read(Path::new(FIXTURES).join("folders.json")).expect("folders.json exists");
    serde_json::from_slice(&json).expect("folders.json parses")
}

fn write(folder: &TempDir, name: &str, content: &str) {
    std::fs::write(folder.path().join(name), content).expect("a file");
}

/// A folder with the vocabulary as `vocab.txt`, or as `tokenizer.json` if there is a normalizer.
fn folder<'a>(normalizer: &Value, files: impl IntoIterator<Item = (&'a str, &'a Value)>) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let vocab = std::fs::read_to_string(Path::new(FIXTURES).join("vocab.txt")).expect("vocab.txt exists");
    if normalizer.is_null() {
        write(&folder, "vocab.txt", &vocab);
    } else {
        let tokenizer = Tokenizer::wordpiece(vocab.lines().map(String::from).collect(), true).expect("a tokenizer");
        let mut json: Value = serde_json::from_str(&tokenizer.to_json().expect("JSON")).expect("JSON");
        json["normalizer"] = normalizer.clone();
        write(&folder, "tokenizer.json", &json.to_string());
    }
    files.into_iter().for_each(|(name, content)| write(&folder, name, &content.to_string()));
    folder
}

fn with_config(normalizer: &Value, config: &Value) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::from_folder(folder(normalizer, [("tokenizer_config.json", config)]).path())
}

fn check(tokenizer: &Tokenizer, golden: &Golden, ids: &[Vec<u32>], truncated: &[Vec<u32>], about: &str) {
    for (index, text) in golden.texts.iter().enumerate() {
        assert_eq!(tokenizer.encode(text, usize::MAX).expect("ids"), ids[index], "{text:?}, {about}");
        assert_eq!(tokenizer.encode(text, golden.max_length).expect("ids"), truncated[index], "{text:?} cut, {about}");
    }
    assert_eq!(tokenizer.encode_all(&golden.texts, golden.max_length).expect("ids"), truncated, "{about}");
}

#[test]
fn every_field_that_changes_ids_is_obeyed() {
    let golden = golden();
    for Folder { name, normalizer, files, ids, truncated } in &golden.folders {
        let folder = folder(normalizer, files.iter().map(|(name, content)| (name.as_str(), content)));
        write(&folder, "config.json", r#"{"model_type": "distilbert"}"#);
        let tokenizer = Tokenizer::from_folder(folder.path()).expect(name);
        check(&tokenizer, &golden, ids, truncated, name);

        // What is saved again has the same ids.
        let again = tempfile::tempdir().expect("a folder");
        write(&again, "tokenizer.json", &tokenizer.to_json().expect("JSON"));
        write(&again, "tokenizer_config.json", &tokenizer.config_json(16, false));
        let tokenizer = Tokenizer::from_folder(again.path()).expect(name);
        check(&tokenizer, &golden, ids, truncated, &format!("{name}, saved"));
    }
}

#[test]
fn autotokenizer_gives_the_same_ids_for_saved_folders() {
    let golden = golden();
    assert_eq!(golden.saved.len(), 13);
    for Saved { normalizer, tokenizer_config, ids, truncated } in &golden.saved {
        let tokenizer = Tokenizer::from_folder(folder(normalizer, []).path()).expect("a tokenizer");
        let saved: Value = serde_json::from_str(&tokenizer.config_json(16, false)).expect("JSON");
        assert_eq!(&saved, tokenizer_config, "{normalizer}");
        check(&tokenizer, &golden, ids, truncated, &normalizer.to_string());
        let opened = with_config(normalizer, &saved).expect("a tokenizer");
        check(&opened, &golden, ids, truncated, &format!("{normalizer}, opened"));
        assert_eq!(opened.model_max_length(), Some(16));
    }
}

#[test]
fn fields_that_cannot_be_obeyed_are_rejected_by_name() {
    let cased = json!({"type": "Sequence", "normalizers": [{"type": "NFC"}]});
    let uncased = json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true});
    for (normalizer, config, expected) in [
        (&Value::Null, json!({"tokenizer_class": "BertJapaneseTokenizer"}), "`tokenizer_class`: BertJapaneseTokenizer"),
        (&Value::Null, json!({"cls_token": "<s>"}), "`cls_token`: the vocabulary has no <s>"),
        (&uncased, json!({"pad_token": {"content": "<pad>"}}), "`pad_token`: the vocabulary has no <pad>"),
        (&uncased, json!({"mask_token": 3}), "`mask_token`: 3 is not a token"),
        (&uncased, json!({"padding_side": "both"}), "`padding_side`: \"both\" is not `left` or `right`"),
        (
            &Value::Null,
            json!({"tokenizer_class": "RobertaTokenizer"}),
            "RobertaTokenizer is not supported with vocab.txt",
        ),
        (&uncased, json!({"truncation_side": "middle"}), "`truncation_side`: \"middle\" is not `left` or `right`"),
        (&uncased, json!({"do_lower_case": "no"}), "`do_lower_case`: \"no\" is not true or false"),
        (&cased, json!({"do_lower_case": true}), "`do_lower_case`: tokenizer.json says otherwise"),
        (&Value::Null, json!({"added_tokens_decoder": {"9000": {"content": "<x>"}}}), "`<x>` has the id 9000"),
        (
            &Value::Null,
            json!({"added_tokens_decoder": {"9000": 1}}),
            "`added_tokens_decoder`: `9000`: 1 is not a token",
        ),
        (&Value::Null, json!({"additional_special_tokens": [2]}), "`additional_special_tokens`: 2 is not a token"),
    ] {
        let error = with_config(normalizer, &config).expect_err("refused").to_string();
        assert!(error.contains("tokenizer_config.json: ") && error.contains(expected), "`{expected}` in {error}");
    }
    for (file, content, expected) in [
        ("added_tokens.json", json!({"<x>": "1"}), "field `<x>`: its id"),
        ("added_tokens.json", json!({"<x>": 1}), "added tokens: `<x>` has the id 1"),
        ("special_tokens_map.json", json!({"sep_token": "</s>"}), "field `sep_token`: the vocabulary has no </s>"),
    ] {
        let folder = folder(&Value::Null, [(file, &content)]);
        let error = Tokenizer::from_folder(folder.path()).expect_err("refused").to_string();
        assert!(error.contains(&format!("{file}: {expected}")), "{error}");
    }
}

#[test]
fn null_fields_count_as_absent_and_a_huge_maximum_length_as_none() {
    let config = json!({"do_lower_case": null, "tokenize_chinese_chars": null, "mask_token": null, "truncation_side": null,
        "added_tokens_decoder": null, "model_max_length": 1e30, "tokenizer_class": null});
    let tokenizer = with_config(&Value::Null, &config).expect("a tokenizer");
    assert_eq!(tokenizer.model_max_length(), None);
    assert_eq!(
        tokenizer.encode("Good", 8).expect("ids"),
        with_config(&Value::Null, &json!({})).expect("a tokenizer").encode("good", 8).expect("ids")
    );
}

#[test]
fn a_git_lfs_pointer_is_named_as_one() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 466062\n";
    for name in ["tokenizer.json", "vocab.txt"] {
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder, name, pointer);
        let error = Tokenizer::from_folder(folder.path()).expect_err("refused").to_string();
        assert!(error.contains(name) && error.contains("git lfs pull"), "{error}");
    }
}

#[test]
fn entries_that_lower_casing_never_reaches() {
    let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "Good", "##S", "É"].map(String::from).to_vec();
    let tokenizer = |lowercase| Tokenizer::wordpiece(words.clone(), lowercase).expect("a tokenizer");
    assert_eq!(tokenizer(true).unreachable_entries(), ["Good", "##S", "É"]);
    assert!(tokenizer(false).unreachable_entries().is_empty());
}
