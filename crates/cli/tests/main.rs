//! Runs the program as a user does: one program of tests, so that it is linked once. `remote` and `transcripts` are separate,
//! because `cargo test --workspace` leaves them out.

mod calibration;
mod common;
mod compare;
mod data;
mod determinism;
mod devices;
mod evaluate;
mod exit;
mod experiment;
mod export;
mod families;
mod faults;
mod features;
mod folder;
mod frozen_precision;
mod groups;
mod label_issues;
mod limits;
mod long_texts;
mod manual;
mod models;
mod options;
mod pairs;
mod plan;
mod precision;
mod predict;
mod pretrain;
mod resume;
#[cfg(feature = "serve")]
mod serve;
mod spread;
mod suggest;
mod tasks;
mod times;
mod tune;
