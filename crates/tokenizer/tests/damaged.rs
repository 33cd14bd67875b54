//! Damaged tokenizer.json, vocab.txt and tokenizer_config.json: no panic, no hang, bounded memory, and errors that name
//! file and place.

#[path = "../../data/tests/mutate/mod.rs"]
mod mutate;

use std::path::Path;

use mutate::{Mutator, overwrite, survive, tried};
use rekindle_tokenizer::{Tokenizer, TokenizerError};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokenizer");
const TEXTS: [&str; 4] =
    ["Good film, naïve 🎉 unaffable", "", " \u{0}\u{fffd}\u{ad}中文 [MASK] ##ing [CLS]", "a\u{301}b\tc\r\n."];

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(FIXTURES).join(name)).expect("a fixture")
}

/// Opens a folder, and uses all parts of its tokenizer.
fn open(folder: &Path) -> Result<(), TokenizerError> {
    let tokenizer = Tokenizer::from_folder(folder)?;
    let rows = tokenizer.encode_all(&TEXTS, 16)?;
    for (text, row) in TEXTS.iter().zip(&rows) {
        tokenizer.encode(text, 16)?;
        tokenizer.decode(row, true)?;
    }
    tokenizer.lengths_all(&TEXTS)?;
    tokenizer.special_ids();
    tokenizer.vocabulary();
    tokenizer.to_json().map(drop)
}

/// Opens damaged files instead of valid ones. An error must name the file, or say that it is about a text.
fn damaged(name: &str, cases: u64, others: &[(&str, &[u8])], damage: impl Fn(&mut Mutator) -> Vec<u8>) {
    // With four short texts, starting threads takes longer than everything else.
    tokenizers::utils::parallelism::set_parallelism(false);
    let folder = tempfile::tempdir().expect("a folder");
    for (other, content) in others {
        std::fs::write(folder.path().join(other), content).expect("written");
    }
    let path = folder.path().join(name);
    let cases = tried(cases);
    let outcome = survive(name, cases, &[&[name, "tokenizing: ", "max length 16"]], |case| {
        overwrite(&path, damage(&mut Mutator::new(case)));
        open(folder.path()).map_err(|error| error.to_string())
    });
    assert!(outcome.read > cases / 100 && outcome.refused > cases / 20, "damage of both kinds: {outcome:?}");
}

#[test]
fn tokenizer_json() {
    let whole = fixture("tokenizer.json");
    let value = serde_json::from_slice(&whole).expect("JSON");
    damaged("tokenizer.json", 8_000, &[], |mutator| match mutator.below(3) {
        0 => mutator.damage(&whole),
        _ => mutator.damage_json(&value),
    });
}

#[test]
fn vocab_txt() {
    let whole = fixture("vocab.txt");
    damaged("vocab.txt", 6_000, &[], |mutator| mutator.damage(&whole));
}

#[test]
fn tokenizer_config_json() {
    let whole =
        br#"{"do_lower_case": true, "strip_accents": null, "tokenize_chinese_chars": true, "more": [1, {"x": 2}]}"#;
    let vocabulary = fixture("vocab.txt");
    damaged("tokenizer_config.json", 3_000, &[("vocab.txt", &vocabulary)], |mutator| mutator.damage(whole));
}

fn refusal(json: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tokenizer.json"), json).expect("written");
    Tokenizer::from_folder(folder.path()).expect_err("refused").to_string()
}

#[test]
fn earlier_defects_stay_fixed() {
    let whole = String::from_utf8(fixture("tokenizer.json")).expect("text");
    let mut value: serde_json::Value = serde_json::from_str(&whole).expect("JSON");
    value["model"]["vocab"]["far"] = 4_000_000_000u32.into();
    let mut no_pad: serde_json::Value = serde_json::from_str(&whole.replace("[PAD]", "[GAP]")).expect("JSON");
    no_pad["padding"] = serde_json::Value::Null;
    let cases = [
        (value.to_string(), "`far` has the id 4000000000"),
        (no_pad.to_string(), "no pad_token; name it in tokenizer_config.json"),
        (whole[..whole.len() / 2].into(), "line "),
        (
            whole
                .replace("\"special_tokens\"", "\"x\"")
                .replace("\"post_processor\": {", "\"post_processor\": {\"special_tokens\": {},"),
            "inconsistent",
        ),
    ];
    for (json, expected) in cases {
        let error = refusal(&json);
        assert!(error.contains("tokenizer.json") && error.contains(expected), "`{expected}` in {error}");
    }
}

/// As in transformers, the last of two equal entries counts, and no id changes.
#[test]
fn the_last_of_two_equal_entries_counts() {
    let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "good", "[SEP]", "fine"].map(String::from);
    let tokenizer = Tokenizer::wordpiece(words.to_vec(), true).expect("a tokenizer");
    assert_eq!(tokenizer.encode("good fine", 8).expect("ids"), [2, 6, 8, 7]);
    assert_eq!((tokenizer.ids(), tokenizer.vocab_size(), tokenizer.vocabulary()[8].as_str()), (9, 9, "fine"));
}
