//! Our side of `cargo xtask transfer`: what a pretrained model knows after a few labelled sentences, beside the same
//! architecture with random weights.
//!
//! `transfer MODEL SPLITS DATA.tsv [TEST.tsv]` draws the training sentences from DATA, and tests on the rest of it or on
//! the whole of TEST; MODEL is a folder or `embedded`. It prints a line of JSON that says what is compared, and then one
//! for each split: the rows drawn and the accuracies.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::{Device, Int, Tensor};
use rekindle::data::{DataError, Dataset, ReadOptions, Split, TestSize, train_test_split};
use rekindle::embedded::EMBEDDED;
use rekindle::encoders::{
    Checkpoint, EncoderConfig, Mode, SequenceBatch, SequenceClassifier, TokenSelection, TransformerEncoder,
};
use rekindle::infer::{ModelSource, PretrainedModel};
use rekindle::tokenizer::{Batch, Tokenizer};
use rekindle::train::{Classification, EncodedDataset, TrainError, Trainer, TrainingArguments, TuningPlan, evaluate};
use serde_json::{Map, Value, json};

#[global_allocator]
static ALLOCATOR: rekindle::allocator::Allocator = rekindle::allocator::Allocator;

/// Training sentences.
const SIZES: [usize; 3] = [8, 32, 128];
const BATCH: usize = 8;
const LEAST_EPOCHS: usize = 30;
/// Few sentences are visited more often, so that a fresh head fits them too.
const LEAST_STEPS: usize = 240;
const MAX_LENGTH: usize = 64;

struct Method {
    name: &'static str,
    pretrained: bool,
    /// What learns of a model.
    plan: fn(&EncoderConfig) -> Result<TuningPlan, TrainError>,
    learning_rate: f64,
    weight_decay: f64,
}

const METHODS: [Method; 4] = [
    Method {
        name: "frozen pretrained",
        pretrained: true,
        plan: |_| Ok(TuningPlan::head()),
        learning_rate: 2e-3,
        weight_decay: 0.0,
    },
    Method {
        name: "frozen random",
        pretrained: false,
        plan: |_| Ok(TuningPlan::head()),
        learning_rate: 2e-3,
        weight_decay: 0.0,
    },
    Method {
        name: "last layer trained",
        pretrained: true,
        plan: |config| TuningPlan::last_layers(1, config),
        learning_rate: 5e-4,
        weight_decay: 0.01,
    },
    Method {
        name: "all layers trained",
        pretrained: true,
        plan: |config| Ok(TuningPlan::full(config)),
        learning_rate: 2e-4,
        weight_decay: 0.01,
    },
];

fn main() -> ExitCode {
    rekindle::allocator::keep_pages();
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("transfer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<(), Box<dyn Error>> {
    let usage = "usage: transfer MODEL SPLITS DATA.tsv [TEST.tsv]";
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [folder, splits, data, test @ ..] = arguments.as_slice() else { return Err(usage.into()) };
    let splits: u32 = splits.to_str().and_then(|splits| splits.parse().ok()).ok_or(usage)?;
    let pretrained = match folder.to_str() {
        Some("embedded") => PretrainedModel::embedded(EMBEDDED)?,
        _ => PretrainedModel::from_folder(folder)?.named(&name(folder), ModelSource::Folder),
    };
    let device = Device::flex();
    let task = Task::read(&pretrained.tokenizer, data, test.first().map(PathBuf::as_path))?;
    let (config, model, report) = pretrained.load(&task.classes, 0, &device)?;
    if !report.missing.iter().any(|name| name == "pre_classifier.weight") {
        return Err(format!("{} has a classification head of its own; name a base without one", pretrained.id).into());
    }
    println!("{}", about(&pretrained.id, &task, &model));
    let features = task.features(&model, &config, &device)?;
    for split in 0..splits {
        let (_, model, _) = pretrained.load(&task.classes, split.into(), &device)?;
        let (random, _) = SequenceClassifier::from_checkpoint(&config, &Checkpoint::empty(), split.into(), &device)?;
        let random = Base { features: task.features(&random, &config, &device)?, model: random };
        let pretrained = Base { features: features.clone(), model };
        for size in SIZES {
            let rows = task.split(size, split)?;
            let mut accuracy = Map::new();
            for method in &METHODS {
                let base = if method.pretrained { &pretrained } else { &random };
                accuracy.insert(method.name.into(), base.accuracy(method, &task, &rows, &config, split)?.into());
            }
            let line = json!({ "size": size, "split": split, "train": rows.train, "accuracy": accuracy });
            println!("{line}");
        }
        eprintln!("split {} of {splits}", split + 1);
    }
    Ok(())
}

fn epochs(size: usize) -> usize {
    (LEAST_STEPS * BATCH / size).max(LEAST_EPOCHS)
}

/// The last part of a path.
fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn about(id: &str, task: &Task, model: &SequenceClassifier) -> Value {
    use burn::module::Module;
    let methods = METHODS.iter().map(|method| {
        json!({ "name": method.name, "learning_rate": method.learning_rate, "weight_decay": method.weight_decay })
    });
    json!({
        "model": id,
        "parameters": model.num_params(),
        "sentences": task.pool,
        "sizes": SIZES,
        "epochs": SIZES.map(epochs),
        "batch": BATCH,
        "methods": methods.collect::<Vec<Value>>(),
    })
}

/// The sentences to draw from, and behind them those of a test file.
struct Task {
    sentences: Vec<Vec<u32>>,
    labels: Vec<usize>,
    classes: Vec<String>,
    /// How many there are to draw from.
    pool: usize,
}

impl Task {
    fn read(tokenizer: &Tokenizer, path: &Path, test: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        let options = ReadOptions { header: false, ..ReadOptions::default() };
        let data = Dataset::read(path, &options)?;
        let mut examples = data.examples.clone();
        let pool = examples.len();
        if SIZES.iter().any(|size| pool <= *size) {
            return Err(format!("{}: {pool} sentences are too few to draw {SIZES:?} from", path.display()).into());
        }
        if let Some(test) = test {
            examples.extend(data.read_like(test, &options)?.examples);
        }
        let texts: Vec<&str> = examples.iter().map(|example| example.text.as_str()).collect();
        Ok(Self {
            sentences: tokenizer.encode_all(&texts, MAX_LENGTH)?,
            labels: examples.iter().filter_map(|example| example.target.class()).collect(),
            classes: data.classes.names().to_vec(),
            pool,
        })
    }

    /// The rows to train on, and those to test on.
    fn split(&self, size: usize, random_state: u32) -> Result<Split, DataError> {
        let rest = TestSize::Count(self.pool.saturating_sub(size));
        let split = train_test_split(&self.labels[..self.pool], rest, random_state, true)?;
        let test = if self.has_test_file() { (self.pool..self.labels.len()).collect() } else { split.test };
        Ok(Split { train: split.train, test })
    }

    fn has_test_file(&self) -> bool {
        self.pool < self.labels.len()
    }

    /// The first row that is ever tested on.
    fn first_tested(&self) -> usize {
        if self.has_test_file() { self.pool } else { 0 }
    }

    fn rows(&self, rows: &[usize]) -> Result<EncodedDataset, TrainError> {
        let sentences = rows.iter().map(|&row| self.sentences[row].clone()).collect();
        EncodedDataset::new(sentences, rows.iter().map(|&row| self.labels[row]).collect(), self.classes.len())
    }

    /// What a base makes of every sentence that may be tested on, `[sentences, dim]`, without dropout.
    fn features(
        &self,
        model: &SequenceClassifier,
        config: &EncoderConfig,
        device: &Device,
    ) -> Result<Tensor<2>, Box<dyn Error>> {
        let batches = self.sentences[self.first_tested()..].chunks(BATCH).map(|sentences| {
            let packed = Batch::packed(sentences);
            let batch =
                SequenceBatch::new(&packed.input_ids, &packed.attention_mask, &packed.cu_seqlens, config, device)?;
            Ok(model.encoder().forward(&batch, TokenSelection::First, Mode::Eval))
        });
        Ok(Tensor::cat(batches.collect::<Result<_, Box<dyn Error>>>()?, 0))
    }
}

/// A model with a fresh head, and what its base makes of the sentences to test on.
struct Base {
    model: SequenceClassifier,
    features: Tensor<2>,
}

impl Base {
    /// Trains as `method` says, and tests: the share of sentences classified rightly.
    fn accuracy(
        &self,
        method: &Method,
        task: &Task,
        rows: &Split,
        config: &EncoderConfig,
        seed: u32,
    ) -> Result<f64, Box<dyn Error>> {
        let device = self.features.device();
        let arguments = TrainingArguments {
            learning_rate: method.learning_rate,
            weight_decay: method.weight_decay,
            num_train_epochs: epochs(rows.train.len()),
            per_device_train_batch_size: BATCH,
            seed: seed.into(),
            frozen_dropout: false,
            ..TrainingArguments::default()
        };
        let plan = (method.plan)(config)?;
        let train = task.rows(&rows.train)?;
        let trainer = Trainer::new(Classification::new(config, &train), &plan, &arguments, &device);
        let trained = trainer.run(self.model.clone(), &mut |_| ControlFlow::Continue(()))?;
        if plan.freezes_encoder() {
            return self.test_head(&trained.model, task, &rows.test);
        }
        let test = task.rows(&rows.test)?;
        Ok(evaluate(&trained.model, config, &test, None, BATCH, &device, &mut |_| ControlFlow::Continue(()))?
            .accuracy())
    }

    /// Tests a head on the features of the base.
    fn test_head(&self, model: &SequenceClassifier, task: &Task, rows: &[usize]) -> Result<f64, Box<dyn Error>> {
        let places: Vec<i32> = rows.iter().map(|row| (row - task.first_tested()) as i32).collect();
        let places = Tensor::<1, Int>::from_data(places.as_slice(), &self.features.device());
        let logits = model.trainable(|_| false).classify(self.features.clone().select(0, places), Mode::Eval);
        let predictions = logits.argmax(1).try_into_data().map_err(|error| error.to_string())?;
        let right = predictions.iter::<i64>().zip(rows).filter(|(class, row)| *class == task.labels[**row] as i64);
        Ok(right.count() as f64 / rows.len() as f64)
    }
}
