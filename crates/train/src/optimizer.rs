//! AdamW with a global gradient norm.

use std::collections::HashMap;
use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Gradients, Tensor};
use rekindle_distilbert::{Checkpoint, parameters};

use crate::arguments::TrainingArguments;
use crate::error::TrainError;
use crate::evaluate::read;
#[cfg(feature = "flex")]
use crate::host;
use crate::replicas::carry;

/// AdamW (Loshchilov and Hutter, 2019) in the order of operations of `torch.optim.AdamW`, clipped by the norm over all
/// trained tensors as `torch.nn.utils.clip_grad_norm_` does it.
///
/// Burn's own optimizer clips every tensor by itself, which is another algorithm; and with the clip's factor folded
/// into the moments, no gradient is rewritten for it.
pub struct AdamW {
    arguments: TrainingArguments,
    device: Device,
    state: HashMap<ParamId, State>,
    /// Sums of gradients that wait for a step, flat.
    accumulated: HashMap<ParamId, Tensor<1>>,
}

/// How many parameters it knows, and not their moments.
impl fmt::Debug for AdamW {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdamW").field("parameters", &self.state.len()).finish_non_exhaustive()
    }
}

struct State {
    /// The parameter's name in a checkpoint.
    name: String,
    /// Its number of elements.
    size: usize,
    decays: bool,
    /// The share of the learning rate at which it learns.
    rate: f64,
    /// Steps since it began to learn.
    steps: i32,
    /// First and second moment on the device, flat; `None` before the first step.
    moments: Option<(Tensor<1>, Tensor<1>)>,
    #[cfg(feature = "flex")]
    host: Option<host::Moments>,
}

/// What one step does to every element of a tensor.
pub(crate) struct Rates {
    /// Factor of the value before the step: the weight decay.
    pub(crate) keep: f32,
    /// Factor of the gradient that clips it.
    pub(crate) clip: f32,
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    pub(crate) epsilon: f32,
    /// Factor of the second moment's root: its bias correction.
    pub(crate) correction: f32,
    /// The learning rate over the first moment's bias correction.
    pub(crate) size: f32,
}

impl AdamW {
    /// An optimizer for the trainable parameters of `model`.
    ///
    /// Weight decay spares biases and LayerNorms, by the names that `Trainer.get_decay_parameter_names` spares.
    pub fn new(arguments: &TrainingArguments, model: &impl Module) -> Self {
        let device = model.devices().into_iter().next().unwrap_or_default().without_autodiff();
        let mut optimizer = Self::empty(arguments, &device);
        optimizer.admit(model, |_| 1.0);
        optimizer
    }

    /// An optimizer that knows no parameter yet.
    pub(crate) fn empty(arguments: &TrainingArguments, device: &Device) -> Self {
        let (state, accumulated) = (HashMap::new(), HashMap::new());
        Self { arguments: arguments.clone(), device: device.clone().without_autodiff(), state, accumulated }
    }

    /// Takes in the trainable parameters of `model` that are not known yet, each at its share of the learning rate.
    pub(crate) fn admit(&mut self, model: &impl Module, rate: impl Fn(&str) -> f64) {
        for parameter in parameters(model).into_iter().filter(|parameter| parameter.trainable) {
            let spared = parameter.name.ends_with(".bias") || parameter.name.to_lowercase().contains("norm");
            self.state.entry(parameter.id).or_insert_with(|| State {
                rate: rate(&parameter.name),
                name: parameter.name,
                size: parameter.size,
                decays: !spared,
                steps: 0,
                moments: None,
                #[cfg(feature = "flex")]
                host: None,
            });
        }
    }

    /// Adds the gradients of one batch to those that wait for the next step. `model` may be a copy on another device.
    pub(crate) fn accumulate(&mut self, model: &impl Module, gradients: Gradients) {
        let mut flatten = Flatten { gradients, flat: Vec::with_capacity(self.state.len()) };
        model.visit(&mut flatten);
        for (id, flat) in carry(flatten.flat, &self.device) {
            let sum = match self.accumulated.remove(&id) {
                Some(waiting) => waiting + flat,
                None => flat,
            };
            self.accumulated.insert(id, sum);
        }
    }

    /// Updates the model by the gradients of one batch, and returns the gradient norm before clipping, `[1]`.
    pub fn step<M: Module>(&mut self, model: M, gradients: Gradients, learning_rate: f64) -> (M, Tensor<1>) {
        self.accumulate(&model, gradients);
        self.update(model, learning_rate)
    }

    /// Updates the model by the gradients that wait.
    pub(crate) fn update<M: Module>(&mut self, model: M, learning_rate: f64) -> (M, Tensor<1>) {
        let gradients = std::mem::take(&mut self.accumulated);
        let mut squares = Sum { flat: &gradients, squares: Squares::default() };
        model.visit(&mut squares);
        let (norm, clip) = self.clip(squares.squares);
        let mut update = Update { optimizer: self, gradients, clip, learning_rate };
        (model.map(&mut update), norm)
    }

    /// What is known of every parameter that had a gradient, by name.
    pub(crate) fn progress(&self) -> Result<Vec<Progress>, TrainError> {
        let mut all = Vec::with_capacity(self.state.len());
        for state in self.state.values() {
            let progress = |moments| Progress { name: state.name.clone(), steps: state.steps, moments };
            all.extend(state.moments()?.map(progress));
        }
        all.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(all)
    }

    /// Goes on from what `find` knows of a parameter's name and number of elements; where it knows nothing, from the
    /// beginning.
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

    /// The norm, `[1]`, and the factor that brings it to `max_grad_norm` at most.
    fn clip(&self, squares: Squares) -> (Tensor<1>, Clip) {
        let most = self.arguments.max_grad_norm;
        match squares.device {
            Some(sum) => {
                let norm = sum.add_scalar(squares.host).sqrt();
                let factor = (norm.clone().add_scalar(1e-6).recip() * most).clamp_max(1.0);
                (norm, Clip { host: 1.0, device: Some(factor) })
            }
            None => {
                let norm = squares.host.sqrt();
                let factor = (most / (norm + 1e-6)).min(1.0) as f32;
                (Tensor::from_floats([norm as f32], &self.device), Clip { host: factor, device: None })
            }
        }
    }

    /// What the step does to a tensor that has taken so many steps, this one included.
    fn rates(a: &TrainingArguments, decays: bool, steps: i32, clip: f32, rate: f64) -> Rates {
        Rates {
            keep: if decays { 1.0 - rate * a.weight_decay } else { 1.0 } as f32,
            clip,
            beta1: a.adam_beta1 as f32,
            beta2: a.adam_beta2 as f32,
            epsilon: a.adam_epsilon as f32,
            correction: (1.0 - a.adam_beta2.powi(steps)).sqrt().recip() as f32,
            size: (rate / (1.0 - a.adam_beta1.powi(steps))) as f32,
        }
    }

    /// One tensor, flat, by its gradient.
    fn updated(&mut self, id: ParamId, value: Tensor<1>, gradient: Tensor<1>, clip: &Clip, rate: f64) -> Tensor<1> {
        let Some(state) = self.state.get_mut(&id) else { return value };
        state.steps += 1;
        let r = Self::rates(&self.arguments, state.decays, state.steps, clip.host, rate * state.rate);
        #[cfg(feature = "flex")]
        if let (Some(held), Some(gradient)) = (host::of(&value), host::of(&gradient)) {
            drop(value);
            return host::update(held, gradient, &mut state.host, &r);
        }
        let gradient = match &clip.device {
            Some(factor) => gradient * factor.clone(),
            None => gradient,
        };
        r.step(value, gradient, &mut state.moments)
    }
}

/// First and second moment of a tensor's gradient, flat.
pub(crate) type Pair = [Vec<f32>; 2];

/// How far a parameter has come.
pub(crate) struct Progress {
    pub(crate) name: String,
    pub(crate) steps: i32,
    moments: Pair,
}

/// What stands before a parameter's name for its moments in a checkpoint, as PyTorch calls them.
const MOMENTS: [&str; 2] = ["exp_avg.", "exp_avg_sq."];

impl Progress {
    /// The moments as tensors of a checkpoint.
    pub(crate) fn tensors(self) -> impl Iterator<Item = (String, Vec<f32>)> {
        let Self { name, moments, .. } = self;
        MOMENTS.into_iter().zip(moments).map(move |(kind, values)| (format!("{kind}{name}"), values))
    }

    /// The moments of a parameter of so many elements in a checkpoint.
    pub(crate) fn find(name: &str, size: usize, checkpoint: &Checkpoint) -> Result<Option<Pair>, TrainError> {
        let find = |kind| Ok::<_, TrainError>(checkpoint.values(&format!("{kind}{name}"))?);
        let pair = find(MOMENTS[0])?.zip(find(MOMENTS[1])?).map(|(first, second)| [first, second]);
        Ok(pair.filter(|pair| pair.iter().all(|values| values.len() == size)))
    }
}

impl State {
    fn moments(&self) -> Result<Option<Pair>, TrainError> {
        #[cfg(feature = "flex")]
        if let Some(host) = &self.host {
            return Ok(Some([host.first.clone(), host.second.clone()]));
        }
        let Some((first, second)) = &self.moments else { return Ok(None) };
        Ok(Some([read(first.clone())?, read(second.clone())?]))
    }

    fn restore(&mut self, [first, second]: Pair, device: &Device) {
        #[cfg(feature = "flex")]
        if host::of(&Tensor::zeros([1], device)).is_some() {
            self.host = Some(host::Moments { first, second });
            return;
        }
        let tensor = |values: Vec<f32>| Tensor::from_floats(values.as_slice(), device);
        self.moments = Some((tensor(first), tensor(second)));
    }
}

impl Rates {
    /// The update by Burn's own operations.
    fn step(&self, value: Tensor<1>, gradient: Tensor<1>, moments: &mut Option<(Tensor<1>, Tensor<1>)>) -> Tensor<1> {
        let gradient = if self.clip == 1.0 { gradient } else { gradient.mul_scalar(self.clip) };
        let square = gradient.clone().square() * (1.0 - self.beta2);
        let first = gradient * (1.0 - self.beta1);
        let (first, second) = match moments.take() {
            Some((m, v)) => (m.mul_scalar(self.beta1) + first, v.mul_scalar(self.beta2) + square),
            None => (first, square),
        };
        let denominator = second.clone().sqrt().mul_scalar(self.correction).add_scalar(self.epsilon);
        let kept = if self.keep == 1.0 { value } else { value.mul_scalar(self.keep) };
        let updated = kept - first.clone().div(denominator).mul_scalar(self.size);
        *moments = Some((first, second));
        updated
    }
}

/// The sum of squares over all gradients: of those in host memory, and of those on a device.
#[derive(Default)]
struct Squares {
    host: f64,
    device: Option<Tensor<1>>,
}

/// The factor that clips gradients. One that lies on a device is never waited for.
struct Clip {
    host: f32,
    device: Option<Tensor<1>>,
}

/// Takes the gradients out, flat, in the order of the parameters.
struct Flatten {
    gradients: Gradients,
    flat: Vec<(ParamId, Tensor<1>)>,
}

impl ModuleVisitor for Flatten {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(&mut self.gradients) {
            self.flat.push((param.id, gradient.flatten(0, D - 1)));
        }
    }
}

/// Sums the squares of flat gradients in the order of the parameters.
struct Sum<'a> {
    flat: &'a HashMap<ParamId, Tensor<1>>,
    squares: Squares,
}

impl ModuleVisitor for Sum<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.flat.get(&param.id) {
            self.add(gradient);
        }
    }
}

impl Sum<'_> {
    fn add(&mut self, gradient: &Tensor<1>) {
        #[cfg(feature = "flex")]
        if let Some(squares) = host::sum_of_squares(gradient) {
            self.squares.host += squares;
            return;
        }
        let squares = gradient.clone().square().sum();
        self.squares.device = Some(match self.squares.device.take() {
            Some(sum) => sum + squares,
            None => squares,
        });
    }
}

struct Update<'a> {
    optimizer: &'a mut AdamW,
    gradients: HashMap<ParamId, Tensor<1>>,
    clip: Clip,
    learning_rate: f64,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove(&param.id) else { return param };
        let id = param.id;
        let value = param.into_value().without_autodiff();
        let shape = value.shape();
        let flat = value.flatten::<1>(0, D - 1);
        let updated = self.optimizer.updated(id, flat, gradient, &self.clip, self.learning_rate);
        Param::initialized(id, updated.reshape(shape).autodiff().require_grad())
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    #[test]
    fn on_the_host_as_by_tensor_operations() {
        let device = Device::flex();
        device.seed(1);
        let random = || Tensor::<1>::random([20_001], Distribution::Normal(0.0, 1.0), &device);
        let (mut fast, mut fast_moments) = (random(), None);
        let (mut plain, mut plain_moments) = (fast.clone(), None);
        for step in 1..=5 {
            let rates = Rates {
                keep: 0.999,
                clip: 0.25,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                correction: (1.0 - 0.999f32.powi(step)).sqrt().recip(),
                size: 0.1 / (1.0 - 0.9f32.powi(step)),
            };
            let gradient = random();
            let squares = host::sum_of_squares(&gradient).expect("host memory");
            let exact: f64 = gradient.to_data().iter::<f32>().map(|value| f64::from(value) * f64::from(value)).sum();
            assert!((squares - exact).abs() < 1e-6 * exact, "{squares} is not {exact}");
            let held = (host::of(&fast).expect("host memory"), host::of(&gradient).expect("host memory"));
            fast = host::update(held.0, held.1, &mut fast_moments, &rates);
            plain = rates.step(plain, gradient, &mut plain_moments);
            let far: f32 = (fast.clone() - plain.clone()).abs().max().into_scalar();
            assert!(far < 2e-6, "step {step}: {far}");
        }
    }
}
