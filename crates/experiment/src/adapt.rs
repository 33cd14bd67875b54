//! Adaptive pretraining: masked language modelling on the training texts before fine-tuning (Gururangan et al., 2020).

use rekindle_checkpoint::trainable;
use rekindle_distilbert::{DistilBertForMaskedLM, DistilBertModel};
use rekindle_train::{Event, Masking, Pretraining, PretrainingArguments, Stop, TrainError, TrainingArguments};

use crate::run_context::RunContext;
use crate::run_spec::RunSpec;

/// Trains the masked language model of the checkpoint on the training texts of a run, one sequence per text, at the learning
/// rate of transformers' `run_mlm.py`, and returns its encoder.
pub(crate) fn adapt(
    context: &RunContext<'_>,
    spec: &RunSpec,
    observer: &mut dyn FnMut(&Event),
) -> Result<DistilBertModel, TrainError> {
    let defaults = PretrainingArguments::default();
    let masking = Masking::new(&context.pretrained.tokenizer, defaults.mlm_probability)?;
    let checkpoint = &context.pretrained.checkpoint;
    let (model, _) = DistilBertForMaskedLM::from_checkpoint(&context.config, checkpoint, spec.seed, context.device)?;
    let sequences: Vec<Vec<u32>> = spec.rows.train.iter().map(|&row| context.examples.sentence(row).to_vec()).collect();
    let shared = &context.experiment.arguments;
    let training = TrainingArguments {
        num_train_epochs: spec.approach(context.experiment).pretrain_epochs,
        per_device_train_batch_size: shared.per_device_train_batch_size,
        seed: spec.seed,
        ..TrainingArguments::default()
    };
    let arguments = PretrainingArguments { training, ..defaults };
    let run = Pretraining::new(&model, &context.config, masking, &sequences, &arguments, context.device)?;
    observer(&Event::Begin { steps: run.steps(), epochs: run.epochs() });
    let run = match context.checkpoints(spec) {
        Some(checkpoints) => run.finish(&checkpoints, observer)?,
        None => run.advance(usize::MAX, &Stop::default(), observer)?,
    };
    Ok(trainable(&run.model().distilbert, |_| false))
}
