//! Parquet: footer, pages and values.
#![no_main]

mod file;

use libfuzzer_sys::fuzz_target;
use rekindle_data::{ReadOptions, Rows};

fuzz_target!(|input: &[u8]| {
    let path = file::write("a.parquet", input);
    if let Ok(rows) = Rows::open(&path, &ReadOptions::default()) {
        rows.for_each(drop);
    }
});
