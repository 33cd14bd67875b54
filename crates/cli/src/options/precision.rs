//! The option `--precision`.

use clap::Args;
use rekindle::infer::{LinearPrecision, PretrainedModel};

use super::backend::Backend;
use crate::exit::Failure;

/// The precision in which a command predicts.
#[derive(Args, Clone, Copy, Debug)]
pub struct PrecisionArgs {
    /// Precision of the encoder's linear layers [default: that of the weights in the model's files]. `int8` is faster, and its
    /// predictions differ slightly; only --backend flex computes in it.
    #[arg(long, value_name = "f32|int8", help_heading = "Engine")]
    pub precision: Option<LinearPrecision>,
}

impl PrecisionArgs {
    /// Checks that a backend computes in this precision.
    ///
    /// # Errors
    /// Returns an error if it does not.
    pub fn check(self, backend: Backend) -> Result<(), Failure> {
        self.precision.map_or(Ok(()), |precision| check(precision, backend))
    }

    /// Returns the model, which will be loaded in this precision.
    ///
    /// # Errors
    /// As [`with_precision`].
    pub fn apply(self, model: PretrainedModel, backend: Backend) -> Result<PretrainedModel, Failure> {
        with_precision(model, self.precision, backend)
    }
}

/// Returns the model, which will be loaded in this precision, by default that of its files.
///
/// # Errors
/// Returns an error if the weights are in int8, and the precision is f32, or the backend does not compute in int8.
pub fn with_precision(
    model: PretrainedModel,
    precision: Option<LinearPrecision>,
    backend: Backend,
) -> Result<PretrainedModel, Failure> {
    let model = match precision {
        Some(precision) => model.with_precision(precision)?,
        None => model,
    };
    match model.precision() == LinearPrecision::F32 || backend == Backend::Flex {
        true => Ok(model),
        false => Err(Failure::usage(format!(
            "--backend {}: the weights of {} are in int8, and only --backend flex computes in it",
            backend.name(),
            model.id
        ))),
    }
}

/// Checks that a backend computes in a precision.
///
/// # Errors
/// Returns an error that names the option if it does not.
pub fn check(precision: LinearPrecision, backend: Backend) -> Result<(), Failure> {
    if precision == LinearPrecision::F32 || backend == Backend::Flex {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--precision {precision}: only --backend flex computes in it, and not {}",
        backend.name()
    )))
}
