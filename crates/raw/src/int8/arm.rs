//! Sums by NEON.

use std::arch::aarch64::*;

use super::{GROUP, PANELS, Sums, WIDTH, next_rows};

/// A tile of some rows and one panel.
type PanelTile = unsafe fn(&mut [[i32; PANELS * WIDTH]], usize, *const u8, *const i8, usize);

/// # Safety
/// The CPU must have NEON; `rows` must hold `count` rows of `stride` values, `panels` `width` panels.
#[target_feature(enable = "neon")]
pub unsafe fn neon(sums: &mut Sums, rows: &[u8], panels: &[i8], (count, width): (usize, usize), stride: usize) {
    for panel in 0..width {
        let values = panels[panel * stride * WIDTH..].as_ptr();
        let mut done = 0;
        while done < count {
            // Sixteen of 32 registers have sums.
            let next = next_rows(count - done, 2);
            let (sums, rows) = (&mut sums[done..done + next], &rows[done * stride..]);
            let tile: PanelTile = match next {
                2 => neon_tile::<2>,
                _ => neon_tile::<1>,
            };
            // SAFETY: the caller guarantees the CPU, the rows and the panel.
            unsafe { tile(sums, panel, rows.as_ptr(), values, stride) };
            done += next;
        }
    }
}

/// # Safety
/// As [`neon`], for `R` rows from this address and the values of one panel.
#[target_feature(enable = "neon")]
unsafe fn neon_tile<const R: usize>(
    sums: &mut [[i32; PANELS * WIDTH]],
    panel: usize,
    rows: *const u8,
    values: *const i8,
    stride: usize,
) {
    // Two sums per column, of two columns per vector.
    let mut total = [[vdupq_n_s32(0); WIDTH / 2]; R];
    for at in (0..stride).step_by(GROUP) {
        for (row, total) in total.iter_mut().enumerate() {
            // SAFETY: the four values are in the row.
            let group = unsafe { rows.wrapping_add(row * stride + at).cast::<u32>().read_unaligned() };
            let group = vreinterpretq_s16_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(group))));
            for (pair, total) in total.iter_mut().enumerate() {
                // SAFETY: the panel has 64 values for every four values of a row.
                let values = vmovl_s8(unsafe { vld1_s8(values.wrapping_add(at * WIDTH + pair * 8)) });
                // A product of 8 bits with 8 bits fits 16 bits.
                *total = vpadalq_s16(*total, vmulq_s16(group, values));
            }
        }
    }
    for (sums, total) in sums.iter_mut().zip(total) {
        for (sums, total) in sums[panel * WIDTH..].as_chunks_mut::<2>().0.iter_mut().zip(total) {
            let total = vpadd_s32(vget_low_s32(total), vget_high_s32(total));
            // SAFETY: a chunk has two sums.
            unsafe { vst1_s32(sums.as_mut_ptr(), total) };
        }
    }
}
