//! Tables in text files.

/// Reads lines of fields that are separated by tabs, in which quotation marks are ordinary characters.
pub(crate) fn tab_separated(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split('\t').map(String::from).collect()).collect()
}

/// Returns a CSV file, with quotation marks around every field below the header.
pub(crate) fn csv<'a>(header: &str, rows: impl IntoIterator<Item = Vec<&'a str>>) -> String {
    let quote = |field: &str| format!("\"{}\"", field.replace('"', "\"\""));
    let line = |row: Vec<&str>| row.into_iter().map(quote).collect::<Vec<_>>().join(",") + "\n";
    format!("{header}\n{}", rows.into_iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_quoted() {
        assert_eq!(csv("text,label", [vec!["a \"b\"", "x,y"]]), "text,label\n\"a \"\"b\"\"\",\"x,y\"\n");
    }
}
