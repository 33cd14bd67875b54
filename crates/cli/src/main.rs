//! The program `rekindle`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: rekindle::allocator::Allocator = rekindle::allocator::Allocator;

fn main() -> ExitCode {
    rekindle::allocator::keep_pages();
    rekindle_cli::run()
}
