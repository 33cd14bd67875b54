//! Tests of saved models at work: one program, so that it is linked once.

mod damaged;
mod folders;
mod sentence;
