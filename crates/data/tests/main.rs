//! Tests of reading and sampling: one program, so that it is linked once.

mod damaged;
mod damaged_parquet;
mod formats;
mod groups;
mod multilabel;
mod mutate;
mod pairs;
mod parquet;
mod profile;
mod reading;
mod rows;
mod scikit_learn;
mod tables;
mod times;
