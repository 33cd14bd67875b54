//! tokenizer.json, followed by the tokenization of texts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rekindle_tokenizer::Tokenizer;

fuzz_target!(|input: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_json_bytes(input) else { return };
    for text in ["Good film, naïve 🎉 unaffable", " \u{0}\u{fffd}\u{ad}中文 [MASK] ##ing [CLS]"] {
        if let Ok(ids) = tokenizer.encode(text, 16) {
            let _ = tokenizer.decode(&ids, true);
        }
    }
    tokenizer.special_ids();
});
