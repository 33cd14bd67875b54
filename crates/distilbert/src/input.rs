//! What the model reads: sentences of token ids, laid end to end.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::config::DistilBertConfig;
use crate::error::DistilBertError;
use crate::rectangle::Rectangle;
use crate::spans::{Spans, longest};

/// A batch of sentences on a device, laid end to end without padding between them.
///
/// Everything that works row by row (products, LayerNorm, GELU) sees only real tokens; attention alone needs a
/// rectangle, and gathers one of `[sentences, longest]` for itself. Rows that a caller padded are tokens like others,
/// masked where `attention_mask` is 0: a batch in which every row is padded to one length is the classic layout.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    /// Word of each token, `[tokens]`.
    pub(crate) input_ids: Indices,
    /// Position of each token in its sentence, `[tokens]`.
    pub(crate) positions: Indices,
    /// Row of each sentence's first token, `[sentences]`.
    pub(crate) first: Indices,
    /// The tokens that a model is asked about, where they are not all: their rows, ascending.
    pub(crate) picked: Option<Indices>,
    /// Where each sentence lies.
    pub(crate) spans: Arc<Spans>,
    /// The same for operations of our own that a host does, when it is asked for.
    numbers: OnceLock<Tensor<1, Int>>,
    /// The batch again, in two parts of about as many tokens; on the CPU alone.
    halves: Option<Box<(TokenBatch, TokenBatch)>>,
    /// When it is asked for.
    rectangle: OnceLock<Rectangle>,
    device: Device,
}

impl TokenBatch {
    /// Lays a batch out for the model of `config`.
    ///
    /// `input_ids` and `attention_mask` (1 or 0) hold all sentences end to end, sentence `i` from `offsets[i]` to
    /// `offsets[i + 1]`.
    ///
    /// # Errors
    /// When the lengths disagree, a sentence is empty, attends to nothing or is longer than the position table, or an
    /// id is not in the word table.
    pub fn new(
        input_ids: &[u32],
        attention_mask: &[u8],
        offsets: &[usize],
        config: &DistilBertConfig,
        device: &Device,
    ) -> Result<Self, DistilBertError> {
        check(input_ids, attention_mask, offsets, config)?;
        let mut batch = Self::lay_out(input_ids, attention_mask, offsets, device);
        batch.halves = halves(offsets, device).map(|(cut, middle)| {
            let second: Vec<usize> = offsets[cut..].iter().map(|offset| offset - middle).collect();
            let first = Self::lay_out(&input_ids[..middle], &attention_mask[..middle], &offsets[..=cut], device);
            Box::new((first, Self::lay_out(&input_ids[middle..], &attention_mask[middle..], &second, device)))
        });
        Ok(batch)
    }

    /// The same batch, of which a model is asked about some tokens alone ([`Rows::Picked`](crate::Rows::Picked)): their
    /// places among all, ascending.
    ///
    /// # Errors
    /// When there is none, they do not ascend, or one is not below [`tokens`](Self::tokens).
    pub fn picking(mut self, places: &[u32]) -> Result<Self, DistilBertError> {
        let ascending = places.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || places.last().is_none_or(|&last| last as usize >= self.tokens()) {
            let reason = format!("the places {places:?} do not ascend below its {} tokens", self.tokens());
            return Err(DistilBertError::Input { sentence: 0, reason });
        }
        self.pick(places);
        Ok(self)
    }

    fn pick(&mut self, places: &[u32]) {
        let before = |end: usize| places.partition_point(|&place| (place as usize) < end);
        let picked = self.spans.offsets.iter().map(|&end| before(end)).collect();
        self.picked = Some(Indices::new(places.into(), &self.device));
        self.place(Spans { picked, ..Spans::clone(&self.spans) });
        self.halves = self.halves.take().and_then(|mut halves| {
            let (first, second) = &mut *halves;
            let (left, right) = places.split_at(before(first.tokens()));
            if left.is_empty() || right.is_empty() {
                return None;
            }
            let right: Vec<u32> = right.iter().map(|place| place - first.tokens() as u32).collect();
            first.pick(left);
            second.pick(&right);
            Some(halves)
        });
    }

    fn lay_out(input_ids: &[u32], attention_mask: &[u8], offsets: &[usize], device: &Device) -> Self {
        let lengths = offsets.windows(2).map(|pair| pair[1] - pair[0]);
        let mask = attention_mask.contains(&0).then(|| attention_mask.into());
        let mut batch = Self {
            input_ids: Indices::new(input_ids.into(), device),
            positions: Indices::new(lengths.flat_map(|length| 0..length as u32).collect(), device),
            first: Indices::new(offsets[..offsets.len() - 1].iter().map(|&start| start as u32).collect(), device),
            picked: None,
            spans: Arc::default(),
            numbers: OnceLock::new(),
            halves: None,
            rectangle: OnceLock::new(),
            device: device.clone(),
        };
        batch.place(Spans { offsets: offsets.into(), mask, picked: Vec::new() });
        batch
    }

    fn place(&mut self, spans: Spans) {
        self.spans = spans.into();
        (self.numbers, self.rectangle) = (OnceLock::new(), OnceLock::new());
    }

    /// Sends what layers will ask for and, with `words`, embeddings, with `last`, the last layer: ahead of their operations,
    /// for the engine of a host cannot keep operations as a group where a tensor is sent among them.
    pub(crate) fn send(&self, words: bool, last: bool) {
        #[cfg(feature = "flex")]
        if rekindle_ops::are_here(&self.device) {
            return;
        }
        let words = [&self.input_ids, &self.positions].into_iter().filter(|_| words);
        let last = [&self.first].into_iter().chain(&self.picked).filter(|_| last);
        words.chain(last).for_each(|indices| drop(indices.tensor()));
        #[cfg(feature = "flex")]
        if rekindle_ops::are_held(&self.device) {
            self.numbers();
            return;
        }
        self.rectangle();
    }

    /// [`Spans::numbers`].
    #[cfg(feature = "flex")]
    pub(crate) fn numbers(&self) -> Tensor<1, Int> {
        let numbers = || ints(self.spans.numbers().into_iter().map(|number| number as i32), &self.device);
        self.numbers.get_or_init(numbers).clone()
    }

    /// The way of attention by Burn's operations.
    pub(crate) fn rectangle(&self) -> &Rectangle {
        self.rectangle.get_or_init(|| Rectangle::new(&self.spans, &self.device))
    }

    /// Where the batch lies.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The two halves of the batch, where running them side by side is worth it.
    pub(crate) fn halves(&self) -> Option<(&TokenBatch, &TokenBatch)> {
        self.halves.as_deref().map(|(first, second)| (first, second))
    }

    /// The matrix `[sentences, tokens]` that takes the mean of each sentence's tokens, but for those that attention must
    /// not look at.
    pub(crate) fn means(&self, device: &Device) -> Tensor<2> {
        let shape = [self.sentences(), self.tokens()];
        let mut weights = vec![0f32; shape[0] * shape[1]];
        let seen = |token: &usize| self.spans.mask.as_ref().is_none_or(|mask| mask[*token] != 0);
        for (row, span) in weights.chunks_mut(self.tokens().max(1)).zip(self.spans.offsets.windows(2)) {
            let count = (span[0]..span[1]).filter(seen).count();
            (span[0]..span[1]).filter(seen).for_each(|token| row[token] = 1.0 / count as f32);
        }
        Tensor::from_data(TensorData::new(weights, shape), device)
    }

    /// The number of sentences.
    pub fn sentences(&self) -> usize {
        self.spans.offsets.len() - 1
    }

    /// The number of tokens of the longest sentence.
    pub fn longest(&self) -> usize {
        longest(&self.spans.offsets)
    }

    /// The number of tokens, all sentences together.
    pub fn tokens(&self) -> usize {
        self.spans.offsets.last().copied().unwrap_or(0)
    }
}

fn check(
    input_ids: &[u32],
    attention_mask: &[u8],
    offsets: &[usize],
    config: &DistilBertConfig,
) -> Result<(), DistilBertError> {
    let refuse = |sentence, reason| Err(DistilBertError::Input { sentence, reason });
    if offsets.len() < 2
        || offsets[0] != 0
        || offsets.last() != Some(&input_ids.len())
        || attention_mask.len() != input_ids.len()
    {
        let (ids, mask) = (input_ids.len(), attention_mask.len());
        return refuse(0, format!("{ids} ids, a mask of {mask} and offsets {offsets:?} do not belong together"));
    }
    for (sentence, pair) in offsets.windows(2).enumerate() {
        let (start, end) = (pair[0], pair[1]);
        if end <= start || end > input_ids.len() {
            return refuse(sentence, format!("holds no token (offsets {start} to {end})"));
        }
        if end - start > config.max_position_embeddings {
            return refuse(
                sentence,
                format!("{} tokens; the position table has {}", end - start, config.max_position_embeddings),
            );
        }
        if attention_mask[start..end].iter().all(|&attend| attend == 0) {
            return refuse(sentence, "its attention mask is 0 everywhere".into());
        }
        if let Some(id) = input_ids[start..end].iter().find(|&&id| id as usize >= config.vocab_size) {
            return refuse(sentence, format!("token id {id}; the word table has {} entries", config.vocab_size));
        }
    }
    Ok(())
}

/// Fewer tokens are done sooner than two threads are woken.
#[cfg(feature = "flex")]
const LEAST_TOKENS: usize = 32;

/// Where to cut a batch in two for the CPU: after which sentence, and at which token.
fn halves(offsets: &[usize], device: &Device) -> Option<(usize, usize)> {
    #[cfg(feature = "flex")]
    if rekindle_ops::are_held(device) {
        let tokens = offsets.last().copied().unwrap_or(0);
        let inner = 1..offsets.len().saturating_sub(1);
        let cut = inner.min_by_key(|&cut| (2 * offsets[cut]).abs_diff(tokens))?;
        return (tokens >= LEAST_TOKENS).then_some((cut, offsets[cut]));
    }
    let _ = (offsets, device);
    None
}

/// Rows of a table, here; and on the device, when they are asked for there.
#[derive(Clone, Debug)]
pub(crate) struct Indices {
    pub(crate) host: Arc<[u32]>,
    device: Device,
    there: OnceLock<Tensor<1, Int>>,
}

impl Indices {
    pub(crate) fn new(host: Arc<[u32]>, device: &Device) -> Self {
        Self { host, device: device.clone(), there: OnceLock::new() }
    }

    pub(crate) fn tensor(&self) -> Tensor<1, Int> {
        self.there.get_or_init(|| ints(self.host.iter().map(|&index| index as i32), &self.device)).clone()
    }
}

pub(crate) fn ints(values: impl Iterator<Item = i32>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.collect();
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}
