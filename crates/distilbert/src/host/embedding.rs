//! Rows of a table.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::{Host, Op, contiguous, rows_of, run, tensor, values};

/// The rows of a table, `[rows, dim]`, that `indices` name, where the table lies in host memory.
pub(crate) fn embedding(table: &Tensor<2>, indices: &Arc<[u32]>) -> Option<Tensor<2>> {
    Some(run(Gather(indices.clone()), [Host::of(table)?]))
}

#[derive(Debug)]
struct Gather(Arc<[u32]>);

impl Op<1> for Gather {
    /// The number of rows.
    type Saved = usize;

    fn forward(&self, [table]: [FlexTensor; 1], _: [bool; 1]) -> (FlexTensor, usize) {
        let table = contiguous(table);
        let [rows, dim] = rows_of(&table);
        let mut output = Vec::with_capacity(self.0.len() * dim);
        for &index in self.0.iter() {
            output.extend_from_slice(&values(&table)[index as usize * dim..][..dim]);
        }
        (tensor(output, [self.0.len(), dim]), rows)
    }

    fn backward(&self, rows: usize, gradient: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let [_, dim] = rows_of(&gradient);
        let mut result = vec![0.0; rows * dim];
        for (&index, row) in self.0.iter().zip(values(&gradient).chunks_exact(dim)) {
            for (sum, value) in result[index as usize * dim..][..dim].iter_mut().zip(row) {
                *sum += value;
            }
        }
        [Some(tensor(result, [rows, dim]))]
    }
}
