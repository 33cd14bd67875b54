//! Generates documents from the grammar.

use std::sync::OnceLock;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::exclusion::Exclusion;
use crate::grammar::{At, Grammar, Piece, Polarity, Slot};
use crate::inflect::{Form, Tense, inflect};
use crate::surface::{finish, stutters};

/// A line of the corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// One to five sentences, without a line break.
    pub text: String,
    /// The opinion of the document.
    pub polarity: Polarity,
}

/// An infinite corpus that follows from a seed.
#[derive(Debug, Clone)]
pub struct Generator {
    random: ChaCha8Rng,
    exclusion: Exclusion,
}

/// The percentages of neutral and of positive documents; the others are negative.
const NEUTRAL: u32 = 15;
const POSITIVE: u32 = 43;

/// The places in [`DOMAINS`](crate::grammar::DOMAINS) that are drawn from: films and books several times, because most words of criticism are about them.
const DRAWN_DOMAINS: [usize; 14] = [0, 1, 2, 2, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9];

impl Generator {
    /// Creates the corpus of a seed. It never contains a sentence of the built-in data (`excluded.txt`).
    pub fn new(seed: u64) -> Self {
        let exclusion = Exclusion::new(include_str!("../excluded.txt").lines());
        Self { random: ChaCha8Rng::seed_from_u64(seed), exclusion }
    }

    /// Excludes further texts, on which a model will be tested, by the rules of [`Exclusion`].
    pub fn excluding<'a>(mut self, texts: impl IntoIterator<Item = &'a str>) -> Self {
        self.exclusion.extend(texts);
        self
    }

    fn document(&mut self) -> Document {
        let polarity = match self.random.random_range(0..100u32) {
            draw if draw < NEUTRAL => Polarity::Neutral,
            draw if draw < NEUTRAL + POSITIVE => Polarity::Positive,
            _ => Polarity::Negative,
        };
        let domain = DRAWN_DOMAINS[self.random.random_range(0..DRAWN_DOMAINS.len() as u32) as usize];
        let tense = if self.random.random_range(0..2u32) == 0 { Tense::Present } else { Tense::Past };
        let mut writer = Writer {
            grammar: grammar(),
            random: &mut self.random,
            domain,
            tense,
            drawn: Vec::new(),
            bound: Vec::new(),
        };
        let mut text = String::new();
        let document = writer.grammar.symbol("document").expect("the grammar has documents");
        let slot = Slot { symbol: document, at: At::Same, form: Form::Base, bound: false };
        writer.slot(&slot, polarity, &mut text);
        Document { text: finish(&text), polarity }
    }
}

impl Iterator for Generator {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        loop {
            let document = self.document();
            if !stutters(&document.text) && !self.exclusion.touches(&document.text) {
                return Some(document);
            }
        }
    }
}

fn grammar() -> &'static Grammar {
    static GRAMMAR: OnceLock<Grammar> = OnceLock::new();
    GRAMMAR.get_or_init(|| Grammar::of_the_corpus().expect("the grammar is valid, as a test checks"))
}

/// How often an entry is drawn again if the document already contains it.
const REDRAWS: usize = 4;

/// The state while one document is generated.
struct Writer<'a> {
    grammar: &'static Grammar,
    random: &'a mut ChaCha8Rng,
    domain: usize,
    tense: Tense,
    /// The symbols and entries in the document so far.
    drawn: Vec<(usize, u32)>,
    /// The symbols that are drawn once per document, and their words.
    bound: Vec<(usize, String)>,
}

impl Writer<'_> {
    fn slot(&mut self, slot: &Slot, place: Polarity, text: &mut String) {
        let polarity = slot.at.polarity(place);
        if slot.form == Form::Base && !slot.bound {
            return self.expand(slot.symbol, polarity, text);
        }
        let known = self.bound.iter().find(|(symbol, _)| slot.bound && *symbol == slot.symbol);
        let word = match known {
            Some((_, word)) => word.clone(),
            None => {
                let mut word = String::new();
                self.expand(slot.symbol, polarity, &mut word);
                if slot.bound {
                    self.bound.push((slot.symbol, word.clone()));
                }
                word
            }
        };
        text.push_str(&inflect(&word, slot.form, self.tense));
    }

    fn expand(&mut self, symbol: usize, polarity: Polarity, text: &mut String) {
        let usable = self.grammar.usable(symbol, polarity, self.domain);
        let mut entry = self.pick(usable);
        for _ in 0..REDRAWS {
            if !self.drawn.contains(&(symbol, entry)) {
                break;
            }
            entry = self.pick(usable);
        }
        self.drawn.push((symbol, entry));
        self.write(self.grammar.pieces(symbol, entry), polarity, text);
    }

    fn write(&mut self, pieces: &'static [Piece], polarity: Polarity, text: &mut String) {
        for piece in pieces {
            match piece {
                Piece::Text(words) => text.push_str(words),
                Piece::Slot(slot) => self.slot(slot, polarity, text),
                Piece::Choice(branches) => {
                    let branch = self.random.random_range(0..branches.len() as u32) as usize;
                    self.write(&branches[branch], polarity, text);
                }
            }
        }
    }

    fn pick(&mut self, usable: &[u32]) -> u32 {
        usable[self.random.random_range(0..usable.len() as u32) as usize]
    }
}
