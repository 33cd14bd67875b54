//! Learns a WordPiece vocabulary from text.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{
    AddedToken, Model, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    Trainer,
};

use crate::error::TokenizerError;
use crate::tokenizer::Tokenizer;

/// The first entries of every learned vocabulary.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
/// The maximum size of the alphabet, and the minimum frequency of a pair that is merged, as in Hugging Face's
/// `BertWordPieceTokenizer`.
const ALPHABET: usize = 1000;
const MIN_FREQUENCY: u64 = 2;

/// The frequency of each character, and whether it ever continues a word.
#[derive(Default)]
struct Seen {
    count: u64,
    inside: bool,
}

type Alphabet = BTreeMap<char, Seen>;

impl Tokenizer {
    /// Learns a WordPiece vocabulary of at most `size` entries from lines of text. With `lowercase`, texts are lower-cased and lose
    /// their accents, as by an uncased BERT.
    ///
    /// The trainer is Hugging Face's. It numbers the characters that continue a word in the order of a hash table, and
    /// breaks ties by these numbers. Here the alphabet is numbered first, so that the same text gives the same
    /// vocabulary.
    ///
    /// # Errors
    /// Returns the first error of a line, or an error if the lines have no word, or more characters than `size` allows.
    pub fn learn<L, E>(lines: L, size: usize, lowercase: bool) -> Result<Self, E>
    where
        L: IntoIterator<Item = Result<String, E>, IntoIter: Send>,
        E: From<TokenizerError> + Send,
    {
        let alphabet = Mutex::new(Alphabet::new());
        let mut trainer = WordPieceTrainer::builder().show_progress(false).min_frequency(MIN_FREQUENCY).build();
        let mut failure = None;
        let lines = lines.into_iter().map_while(|line| line.map_err(|error| failure = Some(error)).ok());
        trainer
            .feed(lines, |line| words(line, lowercase, &alphabet))
            .map_err(|error| TokenizerError::Encode(error.to_string()))?;
        if let Some(error) = failure {
            return Err(error);
        }
        let alphabet = most_frequent(alphabet.into_inner().unwrap_or_else(PoisonError::into_inner));
        if alphabet.is_empty() {
            return Err(TokenizerError::NoWords.into());
        }

        let whole = alphabet.keys().map(char::to_string);
        let inside = alphabet.iter().filter(|(_, seen)| seen.inside).map(|(character, _)| format!("##{character}"));
        let first: Vec<String> = SPECIAL.map(String::from).into_iter().chain(whole).chain(inside).collect();
        if first.len() > size {
            return Err(TokenizerError::Size { size, least: first.len() }.into());
        }
        trainer.set_vocab_size(size);
        trainer.set_limit_alphabet(Some(alphabet.len()));
        trainer.set_initial_alphabet(alphabet.into_keys().collect::<HashSet<char>>());
        trainer.set_special_tokens(first.into_iter().map(|token| AddedToken::from(token, false)).collect());
        let mut model = WordPiece::default();
        trainer.train(&mut model).map_err(|error| TokenizerError::Encode(error.to_string()))?;
        let mut entries: Vec<(String, u32)> = model.get_vocab().into_iter().collect();
        entries.sort_by_key(|(_, id)| *id);
        Ok(Self::wordpiece(entries.into_iter().map(|(token, _)| token).collect(), lowercase)?)
    }
}

/// Returns the words of a line after BERT's pre-tokenization, and counts their characters.
fn words(line: &str, lowercase: bool, alphabet: &Mutex<Alphabet>) -> tokenizers::Result<Vec<String>> {
    let mut normalized = NormalizedString::from(line);
    BertNormalizer::new(true, true, None, lowercase).normalize(&mut normalized)?;
    let mut split = PreTokenizedString::from(normalized);
    BertPreTokenizer.pre_tokenize(&mut split)?;
    let splits = split.get_splits(OffsetReferential::Original, OffsetType::Byte);
    let words: Vec<String> = splits.into_iter().map(|(word, ..)| word.to_string()).collect();
    let mut alphabet = alphabet.lock().unwrap_or_else(PoisonError::into_inner);
    for word in &words {
        for (index, character) in word.chars().enumerate() {
            let seen = alphabet.entry(character).or_default();
            seen.count += 1;
            seen.inside |= index > 0;
        }
    }
    Ok(words)
}

fn most_frequent(alphabet: Alphabet) -> Alphabet {
    let mut sorted: Vec<(char, Seen)> = alphabet.into_iter().collect();
    sorted.sort_by_key(|(character, seen)| (std::cmp::Reverse(seen.count), *character));
    sorted.into_iter().take(ALPHABET).collect()
}
