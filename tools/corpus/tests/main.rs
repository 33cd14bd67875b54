//! Tests of the corpus: one program, so that it is linked once.

mod binary;
mod corpus;
mod exclusion;
