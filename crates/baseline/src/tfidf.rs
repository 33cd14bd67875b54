//! TF-IDF.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use regex::Regex;

use crate::error::BaselineError;
use crate::sparse::SparseRows;

/// scikit-learn's `(?u)\b\w\w+\b`. Python's `\w` is a letter, a number or `_`; in the `regex` crate `\w` also includes
/// marks.
static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[\p{L}\p{N}_]{2,}").expect("a valid pattern"));

/// `TfidfVectorizer()` with its defaults: lower-case words, smoothed inverse document frequencies, rows of length 1.
#[derive(Clone, Debug)]
pub(crate) struct Tfidf {
    columns: HashMap<String, u32>,
    idf: Vec<f64>,
}

impl Tfidf {
    /// Learns the vocabulary of `texts`, in the order of Unicode. The weight of a word that occurs in `df` of `n` texts
    /// is ln((1 + n) / (1 + df)) + 1. Returns an error if no text has a word.
    pub(crate) fn fit(texts: &[&str]) -> Result<Self, BaselineError> {
        let mut frequencies: BTreeMap<String, u32> = BTreeMap::new();
        for text in texts {
            let text = text.to_lowercase();
            let mut words: Vec<&str> = words(&text).collect();
            words.sort_unstable();
            words.dedup();
            for word in words {
                match frequencies.get_mut(word) {
                    Some(frequency) => *frequency += 1,
                    None => drop(frequencies.insert(word.to_string(), 1)),
                }
            }
        }
        if frequencies.is_empty() {
            return Err(BaselineError::NoWords);
        }
        let smooth = |&frequency: &u32| ((1.0 + texts.len() as f64) / (1.0 + f64::from(frequency))).ln() + 1.0;
        let idf = frequencies.values().map(smooth).collect();
        Ok(Self { columns: frequencies.into_keys().zip(0..).collect(), idf })
    }

    /// Returns the size of the vocabulary.
    pub(crate) fn len(&self) -> usize {
        self.idf.len()
    }

    /// Returns the weighted word counts of each text, scaled to length 1. A text without known words is an empty row.
    pub(crate) fn transform(&self, texts: &[&str]) -> SparseRows {
        let mut rows = SparseRows::default();
        for text in texts {
            let text = text.to_lowercase();
            let mut columns: Vec<u32> = words(&text).filter_map(|word| self.columns.get(word).copied()).collect();
            columns.sort_unstable();
            let counted = columns.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64));
            let weighed = counted.map(|(column, count)| (column, count * self.idf[column as usize]));
            let length = weighed.clone().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
            rows.push(weighed.map(|(column, weight)| (column, weight / length)));
        }
        rows
    }

    /// Returns the words and their weights, in the order of the columns.
    #[cfg(test)]
    pub(crate) fn vocabulary(&self) -> Vec<(&str, f64)> {
        let mut words: Vec<(&str, f64)> =
            self.columns.iter().map(|(word, &column)| (word.as_str(), self.idf[column as usize])).collect();
        words.sort_unstable_by_key(|&(word, _)| word);
        words
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    WORD.find_iter(text).map(|found| found.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_at_least_two_letters_or_digits() {
        let found: Vec<&str> = words("a bc, d_e 42 x2 — n't naïve 日本 🙂🙂").collect();
        assert_eq!(found, ["bc", "d_e", "42", "x2", "naïve", "日本"]);
        assert!(matches!(Tfidf::fit(&["a", "!", ""]), Err(BaselineError::NoWords)));
    }
}
