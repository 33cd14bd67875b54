//! A WordPiece vocabulary learned from text.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
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

/// The first ids of every vocabulary that is learned here.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
/// The most characters that get an entry, and how often two pieces must meet to become one: as Hugging Face's
/// `BertWordPieceTokenizer` has them.
const ALPHABET: usize = 1000;
const MIN_FREQUENCY: u64 = 2;

/// How often a character was seen, and whether ever behind another one of its word.
#[derive(Default)]
struct Seen {
    count: u64,
    inside: bool,
}

type Alphabet = BTreeMap<char, Seen>;

impl Tokenizer {
    /// Learns a lower-case WordPiece vocabulary of at most `size` entries from text files, which are read line by line.
    ///
    /// The trainer is Hugging Face's. It numbers the characters that continue a word in the order of a hash table, and
    /// breaks ties by these numbers; here the alphabet is numbered beforehand, so that the same text gives the same
    /// vocabulary.
    ///
    /// # Errors
    /// When a file cannot be read or is not UTF-8, holds no word, or has more characters than `size` has room for.
    pub fn learn(files: &[PathBuf], size: usize) -> Result<Self, TokenizerError> {
        let alphabet = Mutex::new(Alphabet::new());
        let mut trainer = WordPieceTrainer::builder().show_progress(false).min_frequency(MIN_FREQUENCY).build();
        let mut failure = None;
        let lines = files.iter().flat_map(|file| lines(file));
        let lines = lines.map_while(|line| line.map_err(|error| failure = Some(error)).ok());
        trainer
            .feed(lines, |line| words(line, &alphabet))
            .map_err(|error| TokenizerError::Encode(error.to_string()))?;
        if let Some(error) = failure {
            return Err(error);
        }
        let alphabet = most_frequent(alphabet.into_inner().unwrap_or_else(PoisonError::into_inner));
        if alphabet.is_empty() {
            return Err(TokenizerError::NoWords);
        }

        let whole = alphabet.keys().map(char::to_string);
        let inside = alphabet.iter().filter(|(_, seen)| seen.inside).map(|(character, _)| format!("##{character}"));
        let first: Vec<String> = SPECIAL.map(String::from).into_iter().chain(whole).chain(inside).collect();
        if first.len() > size {
            return Err(TokenizerError::Size { size, least: first.len() });
        }
        trainer.set_vocab_size(size);
        trainer.set_limit_alphabet(Some(alphabet.len()));
        trainer.set_initial_alphabet(alphabet.into_keys().collect::<HashSet<char>>());
        trainer.set_special_tokens(first.into_iter().map(|token| AddedToken::from(token, false)).collect());
        let mut model = WordPiece::default();
        trainer.train(&mut model).map_err(|error| TokenizerError::Encode(error.to_string()))?;
        let mut entries: Vec<(String, u32)> = model.get_vocab().into_iter().collect();
        entries.sort_by_key(|(_, id)| *id);
        Self::wordpiece(entries.into_iter().map(|(token, _)| token).collect(), true)
    }
}

/// The lines of a file; an error names the file, and the line where there is one.
fn lines(path: &Path) -> Box<dyn Iterator<Item = Result<String, TokenizerError>> + Send + '_> {
    let broken = |source| TokenizerError::Io { path: path.into(), source };
    match File::open(path) {
        Ok(file) => Box::new(BufReader::new(file).lines().enumerate().map(move |(index, line)| {
            line.map_err(|error| TokenizerError::Invalid {
                path: path.into(),
                reason: format!("line {}: {error}", index + 1),
            })
        })),
        Err(error) => Box::new(std::iter::once(Err(broken(error)))),
    }
}

/// The words of a line as BERT sees them, counted into the alphabet.
fn words(line: &str, alphabet: &Mutex<Alphabet>) -> tokenizers::Result<Vec<String>> {
    let mut normalized = NormalizedString::from(line);
    BertNormalizer::default().normalize(&mut normalized)?;
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
