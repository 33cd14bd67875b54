//! vocab.txt and, after a zero byte, tokenizer_config.json.
#![no_main]

mod file;

use libfuzzer_sys::fuzz_target;
use rekindle_tokenizer::Tokenizer;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    file::write("vocab.txt", parts.next().unwrap_or_default());
    match parts.next() {
        Some(settings) => drop(file::write("tokenizer_config.json", settings)),
        None => drop(std::fs::remove_file(file::folder().join("tokenizer_config.json"))),
    }
    let Ok(tokenizer) = Tokenizer::from_folder(file::folder()) else { return };
    if let Ok(ids) = tokenizer.encode("Good film, naïve 🎉 unaffable", 16) {
        let _ = tokenizer.decode(&ids, false);
    }
});
