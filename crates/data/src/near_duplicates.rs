//! Texts that are nearly equal: most of their shingles are the same.
//!
//! Candidates are found by MinHash (Broder, 1997) and locality-sensitive hashing (Leskovec, Rajaraman and Ullman, Mining of Massive
//! Datasets, chapter 3), and each is compared exactly. The time is linear in the number of texts.

use std::collections::{HashMap, HashSet};

use twox_hash::XxHash64;

use crate::equal_texts::normalise_pair;
use crate::groups::{join, root};

/// The number of characters of a shingle.
const SHINGLE: usize = 5;
/// The number of hash functions, at most.
const HASHES: usize = 128;
/// The probability with which a pair of texts that are as similar as the threshold is found, at least.
const RECALL: f64 = 0.999;
/// Maximum number of texts of a bucket that a text is compared with: the last ones.
const COMPARED: usize = 256;

/// The groups of nearly equal texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NearDuplicates {
    /// The group of each text, numbered by its first text. Equal texts are in one group, too.
    pub groups: Vec<usize>,
    /// The first pair that was found: both texts, which are not equal, and their similarity.
    pub example: Option<(usize, usize, f64)>,
}

/// Returns the groups of texts or text pairs that are nearly equal, also indirectly: the Jaccard similarity of their sets of shingles
/// is at least `threshold`. Shingles are five consecutive characters of the text, normalised as by
/// [`pair_groups`](crate::pair_groups); a shorter text is one shingle.
///
/// A pair as similar as the threshold is found with a probability of at least 0.999, a more similar one almost surely, and the
/// result is the same in every run. Of more than 256 texts that are alike in one band of hashes, such as those of one long template,
/// each is compared with the 256 before it only, so that pairs may be missed.
pub fn near_duplicates<'a>(
    texts: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    symmetric: bool,
    threshold: f64,
) -> NearDuplicates {
    let mut index = Index::new(threshold);
    let (mut numbers, mut of_text) = (HashMap::new(), Vec::new());
    let mut places = Vec::new();
    for (place, (text, text_pair)) in texts.into_iter().enumerate() {
        let mut normal = String::new();
        normalise_pair(text, text_pair, symmetric, &mut normal);
        let next = index.texts.len();
        let number = *numbers.entry(normal.clone()).or_insert(next);
        if number == next {
            places.push(place);
            index.add(normal);
        }
        of_text.push(number);
    }
    let example = index.example.map(|(a, b, similarity)| (places[a], places[b], similarity));
    // Groups are numbered by their first text.
    let mut first = HashMap::new();
    let mut group = |number: usize| {
        let next = first.len();
        *first.entry(root(&mut index.parents, number)).or_insert(next)
    };
    NearDuplicates { groups: of_text.into_iter().map(&mut group).collect(), example }
}

/// The distinct texts so far.
struct Index {
    threshold: f64,
    /// The multiplier and the summand of each hash function.
    functions: Vec<(u64, u64)>,
    /// The hash functions of a band.
    rows: usize,
    bands: Vec<Band>,
    texts: Vec<String>,
    parents: Vec<usize>,
    example: Option<(usize, usize, f64)>,
}

/// Texts by a part of their signatures: texts with the same part are in one bucket.
#[derive(Default)]
struct Band {
    /// The last text of each bucket.
    last: HashMap<u64, usize>,
    /// The text before each in its bucket.
    before: Vec<Option<usize>>,
}

impl Index {
    fn new(threshold: f64) -> Self {
        let rows = band_rows(threshold);
        let mut state = 0;
        let mut next = || splitmix(&mut state);
        let functions = (0..HASHES / rows * rows).map(|_| (next() | 1, next())).collect();
        let bands = (0..HASHES / rows).map(|_| Band::default()).collect();
        Self { threshold, functions, rows, bands, texts: Vec::new(), parents: Vec::new(), example: None }
    }

    /// Adds a normalised text that differs from all others, and connects it with those that it is nearly equal to.
    fn add(&mut self, normal: String) {
        let (number, shingles) = (self.texts.len(), shingles(&normal));
        let least = |&(a, b): &(u64, u64)| {
            let values = shingles.iter().map(|shingle| (shingle.wrapping_mul(a).wrapping_add(b) >> 32) as u32);
            values.min().unwrap_or_default()
        };
        let signature: Vec<u8> = self.functions.iter().flat_map(|function| least(function).to_le_bytes()).collect();
        self.texts.push(normal);
        self.parents.push(number);
        let mut tested = HashSet::new();
        for (band, part) in self.bands.iter_mut().zip(signature.chunks(self.rows * size_of::<u32>())) {
            let newest = band.last.insert(XxHash64::oneshot(0, part), number);
            band.before.push(newest);
            let mut candidate = newest;
            for _ in 0..COMPARED {
                let Some(other) = candidate else { break };
                candidate = band.before[other];
                let is_joined = root(&mut self.parents, other) == root(&mut self.parents, number);
                if is_joined || !tested.insert(other) {
                    continue;
                }
                let similarity = jaccard(&shingles, &self::shingles(&self.texts[other]));
                if similarity >= self.threshold {
                    join(&mut self.parents, other, number);
                    self.example.get_or_insert((other, number, similarity));
                }
            }
        }
    }
}

/// Returns the number of hash functions per band: the most with which pairs at the threshold are found.
fn band_rows(threshold: f64) -> usize {
    let recall = |rows: usize| 1.0 - (1.0 - threshold.powi(rows as i32)).powi((HASHES / rows) as i32);
    (1..=16).rev().find(|&rows| recall(rows) >= RECALL).unwrap_or(1)
}

/// Returns the next number of SplitMix64.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Returns the hashes of the shingles of a text, ascending and each once.
fn shingles(normal: &str) -> Vec<u64> {
    let mut starts: Vec<usize> = normal.char_indices().map(|(start, _)| start).collect();
    starts.push(normal.len());
    let last = starts.len().saturating_sub(SHINGLE).max(1);
    let end = |first: usize| starts[(first + SHINGLE).min(starts.len() - 1)];
    let shingle = |first: usize| XxHash64::oneshot(0, &normal.as_bytes()[starts[first]..end(first)]);
    let mut hashes: Vec<u64> = (0..last).map(shingle).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// Returns the Jaccard similarity of two ascending sets.
fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut common, mut place) = (0, 0);
    for hash in a {
        while b.get(place).is_some_and(|other| other < hash) {
            place += 1;
        }
        common += usize::from(b.get(place) == Some(hash));
    }
    common as f64 / (a.len() + b.len() - common).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn similarity(a: &str, b: &str) -> f64 {
        jaccard(&shingles(a), &shingles(b))
    }

    #[test]
    fn the_similarity_is_that_of_the_sets_of_shingles() {
        // abcde bcdef against bcdef cdefg; a repeated shingle counts once.
        assert_eq!(similarity("abcdef", "bcdefg"), 1.0 / 3.0);
        assert_eq!(similarity("aaaaaaaa", "aaaaa"), 1.0);
        assert_eq!((similarity("ab", "ab"), similarity("ab", "abc"), similarity("", "")), (1.0, 0.0, 1.0));
        assert_eq!(similarity("äöüßé", "äöüßé!"), 0.5);
    }

    #[test]
    fn pairs_at_the_threshold_are_candidates() {
        assert_eq!([0.5, 0.8, 0.9, 1.0].map(band_rows), [2, 5, 8, 16]);
    }

    #[test]
    fn nearly_equal_texts_are_found_as_by_comparing_all_pairs() {
        let words =
            ["the", "order", "was", "late", "and", "broken", "again", "since", "monday", "please", "help", "us"];
        let mut state = 7;
        let mut word = || words[(splitmix(&mut state) % 12) as usize];
        let mut texts: Vec<String> = (0..300).map(|_| (0..14).map(|_| word()).collect::<Vec<_>>().join(" ")).collect();
        for row in 0..100 {
            let ends = ["!", " ok", " today", " thank you very much"];
            texts.push(format!("{}{}", texts[row * 3], ends[row % 4]));
        }
        let found = near_duplicates(texts.iter().map(|text| (text.as_str(), None)), false, 0.8);
        let sets: Vec<Vec<u64>> = texts.iter().map(|text| shingles(text)).collect();
        let mut parents: Vec<usize> = (0..texts.len()).collect();
        for a in 0..texts.len() {
            for b in 0..a {
                if jaccard(&sets[a], &sets[b]) >= 0.8 {
                    join(&mut parents, a, b);
                }
            }
        }
        let mut first = HashMap::new();
        let mut expected = Vec::new();
        for row in 0..texts.len() {
            let next = first.len();
            expected.push(*first.entry(root(&mut parents, row)).or_insert(next));
        }
        assert_eq!(found.groups, expected);
        assert!(found.example.is_some_and(|(a, b, similarity)| a < b && (0.8..1.0).contains(&similarity)));
        assert!(expected.iter().max() < Some(&350), "most copies are nearly equal");
    }

    #[test]
    fn equal_texts_are_in_one_group_and_pairs_may_be_symmetric() {
        let texts = [("A  b", None), ("other", None), ("a b", None)];
        let found = near_duplicates(texts, false, 0.8);
        assert_eq!((found.groups, found.example), (vec![0, 1, 0], None));
        let pairs = [("one text", Some("another text")), ("another text", Some("One text"))];
        assert_eq!(near_duplicates(pairs, true, 0.9).groups, [0, 0]);
        assert_eq!(near_duplicates(pairs, false, 0.9).groups, [0, 1]);
    }
}
