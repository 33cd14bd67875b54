//! The blocks of scores that attention computes: of some queries of a sequence and the keys that they attend to.

use std::ops::Range;

use crate::layout::SequenceLayout;
use crate::selection::TokenSelection;

/// The least number of queries of a block. Smaller blocks are slower than the keys that they spare.
const BLOCK: usize = 64;

/// Some queries of a sequence, and the keys that they attend to.
pub(super) struct Span {
    pub(super) sequence: usize,
    /// The queries among all.
    pub(super) queries: Range<usize>,
    /// The keys among all tokens.
    pub(super) tokens: Range<usize>,
    /// The index of the first probability.
    pub(super) weights: usize,
    /// The position of the first key minus that of each query; empty if scores do not depend on positions.
    pub(super) distances: Vec<isize>,
}

impl Span {
    /// The number of probabilities of one head.
    pub(super) fn area(&self) -> usize {
        self.queries.len() * self.tokens.len()
    }
}

/// The blocks of a batch, in the order of their queries. Without a window, each sequence is one block.
pub(super) fn spans(
    layout: &SequenceLayout,
    selection: TokenSelection,
    heads: usize,
    window: Option<usize>,
    relative: bool,
) -> Vec<Span> {
    let positions = if relative || window.is_some() { layout.positions(selection) } else { Vec::new() };
    let (mut spans, mut weights) = (Vec::with_capacity(layout.cu_seqlens.len()), 0);
    for (sequence, pair) in layout.cu_seqlens.windows(2).enumerate() {
        let tokens = pair[0]..pair[1];
        let queries = match (selection, layout.cu_selected.get(sequence..sequence + 2)) {
            (TokenSelection::All, _) | (TokenSelection::Selected, None) => tokens.clone(),
            (TokenSelection::First, _) => sequence..sequence + 1,
            (TokenSelection::Selected, Some(selected)) => selected[0]..selected[1],
        };
        let block = window.map_or(queries.len(), |window| window.max(BLOCK)).max(1);
        for start in queries.clone().step_by(block) {
            let queries = start..queries.end.min(start + block);
            let positions = positions.get(queries.clone()).unwrap_or_default();
            let tokens = match (window, positions) {
                (Some(window), [first, .., last]) => near(&tokens, *first as usize, *last as usize, window),
                (Some(window), [only]) => near(&tokens, *only as usize, *only as usize, window),
                _ => tokens.clone(),
            };
            let first = (tokens.start - pair[0]) as isize;
            let distances = positions.iter().map(|&position| first - position as isize).collect();
            let span = Span { sequence, queries, tokens, weights, distances };
            weights += heads * span.area();
            spans.push(span);
        }
    }
    spans
}

/// The tokens of a sequence within a window around the positions from `first` to `last`.
fn near(tokens: &Range<usize>, first: usize, last: usize, window: usize) -> Range<usize> {
    tokens.start + first.saturating_sub(window)..tokens.end.min(tokens.start + last + window + 1)
}
