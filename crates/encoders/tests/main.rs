//! Tests of the models: one program, so that it is linked once.

mod damaged;
mod transformers;
