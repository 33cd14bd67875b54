//! Tokenized texts with their labels, and the order in which an epoch visits them.

use std::ops::Range;
use std::sync::Arc;

use rekindle_data::{Mt19937, Targets};
use rekindle_infer::{EncodedTexts, Sequence, WindowPool, Windows};

use crate::arguments::Shuffle;
use crate::error::TrainError;
use crate::settings::fingerprint;

/// The most windows that are trained on at once: those of one text, or of a batch whose texts cannot be separated.
const MOST_WINDOWS: usize = 32;

/// Texts as token ids, each with its label. A selection of rows shares the texts of the whole data set.
#[derive(Clone, Debug)]
pub struct EncodedDataset {
    all: Arc<Sequences>,
    rows: Vec<usize>,
    targets: Targets,
}

/// All texts of a data set as tokens: a sequence per text, or several windows of a long text.
#[derive(Clone, Debug)]
pub(crate) struct Sequences {
    input_ids: Vec<Vec<u32>>,
    /// The segments of each sequence, or nothing.
    token_type_ids: Vec<Vec<u32>>,
    /// The first sequence of each text, and the number of sequences.
    starts: Vec<usize>,
    pool: WindowPool,
}

impl Sequences {
    /// Returns the number of sequences.
    pub(crate) fn len(&self) -> usize {
        self.input_ids.len()
    }

    fn get(&self, sequence: usize) -> Sequence<'_> {
        let token_type_ids = self.token_type_ids.get(sequence).map_or(&[][..], Vec::as_slice);
        Sequence { input_ids: &self.input_ids[sequence], token_type_ids }
    }

    /// Returns the sequences of a text.
    pub(crate) fn of_text(&self, text: usize) -> Range<usize> {
        self.starts[text]..self.starts[text + 1]
    }

    /// Returns all sequences.
    pub(crate) fn all(&self) -> Vec<Sequence<'_>> {
        (0..self.len()).map(|sequence| self.get(sequence)).collect()
    }
}

impl From<EncodedTexts> for Sequences {
    fn from(EncodedTexts { input_ids, token_type_ids, windows }: EncodedTexts) -> Self {
        let ends = windows.counts().iter().scan(0, |end, count| {
            *end += count;
            Some(*end)
        });
        Self { input_ids, token_type_ids, starts: std::iter::once(0).chain(ends).collect(), pool: windows.pool() }
    }
}

impl EncodedDataset {
    /// Pairs texts with labels: indices of their classes, below `classes`.
    ///
    /// # Errors
    /// Returns an error if their numbers differ, or a label is not below `classes`.
    pub fn new(sentences: Vec<Vec<u32>>, labels: Vec<usize>, classes: usize) -> Result<Self, TrainError> {
        Self::with_targets(sentences, Targets::Classes(labels), classes)
    }

    /// Pairs texts with targets, for a model with so many `outputs`: classes below it, as many labels, or numbers for one.
    ///
    /// # Errors
    /// Returns an error if their numbers differ, or a target does not fit the outputs.
    pub fn with_targets(sentences: Vec<Vec<u32>>, targets: Targets, outputs: usize) -> Result<Self, TrainError> {
        if sentences.len() != targets.len() {
            return Err(TrainError::Length { sentences: sentences.len(), labels: targets.len() });
        }
        let unfit = targets.classes().iter().enumerate().find(|(_, label)| **label >= outputs);
        if let Some((sentence, &label)) = unfit {
            return Err(TrainError::Label { sentence, label, classes: outputs });
        }
        let width = match &targets {
            Targets::Classes(_) => outputs,
            Targets::Labels { labels, .. } => *labels,
            Targets::Values(_) => 1,
        };
        if width != outputs {
            return Err(TrainError::argument("outputs", format!("{outputs} outputs for {width} labels")));
        }
        let rows = (0..sentences.len()).collect();
        let starts = (0..=sentences.len()).collect();
        let (token_type_ids, pool) = (Vec::new(), WindowPool::default());
        let all = Sequences { input_ids: sentences, token_type_ids, starts, pool };
        Ok(Self { rows, all: Arc::new(all), targets })
    }

    /// Replaces the tokens of the whole data set by those of texts, which may have segments and several windows.
    ///
    /// # Errors
    /// Returns an error if the number of texts is not that of the data set.
    pub fn with_texts(self, texts: EncodedTexts) -> Result<Self, TrainError> {
        let (sentences, labels) = (texts.windows.counts().len(), self.all.starts.len() - 1);
        match sentences == labels {
            true => Ok(Self { all: Arc::new(texts.into()), ..self }),
            false => Err(TrainError::Length { sentences, labels }),
        }
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
            targets: self.targets.select(&rows().copied().collect::<Vec<_>>()),
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

    /// Returns the class of each example; none if the examples have other targets.
    pub fn labels(&self) -> &[usize] {
        self.targets.classes()
    }

    /// Returns the target of each example.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Returns the token ids of an example; those of the first window, if it has several.
    ///
    /// # Panics
    /// Panics if there is no such row.
    pub fn sentence(&self, row: usize) -> &[u32] {
        self.all.get(self.all.of_text(self.rows[row]).start).input_ids
    }

    /// Returns the number of tokens of an example, in all of its windows.
    pub fn tokens(&self, row: usize) -> usize {
        self.all.of_text(self.rows[row]).map(|sequence| self.all.get(sequence).input_ids.len()).sum()
    }

    /// Returns the token ids of each example, or of each of its windows.
    pub fn sentences(&self) -> Vec<&[u32]> {
        self.sequences().into_iter().map(|sequence| sequence.input_ids).collect()
    }

    /// Returns the tokens of each example, or of each of its windows: their ids and segments.
    pub fn sequences(&self) -> Vec<Sequence<'_>> {
        self.rows.iter().flat_map(|&row| self.all.of_text(row)).map(|sequence| self.all.get(sequence)).collect()
    }

    /// Returns how many of the [`sequences`](Self::sequences) are the windows of each example, and how their outputs are pooled.
    pub fn windows(&self) -> Windows {
        Windows::new(self.rows.iter().map(|&row| self.all.of_text(row).len()).collect(), self.all.pool)
    }

    /// Checks that the longest `texts` of the examples, which are trained on at once, have at most 32 windows: training keeps
    /// what the gradients of all of them need in memory.
    ///
    /// # Errors
    /// Returns an error that names the example, or says that it is a batch of several.
    pub fn check_windows(&self, texts: usize) -> Result<(), TrainError> {
        let mut windows: Vec<(usize, usize)> =
            self.rows.iter().enumerate().map(|(row, &text)| (self.all.of_text(text).len(), row)).collect();
        windows.sort_unstable_by_key(|&(count, _)| std::cmp::Reverse(count));
        let longest = &windows[..windows.len().min(texts)];
        let count: usize = longest.iter().map(|(count, _)| count).sum();
        if count <= MOST_WINDOWS.max(texts) {
            return Ok(());
        }
        let examples = match longest {
            [(_, row)] => format!("example {} (counted from 0) has {count} windows", self.rows[*row]),
            _ => format!("a batch of the {} longest examples has {count} windows", longest.len()),
        };
        let reason = format!(
            "{examples}, and training computes them at once, at most {MOST_WINDOWS}; shorten these texts, or use a larger \
             maximum length, a smaller stride or head-tail"
        );
        Err(TrainError::argument("long_texts", reason))
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
        let labels: Vec<u32> = match &self.targets {
            Targets::Classes(classes) => classes.iter().map(|&class| class as u32).collect(),
            Targets::Labels { values, .. } => values.iter().map(|&value| u32::from(value)).collect(),
            Targets::Values(values) => values.iter().map(|&value| (value as f32).to_bits()).collect(),
        };
        let mut all = vec![fingerprint(self.sentences().into_iter()), fingerprint([labels.as_slice()].into_iter())];
        if !self.all.token_type_ids.is_empty() {
            all.push(fingerprint(self.sequences().into_iter().map(|sequence| sequence.token_type_ids)));
        }
        let windows = self.windows();
        if !windows.are_texts() {
            let counts: Vec<u32> = windows.counts().iter().map(|&count| count as u32).collect();
            all.push(format!("{} of {}", windows.pool(), fingerprint([counts.as_slice()].into_iter())));
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
