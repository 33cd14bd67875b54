//! The format of the grammar and the lexicon.
//!
//! Both are text files of sections. A head names a symbol, the polarities and domains (see [`DOMAINS`]) in which the
//! entries below it may be drawn, and optionally their weight (default 1):
//!
//! ```text
//! [adj + *] x4            # generic positive adjectives, drawn four times as often
//! good, nice, great
//! [adj + food,hotel]
//! tasty, fresh
//! [remark +-]             # entries of a grammar file: one a line; no domain is every domain
//! The <part> <be:t> <adj>{, really|}.
//! 3* I <like:i> the <THING>.
//! ```
//!
//! Polarities are any of `+`, `-` and `0`, or `*` for all. Entries are separated by commas in a lexicon file, and by
//! lines in a grammar file, where a line may have a weight of its own. `#` begins a comment, which extends to the end
//! of the line.
//!
//! In an entry, `<adj>` is a slot: it is replaced by an entry of that symbol in the document's domain, with the current
//! polarity. `<adj~>` uses the opposite polarity, and `<adj+>`, `<adj->` and `<adj0>` a fixed one. `<THING>` is drawn
//! once per document and then repeated. `<like:ing>` inflects the entry: `s`, `ed`, `ing`, `en` (participle), `pl`
//! (plural), and in the tense of the document `t` (it), `tp` (they) and `i` (I). `{a|b|}` is one of the alternatives
//! between the bars, of which one may be empty.
//!
//! An entry that cannot be completed in a domain, because a symbol has no word there, is not used in this domain. A
//! sentence about faults is therefore written once, and is used in all domains with faults.

use std::collections::HashMap;

use thiserror::Error;

use crate::inflect::Form;

/// The opinion of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Polarity {
    /// Negative.
    Negative,
    /// Neutral facts.
    Neutral,
    /// Positive, including mild praise.
    Positive,
}

impl Polarity {
    pub(crate) const ALL: [Self; 3] = [Self::Negative, Self::Neutral, Self::Positive];

    fn mark(self) -> char {
        ['-', '0', '+'][self as usize]
    }

    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::Negative => Self::Positive,
            Self::Neutral => Self::Neutral,
            Self::Positive => Self::Negative,
        }
    }
}

impl std::fmt::Display for Polarity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(["negative", "neutral", "positive"][*self as usize])
    }
}

/// The domains of documents.
pub const DOMAINS: [&str; 10] =
    ["software", "gadget", "film", "book", "hotel", "food", "service", "work", "travel", "life"];

/// An error in a grammar or lexicon file.
#[derive(Debug, Error)]
#[error("{file}, line {line}: {fault}")]
pub(crate) struct GrammarError {
    file: String,
    line: usize,
    fault: String,
}

/// A part of an entry.
#[derive(Debug)]
pub(crate) enum Piece {
    Text(String),
    Slot(Slot),
    Choice(Vec<Vec<Piece>>),
}

/// A slot for an entry of a symbol.
#[derive(Debug)]
pub(crate) struct Slot {
    pub symbol: usize,
    pub at: At,
    pub form: Form,
    /// Whether the entry is drawn once per document.
    pub bound: bool,
}

/// The polarity of a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    Same,
    Opposite,
    Fixed(Polarity),
}

impl At {
    pub fn polarity(self, place: Polarity) -> Polarity {
        match self {
            Self::Same => place,
            Self::Opposite => place.opposite(),
            Self::Fixed(polarity) => polarity,
        }
    }
}

#[derive(Debug)]
struct Entry {
    polarities: [bool; 3],
    domains: [bool; DOMAINS.len()],
    weight: usize,
    pieces: Vec<Piece>,
}

#[derive(Debug, Default)]
struct Symbol {
    entries: Vec<Entry>,
    /// The first occurrence of the symbol, for messages.
    origin: (String, usize),
    /// The entries that can be completed, by polarity and domain, repeated by their weight.
    usable: [[Option<Vec<u32>>; DOMAINS.len()]; 3],
}

/// The symbols and their entries.
#[derive(Debug, Default)]
pub(crate) struct Grammar {
    symbols: Vec<Symbol>,
    names: HashMap<String, usize>,
}

const FILES: [(&str, &str); 24] = [
    ("lexicon/positive.txt", include_str!("../lexicon/positive.txt")),
    ("lexicon/negative.txt", include_str!("../lexicon/negative.txt")),
    ("lexicon/praise.txt", include_str!("../lexicon/praise.txt")),
    ("lexicon/blame.txt", include_str!("../lexicon/blame.txt")),
    ("lexicon/valence.txt", include_str!("../lexicon/valence.txt")),
    ("lexicon/manner.txt", include_str!("../lexicon/manner.txt")),
    ("lexicon/stories.txt", include_str!("../lexicon/stories.txt")),
    ("lexicon/phrases.txt", include_str!("../lexicon/phrases.txt")),
    ("lexicon/degrees.txt", include_str!("../lexicon/degrees.txt")),
    ("lexicon/things.txt", include_str!("../lexicon/things.txt")),
    ("lexicon/domains.txt", include_str!("../lexicon/domains.txt")),
    ("lexicon/details.txt", include_str!("../lexicon/details.txt")),
    ("lexicon/everyday.txt", include_str!("../lexicon/everyday.txt")),
    ("grammar/documents.txt", include_str!("../grammar/documents.txt")),
    ("grammar/clauses.txt", include_str!("../grammar/clauses.txt")),
    ("grammar/remarks.txt", include_str!("../grammar/remarks.txt")),
    ("grammar/registers.txt", include_str!("../grammar/registers.txt")),
    ("grammar/speech.txt", include_str!("../grammar/speech.txt")),
    ("grammar/positive.txt", include_str!("../grammar/positive.txt")),
    ("grammar/negative.txt", include_str!("../grammar/negative.txt")),
    ("grammar/mild.txt", include_str!("../grammar/mild.txt")),
    ("grammar/verdicts.txt", include_str!("../grammar/verdicts.txt")),
    ("grammar/criticism.txt", include_str!("../grammar/criticism.txt")),
    ("grammar/neutral.txt", include_str!("../grammar/neutral.txt")),
];

impl Grammar {
    /// Returns the grammar of the corpus.
    pub fn of_the_corpus() -> Result<Self, GrammarError> {
        Self::parse(&FILES)
    }

    /// Parses files, given as `(name, text)`; entries of files in `lexicon/` are separated by commas.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, GrammarError> {
        let mut grammar = Self::default();
        for (file, text) in files {
            let mut head = None;
            for (index, line) in text.lines().enumerate() {
                let line = line.split('#').next().unwrap_or_default().trim();
                let result = grammar.line(line, &mut head, file, index + 1);
                result.map_err(|fault| GrammarError { file: file.to_string(), line: index + 1, fault })?;
            }
        }
        grammar.complete()?;
        Ok(grammar)
    }

    /// Returns the number of a symbol, if it exists.
    pub fn symbol(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// Returns the entries of a symbol that may be drawn with a polarity in a domain.
    pub fn usable(&self, symbol: usize, polarity: Polarity, domain: usize) -> &[u32] {
        self.symbols[symbol].usable[polarity as usize][domain].as_deref().unwrap_or_default()
    }

    /// Returns the pieces of an entry of a symbol.
    pub fn pieces(&self, symbol: usize, entry: u32) -> &[Piece] {
        &self.symbols[symbol].entries[entry as usize].pieces
    }

    fn line(&mut self, line: &str, head: &mut Option<Head>, file: &str, number: usize) -> Result<(), String> {
        if line.is_empty() {
            return Ok(());
        }
        if line.starts_with('[') {
            *head = Some(Head::parse(line, |name| self.intern(name, file, number))?);
            return Ok(());
        }
        let head = head.as_ref().ok_or("entry before the first [head]")?;
        if file.starts_with("lexicon/") {
            for entry in line.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
                self.entry(head, head.weight, entry, file, number)?;
            }
            return Ok(());
        }
        let weighted = line.split_once("* ").and_then(|(weight, text)| Some((weight.parse().ok()?, text)));
        let (weight, text): (usize, _) = weighted.unwrap_or((1, line));
        self.entry(head, weight * head.weight, text, file, number)
    }

    fn entry(&mut self, head: &Head, weight: usize, text: &str, file: &str, number: usize) -> Result<(), String> {
        let mut rest = text;
        let pieces = self.sequence(&mut rest, file, number)?;
        if !rest.is_empty() {
            return Err(format!("unmatched closing brace in `{rest}`"));
        }
        let entry = Entry { polarities: head.polarities, domains: head.domains, weight, pieces };
        self.symbols[head.symbol].entries.push(entry);
        Ok(())
    }

    /// Parses pieces up to a bar, a closing brace, or the end.
    fn sequence(&mut self, rest: &mut &str, file: &str, number: usize) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        loop {
            let end = rest.find(['<', '{', '|', '}']).unwrap_or(rest.len());
            let (text, tail) = rest.split_at(end);
            if !text.is_empty() {
                pieces.push(Piece::Text(text.into()));
            }
            *rest = tail;
            if let Some(tail) = rest.strip_prefix('<') {
                let (slot, tail) = tail.split_once('>').ok_or("missing `>` of a slot")?;
                pieces.push(Piece::Slot(self.slot(slot, file, number)?));
                *rest = tail;
            } else if rest.starts_with('{') {
                pieces.push(Piece::Choice(self.choice(rest, file, number)?));
            } else {
                return Ok(pieces);
            }
        }
    }

    fn choice(&mut self, rest: &mut &str, file: &str, number: usize) -> Result<Vec<Vec<Piece>>, String> {
        let mut branches = Vec::new();
        loop {
            *rest = &rest[1..];
            branches.push(self.sequence(rest, file, number)?);
            if let Some(tail) = rest.strip_prefix('}') {
                *rest = tail;
                return Ok(branches);
            }
            if rest.is_empty() {
                return Err("missing `}` of a choice".into());
            }
        }
    }

    fn slot(&mut self, text: &str, file: &str, number: usize) -> Result<Slot, String> {
        let (name, form) = text.split_once(':').unwrap_or((text, ""));
        let form = Form::parse(form).ok_or_else(|| format!("unknown form `{form}`"))?;
        let bare = name.trim_end_matches(['~', '+', '-', '0']);
        let at = match &name[bare.len()..] {
            "" => At::Same,
            "~" => At::Opposite,
            "+" => At::Fixed(Polarity::Positive),
            "-" => At::Fixed(Polarity::Negative),
            "0" => At::Fixed(Polarity::Neutral),
            mark => return Err(format!("unknown polarity `{mark}`")),
        };
        let bound = bare.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
        Ok(Slot { symbol: self.intern(&bare.to_ascii_lowercase(), file, number), at, form, bound })
    }

    fn intern(&mut self, name: &str, file: &str, number: usize) -> usize {
        if let Some(&symbol) = self.names.get(name) {
            return symbol;
        }
        self.names.insert(name.into(), self.symbols.len());
        self.symbols.push(Symbol { origin: (file.into(), number), ..Symbol::default() });
        self.symbols.len() - 1
    }

    /// Determines which entries can be completed. A symbol without entries is an error.
    fn complete(&mut self) -> Result<(), GrammarError> {
        for (name, &symbol) in &self.names {
            if self.symbols[symbol].entries.is_empty() {
                let (file, line) = self.symbols[symbol].origin.clone();
                return Err(GrammarError { file, line, fault: format!("symbol `{name}` has no entries") });
            }
        }
        for symbol in 0..self.symbols.len() {
            for polarity in Polarity::ALL {
                for domain in 0..DOMAINS.len() {
                    self.fill(symbol, polarity, domain);
                }
            }
        }
        Ok(())
    }

    fn fill(&mut self, symbol: usize, polarity: Polarity, domain: usize) {
        if self.symbols[symbol].usable[polarity as usize][domain].is_some() {
            return;
        }
        // An entry that contains its own symbol counts as incomplete: there is no recursion.
        self.symbols[symbol].usable[polarity as usize][domain] = Some(Vec::new());
        let mut usable = Vec::new();
        for index in 0..self.symbols[symbol].entries.len() {
            let entry = &self.symbols[symbol].entries[index];
            let weight = entry.weight;
            if !entry.polarities[polarity as usize] || !entry.domains[domain] {
                continue;
            }
            let mut slots = Vec::new();
            slots_of(&entry.pieces, &mut slots);
            let complete = slots.into_iter().all(|(symbol, at)| {
                let polarity = at.polarity(polarity);
                self.fill(symbol, polarity, domain);
                !self.usable(symbol, polarity, domain).is_empty()
            });
            if complete {
                usable.extend(std::iter::repeat_n(index as u32, weight));
            }
        }
        self.symbols[symbol].usable[polarity as usize][domain] = Some(usable);
    }
}

fn slots_of(pieces: &[Piece], slots: &mut Vec<(usize, At)>) {
    for piece in pieces {
        match piece {
            Piece::Text(_) => {}
            Piece::Slot(slot) => slots.push((slot.symbol, slot.at)),
            Piece::Choice(branches) => branches.iter().for_each(|branch| slots_of(branch, slots)),
        }
    }
}

/// The head of a section.
struct Head {
    symbol: usize,
    polarities: [bool; 3],
    domains: [bool; DOMAINS.len()],
    weight: usize,
}

impl Head {
    /// Parses `[symbol polarities domains] xweight`.
    fn parse(line: &str, intern: impl FnOnce(&str) -> usize) -> Result<Self, String> {
        let (head, weight) = line[1..].split_once(']').ok_or("missing `]` of a head")?;
        let weight = match weight.trim() {
            "" => 1,
            text => text
                .strip_prefix('x')
                .and_then(|text| text.parse().ok())
                .ok_or("invalid weight; expected `x` and a number")?,
        };
        let mut fields = head.split_whitespace();
        let symbol = fields.next().ok_or("missing symbol of a head")?;
        if !symbol.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_') {
            return Err(format!("invalid symbol `{symbol}`; expected lower-case letters and `_`"));
        }
        let marks = fields.next().unwrap_or("*");
        if let Some(mark) = marks.chars().find(|mark| !"+-0*".contains(*mark)) {
            return Err(format!("unknown polarity `{mark}`"));
        }
        let names = fields.next().unwrap_or("*");
        if let Some(name) = names.split(',').find(|name| *name != "*" && !DOMAINS.contains(name)) {
            return Err(format!("unknown domain `{name}`"));
        }
        let polarities = Polarity::ALL.map(|polarity| marks == "*" || marks.contains(polarity.mark()));
        let domains = DOMAINS.map(|domain| names == "*" || names.split(',').any(|name| name == domain));
        Ok(Self { symbol: intern(symbol), polarities, domains, weight })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{DOMAINS, Grammar, Polarity, slots_of};

    type Place = (usize, Polarity, usize);

    fn visit(grammar: &Grammar, place: Place, visited: &mut HashSet<Place>, reached: &mut HashSet<(usize, u32)>) {
        if !visited.insert(place) {
            return;
        }
        let (symbol, polarity, domain) = place;
        for &entry in grammar.usable(symbol, polarity, domain) {
            reached.insert((symbol, entry));
            let mut slots = Vec::new();
            slots_of(grammar.pieces(symbol, entry), &mut slots);
            for (symbol, at) in slots {
                visit(grammar, (symbol, at.polarity(polarity), domain), visited, reached);
            }
        }
    }

    #[test]
    fn every_entry_can_be_reached_from_a_document() {
        let grammar = Grammar::of_the_corpus().expect("a valid grammar");
        let document = grammar.symbol("document").expect("documents");
        let (mut visited, mut reached) = (HashSet::new(), HashSet::new());
        for polarity in Polarity::ALL {
            for (domain, name) in DOMAINS.iter().enumerate() {
                assert!(!grammar.usable(document, polarity, domain).is_empty(), "{polarity} {name}");
                visit(&grammar, (document, polarity, domain), &mut visited, &mut reached);
            }
        }
        for (name, &symbol) in &grammar.names {
            for (index, entry) in grammar.symbols[symbol].entries.iter().enumerate() {
                assert!(reached.contains(&(symbol, index as u32)), "[{name}] {:?} is never drawn", entry.pieces);
            }
        }
    }

    #[test]
    fn errors_name_file_and_line() {
        let cases = [
            ("good", "1: entry before the first [head]"),
            ("[adj ?]\ngood", "1: unknown polarity `?`"),
            ("[adj + shoes]\ngood", "1: unknown domain `shoes`"),
            ("[adj] often\ngood", "1: invalid weight; expected `x` and a number"),
            ("[adj2]\ngood", "1: invalid symbol `adj2`; expected lower-case letters and `_`"),
            ("[adj]\n<noun", "2: missing `>` of a slot"),
            ("[adj]\n<adj:long>", "2: unknown form `long`"),
            ("[adj]\n{a|b", "2: missing `}` of a choice"),
            ("[adj]\na} b", "2: unmatched closing brace in `} b`"),
            ("[adj]\n<noun>", "2: symbol `noun` has no entries"),
        ];
        for (text, fault) in cases {
            let error = Grammar::parse(&[("some.txt", text)]).expect_err(text);
            assert_eq!(error.to_string(), format!("some.txt, line {fault}"));
        }
    }
}
