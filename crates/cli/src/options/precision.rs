//! The option `--precision`.

use clap::Args;
use rekindle::infer::LinearPrecision;

use super::backend::Backend;
use crate::exit::Failure;

/// The precision in which a command predicts.
#[derive(Args, Clone, Copy, Debug)]
pub struct PrecisionArgs {
    /// Precision of the encoder's linear layers. `int8` is faster, and its predictions differ slightly; only --backend flex
    /// computes in it.
    #[arg(long, default_value_t = LinearPrecision::default(), value_name = "f32|int8", help_heading = "Engine")]
    pub precision: LinearPrecision,
}

/// Checks that a backend computes in this precision.
///
/// # Errors
/// Returns an error if it does not.
pub fn check(precision: LinearPrecision, backend: Backend) -> Result<(), Failure> {
    if precision == LinearPrecision::F32 || backend == Backend::Flex {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--precision {precision}: only --backend flex computes in it, and not {}",
        backend.name()
    )))
}
