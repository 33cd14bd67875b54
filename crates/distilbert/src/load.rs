//! A checkpoint into a model, with a report of what did not match.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use crate::bert;
use crate::checkpoint::Checkpoint;
use crate::classifier::DistilBertForSequenceClassification;
use crate::config::DistilBertConfig;
use crate::error::DistilBertError;
use crate::masked_lm::DistilBertForMaskedLM;
use crate::names::{self, Path};

/// What a load found beside the tensors that matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// In the checkpoint, not in the model: left unread. Named as in the file.
    pub unexpected: Vec<String>,
    /// In the model, not in the checkpoint: freshly initialised from the seed.
    pub missing: Vec<String>,
    /// In both, in different shapes, in the head: freshly initialised from the seed.
    pub mismatched: Vec<Mismatch>,
}

impl LoadReport {
    /// Whether a tensor was drawn from the seed.
    fn is_fresh(&self, name: &str) -> bool {
        let differs = || self.mismatched.iter().any(|tensor| names::canonical(&tensor.name) == name);
        self.missing.iter().any(|missing| missing == name) || differs()
    }
}

/// A tensor of the head whose shape differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The name in the file.
    pub name: String,
    /// Shape in the checkpoint.
    pub checkpoint: Vec<usize>,
    /// Shape in the model, as a checkpoint would hold it.
    pub model: Vec<usize>,
}

impl DistilBertConfig {
    /// Builds the model of this configuration from the tensors of a checkpoint.
    ///
    /// A head that the checkpoint lacks, or holds in another shape, is drawn from `seed`: weights normal with
    /// deviation `initializer_range`, biases zero. From [`Checkpoint::empty`] the whole model is drawn so.
    ///
    /// # Errors
    /// When a tensor of the base is missing or of another shape, or cannot be read.
    pub fn load(
        &self,
        checkpoint: &Checkpoint,
        seed: u64,
        device: &Device,
    ) -> Result<(DistilBertForSequenceClassification, LoadReport), DistilBertError> {
        self.fill(DistilBertForSequenceClassification::new(self, device), &[], checkpoint, seed, device)
    }

    /// Builds the masked-language model of this configuration, as [`load`](Self::load) builds the classifier.
    ///
    /// The projector's weight is the word table. A checkpoint may hold it twice; where the two differ, the model is
    /// another one.
    ///
    /// # Errors
    /// As [`load`](Self::load); and when the checkpoint's projector has a weight of its own.
    pub fn load_masked_lm(
        &self,
        checkpoint: &Checkpoint,
        seed: u64,
        device: &Device,
    ) -> Result<(DistilBertForMaskedLM, LoadReport), DistilBertError> {
        if checkpoint.shape(PROJECTOR).is_some() {
            let same = checkpoint.shape(PROJECTOR) == checkpoint.shape(WORDS)
                && checkpoint.read(PROJECTOR, false)? == checkpoint.read(WORDS, false)?;
            if !same {
                return Err(DistilBertError::Untied { path: checkpoint.path_of(PROJECTOR) });
            }
        }
        self.fill(DistilBertForMaskedLM::new(self, device), &[PROJECTOR], checkpoint, seed, device)
    }

    /// The classifier with the tensors that a load did not find drawn anew from another seed, as if it had been loaded
    /// with that one; all others are shared.
    pub fn redraw(
        &self,
        model: &DistilBertForSequenceClassification,
        report: &LoadReport,
        seed: u64,
    ) -> DistilBertForSequenceClassification {
        let init = Init { config: self, seed };
        let slots = Slots::of(model).0.into_iter().filter(|slot| report.is_fresh(&slot.name));
        let values = slots.map(|slot| (slot.name.clone(), Bytes::from_elems(init.draw(&slot)))).collect();
        let device = model.classifier.weight.lazy_device().without_autodiff();
        model.clone().map(&mut Fill { path: Path::default(), values, device: &device })
    }

    /// Gives a new model its values. `tied` names tensors of a checkpoint that the model holds under another name.
    fn fill<M: Module>(
        &self,
        model: M,
        tied: &[&str],
        checkpoint: &Checkpoint,
        seed: u64,
        device: &Device,
    ) -> Result<(M, LoadReport), DistilBertError> {
        let slots = Slots::of(&model);
        let report = compare(&slots, tied, checkpoint)?;
        let init = Init { config: self, seed };
        let values = parallel(&slots.0, |slot| match report.is_fresh(&slot.name) {
            true => Ok(Some(Bytes::from_elems(init.draw(slot)))),
            false => checkpoint.read(&slot.name, slot.transposed),
        })?;
        checkpoint.release();
        let names = slots.0.iter().map(|slot| slot.name.clone());
        let values = names.zip(values).filter_map(|(name, values)| Some((name, values?))).collect();
        Ok((model.map(&mut Fill { path: Path::default(), values, device }), report))
    }
}

/// The projector's weight, and the table that it is.
const PROJECTOR: &str = "vocab_projector.weight";
const WORDS: &str = "distilbert.embeddings.word_embeddings.weight";

/// A parameter that waits for its values.
struct Slot {
    name: String,
    /// As a checkpoint holds it.
    shape: Vec<usize>,
    transposed: bool,
}

#[derive(Default)]
struct Slots(Vec<Slot>);

impl Slots {
    fn of<M: Module>(model: &M) -> Self {
        struct Visitor(Path, Slots);
        impl ModuleVisitor for Visitor {
            fn enter_module(&mut self, name: &str, container: &str) {
                self.0.enter(name, container);
            }
            fn exit_module(&mut self, _: &str, _: &str) {
                self.0.exit();
            }
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let transposed = self.0.is_transposed();
                let mut shape = param.lazy_shape().to_vec();
                if transposed {
                    shape.reverse();
                }
                self.1.0.push(Slot { name: self.0.name(), shape, transposed });
            }
        }
        let mut visitor = Visitor(Path::default(), Slots::default());
        model.visit(&mut visitor);
        visitor.1
    }
}

fn compare(slots: &Slots, tied: &[&str], checkpoint: &Checkpoint) -> Result<LoadReport, DistilBertError> {
    let mut report = LoadReport::default();
    for slot in &slots.0 {
        match checkpoint.shape(&slot.name) {
            None => report.missing.push(slot.name.clone()),
            Some(shape) if shape == slot.shape => {}
            Some(shape) => {
                let tensor = checkpoint.name_in_file(&slot.name).unwrap_or(&slot.name).to_string();
                let (found, expected) = (shape.to_vec(), slot.shape.clone());
                if names::is_base(&slot.name) {
                    return Err(DistilBertError::Shape {
                        path: checkpoint.path_of(&slot.name),
                        tensor,
                        found,
                        expected,
                    });
                }
                report.mismatched.push(Mismatch { name: tensor, checkpoint: found, model: expected });
            }
        }
    }
    let known =
        |name: &str| name == bert::TOKEN_TYPES || tied.contains(&name) || slots.0.iter().any(|slot| slot.name == name);
    report.unexpected = checkpoint
        .names()
        .filter(|name| !known(name))
        .filter_map(|name| checkpoint.name_in_file(name))
        .map(String::from)
        .collect();
    let absent: Vec<String> = report.missing.iter().filter(|name| names::is_base(name)).cloned().collect();
    if checkpoint.is_empty() || absent.is_empty() {
        return Ok(report);
    }
    let path = checkpoint.path_of("");
    Err(match checkpoint.names().any(names::is_base) {
        true => DistilBertError::IncompleteBase { path, tensors: absent },
        false => DistilBertError::NotDistilBert { path },
    })
}

/// Fresh values, drawn per tensor from the seed and the tensor's name, so that no other tensor changes them.
struct Init<'a> {
    config: &'a DistilBertConfig,
    seed: u64,
}

impl Init<'_> {
    fn draw(&self, slot: &Slot) -> Vec<f32> {
        let count = slot.shape.iter().product();
        if slot.name.ends_with(".bias") {
            return vec![0.0; count];
        }
        if slot.shape.len() == 1 {
            return vec![1.0; count];
        }
        if self.config.sinusoidal_pos_embds && slot.name.ends_with("position_embeddings.weight") {
            return self.sinusoids();
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ fnv1a(&slot.name));
        let normal = Normal::new(0.0, self.config.initializer_range as f32);
        let mut values: Vec<f32> = match normal {
            Ok(normal) => normal.sample_iter(&mut rng).take(count).collect(),
            Err(_) => vec![0.0; count],
        };
        // PyTorch's embedding keeps the row of its padding token at zero.
        if slot.name.ends_with("word_embeddings.weight") {
            let row = self.config.pad_token_id as usize * self.config.dim;
            if let Some(row) = values.get_mut(row..row + self.config.dim) {
                row.fill(0.0);
            }
        }
        values
    }

    /// sin and cos of position / 10000^(2i/dim), on even and odd columns (Vaswani et al., 2017).
    fn sinusoids(&self) -> Vec<f32> {
        let dim = self.config.dim;
        let angle =
            |position: usize, column: usize| position as f64 / 10_000f64.powf(2.0 * (column / 2) as f64 / dim as f64);
        let value = |position, column| match column % 2 {
            0 => angle(position, column).sin() as f32,
            _ => angle(position, column).cos() as f32,
        };
        (0..self.config.max_position_embeddings)
            .flat_map(|position| (0..dim).map(move |column| value(position, column)))
            .collect()
    }
}

/// The 64-bit FNV-1a hash, which no release of a library changes.
pub(crate) fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Runs `work` on every item, on all cores, keeping the order of results.
fn parallel<T: Sync, R: Send, E: Send>(items: &[T], work: impl Fn(&T) -> Result<R, E> + Sync) -> Result<Vec<R>, E> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return Ok(done) };
            done.push((index, work(item)?));
        }
    };
    let parts: Vec<Result<Vec<(usize, R)>, E>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mine = worker();
        let joined = handles.into_iter().map(|handle| match handle.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(mine).chain(joined.collect::<Vec<_>>()).collect()
    });
    let mut done: Vec<(usize, R)> = parts.into_iter().collect::<Result<Vec<_>, E>>()?.into_iter().flatten().collect();
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

struct Fill<'a> {
    path: Path,
    values: HashMap<String, Bytes>,
    device: &'a Device,
}

impl ModuleMapper for Fill<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape();
        match self.values.remove(&self.path.name()) {
            Some(values) => {
                let data = TensorData::from_bytes(values, shape, DType::F32);
                Param::initialized(param.id, Tensor::from_data(data, self.device))
            }
            None => param,
        }
    }
}
