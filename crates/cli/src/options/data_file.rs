//! How data files are read.

use std::path::Path;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use rekindle::data::{Encoding, Format, ReadOptions, looks_like_table};

use crate::terminal::Display;

/// The options of every command that reads tables of texts.
#[derive(Args, Clone, Debug)]
#[group(id = "table_file")]
pub struct TableFileArgs {
    /// Column with the text, by name or by number from 0 [default: text, sentence, review, ...].
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub text_column: Option<String>,
    /// Column with the second text of a text pair, by name or by number from 0 [default: every row has one text].
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub text_pair_column: Option<String>,
    /// Read files without a header: column 0 is the text, column 1 the label, unless the options above say otherwise.
    #[arg(long, help_heading = "Data")]
    pub no_header: bool,
    /// Format of the files [default: by extension, or else by content].
    #[arg(long, value_name = "csv|tsv|json|jsonl|parquet", value_parser = format(), hide_possible_values = true, help_heading = "Data")]
    pub format: Option<Format>,
    /// Separator of the columns of CSV and TSV [default: recognised among comma, tab, `;` and `|`].
    #[arg(long, value_name = "CHARACTER|tab", value_parser = separator, help_heading = "Data")]
    pub separator: Option<u8>,
    /// Character encoding of the files, for example windows-1252 [default: utf-8, or as a byte order mark says].
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub encoding: Option<Encoding>,
}

/// The options of every command that reads labelled texts.
#[derive(Args, Clone, Debug)]
pub struct DataFileArgs {
    #[command(flatten)]
    pub table: TableFileArgs,
    /// Column with the label, by name or by number from 0 [default: label, class, sentiment, ...].
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub label_column: Option<String>,
}

impl TableFileArgs {
    /// Returns how files are read.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions {
            format: self.format,
            encoding: self.encoding,
            separator: self.separator,
            text_column: self.text_column.clone(),
            text_pair_column: self.text_pair_column.clone(),
            header: !self.no_header,
            ..ReadOptions::default()
        }
    }

    /// Returns the first option that is given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            ("--text-column", self.text_column.is_some()),
            ("--text-pair-column", self.text_pair_column.is_some()),
            ("--no-header", self.no_header),
            ("--format", self.format.is_some()),
            ("--separator", self.separator.is_some()),
            ("--encoding", self.encoding.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }
}

impl DataFileArgs {
    /// Returns how files are read.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions { label_column: self.label_column.clone(), ..self.table.read_options() }
    }

    /// Returns the first option that is given.
    pub fn given(&self) -> Option<&'static str> {
        self.table.given().or_else(|| self.label_column.as_ref().map(|_| "--label-column"))
    }
}

/// Warns if a file of one text per line looks like a table, whose lines are not texts.
pub fn warn_of_table(path: &Path, display: &Display) {
    // The beginning of a pipe can be read only once.
    let line = path.is_file().then(|| looks_like_table(path)).flatten();
    if let Some(line) = line {
        let line: String = line.chars().take(60).collect();
        display.warn(&format!(
            "{}: looks like a table (line 1: `{line}`), but every line is read as one text; save the texts alone, one per \
             line",
            path.display()
        ));
    }
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(*byte),
        _ => Err("expected one ASCII character other than a quotation mark, or `tab`".into()),
    }
}
