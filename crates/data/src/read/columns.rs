//! Which column holds what.

use std::path::Path;

use super::ReadOptions;
use crate::error::DataError;

/// The usual names of a column, in any case. The first names are preferred in this order; of the others, a file may
/// have one.
struct Usual {
    role: &'static str,
    first: &'static [&'static str],
    others: &'static [&'static str],
}

const TEXT: Usual = Usual {
    role: "text",
    first: &["text", "sentence"],
    others: &[
        "texts",
        "sentences",
        "review",
        "reviewtext",
        "review_text",
        "content",
        "comment",
        "comment_text",
        "message",
        "tweet",
        "body",
        "document",
        "utterance",
        "query",
        "question",
        "phrase",
        "description",
        "headline",
        "title",
    ],
};

const LABEL: Usual = Usual {
    role: "label",
    first: &["label"],
    others: &[
        "labels",
        "class",
        "classes",
        "category",
        "sentiment",
        "target",
        "intent",
        "emotion",
        "topic",
        "polarity",
        "rating",
        "stars",
        "tag",
        "gold_label",
        "class_label",
        "y",
    ],
};

/// The role of the second text's column.
const TEXT_PAIR: &str = "text pair";
/// The role of the group's column.
const GROUP: &str = "group";
/// The role of the time's column.
const TIME: &str = "time";

/// The columns under which data sets keep two texts to be judged together.
const PAIRS: [(&str, &str); 6] = [
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("text1", "text2"),
    ("text_a", "text_b"),
];

/// The columns of a file, and which of them are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Their names, in the file's order. Empty where no header names them.
    pub names: Vec<String>,
    /// The index of the text's column.
    pub text: usize,
    /// The index of the label's column; of several, of the first.
    pub label: usize,
    /// The indices of the columns of labels, if each label has one.
    pub labels: Vec<usize>,
    /// The index of the column of the second text, if rows are text pairs.
    pub text_pair: Option<usize>,
    /// The index of the column of the group, if it is read.
    pub group: Option<usize>,
    /// The index of the column of the time, if it is read.
    pub time: Option<usize>,
}

impl Columns {
    /// Returns the name of a column; without a header, its number.
    pub fn name(&self, column: usize) -> String {
        self.names.get(column).cloned().unwrap_or_else(|| column.to_string())
    }
}

/// The columns of text and label among `names`. `delimited` if a first line may be an example instead of names.
pub(super) fn find(
    path: &Path,
    names: Vec<String>,
    options: &ReadOptions,
    delimited: bool,
) -> Result<Columns, DataError> {
    let search = Search::new(path, &names, options, delimited);
    let group = options.group_column.as_ref().map(|name| search.named(GROUP, name)).transpose()?;
    let time = options.time_column.as_ref().map(|name| search.named(TIME, name)).transpose()?;
    let Texts { text, text_pair } = find_texts(path, &names, options, delimited)?;
    let labels = options.label_columns.iter().map(|name| search.named(LABEL.role, name));
    let labels = labels.collect::<Result<Vec<_>, _>>()?;
    let label = match (&options.label_column, labels.first()) {
        (_, Some(first)) => *first,
        (Some(name), None) => search.named(LABEL.role, name)?,
        (None, None) => search.usual(&LABEL)?,
    };
    Ok(Columns { names, text, label, labels, text_pair, group, time })
}

/// Checks that the two texts of a pair are different columns.
fn check_pair(path: &Path, text: usize, text_pair: Option<usize>, column: &str) -> Result<(), DataError> {
    match text_pair == Some(text) {
        true => Err(DataError::SameColumn { path: path.into(), column: column.into() }),
        false => Ok(()),
    }
}

/// The columns of a text, and of the second text of a pair.
#[derive(Clone, Copy)]
pub(super) struct Texts {
    pub(super) text: usize,
    pub(super) text_pair: Option<usize>,
}

/// The columns of the texts among `names`, as [`find`] does.
pub(super) fn find_texts(
    path: &Path,
    names: &[String],
    options: &ReadOptions,
    delimited: bool,
) -> Result<Texts, DataError> {
    let search = Search::new(path, names, options, delimited);
    let text_pair = options.text_pair_column.as_ref().map(|name| search.named(TEXT_PAIR, name)).transpose()?;
    let text = match (&options.text_column, text_pair) {
        (Some(name), _) => search.named(TEXT.role, name)?,
        (None, Some(pair)) => search.first_of(pair).map_or_else(|| search.usual(&TEXT), Ok)?,
        (None, None) => {
            search.refuse_pairs()?;
            search.usual(&TEXT)?
        }
    };
    check_pair(path, text, text_pair, &names[text])?;
    Ok(Texts { text, text_pair })
}

/// The columns of a file of `width` columns without names: numbers from 0.
pub(super) fn numbered(path: &Path, width: usize, options: &ReadOptions) -> Result<Columns, DataError> {
    let number = |role, column: &Option<String>| number(path, role, column.as_deref(), width);
    let text_pair = number(TEXT_PAIR, &options.text_pair_column)?;
    let (group, time) = (number(GROUP, &options.group_column)?, number(TIME, &options.time_column)?);
    let (text, label) = (number(TEXT.role, &options.text_column)?, number(LABEL.role, &options.label_column)?);
    let labels =
        options.label_columns.iter().filter_map(|column| number(LABEL.role, &Some(column.clone())).transpose());
    let labels = labels.collect::<Result<Vec<_>, _>>()?;
    let label = label.or(labels.first().copied());
    let unused = |others: [Option<usize>; 4]| {
        (0..).find(|index| !labels.contains(index) && !others.contains(&Some(*index))).unwrap_or_default()
    };
    let text = text.unwrap_or_else(|| unused([label, text_pair, group, time]));
    let label = label.unwrap_or_else(|| unused([Some(text), text_pair, group, time]));
    check_pair(path, text, text_pair, &text.to_string())?;
    Ok(Columns { names: Vec::new(), text, label, labels, text_pair, group, time })
}

/// The columns of the texts in a table of `width` columns without names.
pub(super) fn numbered_texts(path: &Path, width: usize, options: &ReadOptions) -> Result<Texts, DataError> {
    let text_pair = number(path, TEXT_PAIR, options.text_pair_column.as_deref(), width)?;
    let text = number(path, TEXT.role, options.text_column.as_deref(), width)?;
    let text = text.unwrap_or_else(|| unused([None, text_pair]));
    check_pair(path, text, text_pair, &text.to_string())?;
    Ok(Texts { text, text_pair })
}

/// The first column that has no other use.
fn unused(others: [Option<usize>; 2]) -> usize {
    (0..).find(|index| !others.contains(&Some(*index))).unwrap_or_default()
}

/// The number of a column that the user gave, in a file of `width` columns without names.
fn number(path: &Path, role: &'static str, column: Option<&str>, width: usize) -> Result<Option<usize>, DataError> {
    let Some(column) = column else { return Ok(None) };
    match column.parse() {
        Ok(index) if index < width => Ok(Some(index)),
        _ => Err(DataError::ColumnNumber { path: path.into(), role, column: column.into(), last: width - 1 }),
    }
}

/// Returns whether a first line contains usual names of the text and the label.
pub(super) fn are_names(names: &[String]) -> bool {
    let search = Search { path: Path::new(""), names, delimited: true, taken: [None; 2] };
    (search.usual(&TEXT).is_ok() || search.pair().is_some()) && search.usual(&LABEL).is_ok()
}

/// Returns whether columns have usual names of a text or of a text pair.
pub(super) fn has_text(names: &[String]) -> bool {
    let search = Search { path: Path::new(""), names, delimited: true, taken: [None; 2] };
    search.usual(&TEXT).is_ok() || search.pair().is_some()
}

struct Search<'a> {
    path: &'a Path,
    names: &'a [String],
    delimited: bool,
    /// The columns of group and time, which are neither text nor label by their usual names.
    taken: [Option<usize>; 2],
}

impl<'a> Search<'a> {
    fn new(path: &'a Path, names: &'a [String], options: &ReadOptions, delimited: bool) -> Self {
        let mut search = Self { path, names, delimited, taken: [None; 2] };
        let taken = [(&options.group_column, GROUP), (&options.time_column, TIME)];
        search.taken = taken.map(|(name, role)| search.named(role, name.as_ref()?).ok());
        search
    }

    /// The column with the name or number that the user gave.
    fn named(&self, role: &'static str, name: &str) -> Result<usize, DataError> {
        let position = self.names.iter().position(|column| column == name);
        let number = || name.parse().ok().filter(|&index: &usize| index < self.names.len());
        position.or_else(number).ok_or_else(|| self.missing(role, name, String::new()))
    }

    /// The column with a usual name.
    fn usual(&self, usual: &Usual) -> Result<usize, DataError> {
        let exact = |name: &&str| self.names.iter().position(|column| column == *name);
        let first = |name: &&str| exact(name).or_else(|| self.position(name)).filter(|&index| self.is_free(index));
        if let Some(index) = usual.first.iter().find_map(first) {
            return Ok(index);
        }
        let is_other = |column: &String| usual.others.iter().any(|name| column.eq_ignore_ascii_case(name));
        let is_candidate = |&index: &usize| self.is_free(index) && is_other(&self.names[index]);
        let found: Vec<usize> = (0..self.names.len()).filter(is_candidate).collect();
        match found[..] {
            [index] => Ok(index),
            [] => {
                let role = usual.role;
                let remedy = match (self.delimited, self.names.len()) {
                    (true, 1) => format!(
                        "; if another character than a comma, a tab, `;` or `|` separates the columns, name it with `--separator`; \
                         otherwise name the {role} with `--{role}-column`"
                    ),
                    (true, _) => {
                        format!("; name it with `--{role}-column`; if line 1 is an example, add `--no-header`")
                    }
                    (false, _) => format!("; name it with `--{role}-column`"),
                };
                Err(self.missing(role, usual.first[0], remedy))
            }
            _ => Err(DataError::AmbiguousColumn {
                path: self.path.into(),
                role: usual.role,
                candidates: found.iter().map(|&index| self.names[index].as_str()).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Whether a column has no other use.
    fn is_free(&self, index: usize) -> bool {
        !self.taken.contains(&Some(index))
    }

    /// The first column with this name in any case.
    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|column| column.eq_ignore_ascii_case(name))
    }

    /// The columns of a text pair with usual names.
    fn pair(&self) -> Option<(usize, usize)> {
        PAIRS.iter().find_map(|(first, second)| Some((self.position(first)?, self.position(second)?)))
    }

    /// The column of the first text, if that of the second one and its own have the usual names of a text pair.
    fn first_of(&self, second: usize) -> Option<usize> {
        let is_second = |name: &str| self.names[second].eq_ignore_ascii_case(name);
        PAIRS.iter().filter(|(_, name)| is_second(name)).find_map(|(first, _)| self.position(first))
    }

    /// Refuses columns of a text pair, of which the user named none: reading one of them would ignore the other in silence.
    fn refuse_pairs(&self) -> Result<(), DataError> {
        self.pair().map_or(Ok(()), |(first, second)| {
            let name = |index: usize| self.names[index].clone();
            Err(DataError::TextPair { path: self.path.into(), first: name(first), second: name(second) })
        })
    }

    fn missing(&self, role: &'static str, column: &str, remedy: String) -> DataError {
        let available = listed(self.names);
        DataError::MissingColumn { path: self.path.into(), role, column: column.into(), available, remedy }
    }
}

/// Lists names for a message: those of a file that is no table are many, or long.
fn listed(names: &[String]) -> String {
    const LISTED: usize = 50;
    const LENGTH: usize = 60;
    let short = |name: &String| match name.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.clone(),
    };
    let shown = names.iter().take(LISTED).map(short).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
