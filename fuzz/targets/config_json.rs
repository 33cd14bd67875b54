//! config.json, with a checkpoint that does not fit most of what it may say, and without one.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use rekindle_encoders::{Checkpoint, EncoderConfig, SequenceClassifier};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/distilbert/base");

fuzz_target!(|input: &[u8]| {
    static CHECKPOINT: LazyLock<Checkpoint> =
        LazyLock::new(|| Checkpoint::open(Path::new(FIXTURE)).expect("the fixture"));
    let Ok(config) = EncoderConfig::from_json(input, Path::new("config.json")) else { return };
    let _ = SequenceClassifier::from_checkpoint(&config, &CHECKPOINT, 0, &Device::flex());
    config.to_json();
});
