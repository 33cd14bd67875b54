//! A training checkpoint of masked language modelling: resumes from it and takes a step.
#![no_main]

mod file;

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use rekindle_distilbert::DistilBertConfig;
use rekindle_encoders::{Checkpoint, EncoderConfig, MaskedLanguageModel};
use rekindle_tokenizer::Tokenizer;
use rekindle_train::{Checkpoints, MaskedLm, Masking, Stop, TrainError, Trainer, TrainingArguments, TuningPlan};

struct Start {
    config: EncoderConfig,
    model: MaskedLanguageModel,
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
    let config = EncoderConfig::from(config);
    let (model, _) = MaskedLanguageModel::from_checkpoint(&config, &Checkpoint::empty(), 1, &Device::flex()).expect("a model");
    let sequences = (0..6).map(|row| vec![2, 5 + row, 6 + row, 7 + row, 3]).collect();
    Start { config, model, masking: Masking::new(&tokenizer, 0.3).expect("a masking"), sequences }
}

thread_local!(static START: Start = start());

/// The checkpoint after the first of two steps.
const NAME: &str = "step-00000001.safetensors";

/// Trains two steps in a folder of checkpoints.
fn train(start: &Start, folder: &Path, stop: Stop) -> Result<(), TrainError> {
    let Start { config, model, masking, sequences } = start;
    let arguments = TrainingArguments { max_steps: Some(2), ..TrainingArguments::default() };
    let (device, plan) = (Device::flex(), TuningPlan::full(config));
    let checkpoints = Checkpoints { folder: folder.into(), save_strategy: None, save_final: false };
    let trainer = Trainer::new(MaskedLm::new(config, masking.clone(), sequences), &plan, &arguments, &device)
        .with_checkpoints(checkpoints)
        .with_stop(stop);
    trainer.run(model.clone(), &mut |_| ControlFlow::Continue(())).map(drop)
}

/// Writes a checkpoint to begin the corpus with: the training stops after its first step.
fn seed() {
    START.with(|start| {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/checkpoint"));
        let stop = Stop::default();
        stop.request();
        assert!(matches!(train(start, folder, stop), Err(TrainError::Interrupted { step: 1 })));
    });
}

fuzz_target!(
    init: seed(),
    |input: &[u8]| {
        file::write(NAME, input);
        START.with(|start| {
            let _ = train(start, file::folder(), Stop::default());
        });
    }
);
