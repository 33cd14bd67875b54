//! What the labels of data files are.

use clap::Args;
use rekindle::data::{ReadOptions, Task};

/// The options of commands that read labels.
#[derive(Args, Clone, Debug)]
#[group(id = "labels")]
pub struct LabelArgs {
    /// What is predicted: one class per text, several labels, a number, or one of several ordered classes [default:
    /// single-label; multi-label for lists].
    #[arg(long, value_name = "single-label|multi-label|regression|ordinal", value_parser = str::parse::<Task>, help_heading = "Data")]
    pub task: Option<Task>,
    #[command(flatten)]
    pub several: SeveralLabelsArgs,
    /// The classes of an ordinal task from the lowest to the highest [default: numbers by their value].
    #[arg(long, value_name = "CLASS,...", value_delimiter = ',', help_heading = "Data")]
    pub label_order: Vec<String>,
}

/// Where several labels of a text are.
#[derive(Args, Clone, Debug)]
#[group(id = "several_labels")]
pub struct SeveralLabelsArgs {
    /// Separator of several labels in the label column.
    #[arg(long, value_name = "TEXT", value_parser = separator, help_heading = "Data")]
    pub label_separator: Option<String>,
    /// Columns of 0 and 1, one per label, instead of one label column.
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', conflicts_with_all = ["label_column", "label_separator"], help_heading = "Data")]
    pub label_columns: Vec<String>,
}

impl SeveralLabelsArgs {
    /// Adds the options to those of the file.
    pub fn add_to(&self, options: ReadOptions) -> ReadOptions {
        ReadOptions {
            label_separator: self.label_separator.clone(),
            label_columns: self.label_columns.clone(),
            ..options
        }
    }
}

impl LabelArgs {
    /// Adds the options to those of the file.
    pub fn add_to(&self, options: ReadOptions) -> ReadOptions {
        ReadOptions { task: self.task, label_order: self.label_order.clone(), ..self.several.add_to(options) }
    }

    /// Returns the first option that is given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            ("--task", self.task.is_some()),
            ("--label-separator", self.several.label_separator.is_some()),
            ("--label-columns", !self.several.label_columns.is_empty()),
            ("--label-order", !self.label_order.is_empty()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }
}

fn separator(text: &str) -> Result<String, String> {
    match text {
        "" => Err("expected a separator such as `,` or `;`".into()),
        "tab" | "\\t" => Ok("\t".into()),
        text => Ok(text.into()),
    }
}
