//! The label of a row: one, or several in a list, behind separators, or in columns of 0 and 1.

use super::{Fault, ReadOptions};
use crate::label::{canonical_label, is_number, value_of};
use crate::target::Task;

/// How the labels of a file are read.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    task: Option<Task>,
    separator: Option<String>,
    /// The labels of an ordinal task in their order.
    order: Vec<String>,
    /// The names of the labels that have a column each.
    pub(super) columns: Vec<String>,
}

/// What a file has in its column of the label.
pub(super) enum LabelCell {
    One(String),
    Several(Vec<String>),
}

/// The label as [`Row::label`](super::Row::label) has it, and the labels if there may be several.
type Label = (String, Option<Vec<String>>);

impl Labels {
    pub(super) fn new(options: &ReadOptions) -> Self {
        let (task, separator, order) = (options.task(), options.label_separator.clone(), options.order());
        Self { task, separator, order, columns: options.label_columns.clone() }
    }

    /// Returns the labels of a cell.
    pub(super) fn read(&self, line: u64, cell: LabelCell) -> Result<Label, Fault> {
        let broken = |reason: String| Fault::Row { line, reason };
        match (cell, self.task) {
            (LabelCell::Several(_), Some(task)) if task != Task::MultiLabel => {
                Err(broken(format!("the label is a list, which `--task {task}` does not have")))
            }
            (LabelCell::Several(labels), _) => several(line, labels.iter().map(String::as_str)),
            (LabelCell::One(label), Some(Task::MultiLabel)) => match (&self.separator, list(&label)) {
                (Some(separator), _) => several(line, parts(&label, separator)),
                (None, Some(items)) => {
                    let separator = if items.contains(',') { "," } else { " " };
                    several(line, parts(items, separator).map(|item| item.trim_matches(QUOTES)))
                }
                (None, None) => several(line, parts(&label, ",")),
            },
            (LabelCell::One(label), _) => match canonical_label(&label) {
                label if label.is_empty() => Err(broken("the label is empty".into())),
                label => match self.misfit(&label) {
                    Some(reason) => Err(broken(reason)),
                    None => Ok((label.into_owned(), None)),
                },
            },
        }
    }

    /// Returns why a label does not fit the task, if it does not.
    fn misfit(&self, label: &str) -> Option<String> {
        match self.task {
            Some(Task::Regression) if value_of(label).is_none() => {
                Some(format!("`{label}` is not a number, which `--task regression` needs"))
            }
            Some(Task::Ordinal) if self.order.is_empty() && !is_number(label) => Some(format!(
                "label `{label}` is not a number; give the order of the labels from the lowest to the highest with \
                 `--label-order`"
            )),
            Some(Task::Ordinal) if !self.order.is_empty() && self.order.iter().all(|other| other != label) => {
                Some(format!("label `{label}` is not in `--label-order {}`", self.order.join(",")))
            }
            _ => None,
        }
    }

    /// Returns the labels whose columns are 1; `value` returns the text of one of these columns.
    pub(super) fn read_columns(
        &self,
        line: u64,
        mut value: impl FnMut(usize) -> Result<String, Fault>,
    ) -> Result<Label, Fault> {
        let mut labels = Vec::new();
        for (place, name) in self.columns.iter().enumerate() {
            let value = value(place)?;
            match canonical_label(&value).as_ref() {
                "1" | "true" => labels.push(name.as_str()),
                "0" | "false" => {}
                other => {
                    let reason = format!("`{other}` in the label column `{name}` is not 0 or 1");
                    return Err(Fault::Row { line, reason });
                }
            }
        }
        several(line, labels)
    }
}

/// The quotation marks around items of a list.
const QUOTES: &[char] = &['\'', '"', ' '];

/// Returns the inside of a list as Python writes it, `[1, 2]` or `['a' 'b']`.
fn list(label: &str) -> Option<&str> {
    label.trim().strip_prefix('[')?.strip_suffix(']')
}

/// Returns the labels between separators; none of an empty text.
fn parts<'a>(label: &'a str, separator: &'a str) -> impl Iterator<Item = &'a str> {
    label.split(separator).filter(move |part| !(part.trim().is_empty() && label.trim().is_empty()))
}

/// Returns distinct labels in their canonical spelling.
fn several<'a>(line: u64, labels: impl IntoIterator<Item = &'a str>) -> Result<Label, Fault> {
    let mut distinct: Vec<String> = Vec::new();
    for label in labels {
        let label = canonical_label(label);
        if label.is_empty() {
            return Err(Fault::Row { line, reason: "one of the labels is empty".into() });
        }
        if distinct.iter().all(|other| *other != label) {
            distinct.push(label.into_owned());
        }
    }
    Ok((distinct.join(","), Some(distinct)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(task: Option<Task>, separator: Option<&str>, cell: LabelCell) -> Result<Label, String> {
        let options = ReadOptions { task, label_separator: separator.map(String::from), ..ReadOptions::default() };
        Labels::new(&options).read(7, cell).map_err(|fault| match fault {
            Fault::Row { reason, .. } => reason,
            _ => String::new(),
        })
    }

    #[test]
    fn labels_are_separated_in_lists_and_alone() {
        let one = |label: &str| LabelCell::One(label.into());
        let several = |labels: &[&str]| {
            let labels: Vec<String> = labels.iter().map(|label| String::from(*label)).collect();
            Ok((labels.join(","), Some(labels)))
        };
        let multi = Some(Task::MultiLabel);
        assert_eq!(labels(None, Some(";"), one("joy; anger;joy")), several(&["joy", "anger"]));
        assert_eq!(labels(multi, None, one("2,27")), several(&["2", "27"]));
        assert_eq!(labels(multi, None, one("[2, 27]")), several(&["2", "27"]));
        assert_eq!(labels(multi, None, one("['joy', 'anger']")), several(&["joy", "anger"]));
        assert_eq!(labels(multi, None, one(" ")), several(&[]));
        assert_eq!(labels(None, None, LabelCell::Several(vec!["01".into(), "b".into()])), several(&["1", "b"]));
        assert_eq!(labels(None, None, one("a,b")), Ok(("a,b".into(), None)));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let error = labels(Some(Task::Regression), None, LabelCell::Several(vec!["1".into()])).expect_err("a list");
        assert!(error.contains("--task regression"), "{error}");
        assert_eq!(labels(None, Some(","), LabelCell::One("a,,b".into())), Err("one of the labels is empty".into()));
        assert_eq!(labels(None, None, LabelCell::One(" ".into())), Err("the label is empty".into()));
    }
}
