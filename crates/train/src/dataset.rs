//! Tokenized texts with their classes, and the order in which an epoch visits them.

use std::sync::Arc;

use rekindle_data::Mt19937;
use rekindle_infer::Sequence;

use crate::arguments::Shuffle;
use crate::error::TrainError;
use crate::settings::fingerprint;

/// Texts as token ids, each with its class. A selection of rows shares the texts of the whole data set.
#[derive(Clone, Debug)]
pub struct EncodedDataset {
    all: Arc<Sequences>,
    rows: Vec<usize>,
    labels: Vec<usize>,
}

/// All texts of a data set as tokens.
#[derive(Clone, Debug)]
pub(crate) struct Sequences {
    input_ids: Vec<Vec<u32>>,
    /// The segments of each text, or nothing.
    token_type_ids: Vec<Vec<u32>>,
}

impl Sequences {
    pub(crate) fn len(&self) -> usize {
        self.input_ids.len()
    }

    fn get(&self, row: usize) -> Sequence<'_> {
        let token_type_ids = self.token_type_ids.get(row).map_or(&[][..], Vec::as_slice);
        Sequence { input_ids: &self.input_ids[row], token_type_ids }
    }

    /// Returns all texts.
    pub(crate) fn all(&self) -> Vec<Sequence<'_>> {
        (0..self.len()).map(|row| self.get(row)).collect()
    }
}

impl EncodedDataset {
    /// Pairs texts with labels: indices of their classes, below `classes`.
    ///
    /// # Errors
    /// Returns an error if their numbers differ, or a label is not below `classes`.
    pub fn new(sentences: Vec<Vec<u32>>, labels: Vec<usize>, classes: usize) -> Result<Self, TrainError> {
        if sentences.len() != labels.len() {
            return Err(TrainError::Length { sentences: sentences.len(), labels: labels.len() });
        }
        if let Some((sentence, &label)) = labels.iter().enumerate().find(|(_, label)| **label >= classes) {
            return Err(TrainError::Label { sentence, label, classes });
        }
        let rows = (0..sentences.len()).collect();
        let all = Sequences { input_ids: sentences, token_type_ids: Vec::new() };
        Ok(Self { rows, all: Arc::new(all), labels })
    }

    /// Adds the segment of each token, for every text of the whole data set in its order. Without segments, all are 0.
    ///
    /// # Errors
    /// Returns an error if their numbers are not those of the tokens.
    pub fn with_token_types(mut self, token_type_ids: Vec<Vec<u32>>) -> Result<Self, TrainError> {
        let count = |rows: &[Vec<u32>]| rows.iter().map(Vec::len).collect::<Vec<usize>>();
        if count(&token_type_ids) != count(&self.all.input_ids) {
            return Err(TrainError::argument("token_type_ids", "expected one for each token of each text"));
        }
        Arc::make_mut(&mut self.all).token_type_ids = token_type_ids;
        Ok(self)
    }

    /// Returns the given rows, in the order given. Rows that do not exist are skipped.
    pub fn select(&self, rows: &[usize]) -> Self {
        let rows = || rows.iter().filter(|&&row| row < self.len());
        Self {
            all: Arc::clone(&self.all),
            rows: rows().map(|&row| self.rows[row]).collect(),
            labels: rows().map(|&row| self.labels[row]).collect(),
        }
    }

    /// Returns the number of examples.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the class of each example.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Returns the token ids of an example.
    ///
    /// # Panics
    /// Panics if there is no such row.
    pub fn sentence(&self, row: usize) -> &[u32] {
        self.sequence(row).input_ids
    }

    /// Returns the tokens of an example: their ids and segments.
    ///
    /// # Panics
    /// Panics if there is no such row.
    pub fn sequence(&self, row: usize) -> Sequence<'_> {
        self.all.get(self.rows[row])
    }

    /// Returns the token ids of each example.
    pub fn sentences(&self) -> Vec<&[u32]> {
        self.rows.iter().map(|&row| self.all.get(row).input_ids).collect()
    }

    /// Returns the tokens of each example: their ids and segments.
    pub fn sequences(&self) -> Vec<Sequence<'_>> {
        self.rows.iter().map(|&row| self.all.get(row)).collect()
    }

    /// Returns all rows in the order of `epoch`, counted from 0.
    ///
    /// transformers' `Trainer` seeds its sampler with the seed plus the epoch, so that the order of an epoch does not
    /// depend on the epochs before it.
    pub fn order(&self, seed: u64, epoch: usize, shuffle: Shuffle) -> Vec<usize> {
        order(self.len(), seed, epoch, shuffle)
    }

    /// Returns what differs between two data sets: fingerprints of token ids, of labels, and of segments if there are any.
    pub(crate) fn fingerprints(&self) -> Vec<String> {
        let labels: Vec<u32> = self.labels.iter().map(|&label| label as u32).collect();
        let mut all = vec![fingerprint(self.sentences().into_iter()), fingerprint([labels.as_slice()].into_iter())];
        if !self.all.token_type_ids.is_empty() {
            all.push(fingerprint(self.sequences().into_iter().map(|sequence| sequence.token_type_ids)));
        }
        all
    }

    /// Returns the texts of the whole data set that this is a selection from.
    pub(crate) fn whole(&self) -> &Arc<Sequences> {
        &self.all
    }

    /// Returns the row of each example in the whole data set.
    pub(crate) fn places(&self) -> &[usize] {
        &self.rows
    }
}

/// Returns the numbers below `rows` in the order of an epoch.
pub(crate) fn order(rows: usize, seed: u64, epoch: usize, shuffle: Shuffle) -> Vec<usize> {
    match shuffle {
        Shuffle::Reference => Mt19937::new(seed.wrapping_add(epoch as u64) as u32).torch_permutation(rows),
        Shuffle::None => (0..rows).collect(),
    }
}

/// Distributes rows over `parts` so that each has about the same number of tokens: the longest row goes to the part with the
/// fewest tokens, and so on.
pub(crate) fn balanced(rows: &[usize], parts: usize, tokens: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
    let mut longest_first = rows.to_vec();
    longest_first.sort_by_key(|&row| std::cmp::Reverse(tokens(row)));
    let mut parts = vec![(0, Vec::new()); parts];
    for row in longest_first {
        if let Some(lightest) = parts.iter_mut().min_by_key(|(tokens, _)| *tokens) {
            lightest.0 += tokens(row);
            lightest.1.push(row);
        }
    }
    parts.into_iter().map(|(_, rows)| rows).collect()
}
