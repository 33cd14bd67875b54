//! One step of a training: losses, gradients, and the optimizer.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use rekindle_distilbert::{DistilBertForSequenceClassification, Mode};

use crate::dataset::batch;
use crate::error::TrainError;
use crate::event::Event;
use crate::history::{Pending, Planned};
use crate::trainer::{Run, Training};

impl Run<'_> {
    /// A step by the mean of the losses of some batches, each numbered within its epoch; `before` were in the epochs
    /// before.
    pub(crate) fn step(
        &mut self,
        model: DistilBertForSequenceClassification,
        batches: &[(usize, &[usize])],
        before: usize,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<DistilBertForSequenceClassification, TrainError> {
        let step = self.history.len();
        let Planned { epoch, learning_rate, .. } = self.training.planned(step);
        let device = self.training.device;
        let mut mean: Option<Tensor<1>> = None;
        for (number, rows) in batches {
            let losses = self.losses(&model, rows, before + number, batches.len())?;
            // Every device goes backward before the first is asked for its gradients, so that they compute side by side.
            let gradients: Vec<Gradients> = losses.iter().map(Tensor::backward).collect();
            for (place, (loss, gradients)) in losses.into_iter().zip(gradients).enumerate() {
                let (_, at) = self.replicas.at(place, (device, &model));
                self.optimizer.accumulate(at, gradients);
                let loss = loss.without_autodiff().to_device(&device.clone().without_autodiff());
                mean = Some(mean.map_or(loss.clone(), |mean| mean + loss));
            }
        }
        let Some(loss) = mean else { return Ok(model) };
        let (model, grad_norm) = self.optimizer.update(model, learning_rate);
        self.replicas.follow(&model);
        let places = self.training.train.places();
        let rows = batches.iter().flat_map(|(_, rows)| rows.iter().map(|&row| places[row])).collect();
        self.history
            .push(Pending { step: step + 1, epoch: epoch + 1, rows, learning_rate, loss, grad_norm }, observer)?;
        Ok(model)
    }

    /// The loss of one of `batches` batches that make a step, in parts: of each device that takes a share of it, that
    /// part of their mean. `number` counts the batches of the run.
    fn losses(
        &self,
        model: &DistilBertForSequenceClassification,
        rows: &[usize],
        number: usize,
        batches: usize,
    ) -> Result<Vec<Tensor<1>>, TrainError> {
        let arguments = self.training.arguments;
        let seed = (arguments.seed << 32).wrapping_add(number as u64);
        let labels =
            |rows: &[usize]| -> Vec<usize> { rows.iter().map(|&row| self.training.train.labels()[row]).collect() };
        let weights = arguments.class_weights.as_deref();
        let weight = |rows: &[usize]| weights.map_or(rows.len() as f64, |w| labels(rows).iter().map(|&l| w[l]).sum());
        let shares = match self.replicas.len() {
            0 => vec![rows.to_vec()],
            further => self.balanced(rows, 1 + further),
        };
        let shares = shares.into_iter().filter(|share| !share.is_empty()).enumerate().map(|(place, share)| {
            // Within a batch the order changes no mean.
            let halves = self.balanced(&share, 2).concat();
            let seed = seed.wrapping_add((place as u64).rotate_right(8));
            let logits = self.logits(self.replicas.at(place, (self.training.device, model)), &halves, seed)?;
            let loss = cross_entropy(logits, &labels(&halves), weights);
            let loss = if share.len() == rows.len() { loss } else { loss * (weight(&share) / weight(rows)) };
            Ok(if batches == 1 { loss } else { loss.div_scalar(batches as f64) })
        });
        shares.collect()
    }

    /// The logits of some training sentences, with dropout.
    fn logits(
        &self,
        (device, model): (&Device, &DistilBertForSequenceClassification),
        rows: &[usize],
        seed: u64,
    ) -> Result<Tensor<2>, TrainError> {
        let Training { train, config, arguments, .. } = self.training;
        let mode = if arguments.frozen_dropout { Mode::Train { seed } } else { Mode::TrainTop { seed } };
        if let Some(features) = self.features.filter(|_| model.distilbert.is_frozen()) {
            return Ok(model.classify(features.rows(train, rows.iter().copied()), mode));
        }
        let sentences: Vec<&[u32]> = rows.iter().map(|&row| train.sentence(row)).collect();
        Ok(model.forward(&batch(&sentences, config, device)?, mode))
    }

    /// The rows dealt to so many sides, so that the tokens of one weigh as much as those of another: the longest sentence
    /// goes to the lightest side, and so on.
    fn balanced(&self, rows: &[usize], sides: usize) -> Vec<Vec<usize>> {
        let length = |row: usize| self.training.train.sentence(row).len();
        let mut longest_first = rows.to_vec();
        longest_first.sort_by_key(|&row| std::cmp::Reverse(length(row)));
        let mut sides = vec![(0, Vec::new()); sides];
        for row in longest_first {
            if let Some(lightest) = sides.iter_mut().min_by_key(|(tokens, _)| *tokens) {
                lightest.0 += length(row);
                lightest.1.push(row);
            }
        }
        sides.into_iter().map(|(_, rows)| rows).collect()
    }
}

/// Mean cross-entropy of `[sentences, classes]` logits, `[1]`; with a weight for each class, the weighted mean.
pub(crate) fn cross_entropy(logits: Tensor<2>, labels: &[usize], weights: Option<&[f64]>) -> Tensor<1> {
    let device = logits.device().without_autodiff();
    let indices: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    let indices = Tensor::<2, Int>::from_data(TensorData::new(indices, [labels.len(), 1]), &device);
    let likelihoods = log_softmax(logits, 1).gather(1, indices);
    let Some(weights) = weights else { return likelihoods.mean().neg() };
    let weights: Vec<f32> = labels.iter().map(|&label| weights[label] as f32).collect();
    let sum: f32 = weights.iter().sum();
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [labels.len(), 1]), &device);
    (likelihoods * weights).sum().div_scalar(-sum)
}
