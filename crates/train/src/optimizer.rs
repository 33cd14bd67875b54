//! AdamW with a global gradient norm.

use std::collections::HashMap;
use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rekindle_checkpoint::{Checkpoint, parameters};
use rekindle_infer::read;
use rekindle_nn::{AdamWRates, clip_grad_norm, throttle};

use crate::arguments::TrainingArguments;
use crate::error::TrainError;
use crate::replicas::send;

/// AdamW (Loshchilov and Hutter, 2019) in the order of operations of `torch.optim.AdamW`, clipped by the norm over all
/// trained tensors as `torch.nn.utils.clip_grad_norm_` does it.
///
/// Burn's optimizer clips each tensor by its own norm, which is another algorithm. Here the factor of the clip is applied in
/// the update, so that clipping does not rewrite gradients.
pub struct AdamW {
    arguments: TrainingArguments,
    device: Device,
    state: HashMap<ParamId, State>,
    /// Accumulated gradients, flat.
    accumulated: HashMap<ParamId, Tensor<1>>,
}

/// Shows the number of parameters, and not their moments.
impl fmt::Debug for AdamW {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdamW").field("parameters", &self.state.len()).finish_non_exhaustive()
    }
}

/// Returns whether a parameter has weight decay, by its name. MPNet's `relative_attention_bias.weight` counts as a bias.
fn decays(name: &str) -> bool {
    let name = name.to_lowercase();
    !name.contains("bias") && !name.contains("norm")
}

struct State {
    /// The name in a checkpoint.
    name: String,
    /// The number of elements.
    size: usize,
    decays: bool,
    /// Its fraction of the learning rate.
    rate: f64,
    /// Steps since it became trainable.
    steps: i32,
    /// First and second moment on the device, flat; `None` before the first step.
    moments: Option<[Tensor<1>; 2]>,
}

impl AdamW {
    /// Creates an optimizer for the trainable parameters of `model`.
    ///
    /// Biases and LayerNorms have no weight decay; they are recognised by their names, as in transformers'
    /// `Trainer.get_decay_parameter_names`.
    pub fn new(arguments: &TrainingArguments, model: &impl Module) -> Self {
        let device = model.devices().into_iter().next().unwrap_or_default().without_autodiff();
        let mut optimizer = Self::empty(arguments, &device);
        optimizer.add_param_group(model, |_| 1.0);
        optimizer
    }

    /// Creates an optimizer without parameters.
    pub(crate) fn empty(arguments: &TrainingArguments, device: &Device) -> Self {
        let (state, accumulated) = (HashMap::new(), HashMap::new());
        Self { arguments: arguments.clone(), device: device.clone().without_autodiff(), state, accumulated }
    }

    /// Adds the trainable parameters of `model` that the optimizer does not have, each with its fraction of the learning rate.
    pub(crate) fn add_param_group(&mut self, model: &impl Module, rate: impl Fn(&str) -> f64) {
        for parameter in parameters(model).into_iter().filter(|parameter| parameter.trainable) {
            self.state.entry(parameter.id).or_insert_with(|| State {
                rate: rate(&parameter.name),
                decays: decays(&parameter.name),
                name: parameter.name,
                size: parameter.size,
                steps: 0,
                moments: None,
            });
        }
    }

    /// Adds the gradients of one micro-batch. `model` may be a copy on another device.
    pub(crate) fn accumulate(&mut self, model: &impl Module, gradients: Gradients) {
        let mut flatten = Flatten { gradients, flat: Vec::with_capacity(self.state.len()) };
        model.visit(&mut flatten);
        for (id, flat) in send(flatten.flat, &self.device) {
            let sum = match self.accumulated.remove(&id) {
                Some(waiting) => waiting + flat,
                None => flat,
            };
            self.accumulated.insert(id, sum);
        }
    }

    /// Updates the model with the gradients of one batch. Returns the model and the gradient norm before clipping, `[1]`.
    pub fn step<M: Module>(&mut self, model: M, gradients: Gradients, learning_rate: f64) -> (M, Tensor<1>) {
        self.accumulate(&model, gradients);
        self.update(model, learning_rate)
    }

    /// Updates the model with the accumulated gradients.
    pub(crate) fn update<M: Module>(&mut self, model: M, learning_rate: f64) -> (M, Tensor<1>) {
        let gradients = std::mem::take(&mut self.accumulated);
        let mut order = Order { flat: &gradients, ordered: Vec::with_capacity(gradients.len()) };
        model.visit(&mut order);
        let [norm, clip] = clip_grad_norm(order.ordered, self.arguments.max_grad_norm, &self.device);
        let mut update = Update { optimizer: self, gradients, clip, learning_rate };
        (model.map(&mut update), norm)
    }

    /// Returns the state of every parameter that had a gradient, by name.
    pub(crate) fn progress(&self) -> Result<Vec<Progress>, TrainError> {
        let mut all = Vec::with_capacity(self.state.len());
        for state in self.state.values() {
            let progress = |moments| Progress { name: state.name.clone(), steps: state.steps, moments };
            all.extend(state.moments()?.map(progress));
        }
        all.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(all)
    }

    /// Restores the steps and moments that `find` returns for a parameter's name and number of elements.
    pub(crate) fn restore(
        &mut self,
        mut find: impl FnMut(&str, usize) -> Result<Option<(i32, Pair)>, TrainError>,
    ) -> Result<(), TrainError> {
        for state in self.state.values_mut() {
            if let Some((steps, moments)) = find(&state.name, state.size)? {
                state.steps = steps;
                state.restore(moments, &self.device);
            }
        }
        Ok(())
    }

    /// Returns the coefficients for a tensor that has taken so many steps, including this one.
    fn rates(a: &TrainingArguments, decays: bool, steps: i32, rate: f64) -> AdamWRates {
        AdamWRates {
            keep: if decays { 1.0 - rate * a.weight_decay } else { 1.0 } as f32,
            beta1: a.adam_beta1 as f32,
            beta2: a.adam_beta2 as f32,
            epsilon: a.adam_epsilon as f32,
            correction: (1.0 - a.adam_beta2.powi(steps)).sqrt().recip() as f32,
            size: (rate / (1.0 - a.adam_beta1.powi(steps))) as f32,
        }
    }

    /// Updates one tensor, flat, with its gradient.
    fn updated(&mut self, id: ParamId, value: Tensor<1>, gradient: Tensor<1>, clip: Tensor<1>, rate: f64) -> Tensor<1> {
        let Some(state) = self.state.get_mut(&id) else { return value };
        state.steps += 1;
        let r = Self::rates(&self.arguments, state.decays, state.steps, rate * state.rate);
        let zeros = || [(); 2].map(|()| Tensor::zeros([state.size], &self.device));
        let moments = state.moments.take().unwrap_or_else(zeros);
        let [value, moments @ ..] = r.step(value, gradient, moments, clip);
        state.moments = Some(moments);
        value
    }
}

/// First and second moment of a tensor, flat.
pub(crate) type Pair = [Vec<f32>; 2];

/// The optimizer state of a parameter.
pub(crate) struct Progress {
    pub(crate) name: String,
    pub(crate) steps: i32,
    moments: Pair,
}

/// The prefixes of a parameter's name for its moments in a checkpoint, as PyTorch names them.
const MOMENTS: [&str; 2] = ["exp_avg.", "exp_avg_sq."];

impl Progress {
    /// Returns the moments as tensors of a checkpoint.
    pub(crate) fn tensors(self) -> impl Iterator<Item = (String, Vec<f32>)> {
        let Self { name, moments, .. } = self;
        MOMENTS.into_iter().zip(moments).map(move |(kind, values)| (format!("{kind}{name}"), values))
    }

    /// Reads the moments of a parameter with so many elements from a checkpoint.
    pub(crate) fn find(name: &str, size: usize, checkpoint: &Checkpoint) -> Result<Option<Pair>, TrainError> {
        let find = |kind| Ok::<_, TrainError>(checkpoint.values(&format!("{kind}{name}"))?);
        let pair = find(MOMENTS[0])?.zip(find(MOMENTS[1])?).map(|(first, second)| [first, second]);
        Ok(pair.filter(|pair| pair.iter().all(|values| values.len() == size)))
    }
}

impl State {
    fn moments(&self) -> Result<Option<Pair>, TrainError> {
        let Some([first, second]) = &self.moments else { return Ok(None) };
        Ok(Some([read(first.clone())?, read(second.clone())?]))
    }

    fn restore(&mut self, moments: Pair, device: &Device) {
        let tensor = |values: Vec<f32>| {
            let size = values.len();
            Tensor::from_data(TensorData::new(values, [size]), device)
        };
        self.moments = Some(moments.map(tensor));
    }
}

/// Collects the gradients, flat, in the order of the parameters.
struct Flatten {
    gradients: Gradients,
    flat: Vec<(ParamId, Tensor<1>)>,
}

impl ModuleVisitor for Flatten {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(&mut self.gradients) {
            self.flat.push((param.id, throttle(gradient.flatten(0, D - 1))));
        }
    }
}

/// Orders flat gradients as the parameters.
struct Order<'a> {
    flat: &'a HashMap<ParamId, Tensor<1>>,
    ordered: Vec<Tensor<1>>,
}

impl ModuleVisitor for Order<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.ordered.extend(self.flat.get(&param.id).cloned());
    }
}

struct Update<'a> {
    optimizer: &'a mut AdamW,
    gradients: HashMap<ParamId, Tensor<1>>,
    /// The clipping factor.
    clip: Tensor<1>,
    learning_rate: f64,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove(&param.id) else { return param };
        let id = param.id;
        let value = param.into_value().without_autodiff();
        let shape = value.shape();
        let flat = value.flatten::<1>(0, D - 1);
        let updated = self.optimizer.updated(id, flat, gradient, self.clip.clone(), self.learning_rate);
        Param::initialized(id, updated.reshape(shape).autodiff().require_grad())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rekindle_encoders::Family;
    use serde_json::Value;

    use super::decays;

    /// The lists of `fixtures/encoders/make.py`, in which peft adds `modules_to_save.default.` to names.
    #[test]
    fn the_parameters_without_weight_decay_are_those_of_transformers() {
        for family in Family::ALL {
            let table = Path::new("../../fixtures/encoders").join(family.model_type()).join("golden.json");
            let Ok(table) = std::fs::read(table) else { continue };
            let table: Value = serde_json::from_slice(&table).expect("JSON");
            for case in table["training"]["cases"].as_array().expect("cases") {
                let spared = case["no_decay"].as_array().expect("names").iter().filter_map(Value::as_str);
                let spared: Vec<String> = spared.map(|name| name.replace("modules_to_save.default.", "")).collect();
                for name in case["final"].as_object().expect("tensors").keys() {
                    assert_eq!(decays(name), !spared.contains(name), "{family}, {}, {name}", case["spec"]);
                }
            }
        }
    }
}
