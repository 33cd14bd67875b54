//! A weights file, header and values, into both models.
#![no_main]

mod file;

use std::path::Path;
use std::sync::LazyLock;

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use rekindle_distilbert::{Checkpoint, DistilBertConfig, DistilBertForMaskedLM, DistilBertForSequenceClassification};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/distilbert/masked_lm");

fuzz_target!(|input: &[u8]| {
    static CONFIG: LazyLock<DistilBertConfig> =
        LazyLock::new(|| DistilBertConfig::from_folder(Path::new(FIXTURE)).expect("the fixture"));
    file::write("model.safetensors", input);
    let Ok(checkpoint) = Checkpoint::open(file::folder()) else { return };
    let _ = DistilBertForSequenceClassification::from_checkpoint(&CONFIG, &checkpoint, 0, &Device::flex());
    let _ = DistilBertForMaskedLM::from_checkpoint(&CONFIG, &checkpoint, 0, &Device::flex());
});
