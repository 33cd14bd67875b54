//! results.json, as `rekindle compare` reads it.
#![no_main]

mod file;

use libfuzzer_sys::fuzz_target;
use rekindle_results::{Comparison, Results};

fuzz_target!(|input: &[u8]| {
    let path = file::write("results.json", input);
    let Ok(results) = Results::read(&path) else { return };
    let _ = Comparison::of(&[("a".into(), results.clone()), ("b".into(), results)]);
});
