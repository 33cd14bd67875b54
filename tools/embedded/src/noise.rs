//! Noise in the lines that the model learns polarity from.
//!
//! A generated line is all opinion, in words that the model knows; real texts are not. So most lines get words that mean nothing, lose
//! some of theirs, or stand beside a neutral line. docs/transfer.md has the accuracy with and without it.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rekindle::tokenizer::Tokenizer;

/// Lines of a hundred that are changed.
const CHANGED: u32 = 70;
/// Tokens of a hundred in a changed line that are replaced by another word; as many get one before them.
const REPLACED: u32 = 15;
/// Tokens of a hundred in a changed line that are removed.
const REMOVED: u32 = 8;
/// Changed lines of a hundred that get a neutral line beside them.
const ACCOMPANIED: u32 = 30;
/// The most tokens of a word that means nothing.
const LONGEST: u32 = 4;

/// Changes lines, given as token ids between `[CLS]` and `[SEP]`.
pub struct Noise<'a> {
    random: ChaCha8Rng,
    /// Every token of the lines, as often as it occurs.
    tokens: Vec<u32>,
    /// The tokens that continue a word.
    continuations: Vec<u32>,
    neutral: Vec<&'a [u32]>,
    /// The most tokens of a line.
    max_length: usize,
}

impl<'a> Noise<'a> {
    /// Takes words from `lines`, and from the vocabulary; `neutral` are those of the lines without an opinion.
    pub fn new(
        lines: &'a [Vec<u32>],
        neutral: &[usize],
        (tokenizer, max_length): (&Tokenizer, usize),
        seed: u64,
    ) -> Self {
        let inner = |line: &'a Vec<u32>| &line[1..line.len() - 1];
        let continues = |id: &u32| tokenizer.token(*id).is_some_and(|token| token.starts_with("##"));
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            tokens: lines.iter().flat_map(inner).copied().collect(),
            continuations: (0..tokenizer.vocab_size() as u32).filter(continues).collect(),
            neutral: neutral.iter().map(|&line| inner(&lines[line])).collect(),
            max_length,
        }
    }

    /// Returns a line with noise. A neutral one gets no other line.
    pub fn disturb(&mut self, line: &[u32], is_neutral: bool) -> Vec<u32> {
        if !self.is_drawn(CHANGED) {
            return line.to_vec();
        }
        let [first, inner @ .., last] = line else { return line.to_vec() };
        let mut changed = Vec::with_capacity(2 * line.len());
        for &token in inner {
            match self.random.random_range(0..100) {
                draw if draw < REPLACED => self.word(&mut changed),
                draw if draw < REPLACED + REMOVED => {}
                draw if draw < 2 * REPLACED + REMOVED => {
                    self.word(&mut changed);
                    changed.push(token);
                }
                _ => changed.push(token),
            }
        }
        if !is_neutral && self.is_drawn(ACCOMPANIED) {
            let other = self.neutral.choose(&mut self.random).copied().unwrap_or_default();
            let place = if self.is_drawn(50) { 0 } else { changed.len() };
            changed.splice(place..place, other.iter().copied());
        }
        changed.truncate(self.max_length - 2);
        [&[*first], &*changed, &[*last]].concat()
    }

    /// Adds a word of another line, or one that does not exist.
    fn word(&mut self, text: &mut Vec<u32>) {
        text.extend(self.tokens.choose(&mut self.random));
        if self.is_drawn(50) {
            for _ in 0..self.random.random_range(1..LONGEST) {
                text.extend(self.continuations.choose(&mut self.random));
            }
        }
    }

    fn is_drawn(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }
}
