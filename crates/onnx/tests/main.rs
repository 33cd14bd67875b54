//! Tests of exported files: one program, so that it is linked once.

mod structure;
