//! Tables that fit the terminal.

use std::io;

use super::width::{width_of, wrapped};

/// Stacks the rows of a table for standard output, if it is a terminal that is too narrow. `header` and `rows` are the cells of
/// `table`.
pub fn fitted_table(table: String, header: &[String], rows: &[impl AsRef<[String]>]) -> String {
    fitted(table, header, rows, width_of(io::stdout()))
}

/// Returns a table if its lines are narrower than the terminal, which is `width` columns wide; in a pipe, lines have any length.
///
/// Otherwise the rows stand below each other: the first cell of each on a line of its own, and below it the others, each
/// behind the title of its column.
fn fitted(table: String, header: &[String], rows: &[impl AsRef<[String]>], width: Option<usize>) -> String {
    let Some(width) = width.filter(|&width| table.lines().any(|line| line.chars().count() >= width)) else {
        return table;
    };
    let titles = || header.iter().map(|title| title.trim()).chain(std::iter::repeat(""));
    let blocks = rows.iter().map(AsRef::as_ref).map(|row| {
        let name = row.first().map_or("", |name| name.trim_end());
        let indent = name.len() - name.trim_start().len() + 2;
        let cells =
            titles().zip(row).skip(1).map(|(title, cell)| format!("{title} {}", cell.trim()).trim().to_string());
        let cells = cells.filter(|cell| !cell.is_empty()).map(|cell| format!("{:indent$}{cell}\n", ""));
        format!("{name}\n{}", cells.collect::<String>())
    });
    let title = titles().next().unwrap_or_default();
    wrapped(&format!("{title}\n{}", blocks.collect::<String>()), 0, width)
}

#[cfg(test)]
mod tests {
    use super::fitted;

    #[test]
    fn a_table_that_is_too_wide_is_stacked() {
        let cells = |row: &[&str]| row.iter().map(|cell| cell.to_string()).collect::<Vec<_>>();
        let table = "accuracy       1      2\n  last-2  0.9000 0.8000\n";
        let (header, rows) = (cells(&["accuracy", "1", "2"]), [cells(&["  last-2", "0.9000", " 0.8000"])]);
        for width in [None, Some(24)] {
            assert_eq!(fitted(table.into(), &header, &rows, width), table);
        }
        let stacked = "accuracy\n  last-2\n    1 0.9000\n    2 0.8000\n";
        assert_eq!(fitted(table.into(), &header, &rows, Some(20)), stacked);
    }
}
