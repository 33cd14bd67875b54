//! Rows of a table.

use std::sync::Arc;

use burn::tensor::{Shape, Tensor};
use rekindle_ops::memory::{rows_of, tensor, values};
use rekindle_ops::{CustomTensor, Differentiable, FlexTensor, OpParams, Saved, run};

use crate::indices::Indices;

/// The rows of a table, if the kernel runs on it.
pub(crate) fn gather(table: &Tensor<2>, indices: &Indices) -> Option<Tensor<2>> {
    Some(run(Gather(indices.host.clone()), Some(&|| indices.tensor()), [CustomTensor::of(table)?]))
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    rekindle_ops::remote::offer_differentiable::<Gather, 1>(server)
}

#[derive(Debug)]
struct Gather(Arc<[u32]>);

impl Differentiable<1> for Gather {
    const NAMES: [&'static str; 2] = ["rekindle.gather", "rekindle.gather.backward"];

    fn shapes(&self, [table]: &[Shape; 1], _: bool) -> Vec<Shape> {
        vec![Shape::from([self.0.len(), table[1]])]
    }

    fn reads(&self, _: [bool; 1]) -> [bool; 1] {
        [false]
    }

    fn forward(&self, [table]: [FlexTensor; 1], _: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let [_, dim] = rows_of(&table);
        let mut output = Vec::with_capacity(self.0.len() * dim);
        for &index in self.0.iter() {
            output.extend_from_slice(&values(&table)[index as usize * dim..][..dim]);
        }
        (tensor(output, [self.0.len(), dim]), Vec::new())
    }

    fn backward(
        &self,
        _: Saved<FlexTensor, 1>,
        grad: FlexTensor,
        [table]: &[Option<Shape>; 1],
    ) -> [Option<FlexTensor>; 1] {
        let Some(table) = table else { return [None] };
        let (rows, dim) = (table[0], table[1]);
        let mut result = vec![0.0; rows * dim];
        for (&index, row) in self.0.iter().zip(values(&grad).chunks_exact(dim)) {
            for (sum, value) in result[index as usize * dim..][..dim].iter_mut().zip(row) {
                *sum += value;
            }
        }
        [Some(tensor(result, [rows, dim]))]
    }

    fn params(&self) -> Vec<u64> {
        Vec::new()
    }

    fn from_params(params: &mut OpParams) -> Self {
        Self(params.integers())
    }
}
