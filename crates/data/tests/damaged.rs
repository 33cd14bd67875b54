//! Damaged CSV, TSV, JSONL and gzip: no panic, no hang, bounded memory, and errors that name file and place.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use rekindle_data::{Dataset, Profile, ReadOptions, Rows};

use crate::mutate::{Mutator, overwrite, survive, tried};

const CSV: &str = "id,label,text\r\n1,pos,\"good, \"\"very\"\"\ngood\"\r\n\r\n2,neg,bad\r\n3,10,naïve 🎉\n";
const TSV: &str = "text\tlabel\n\"good\" film\t1\nan \"open quote\t0\nplain\t1\n";
const JSON: &str = "{\n  \"version\": \"1,0\",\n  \"data\": [\n    {\"text\": \"a \\\"b\\\\\", \"label\": 1.0, \"score\": NaN},\n    {\n      \
                    \"text\": \"c]\", \"label\": 0\n    }, {\"text\": \"d\", \"label\": 1}\n  ]\n}\n";
const JSONL: &str = "{\"label\": 10, \"text\": \"a\\tb\"}\n\n{\"text\": \"c\\ud83c\\udf89\", \"label\": 9, \"more\": [1, {\"x\": null}]}\n\
                     {\"text\": \"d\", \"label\": 10}\n";

const PAIRS_TSV: &str =
    "\u{feff}Quality\t#1 ID\t#1 String\t#2 String\n1\t7\t\"Yes\", he said.\tHe said \"yes\n0\t8\ta\tb 🎉\n";
const PAIRS_JSONL: &str = "{\"Quality\": 1, \"#1 String\": \"a\\tb\", \"#2 String\": \"c\"}\n\n{\"#2 String\": \"\\ud83c\\udf89\", \"Quality\": 0, \
                           \"#1 String\": \"d\"}\n";

/// The places that an error may name: a line or row, a column, or the file as a whole.
const PLACES: [&str; 16] = [
    ", line ",
    ", row ",
    " column `",
    "no examples",
    "every label is",
    "a text pair",
    "the gzip data is truncated",
    "invalid gzip data",
    "is longer than",
    "several columns may be the",
    "column 1, the label,",
    "invalid Parquet file",
    "unknown file format",
    "this build does not support Parquet",
    "the column of both texts",
    ": is ",
];

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("packed");
    encoder.finish().expect("packed")
}

/// Reads a file with and without a header, row by row into a profile, and as a data set.
fn read(path: &Path, bytes: &[u8], case: u64) -> Result<(), String> {
    read_as(path, bytes, &ReadOptions { header: !case.is_multiple_of(4), ..ReadOptions::default() })
}

/// Reads a file of text pairs, by the names of columns or by their numbers.
fn read_pairs(path: &Path, bytes: &[u8], case: u64) -> Result<(), String> {
    let columns = match case % 4 {
        0 => ["0", "1", "2"],
        1 => ["Quality", "2", "#2 String"],
        _ => ["Quality", "#1 String", "#2 String"],
    };
    let [label, text, pair] = columns.map(|column| Some(column.to_string()));
    let options =
        ReadOptions { label_column: label, text_column: text, text_pair_column: pair, ..ReadOptions::default() };
    read_as(path, bytes, &ReadOptions { header: !case.is_multiple_of(4), symmetric: case.is_multiple_of(2), ..options })
}

fn read_as(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<(), String> {
    overwrite(path, bytes);
    let mut profile = Profile::new(options.symmetric);
    for row in Rows::open(path, options).map_err(|error| error.to_string())? {
        profile.add(&row.map_err(|error| error.to_string())?);
    }
    Dataset::read(path, options).map(drop).map_err(|error| error.to_string())
}

fn text(name: &str, cases: u64, whole: &[u8], pack: fn(&[u8], &mut Mutator) -> Vec<u8>) {
    damaged(name, cases, whole, pack, read);
}

fn damaged(
    name: &str,
    cases: u64,
    whole: &[u8],
    pack: fn(&[u8], &mut Mutator) -> Vec<u8>,
    read: fn(&Path, &[u8], u64) -> Result<(), String>,
) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    let cases = tried(cases);
    let outcome = survive(name, cases, &[&[name], &PLACES], |case| {
        let mut mutator = Mutator::new(case);
        let bytes = pack(whole, &mut mutator);
        read(&path, &bytes, case)
    });
    assert!(outcome.read > cases / 100 && outcome.refused > cases / 20, "damage of both kinds: {outcome:?}");
}

#[test]
fn csv() {
    text("a.csv", 14_000, CSV.as_bytes(), |whole, mutator| mutator.damage(whole));
}

#[test]
fn tsv() {
    text("a.tsv", 8_000, TSV.as_bytes(), |whole, mutator| mutator.damage(whole));
}

#[test]
fn jsonl() {
    text("a.jsonl", 14_000, JSONL.as_bytes(), |whole, mutator| mutator.damage(whole));
}

#[test]
fn json() {
    text("a.json", 14_000, JSON.as_bytes(), |whole, mutator| mutator.damage(whole));
}

#[test]
fn text_pairs() {
    damaged("a.txt", 4_000, PAIRS_TSV.as_bytes(), |whole, mutator| mutator.damage(whole), read_pairs);
    damaged("a.jsonl", 4_000, PAIRS_JSONL.as_bytes(), |whole, mutator| mutator.damage(whole), read_pairs);
}

#[test]
fn gzip_around_whole_and_damaged_text() {
    text("a.csv.gz", 6_000, CSV.as_bytes(), |whole, mutator| match mutator.below(3) {
        0 => gzip(&mutator.damage(whole)),
        1 => mutator.damage(&gzip(whole)),
        _ => [gzip(whole), mutator.damage(&gzip(whole))].concat(),
    });
}
