//! Rows of a data set that a file lists as label errors: the file `label_issues.csv` of an experiment.

use std::collections::HashSet;
use std::path::Path;

use crate::dataset::{Dataset, Example};
use crate::error::DataError;
use crate::label::canonical_label;
use crate::read::{Cell, Format, ReadOptions, Table, TableRow};

/// The columns that the file must have.
const ROW: &str = "row";
const GIVEN: &str = "given";

impl Dataset {
    /// Reads the rows of this data set that a file lists as label errors. The file has the columns `row`, the number of the
    /// example from 0, and `given`, its class; if it has a column `text`, that is the text of the example. Other columns are not
    /// read.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, is neither CSV nor TSV, or lacks a column, or if one of its rows has no number or
    /// no class, names an example that does not exist or has another class or text in this data set, or is listed twice.
    pub fn read_label_issues(&self, path: &Path) -> Result<Vec<usize>, DataError> {
        let options = ReadOptions { text_column: Some(ROW.into()), ..ReadOptions::default() };
        let expected = |columns: String| DataError::Content {
            path: path.into(),
            found: format!(
                "a table with the columns {columns}; expected the columns {ROW} and {GIVEN}, as in label_issues.csv of an experiment"
            ),
        };
        let table = Table::open(path, &options).map_err(|error| match error {
            DataError::MissingColumn { available, .. } => expected(available),
            error => error,
        })?;
        if !table.columns().iter().any(|name| &**name == GIVEN) {
            return Err(expected(table.columns().join(", ")));
        }
        if !matches!(table.format(), Format::Csv | Format::Tsv) {
            let found = format!(
                "a file in the format {}; expected CSV or TSV, as label_issues.csv of an experiment",
                table.format()
            );
            return Err(DataError::Content { path: path.into(), found });
        }
        let (unit, mut listed) = (table.format().unit(), HashSet::new());
        let row = |row: Result<TableRow, DataError>| {
            let row = row?;
            let number = self.listed(&row).and_then(|number| match listed.insert(number) {
                true => Ok(number),
                false => Err(format!("row {number} is listed twice")),
            });
            number.map_err(|reason| DataError::Row { path: path.into(), unit, line: row.line, reason })
        };
        DataError::collect(unit, table.map(row))
    }

    /// Returns the row that a row of the file lists, or what is wrong with it.
    fn listed(&self, listed: &TableRow) -> Result<usize, String> {
        let text = listed.text.trim();
        let last = self.len().saturating_sub(1);
        let row: usize = text.parse().map_err(|_| format!("row `{text}` is not a number from 0 to {last}"))?;
        let Some(Example { text, target, .. }) = self.examples.get(row) else {
            return Err(format!("row {row} does not exist; the data has the rows 0 to {last}"));
        };
        let cell = |name: &str| listed.cells.iter().find(|(column, _)| &**column == name).map(|(_, cell)| cell);
        let given = match cell(GIVEN) {
            Some(Cell::Text(given) | Cell::Json(given)) => canonical_label(given),
            _ => return Err(format!("row {row} has no value in the column {GIVEN}")),
        };
        let class = target.class().and_then(|class| self.classes.names().get(class)).map_or("", String::as_str);
        if class != given {
            return Err(format!(
                "row {row} has the label `{class}` in the data, not `{given}`; is this the file of other data?"
            ));
        }
        match cell("text") {
            Some(Cell::Text(other)) if other != text => {
                Err(format!("row {row} has another text in the data; is this the file of other data?"))
            }
            _ => Ok(row),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::twelve_sentences;

    #[test]
    fn the_rows_of_a_file_are_checked_against_the_data() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("label_issues.csv");
        let data = twelve_sentences();
        let name = |row: usize| data.classes.names()[data.labels()[row]].as_str();
        let other = |row: usize| data.classes.names()[1 - data.labels()[row]].as_str();
        let read = |rows: &str| {
            fs::write(&path, rows).expect("written");
            data.read_label_issues(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read("row,given\n"), Ok(vec![]));
        assert_eq!(read(&format!("row,given,text\n3,{},{}\n", name(3), data.examples[3].text)), Ok(vec![3]));
        assert_eq!(read(&format!("given,row\n {} ,1\n{},0\n", name(1), name(0))), Ok(vec![1, 0]));
        for (rows, expected) in [
            ("row,label\n0,1\n".into(), "columns row, label; expected the columns row and given"),
            ("text,label\n0,1\n".into(), "columns text, label; expected the columns row and given"),
            (format!("row,given\n0,{}\nx,1\n", name(0)), "line 3: row `x` is not a number from 0 to 11"),
            ("row,given\n12,1\n".into(), "line 2: row 12 does not exist; the data has the rows 0 to 11"),
            (format!("row,given\n0,{}\n", other(0)), "line 2: row 0 has the label"),
            (format!("row,given,text\n0,{},else\n", name(0)), "line 2: row 0 has another text"),
            (format!("row,given\n0,{}\n0,{}\n", name(0), name(0)), "line 3: row 0 is listed twice"),
        ] {
            let error = read(&rows).expect_err(expected);
            assert!(error.contains("label_issues.csv") && error.contains(expected), "{error}");
        }
    }
}
