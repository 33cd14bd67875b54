//! Checks that test sentences do not occur in the corpus.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rekindle_corpus::{Generator, RUN};
use rekindle_data::twelve_sentences;

/// Returns the lower-case words of each sentence of a text, without punctuation.
fn sentences(text: &str) -> Vec<String> {
    let sentences = text.split(['.', '!', '?', ':']).map(|sentence| {
        let keep = |letter: &char| letter.is_alphanumeric() || *letter == ' ';
        let sentence: String = sentence.to_lowercase().chars().filter(keep).collect();
        sentence.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    sentences.filter(|sentence| !sentence.is_empty()).collect()
}

/// Fails at the first document that contains one of the texts as sentences, or shares a run of words with one.
fn assert_absent(texts: &[String], corpus: impl Iterator<Item = String>) {
    // By its first sentence: a document that contains the whole text contains this one.
    let mut whole: HashMap<String, Vec<String>> = HashMap::new();
    for text in texts {
        let sentences = sentences(text);
        whole.entry(sentences[0].clone()).or_default().push(format!(" . {} . ", sentences.join(" . ")));
    }
    let runs_of = |text: &str| -> Vec<String> {
        let words: Vec<String> = sentences(text).join(" ").split(' ').map(str::to_string).collect();
        words.windows(RUN).map(|run| run.join(" ")).collect()
    };
    let runs: HashSet<String> = texts.iter().flat_map(|text| runs_of(text)).collect();
    for document in corpus {
        let found = sentences(&document);
        let padded = format!(" . {} . ", found.join(" . "));
        for text in found.iter().filter_map(|sentence| whole.get(sentence)).flatten() {
            assert!(!padded.contains(text), "`{text}` is in: {document}");
        }
        assert!(
            !runs_of(&document).iter().any(|run| runs.contains(run)),
            "{RUN} words of a sentence are in: {document}"
        );
    }
}

#[test]
fn the_built_in_sentences_do_not_occur() {
    let twelve: Vec<String> = twelve_sentences().examples.into_iter().map(|example| example.text).collect();
    assert_eq!(include_str!("../excluded.txt").lines().collect::<Vec<_>>(), twelve, "excluded.txt lists the twelve");
    assert_absent(&twelve, Generator::new(11).take(200_000).map(|document| document.text));
}

#[test]
fn the_transfer_sentences_do_not_occur() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/transfer/sentences.tsv");
    let Ok(table) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return;
    };
    let texts: Vec<String> = table.lines().filter_map(|line| line.split('\t').next()).map(str::to_string).collect();
    let corpus = Generator::new(12).excluding(texts.iter().map(String::as_str));
    assert_absent(&texts, corpus.take(100_000).map(|document| document.text));
}

#[test]
fn excluded_texts_would_otherwise_occur() {
    let texts = ["Highly recommended.", "I would recommend it to everyone."].map(str::to_string);
    let count = |corpus: Generator| {
        let holds = |text: &String| {
            sentences(text).iter().any(|sentence| texts.iter().any(|text| sentences(text)[0] == *sentence))
        };
        corpus.take(20_000).filter(|document| holds(&document.text)).count()
    };
    assert!(count(Generator::new(13)) > 50);
    let corpus = Generator::new(13).excluding(texts.iter().map(String::as_str));
    assert_eq!(count(corpus.clone()), 0);
    assert_absent(&texts, corpus.take(20_000).map(|document| document.text));
}
