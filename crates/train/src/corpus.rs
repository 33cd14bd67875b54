//! Plain text as sequences for masked language modelling.

use std::path::{Path, PathBuf};

use rekindle_data::{open_text, text_lines};
use rekindle_tokenizer::Tokenizer;

use crate::error::TrainError;

/// Lines that are tokenized at once.
const CHUNK: usize = 4096;

/// Text as sequences of token ids: words between the special tokens of a text, `[CLS]` and `[SEP]` for BERT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corpus {
    /// The sequences to train on.
    pub train: Vec<Vec<u32>>,
    /// The sequences that are held out for evaluation.
    pub held_out: Vec<Vec<u32>>,
    /// The number of lines read.
    pub lines: usize,
}

impl Corpus {
    /// Reads text files line by line, as [`open_text`] opens them.
    ///
    /// Consecutive lines share a sequence of at most `max_length` tokens. A blank line or the end of a file ends the
    /// sequence; a longer line is split over several. `held_out` percent of the sequences are held out, evenly spread.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read, `max_length` has no room for a word, or no sequence is
    /// left to train on.
    pub fn read(
        files: &[PathBuf],
        tokenizer: &Tokenizer,
        max_length: usize,
        held_out: usize,
    ) -> Result<Self, TrainError> {
        let mut packer = Packer::new(tokenizer, max_length)?;
        let mut corpus = Self::default();
        for path in files {
            let mut lines = Vec::with_capacity(CHUNK);
            for line in text_lines(open_text(path)?, path) {
                lines.push(line?);
                corpus.lines += 1;
                if lines.len() == CHUNK {
                    packer.add(&lines)?;
                    lines.clear();
                }
            }
            packer.add(&lines)?;
            packer.end();
        }
        for (index, sequence) in packer.sequences.into_iter().enumerate() {
            let held = (index + 1) * held_out / 100 > index * held_out / 100;
            if held { corpus.held_out.push(sequence) } else { corpus.train.push(sequence) }
        }
        if corpus.train.is_empty() {
            let named: Vec<String> = files.iter().map(|path: &PathBuf| Path::display(path).to_string()).collect();
            return Err(TrainError::NoText { files: named.join(", ") });
        }
        Ok(corpus)
    }

    /// Returns the number of tokens to train on.
    pub fn tokens(&self) -> usize {
        self.train.iter().map(Vec::len).sum()
    }
}

/// Packs lines into sequences.
struct Packer<'a> {
    tokenizer: &'a Tokenizer,
    special: Vec<u32>,
    /// The most words of a sequence.
    room: usize,
    words: Vec<u32>,
    sequences: Vec<Vec<u32>>,
}

impl<'a> Packer<'a> {
    fn new(tokenizer: &'a Tokenizer, max_length: usize) -> Result<Self, TrainError> {
        let special = tokenizer.special_tokens_per_text(false);
        if max_length <= special {
            return Err(rekindle_tokenizer::TokenizerError::MaxLength { max_length, special }.into());
        }
        let room = max_length - special;
        let (words, sequences) = (Vec::new(), Vec::new());
        Ok(Self { tokenizer, special: tokenizer.special_ids(), room, words, sequences })
    }

    fn add(&mut self, lines: &[String]) -> Result<(), TrainError> {
        for line in self.tokenizer.pieces_all(lines)? {
            if line.is_empty() || self.words.len() + line.len() > self.room {
                self.end();
            }
            for part in line.chunks(self.room) {
                if self.words.len() == self.room {
                    self.end();
                }
                self.words.extend_from_slice(part);
            }
        }
        Ok(())
    }

    /// Ends a sequence. A sequence of unknown words only is dropped: there is nothing to predict.
    fn end(&mut self) {
        let words = std::mem::take(&mut self.words);
        if words.iter().any(|id| self.special.binary_search(id).is_err()) {
            self.sequences.push(self.tokenizer.with_special_tokens(&words));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, max_length: usize, held_out: usize) -> Corpus {
        let vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "e", "f"].map(String::from);
        let tokenizer = Tokenizer::wordpiece(vocabulary.to_vec(), true).expect("a tokenizer");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("text.txt");
        std::fs::write(&path, text).expect("written");
        Corpus::read(&[path], &tokenizer, max_length, held_out).expect("a corpus")
    }

    #[test]
    fn lines_share_a_sequence_while_they_fit() {
        let corpus = read("a b\nc\nd e\n\nf\nz\n\nz\na b c d e f a b\nc\n", 6, 0);
        let expected: [&[u32]; 5] =
            [&[2, 5, 6, 7, 3], &[2, 8, 9, 3], &[2, 10, 1, 3], &[2, 5, 6, 7, 8, 3], &[2, 9, 10, 5, 6, 3]];
        // `z` alone is unknown and dropped; the long line goes over two sequences, and what follows into a third.
        assert_eq!(corpus.train[..5], expected);
        assert_eq!((corpus.train.len(), corpus.train[5].as_slice(), corpus.lines), (6, &[2, 7, 3][..], 10));
    }

    #[test]
    fn held_out_sequences_are_spread() {
        let corpus = read(&"a\n\nb\n\nc\n\nd\n\ne\n\n".repeat(4), 6, 20);
        assert_eq!(corpus.train.len(), 16);
        assert_eq!(corpus.held_out, vec![vec![2, 9, 3]; 4]);
    }
}
