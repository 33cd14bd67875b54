//! A base that has read the training sentences before it learns their classes (Gururangan et al., 2020).

use rekindle_checkpoint::trainable;
use rekindle_distilbert::{DistilBertForMaskedLM, DistilBertModel};
use rekindle_train::{Event, Masking, Pretraining, PretrainingArguments, Stop, TrainError, TrainingArguments};

use crate::approach::Approach;
use crate::trial::{Bench, Draw};

/// Trains the checkpoint's masked-language model on the training sentences alone, a sentence a sequence, at the rate
/// of transformers' `run_mlm.py`, and returns its encoder.
pub(crate) fn adapt(
    bench: &Bench<'_>,
    approach: &Approach,
    draw: Draw<'_>,
    observer: &mut dyn FnMut(&Event),
) -> Result<DistilBertModel, TrainError> {
    let defaults = PretrainingArguments::default();
    let masking = Masking::new(&bench.pretrained.tokenizer, defaults.mlm_probability)?;
    let (model, _) =
        DistilBertForMaskedLM::from_checkpoint(&bench.config, &bench.pretrained.checkpoint, draw.seed, bench.device)?;
    let sequences: Vec<Vec<u32>> = draw.train.iter().map(|&row| bench.sentences.sentence(row).to_vec()).collect();
    let shared = &bench.experiment.arguments;
    let training = TrainingArguments {
        num_train_epochs: approach.pretrain_epochs,
        per_device_train_batch_size: shared.per_device_train_batch_size,
        seed: draw.seed,
        ..TrainingArguments::default()
    };
    let arguments = PretrainingArguments { training, ..defaults };
    let run = Pretraining::new(&model, &bench.config, masking, &sequences, &arguments, bench.device)?;
    observer(&Event::Begin { steps: run.steps(), epochs: run.epochs() });
    let run = match bench.checkpoints(draw) {
        Some(checkpoints) => run.finish(&checkpoints, observer)?,
        None => run.advance(usize::MAX, &Stop::default(), observer)?,
    };
    Ok(trainable(&run.model().distilbert, |_| false))
}
