//! The command line of `corpus`.

use std::process::{Command, Output};

use rekindle_corpus::Generator;

fn corpus(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corpus")).args(arguments).output().expect("the binary runs")
}

#[test]
fn documents_are_written_with_or_without_labels() {
    let documents: Vec<_> = Generator::new(9).take(5).collect();
    let texts: String = documents.iter().map(|document| format!("{}\n", document.text)).collect();
    let labelled: String =
        documents.iter().map(|document| format!("{}\t{}\n", document.text, document.polarity)).collect();
    assert_eq!(corpus(&["--lines", "5", "--seed", "9"]).stdout, texts.as_bytes());
    assert_eq!(corpus(&["--lines", "5", "--seed", "9", "--labelled"]).stdout, labelled.as_bytes());
}

#[test]
fn a_missing_file_is_an_error_and_nothing_is_written() {
    let output = corpus(&["--lines", "5", "--exclude", "no/such/file.tsv"]);
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.starts_with("error: no/such/file.tsv: "), "{message}");
}
