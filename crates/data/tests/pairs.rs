//! Text pairs: columns in every format, quotation marks, equal pairs, and errors.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rekindle_data::{DataError, Dataset, Format, Leaks, Profile, ReadOptions, Rows, TestSize, pair_groups};

fn write(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("written");
    (folder, path)
}

fn columns(text: &str, text_pair: &str, label: &str) -> ReadOptions {
    let [text, text_pair, label] =
        [text, text_pair, label].map(|name| Some(name.to_string()).filter(|name| !name.is_empty()));
    ReadOptions { text_column: text, text_pair_column: text_pair, label_column: label, ..ReadOptions::default() }
}

/// Returns both texts and the class of every row.
fn rows(data: &Dataset) -> Vec<(&str, &str, &str)> {
    let pair = |row: &'_ rekindle_data::Example| row.text_pair.as_deref().map(String::from);
    data.examples
        .iter()
        .map(|row| {
            assert!(pair(row).is_some());
            (
                row.text.as_str(),
                row.text_pair.as_deref().unwrap_or_default(),
                data.classes.names()[row.target.class().expect("a class")].as_str(),
            )
        })
        .collect()
}

/// As MRPC is distributed: a byte order mark, and quotation marks that are ordinary characters.
const MRPC: &str = "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n\
                    1\t7\t8\t\"Yes\", he said.\tHe said \"yes\n\
                    0\t9\t10\tan \"\"open\tquote\"\n";

#[test]
fn columns_are_found_by_name_in_every_format() {
    let expected = [("a, \"b\"", "c", "1"), ("d", "", "0")];
    let files = [
        ("a.csv", "y,first,second\n1,\"a, \"\"b\"\"\",c\n0,d,\n"),
        ("a.tsv", "second\tfirst\ty\nc\ta, \"b\"\t1\n\td\t0\n"),
        (
            "a.json",
            "{\"data\": [{\"first\": \"a, \\\"b\\\"\", \"second\": \"c\", \"y\": 1}, {\"first\": \"d\", \"second\": \"\", \"y\": 0}]}",
        ),
        (
            "a.jsonl",
            "{\"first\": \"a, \\\"b\\\"\", \"second\": \"c\", \"y\": 1}\n{\"first\": \"d\", \"second\": \"\", \"y\": 0}\n",
        ),
    ];
    for (name, content) in files {
        let (_folder, path) = write(name, content);
        let data = Dataset::read(&path, &columns("first", "second", "y")).expect(name);
        assert_eq!(rows(&data), expected, "{name}");
    }
    let headerless = ReadOptions { header: false, ..columns("", "0", "") };
    let (_folder, path) = write("a.csv", "c,\"a, \"\"b\"\"\",1\n,d,0\n");
    assert_eq!(rows(&Dataset::read(&path, &headerless).expect("read")), expected, "the other columns in their order");
}

#[test]
fn the_first_text_of_a_usual_pair_need_not_be_named() {
    let (_folder, path) = write("a.csv", "Premise,Hypothesis,label\na,b,0\nc,d,1\n");
    let data = Dataset::read(&path, &columns("", "Hypothesis", "")).expect("read");
    assert_eq!(rows(&data), [("a", "b", "0"), ("c", "d", "1")]);
    let (_folder, path) = write("a.csv", "question,sentence,label\na,b,0\nc,d,1\n");
    assert_eq!(rows(&Dataset::read(&path, &columns("", "sentence", "")).expect("read"))[0], ("a", "b", "0"));
    let (_folder, path) = write("a.csv", "text,other,label\na,b,0\nc,d,1\n");
    assert_eq!(rows(&Dataset::read(&path, &columns("", "other", "")).expect("read"))[0], ("a", "b", "0"));
}

#[test]
fn quotation_marks_between_tabs_are_ordinary_characters() {
    for name in ["train.txt", "train.tsv"] {
        let (_folder, path) = write(name, MRPC);
        let opened = Rows::open(&path, &columns("#1 String", "#2 String", "Quality")).expect("opened");
        assert_eq!((opened.format(), opened.columns().text_pair), (Format::Tsv, Some(4)));
        let data = Dataset::read(&path, &columns("#1 String", "#2 String", "Quality")).expect("read");
        let expected = [("\"Yes\", he said.", "He said \"yes", "1"), ("an \"\"open", "quote\"", "0")];
        assert_eq!(rows(&data), expected);
    }
    // The extension says that quotation marks are special. What cannot be meant is an error, and names the remedy.
    let (_folder, path) = write("train.csv", MRPC);
    let error = Dataset::read(&path, &columns("#1 String", "#2 String", "Quality")).expect_err("quoted").to_string();
    assert!(error.contains("train.csv, line 2") && error.ends_with("add `--format tsv`"), "{error}");
    let literal = ReadOptions { format: Some(Format::Tsv), ..columns("#1 String", "#2 String", "Quality") };
    assert_eq!(Dataset::read(&path, &literal).expect("read").len(), 2);
}

#[test]
fn all_of_mrpc_is_read_if_it_is_available() {
    let folder = Path::new("../../../shared/data/mrpc");
    if !folder.is_dir() {
        eprintln!("skipped: no MRPC here");
        return;
    }
    let options = columns("#1 String", "#2 String", "Quality");
    let train = Dataset::read(&folder.join("train.txt"), &options).expect("read");
    let test = train.read_like(&folder.join("test.txt"), &options).expect("read");
    // pandas.read_csv(path, sep="\t", quoting=csv.QUOTE_NONE, encoding="utf-8-sig"): rows, and rows of class 1.
    let ones = |data: &Dataset| data.labels().iter().sum::<usize>();
    assert_eq!([(train.len(), ones(&train)), (test.len(), ones(&test))], [(4076, 2753), (1725, 1147)]);
    assert_eq!(
        rows(&train)[0].0,
        "Amrozi accused his brother, whom he called \"the witness\", of deliberately distorting his evidence."
    );
}

#[test]
fn errors_name_the_place() {
    let cases: [(&str, &str, ReadOptions, &[&str]); 9] = [
        ("a.csv", "a,b,c\n1,2,3\n", columns("a", "x", "c"), &["no text pair column `x`", "a, b, c"]),
        ("a.csv", "a,b,c\n1,2,3\n", columns("a", "0", "c"), &["`a` is the column of both texts", "--text-pair-column"]),
        ("a.csv", "text,b,label\n1,2,3\n", columns("", "text", ""), &["`text` is the column of both texts"]),
        (
            "a.csv",
            "premise,hypothesis,label\n1,2,3\n",
            columns("", "", ""),
            &["`--text-pair-column hypothesis`", "`--text-column premise`"],
        ),
        (
            "a.csv",
            "1,2\n",
            ReadOptions { header: false, ..columns("", "1", "") },
            &["line 1", "found 2 columns, expected three"],
        ),
        (
            "a.csv",
            "1,2,3\n",
            ReadOptions { header: false, ..columns("", "3", "") },
            &["no text pair column `3`", "0 to 2"],
        ),
        (
            "a.csv",
            "question1,question2,label\na,b,0\n",
            ReadOptions { header: false, ..columns("", "1", "") },
            &["line 1", "--no-header"],
        ),
        (
            "a.jsonl",
            "{\"a\": \"x\", \"b\": \"y\", \"c\": 0}\n{\"a\": \"x\", \"c\": 1}\n",
            columns("a", "b", "c"),
            &["line 2: `b` is missing"],
        ),
        ("a.jsonl", "{\"a\": \"x\", \"b\": null, \"c\": 0}\n", columns("a", "b", "c"), &["line 1: `b` is null"]),
    ];
    for (name, content, options, expected) in cases {
        let (_folder, path) = write(name, content);
        let error = Dataset::read(&path, &options).expect_err("refused").to_string();
        for part in [name].iter().chain(expected) {
            assert!(error.contains(part), "`{error}` should name `{part}`");
        }
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_has_pairs() {
    let path = Path::new("../../fixtures/data/parquet/beside.parquet");
    let read = |options: &ReadOptions| Rows::open(path, options).and_then(Rows::collect_all);
    let found = read(&columns("sentence", "label", "")).expect("read");
    assert_eq!((found.len(), found[1].text.as_str(), found[1].text_pair.as_deref()), (40, "bad", Some("neg")));
    let found = read(&columns("label", "sentence", "label")).expect("read");
    assert_eq!((found[1].text.as_str(), found[1].text_pair.as_deref(), &*found[1].label), ("neg", Some("bad"), "neg"));
    let error = read(&columns("sentence", "tags", "")).expect_err("nested").to_string();
    assert!(error.contains("the text pair column `tags` contains nested values"), "{error}");
}

#[test]
fn pairs_are_equal_if_both_texts_are() {
    let pairs =
        [("a", Some("b")), ("A ", Some("b")), ("b", Some("a")), ("a b", Some("")), ("a", None), ("", Some("a b"))];
    assert_eq!(pair_groups(pairs, false), [0, 0, 1, 2, 3, 4]);
    assert_eq!(pair_groups(pairs, true), [0, 0, 0, 1, 2, 1]);
}

/// Forty pairs, of which every second one is the one before it with exchanged texts.
fn swapped() -> (tempfile::TempDir, PathBuf) {
    let row = |row: usize| match row % 2 {
        0 => format!("left {row}\tright {row}\t{}\n", row / 4 % 2),
        _ => format!("right {0}\tLEFT  {0}\t{1}\n", row - 1, row / 4 % 2),
    };
    write("a.tsv", (0..40).map(row).collect::<String>())
}

#[test]
fn symmetric_pairs_stay_together_when_they_are_exchanged() {
    let (_folder, path) = swapped();
    let options = |symmetric| ReadOptions { header: false, symmetric, ..columns("", "1", "") };
    let data = Dataset::read(&path, &options(true)).expect("read");
    for split in data.folds(5, 2, 42).expect("folds") {
        assert_eq!(split.test.iter().map(|row| row / 2).collect::<BTreeSet<_>>().len() * 2, split.test.len());
    }
    let (train, test) = data.train_test_split(TestSize::Fraction(0.3), 42, true).expect("a split");
    let number = |data: &Dataset| data.examples.iter().map(|row| row.line.div_ceil(2)).collect::<BTreeSet<_>>();
    assert!(number(&train).is_disjoint(&number(&test)) && test.symmetric);
    let apart = Dataset::read(&path, &options(false)).expect("read");
    assert_eq!(apart.text_groups(), (0..40).collect::<Vec<_>>());
}

#[test]
fn a_profile_regards_both_texts() -> Result<(), DataError> {
    let (_folder, path) = swapped();
    for (symmetric, duplicates, leaks) in [(false, 0, 40), (true, 20, 40)] {
        let options = ReadOptions { header: false, symmetric, ..columns("", "1", "") };
        let mut profile = Profile::new(symmetric);
        for row in Rows::open(&path, &options)? {
            profile.add(&row?);
        }
        assert_eq!((profile.duplicates(), profile.empty(), profile.contradictions()), (duplicates, 0, 0));
        let sample = profile.sample("1").cloned().expect("a sample");
        assert_eq!((&*sample.text, sample.text_pair.as_deref()), ("left 4", Some("right 4")));
        let mut found = Leaks::default();
        for row in Rows::open(&path, &options)? {
            found.add(&profile, &row?);
        }
        assert_eq!(found.rows(), leaks);
    }
    Ok(())
}
