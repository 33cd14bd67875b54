//! The last step: training on the polarity of the generated lines.
//!
//! Masked language modelling trains the model to predict words from their context, and does not train `[CLS]`, which a
//! classifier reads. So all layers are trained once on generated lines with their polarity (intermediate-task training:
//! Phang et al., 2018, "Sentence Encoders on STILTs"), with [`noise`](crate::noise), and the head is dropped.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;

use rekindle::burn::tensor::Device;
use rekindle::data::{Dataset, ReadOptions, TestSize};
use rekindle::encoders::Precision;
use rekindle::infer::PretrainedModel;
use rekindle::train::{Classification, EncodedDataset, Event, Trainer, TrainingArguments, TuningPlan};

use crate::noise::Noise;

const SEED: u64 = 42;
/// The polarity of lines without an opinion.
const NEUTRAL: &str = "neutral";

/// Trains the model in the folder `model` on the file `labelled`, and writes `config.json`, `model.safetensors` (f16)
/// and `tokenizer.json` to `folder`.
pub fn train(model: &Path, labelled: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let device = Device::default();
    let pretrained = PretrainedModel::from_folder(model)?;
    let lines = Dataset::read(labelled, &ReadOptions { header: false, ..ReadOptions::default() })?;
    let (lines, held_out) = lines.train_test_split(TestSize::Fraction(0.02), SEED as u32, true)?;
    let (config, model, _) = pretrained.load(lines.classes.names(), SEED, &device)?;
    let max_length = config.max_length();
    let encode = |data: &Dataset| -> Result<Vec<Vec<u32>>, Box<dyn Error>> {
        let texts: Vec<&str> = data.examples.iter().map(|example| example.text.as_str()).collect();
        Ok(pretrained.tokenizer.encode_all(&texts, max_length)?)
    };
    let encoded = encode(&lines)?;
    let labels = lines.labels();
    let neutral = lines.classes.names().iter().position(|name| name == NEUTRAL).ok_or("no neutral lines")?;
    let is_neutral = |line: &usize| labels[*line] == neutral;
    let neutral_lines: Vec<usize> = (0..encoded.len()).filter(is_neutral).collect();
    let mut noise = Noise::new(&encoded, &neutral_lines, (&pretrained.tokenizer, max_length), SEED);
    let disturbed = (0..encoded.len()).map(|line| noise.disturb(&encoded[line], is_neutral(&line))).collect();
    let train = EncodedDataset::new(disturbed, labels.clone(), lines.classes.len())?;
    let test = EncodedDataset::new(encode(&held_out)?, held_out.labels(), lines.classes.len())?;
    let arguments = TrainingArguments {
        learning_rate: 2e-4,
        weight_decay: 0.01,
        per_device_train_batch_size: 32,
        per_device_eval_batch_size: 32,
        seed: SEED,
        ..TrainingArguments::default()
    };
    let mut observe = |event: &Event| {
        match event {
            Event::Step(step) if step.step % 500 == 0 => println!("step {}  loss {:.4}", step.step, step.loss),
            Event::Epoch(epoch) => {
                println!("held out: accuracy {:.4}, loss {:.4}", epoch.accuracy.unwrap_or_default(), epoch.eval_loss)
            }
            _ => {}
        }
        ControlFlow::Continue(())
    };
    let plan = TuningPlan::full(&config);
    let objective = Classification::new(&config, &train).evaluated_on(&test);
    let trained = Trainer::new(objective, &plan, &arguments, &device).run(model, &mut observe)?;

    std::fs::create_dir_all(folder)?;
    trained.model.encoder().save_safetensors(&folder.join("model.safetensors"), Precision::F16)?;
    std::fs::write(folder.join("config.json"), pretrained.config.to_json())?;
    std::fs::write(folder.join("tokenizer.json"), pretrained.tokenizer.to_json()?)?;
    Ok(())
}
