//! Text that fits the terminal.

use std::io;

use terminal_size::{Width, terminal_size_of};

use super::text::wrapped;

/// Breaks sentences for standard output, if it is a terminal.
pub fn fitted_output(text: &str) -> String {
    fitted(text, 0, width_of(io::stdout()))
}

/// Breaks sentences for standard error behind `before` columns, if it is a terminal.
pub fn fitted_error(text: &str, before: usize) -> String {
    fitted(text, before, width_of(io::stderr()))
}

/// Breaks lines that are longer than the terminal is wide, the first one behind `before` columns; in a pipe, lines have any length.
fn fitted(text: &str, before: usize, width: Option<usize>) -> String {
    width.map_or_else(|| text.into(), |width| wrapped(text, before, width))
}

/// Returns the number of columns of the terminal that progress is drawn on; 80 if it is none.
pub fn width() -> usize {
    const DEFAULT: usize = 80;
    width_of(io::stderr()).unwrap_or(DEFAULT)
}

/// Returns the number of columns of the terminal that a stream writes to, if it is a terminal.
#[cfg(unix)]
pub fn width_of(stream: impl std::os::fd::AsFd) -> Option<usize> {
    terminal_size_of(stream).map(|(Width(columns), _)| columns.into())
}

/// Returns the number of columns of the terminal that a stream writes to, if it is a terminal.
#[cfg(windows)]
pub fn width_of(stream: impl std::os::windows::io::AsHandle) -> Option<usize> {
    terminal_size_of(stream).map(|(Width(columns), _)| columns.into())
}
