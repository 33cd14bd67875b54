//! Rotary position embeddings.

use burn::tensor::Tensor;

use crate::batch::SequenceBatch;
use crate::kernels;
use crate::selection::TokenSelection;

/// Rotates the queries or keys of each head by their positions in their sequences (RoPE; Su et al., 2021).
///
/// In each head of `width` columns, columns `i` and `i + width / 2` are rotated by `position / theta ^ (2 i / width)`, as
/// transformers' `rotate_half`.
///
/// # Shapes
/// - input: `[rows, dim]`, the rows of `selection`; `heads` divides `dim` into an even width
/// - output: `[rows, dim]`
pub fn rotary_embedding(
    input: Tensor<2>,
    batch: &SequenceBatch,
    selection: TokenSelection,
    heads: usize,
    theta: f64,
) -> Tensor<2> {
    let [_, dim] = input.dims();
    kernels::rotary(input, batch.layout(), Rotation { selection, width: dim / heads, theta })
}

/// The angles of a rotation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rotation {
    pub(crate) selection: TokenSelection,
    /// The number of columns of a head.
    pub(crate) width: usize,
    /// The base of the frequencies.
    pub(crate) theta: f64,
}

impl Rotation {
    /// Cosines and sines of the angles of some positions, each `[positions, width / 2]`. Frequencies and angles are rounded to
    /// f32, as in transformers.
    pub(crate) fn cos_sin(&self, positions: impl Iterator<Item = u32>) -> [Vec<f32>; 2] {
        let half = self.width / 2;
        let power = |column: usize| self.theta.powf(f64::from((2 * column) as f32 / self.width as f32)) as f32;
        let frequencies: Vec<f32> = (0..half).map(|column| power(column).recip()).collect();
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        for position in positions {
            let angles = frequencies.iter().map(|frequency| f64::from(position as f32 * frequency));
            for angle in angles {
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        [cos, sin]
    }
}
