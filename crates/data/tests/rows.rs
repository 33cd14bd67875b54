//! Reading row by row: compressed files, byte order marks, and the lines that errors name.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use rekindle_data::{DataError, Dataset, Format, ReadOptions, Row, Rows};

fn write(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("written");
    (folder, path)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("packed");
    encoder.finish().expect("packed")
}

fn read(path: &Path, options: &ReadOptions) -> Result<Vec<(String, String, u64)>, DataError> {
    let row = |row: Result<Row, DataError>| row.map(|row| (row.text, row.label, row.line));
    Rows::open(path, options)?.map(row).collect()
}

fn no_header() -> ReadOptions {
    ReadOptions { header: false, ..ReadOptions::default() }
}

const FILES: [(&str, &str, bool); 5] = [
    ("a.csv", "text,label\r\n\"one,\r\ntwo\",x\r\nthree,y\r\n", true),
    ("a.csv", "\"one,\r\ntwo\",x\r\nthree,y\r\n", false),
    ("a.tsv", "text\tlabel\none,\u{2028}two\tx\nthree\ty", true),
    ("a.tsv", "one,\u{2028}two\tx\nthree\ty", false),
    ("a.jsonl", "{\"text\":\"one,\\ntwo\",\"label\":\"x\"}\r\n{\"text\":\"three\",\"label\":\"y\"}\r\n", true),
];

#[test]
fn a_byte_order_mark_and_gzip_change_nothing() {
    for (name, content, header) in FILES {
        let options = ReadOptions { header, ..ReadOptions::default() };
        let (_folder, path) = write(name, content);
        let expected = read(&path, &options).expect("read");
        assert!(expected[0].0.starts_with("one,") && expected[1].0 == "three", "{expected:?}");
        let marked = [b"\xef\xbb\xbf", content.as_bytes()].concat();
        let (_folder, path) = write(name, &marked);
        assert_eq!(read(&path, &options).expect("read"), expected, "{name} with a mark, header {header}");

        // Members that end in the middle of the byte order mark, of a quoted field and of a line end; one is empty.
        let cuts = [1, 2, 20, 21, marked.len() - 1, marked.len() - 1];
        let mut members = Vec::new();
        let mut begin = 0;
        for end in cuts.into_iter().chain([marked.len()]) {
            members.extend(gzip(&marked[begin..end]));
            begin = end;
        }
        let (_folder, path) = write(&format!("{}.GZ", name.to_uppercase()), members);
        assert_eq!(read(&path, &options).expect("read"), expected, "{name} packed, header {header}");
    }
}

#[test]
fn damaged_gzip_files_are_errors_that_name_the_file() {
    let rows: String = (0..400).map(|row| format!("{{\"text\":\"sentence {row}\",\"label\":{}}}\n", row % 2)).collect();
    let whole = gzip(rows.as_bytes());
    let refused = |bytes: &[u8], words: &str| {
        let (_folder, path) = write("a.jsonl.gz", bytes);
        let error = Dataset::read(&path, &ReadOptions::default()).expect_err("refused").to_string();
        assert!(error.contains("a.jsonl.gz") && error.contains(words), "{error}");
    };
    for length in 0..whole.len() {
        refused(&whole[..length], "truncated");
    }
    let mut damaged = whole.clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    refused(&damaged, "invalid gzip data");
    refused(rows.as_bytes(), "invalid gzip data");
    refused(&[&whole[..], b"more"].concat(), "gzip");
}

#[test]
fn the_format_follows_from_the_extension() {
    let of = |name: &str| Format::of(Path::new(name));
    assert_eq!(["a.CSV", "a.csv.gz", "b/a.x.csv"].map(of), [Some(Format::Csv); 3]);
    assert_eq!(["a.tsv", "a.TSV.GZ"].map(of), [Some(Format::Tsv); 2]);
    assert_eq!(["a.jsonl", "a.ndjson", "a.jsonl.gz", "a.ndjson.gz"].map(of), [Some(Format::Jsonl); 4]);
    assert_eq!(["a.json", "a.json.zip"].map(of), [Some(Format::Json); 2]);
    assert_eq!(["a.tab", "a.csv.zip", "a.parquet"].map(of), [Format::Tsv, Format::Csv, Format::Parquet].map(Some));
    assert_eq!(["a.parquet.gz", "a.gz", "csv", "a.txt", ".csv"].map(of), [None; 5]);
}

#[test]
fn line_numbers_count_blank_lines_carriage_returns_and_quoted_line_breaks() {
    let csv = "text,label\n\n\"a\nb\n\",0\n\n\nc,1\n\"d\"\"\n\n\",0\ne,1\n";
    let expected = [("a\nb\n", 3), ("c", 8), ("d\"\n\n", 9), ("e", 12)];
    for csv in [csv.into(), csv.replace('\n', "\r\n"), csv.trim_end().into()] {
        let (_folder, path) = write("a.csv", &csv);
        let rows = read(&path, &ReadOptions::default()).expect("read");
        let rows: Vec<_> = rows.iter().map(|(text, _, line)| (text.replace('\r', ""), *line)).collect();
        assert_eq!(rows, expected.map(|(text, line)| (text.to_string(), line)), "{csv:?}");
    }
    for end in ["\n", "\r\n"] {
        let jsonl = ["", "{\"text\":\"a\",\"label\":true}", " \t", "{\"text\":\"b\",\"label\":-3}", "{"].join(end);
        let (_folder, path) = write("a.jsonl", jsonl);
        let mut rows = Rows::open(&path, &ReadOptions::default()).expect("opened");
        let row =
            |text: &str, label: &str, line| Row { text: text.into(), label: label.into(), line, ..Row::default() };
        assert_eq!(rows.next().expect("a row").expect("read"), row("a", "true", 2));
        assert_eq!(rows.next().expect("a row").expect("read"), row("b", "-3", 4));
        let error = rows.next().expect("an error").expect_err("broken").to_string();
        assert!(error.contains("a.jsonl, line 5"), "{error}");
        assert!(rows.next().is_none(), "the first error ends them");
    }
}

#[test]
fn errors_far_down_name_the_line() {
    let good = "\"two\r\nlines\",0\r\n".repeat(10_000);
    for (bad, words) in
        [("a,b,c\r\n", "3 columns"), ("\"a\r\nb\", \r\n", "label is empty"), ("x\r\n", "found 1 column,")]
    {
        let (_folder, path) = write("a.csv", format!("text,label\r\n{good}{bad}"));
        let error = read(&path, &ReadOptions::default()).expect_err("refused").to_string();
        assert!(error.contains("line 20002") && error.contains(words), "{error}");
    }
}

#[test]
fn columns_are_reported() {
    let (_folder, path) = write("a.csv", "\u{feff}id, label ,sentence\n1,0,a\n");
    let rows = Rows::open(&path, &ReadOptions::default()).expect("opened");
    assert_eq!(
        (rows.columns().names.join("|"), rows.columns().text, rows.columns().label),
        ("id|label|sentence".into(), 2, 1)
    );
    assert_eq!((rows.format(), rows.format().to_string()), (Format::Csv, "CSV".into()));
    let (_folder, path) = write("a.tsv", "a\t0\n");
    let rows = Rows::open(&path, &no_header()).expect("opened");
    assert_eq!((rows.columns().names.len(), rows.columns().text, rows.columns().label), (0, 0, 1));
}

#[cfg(not(feature = "parquet"))]
#[test]
fn without_the_feature_parquet_is_an_error_that_names_it() {
    let (_folder, path) = write("a.parquet", "PAR1");
    let error = Dataset::read(&path, &ReadOptions::default()).expect_err("refused").to_string();
    assert!(error.contains("a.parquet") && error.contains("--features parquet"), "{error}");
}
