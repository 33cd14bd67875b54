//! Parquet as pyarrow writes it: fixtures/data/parquet, made by make_parquet.py beside it.
#![cfg(feature = "parquet")]

use std::path::{Path, PathBuf};

use rekindle_data::{DataError, Dataset, Format, ReadOptions, Row, Rows};

fn fixture(name: &str) -> PathBuf {
    Path::new("../../fixtures/data/parquet").join(name).with_added_extension("parquet")
}

fn read(name: &str) -> Result<Vec<Row>, DataError> {
    Rows::open(&fixture(name), &ReadOptions::default())?.collect()
}

/// The rows of make_parquet.py.
fn expected() -> Vec<Row> {
    let named = [("good, \"very\"\ngood", "pos"), ("bad", "neg"), ("", "neg"), ("  naïve 🎉 ", "pos"), ("bad", "neg")];
    let named = named.map(|(text, label)| (text.to_string(), label.to_string()));
    let counted = (0..35).map(|i| (format!("sentence {i}"), if i % 3 == 0 { "neg" } else { "pos" }.to_string()));
    (1..).zip(named.into_iter().chain(counted)).map(|(line, (text, label))| Row { text, label, line }).collect()
}

#[test]
fn strings_are_read_however_they_are_stored() {
    let files = "none snappy gzip zstd plain_pages version_2 delta groups categories beside";
    for name in files.split(' ') {
        assert_eq!(read(name).expect(name), expected(), "{name}");
    }
    let rows = Rows::open(&fixture("beside"), &ReadOptions::default()).expect("opened");
    assert_eq!(rows.columns().names, ["id", "sentence", "tags", "label", "score"]);
    assert_eq!((rows.columns().text, rows.columns().label, rows.format()), (1, 3, Format::Parquet));
}

#[test]
fn labels_may_be_whole_numbers_and_booleans() {
    let classes = |name| Dataset::read(&fixture(name), &ReadOptions::default()).expect(name).classes.names().join(" ");
    assert_eq!(classes("int8"), "-1 9 10");
    assert_eq!(classes("int64"), "9 10");
    assert_eq!(classes("bool"), "false true");
    assert_eq!(classes("required"), "0 1");
    assert_eq!(read("uint64").expect("read")[0].label, u64::MAX.to_string());
}

#[test]
fn one_column_may_be_both() {
    let options = ReadOptions { text_column: Some("label".into()), ..ReadOptions::default() };
    let rows: Vec<Row> =
        Rows::open(&fixture("snappy"), &options).expect("opened").map(|row| row.expect("a row")).collect();
    assert_eq!((rows.len(), rows[3].text.as_str(), rows[3].label.as_str()), (40, " pos ", "pos"));
}

#[test]
fn each_fault_is_named_with_its_place() {
    let cases: [(&str, &[&str]); 14] = [
        ("null_text", &["row 2", "`text` is null"]),
        ("null_label", &["row 3", "`label` is null"]),
        ("empty_label", &["row 3", "label is empty"]),
        ("utf8", &["row", "String"]),
        ("binary", &["text column `text`", "BYTE_ARRAY", "UTF-8"]),
        ("numbers", &["text column `text`", "INT64", "UTF-8"]),
        ("list", &["text column `text`", "nested"]),
        ("real", &["label column `label`", "DOUBLE", "whole numbers"]),
        ("date", &["label column `label`", "DATE"]),
        ("pair", &["premise", "hypothesis", "pair"]),
        ("column", &["label column `label`", "text, class"]),
        ("codec", &["LZ4"]),
        ("no_rows", &["no sentences"]),
        ("cut", &["not a Parquet file"]),
    ];
    for (name, expected) in cases {
        let path = fixture(&format!("refused_{name}"));
        let error = Dataset::read(&path, &ReadOptions::default()).expect_err(name).to_string();
        assert!(error.contains(&*path.file_name().expect("a name").to_string_lossy()), "{error}");
        for part in expected {
            assert!(error.to_uppercase().contains(&part.to_uppercase()), "`{error}` should name `{part}`");
        }
    }
}

#[test]
fn a_label_that_the_training_data_lacks_is_named_by_its_row() {
    let train = Dataset::read(&fixture("int64"), &ReadOptions::default()).expect("read");
    let error = Dataset::read_with_classes(&fixture("int8"), &ReadOptions::default(), &train.classes);
    let error = error.expect_err("refused").to_string();
    assert!(error.contains("int8.parquet, row 3: label `-1`"), "{error}");
}

#[test]
fn no_damaged_byte_is_a_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.parquet");
    for name in ["snappy", "version_2", "delta", "int8"] {
        let whole = std::fs::read(fixture(name)).expect("a fixture");
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= [0x01, 0x80, 0xff][index % 3];
            std::fs::write(&path, damaged).expect("written");
            // What is read, or the error, depends on the byte.
            let _ = Dataset::read(&path, &ReadOptions::default());
        }
    }
}
