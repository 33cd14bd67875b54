//! AdamW with a global gradient norm.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Gradients, Tensor};
use rekindle_distilbert::DistilBertForSequenceClassification;

use crate::arguments::TrainingArguments;

/// AdamW (Loshchilov and Hutter, 2019) in the order of operations of `torch.optim.AdamW`, clipped by the norm over all
/// trained tensors as `torch.nn.utils.clip_grad_norm_` does it.
///
/// Burn's own optimizer clips every tensor by itself, which is another algorithm; and with the clip's factor folded
/// into the moments, no gradient is rewritten for it.
pub struct AdamW {
    arguments: TrainingArguments,
    steps: i32,
    state: HashMap<ParamId, State>,
}

struct State {
    decays: bool,
    /// First and second moment, flat; `None` before the first step.
    moments: Option<(Tensor<1>, Tensor<1>)>,
}

impl AdamW {
    /// An optimizer for the trainable parameters of `model`.
    ///
    /// Weight decay spares biases and LayerNorms, by the names that `Trainer.get_decay_parameter_names` spares.
    pub fn new(arguments: &TrainingArguments, model: &DistilBertForSequenceClassification) -> Self {
        let state = model.parameters().into_iter().filter(|parameter| parameter.trainable).map(|parameter| {
            let spared = parameter.name.ends_with(".bias") || parameter.name.to_lowercase().contains("norm");
            (parameter.id, State { decays: !spared, moments: None })
        });
        Self { arguments: arguments.clone(), steps: 0, state: state.collect() }
    }

    /// Updates the model by the gradients of one batch, and returns the gradient norm before clipping, `[1]`.
    pub fn step(
        &mut self,
        model: DistilBertForSequenceClassification,
        gradients: Gradients,
        learning_rate: f64,
    ) -> (DistilBertForSequenceClassification, Tensor<1>) {
        let mut flat = Flatten { gradients, flat: HashMap::with_capacity(self.state.len()), squares: None };
        model.visit(&mut flat);
        self.steps += 1;
        let norm = match flat.squares {
            Some(squares) => squares.sqrt(),
            None => return (model, Tensor::zeros([1], &burn::tensor::Device::default())),
        };
        let factor = (norm.clone().add_scalar(1e-6).recip() * self.arguments.max_grad_norm).clamp_max(1.0);
        let update = Update { optimizer: self, gradients: flat.flat, factor, learning_rate };
        let mut update = update;
        (model.map(&mut update), norm)
    }

    /// One tensor, flat, by its gradient, whose clipping factor is `[1]`.
    fn update(
        &mut self,
        id: ParamId,
        value: Tensor<1>,
        gradient: Tensor<1>,
        factor: Tensor<1>,
        rate: f64,
    ) -> Tensor<1> {
        let Some(state) = self.state.get_mut(&id) else { return value };
        let a = &self.arguments;
        let decayed =
            if state.decays && a.weight_decay > 0.0 { value.mul_scalar(1.0 - rate * a.weight_decay) } else { value };
        let gradient = gradient * factor;
        let square = gradient.clone().square() * (1.0 - a.adam_beta2);
        let first = gradient * (1.0 - a.adam_beta1);
        let (first, second) = match state.moments.take() {
            Some((m, v)) => (m.mul_scalar(a.adam_beta1) + first, v.mul_scalar(a.adam_beta2) + square),
            None => (first, square),
        };
        let corrected = (1.0 - a.adam_beta2.powi(self.steps)).sqrt().recip();
        let denominator = second.clone().sqrt().mul_scalar(corrected).add_scalar(a.adam_epsilon);
        let size = rate / (1.0 - a.adam_beta1.powi(self.steps));
        let updated = decayed - first.clone().div(denominator).mul_scalar(size);
        state.moments = Some((first, second));
        updated
    }
}

/// Takes the gradients out, flat, and sums their squares.
struct Flatten {
    gradients: Gradients,
    flat: HashMap<ParamId, Tensor<1>>,
    squares: Option<Tensor<1>>,
}

impl ModuleVisitor for Flatten {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = param.val().grad_remove(&mut self.gradients) else { return };
        let flat = gradient.flatten::<1>(0, D - 1);
        let squares = flat.clone().square().sum();
        self.squares = Some(match self.squares.take() {
            Some(sum) => sum + squares,
            None => squares,
        });
        self.flat.insert(param.id, flat);
    }
}

struct Update<'a> {
    optimizer: &'a mut AdamW,
    gradients: HashMap<ParamId, Tensor<1>>,
    factor: Tensor<1>,
    learning_rate: f64,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove(&param.id) else { return param };
        let id = param.id;
        let value = param.into_value().without_autodiff();
        let shape = value.shape();
        let flat = value.flatten::<1>(0, D - 1);
        let updated = self.optimizer.update(id, flat, gradient, self.factor.clone(), self.learning_rate);
        Param::initialized(id, updated.reshape(shape).autodiff().require_grad())
    }
}
