//! What the model reads: sentences of token ids, laid end to end.

use std::sync::Arc;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::config::DistilBertConfig;
use crate::error::DistilBertError;

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
    pub(crate) first: Tensor<1, Int>,
    /// Where attention finds its rectangle; `None` when all sentences are equally long.
    pub(crate) ragged: Option<Ragged>,
    /// The tokens that a model is asked about, where they are not all.
    pub(crate) picked: Option<Picked>,
    /// True where attention must not look, `[sentences, 1, 1, longest]`; `None` when it may look everywhere.
    pub(crate) masked: Option<Tensor<4, Bool>>,
    /// 0 where attention must not look; `None` when it may look everywhere.
    mask: Option<Arc<[u8]>>,
    /// Where each sentence lies.
    #[cfg(feature = "flex")]
    pub(crate) spans: Arc<Spans>,
    /// The batch again, in two parts of about as many tokens; on the CPU alone.
    halves: Option<Box<(TokenBatch, TokenBatch)>>,
    offsets: Vec<usize>,
    sentences: usize,
    longest: usize,
    tokens: usize,
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
        if !ascending || places.last().is_none_or(|&last| last as usize >= self.tokens) {
            let reason = format!("the places {places:?} do not ascend below its {} tokens", self.tokens);
            return Err(DistilBertError::Input { sentence: 0, reason });
        }
        self.pick(places);
        Ok(self)
    }

    fn pick(&mut self, places: &[u32]) {
        let device = self.first.device();
        let before = |end: usize| places.partition_point(|&place| (place as usize) < end);
        let ends: Vec<usize> = self.offsets.iter().map(|&end| before(end)).collect();
        let (ragged, most) = (Ragged::new(&ends, &device), longest(&ends));
        self.picked = Some(Picked { places: Indices::new(places.into(), &device), ragged, most });
        #[cfg(feature = "flex")]
        {
            let mask = self.spans.mask.clone();
            self.spans = Arc::new(Spans { offsets: self.offsets.clone(), mask, picked: ends });
        }
        self.halves = self.halves.take().and_then(|mut halves| {
            let (first, second) = &mut *halves;
            let (left, right) = places.split_at(before(first.tokens));
            if left.is_empty() || right.is_empty() {
                return None;
            }
            let right: Vec<u32> = right.iter().map(|place| place - first.tokens as u32).collect();
            first.pick(left);
            second.pick(&right);
            Some(halves)
        });
    }

    fn lay_out(input_ids: &[u32], attention_mask: &[u8], offsets: &[usize], device: &Device) -> Self {
        let sentences = offsets.len() - 1;
        let tokens = input_ids.len();
        let lengths = || offsets.windows(2).map(|pair| pair[1] - pair[0]);
        let longest = longest(offsets);
        let mut masked = Vec::with_capacity(sentences * longest);
        for (sentence, length) in lengths().enumerate() {
            let start = offsets[sentence];
            for position in 0..longest {
                masked.push(position >= length || attention_mask[start + position] == 0);
            }
        }
        let any_masked = masked.contains(&true);
        let mask: Option<Arc<[u8]>> = attention_mask.contains(&0).then(|| attention_mask.into());
        Self {
            input_ids: Indices::new(input_ids.into(), device),
            positions: Indices::new(lengths().flat_map(|length| 0..length as u32).collect(), device),
            first: ints(offsets[..sentences].iter().map(|&start| start as i32), device),
            ragged: (tokens != sentences * longest).then(|| Ragged::new(offsets, device)),
            picked: None,
            masked: any_masked.then(|| Tensor::from_data(TensorData::new(masked, [sentences, 1, 1, longest]), device)),
            #[cfg(feature = "flex")]
            spans: Arc::new(Spans { offsets: offsets.into(), mask: mask.clone(), picked: Vec::new() }),
            mask,
            halves: None,
            offsets: offsets.into(),
            sentences,
            longest,
            tokens,
        }
    }

    /// The two halves of the batch, where running them side by side is worth it.
    pub(crate) fn halves(&self) -> Option<(&TokenBatch, &TokenBatch)> {
        self.halves.as_deref().map(|(first, second)| (first, second))
    }

    /// The matrix `[sentences, tokens]` that takes the mean of each sentence's tokens, but for those that attention must
    /// not look at.
    pub(crate) fn means(&self, device: &Device) -> Tensor<2> {
        let mut weights = vec![0f32; self.sentences * self.tokens];
        let seen = |token: &usize| self.mask.as_ref().is_none_or(|mask| mask[*token] != 0);
        for (row, span) in weights.chunks_mut(self.tokens.max(1)).zip(self.offsets.windows(2)) {
            let count = (span[0]..span[1]).filter(seen).count();
            (span[0]..span[1]).filter(seen).for_each(|token| row[token] = 1.0 / count as f32);
        }
        Tensor::from_data(TensorData::new(weights, [self.sentences, self.tokens]), device)
    }

    /// The number of sentences.
    pub fn sentences(&self) -> usize {
        self.sentences
    }

    /// The number of tokens of the longest sentence.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The number of tokens, all sentences together.
    pub fn tokens(&self) -> usize {
        self.tokens
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
    if crate::host::is_host(&Tensor::<1>::zeros([1], device)) {
        let tokens = offsets.last().copied().unwrap_or(0);
        let inner = 1..offsets.len().saturating_sub(1);
        let cut = inner.min_by_key(|&cut| (2 * offsets[cut]).abs_diff(tokens))?;
        return (tokens >= LEAST_TOKENS).then_some((cut, offsets[cut]));
    }
    let _ = (offsets, device);
    None
}

/// Where the sentences of a batch lie, on the host.
#[cfg(feature = "flex")]
#[derive(Debug)]
pub(crate) struct Spans {
    /// Sentence `i` from `offsets[i]` to `offsets[i + 1]`.
    pub(crate) offsets: Vec<usize>,
    /// 0 where attention must not look; `None` when it may look everywhere.
    pub(crate) mask: Option<Arc<[u8]>>,
    /// Picked tokens of sentence `i` from `picked[i]` to `picked[i + 1]`; empty where none are picked.
    pub(crate) picked: Vec<usize>,
}

/// Tokens picked out of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Picked {
    /// Their rows, ascending.
    pub(crate) places: Indices,
    /// The way to a rectangle of `[sentences, most]` and back.
    pub(crate) ragged: Ragged,
    /// How many are picked of the sentence with most of them.
    pub(crate) most: usize,
}

/// The way from rows to the rectangle and back.
#[derive(Clone, Debug)]
pub(crate) struct Ragged {
    /// Row of each cell, `[sentences * longest]`; the cells behind a sentence's end repeat its first row, and are masked.
    pub(crate) cells: Tensor<1, Int>,
    /// Cell of each row, `[tokens]`.
    pub(crate) rows: Tensor<1, Int>,
}

impl Ragged {
    /// For rows that belong to sentence `i` from `offsets[i]` to `offsets[i + 1]`.
    fn new(offsets: &[usize], device: &Device) -> Self {
        let longest = longest(offsets);
        let last = offsets.last().copied().unwrap_or(0).saturating_sub(1);
        let (mut cells, mut rows) = (Vec::new(), Vec::new());
        for (sentence, pair) in offsets.windows(2).enumerate() {
            let (start, length) = (pair[0], pair[1] - pair[0]);
            let inside = |position| if position < length { start + position } else { start.min(last) };
            cells.extend((0..longest).map(|position| inside(position) as i32));
            rows.extend((0..length).map(|position| (sentence * longest + position) as i32));
        }
        Self { cells: ints(cells.into_iter(), device), rows: ints(rows.into_iter(), device) }
    }
}

/// Rows of a table, on the device and on the host.
#[derive(Clone, Debug)]
pub(crate) struct Indices {
    pub(crate) tensor: Tensor<1, Int>,
    #[cfg(feature = "flex")]
    pub(crate) host: Arc<[u32]>,
}

impl Indices {
    fn new(host: Arc<[u32]>, device: &Device) -> Self {
        Self {
            tensor: ints(host.iter().map(|&index| index as i32), device),
            #[cfg(feature = "flex")]
            host,
        }
    }
}

/// The most rows of a sentence.
fn longest(offsets: &[usize]) -> usize {
    offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

fn ints(values: impl Iterator<Item = i32>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.collect();
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}
