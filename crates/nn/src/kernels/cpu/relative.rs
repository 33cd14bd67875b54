//! What the distance between query and key adds to their score.

use rekindle_ops::FlexTensor;
use rekindle_ops::memory::{rows_of, values};
use rekindle_raw::product::{Then, View, ViewMut, product};

use super::spans::Span;

/// The tables that follow query, key and value among the inputs of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terms {
    None,
    Bias,
    Keys,
    Queries,
    KeysAndQueries,
}

impl Terms {
    /// The kinds, as they are sent to a host.
    pub(super) const ALL: [Self; 5] = [Self::None, Self::Bias, Self::Keys, Self::Queries, Self::KeysAndQueries];

    /// The number of products that a score is a sum of.
    pub(super) fn count(self) -> usize {
        match self {
            Self::None | Self::Bias => 1,
            Self::Keys | Self::Queries => 2,
            Self::KeysAndQueries => 3,
        }
    }

    /// What is in each table.
    pub(super) fn tables(self) -> &'static [Kind] {
        match self {
            Self::None => &[],
            Self::Bias => &[Kind::Bias],
            Self::Keys => &[Kind::Keys],
            Self::Queries => &[Kind::Queries],
            Self::KeysAndQueries => &[Kind::Keys, Kind::Queries],
        }
    }
}

/// What a table contains for each distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number per head.
    Bias,
    /// A key per head.
    Keys,
    /// A query per head.
    Queries,
}

/// The rows of a table that the scores of a block read.
pub(super) struct Rows {
    /// The first row.
    first: usize,
    count: usize,
    /// For each query, the row of its distance to the first key, from `first`.
    offsets: Vec<usize>,
}

impl Rows {
    /// The rows of a table with `entries` rows.
    pub(super) fn new(span: &Span, entries: usize) -> Self {
        let row = |distance: isize| (entries / 2).saturating_add_signed(distance);
        let first = span.distances.iter().copied().min().map_or(0, row);
        let last = span.distances.iter().copied().max().map_or(0, row);
        let offsets = span.distances.iter().map(|&distance| row(distance) - first).collect();
        Self { first, count: last - first + span.tokens.len(), offsets }
    }

    fn within(&self, columns: usize) -> std::ops::Range<usize> {
        self.first * columns..(self.first + self.count) * columns
    }
}

/// The columns of a head, and the factor of the products.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) index: usize,
    pub(super) width: usize,
    pub(super) dim: usize,
    pub(super) scale: f32,
}

impl Head {
    fn view<'a>(&self, rows: &'a [f32]) -> View<'a> {
        View::new(rows, self.dim).columns(self.index * self.width, self.width)
    }

    fn view_mut<'a>(&self, rows: &'a mut [f32]) -> ViewMut<'a> {
        ViewMut::new(rows, self.dim).columns(self.index * self.width, self.width)
    }
}

/// The term of a table in the scores of a block.
pub(super) struct Term<'a> {
    pub(super) kind: Kind,
    /// The table; absent in the backward pass of a bias.
    pub(super) table: Option<&'a FlexTensor>,
    pub(super) rows: Rows,
}

impl Term<'_> {
    /// The rows of the table that the block reads.
    fn table(&self) -> Option<&[f32]> {
        self.table.map(|table| &values(table)[self.rows.within(rows_of(table)[1])])
    }

    /// Adds the term to the scores of one head.
    pub(super) fn add(&self, head: Head, [query, key]: [View<'_>; 2], scores: &mut [f32]) {
        let Some(table) = self.table() else { return };
        let Rows { count, offsets, .. } = &self.rows;
        let tokens = scores.len() / offsets.len().max(1);
        let by_query = |terms: &[f32], stride: usize, scores: &mut [f32]| {
            for (index, (scores, &offset)) in scores.chunks_exact_mut(tokens).zip(offsets).enumerate() {
                for (score, term) in scores.iter_mut().zip(&terms[index * stride + offset..]) {
                    *score += term;
                }
            }
        };
        let products = |rows: View<'_>, length: usize| {
            let mut terms = vec![0.0; length * count];
            product(ViewMut::new(&mut terms, *count), rows, head.view(table).transposed(), head.scale, Then::Replace);
            terms
        };
        match self.kind {
            Kind::Bias => {
                let columns = head.dim / head.width;
                let column: Vec<f32> = table.iter().skip(head.index).step_by(columns).copied().collect();
                by_query(&column, 0, scores);
            }
            Kind::Keys => by_query(&products(query, offsets.len()), *count, scores),
            Kind::Queries => {
                let terms = products(key, tokens);
                for (scores, &offset) in scores.chunks_exact_mut(tokens).zip(offsets) {
                    for (score, term) in scores.iter_mut().zip(terms[offset..].iter().step_by(count + 1)) {
                        *score += term;
                    }
                }
            }
        }
    }

    /// Adds the gradients of the term, from those of the scores of one head, to those of the block's queries, of its keys, and of
    /// the table.
    pub(super) fn backward(
        &self,
        head: Head,
        [query, key]: [View<'_>; 2],
        grads: &[f32],
        [for_query, for_key]: [&mut [f32]; 2],
        for_table: Option<&mut [f32]>,
    ) {
        let Rows { count, offsets, .. } = &self.rows;
        let tokens = grads.len() / offsets.len().max(1);
        let by_query = || grads.chunks_exact(tokens).zip(offsets);
        let (others, for_others, terms) = match self.kind {
            Kind::Bias => {
                let Some(for_table) = for_table else { return };
                let columns = head.dim / head.width;
                let for_table = &mut for_table[self.rows.within(columns)];
                for (grads, &offset) in by_query() {
                    let sums = for_table[offset * columns + head.index..].iter_mut().step_by(columns);
                    sums.zip(grads).for_each(|(sum, grad)| *sum += grad);
                }
                return;
            }
            Kind::Keys => {
                let mut terms = vec![0.0; offsets.len() * count];
                for (index, (grads, &offset)) in by_query().enumerate() {
                    terms[index * count + offset..][..tokens].copy_from_slice(grads);
                }
                (query, for_query, terms)
            }
            Kind::Queries => {
                let mut terms = vec![0.0; tokens * count];
                for (grads, &offset) in by_query() {
                    let terms = terms[offset..].iter_mut().step_by(count + 1);
                    terms.zip(grads).for_each(|(term, grad)| *term = *grad);
                }
                (key, for_key, terms)
            }
        };
        let terms = View::new(&terms, *count);
        if let Some(table) = self.table() {
            product(head.view_mut(for_others), terms, head.view(table), head.scale, Then::Add);
        }
        if let Some(for_table) = for_table {
            let for_table = head.view_mut(&mut for_table[self.rows.within(head.dim)]);
            product(for_table, terms.transposed(), others, head.scale, Then::Add);
        }
    }
}
