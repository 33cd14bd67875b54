//! Tests of the tokenizer: one program, so that it is linked once. `damaged` and `long` are separate, because they switch off the
//! threads of tokenizers for the whole program.

mod families;
mod folders;
mod learn;
mod transformers;
mod windows;
