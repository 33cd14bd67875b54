//! CSV, TSV, JSON and JSONL, plain, gzip and zip, and files without a known extension: the first byte selects the format.
#![no_main]

mod file;

use libfuzzer_sys::fuzz_target;
use rekindle_data::{Dataset, Profile, ReadOptions, Rows};

const NAMES: [&str; 9] =
    ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.tsv.gz", "a.jsonl.gz", "a.json", "a.txt", "a.csv.zip"];

fuzz_target!(|input: &[u8]| {
    let Some((&which, bytes)) = input.split_first() else { return };
    let path = file::write(NAMES[which as usize % NAMES.len()], bytes);
    let text_pair_column = (which % 4 == 3).then(|| "2".to_string());
    let options = ReadOptions { header: which < 128, text_pair_column, ..ReadOptions::default() };
    if let Ok(rows) = Rows::open(&path, &options) {
        let mut profile = Profile::default();
        rows.map_while(Result::ok).for_each(|row| profile.add(&row));
    }
    let _ = Dataset::read(&path, &options);
});
