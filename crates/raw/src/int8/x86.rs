//! Sums by AVX-512 VNNI and by AVX2.

use std::arch::x86_64::*;

use super::{Finish, GROUP, PANELS, Step, Sums, WIDTH, next_rows};

/// A tile of some rows and panels.
type Tile = unsafe fn(&mut [[i32; PANELS * WIDTH]], *const u8, *const i8, usize);

/// A tile of some rows and one panel.
type PanelTile = unsafe fn(&mut [[i32; PANELS * WIDTH]], usize, *const u8, *const i8, usize);

/// # Safety
/// The CPU must have AVX-512 F and VNNI; `rows` must hold `count` rows of `stride` values, `panels` `width` panels.
#[target_feature(enable = "avx512f,avx512vnni")]
pub unsafe fn vnni(sums: &mut Sums, rows: &[u8], panels: &[i8], (count, width): (usize, usize), stride: usize) {
    let mut done = 0;
    while done < count {
        let next = next_rows(count - done, 8);
        let (sums, rows, panels) = (&mut sums[done..done + next], &rows[done * stride..], panels.as_ptr());
        let tile: Tile = match (next, width) {
            (8, 3) => vnni_tile::<8, 3>,
            (8, 2) => vnni_tile::<8, 2>,
            (8, _) => vnni_tile::<8, 1>,
            (4, 3) => vnni_tile::<4, 3>,
            (4, 2) => vnni_tile::<4, 2>,
            (4, _) => vnni_tile::<4, 1>,
            (2, 3) => vnni_tile::<2, 3>,
            (2, 2) => vnni_tile::<2, 2>,
            (2, _) => vnni_tile::<2, 1>,
            (_, 3) => vnni_tile::<1, 3>,
            (_, 2) => vnni_tile::<1, 2>,
            (_, _) => vnni_tile::<1, 1>,
        };
        // SAFETY: the caller guarantees the CPU, the rows and the panels.
        unsafe { tile(sums, rows.as_ptr(), panels, stride) };
        done += next;
    }
}

/// # Safety
/// As [`vnni`], for `R` rows and `P` panels from these addresses.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn vnni_tile<const R: usize, const P: usize>(
    sums: &mut [[i32; PANELS * WIDTH]],
    rows: *const u8,
    panels: *const i8,
    stride: usize,
) {
    let mut total = [[_mm512_setzero_si512(); P]; R];
    for at in (0..stride).step_by(GROUP) {
        let mut values = [_mm512_setzero_si512(); P];
        for (panel, values) in values.iter_mut().enumerate() {
            // SAFETY: a panel has 64 values for every four values of a row.
            *values = unsafe { _mm512_loadu_si512(panels.wrapping_add((panel * stride + at) * WIDTH).cast()) };
        }
        for (row, total) in total.iter_mut().enumerate() {
            // SAFETY: the four values are in the row.
            let group = unsafe { rows.wrapping_add(row * stride + at).cast::<i32>().read_unaligned() };
            let group = _mm512_set1_epi32(group);
            for (total, values) in total.iter_mut().zip(values) {
                *total = _mm512_dpbusd_epi32(*total, group, values);
            }
        }
    }
    for (sums, total) in sums.iter_mut().zip(total) {
        for (sums, total) in sums.as_chunks_mut::<WIDTH>().0.iter_mut().zip(total) {
            // SAFETY: a chunk has 16 sums.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), total) };
        }
    }
}

/// If `is_narrow`, no magnitude of the values is above [`NARROW`](super::NARROW); otherwise the sums may be wrong.
///
/// # Safety
/// As [`vnni`], but the CPU must have AVX2.
#[target_feature(enable = "avx2")]
pub unsafe fn avx2(
    sums: &mut Sums,
    rows: &[u8],
    panels: &[i8],
    (count, width): (usize, usize),
    stride: usize,
    is_narrow: bool,
) {
    for panel in 0..width {
        let values = panels[panel * stride * WIDTH..].as_ptr();
        let mut done = 0;
        while done < count {
            // Eight of 16 registers have sums.
            let next = next_rows(count - done, 4);
            let (sums, rows) = (&mut sums[done..done + next], &rows[done * stride..]);
            let tile: PanelTile = match (next, is_narrow) {
                (4, true) => avx2_tile::<4, true>,
                (2, true) => avx2_tile::<2, true>,
                (_, true) => avx2_tile::<1, true>,
                (4, false) => avx2_tile::<4, false>,
                (2, false) => avx2_tile::<2, false>,
                (_, false) => avx2_tile::<1, false>,
            };
            // SAFETY: the caller guarantees the CPU, the rows and the panel.
            unsafe { tile(sums, panel, rows.as_ptr(), values, stride) };
            done += next;
        }
    }
}

/// # Safety
/// As [`avx2`], for `R` rows from this address and the values of one panel.
#[target_feature(enable = "avx2")]
unsafe fn avx2_tile<const R: usize, const NARROW: bool>(
    sums: &mut [[i32; PANELS * WIDTH]],
    panel: usize,
    rows: *const u8,
    values: *const i8,
    stride: usize,
) {
    let mut total = [[_mm256_setzero_si256(); 2]; R];
    let (ones, low_bytes) = (_mm256_set1_epi16(1), _mm256_set1_epi16(0xff));
    for at in (0..stride).step_by(GROUP) {
        let mut halves = [_mm256_setzero_si256(); 2];
        for (half, loaded) in halves.iter_mut().enumerate() {
            // SAFETY: the panel has 64 values for every four values of a row.
            *loaded = unsafe { _mm256_loadu_si256(values.wrapping_add(at * WIDTH + half * 32).cast()) };
        }
        for (row, total) in total.iter_mut().enumerate() {
            // SAFETY: the four values are in the row.
            let group = unsafe { rows.wrapping_add(row * stride + at).cast::<i32>().read_unaligned() };
            let group = _mm256_set1_epi32(group);
            for (total, values) in total.iter_mut().zip(halves) {
                let sums = if NARROW {
                    _mm256_madd_epi16(_mm256_maddubs_epi16(group, values), ones)
                } else {
                    // The even and the odd values, each in 16 bits.
                    let even = _mm256_srai_epi16(_mm256_slli_epi16(values, 8), 8);
                    let even = _mm256_madd_epi16(_mm256_and_si256(group, low_bytes), even);
                    let odd = _mm256_madd_epi16(_mm256_srli_epi16(group, 8), _mm256_srai_epi16(values, 8));
                    _mm256_add_epi32(even, odd)
                };
                *total = _mm256_add_epi32(*total, sums);
            }
        }
    }
    for (sums, total) in sums.iter_mut().zip(total) {
        for (sums, total) in sums[panel * WIDTH..].as_chunks_mut::<8>().0.iter_mut().zip(total) {
            // SAFETY: a chunk has 8 sums.
            unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), total) };
        }
    }
}

/// [`Finish::write`] with vectors of 512 bits.
#[target_feature(enable = "avx512f")]
pub fn write_512(finish: &Finish<'_>, out: &mut [f32], first: usize, sums: &[i32], step: Step) {
    finish.write(out, first, sums, step);
}

/// [`Finish::write`] with vectors of 256 bits.
#[target_feature(enable = "avx2")]
pub fn write_256(finish: &Finish<'_>, out: &mut [f32], first: usize, sums: &[i32], step: Step) {
    finish.write(out, first, sums, step);
}
