//! Tests of saved models at work: one program, so that it is linked once.

mod adapter;
mod common;
mod damaged;
mod explain;
mod folders;
mod int8;
mod output_function;
mod precision;
mod sentence;
