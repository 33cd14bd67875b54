//! Tests of the scores: one program, so that it is linked once.

mod inference;
mod scikit_learn;
mod targets;
