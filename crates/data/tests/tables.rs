//! Tables of any columns: read, summarised and written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rekindle_data::{Cell, ColumnKind, OutputFormat, ReadOptions, Table, TableColumn, TableSummary, TableWriter};
use tempfile::TempDir;

fn written(folder: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).expect("written");
    path
}

fn open(path: &Path) -> Table {
    Table::open(path, &ReadOptions::default()).expect("opened")
}

fn kinds(summary: &TableSummary) -> Vec<(&str, ColumnKind)> {
    summary.columns.iter().map(|column| (column.name.as_ref(), column.kind)).collect()
}

/// Writes the rows of a table in another format, and returns the path.
fn copy(source: &Path, name: &str) -> PathBuf {
    let path = source.with_file_name(name);
    let columns = TableSummary::new(open(source)).expect("a summary").columns;
    let format = OutputFormat::of(&path).expect("a format");
    let out = Box::new(fs::File::create(&path).expect("created"));
    let mut writer = TableWriter::new(format, &columns, out).expect("begun");
    open(source).for_each(|row| writer.write(&row.expect("a row").cells).expect("written"));
    writer.finish().expect("finished");
    path
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("read")
}

#[test]
fn json_keeps_its_order_its_types_and_the_spelling_of_its_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = concat!(
        r#"{"id":123456789012345678901234567890,"text":"a \"b\" é","price":1.50,"big":1E2,"ok":true,"none":null}"#,
        "\n",
        r#"{"text":"c","tags":["x, y",{"k":[1]}],"id":-2,"price":3}"#,
        "\n"
    );
    let path = written(&folder, "in.jsonl", lines);
    assert_eq!(text(&copy(&path, "out.jsonl")), lines);
    let spread = written(&folder, "spread.json", "[{\"text\": \"a\",\n \"tags\": [1,\n 2, \" x \"], \"bad\": NaN}]");
    assert_eq!(text(&copy(&spread, "one.jsonl")), "{\"text\":\"a\",\"tags\":[1,2,\" x \"],\"bad\":null}\n");

    let summary = TableSummary::new(open(&path)).expect("a summary");
    assert_eq!(summary.rows, 2);
    let (number, string) = (ColumnKind::Float, ColumnKind::Text);
    let ok = ("ok", ColumnKind::Boolean);
    let expected =
        [("id", number), ("text", string), ("price", number), ("big", number), ok, ("none", string), ("tags", string)];
    assert_eq!(kinds(&summary), expected);
    let csv = concat!(
        "id,text,price,big,ok,none,tags\n",
        "123456789012345678901234567890,\"a \"\"b\"\" é\",1.50,1E2,true,,\n",
        "-2,c,3,,,,\"[\"\"x, y\"\",{\"\"k\"\":[1]}]\"\n"
    );
    assert_eq!(text(&copy(&path, "out.csv")), csv);
}

#[test]
fn csv_keeps_its_values_and_its_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(&folder, "in.csv", " id ;text;\r\n01;\"a;\"\"b\"\"\nc\";\"\"\r\n2,5; d ;x\r\n");
    let table = open(&path);
    assert_eq!((table.columns().len(), table.text()), (3, 1));
    let rows: Vec<_> = table.map(|row| row.expect("a row")).collect();
    assert_eq!((rows[0].text.as_str(), rows[0].line, rows[1].line), ("a;\"b\"\nc", 2, 4));
    assert_eq!(rows[0].cells[0], (Arc::from(" id "), Cell::Text("01".into())));
    assert_eq!(text(&copy(&path, "out.csv")), " id ,text,\n01,\"a;\"\"b\"\"\nc\",\n\"2,5\", d ,x\n");
    let zipped = copy(&path, "out.csv.gz");
    assert_eq!(
        copy(&zipped, "again.csv").metadata().expect("a file").len(),
        text(&folder.path().join("out.csv")).len() as u64
    );
    let json =
        "{\" id \":\"01\",\"text\":\"a;\\\"b\\\"\\nc\",\"\":\"\"}\n{\" id \":\"2,5\",\"text\":\" d \",\"\":\"x\"}\n";
    assert_eq!(text(&copy(&path, "out.jsonl")), json);

    let options = ReadOptions { header: false, text_column: Some("1".into()), ..ReadOptions::default() };
    let headless = written(&folder, "headless.csv", "1,good\n2,bad\n");
    let table = Table::open(&headless, &options).expect("opened");
    assert_eq!(table.columns().iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["0", "1"]);
    assert_eq!(table.map(|row| row.expect("a row").text).collect::<Vec<_>>(), ["good", "bad"]);
}

#[test]
fn a_table_with_one_column_is_a_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(&folder, "in.csv", "text\ngood\n\"\"\n\"a, b\"\n");
    assert_eq!(open(&path).map(|row| row.expect("a row").text).collect::<Vec<_>>(), ["good", "", "a, b"]);
    assert_eq!(text(&copy(&path, "out.csv")), "text\ngood\n\"\"\n\"a, b\"\n");
}

#[test]
fn rows_that_cannot_be_used_are_named_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(&folder, "in.jsonl", "{\"text\":\"a\"}\n{\"text\":null}\n{\"id\":1}\nno\n{\"text\":2}\n");
    let error = TableSummary::new(open(&path)).expect_err("rows").to_string();
    for part in ["line 2: `text` is null", "line 3", "line 4", "line 5"] {
        assert!(error.contains(part), "{error}");
    }
    let error = Table::open(&written(&folder, "other.csv", "id,words\n1,a\n"), &ReadOptions::default());
    let error = error.expect_err("no text").to_string();
    assert!(error.contains("no text column `text`; the columns are id, words"), "{error}");
}

#[test]
fn what_a_format_cannot_hold_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["out.tsv", "out.json", "out", "out.csv.zip", "out.parquet.gz", "out.xlsx"] {
        let error = OutputFormat::of(&folder.path().join(name)).expect_err(name).to_string();
        assert!(error.contains(".csv, .jsonl (each optionally .gz) or .parquet"), "{error}");
    }
    let columns = ["a", "a"].map(|name| TableColumn { name: name.into(), kind: ColumnKind::Text });
    let begun = |format| TableWriter::new(format, &columns, Box::new(std::io::sink()));
    assert!(begun(OutputFormat::CSV).is_ok());
    let error = begun(OutputFormat::JSONL).expect_err("two names").to_string();
    assert!(error.contains("two columns have the name `a`"), "{error}");
    let mut writer = TableWriter::new(OutputFormat::CSV, &columns[..1], Box::new(std::io::sink())).expect("begun");
    let error = writer.write(&[("b".into(), Cell::Null)]).expect_err("another column").to_string();
    assert!(error.contains("no column `b`"), "{error}");
}

#[cfg(feature = "parquet")]
mod parquet {
    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new("../../fixtures/data/parquet").join(name).with_added_extension("parquet")
    }

    /// The rows of a table as JSON lines.
    fn lines(path: &Path) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path().join("in.parquet");
        fs::copy(path, &here).expect("copied");
        text(&copy(&here, "out.jsonl"))
    }

    #[test]
    fn types_are_kept_in_parquet() {
        let folder = tempfile::tempdir().expect("a folder");
        let json = concat!(
            r#"{"text":"a","id":1,"price":0.1,"ok":true,"note":null}"#,
            "\n",
            r#"{"text":"b","id":-9007199254740993,"price":2.5,"ok":null,"note":"é"}"#,
            "\n"
        );
        let parquet = copy(&written(&folder, "in.jsonl", json), "out.parquet");
        let expected = [
            ("text", ColumnKind::Text),
            ("id", ColumnKind::Integer),
            ("price", ColumnKind::Float),
            ("ok", ColumnKind::Boolean),
            ("note", ColumnKind::Text),
        ];
        assert_eq!(kinds(&TableSummary::new(open(&parquet)).expect("a summary")), expected);
        assert_eq!(text(&copy(&parquet, "back.jsonl")), json);
    }

    #[test]
    fn columns_are_added_to_a_file_that_keeps_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in "none zstd plain_pages version_2 delta groups categories required float32 uint64".split(' ') {
            let path = folder.path().join("out.parquet");
            let added = TableColumn { name: "number".into(), kind: ColumnKind::Integer };
            let out = Box::new(fs::File::create(&path).expect("created"));
            let mut writer = TableWriter::extending(&fixture(name), &[added], out).expect(name);
            let before = lines(&fixture(name));
            for row in 0..before.lines().count() {
                writer.write(&[("number".into(), Cell::Json(row.to_string()))]).expect("written");
            }
            writer.finish().expect(name);
            let numbered = |(row, line): (usize, &str)| format!("{},\"number\":{row}}}\n", &line[..line.len() - 1]);
            let expected: String = before.lines().enumerate().map(numbered).collect();
            assert_eq!(lines(&path), expected, "{name}");
        }
        let out = Box::new(std::io::sink());
        let writer = TableWriter::extending(&fixture("groups"), &[], out).expect("begun");
        assert!(writer.finish().is_err(), "rows are missing");
    }

    #[test]
    fn nested_columns_stay_in_parquet() {
        // The column `tags` is a list.
        let error = Table::open(&fixture("beside"), &ReadOptions::default()).expect_err("nested").to_string();
        assert!(error.contains("`tags` contains nested values") && error.contains("write Parquet"), "{error}");
        let table = Table::open_text_of_parquet(&fixture("beside"), &ReadOptions::default()).expect("opened");
        assert_eq!(table.map(|row| row.expect("a row").cells.len()).collect::<Vec<_>>(), [1; 40]);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.parquet");
        let out = Box::new(fs::File::create(&path).expect("created"));
        let added = TableColumn { name: "label".into(), kind: ColumnKind::Text };
        let mut writer = TableWriter::extending(&fixture("beside"), &[added], out).expect("begun");
        (0..40).for_each(|_| writer.write(&[("label".into(), Cell::Null)]).expect("written"));
        writer.finish().expect("finished");
        let texts = |path: &Path| -> Vec<String> {
            let table = Table::open_text_of_parquet(path, &ReadOptions::default()).expect("opened");
            table.map(|row| row.expect("a row").text).collect()
        };
        assert_eq!(texts(&path), texts(&fixture("beside")));
    }
}
