//! Files of every kind: separators, encodings, compression, JSON documents, and what is recognised as something else.

use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use rekindle_data::{Format, ReadOptions, Rows, looks_like_table, open_text, text_lines};

fn write(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("written");
    (folder, path)
}

type Table = (Format, Vec<(String, String, u64)>);

fn read_with(name: &str, content: impl AsRef<[u8]>, options: &ReadOptions) -> Result<Table, String> {
    let (_folder, path) = write(name, content);
    let rows = Rows::open(&path, options).map_err(|error| error.to_string())?;
    let format = rows.format();
    let row = |row: Result<rekindle_data::Row, rekindle_data::DataError>| match row {
        Ok(row) => Ok((row.text, row.label, row.line)),
        Err(error) => Err(error.to_string()),
    };
    Ok((format, rows.map(row).collect::<Result<_, _>>()?))
}

fn read(name: &str, content: impl AsRef<[u8]>) -> Result<Table, String> {
    read_with(name, content, &ReadOptions::default())
}

/// The two rows of most tests, on these lines.
fn rows(first: u64, second: u64) -> Vec<(String, String, u64)> {
    vec![("Good, é".into(), "1".into(), first), ("bad".into(), "0".into(), second)]
}

fn no_header() -> ReadOptions {
    ReadOptions { header: false, ..ReadOptions::default() }
}

fn columns(text: Option<&str>, label: Option<&str>) -> ReadOptions {
    ReadOptions { text_column: text.map(String::from), label_column: label.map(String::from), ..ReadOptions::default() }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("packed");
    encoder.finish().expect("packed")
}

fn zip(files: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, content) in files {
        writer.start_file(*name, options).expect("a member");
        writer.write_all(content).expect("packed");
    }
    writer.finish().expect("packed").into_inner()
}

#[test]
fn separators_are_recognised_by_the_columns_of_the_header() {
    for (name, text) in [
        ("a.csv", "label,text\n1,\"Good, é\"\n0,bad\n"),
        ("a.csv", "label;text\n1;Good, é\n0;bad\n"),
        ("a.csv", "Label|Text\n1|Good, é\n0|bad\n"),
        ("a.csv", "id\tlabel\ttext\n7\t1\t\"Good, é\"\n8\t0\tbad\n"),
        ("a.txt", "label;text\n1;\"Good, é\"\n0;bad\n"),
        ("a.unknown", "text,label\n\"Good, é\",1\nbad,0\n"),
        ("no_extension", "text,label\n\"Good, é\",1\nbad,0\n"),
        ("a.tsv", "text,label\n\"Good, é\",1\nbad,0\n"),
    ] {
        assert_eq!(read(name, text), Ok((Format::Csv, rows(2, 3))), "{text}");
    }
    for name in ["a.tsv", "a.tab", "a.txt", "a.data"] {
        assert_eq!(read(name, "text\tlabel\nGood, é\t1\nbad\t0\n"), Ok((Format::Tsv, rows(2, 3))), "{name}");
    }
    let headerless = |separator: char| format!("Good, é{separator}1\nbad{separator}0\n");
    assert_eq!(read_with("a.txt", headerless('\t'), &no_header()), Ok((Format::Tsv, rows(1, 2))));
    assert_eq!(read_with("a.csv", headerless(';'), &no_header()), Ok((Format::Csv, rows(1, 2))));
    let caret = ReadOptions { separator: Some(b'^'), ..no_header() };
    assert_eq!(read_with("a.csv", headerless('^'), &caret), Ok((Format::Csv, rows(1, 2))));
    let error = read_with("a.jsonl", "{\"text\": \"a\", \"label\": 0}", &ReadOptions { header: true, ..caret });
    assert!(error.expect_err("refused").contains("is JSONL, which has no separator"));
    let error = read_with("a.json", "[{\"text\": \"a\", \"label\": 0}]", &no_header());
    assert!(error.expect_err("refused").contains("remove `--no-header`"));
    let tabs = ReadOptions { format: Some(Format::Tsv), ..no_header() };
    assert_eq!(read_with("a.csv", "\"Good\", é\t1\n", &tabs).expect("read").1[0].0, "\"Good\", é");
}

#[test]
fn encodings_are_declared_by_a_mark_or_by_the_user() {
    let text = "text,label\n\"Good, é\",1\nbad,0\n";
    let utf_16 = |bytes: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
        format!("{mark}{text}").encode_utf16().flat_map(bytes).collect()
    };
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        let marked = utf_16(bytes, "\u{feff}");
        assert_eq!(read("a.csv", &marked), Ok((Format::Csv, rows(2, 3))));
        assert_eq!(read("a.txt.gz", gzip(&marked)), Ok((Format::Csv, rows(2, 3))));
        let error = read("a.csv", utf_16(bytes, "")).expect_err("refused");
        assert!(error.contains("a.csv: is UTF-16") && error.contains("--encoding"), "{error}");
    }
    let little = ReadOptions { encoding: "utf-16le".parse().ok(), ..ReadOptions::default() };
    assert_eq!(read_with("a.csv", utf_16(u16::to_le_bytes, ""), &little), Ok((Format::Csv, rows(2, 3))));
    let error = read_with("a.csv", &utf_16(u16::to_le_bytes, "")[..21], &little).expect_err("refused");
    assert!(error.contains("a.csv: the text is not valid UTF-16LE"), "{error}");

    let western = text.replace('é', "\u{1}").replace('\u{1}', "?").into_bytes();
    let western: Vec<u8> = western.into_iter().map(|byte| if byte == b'?' { 0xe9 } else { byte }).collect();
    let error = read("a.csv", &western).expect_err("refused");
    assert!(error.contains("line 2: invalid UTF-8") && error.contains("--encoding windows-1252"), "{error}");
    let named = ReadOptions { encoding: "cp1252".parse().ok(), ..ReadOptions::default() };
    assert_eq!(read_with("a.csv", &western, &named), Ok((Format::Csv, rows(2, 3))));
}

#[test]
fn compression_is_recognised_by_content() {
    let text = "text,label\n\"Good, é\",1\nbad,0\n".as_bytes();
    for name in ["a.csv", "a.csv.gz", "a.txt", "a"] {
        assert_eq!(read(name, gzip(text)), Ok((Format::Csv, rows(2, 3))), "{name}");
    }
    let beside: [(&str, &[u8]); 3] = [("__MACOSX/._a.csv", b"x"), ("b/", b""), ("b/a.csv", text)];
    for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
        for name in ["a.csv.zip", "a.zip", "a.csv"] {
            assert_eq!(read(name, zip(&beside, method)), Ok((Format::Csv, rows(2, 3))), "{name}, {method:?}");
        }
        let mut damaged = zip(&beside[2..], method);
        damaged[45] ^= 1;
        assert!(read("a.zip", damaged).expect_err("refused").contains("a.zip: "));
    }
    let two = zip(&[("a.csv", text), ("b.csv", text)], zip::CompressionMethod::Stored);
    let error = read("a.zip", two).expect_err("refused");
    assert!(error.contains("a.zip: is a zip archive of 2 files (a.csv, b.csv)"), "{error}");
    let office = zip(&[("[Content_Types].xml", b""), ("xl/workbook.xml", b"")], zip::CompressionMethod::Stored);
    let error = read("a.xlsx", office).expect_err("refused");
    assert!(error.contains("an Excel or other Office file"), "{error}");
    let error = read("a.zip", zip(&[], zip::CompressionMethod::Stored)).expect_err("refused");
    assert!(error.contains("an empty zip archive"), "{error}");
}

#[test]
fn json_may_be_an_array_a_document_or_objects_over_several_lines() {
    let pretty =
        "[\n  {\n    \"text\": \"Good, é\",\n    \"label\": 1.0\n  },\n  {\"text\": \"bad\", \"label\": false}\n]\n";
    let mut expected = rows(2, 6);
    expected[1].1 = "false".into();
    for name in ["a.json", "a.jsonl", "a.txt", "a"] {
        assert_eq!(read(name, pretty), Ok((Format::Json, expected.clone())), "{name}");
    }
    let first = "{\n  \"text\": \"Good, é\", \"label\": 1\n}";
    let second = "{\"label\": \"00\", \"score\": NaN, \"text\": \"bad\", \"range\": [-Infinity, Infinity]}";
    assert_eq!(read("a.json", format!("{first}\n{second}\n")), Ok((Format::Jsonl, rows(1, 4))));
    assert_eq!(read("a.json", format!("[{first},{second}]")), Ok((Format::Json, rows(1, 3))));
    let lines = format!("{}\n\n{second}", first.replace('\n', ""));
    assert_eq!(read("a.json", &lines), Ok((Format::Jsonl, rows(1, 3))));
    for document in [
        format!("{{\"version\": \"1, {{\", \"data\": [{first},\n{second}], \"splits\": [{{}}]}}"),
        format!("{{\n\"rows\":\n[{first},{second}], \"names\": [\"a\"]}}")
            .replacen("\n[", "[", 1)
            .replacen("\n", "", 1),
    ] {
        let (format, read) = read("a.json", &document).expect("read");
        assert_eq!((format, read.len(), read[1].0.as_str()), (Format::Json, 2, "bad"), "{document}");
    }
}

#[test]
fn invalid_json_is_an_error_that_names_the_line() {
    let row = "{\"text\": \"a\", \"label\": 0}";
    for (content, expected) in [
        (format!("[\n{row}\n{row}\n]"), "line 3: not JSON: found `{`, expected `,`"),
        (format!("[\n{row},\n{row}"), "line 3: the JSON text ends"),
        (format!("[\n{row},\n]"), "line 3: not JSON"),
        (format!("[\n{row}]\n{row}"), "line 3: not JSON: found text behind the end"),
        (format!("[\n{row},\n\"a\"]"), "line 3: not a JSON object"),
        (format!("[{row},\n{{\n\"text\": \"a,\n\"label\": 0}}]"), "line 3: not JSON: a string is not closed"),
        (format!("[{row},\n{{\n\"text\": 1 2}}]"), "line 3: not a JSON object"),
        ("{\"data\": []}".into(), "no examples"),
        ("[]".into(), "no examples"),
        ("{\"a\": [{\"x\": 1}], \"b\": [{\"x\": 1}]}".into(), "JSON with several arrays of rows (a, b)"),
        ("{\"text\": {\"0\": \"a\", \"1\": \"b\"}, \"label\": {\"0\": 0, \"1\": 1}}".into(), "orient=\"records\""),
        ("{\n\"text\": [\"a\"],\n\"label\": [0]}".into(), "not divided into rows"),
        ("{\"columns\": [\"text\", \"label\"], \"data\": [[\"a\", 0]]}".into(), "not divided into rows"),
    ] {
        let error = read("a.json", &content).expect_err("refused");
        assert!(error.contains(expected), "{content}: {error}");
    }
}

#[test]
fn the_next_row_is_read_after_an_invalid_one() {
    let faults = |name: &str, content: &str| -> (usize, Vec<String>) {
        let (_folder, path) = write(name, content);
        let (mut good, mut faults) = (0, Vec::new());
        for row in Rows::open(&path, &ReadOptions::default()).expect("opened") {
            match row {
                Ok(_) => good += 1,
                Err(error) => faults.push(error.to_string().split_once(", line ").expect("a line").1.to_string()),
            }
        }
        (good, faults)
    };
    let (good, found) = faults("a.csv", "text,label\na,0\nb,\nc\nd,1\n\"e\nf,1\n");
    assert_eq!(good, 2);
    assert!(
        found[0].starts_with("3: the label is empty") && found[1].starts_with("4: found 1 column, expected 2"),
        "{found:?}"
    );
    assert!(found.len() == 3 && found[2].starts_with("6: a quotation mark opens a field"), "{found:?}");
    let row = "{\"text\": \"a\", \"label\": 0}";
    let (good, found) = faults("a.jsonl", &format!("{row}\n{{]\n{row}\n{{\"text\": 1, \"label\": 0}}\n{row}\n"));
    assert_eq!((good, found.len()), (3, 2), "{found:?}");
    let (good, found) = faults("a.json", &format!("[{row},\n{{\"text\": 1}},\n{row}\n]"));
    assert_eq!((good, found.len()), (2, 1), "{found:?}");
    let (good, found) = faults("a.jsonl", &format!("{{\"text\": [], \"label\": []}}\n{row}\n{row}\n"));
    assert_eq!((good, found.len()), (2, 1), "{found:?}");
}

#[test]
fn labels_of_all_formats_have_one_spelling() {
    let labels = |table: Table| table.1.into_iter().map(|row| row.1).collect::<Vec<_>>();
    let csv = read("a.csv", "text,label\na,01\nb,0.0\nc,+1\nd,1e0\ne,1.50\n").expect("read");
    let numbers = ["1.0", "0", "1", "1e0", "1.5"].map(|label| format!("{{\"text\": \"a\", \"label\": {label}}}"));
    let jsonl = read("a.jsonl", numbers.join("\n")).expect("read");
    assert_eq!(labels(csv), ["1", "0", "1", "1", "1.5"]);
    assert_eq!(labels(jsonl), ["1", "0", "1", "1", "1.5"]);
    let csv = read("a.csv", "text,label\na,True\nb,false\n").expect("read");
    let jsonl = "{\"text\": \"a\", \"label\": true}\n{\"text\": \"b\", \"label\": \"FALSE\"}";
    assert_eq!(labels(csv), labels(read("a.jsonl", jsonl).expect("read")));
}

#[test]
fn columns_have_usual_names_in_any_case_and_numbers() {
    for header in ["text,labels", "Review,Sentiment", "id,TEXT,Class", "text,label,category", "sentence,intent"] {
        let width = header.split(',').count();
        let label = usize::from(width == 3 && header.starts_with("id")) + 1;
        let row: Vec<&str> = (0..width).map(|column| if column == label { "1" } else { "a" }).collect();
        let table = read("a.csv", format!("{header}\n{}\n", row.join(","))).expect(header);
        assert_eq!(table.1, [("a".into(), "1".into(), 2)], "{header}");
    }
    let reversed = "1\tgood\n0\tbad\n";
    for options in [columns(None, Some("0")), columns(Some("1"), None), columns(Some("1"), Some("0"))] {
        let table = read_with("a.tsv", reversed, &ReadOptions { header: false, ..options }).expect("read");
        assert_eq!((table.1[0].0.as_str(), table.1[1].1.as_str()), ("good", "0"));
    }
    let table = read_with("a.csv", "x,y\n1,good\n", &columns(Some("1"), Some("0"))).expect("read");
    assert_eq!(table.1[0].0, "good");
    let options = ReadOptions { header: false, ..columns(Some("2"), None) };
    let error = read_with("a.tsv", reversed, &options).expect_err("refused");
    assert!(error.contains("no text column `2`") && error.contains("0 to 1"), "{error}");
}

#[test]
fn a_header_where_none_is_expected_and_the_reverse_are_errors() {
    let error = |content: &str, options: &ReadOptions| read_with("a.csv", content, options).expect_err("refused");
    assert!(error("text,label\na,0\nb,1\n", &no_header()).contains("line 1: `text, label` looks like a header"));
    assert!(error("words,stars\na,5\nb,1\nc,3\n", &no_header()).contains("remove `--no-header`"));
    assert!(error("good,1\nbad,0\n", &ReadOptions::default()).contains("add `--no-header`"));
    let labels_first: String = (0..10).map(|row| format!("{},sentence {row}\n", row % 2)).collect();
    assert!(error(&labels_first, &no_header()).contains("add `--label-column 0`"));
    assert!(read_with("a.csv", "a,x\nb,1\nc,2\n", &no_header()).is_ok(), "too few rows to tell");
}

#[test]
fn columns_that_do_not_fit_are_listed_shortly() {
    let error = read("a.csv", "text^label\na^0\nb^1\n").expect_err("refused");
    assert!(error.contains("the columns are text^label;") && error.contains("`--separator`"), "{error}");
    let header: Vec<String> = (0..1000).map(|column| format!("x{column}")).collect();
    let error = read("a.csv", format!("{},{}\n", header.join(","), "long ".repeat(100))).expect_err("refused");
    assert!(error.contains("x48, x49 and 951 more;") && error.len() < 500, "{error}");
    let json = read_with(
        "a.json",
        format!("[{{\"text\": \"{}\"}}]", "é".repeat(500)),
        &ReadOptions { format: Some(Format::Csv), ..ReadOptions::default() },
    );
    assert!(json.clone().expect_err("refused").contains("éé…;"), "{json:?}");
}

#[test]
fn other_kinds_of_files_are_named() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n";
    let names = ["a.csv", "a.jsonl", "a.parquet", "a.txt", "a.csv.zip", "a.csv.gz"];
    for (name, content, expected) in names.map(|name| (name, pointer.as_bytes(), "git lfs pull")).into_iter().chain([
        ("a.csv", &b"<!DOCTYPE html><html></html>"[..], "an HTML page"),
        ("a.csv", b"\xfd7zXZ\0\0", "xz"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel"),
        ("a.bin", b"a\0b\nc\0d", "unknown file format"),
        ("a.csv", b"\xff\xfe\0\0t\0\0\0", "UTF-32"),
        ("a.csv", b"\0\0\xfe\xff\0\0\0t", "UTF-32"),
    ]) {
        let error = read(name, content).expect_err("refused");
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
    let (_folder, path) = write("a.txt", b"good\ncaf\xe9\n");
    let lines: Vec<_> = text_lines(open_text(&path).expect("opened"), &path).collect();
    let error = lines[1].as_ref().expect_err("Latin-1").to_string();
    assert!(error.ends_with("a.txt, line 2: is not UTF-8; save the text as UTF-8"), "{error}");
    let (_folder, path) = write("a.txt", pointer);
    assert!(open_text(&path).err().expect("refused").to_string().contains("git lfs pull"));
}

#[test]
fn plain_text_has_no_byte_order_mark_and_is_no_table() {
    let lines = |content: &[u8]| -> Vec<String> {
        let (_folder, path) = write("a.txt", content);
        text_lines(open_text(&path).expect("opened"), &path).map(|line| line.expect("a line")).collect()
    };
    let utf_16: Vec<u8> = "\u{feff}good\nbad".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for content in ["\u{feff}good\r\nbad\n".as_bytes(), &gzip(b"good\nbad"), &utf_16] {
        assert_eq!(lines(content), ["good", "bad"]);
    }
    let piped: Vec<_> = text_lines("\u{feff}good".as_bytes(), "standard input".as_ref()).collect();
    assert_eq!(piped[0].as_ref().expect("a line"), "good");

    let table = |name: &str, content: &str| {
        let (_folder, path) = write(name, content);
        looks_like_table(&path)
    };
    assert_eq!(table("a.csv", "id,text\n1,good\n"), Some("id,text".into()));
    assert_eq!(table("a.txt", "text\tlabel\ngood\t1\n"), Some("text\tlabel".into()));
    assert_eq!(table("a.txt", "{\"text\": 1}\n"), Some("{\"text\": 1}".into()));
    for (name, content) in [("a.txt", "Good, really\nbad, very\n"), ("a.csv", "good\nbad\n"), ("a.txt", "")] {
        assert_eq!(table(name, content), None, "{content}");
    }
}
