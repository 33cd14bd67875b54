//! Text that fits the terminal.

use std::io;

use terminal_size::{Width, terminal_size_of};

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

/// Breaks lines at spaces, so that they are narrower than the terminal. The parts of a line are aligned below what follows its
/// indentation and its first column, if there is one. A word that is longer than a line is not cut. The first line begins
/// behind `before` columns, with which the others align.
pub fn wrapped(text: &str, before: usize, width: usize) -> String {
    let lines = text.split('\n').enumerate();
    let lines = lines.map(|(index, line)| wrapped_line(line, if index == 0 { before } else { 0 }, width));
    lines.collect::<Vec<_>>().join("\n")
}

fn wrapped_line(line: &str, before: usize, width: usize) -> String {
    // The last column stays free: some terminals wrap after it.
    let room = width.saturating_sub(1);
    if before + line.chars().count() <= room {
        return line.into();
    }
    let indent = before.max(hanging_indent(line));
    let indent = if indent * 2 > room { 0 } else { indent };
    let (mut text, mut column, mut is_first) = (String::new(), before, true);
    for word in line.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if column + length > room && !is_first && length > 0 {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        }
        text.push_str(word);
        column += word.chars().count();
        is_first &= length == 0;
    }
    text
}

/// The indentation of a line, or the beginning of its second column, which two spaces separate from the first.
fn hanging_indent(line: &str) -> usize {
    let indent = line.chars().take_while(|character| *character == ' ').count();
    let second = line[indent..].find("  ").map(|gap| {
        let first = line[indent..indent + gap].chars().count();
        indent + first + line[indent + gap..].chars().take_while(|character| *character == ' ').count()
    });
    second.filter(|&second| second <= 20).unwrap_or(indent)
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn long_lines_are_broken_between_words_and_aligned() {
        let cases = [
            ("short", 0, "short"),
            ("one two three four five six", 0, "one two three\nfour five six"),
            ("  one two three four five", 0, "  one two three\n  four five"),
            ("key   one two three four five", 0, "key   one two\n      three four\n      five"),
            ("one two three four", 4, "one two three\n    four"),
            ("a/very/long/path/that/does/not/fit here", 0, "a/very/long/path/that/does/not/fit\nhere"),
            ("one two three four five\n  six", 0, "one two three four\nfive\n  six"),
        ];
        for (text, before, expected) in cases {
            let width = if text.contains('\n') || before > 0 { 20 } else { 18 };
            assert_eq!(wrapped(text, before, width), expected, "{text}");
        }
    }
}
