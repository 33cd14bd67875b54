//! `cargo xtask soak`: hours of training and prediction at the size of distilbert-base-uncased. Memory must stay flat, and
//! steps as fast as they were.
//!
//! `soak MINUTES SENTENCES.tsv FOLDER` prints a line of tab-separated numbers for each cycle, and then the slopes. FOLDER
//! takes the checkpoints.

use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use rekindle::data::{Dataset, ReadOptions};
use rekindle::embedded::EMBEDDED;
use rekindle::encoders::{Checkpoint, EncoderConfig, SequenceClassifier};
use rekindle::infer::{PretrainedModel, logits};
use rekindle::train::{
    Checkpoints, Classification, EncodedDataset, SaveStrategy, Trainer, TrainingArguments, TuningPlan,
};

#[global_allocator]
static ALLOCATOR: rekindle::allocator::Allocator = rekindle::allocator::Allocator;

/// Sentences that a cycle trains on, and that it predicts.
const SENTENCES: usize = 32;
/// Cycles from one that writes a checkpoint to the next.
const SAVE_EVERY: usize = 20;
/// The share of the cycles, from the first, in which memory and caches settle.
const WARM_UP: f64 = 0.05;

fn main() -> Result<(), Box<dyn Error>> {
    rekindle::allocator::keep_pages();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [minutes, sentences, folder] = arguments.as_slice() else {
        return Err("usage: soak MINUTES SENTENCES.tsv FOLDER".into());
    };
    let until = Duration::from_secs_f64(minutes.parse::<f64>()? * 60.0);
    let data = sentences_of(Path::new(sentences))?;
    let config = EncoderConfig::default().with_labels(["0", "1"]);
    let device = Device::flex();
    let (mut model, _) = SequenceClassifier::from_checkpoint(&config, &Checkpoint::empty(), 42, &device)?;
    println!("parameters {}", model.parameters().iter().map(|parameter| parameter.size).sum::<usize>());

    let began = Instant::now();
    let mut cycles: Vec<Cycle> = Vec::new();
    println!("minute\tresident MiB\tstep ms\tsentence ms");
    while began.elapsed() < until {
        let number = cycles.len();
        let rows: Vec<usize> = (0..SENTENCES).map(|row| (number * SENTENCES + row) % data.len()).collect();
        let part = data.select(&rows);
        let before = cpu_seconds()?;
        let folder = Some(Path::new(folder)).filter(|_| number.is_multiple_of(SAVE_EVERY));
        let trained = train(&config, model, &part, &device, folder)?;
        let between = cpu_seconds()?;
        model = trained.0;
        logits(
            &model.trainable(|_| false),
            &config,
            &part.sentences(),
            8,
            &device,
            &mut |_| ControlFlow::Continue(()),
        )?;
        let cycle = Cycle {
            hours: began.elapsed().as_secs_f64() / 3600.0,
            resident: resident_bytes()? / f64::from(1 << 20),
            step: (between - before) / trained.1 as f64 * 1e3,
            sentence: (cpu_seconds()? - between) / SENTENCES as f64 * 1e3,
        };
        println!("{:.1}\t{:.0}\t{:.0}\t{:.1}", cycle.hours * 60.0, cycle.resident, cycle.step, cycle.sentence);
        cycles.push(cycle);
    }
    let settled = &cycles[(cycles.len() as f64 * WARM_UP) as usize..];
    println!(
        "{} cycles, of which {} are counted; times are of the processor, not of the clock",
        cycles.len(),
        settled.len()
    );
    report("resident MiB", settled, |cycle| cycle.resident);
    report("step ms", settled, |cycle| cycle.step);
    report("sentence ms", settled, |cycle| cycle.sentence);
    Ok(())
}

/// What is measured after each cycle.
struct Cycle {
    hours: f64,
    resident: f64,
    step: f64,
    sentence: f64,
}

fn sentences_of(path: &Path) -> Result<EncodedDataset, Box<dyn Error>> {
    let tokenizer = PretrainedModel::embedded(EMBEDDED)?.tokenizer;
    let data = Dataset::read(path, &ReadOptions { header: false, ..ReadOptions::default() })?;
    let texts: Vec<&str> = data.examples.iter().map(|example| example.text.as_str()).collect();
    Ok(EncodedDataset::new(tokenizer.encode_all(&texts, 64)?, data.labels(), data.classes.len())?)
}

/// Trains everything for an epoch, with a checkpoint in it where there is a folder for one, and returns the model and the number of steps.
fn train(
    config: &EncoderConfig,
    model: SequenceClassifier,
    data: &EncodedDataset,
    device: &Device,
    folder: Option<&Path>,
) -> Result<(SequenceClassifier, usize), Box<dyn Error>> {
    if let Some(folder) = folder.filter(|folder| folder.exists()) {
        fs::remove_dir_all(folder)?;
    }
    let steps = SENTENCES / TrainingArguments::default().per_device_train_batch_size;
    let save_strategy = std::num::NonZero::new(steps / 2).map(SaveStrategy::Steps);
    let checkpoints = |folder: &Path| Checkpoints { folder: folder.into(), save_strategy, save_final: false };
    let (plan, arguments) =
        (TuningPlan::full(config), TrainingArguments { learning_rate: 1e-6, ..TrainingArguments::default() });
    let objective = Classification::new(config, data);
    let trainer = Trainer::new(objective, &plan, &arguments, device).with_checkpoints(folder.map(checkpoints));
    let trained = trainer.run(model, &mut |_| ControlFlow::Continue(()))?;
    Ok((trained.model, trained.steps.len()))
}

/// A mean, and its slope by least squares with twice its standard error.
fn report(name: &str, cycles: &[Cycle], value: impl Fn(&Cycle) -> f64) {
    let count = cycles.len() as f64;
    let mean = |of: &dyn Fn(&Cycle) -> f64| cycles.iter().map(of).sum::<f64>() / count;
    let (hours, level) = (mean(&|cycle| cycle.hours), mean(&|cycle| value(cycle)));
    let spread: f64 = cycles.iter().map(|cycle| (cycle.hours - hours).powi(2)).sum();
    let slope = cycles.iter().map(|cycle| (cycle.hours - hours) * (value(cycle) - level)).sum::<f64>() / spread;
    let rest: f64 = cycles.iter().map(|cycle| (value(cycle) - level - slope * (cycle.hours - hours)).powi(2)).sum();
    let error = (rest / (count - 2.0) / spread).sqrt();
    let percent = 100.0 / level;
    println!(
        "{name}: mean {level:.1}, slope {slope:+.2} ± {:.2} an hour ({:+.2} % ± {:.2} %)",
        2.0 * error,
        slope * percent,
        2.0 * error * percent
    );
}

/// Memory that the process holds, from `/proc`.
fn resident_bytes() -> Result<f64, Box<dyn Error>> {
    const PAGE: f64 = 4096.0;
    let pages = fs::read_to_string("/proc/self/statm")?;
    Ok(pages.split(' ').nth(1).ok_or("statm")?.parse::<f64>()? * PAGE)
}

/// Processor time that the process took, from `/proc`.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().ok_or("stat")?.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / TICKS)
}
