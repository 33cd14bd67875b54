//! The rows that a layer computes.

/// The tokens for which a layer computes its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenSelection {
    /// Every token, `[tokens, dim]`.
    All,
    /// The first token of each sequence, `[sequences, dim]`: what a classifier reads of the last layer.
    First,
    /// The tokens that [`SequenceBatch::selecting`](crate::SequenceBatch::selecting) selected, `[selected, dim]`; every token if
    /// none were.
    Selected,
}
