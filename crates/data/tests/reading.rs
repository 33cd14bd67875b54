//! Files as users have them, and errors of files that cannot be read.

use std::path::{Path, PathBuf};

use rekindle_data::{DataError, Dataset, ReadOptions};

fn write(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("written");
    (folder, path)
}

fn read(name: &str, content: impl AsRef<[u8]>, options: &ReadOptions) -> Result<Dataset, DataError> {
    let (_folder, path) = write(name, content);
    Dataset::read(&path, options)
}

fn no_header() -> ReadOptions {
    ReadOptions { header: false, ..ReadOptions::default() }
}

/// Returns text and class name of every row.
fn rows(data: &Dataset) -> Vec<(&str, &str)> {
    data.examples
        .iter()
        .map(|row| (row.text.as_str(), data.classes.names()[row.target.class().expect("a class")].as_str()))
        .collect()
}

#[test]
fn csv_may_be_quoted_and_have_windows_line_ends() {
    let csv = "\u{feff}id,label,text\r\n1,pos,\"good, \"\"very\"\"\ngood\"\r\n\r\n2,neg,bad\r\n";
    let data = read("a.csv", csv, &ReadOptions::default()).expect("read");
    assert_eq!(rows(&data), [("good, \"very\"\ngood", "pos"), ("bad", "neg")]);
    assert_eq!(data.classes.names(), ["neg", "pos"]);
    assert_eq!(data.examples.iter().map(|example| example.line).collect::<Vec<_>>(), [2, 5]);
    assert_eq!((data.select(&[1]).examples[0].line, data.unit), (5, "line"));
}

#[test]
fn tsv_is_not_quoted() {
    let data = read("a.tsv", "\"good\" film\t1\nan \"open quote\t0\n", &no_header()).expect("read");
    assert_eq!(rows(&data), [("\"good\" film", "1"), ("an \"open quote", "0")]);
}

#[test]
fn jsonl_keys_are_columns() {
    let options = ReadOptions { text_column: Some("body".into()), ..ReadOptions::default() };
    let jsonl = "\u{feff}{\"label\": 10, \"body\": \"a\\tb\"}\n\n{\"body\": \"c\", \"label\": 9, \"more\": []}";
    let data = read("a.jsonl", jsonl, &options).expect("read");
    assert_eq!(rows(&data), [("a\tb", "10"), ("c", "9")]);
    assert_eq!(data.classes.names(), ["9", "10"], "by value");
}

#[test]
fn all_rows_that_cannot_be_used_are_in_the_error() {
    let error = read("a.csv", "text,label\na,0\nb,\nc,1\n", &ReadOptions::default()).expect_err("one row");
    assert!(error.to_string().ends_with("a.csv, line 3: the label is empty"), "{error}");
    let csv = format!("text,label\na,0\nb,\nc,1\nd\n{}", "e,\n".repeat(10));
    let error = read("a.csv", csv, &ReadOptions::default()).expect_err("twelve rows").to_string();
    let (first, others) = error.split_once('\n').expect("lines");
    assert!(first.ends_with("a.csv, line 3: the label is empty; and 11 more rows cannot be used"), "{error}");
    let others: Vec<&str> = others.lines().collect();
    assert!(others[0].starts_with("  line 5: found 1 column,"), "{error}");
    assert_eq!((others.len(), others[8], others[9]), (10, "  line 13: the label is empty", "  and 2 more"));
    let train = read("a.csv", "text,label\na,x\nb,y\n", &ReadOptions::default()).expect("read");
    let (_folder, path) = write("b.csv", "text,label\nd,z\ne,x\nf,Y\n");
    let error = train.read_like(&path, &ReadOptions::default()).expect_err("two labels");
    let words = "line 2: label `z` is not one of the classes of the training data: x, y; and 1 more row cannot be used\n  \
                 line 4: label `Y` is not one of the classes";
    assert!(error.to_string().ends_with(words), "{error}");
}

#[test]
fn a_second_file_keeps_the_classes_of_the_first() {
    let train = read("a.csv", "text,label\na,x\nb,y\nc,z\n", &ReadOptions::default()).expect("read");
    let (_folder, path) = write("b.csv", "sentence,label\nd,z\n");
    let test = train.read_like(&path, &ReadOptions::default()).expect("read");
    assert_eq!((test.labels(), test.classes), (vec![2], train.classes));
}

/// As the rows of a trained head are matched with classes.
#[test]
fn the_case_of_labels_may_differ_if_one_class_is_meant() {
    let train = read("a.csv", "text,label\na,us\nb,US\nc,Bad\n", &ReadOptions::default()).expect("read");
    let (_folder, path) = write("b.csv", "text,label\nd,US\ne,BAD\nf,us\ng,Bad\n");
    let test = train.read_like_in_any_case(&path, &ReadOptions::default()).expect("read");
    let names: Vec<&str> = test.labels().iter().map(|&label| test.classes.names()[label].as_str()).collect();
    assert_eq!(names, ["US", "Bad", "us", "Bad"], "an equal name comes first");
    assert_eq!(test.other_case.into_iter().collect::<Vec<_>>(), ["BAD"]);
    let (_folder, path) = write("b.csv", "text,label\nd,Us\n");
    let error = train.read_like_in_any_case(&path, &ReadOptions::default()).expect_err("two classes").to_string();
    assert!(error.contains("label `Us` is not one of the classes"), "{error}");
}

#[test]
fn errors_name_the_place() {
    let default = ReadOptions::default();
    let named = |text: &str, label: &str| ReadOptions {
        text_column: Some(text.into()),
        label_column: Some(label.into()),
        ..ReadOptions::default()
    };
    let cases: [(&str, &[u8], ReadOptions, &[&str]); 20] = [
        ("a.csv", b"", default.clone(), &["no examples"]),
        ("a.csv", b"text,label\n", default.clone(), &["no examples"]),
        ("a.jsonl", b"\n\n", default.clone(), &["no examples"]),
        ("a.txt", b"a\0b", default.clone(), &["unknown file format", "JSONL"]),
        ("a.csv", b"text,group\na,b\n", default.clone(), &["label column `label`", "text, group", "--label-column"]),
        ("a.csv", b"words,label\na,b\n", default.clone(), &["text column `text`", "words, label", "--no-header"]),
        ("a.csv", b"text,class,topic\na,b,c\n", default.clone(), &["may be the label: class, topic", "--label-column"]),
        ("a.csv", b"a,b\n1,2\n", named("a", "stars"), &["label column `stars`", "a, b"]),
        ("a.jsonl", b"{\"text\":\"a\"}", default.clone(), &["label column `label`"]),
        ("a.csv", b"premise,hypothesis,label\na,b,0\n", default.clone(), &["premise", "hypothesis", "pair"]),
        ("a.csv", b"text,label\na,0\nb\n", default.clone(), &["line 3", "1 column,", "2"]),
        ("a.tsv", b"a\nb\n", no_header(), &["line 1", "two"]),
        ("a.csv", b"text,label\na,0\nb,  \n", default.clone(), &["line 3", "label is empty"]),
        ("a.csv", b"text,label\na,0\n\xff,1\n", default.clone(), &["line 3", "UTF-8", "--encoding"]),
        ("a.jsonl", b"{\"text\":\"a\",\"label\":0}\n{\"text\":", default.clone(), &["line 2", "JSON"]),
        ("a.jsonl", b"{\"text\":\"a\",\"label\":{\"a\":0}}", default.clone(), &["line 1", "`label`", "object"]),
        ("a.jsonl", b"{\"text\":\"a\",\"label\":NaN}", default.clone(), &["line 1", "`label`", "not a number"]),
        ("a.jsonl", b"{\"text\":null,\"label\":0}", default.clone(), &["line 1", "`text`"]),
        ("a.jsonl", b"{\"text\":\"\xff\",\"label\":0}", default.clone(), &["line 1"]),
        ("a.csv", b"text,label\na,0\nb,0\n", default, &["`0`", "two classes"]),
    ];
    for (name, content, options, expected) in cases {
        let error = read(name, content, &options).expect_err("refused").to_string();
        assert!(error.contains(name), "{error}");
        for part in expected {
            assert!(error.contains(part), "`{error}` should name `{part}`");
        }
    }
}

#[test]
fn unknown_labels_and_missing_files_are_errors() {
    let train = read("a.csv", "text,label\na,x\nb,y\n", &ReadOptions::default()).expect("read");
    let (folder, path) = write("b.csv", "text,label\nd,x\ne,w\n");
    let error = train.read_like(&path, &ReadOptions::default()).expect_err("refused");
    assert!(error.to_string().contains("line 3: label `w`") && error.to_string().contains("x, y"), "{error}");
    let missing = folder.path().join("none.csv");
    let error = Dataset::read(&missing, &ReadOptions::default()).expect_err("refused");
    assert!(matches!(&error, DataError::Io { path, .. } if *path == missing), "{error}");
    let error = Dataset::read(folder.path(), &ReadOptions { format: Some(rekindle_data::Format::Csv), ..no_header() });
    assert!(matches!(error, Err(DataError::Io { .. })));
}

#[test]
fn all_of_sst2_is_read_if_it_is_available() {
    let folder = Path::new("../../../shared/data/sst2");
    if !folder.is_dir() {
        eprintln!("skipped: no SST-2 here");
        return;
    }
    let train = Dataset::read(&folder.join("train.tsv"), &no_header()).expect("read");
    let dev = train.read_like(&folder.join("dev.tsv"), &no_header()).expect("read");
    assert_eq!((train.len(), dev.len(), train.classes.names()), (6920, 872, &["0".to_string(), "1".into()][..]));
}
