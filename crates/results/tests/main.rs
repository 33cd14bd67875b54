//! Tests of results: one program, so that it is linked once.

mod damaged;
mod samples;
mod schema;
