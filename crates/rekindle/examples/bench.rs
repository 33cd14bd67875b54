//! Our side of `cargo xtask bench`: the cases of `fixtures/bench/reference.py`, under the same names.
//!
//! `bench MODEL TRAIN.tsv TEST.tsv` prints a line `case TAB value` for each. After a `wgpu` (with
//! the feature of this name), a GPU computes, in batches of 32.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use rekindle::data::{Dataset, ReadOptions};
use rekindle::encoders::{
    EncoderConfig, Mode, Pooling, SequenceBatch, SequenceClassifier, TokenSelection, TransformerEncoder,
};
use rekindle::infer::{PretrainedModel, logits};
use rekindle::tokenizer::Batch;
use rekindle::train::{AdamW, Classification, EncodedDataset, Trainer, TrainingArguments, TuningPlan};

#[global_allocator]
static ALLOCATOR: rekindle::allocator::Allocator = rekindle::allocator::Allocator;

const MAX_LENGTH: usize = 64;
const STEPS: usize = 5;
/// Steps before the first that is timed. A GPU chooses its kernels in them.
const WARM_UP: usize = 3;
const SENTENCES: usize = 80;

fn main() -> Result<(), Box<dyn Error>> {
    rekindle::allocator::keep_pages();
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [folder, train, test, rest @ ..] = paths.as_slice() else {
        return Err("usage: bench MODEL TRAIN.tsv TEST.tsv [flex|wgpu] [head|last layer|all]".into());
    };
    let (backend, rest) = match rest.split_first() {
        Some((first, cases)) if BACKENDS.iter().any(|backend| first.as_os_str() == *backend) => (first, cases),
        _ => (&PathBuf::from("flex"), rest),
    };
    let pretrained = PretrainedModel::from_folder(folder)?;
    let device = device(backend)?;
    let batch = if backend.as_os_str() == "flex" { 8 } else { 32 };
    let (model, _) = SequenceClassifier::from_checkpoint(&pretrained.config, &pretrained.checkpoint, 0, &device)?;
    let side = Side { config: &pretrained.config, model, device, batch };
    let (train, test) = (sentences(&pretrained, train)?, sentences(&pretrained, test)?);

    let full: Vec<Vec<u32>> = (0..batch as u32).map(|row| (1000 + row..).take(MAX_LENGTH).collect()).collect();
    let plans = [
        ("head", TuningPlan::head()),
        ("last layer", TuningPlan::last_layers(1, side.config)?),
        ("all", TuningPlan::full(side.config)),
    ];
    for (name, plan) in &plans {
        if rest.iter().any(|only| only.as_os_str() != *name) {
            continue;
        }
        let mut learner = side.learner(plan);
        let labels: Vec<usize> = (0..batch).map(|row| row % 2).collect();
        let whole = |learner: &mut Learner| timed(|| learner.step(&full, &labels, true));
        for _ in 0..WARM_UP {
            whole(&mut learner)?;
        }
        let mut times = (0..STEPS).map(|_| whole(&mut learner)).collect::<Result<Vec<f64>, _>>()?;
        times.sort_by(f64::total_cmp);
        report(&format!("step {batch}x64, {name}"), times[STEPS / 2] * 1e3);
        let sentences: Vec<Vec<u32>> = train.sentences().into_iter().map(<[u32]>::to_vec).collect();
        let batches = || sentences.chunks(batch).zip(train.labels().chunks(batch));
        let seconds = timed(|| batches().try_for_each(|(sentences, labels)| learner.step(sentences, labels, false)))?;
        report(&format!("step SST-2, {name}"), seconds / batches().count() as f64 * 1e3);
    }
    let seconds = timed(|| {
        logits(&side.model, side.config, &test.sentences(), batch, &side.device, &mut |_| ControlFlow::Continue(()))?;
        Ok(())
    })?;
    report("evaluation, sentences a second", test.len() as f64 / seconds);
    report("step from cached features", side.cached(&train)? * 1e3);
    product(&side.device)
}

const BACKENDS: [&str; 2] = ["flex", "wgpu"];

fn device(backend: &Path) -> Result<Device, Box<dyn Error>> {
    Ok(match backend.to_str() {
        Some("flex") => Device::flex(),
        #[cfg(feature = "wgpu")]
        Some("wgpu") => Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        _ => return Err(format!("compiled without the feature {}", backend.display()).into()),
    })
}

fn sentences(pretrained: &PretrainedModel, path: &Path) -> Result<EncodedDataset, Box<dyn Error>> {
    let data = Dataset::read(path, &ReadOptions { header: false, ..ReadOptions::default() })?;
    let examples = &data.examples[..SENTENCES.min(data.len())];
    let texts: Vec<&str> = examples.iter().map(|example| example.text.as_str()).collect();
    let labels = examples.iter().filter_map(|example| example.target.class()).collect();
    Ok(EncodedDataset::new(pretrained.tokenizer.encode_all(&texts, MAX_LENGTH)?, labels, data.classes.len())?)
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
