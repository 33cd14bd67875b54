//! Our side of `cargo xtask bench`: the cases of `fixtures/bench/reference.py`, under the same names.
//!
//! `bench MODEL TRAIN.tsv TEST.tsv [BACKEND BATCH [CASE]]` prints a line `case TAB value` for each: on flex, and in
//! batches of 8, or as it is told. The model `random` has the size of distilbert-base-uncased and random weights.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

#[cfg(feature = "wgpu")]
use burn::tensor::DeviceKind;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::tensor::DeviceType;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use rekindle::data::{Dataset, ReadOptions};
use rekindle::embedded::EMBEDDED;
use rekindle::encoders::{
    Checkpoint, EncoderConfig, Mode, Pooling, SequenceBatch, SequenceClassifier, TokenSelection, TransformerEncoder,
};
use rekindle::infer::{PretrainedModel, logits};
use rekindle::tokenizer::{Batch, Tokenizer};
use rekindle::train::{AdamW, Classification, EncodedDataset, Trainer, TrainingArguments, TuningPlan};

#[global_allocator]
static ALLOCATOR: rekindle::allocator::Allocator = rekindle::allocator::Allocator;

const MAX_LENGTH: usize = 64;
const STEPS: usize = 5;
/// Steps before the first that is timed. A GPU compiles its kernels in them.
const WARM_UP: usize = 3;
const SENTENCES: usize = 80;

fn main() -> Result<(), Box<dyn Error>> {
    rekindle::allocator::keep_pages();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (data, backend, batch, only) = match arguments[..] {
        [model, train, test] => ([model, train, test], "flex", 8, None),
        [model, train, test, backend, batch] => ([model, train, test], backend, batch.parse()?, None),
        [model, train, test, backend, batch, case] => ([model, train, test], backend, batch.parse()?, Some(case)),
        _ => return Err("usage: bench MODEL|random TRAIN.tsv TEST.tsv [BACKEND BATCH [head|last layer|all]]".into()),
    };
    let [model, train, test] = data;
    let (tokenizer, config, checkpoint) = open(model)?;
    let device = device(backend)?;
    // A GPU compiles kernels when it first gets a shape: what it takes then, and what it takes later.
    let is_gpu = backend != "flex";
    let (model, _) = SequenceClassifier::from_checkpoint(&config, &checkpoint, 0, &device)?;
    let side = Side { config: &config, model, device, batch };
    let (train, test) = (sentences(&tokenizer, train)?, sentences(&tokenizer, test)?);

    let full: Vec<Vec<u32>> = (0..batch as u32).map(|row| (1000 + row..).take(MAX_LENGTH).collect()).collect();
    let labels: Vec<usize> = (0..batch).map(|row| row % 2).collect();
    let plans = [
        ("head", TuningPlan::head()),
        ("last layer", TuningPlan::last_layers(1, side.config)?),
        ("all", TuningPlan::full(side.config)),
    ];
    if let Some(only) = only.filter(|only| plans.iter().all(|(name, _)| name != only)) {
        return Err(format!("{only}: expected head, last layer or all").into());
    }
    for (name, plan) in plans.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        let mut learner = side.learner(plan);
        let whole = |learner: &mut Learner| timed(|| learner.step(&full, &labels, true));
        for _ in 0..WARM_UP {
            whole(&mut learner)?;
        }
        let mut times = (0..STEPS).map(|_| whole(&mut learner)).collect::<Result<Vec<f64>, _>>()?;
        times.sort_by(f64::total_cmp);
        report(&format!("step {batch}x64, {name}"), times[STEPS / 2] * 1e3);
        if is_gpu {
            report(&format!("step SST-2 in the first epoch, {name}"), learner.epoch(&train)? * 1e3);
        }
        report(&format!("step SST-2, {name}"), learner.epoch(&train)? * 1e3);
    }
    let evaluate = || {
        logits(&side.model, side.config, &test.sentences(), batch, &side.device, &mut |_| ControlFlow::Continue(()))?;
        Ok(())
    };
    if is_gpu {
        evaluate()?;
    }
    report("evaluation, sentences a second", test.len() as f64 / timed(evaluate)?);
    report("step from cached features", side.cached(&train)? * 1e3);
    product(&side.device)
}

fn device(backend: &str) -> Result<Device, Box<dyn Error>> {
    match backend {
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "wgpu")]
        "wgpu" => gpu(backend, DeviceType::Wgpu, || Device::wgpu(DeviceKind::DefaultDevice)),
        #[cfg(feature = "vulkan")]
        "vulkan" => gpu(backend, DeviceType::Vulkan, || Device::vulkan(DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        "cuda" => gpu(backend, DeviceType::Cuda, || Device::cuda(0)),
        _ => Err(format!("compiled without the feature {backend}").into()),
    }
}

/// The default device of a backend for GPUs, if it has one; prints its name.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn gpu(backend: &str, kind: DeviceType, device: impl Fn() -> Device) -> Result<Device, Box<dyn Error>> {
    if Device::enumerate(kind).into_vec().is_empty() {
        return Err(format!("{backend} finds no device: there is no GPU, or its driver is missing").into());
    }
    let device = device();
    if cfg!(feature = "vulkan") && device.identity().is_some_and(|identity| identity.physical.is_none()) {
        return Err(format!("{backend} finds only a software driver, which SPIR-V is known to crash; use wgpu").into());
    }
    eprintln!(
        "{backend}: {}",
        device.identity().map_or_else(|| "a device without a name".into(), |identity| identity.name)
    );
    Ok(device)
}

fn open(model: &str) -> Result<(Tokenizer, EncoderConfig, Arc<Checkpoint>), Box<dyn Error>> {
    if model == "random" {
        let tokenizer = PretrainedModel::embedded(EMBEDDED)?.tokenizer;
        return Ok((tokenizer, EncoderConfig::default().with_labels(["0", "1"]), Checkpoint::empty().into()));
    }
    let PretrainedModel { tokenizer, config, checkpoint, .. } = PretrainedModel::from_folder(Path::new(model))?;
    Ok((tokenizer, config, checkpoint))
}

fn sentences(tokenizer: &Tokenizer, path: &str) -> Result<EncodedDataset, Box<dyn Error>> {
    let data = Dataset::read(Path::new(path), &ReadOptions { header: false, ..ReadOptions::default() })?;
    let examples = &data.examples[..SENTENCES.min(data.len())];
    let texts: Vec<&str> = examples.iter().map(|example| example.text.as_str()).collect();
    let labels = examples.iter().filter_map(|example| example.target.class()).collect();
    Ok(EncodedDataset::new(tokenizer.encode_all(&texts, MAX_LENGTH)?, labels, data.classes.len())?)
}

struct Side<'a> {
    config: &'a EncoderConfig,
    model: SequenceClassifier,
    device: Device,
    batch: usize,
}

impl Side<'_> {
    fn learner(&self, plan: &TuningPlan) -> Learner<'_> {
        let model = plan.apply(&self.model, 0);
        let arguments = TrainingArguments { weight_decay: 0.01, ..TrainingArguments::default() };
        let optimizer = AdamW::new(&arguments, &model);
        Learner { side: self, model: Some(model), optimizer, steps: 0 }
    }

    /// Seconds a step of the head on a deterministic base, from the second epoch.
    fn cached(&self, data: &EncodedDataset) -> Result<f64, Box<dyn Error>> {
        let seconds = |epochs: usize| -> Result<f64, Box<dyn Error>> {
            let arguments =
                TrainingArguments { frozen_dropout: false, num_train_epochs: epochs, ..TrainingArguments::default() };
            let plan = TuningPlan::head();
            let trainer = Trainer::new(Classification::new(self.config, data), &plan, &arguments, &self.device);
            let trained = trainer.run(self.model.clone(), &mut |_| ControlFlow::Continue(()))?;
            Ok(trained.train_time.as_secs_f64())
        };
        Ok((seconds(101)? - seconds(1)?) / (100 * data.len().div_ceil(self.batch)) as f64)
    }
}

struct Learner<'a> {
    side: &'a Side<'a>,
    model: Option<SequenceClassifier>,
    optimizer: AdamW,
    steps: u64,
}

impl Learner<'_> {
    /// Trains on all sentences in their order, and returns the seconds a step.
    fn epoch(&mut self, train: &EncodedDataset) -> Result<f64, Box<dyn Error>> {
        let sentences: Vec<Vec<u32>> = train.sentences().into_iter().map(<[u32]>::to_vec).collect();
        let size = self.side.batch;
        let mut batches = sentences.chunks(size).zip(train.labels().chunks(size));
        let seconds = timed(|| batches.try_for_each(|(sentences, labels)| self.step(sentences, labels, false)))?;
        Ok(seconds / sentences.len().div_ceil(size) as f64)
    }

    /// A training step; `whole` computes every row of the last layer, as the reference does.
    fn step(&mut self, sentences: &[Vec<u32>], labels: &[usize], whole: bool) -> Result<(), Box<dyn Error>> {
        let Side { config, device, .. } = self.side;
        let packed = Batch::packed(sentences);
        let batch = SequenceBatch::new(&packed.input_ids, &packed.attention_mask, &packed.cu_seqlens, *config, device)?;
        let model = self.model.take().ok_or("no model")?;
        self.steps += 1;
        let mode = Mode::Train { seed: self.steps };
        let logits = if whole {
            let hidden = model.encoder().forward(&batch, TokenSelection::All, mode);
            model.classify(Pooling::Cls.pool(&batch, hidden, TokenSelection::All), mode)
        } else {
            model.forward(&batch, mode)
        };
        let targets: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
        let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [labels.len(), 1]), device);
        let loss = log_softmax(logits, 1).gather(1, targets).mean().neg();
        let (model, _) = self.optimizer.step(model, loss.backward(), 2e-5);
        self.model = Some(model);
        device.sync()?;
        Ok(())
    }
}

fn product(device: &Device) -> Result<(), Box<dyn Error>> {
    let mut best = 0f64;
    let shapes: [[usize; 3]; 3] = [[512, 768, 3072], [512, 3072, 768], [2048, 2048, 2048]];
    for [rows, inner, columns] in shapes {
        let random = |shape| Tensor::<2>::random(shape, Distribution::Uniform(-1.0, 1.0), device);
        let (a, b) = (random([rows, inner]), random([inner, columns]));
        for _ in 0..20 {
            let seconds = timed(|| {
                a.clone().matmul(b.clone());
                Ok(device.sync()?)
            })?;
            best = best.max(2.0 * (rows * inner * columns) as f64 / seconds / 1e9);
        }
    }
    report("best product, GFLOP/s", best);
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed().as_secs_f64())
}

fn report(case: &str, value: f64) {
    println!("{case}\t{value:.4}");
}
