//! Training on CPU devices of hosts with the kernels of this machine, with bit-identical results.

pub use rekindle_nn::offer;
pub use rekindle_ops::remote::enable;
