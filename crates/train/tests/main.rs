//! Tests of training: one program, so that it is linked once.

mod contrastive;
mod damaged;
mod golden;
mod masked_lm;
mod masked_lm_training;
mod resume;
mod split;
mod tasks;
mod transformers;
mod windows;
