//! Tests of the baselines: one program, so that it is linked once.

mod properties;
mod sst2;
