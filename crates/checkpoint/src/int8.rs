//! Weights of linear layers in int8, as the library compressed-tensors stores them: `weight` in I8, `[out, in]`, and `weight_scale`,
//! `[out, 1]`.

/// The weight of a linear layer in int8.
#[derive(Clone, Debug, PartialEq)]
pub struct Int8Tensor {
    /// `[out, in]`, row-major.
    pub values: Vec<i8>,
    /// What the values of each row are multiplied by.
    pub scales: Vec<f32>,
}

/// The weight of a linear layer, `[out, in]`, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub enum LinearWeight {
    /// In any float type.
    Float(Vec<f32>),
    /// In int8.
    Int8(Int8Tensor),
}

/// The name of the scales of a tensor in int8.
pub(crate) fn scale_name(name: &str) -> String {
    format!("{name}_scale")
}
