//! Tests of the scores: one program, so that it is linked once.

mod calibration;
mod data_sets;
mod inference;
mod label_issues;
mod power;
mod scikit_learn;
mod targets;
