//! Tests of reports: one program, so that it is linked once.

mod browser;
mod output;
mod report;
#[path = "../../results/tests/samples/mod.rs"]
mod samples;
