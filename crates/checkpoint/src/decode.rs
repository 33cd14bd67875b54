//! Stored elements to f32.

use half::{bf16, f16};
use safetensors::Dtype;

/// The little-endian elements of a tensor in f32; with `columns`, those of the transpose of a matrix with so many columns.
/// `None` if the type is not supported.
pub(crate) fn decode(bytes: &[u8], dtype: Dtype, columns: Option<usize>) -> Option<Vec<f32>> {
    Some(match dtype {
        Dtype::F32 => elements::<4>(bytes, columns, f32::from_le_bytes),
        Dtype::F16 => elements::<2>(bytes, columns, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => elements::<2>(bytes, columns, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::I8 => elements::<1>(bytes, columns, |b| i8::from_le_bytes(b).into()),
        Dtype::F64 => elements::<8>(bytes, columns, |b| f64::from_le_bytes(b) as f32),
        _ => return None,
    })
}

fn elements<const N: usize>(bytes: &[u8], columns: Option<usize>, value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (elements, _) = bytes.as_chunks::<N>();
    let Some(columns) = columns.filter(|&columns| columns > 0) else {
        return elements.iter().map(|&element| value(element)).collect();
    };
    // In blocks, so that both matrices stay in the cache.
    const BLOCK: usize = 32;
    let rows = elements.len() / columns;
    let mut transposed = vec![0.0; elements.len()];
    for top in (0..rows).step_by(BLOCK) {
        for left in (0..columns).step_by(BLOCK) {
            for column in left..(left + BLOCK).min(columns) {
                for row in top..(top + BLOCK).min(rows) {
                    transposed[column * rows + row] = value(elements[row * columns + column]);
                }
            }
        }
    }
    transposed
}
