//! Vocabularies learned from text.

use rekindle_tokenizer::{Tokenizer, TokenizerError};

fn learn(text: &str, size: usize) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::learn(text.lines().map(|line| Ok(line.into())), size, true)
}

/// Computed by hand: `ab` occurs five times and is merged first, then `abc` with three occurrences; `dd` occurs once
/// and is not merged.
#[test]
fn frequent_pairs_are_merged() {
    let tokenizer = learn("ab ABC, abc abc\nab dd", 100).expect("a vocabulary");
    let expected =
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", "a", "b", "c", "d", "##b", "##c", "##d", "ab", "abc"];
    assert_eq!(tokenizer.vocabulary(), expected);
    assert_eq!(tokenizer.special_ids(), [0, 1, 2, 3, 4]);
    assert_eq!(tokenizer.encode("abcd dd", 16).expect("ids"), [2, 14, 12, 9, 12, 3]);
}

/// The text has many ties, which must not be decided by the order of a hash table, which differs between runs.
#[test]
fn the_same_text_gives_the_same_vocabulary() {
    let word = |seed: usize| (0..3 + seed % 5).map(move |i| char::from(b'a' + (seed * 31 + i * i * 7) as u8 % 26));
    let text: String = (0..4000).flat_map(|seed| word(seed % 700).chain([' '])).collect();
    let first = learn(&text, 400).expect("a vocabulary").vocabulary();
    assert_eq!(first.len(), 400);
    for _ in 0..5 {
        assert_eq!(learn(&text, 400).expect("a vocabulary").vocabulary(), first);
    }
}

/// Computed by hand: `Ab` occurs twice and is merged; the trainer of an uncased vocabulary would find `ab` four times.
#[test]
fn a_cased_vocabulary_keeps_upper_case_and_accents() {
    let lines = [Ok::<_, TokenizerError>("Ab Ab ab é".into())];
    let tokenizer = Tokenizer::learn(lines, 100, false).expect("a vocabulary");
    let expected = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "A", "a", "b", "é", "##b", "Ab"];
    assert_eq!(tokenizer.vocabulary(), expected);
    assert_eq!(tokenizer.encode("Ab ab é", 16).expect("ids"), [2, 10, 6, 9, 8, 3]);
    assert!(tokenizer.config_json(16, false).contains("\"do_lower_case\": false"));
}

#[test]
fn texts_without_words_or_with_too_many_characters_are_errors() {
    assert!(matches!(learn(" \n", 100), Err(TokenizerError::NoWords)));
    assert!(matches!(learn("abc", 9), Err(TokenizerError::Size { size: 9, least: 10 })));
    assert_eq!(learn("abc", 10).expect("just enough").vocab_size(), 10);
}

#[test]
fn the_first_error_of_a_line_is_returned() {
    let lines = [Ok("good".into()), Err(TokenizerError::Encode("no line".into())), Err(TokenizerError::NoWords)];
    assert!(matches!(Tokenizer::learn(lines, 100, true), Err(TokenizerError::Encode(_))));
}
