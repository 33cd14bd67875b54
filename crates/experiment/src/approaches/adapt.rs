//! Adaptive pretraining: masked language modelling on the training texts before fine-tuning (Gururangan et al., 2020).

use rekindle_checkpoint::trainable;
use rekindle_encoders::MaskedLanguageModel;
use rekindle_train::{Checkpoints, MaskedLm, Masking, Observer, TrainError, Trainer, TrainingArguments, TuningPlan};

use crate::run_context::RunContext;
use crate::run_spec::RunSpec;

/// Trains the masked language model of the checkpoint on the training texts of a run, one sequence per text or window, at the learning
/// rate of transformers' `run_mlm.py`, and returns it.
pub(crate) fn adapt(
    context: &RunContext<'_>,
    spec: &RunSpec,
    epochs: usize,
    observer: &mut Observer<'_>,
) -> Result<MaskedLanguageModel, TrainError> {
    let masking = Masking::new(&context.pretrained.tokenizer, Masking::DEFAULT_PROBABILITY)?;
    let checkpoint = &context.pretrained.checkpoint;
    let (model, _) = MaskedLanguageModel::from_checkpoint(&context.config, checkpoint, spec.seed, context.device)?;
    let train = context.examples.select(&spec.rows.train);
    let sequences: Vec<Vec<u32>> = train.sentences().into_iter().map(<[u32]>::to_vec).collect();
    let arguments = TrainingArguments {
        num_train_epochs: epochs,
        per_device_train_batch_size: context.settings.arguments.per_device_train_batch_size,
        seed: spec.seed,
        ..TrainingArguments::default()
    };
    // With a final checkpoint, a resumed run does not repeat the pretraining.
    let checkpoints = context.checkpoints(spec).map(|checkpoints| Checkpoints {
        folder: checkpoints.folder.join("pretraining"),
        save_final: true,
        ..checkpoints
    });
    let plan = TuningPlan::full(&context.config);
    let objective = MaskedLm::new(&context.config, masking, &sequences);
    let trainer = Trainer::new(objective, &plan, &arguments, context.device)
        .with_checkpoints(checkpoints)
        .with_stop(context.stop());
    Ok(trainable(&trainer.run(model, observer)?.model, |_| false))
}
