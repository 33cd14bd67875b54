//! Rotary position embeddings.

use std::sync::Arc;

use burn::tensor::{Shape, Tensor};
use rekindle_ops::memory::{CHUNK, each, rows_of, values_mut};
use rekindle_ops::{CustomTensor, Differentiable, FlexTensor, OpParams, Saved, run};

use super::attention::SELECTIONS;
use crate::device_layout::DeviceLayout;
use crate::kernels::options::Rotation;
use crate::layout::{SequenceLayout, longest};

/// [`rotary`](crate::kernels::rotary).
pub(crate) fn rotary(input: CustomTensor, layout: &DeviceLayout, rotation: Rotation) -> Tensor<2> {
    let op = Rotary { layout: layout.sequences.clone(), rotation };
    run(op, Some(&|| layout.integers()), [input])
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    rekindle_ops::remote::offer_differentiable::<Rotary, 1>(server)
}

#[derive(Debug)]
struct Rotary {
    layout: Arc<SequenceLayout>,
    rotation: Rotation,
}

impl Rotary {
    /// Rotates all rows, or rotates them back.
    fn rotate(&self, mut rows: FlexTensor, back: bool) -> FlexTensor {
        let (width, [_, dim]) = (self.rotation.width, rows_of(&rows));
        let [cos, mut sin] = self.rotation.cos_sin(0..longest(&self.layout.cu_seqlens) as u32);
        if back {
            sin.iter_mut().for_each(|sin| *sin = -*sin);
        }
        let (positions, half) = (self.layout.positions(self.rotation.selection), width / 2);
        let count = (CHUNK / dim.max(1)).max(1);
        let tasks = values_mut(&mut rows).chunks_mut(count * dim).zip(positions.chunks(count)).collect();
        each(tasks, |(rows, positions): (&mut [f32], &[u32])| {
            vectorized!({
                for (row, &position) in rows.chunks_exact_mut(dim).zip(positions) {
                    let angles = position as usize * half..(position as usize + 1) * half;
                    let (cos, sin) = (&cos[angles.clone()], &sin[angles]);
                    for head in row.chunks_exact_mut(width) {
                        rotate_head(head, cos, sin);
                    }
                }
            });
        });
        rows
    }
}

#[inline(always)]
fn rotate_head(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (left, right) = head.split_at_mut(cos.len());
    for (((left, right), cos), sin) in left.iter_mut().zip(right).zip(cos).zip(sin) {
        (*left, *right) = (*left * cos - *right * sin, *right * cos + *left * sin);
    }
}

impl Differentiable<1> for Rotary {
    const NAMES: [&'static str; 2] = ["rekindle.rotary", "rekindle.rotary.backward"];

    fn shapes(&self, [input]: &[Shape; 1], _: bool) -> Vec<Shape> {
        vec![input.clone()]
    }

    fn reads(&self, _: [bool; 1]) -> [bool; 1] {
        [false]
    }

    fn forward(&self, [input]: [FlexTensor; 1], _: bool) -> (FlexTensor, Vec<FlexTensor>) {
        (self.rotate(input, false), Vec::new())
    }

    fn backward(&self, _: Saved<FlexTensor, 1>, grad: FlexTensor, _: &[Option<Shape>; 1]) -> [Option<FlexTensor>; 1] {
        [Some(self.rotate(grad, true))]
    }

    fn params(&self) -> Vec<u64> {
        let Rotation { selection, width, theta } = self.rotation;
        let selection = SELECTIONS.iter().position(|known| *known == selection).unwrap_or(0);
        vec![selection as u64, width as u64, theta.to_bits()]
    }

    fn from_params(params: &mut OpParams) -> Self {
        let selection = SELECTIONS[params.size().min(SELECTIONS.len() - 1)];
        let rotation = Rotation { selection, width: params.size(), theta: params.float() };
        Self { layout: SequenceLayout::from_integers(&params.integers()).into(), rotation }
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_sent;
    use super::*;

    #[test]
    fn a_host_receives_the_options_of_a_rotation() {
        let layout = SequenceLayout { cu_seqlens: vec![0, 2, 5], ..SequenceLayout::default() };
        let integers = layout.to_integers();
        let layout = Arc::new(layout);
        for selection in SELECTIONS {
            let rotation = Rotation { selection, width: 64, theta: 160_000.0 };
            assert_sent(&Rotary { layout: layout.clone(), rotation }, &integers);
        }
    }
}
