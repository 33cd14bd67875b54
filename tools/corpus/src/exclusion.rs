//! Texts that the corpus must not contain.

use std::collections::HashSet;

/// The number of consecutive words that count as a copy.
pub const RUN: usize = 6;

/// Excluded texts. A document is rejected if it shares [`RUN`] consecutive words with one of them or, for texts of
/// fewer words, if it contains the text as complete sentences. Case and punctuation are ignored.
#[derive(Debug, Clone, Default)]
pub struct Exclusion {
    runs: HashSet<String>,
    short: HashSet<String>,
}

impl Exclusion {
    /// Creates an exclusion of these texts.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut exclusion = Self::default();
        exclusion.extend(texts);
        exclusion
    }

    /// Excludes more texts.
    pub fn extend<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        for text in texts {
            let words: Vec<String> = words(text).into_iter().map(|word| word.text).collect();
            if words.len() < RUN {
                self.short.insert(words.join(" "));
            } else {
                self.runs.extend(words.windows(RUN).map(|run| run.join(" ")));
            }
        }
    }

    /// Returns whether a document contains an excluded text.
    pub fn touches(&self, document: &str) -> bool {
        let words = words(document);
        let mut run = String::new();
        (0..words.len()).any(|start| {
            run.clear();
            words[start..].iter().take(RUN).enumerate().any(|(index, word)| {
                if index > 0 {
                    run.push(' ');
                }
                run.push_str(&word.text);
                let whole = words[start].opens && word.closes;
                (index + 1 == RUN && self.runs.contains(&run)) || (whole && self.short.contains(&run))
            })
        })
    }
}

/// A lower-case word, and whether it begins or ends a sentence.
struct Word {
    text: String,
    opens: bool,
    closes: bool,
}

fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for token in text.split_whitespace() {
        let opens = words.last().is_none_or(|word| word.closes);
        let letters = token.chars().filter(|letter| letter.is_alphanumeric());
        let letters: String = letters.flat_map(char::to_lowercase).collect();
        let closes = token.contains(['.', '!', '?', ':']);
        if !letters.is_empty() {
            words.push(Word { text: letters, opens, closes });
        }
    }
    if let Some(last) = words.last_mut() {
        last.closes = true;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::Exclusion;

    #[test]
    fn short_texts_are_matched_as_sentences_and_long_ones_by_runs() {
        let exclusion = Exclusion::new(["Not bad, acceptable.", "I am happy with the output."]);
        for text in
            ["NOT BAD ACCEPTABLE", "Well. Not bad - acceptable! Yes.", "And I am happy with the output, mostly."]
        {
            assert!(exclusion.touches(text), "{text}");
        }
        for text in ["Not bad, acceptable on the whole.", "Not bad.", "I am happy with the new output."] {
            assert!(!exclusion.touches(text), "{text}");
        }
    }
}
