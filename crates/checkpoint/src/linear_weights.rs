//! Reading the weights of linear layers, in floats or in int8, one after the other.

use safetensors::Dtype;

use crate::checkpoint::Checkpoint;
use crate::error::CheckpointError;
use crate::int8::{Int8Tensor, LinearWeight, scale_name};
use crate::layout::Layout;
use crate::renamed::Renamed;

impl Checkpoint {
    /// Returns the name of a tensor in int8, if there is one.
    pub fn int8_tensor(&self) -> Option<&str> {
        self.names().find(|name| self.is_int8(name))
    }

    pub(crate) fn is_int8(&self, name: &str) -> bool {
        self.dtype(name) == Some(Dtype::I8)
    }

    /// Returns the scales of the rows of a tensor in int8.
    ///
    /// # Errors
    /// When the tensor is not a matrix, or its scales are missing, of another shape or not positive, or it has a zero point.
    pub(crate) fn int8_scales(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let refuse = |tensor: &str, reason: String| CheckpointError::Int8 {
            path: self.path_of(tensor),
            tensor: tensor.into(),
            reason,
        };
        let Some(&[rows, _]) = self.shape(name) else {
            let shape = self.shape(name).unwrap_or_default();
            return Err(refuse(name, format!("stored as I8 in shape {shape:?}; only matrices in int8 can be read")));
        };
        let zero_point = format!("{name}_zero_point");
        if self.bytes(&zero_point).is_some_and(|bytes| bytes.iter().any(|&byte| byte != 0)) {
            let reason = "the weights are quantized asymmetrically; only weights without a zero point can be read";
            return Err(refuse(&zero_point, reason.into()));
        }
        let scale = scale_name(name);
        match self.shape(&scale) {
            None => return Err(refuse(name, format!("stored as I8, but `{scale}` is missing"))),
            Some(shape) if shape != [rows, 1] && shape != [rows] => {
                let reason = format!("shape {shape:?}, expected [{rows}, 1]: a scale per row of `{name}`");
                return Err(refuse(&scale, reason));
            }
            Some(_) => {}
        }
        let scales = self.values(&scale)?.unwrap_or_default();
        match scales.iter().position(|&value| value <= 0.0) {
            Some(row) => {
                Err(refuse(&scale, format!("the scale of row {row} is {}, expected a positive number", scales[row])))
            }
            None => Ok(scales),
        }
    }

    /// Reads the weights of linear layers one after the other, so that only one of them is in memory twice. `layers` are the names
    /// of the parameters and the shapes that the model has, `[in, out]`; `set` gets the index of each, and its weight.
    ///
    /// # Errors
    /// When a weight is missing or of another shape, or cannot be read, or by `set`, whose error is for this tensor.
    pub fn read_linear_weights(
        &self,
        layout: &Layout,
        layers: &[(String, [usize; 2])],
        mut set: impl FnMut(usize, LinearWeight) -> Result<(), String>,
    ) -> Result<(), CheckpointError> {
        let tensors = Renamed::new(self, layout)?;
        for (index, (parameter, [inputs, outputs])) in layers.iter().enumerate() {
            let Some((name, found)) = tensors.in_file(parameter).zip(tensors.shape(parameter)) else {
                return Err(CheckpointError::Incomplete { path: self.path_of(""), tensors: vec![parameter.clone()] });
            };
            let (path, tensor, expected) = (self.path_of(name), name.to_string(), vec![*outputs, *inputs]);
            if found != expected {
                return Err(CheckpointError::Shape { path, tensor, found: found.into(), expected });
            }
            let weight = if self.is_int8(name) {
                let scales = self.int8_scales(name)?;
                let values = self.bytes(name).unwrap_or_default().iter().map(|&byte| byte as i8).collect();
                LinearWeight::Int8(Int8Tensor { values, scales })
            } else {
                LinearWeight::Float(self.values(name)?.unwrap_or_default())
            };
            self.release();
            set(index, weight).map_err(|reason| CheckpointError::Int8 { path, tensor, reason })?;
        }
        Ok(())
    }
}
