//! Damaged Parquet: no panic, no hang, bounded memory, and errors that name file and place.
#![cfg(feature = "parquet")]

use std::path::Path;

use rekindle_data::{Dataset, Profile, ReadOptions, Rows};

use crate::mutate::{Mutator, overwrite, survive, tried};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/data/parquet");
/// One file for each physical layout.
const FILES: [&str; 13] = [
    "none",
    "snappy",
    "gzip",
    "zstd",
    "plain_pages",
    "version_2",
    "delta",
    "groups",
    "categories",
    "beside",
    "int8",
    "bool",
    "required",
];

/// The places that an error may name: a row, a column, or that the file cannot be opened.
const PLACES: [&str; 5] = [", row ", " column `", "no examples", "every label is", "invalid Parquet file"];

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(FIXTURES).join(format!("{name}.parquet"))).expect("a fixture")
}

/// Reads a file row by row into a profile, and as a data set.
fn read(path: &Path, bytes: &[u8]) -> Result<(), String> {
    read_as(path, bytes, &ReadOptions::default())
}

/// Reads a file whose labels are the second texts of pairs, too.
fn read_pairs(path: &Path, bytes: &[u8]) -> Result<(), String> {
    read_as(path, bytes, &ReadOptions { text_pair_column: Some("label".into()), ..ReadOptions::default() })
}

fn read_as(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<(), String> {
    overwrite(path, bytes);
    let mut profile = Profile::default();
    for row in Rows::open(path, options).map_err(|error| error.to_string())? {
        profile.add(&row.map_err(|error| error.to_string())?);
    }
    Dataset::read(path, options).map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_layout() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.parquet");
    let whole = FILES.map(fixture);
    let cases = tried(20_000);
    let outcome = survive("a.parquet", cases, &[&["a.parquet"], &PLACES], |case| {
        let mut mutator = Mutator::new(case);
        let bytes = mutator.damage(&whole[case as usize % whole.len()]);
        if case % 4 == 3 { read_pairs(&path, &bytes) } else { read(&path, &bytes) }
    });
    assert!(outcome.read > cases / 100 && outcome.refused > cases / 2, "damage of both kinds: {outcome:?}");
}

/// Returns a file with other bytes after the first occurrence of a mark; the footer is still found.
fn patched(name: &str, mark: &[u8], with: &[u8]) -> Vec<u8> {
    let mut bytes = fixture(name);
    let at = bytes.windows(mark.len()).position(|window| window == mark).expect("the mark") + mark.len();
    let footer = bytes.len() - 8 - u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().expect("four")) as usize;
    if at < footer {
        bytes[at..at + with.len()].copy_from_slice(with);
        return bytes;
    }
    bytes.splice(at..at + 1, with.iter().copied());
    let (end, length) = (bytes.len() - 8, bytes.len() - 8 - footer);
    bytes[end..end + 4].copy_from_slice(&(length as u32).to_le_bytes());
    bytes
}

/// The greatest i32, and 2^60, as Thrift and the delta encodings write them.
const MOST: [u8; 5] = [0xfe, 0xff, 0xff, 0xff, 0x0f];
const HUGE: [u8; 9] = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];

/// The name, a mark in a file, the bytes to put after it, and the words of the error.
type Promise<'a> = (&'a str, &'a [u8], &'a [u8], &'a [&'a str]);

#[test]
fn absurd_sizes_are_errors_that_take_no_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.parquet");
    let page: Vec<u8> = [&[0x15], &MOST[..], &[0x15, 0xea, 0x08, 0x4c, 0x15, 0x4e, 0x15, 0, 0x12, 0, 0]].concat();
    let dictionary: Vec<u8> = [&MOST[..], &[0x15, 0, 0x12, 0, 0]].concat();
    let nested = [&[0x15, 0x02], &b"\x48\x01g\x15\x02\0".repeat(5000)[..], &[0x15, 0x04]].concat();
    let cases: [Promise<'_>; 6] = [
        ("fields of a schema", b"\x06schema\x15", &MOST, &["footer declares fields"]),
        ("a schema without end", b"\x06schema", &nested, &["footer"]),
        ("bytes of a page", b"PAR1\x15\x04", &page, &["row 1", "byte 4 declares 2147483647 bytes"]),
        (
            "values of a dictionary",
            b"PAR1\x15\x04\x15\xea\x08\x15\xea\x08\x4c\x15",
            &dictionary,
            &["row 1", "values in"],
        ),
        ("lengths of what is shared", b"\x50\x01\x80\x01\x04", &HUGE, &["row 1", "lengths of more values"]),
        ("lengths of texts", b"\x85\x15\0\0\0\0\0\0\x80\x01\x04", &HUGE, &["row 1", "lengths of more values"]),
    ];
    for (name, mark, with, expected) in cases {
        let file = if name.starts_with("lengths") { "delta" } else { "none" };
        let bytes = patched(file, mark, with);
        let outcome = survive(name, 1, &[&["a.parquet"], expected], |_| read(&path, &bytes));
        assert!(outcome.refused == 1 && outcome.memory < 1 << 20, "{name}: {outcome:?}");
    }
}
