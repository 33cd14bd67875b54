//! Runs `rekindle data`.

use serde_json::{Value, json};

use crate::common::{Place, text};

/// Returns the output; the command must succeed.
fn said(place: &Place, options: &[&str]) -> String {
    let output = place.command("data").args(["--model", "embedded"]).args(options).output().expect("it ran");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn profile(place: &Place, options: &[&str]) -> Value {
    serde_json::from_str(&said(place, &[options, &["--json"]].concat())).expect("one JSON object")
}

const TRAIN: &str =
    "id,text,label\n1,Good film,pos\n2,bad,neg\n3,\"good\n film\",neg\n4,  ,pos\n5,a fine day it is,pos\n";
const TEST: &str = "text,label\nGOOD FILM,pos\nnew,odd\n";

#[test]
fn the_profile_is_printed() {
    let place = Place::new();
    place.write("train.csv", TRAIN);
    place.write("test.csv", TEST);
    let found = profile(&place, &["train.csv", "--test", "test.csv", "--max-length", "5"]);
    assert_eq!(found["tokenizer"], json!({"model": "rekindle-mini", "source": "embedded"}));
    let data = &found["data"];
    assert_eq!((&data["format"], &data["columns"]), (&json!("csv"), &json!(["id", "text", "label"])));
    assert_eq!(
        (&data["text_column"], &data["label_column"], &data["rows"]),
        (&json!("text"), &json!("label"), &json!(5))
    );
    let classes = json!([
        {"name": "neg", "rows": 2, "share": 0.4, "example": {"line": 3, "text": "bad"}},
        {"name": "pos", "rows": 3, "share": 0.6, "example": {"line": 2, "text": "Good film"}},
    ]);
    assert_eq!((&data["classes"], &data["largest_to_smallest"]), (&classes, &json!(1.5)));
    // Each of these words is one token of the embedded tokenizer; [CLS] and [SEP] are counted.
    let tokens = &data["tokens"];
    assert_eq!(
        (&tokens["min"], &tokens["median"], &tokens["p90"], &tokens["max"]),
        (&json!(2), &json!(4), &json!(7), &json!(7))
    );
    assert_eq!((&tokens["truncated"], &tokens["truncated_share"]), (&json!(1), &json!(0.2)));
    assert_eq!((&data["empty"], &data["duplicates"], &data["contradictions"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(data["conflicts"], json!([{"first_line": 2, "first_label": "pos", "line": 4, "label": "neg"}]));
    let test = &found["test"];
    assert_eq!(test["unknown_labels"], json!(["odd"]));
    assert_eq!(test["leaks"], json!({"rows": 1, "examples": [{"data_line": 2, "test_line": 2}]}));

    let said = said(&place, &["train.csv", "--test", "test.csv", "--max-length", "5"]);
    for part in [
        "train.csv (CSV)",
        "id, text (text), label (label)",
        "neg: 2 (40.00 %)  line 3: bad",
        "pos: 3 (60.00 %)",
        "`pos` has 1.5 times the rows of `neg`; even enough",
        "2 to 7, median 4",
        "1 (20.00 %), at --max-length 5",
        "line 2 has `pos`, line 4 has `neg`",
        "unknown labels  odd",
        "line 2 there, line 2 here",
        "rekindle-mini",
    ] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
}

#[test]
fn the_profile_does_not_depend_on_chunks() {
    let place = Place::new();
    // First more rows than a chunk has, where the last chunk is incomplete; then few rows with more bytes than a chunk
    // has.
    let rows: String =
        (0..10_000).map(|row| format!("good day {}\t{}\n", row % 9_000, u8::from(row % 10 == 0))).collect();
    place.write("many.tsv", rows);
    let found = profile(&place, &["many.tsv", "--no-header"]);
    let data = &found["data"];
    assert_eq!((&data["rows"], &data["columns"], &data["text_column"]), (&json!(10_000), &json!([]), &Value::Null));
    assert_eq!((&data["duplicates"], &data["contradictions"]), (&json!(1_000), &json!(0)));
    assert_eq!((&data["tokens"]["min"], &data["tokens"]["truncated"]), (&json!(5), &json!(0)));
    assert!(said(&place, &["many.tsv", "--no-header"]).contains("imbalanced"));

    let long = "good ".repeat(100_000);
    place.write("long.tsv", (0..5).map(|row| format!("{row} {long}\t{row}\n")).collect::<String>());
    let found = profile(&place, &["long.tsv", "--no-header"]);
    assert_eq!((&found["data"]["tokens"]["min"], &found["data"]["tokens"]["truncated"]), (&json!(100_003), &json!(5)));
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_is_read_if_it_is_compiled_in() {
    let place = Place::new();
    place.write("a.parquet", std::fs::read("../../fixtures/data/parquet/beside.parquet").expect("a fixture"));
    let data = &profile(&place, &["a.parquet"])["data"];
    assert_eq!(
        (&data["format"], &data["text_column"], &data["rows"]),
        (&json!("parquet"), &json!("sentence"), &json!(40))
    );
    assert_eq!((&data["empty"], &data["duplicates"]), (&json!(1), &json!(1)));
}

#[test]
fn the_default_tokenizer_is_that_of_the_experiment_and_a_fallback_is_a_warning() {
    let place = Place::new();
    place.write("a.jsonl", "{\"text\":\"a\",\"label\":0}\n{\"text\":\"b\",\"label\":1}\n");
    let output = place.command("data").arg("a.jsonl").output().expect("it ran");
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && out.contains("rekindle-mini"), "{out}{err}");
    assert!(err.contains("warning") && err.contains("distilbert-base-uncased"), "{err}");
    place.write("pointer.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n");
    for files in [&["pointer.csv"][..], &["a.jsonl", "--test", "pointer.csv"]] {
        let output = place.command("data").args(files).output().expect("it ran");
        let err = text(&output.stderr);
        assert!(err.starts_with("error: pointer.csv: is a Git LFS pointer"), "before the tokenizer: {err}");
    }
}

#[test]
fn unreadable_files_are_errors_and_nothing_is_printed() {
    let place = Place::new();
    place.write("empty.csv", "text,label\n");
    place.write("a.csv.gz", "text,label\na,0\n");
    place.write("good.csv", "text,label\na,0\nb,1\n");
    place.write("a.parquet", "PAR1");
    let cases: [(&[&str], &str); 5] = [
        (&["empty.csv"], "empty.csv: no examples"),
        (&["a.csv.gz"], "a.csv.gz: invalid gzip data"),
        (&["none.csv"], "none.csv"),
        (&["good.csv", "--label-column", "stars"], "no label column `stars`; the columns are text, label"),
        (&["a.parquet"], "a.parquet"),
    ];
    for (options, expected) in cases {
        let output = place.command("data").args(["--model", "embedded"]).args(options).output().expect("it ran");
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(3) && error.contains(expected), "{options:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn all_rows_that_cannot_be_used_are_listed() {
    let place = Place::new();
    place.write("bad.csv", "text;label\na;0\nb;\nc;1\nd\n\"e;1\n");
    place.write("good.csv", "text,label\na,0\nb,1\n");
    let failed = |options: &[&str]| {
        let output = place.command("data").args(["--model", "embedded"]).args(options).output().expect("it ran");
        assert_eq!(output.status.code(), Some(3));
        (text(&output.stdout), text(&output.stderr))
    };
    let (said, error) = failed(&["bad.csv"]);
    for part in [
        "CSV, separated by `;`",
        "rows            2",
        "unusable        3",
        "line 3: the label is empty",
        "line 5: found 1",
    ] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
    assert!(error.contains("bad.csv, line 3: the label is empty; and 2 more rows cannot be used"), "{error}");
    let (said, _) = failed(&["--data", "good.csv", "--test", "bad.csv", "--json"]);
    let test = &serde_json::from_str::<Value>(&said).expect("one JSON object")["test"];
    assert_eq!((&test["defective"], &test["separator"], &test["rows"]), (&json!(3), &json!(";"), &json!(2)));
    assert_eq!(test["defects"][0], json!({"line": 3, "reason": "the label is empty"}));
    assert!(test["defects"][2]["reason"].as_str().is_some_and(|reason| reason.starts_with("a quotation mark opens")));
}

#[test]
fn all_columns_of_labels_are_named_and_each_label_has_an_example() {
    let place = Place::new();
    // No text has the label `insult` alone.
    place.write("comments.csv", "text,toxic,insult\nrubbish,1,0\nyou fool,1,1\nthank you,0,0\n");
    let output = said(&place, &["comments.csv", "--label-columns", "toxic,insult"]);
    for part in ["text (text), toxic (label), insult (label)", "insult: 1 (33.33 %)  line 3: you fool"] {
        assert!(output.contains(part), "{part}: {output}");
    }
    place.write("plain.csv", "rubbish,1,0\nyou fool,1,1\n");
    let output = said(&place, &["plain.csv", "--no-header", "--label-columns", "1,2"]);
    assert!(output.contains("column 0 is the text, columns 1, 2 the labels"), "{output}");
}
