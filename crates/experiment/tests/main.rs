//! Tests of experiments: one program, so that it is linked once.

mod approaches;
mod damaged;
mod encoders;
mod reference;
mod search;
