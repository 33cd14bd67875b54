//! A custom training loop for a custom loss: `smoothing FOLDER TRAIN.tsv TEST.tsv [EPOCHS]`. The lines of the files are
//! `text TAB label`; the folder holds a checkpoint of DistilBERT or BERT with its tokenizer.
//!
//! Trains the head and the last layer with label smoothing (Szegedy et al., 2016): a tenth of the target probability is
//! distributed evenly over all classes. [`Classification`](rekindle_train::Classification) has no such loss, but the loop
//! uses the tuning plan, order, optimizer, schedule and evaluation of this crate.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use rekindle_data::{Dataset, ReadOptions};
use rekindle_encoders::{Checkpoint, EncoderConfig, Mode, SequenceBatch, SequenceClassifier};
use rekindle_tokenizer::{Batch, Tokenizer};
use rekindle_train::{AdamW, EncodedDataset, TrainingArguments, TuningPlan, evaluate};

/// The target probability that is distributed over all classes.
const SMOOTHING: f32 = 0.1;
/// Maximum number of tokens per text.
const MAX_LENGTH: usize = 64;
const SEED: u64 = 42;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, train, test, epochs) = match arguments.as_slice() {
        [folder, train, test] => (folder, train, test, 3),
        [folder, train, test, epochs] => {
            (folder, train, test, epochs.parse::<usize>().map_err(|error| format!("epochs `{epochs}`: {error}"))?)
        }
        _ => return Err("usage: smoothing FOLDER TRAIN.tsv TEST.tsv [EPOCHS]".into()),
    };
    let (folder, device) = (Path::new(folder), Device::default());
    let options = ReadOptions { header: false, ..ReadOptions::default() };
    let train = Dataset::read(Path::new(train), &options)?;
    let test = train.read_like(Path::new(test), &options)?;
    let config = EncoderConfig::from_folder(folder)?.with_labels(train.classes.names());
    let (model, _) = SequenceClassifier::from_checkpoint(&config, &Checkpoint::open(folder)?, SEED, &device)?;
    let tokenizer = Tokenizer::from_folder(folder)?;
    let (train, test) = (encode(&train, &tokenizer)?, encode(&test, &tokenizer)?);

    let arguments = TrainingArguments { learning_rate: 5e-4, num_train_epochs: epochs, ..Default::default() };
    arguments.validate()?;
    let size = arguments.per_device_train_batch_size;
    let schedule = arguments.schedule(arguments.steps_per_epoch(train.len()) * epochs);
    let mut model = TuningPlan::last_layers(1, &config)?.apply(&model, 0);
    let mut optimizer = AdamW::new(&arguments, &model);
    let mut step = 0;
    for epoch in 0..epochs {
        let mut losses = Vec::new();
        for rows in train.order(arguments.seed, epoch, arguments.shuffle).chunks(size) {
            let sentences: Vec<&[u32]> = rows.iter().map(|&row| train.sentence(row)).collect();
            let labels: Vec<usize> = rows.iter().map(|&row| train.labels()[row]).collect();
            let Batch { input_ids, attention_mask, cu_seqlens } = Batch::packed(&sentences);
            let batch = SequenceBatch::new(&input_ids, &attention_mask, &cu_seqlens, &config, &device)?;
            let loss = smoothed(model.forward(&batch, Mode::Train { seed: SEED + step as u64 }), &labels);
            losses.push(loss.clone().without_autodiff());
            (model, _) = optimizer.step(model, loss.backward(), arguments.learning_rate * schedule.share(step));
            step += 1;
        }
        // Losses are read once per epoch, so that no step waits for one.
        let mean = Tensor::cat(losses, 0).mean().try_into_data()?.iter::<f32>().sum::<f32>();
        let size = arguments.per_device_eval_batch_size;
        let evaluation = evaluate(&model, &config, &test, None, size, &device, &mut |_| ControlFlow::Continue(()))?;
        println!("epoch {}  smoothed loss {mean:.4}  accuracy {:.4}", epoch + 1, evaluation.accuracy());
    }
    Ok(())
}

fn encode(data: &Dataset, tokenizer: &Tokenizer) -> Result<EncodedDataset, Box<dyn Error>> {
    let texts: Vec<&str> = data.examples.iter().map(|example| example.text.as_str()).collect();
    Ok(EncodedDataset::new(tokenizer.encode_all(&texts, MAX_LENGTH)?, data.labels(), data.classes.len())?)
}

/// Returns the mean cross-entropy with smoothed labels, in nats, `[1]`.
fn smoothed(logits: Tensor<2>, labels: &[usize]) -> Tensor<1> {
    let [rows, classes] = logits.dims();
    let mut targets = vec![SMOOTHING / classes as f32; rows * classes];
    for (row, label) in labels.iter().enumerate() {
        targets[row * classes + label] += 1.0 - SMOOTHING;
    }
    let targets =
        Tensor::<2>::from_data(TensorData::new(targets, [rows, classes]), &logits.device().without_autodiff());
    (log_softmax(logits, 1) * targets).sum().mul_scalar(-1.0 / rows as f32)
}
