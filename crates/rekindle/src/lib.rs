//! Transfer learning for text classification: the command line and the facade of the Rekindle crates.
