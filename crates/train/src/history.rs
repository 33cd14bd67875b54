//! The steps of a run, and when their numbers are read back.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use burn::tensor::Tensor;

use crate::error::TrainError;
use crate::evaluate::read;
use crate::event::{Event, StepRecord};

/// How long steps may wait before their losses are read back and shown.
const READ_BACK: Duration = Duration::from_millis(100);

/// The steps, those whose numbers still lie on the device among them.
pub(crate) struct History {
    pub(crate) records: Vec<StepRecord>,
    /// The last checkpoint: all steps before it were good.
    pub(crate) checkpoint: Option<PathBuf>,
    sentences: Vec<usize>,
    pending: Vec<Pending>,
    shown: Instant,
}

/// What is known of a step before it is taken.
pub(crate) struct Planned {
    /// From 0.
    pub(crate) epoch: usize,
    pub(crate) learning_rate: f64,
    pub(crate) sentences: usize,
}

/// A step whose loss and norm still lie on the device.
pub(crate) struct Pending {
    pub(crate) step: usize,
    pub(crate) epoch: usize,
    /// What was learned from, as the user numbers it.
    pub(crate) rows: Vec<usize>,
    pub(crate) learning_rate: f64,
    pub(crate) loss: Tensor<1>,
    pub(crate) grad_norm: Tensor<1>,
}

impl History {
    pub(crate) fn new() -> Self {
        let (records, sentences, pending) = (Vec::new(), Vec::new(), Vec::new());
        Self { records, checkpoint: None, sentences, pending, shown: Instant::now() }
    }

    /// The steps that a checkpoint tells of, by their losses and gradient norms; `planned` knows the rest of each,
    /// from 0.
    pub(crate) fn restore(&mut self, losses: &[f32], norms: &[f32], planned: impl Fn(usize) -> Planned) {
        for (index, (&loss, &grad_norm)) in losses.iter().zip(norms).enumerate() {
            let Planned { epoch, learning_rate, sentences } = planned(index);
            let (loss, grad_norm) = (f64::from(loss), f64::from(grad_norm));
            self.records.push(StepRecord { step: index + 1, epoch: epoch + 1, loss, grad_norm, learning_rate });
            self.sentences.push(sentences);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len() + self.pending.len()
    }

    /// Adds a step, and reads back all that wait where the last time is a while ago.
    pub(crate) fn push(&mut self, step: Pending, observer: &mut dyn FnMut(&Event)) -> Result<(), TrainError> {
        self.pending.push(step);
        if self.shown.elapsed() >= READ_BACK { self.read_back(observer) } else { Ok(()) }
    }

    pub(crate) fn read_back(&mut self, observer: &mut dyn FnMut(&Event)) -> Result<(), TrainError> {
        self.shown = Instant::now();
        if self.pending.is_empty() {
            return Ok(());
        }
        let pairs = self.pending.iter().flat_map(|step| [step.loss.clone(), step.grad_norm.clone()]).collect();
        let values = read(Tensor::cat(pairs, 0))?;
        for (pending, pair) in self.pending.drain(..).zip(values.chunks(2)) {
            // Nothing to lose is 0, not -0.
            let (loss, grad_norm) = (f64::from(pair[0]) + 0.0, f64::from(pair[1]));
            let Pending { step, epoch, rows, learning_rate, .. } = pending;
            for (what, value) in [("loss", loss), ("gradient norm", grad_norm)] {
                if !value.is_finite() {
                    let checkpoint = self.checkpoint.clone();
                    return Err(TrainError::NotFinite { step, epoch, what, value, rows, checkpoint });
                }
            }
            let record = StepRecord { step, epoch, loss, grad_norm, learning_rate };
            observer(&Event::Step(record.clone()));
            self.records.push(record);
            self.sentences.push(rows.len());
        }
        Ok(())
    }

    pub(crate) fn mean_loss(&self, epoch: usize, sentences: usize) -> f64 {
        let steps = self.records.iter().zip(&self.sentences).filter(|(record, _)| record.epoch == epoch);
        steps.map(|(record, &count)| record.loss * count as f64).sum::<f64>() / sentences as f64
    }
}
