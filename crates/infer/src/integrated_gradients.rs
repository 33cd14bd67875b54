//! Integrated gradients (Sundararajan et al., 2017) at the word embeddings.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use rekindle_checkpoint::parameters;
use rekindle_encoders::{EncoderConfig, Mode, SequenceBatch, is_word_table};
use rekindle_nn::{InputLimits, NnError};

use crate::batched::read;
use crate::error::InferError;
use crate::forward_error::ForwardError;
use crate::predictor::Model;

/// The number of tokens of one forward and backward pass, unless a single text has more.
const BATCH_TOKENS: usize = 2048;

/// What each token contributes to an output of a model, compared with a baseline.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Attributions {
    /// The attribution of each token.
    pub tokens: Vec<f64>,
    /// The output for the text.
    pub logit: f32,
    /// The output for the baseline.
    pub baseline_logit: f32,
    /// The number of points at which the gradient was computed.
    pub steps: usize,
}

impl Attributions {
    /// Returns how far the sum of the attributions is from the difference of the outputs for text and baseline. Of exact
    /// integrals, it is 0.
    pub fn gap(&self) -> f64 {
        self.tokens.iter().sum::<f64>() - self.difference()
    }

    /// Returns whether the [gap](Self::gap) is at most 1 % of the difference of the outputs, or at most 0.0001, which `f32`
    /// cannot tell from 0.
    pub fn is_complete(&self) -> bool {
        self.gap().abs() <= (0.01 * self.difference().abs()).max(1e-4)
    }

    fn difference(&self) -> f64 {
        f64::from(self.logit) - f64::from(self.baseline_logit)
    }
}

/// A tokenized text beside its baseline: integrals from the word embeddings of one to those of the other.
///
/// Positions and segments are those of the text at every point. The integral is a sum over Gauss-Legendre points, as in captum's
/// `LayerIntegratedGradients` of the word embeddings.
#[derive(Debug)]
pub struct IntegratedGradients<'a> {
    model: &'a Model,
    limits: InputLimits,
    device: &'a Device,
    table: ParamId,
    /// `[tokens, width]`.
    baseline: Vec<f32>,
    /// The embeddings minus the baseline, `[tokens, width]`.
    path: Vec<f32>,
    tokens: usize,
    output: usize,
    outputs: [f32; 2],
}

impl<'a> IntegratedGradients<'a> {
    /// Prepares the integral for an output of the model of `config`, whose parameters must not be tracked by autodiff.
    /// `baseline` has a token for each token of the text.
    ///
    /// # Errors
    /// Returns an error if the model is in int8, which has no derivative, the text does not fit the model, an output is not finite, or
    /// the device fails.
    pub fn new(
        model: &'a Model,
        config: &EncoderConfig,
        [text, baseline]: [&[u32]; 2],
        output: usize,
        device: &'a Device,
    ) -> Result<Self, InferError> {
        if model.int8_weights() > 0 {
            let reason = "integrated gradients need the weights in f32; load the model in f32";
            return Err(NnError::Int8 { reason: reason.into() }.into());
        }
        let ones = vec![1; text.len()];
        for ids in [text, baseline] {
            SequenceBatch::new(ids, &ones, &[0, text.len()], config, device)?;
        }
        let table = parameters_of(model).into_iter().find(|(name, _)| is_word_table(name)).map(|(_, id)| id);
        let table = table.ok_or_else(|| InferError::Text {
            text: String::new(),
            reason: "the model has no table of word embeddings".into(),
        })?;
        let baseline = rows(model, table, baseline, device)?;
        let path = rows(model, table, text, device)?.iter().zip(&baseline).map(|(end, start)| end - start).collect();
        let (limits, tokens) = (InputLimits::from(config), text.len());
        let mut prepared = Self { model, limits, device, table, baseline, path, tokens, output, outputs: [0.0; 2] };
        let (replaced, batch) = prepared.at(&[0.0, 1.0], false)?;
        let logits = read(prepared.logits(&replaced, &batch))?;
        if !logits.iter().all(|logit| logit.is_finite()) {
            return Err(ForwardError::NotFinite { text: 0 }.into());
        }
        prepared.outputs.copy_from_slice(&logits);
        Ok(prepared)
    }

    /// Integrates with `steps` points, and then with twice as many each time until the attributions are
    /// [complete](Attributions::is_complete) or more than `max_steps` points would be needed.
    ///
    /// # Errors
    /// As [`integrate`](Self::integrate).
    pub fn until_complete(&self, steps: usize, max_steps: usize) -> Result<Attributions, InferError> {
        let mut attributions = self.integrate(steps)?;
        while !attributions.is_complete() && 2 * attributions.steps <= max_steps {
            attributions = self.integrate(2 * attributions.steps)?;
        }
        Ok(attributions)
    }

    /// Integrates with exactly `steps` points, at least one.
    ///
    /// # Errors
    /// Returns an error if an output is not finite, or the device fails.
    pub fn integrate(&self, steps: usize) -> Result<Attributions, InferError> {
        let points = gauss_legendre(steps.max(1));
        let width = self.path.len() / self.tokens.max(1);
        let mut sums = vec![0.0; self.path.len()];
        for points in points.chunks((BATCH_TOKENS / self.tokens.max(1)).max(1)) {
            let alphas: Vec<f64> = points.iter().map(|(alpha, _)| *alpha).collect();
            let gradients = self.gradients(&alphas)?;
            for ((_, weight), gradients) in points.iter().zip(gradients.chunks(self.path.len().max(1))) {
                let terms = sums.iter_mut().zip(gradients);
                terms.for_each(|(sum, gradient)| *sum += weight * f64::from(*gradient));
            }
        }
        let products: Vec<f64> = sums.iter().zip(&self.path).map(|(sum, step)| sum * f64::from(*step)).collect();
        let tokens: Vec<f64> = products.chunks(width.max(1)).map(|token| token.iter().sum()).collect();
        if !tokens.iter().all(|attribution| attribution.is_finite()) {
            return Err(ForwardError::NotFinite { text: 0 }.into());
        }
        let [baseline_logit, logit] = self.outputs;
        Ok(Attributions { tokens, logit, baseline_logit, steps: points.len() })
    }

    /// Returns the gradients of the output at points of the path, `[points, tokens, width]`.
    fn gradients(&self, alphas: &[f64]) -> Result<Vec<f32>, InferError> {
        let (model, batch) = self.at(alphas, true)?;
        let gradients = self.logits(&model, &batch).sum().backward();
        let mut found = GradientOf { table: self.table, gradients: &gradients, found: Ok(Vec::new()) };
        visit(&model, &mut found);
        Ok(found.found?)
    }

    /// Returns the outputs for a batch of [`at`](Self::at), `[points, 1]`.
    fn logits(&self, model: &Model, batch: &SequenceBatch) -> Tensor<2> {
        let logits = match model {
            Model::Sequence(model) => model.forward(batch, Mode::Eval),
            Model::Sentence(model) => model.forward(batch, Mode::Eval),
        };
        logits.narrow(1, self.output, 1)
    }

    /// Returns the text at points of the path as one batch, and the model whose word table has a row for each of its tokens.
    /// Autodiff tracks this table if its gradient is wanted.
    fn at(&self, alphas: &[f64], tracked: bool) -> Result<(Model, SequenceBatch), InferError> {
        let point = |&alpha: &f64| {
            let values = self.baseline.iter().zip(&self.path);
            values.map(move |(start, step)| start + alpha as f32 * step)
        };
        let values: Vec<f32> = alphas.iter().flat_map(point).collect();
        let rows = alphas.len() * self.tokens;
        let shape = [rows, values.len() / rows.max(1)];
        let mut mapper = Replace { table: self.table, values: TensorData::new(values, shape), tracked };
        let model = match self.model {
            Model::Sequence(model) => Model::Sequence(Box::new(model.as_ref().clone().map(&mut mapper))),
            Model::Sentence(model) => Model::Sentence(Box::new(model.as_ref().clone().map(&mut mapper))),
        };
        let ids: Vec<u32> = (0..rows as u32).collect();
        let cu_seqlens: Vec<usize> = (0..=alphas.len()).map(|point| point * self.tokens).collect();
        let limits = InputLimits { vocab_size: rows, ..self.limits };
        Ok((model, SequenceBatch::new(&ids, &vec![1; rows], &cu_seqlens, limits, self.device)?))
    }
}

fn parameters_of(model: &Model) -> Vec<(String, ParamId)> {
    let parameters = match model {
        Model::Sequence(model) => parameters(model.as_ref()),
        Model::Sentence(model) => parameters(model.as_ref()),
    };
    parameters.into_iter().map(|parameter| (parameter.name, parameter.id)).collect()
}

fn visit(model: &Model, visitor: &mut impl ModuleVisitor) {
    match model {
        Model::Sequence(model) => model.visit(visitor),
        Model::Sentence(model) => model.visit(visitor),
    }
}

/// Returns rows of a table, one after the other.
fn rows(model: &Model, table: ParamId, ids: &[u32], device: &Device) -> Result<Vec<f32>, ForwardError> {
    struct Rows {
        table: ParamId,
        ids: Tensor<1, Int>,
        found: Result<Vec<f32>, ForwardError>,
    }
    impl ModuleVisitor for Rows {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.id == self.table {
                self.found = read(param.val().without_autodiff().select(0, self.ids.clone()));
            }
        }
    }
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let ids = Tensor::from_data(TensorData::from(ids.as_slice()), device);
    let mut rows = Rows { table, ids, found: Ok(Vec::new()) };
    visit(model, &mut rows);
    rows.found
}

/// Replaces the values of a table, also by another number of rows.
struct Replace {
    table: ParamId,
    values: TensorData,
    tracked: bool,
}

impl ModuleMapper for Replace {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if param.id != self.table {
            return param;
        }
        let device = param.val().without_autodiff().device();
        let values = Tensor::from_data(self.values.clone(), &device);
        Param::initialized(param.id, if self.tracked { values.autodiff().require_grad() } else { values })
    }
}

/// Finds the gradient of a table.
struct GradientOf<'a> {
    table: ParamId,
    gradients: &'a Gradients,
    found: Result<Vec<f32>, ForwardError>,
}

impl ModuleVisitor for GradientOf<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.id == self.table
            && let Some(gradient) = param.val().grad(self.gradients)
        {
            self.found = read(gradient);
        }
    }
}

/// Returns the points of Gauss-Legendre quadrature between 0 and 1, ascending, with their weights, whose sum is 1.
fn gauss_legendre(count: usize) -> Vec<(f64, f64)> {
    let point = |index: usize| {
        // Newton's method for a root of the Legendre polynomial, from a guess that is near no other root.
        let mut x = -(std::f64::consts::PI * (index as f64 + 0.75) / (count as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut last, mut value) = (1.0, x);
            for degree in 2..=count {
                let degree = degree as f64;
                (last, value) = (value, ((2.0 * degree - 1.0) * x * value - (degree - 1.0) * last) / degree);
            }
            slope = count as f64 * (x * value - last) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        (0.5 * (1.0 + x), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..count).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn gauss_legendre_integrates_polynomials_exactly() {
        for count in [1, 2, 5, 50, 400] {
            let points = gauss_legendre(count);
            for power in 0..(2 * count).min(20) {
                let integral: f64 = points.iter().map(|(x, weight)| weight * x.powi(power as i32)).sum();
                assert!((integral * (power + 1) as f64 - 1.0).abs() < 1e-12, "{count} points, power {power}");
            }
        }
    }
}
