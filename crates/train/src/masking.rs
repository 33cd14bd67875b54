//! Masking of words.

use burn::tensor::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rekindle_encoders::{EncoderConfig, MaskedLanguageModel, Mode};
use rekindle_infer::pack;
use rekindle_tokenizer::Tokenizer;

use crate::error::TrainError;
use crate::task::cross_entropies;

/// Masks words (Devlin et al., 2019), as transformers' `DataCollatorForLanguageModeling`: of the chosen tokens, 80 % become
/// the mask token, 10 % become a random token of the vocabulary, and 10 % are unchanged.
#[derive(Clone, Debug)]
pub struct Masking {
    mask: u32,
    words: u32,
    /// Sorted; never chosen.
    special: Vec<u32>,
    probability: f64,
}

impl Masking {
    /// The probability that transformers uses by default: 0.15.
    pub const DEFAULT_PROBABILITY: f64 = 0.15;

    /// Chooses each token with `probability`, except special tokens, which include unknown words.
    ///
    /// # Errors
    /// Returns an error if the tokenizer has no mask token, or the probability is not above 0 and at most 1.
    pub fn new(tokenizer: &Tokenizer, probability: f64) -> Result<Self, TrainError> {
        if !(probability > 0.0 && probability <= 1.0) {
            let reason = format!("{probability} is not above 0 and at most 1");
            return Err(TrainError::argument("mlm_probability", reason));
        }
        let mask = tokenizer.mask_id().ok_or(TrainError::NoMask)?;
        Ok(Self { mask, words: tokenizer.vocab_size() as u32, special: tokenizer.special_ids(), probability })
    }

    /// Returns the probability of a token to be chosen.
    pub fn probability(&self) -> f64 {
        self.probability
    }

    /// Returns whether a token can be chosen.
    pub fn is_word(&self, id: u32) -> bool {
        self.special.binary_search(&id).is_err()
    }

    /// Masks words of a batch. The result depends on the seed, the step and the batch only. If chance chooses no word, one
    /// is chosen anyway, so that there is a word to predict.
    pub fn hide<R: AsRef<[u32]>>(&self, sentences: &[R], seed: u64, step: u64) -> MaskedBatch {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(step);
        let mut sentences: Vec<Vec<u32>> = sentences.iter().map(|row| row.as_ref().to_vec()).collect();
        let tokens = || sentences.iter().flatten().enumerate();
        let words: Vec<u32> = tokens().filter(|(_, id)| self.is_word(**id)).map(|(place, _)| place as u32).collect();
        let mut places: Vec<u32> = words.iter().copied().filter(|_| chance(&mut rng, self.probability)).collect();
        if places.is_empty() && !words.is_empty() {
            places.push(words[below(&mut rng, words.len() as u32) as usize]);
        }
        let mut labels = Vec::with_capacity(places.len());
        let mut chosen = places.iter().copied().peekable();
        for (place, id) in sentences.iter_mut().flatten().enumerate() {
            if chosen.next_if(|&next| next as usize == place).is_some() {
                labels.push(*id as usize);
                if chance(&mut rng, 0.8) {
                    *id = self.mask;
                } else if chance(&mut rng, 0.5) {
                    *id = below(&mut rng, self.words);
                }
            }
        }
        MaskedBatch { sentences, places, labels }
    }
}

/// Returns true with this probability.
fn chance(rng: &mut ChaCha8Rng, probability: f64) -> bool {
    f64::from(rng.next_u32()) < probability * 2f64.powi(32)
}

/// Returns a whole number below `end`. All are equally likely to within 2⁻³² of `end`.
fn below(rng: &mut ChaCha8Rng, end: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(end)) >> 32) as u32
}

/// Sequences with masked words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskedBatch {
    /// The token ids of each sequence, as the model reads them.
    pub sentences: Vec<Vec<u32>>,
    /// The tokens to predict: their positions among all tokens of the batch, ascending.
    pub places: Vec<u32>,
    /// The original ids of these tokens.
    pub labels: Vec<usize>,
}

impl MaskedBatch {
    /// Returns some of the sequences, in the order given, with the tokens to predict in them.
    ///
    /// # Panics
    /// Panics if there is no such sequence.
    pub fn select(&self, sequences: &[usize]) -> Self {
        let mut starts = vec![0];
        starts.extend(self.sentences.iter().scan(0, |end, sequence| {
            *end += sequence.len() as u32;
            Some(*end)
        }));
        let (mut selected, mut length) = (Self::default(), 0);
        for &index in sequences {
            let (start, end) = (starts[index], starts[index + 1]);
            let chosen = [start, end].map(|bound| self.places.partition_point(|&place| place < bound));
            let chosen = chosen[0]..chosen[1];
            selected.places.extend(self.places[chosen.clone()].iter().map(|place| place - start + length));
            selected.labels.extend(&self.labels[chosen]);
            selected.sentences.push(self.sentences[index].clone());
            length += end - start;
        }
        selected
    }

    /// Returns the mean cross-entropy of the tokens to predict, in nats, `[1]`.
    ///
    /// # Errors
    /// Returns an error if the sequences do not fit the model, or there is no token to predict.
    pub fn loss(
        &self,
        model: &MaskedLanguageModel,
        config: &EncoderConfig,
        mode: Mode,
        device: &Device,
    ) -> Result<Tensor<1>, TrainError> {
        let batch = pack(&self.sentences, config, device)?.selecting(&self.places)?;
        Ok(cross_entropies(model.forward(&batch, mode), &self.labels).mean())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masking(probability: f64) -> Masking {
        let words = (0..995).map(|word| format!("w{word}"));
        let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from);
        let tokenizer = Tokenizer::wordpiece(special.into_iter().chain(words).collect(), true).expect("a tokenizer");
        Masking::new(&tokenizer, probability).expect("a masking")
    }

    /// Every count lies within five standard deviations of its expectation.
    fn near(count: usize, trials: usize, probability: f64, what: &str) {
        let mean = trials as f64 * probability;
        let deviation = (mean * (1.0 - probability)).sqrt();
        assert!((count as f64 - mean).abs() < 5.0 * deviation, "{what}: {count} of {trials}, {mean} expected");
    }

    #[test]
    fn as_many_are_hidden_as_should_be_and_never_a_special_token() {
        let masking = masking(0.15);
        let row: Vec<u32> = [2].into_iter().chain((0..96).map(|word| 5 + word * 10)).chain([1, 0, 4, 3]).collect();
        let rows = vec![row; 2000];
        let masked = masking.hide(&rows, 1, 7);
        let words = 2000 * 96;
        near(masked.places.len(), words, 0.15, "chosen");
        let (before, after): (Vec<u32>, Vec<u32>) = (rows.concat(), masked.sentences.concat());
        let (mut hidden, mut kept) = (0, 0);
        for (&place, &label) in masked.places.iter().zip(&masked.labels) {
            let (before, after) = (before[place as usize], after[place as usize]);
            assert!(before as usize == label && before >= 5, "a word, and the one that was there");
            hidden += usize::from(after == masking.mask);
            kept += usize::from(after == before);
        }
        // A random entry is one of 1,000, [MASK] and the word itself among them.
        near(hidden, masked.places.len(), 0.8 + 0.1 / 1000.0, "[MASK]");
        near(kept, masked.places.len(), 0.1 + 0.1 / 1000.0, "kept");
        let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert_eq!(changed, masked.places.len() - kept, "nothing else changes");
    }

    #[test]
    fn selected_sequences_keep_their_masked_words() {
        let rows: Vec<Vec<u32>> = (3..20u32)
            .map(|length| [2].into_iter().chain((0..length).map(|word| 5 + word * 7)).chain([3]).collect())
            .collect();
        let masked = masking(0.4).hide(&rows, 3, 1);
        let all: Vec<usize> = (0..rows.len()).collect();
        assert_eq!(masked.select(&all), masked);
        let order = [7, 0, 16];
        let selected = masked.select(&order);
        let before = order.map(|row| rows[row].clone()).concat();
        assert_eq!(selected.sentences, order.map(|row| masked.sentences[row].clone()));
        assert!(!selected.places.is_empty() && selected.places.is_sorted());
        for (&place, &label) in selected.places.iter().zip(&selected.labels) {
            assert_eq!(before[place as usize] as usize, label);
        }
        let parts: usize = all.iter().map(|&row| masked.select(&[row]).labels.len()).sum();
        assert_eq!(parts, masked.labels.len());
    }

    #[test]
    fn seed_and_step_decide_and_something_is_always_hidden() {
        let rows = [[2, 50, 60, 70, 3]];
        let hide = |seed, step| masking(1e-9).hide(&rows, seed, step);
        assert_eq!(hide(1, 2), hide(1, 2));
        assert!((0..50).any(|step| hide(1, step) != hide(1, 2)) && (0..50).any(|seed| hide(seed, 2) != hide(1, 2)));
        for step in 0..50 {
            let masked = hide(3, step);
            assert!(masked.places.len() == 1 && (1..4).contains(&masked.places[0]), "{masked:?}");
        }
    }
}
