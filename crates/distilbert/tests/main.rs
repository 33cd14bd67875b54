//! Tests of the model: one program, so that it is linked once.

mod damaged;
mod dropout;
mod halves;
mod saved;
mod transformers;
