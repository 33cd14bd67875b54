//! One optimizer step: losses, gradients and the update.

use burn::tensor::{Gradients, Tensor};
use rekindle_encoders::Mode;
use rekindle_nn::on_pool;

use crate::dataset::balanced;
use crate::error::TrainError;
use crate::event::Observer;
use crate::history::{PendingStep, PlannedStep};
use crate::objective::{Objective, TrainingContext};
use crate::replicas::Replicas;
use crate::trainer::Run;

/// The micro-batches of one step.
pub(crate) struct StepBatches<'b> {
    /// The examples of each.
    pub(crate) batches: &'b [&'b [usize]],
    /// The number of the first one, counted from 0 over the whole training.
    pub(crate) first: usize,
}

impl<O: Objective> Run<'_, O> {
    /// Takes one optimizer step over accumulated micro-batches.
    pub(crate) fn step(
        &mut self,
        model: O::Model,
        step: &StepBatches<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<O::Model, TrainError> {
        let number = self.history.len();
        let PlannedStep { epoch, learning_rate, .. } = self.trainer.planned(number);
        let (objective, context) = (&self.trainer.objective, self.trainer.context());
        let examples = step.batches.concat();
        let drawn = objective.draw(&examples, number, context);
        let items = objective.items(&drawn, &examples, context);
        let device = context.device.clone().without_autodiff();
        let most = context.arguments.per_device_train_batch_size * (1 + self.replicas.len());
        let parts = step.batches.iter().enumerate().flat_map(|(index, batch)| {
            let parts = objective.parts(batch, most).into_iter().enumerate();
            parts.map(move |(part, examples)| Part { number: (step.first + index, part), examples })
        });
        let parts: Vec<Part> = parts.collect();
        let (optimizer, replicas) = (&mut self.optimizer, &self.replicas);
        let (model, loss, grad_norm) = on_pool(context.device, || {
            let mut total: Option<Tensor<1>> = None;
            for part in &parts {
                let losses = losses(objective, context, (&model, replicas), (&drawn, items), part)?;
                // All devices start their backward pass before the first is asked for gradients, so that they compute at the
                // same time.
                let gradients: Vec<Gradients> = losses.iter().map(Tensor::backward).collect();
                for (place, (loss, gradients)) in losses.into_iter().zip(gradients).enumerate() {
                    let (_, replica) = replicas.get(place, (context.device, &model));
                    optimizer.accumulate(replica, gradients);
                    let loss = loss.without_autodiff().to_device(&device);
                    total = Some(total.map_or(loss.clone(), |total| total + loss));
                }
            }
            let (model, grad_norm) = optimizer.update(model, learning_rate);
            Ok::<_, TrainError>((model, total, grad_norm))
        })?;
        self.replicas.update(&model);
        let rows = examples.iter().map(|&example| objective.row(example)).collect();
        let loss = loss.unwrap_or_else(|| Tensor::zeros([1], &device));
        let pending = PendingStep { step: number + 1, epoch: epoch + 1, rows, learning_rate, loss, grad_norm };
        self.history.push(pending, observer)?;
        Ok(model)
    }
}

/// A part of a micro-batch that is computed at once.
struct Part {
    /// Of the micro-batch, counted over the whole training, and of the part in it.
    number: (usize, usize),
    examples: Vec<usize>,
}

/// Returns the contributions of a part to the loss of its step, which has so many items: one per device.
fn losses<O: Objective>(
    objective: &O,
    context: TrainingContext<'_>,
    (model, replicas): (&O::Model, &Replicas<O::Model>),
    (drawn, items): (&O::Step, f64),
    part: &Part,
) -> Result<Vec<Tensor<1>>, TrainError> {
    let (arguments, (number, place_in_batch)) = (context.arguments, part.number);
    let seed =
        (arguments.seed << 32).wrapping_add(number as u64).wrapping_add((place_in_batch as u64).rotate_right(16));
    let shares = match replicas.len() {
        0 => vec![part.examples.clone()],
        further => balanced(&part.examples, 1 + further, |example| objective.tokens(example)),
    };
    let shares = shares.into_iter().map(|share| (objective.items(drawn, &share, context), share));
    let losses = shares.filter(|(of_share, _)| *of_share > 0.0).enumerate().map(|(place, (of_share, share))| {
        let (device, model) = replicas.get(place, (context.device, model));
        let seed = seed.wrapping_add((place as u64).rotate_right(8));
        let mode = if arguments.frozen_dropout { Mode::Train { seed } } else { Mode::TrainTop { seed } };
        let loss = objective.loss(drawn, &share, model, mode, TrainingContext { device, ..context })?;
        Ok(scaled(loss, of_share / items))
    });
    losses.collect()
}

/// Multiplies a loss by a factor other than 1.
fn scaled(loss: Tensor<1>, factor: f64) -> Tensor<1> {
    if factor == 1.0 { loss } else { loss * factor }
}
