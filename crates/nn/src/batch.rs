//! Batches of token ids.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use crate::device_layout::DeviceLayout;
use crate::error::NnError;
use crate::indices::Indices;
use crate::kernels::{self, FusedKernels};
use crate::layout::{SequenceLayout, longest};
use crate::selection::TokenSelection;

/// A batch of sequences of token ids on a device, packed end to end without padding.
///
/// Operations that work row by row (products, LayerNorm, GELU) compute real tokens only. Tokens with an attention mask of 0 are
/// rows like others that attention ignores, so a batch in which every sequence is padded to one length is the classic layout.
#[derive(Clone, Debug)]
pub struct SequenceBatch {
    /// The word of each token, `[tokens]`.
    input_ids: Indices,
    /// The position of each token in its sequence, `[tokens]`.
    positions: Indices,
    /// The segment of each token, `[tokens]`.
    token_types: Indices,
    /// The row of the first token of each sequence, `[sequences]`.
    first: Indices,
    /// The rows of the selected tokens, ascending; `None` if none are selected.
    selected: Option<Indices>,
    layout: DeviceLayout,
    limits: InputLimits,
    /// The batch in two parts with about as many tokens, for the CPU.
    halves: Option<Box<(SequenceBatch, SequenceBatch)>>,
}

/// What a model accepts as input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputLimits {
    /// The number of entries of the word table.
    pub vocab_size: usize,
    /// The number of tokens of the longest sequence.
    pub max_length: usize,
    /// The position of the first token of a sequence: 0, or 1 more than the id of the padding token in RoBERTa and its relatives.
    pub first_position: usize,
    /// The number of entries of the table of token types; 0 if the model has none.
    pub type_vocab_size: usize,
}

impl SequenceBatch {
    /// A batch for a model with these limits.
    ///
    /// `input_ids` and `attention_mask` (1 or 0) have all sequences end to end; sequence `i` has the tokens from
    /// `cu_seqlens[i]` to `cu_seqlens[i + 1]`.
    ///
    /// # Errors
    /// [`NnError::Input`] when the lengths disagree, a sequence is empty, entirely masked or too long, or a token id is not in
    /// the word table.
    pub fn new(
        input_ids: &[u32],
        attention_mask: &[u8],
        cu_seqlens: &[usize],
        limits: impl Into<InputLimits>,
        device: &Device,
    ) -> Result<Self, NnError> {
        let limits = limits.into();
        check(input_ids, attention_mask, cu_seqlens, limits)?;
        let mut batch = Self::pack(input_ids, attention_mask, cu_seqlens, limits, device);
        batch.halves = halves(cu_seqlens, device).map(|(cut, middle)| {
            let second: Vec<usize> = cu_seqlens[cut..].iter().map(|offset| offset - middle).collect();
            let first =
                Self::pack(&input_ids[..middle], &attention_mask[..middle], &cu_seqlens[..=cut], limits, device);
            Box::new((first, Self::pack(&input_ids[middle..], &attention_mask[middle..], &second, limits, device)))
        });
        Ok(batch)
    }

    /// The same batch with the segment of each token, `[tokens]`. Without them, every token has type 0.
    ///
    /// # Errors
    /// [`NnError::Input`] when their number is not that of the tokens, or the model has no such type.
    pub fn with_token_types(mut self, token_types: &[u32]) -> Result<Self, NnError> {
        if token_types.len() != self.tokens() {
            let reason = format!("{} token types for {} tokens", token_types.len(), self.tokens());
            return Err(NnError::Input { sequence: 0, reason });
        }
        let types = self.limits.type_vocab_size;
        if let Some(row) = token_types.iter().position(|&token_type| token_type as usize >= types) {
            let sequence = self.layout.sequences.cu_seqlens.partition_point(|&start| start <= row) - 1;
            let reason = format!("token type {}; the model has {types} token types", token_types[row]);
            return Err(NnError::Input { sequence, reason });
        }
        self.set_token_types(token_types);
        Ok(self)
    }

    fn set_token_types(&mut self, token_types: &[u32]) {
        self.token_types = Indices::new(token_types.into(), &self.layout.device);
        if let Some((first, second)) = self.halves.as_deref_mut() {
            let (left, right) = token_types.split_at(first.tokens());
            first.set_token_types(left);
            second.set_token_types(right);
        }
    }

    /// The same batch with some tokens selected ([`TokenSelection::Selected`]), by their rows, ascending.
    ///
    /// # Errors
    /// [`NnError::Input`] when there are none, they do not ascend, or one is not below [`tokens`](Self::tokens).
    pub fn selecting(mut self, rows: &[u32]) -> Result<Self, NnError> {
        let ascending = rows.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || rows.last().is_none_or(|&last| last as usize >= self.tokens()) {
            let reason = format!("the selected rows {rows:?} do not ascend below its {} tokens", self.tokens());
            return Err(NnError::Input { sequence: 0, reason });
        }
        self.set_selected(rows);
        Ok(self)
    }

    fn set_selected(&mut self, rows: &[u32]) {
        let before = |end: usize| rows.partition_point(|&row| (row as usize) < end);
        let cu_selected = self.layout.sequences.cu_seqlens.iter().map(|&end| before(end)).collect();
        let selected = rows.into();
        let sequences = SequenceLayout { cu_selected, selected, ..SequenceLayout::clone(&self.layout.sequences) };
        self.selected = Some(Indices::new(rows.into(), &self.layout.device));
        self.layout = DeviceLayout::new(sequences, &self.layout.device);
        self.halves = self.halves.take().and_then(|mut halves| {
            let (first, second) = &mut *halves;
            let (left, right) = rows.split_at(before(first.tokens()));
            if left.is_empty() || right.is_empty() {
                return None;
            }
            let right: Vec<u32> = right.iter().map(|row| row - first.tokens() as u32).collect();
            first.set_selected(left);
            second.set_selected(&right);
            Some(halves)
        });
    }

    fn pack(
        input_ids: &[u32],
        attention_mask: &[u8],
        cu_seqlens: &[usize],
        limits: InputLimits,
        device: &Device,
    ) -> Self {
        let from = limits.first_position as u32;
        let positions = cu_seqlens.windows(2).flat_map(|pair| from..from + (pair[1] - pair[0]) as u32).collect();
        let mask: Option<Arc<[u8]>> = attention_mask.contains(&0).then(|| attention_mask.into());
        let sequences = SequenceLayout { cu_seqlens: cu_seqlens.into(), mask, ..SequenceLayout::default() };
        let first = cu_seqlens[..cu_seqlens.len() - 1].iter().map(|&start| start as u32).collect();
        Self {
            input_ids: Indices::new(input_ids.into(), device),
            positions: Indices::new(positions, device),
            token_types: Indices::new(vec![0; input_ids.len()].into(), device),
            first: Indices::new(first, device),
            selected: None,
            layout: DeviceLayout::new(sequences, device),
            limits,
            halves: None,
        }
    }

    /// Sends to a remote device what embeddings and, with `last`, the last layer read, and the layout that all layers read.
    ///
    /// Burn's remote engine cannot group operations if a tensor is sent among them, so models call this first.
    pub fn upload(&self, embeddings: bool, last: bool) {
        let fused = FusedKernels::on(&self.layout.device);
        if fused == FusedKernels::Local {
            return;
        }
        let types = Some(&self.token_types).filter(|_| self.limits.type_vocab_size > 0);
        let words = [&self.input_ids, &self.positions].into_iter().chain(types).filter(|_| embeddings);
        let last = [&self.first].into_iter().chain(&self.selected).filter(|_| last);
        words.chain(last).for_each(|indices| drop(indices.tensor()));
        match fused {
            FusedKernels::Remote => drop(self.layout.integers()),
            _ => drop(self.layout.padded()),
        }
    }

    /// The word of each token, `[tokens]`.
    pub fn input_ids(&self) -> &Indices {
        &self.input_ids
    }

    /// The position of each token in its sequence, from [`InputLimits::first_position`], `[tokens]`.
    pub fn positions(&self) -> &Indices {
        &self.positions
    }

    /// The segment of each token, `[tokens]`; 0 for all unless [`with_token_types`](Self::with_token_types) gave others.
    pub fn token_types(&self) -> &Indices {
        &self.token_types
    }

    /// The row of a table for each distance between tokens of one sequence, for the tables of
    /// [`RelativePositions`](crate::RelativePositions). `row_of` maps the position of the key minus that of the query.
    ///
    /// # Shapes
    /// - output: `[2 * longest - 1]`, for the distances from `1 - longest` to `longest - 1`
    pub fn distances(&self, row_of: impl Fn(i64) -> u32) -> Indices {
        let farthest = self.longest() as i64 - 1;
        Indices::new((-farthest..=farthest).map(row_of).collect(), &self.layout.device)
    }

    /// The rows of a selection.
    ///
    /// # Shapes
    /// - hidden: `[tokens, dim]`
    /// - output: `[rows, dim]`, as [`TokenSelection`] says
    pub fn select(&self, hidden: Tensor<2>, selection: TokenSelection) -> Tensor<2> {
        match (selection, &self.selected) {
            (TokenSelection::All, _) | (TokenSelection::Selected, None) => hidden,
            (TokenSelection::First, _) => hidden.select(0, self.first.tensor()),
            (TokenSelection::Selected, Some(rows)) => kernels::select_rows(hidden, rows),
        }
    }

    /// The mean of each sequence's tokens, without those that attention ignores.
    ///
    /// # Shapes
    /// - hidden: `[tokens, dim]`
    /// - output: `[sequences, dim]`
    pub fn mean(&self, hidden: Tensor<2>) -> Tensor<2> {
        let SequenceLayout { cu_seqlens, mask, .. } = &*self.layout.sequences;
        let shape = [self.sequences(), self.tokens()];
        let mut weights = vec![0f32; shape[0] * shape[1]];
        let attended = |token: &usize| mask.as_ref().is_none_or(|mask| mask[*token] != 0);
        for (row, span) in weights.chunks_mut(self.tokens().max(1)).zip(cu_seqlens.windows(2)) {
            let count = (span[0]..span[1]).filter(attended).count();
            (span[0]..span[1]).filter(attended).for_each(|token| row[token] = 1.0 / count as f32);
        }
        let device = hidden.device().without_autodiff();
        Tensor::<2>::from_data(TensorData::new(weights, shape), &device).matmul(hidden)
    }

    pub(crate) fn layout(&self) -> &DeviceLayout {
        &self.layout
    }

    /// The device of the batch.
    pub fn device(&self) -> &Device {
        &self.layout.device
    }

    /// The two halves of the batch, if computing them in parallel is worthwhile.
    pub fn halves(&self) -> Option<(&SequenceBatch, &SequenceBatch)> {
        self.halves.as_deref().map(|(first, second)| (first, second))
    }

    /// The number of sequences.
    pub fn sequences(&self) -> usize {
        self.layout.sequences.cu_seqlens.len() - 1
    }

    /// The number of tokens of the longest sequence.
    pub fn longest(&self) -> usize {
        longest(&self.layout.sequences.cu_seqlens)
    }

    /// The number of tokens of all sequences.
    pub fn tokens(&self) -> usize {
        self.layout.sequences.cu_seqlens.last().copied().unwrap_or(0)
    }
}

fn check(input_ids: &[u32], attention_mask: &[u8], cu_seqlens: &[usize], limits: InputLimits) -> Result<(), NnError> {
    let refuse = |sequence, reason| Err(NnError::Input { sequence, reason });
    if cu_seqlens.len() < 2
        || cu_seqlens[0] != 0
        || cu_seqlens.last() != Some(&input_ids.len())
        || attention_mask.len() != input_ids.len()
    {
        let (ids, mask) = (input_ids.len(), attention_mask.len());
        return refuse(0, format!("{ids} ids, a mask of {mask} and cu_seqlens {cu_seqlens:?} contradict each other"));
    }
    for (sequence, pair) in cu_seqlens.windows(2).enumerate() {
        let (start, end) = (pair[0], pair[1]);
        if end <= start || end > input_ids.len() {
            return refuse(sequence, format!("holds no token (cu_seqlens {start} to {end})"));
        }
        if end - start > limits.max_length {
            return refuse(sequence, format!("{} tokens; the model accepts {}", end - start, limits.max_length));
        }
        if attention_mask[start..end].iter().all(|&attend| attend == 0) {
            return refuse(sequence, "its attention mask is 0 everywhere".into());
        }
        if let Some(id) = input_ids[start..end].iter().find(|&&id| id as usize >= limits.vocab_size) {
            return refuse(sequence, format!("token id {id}; the word table has {} entries", limits.vocab_size));
        }
    }
    Ok(())
}

/// Fewer tokens are computed faster than two threads are woken.
const LEAST_TOKENS: usize = 32;

/// Where to cut a batch in two for the CPU: after which sequence, and at which token.
fn halves(cu_seqlens: &[usize], device: &Device) -> Option<(usize, usize)> {
    if FusedKernels::on(device) == FusedKernels::Unavailable {
        return None;
    }
    let tokens = cu_seqlens.last().copied().unwrap_or(0);
    let inner = 1..cu_seqlens.len().saturating_sub(1);
    let cut = inner.min_by_key(|&cut| (2 * cu_seqlens[cut]).abs_diff(tokens))?;
    (tokens >= LEAST_TOKENS).then_some((cut, cu_seqlens[cut]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: InputLimits = InputLimits { vocab_size: 9, max_length: 32, first_position: 2, type_vocab_size: 2 };

    #[test]
    fn positions_and_token_types_of_a_batch_are_those_of_its_halves() {
        let batch = SequenceBatch::new(&[1; 36], &[1; 36], &[0, 18, 36], LIMITS, &Device::default()).expect("a batch");
        let positions: Vec<u32> = (2..20).chain(2..20).collect();
        assert_eq!(*batch.positions().host, *positions);
        assert_eq!(*batch.token_types().host, [0; 36]);
        let types: Vec<u32> = (0..36).map(|row| u32::from(row % 18 > 9)).collect();
        let batch = batch.with_token_types(&types).expect("two types");
        assert_eq!(*batch.token_types().host, *types);
        if let Some((first, second)) = batch.halves() {
            assert_eq!(*first.token_types().host, types[..18]);
            assert_eq!(*second.token_types().host, types[18..]);
            assert_eq!(*second.positions().host, positions[18..]);
        }
    }

    #[test]
    fn a_token_type_that_the_model_lacks_is_an_error() {
        let batch = SequenceBatch::new(&[1; 4], &[1; 4], &[0, 2, 4], LIMITS, &Device::default()).expect("a batch");
        let error = batch.clone().with_token_types(&[0, 1, 0, 2]).expect_err("there are two").to_string();
        assert_eq!(error, "sequence 1 of the batch: token type 2; the model has 2 token types");
        let error = batch.with_token_types(&[0]).expect_err("one is missing").to_string();
        assert_eq!(error, "sequence 0 of the batch: 1 token types for 4 tokens");
    }
}
