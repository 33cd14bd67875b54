//! results.json, as `rekindle compare` reads it, and a report of it.
#![no_main]

mod file;

use libfuzzer_sys::fuzz_target;
use rekindle_experiment::{Comparison, read_results};

fuzz_target!(|input: &[u8]| {
    let path = file::write("results.json", input);
    let Ok(results) = read_results(&path) else { return };
    let _ = Comparison::of(&[("a".into(), results.clone()), ("b".into(), results)]);
});
