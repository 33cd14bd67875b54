//! The checkpoint of a pretraining, taken up and trained on by a step.
#![no_main]

mod file;

use std::path::Path;

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use rekindle_distilbert::{Checkpoint, DistilBertConfig, DistilBertForMaskedLM};
use rekindle_tokenizer::Tokenizer;
use rekindle_train::{Masking, Pretraining, PretrainingArguments, Stop};

struct Start {
    config: DistilBertConfig,
    model: DistilBertForMaskedLM,
    masking: Masking,
    sequences: Vec<Vec<u32>>,
}

fn start() -> Start {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from);
    let words = special.into_iter().chain((0..11).map(|word| format!("w{word}")));
    let tokenizer = Tokenizer::wordpiece(words.collect(), true).expect("a tokenizer");
    let (vocab_size, max_position_embeddings, dim, hidden_dim, n_heads, n_layers) = (16, 6, 4, 8, 2, 1);
    let config = DistilBertConfig {
        vocab_size,
        max_position_embeddings,
        dim,
        hidden_dim,
        n_heads,
        n_layers,
        ..DistilBertConfig::default()
    };
    let (model, _) = DistilBertForMaskedLM::from_checkpoint(&config, &Checkpoint::empty(), 1, &Device::flex()).expect("a model");
    let sequences = (0..6).map(|row| vec![2, 5 + row, 6 + row, 7 + row, 3]).collect();
    Start { config, model, masking: Masking::new(&tokenizer, 0.3).expect("a masking"), sequences }
}

thread_local!(static START: Start = start());

fn begin(start: &Start) -> Pretraining<'_> {
    let Start { config, model, masking, sequences } = start;
    let arguments = PretrainingArguments::default();
    Pretraining::new(model, config, masking.clone(), sequences, &arguments, &Device::flex()).expect("a run")
}

/// A whole checkpoint to begin the corpus with.
fn seed() {
    START.with(|start| {
        let run = begin(start).advance(1, &Stop::default(), &mut |_| {}).expect("trained");
        run.save(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/checkpoint"))).expect("saved");
    });
}

fuzz_target!(
    init: seed(),
    |input: &[u8]| {
        file::write("model.safetensors", input);
        START.with(|start| {
            if let Ok(run) = begin(start).resume(file::folder()) {
                let next = run.step() + 1;
                let _ = run.advance(next, &Stop::default(), &mut |_| {});
            }
        });
    }
);
