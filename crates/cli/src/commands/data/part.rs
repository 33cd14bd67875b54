//! A file of `rekindle data` and its profile.

use std::path::{Path, PathBuf};

use rekindle::data::{Columns, DataError, Format, Profile, Row, Rows, Task};
use rekindle::report::thousands;
use rekindle::tokenizer::{Tokenizer, TokenizerError};
use serde_json::{Value, json};

use super::long_texts::{Limits, Recommendation};
use super::wording::{of, share, shortened};
use crate::exit::Failure;
use crate::terminal::Display;

/// Maximum number of texts that are tokenized together: enough for all cores, in little memory.
const CHUNK: usize = 4096;
/// Maximum number of bytes that are tokenized together.
const CHUNK_BYTES: usize = 1 << 20;
/// Maximum number of classes that are printed.
pub(super) const NAMED: usize = 20;
/// Maximum number of rows that cannot be used that are listed, and that are printed.
const LISTED: usize = 10_000;
const PRINTED: usize = 100;
/// A class is called small if it has less than this part of an even share.
const SMALL: f64 = 0.5;

/// A file and its profile.
pub(super) struct Part {
    task: Option<Task>,
    pub(super) path: PathBuf,
    pub(super) format: Format,
    separator: Option<char>,
    pub(super) columns: Columns,
    pub(super) profile: Profile,
    defects: Defects,
}

/// The rows that cannot be used.
#[derive(Default)]
struct Defects {
    count: u64,
    /// The first of them: the line and the reason.
    listed: Vec<(u64, String)>,
}

impl Defects {
    fn add(&mut self, line: u64, reason: String) {
        self.count += 1;
        if self.listed.len() < LISTED {
            self.listed.push((line, reason));
        }
    }
}

impl Part {
    /// Reads an open file into an empty profile; calls `observe` with each row.
    pub(super) fn read(
        path: &Path,
        mut rows: Rows,
        mut profile: Profile,
        tokenizer: &Tokenizer,
        task: Option<Task>,
        observe: &mut dyn FnMut(&Row),
    ) -> Result<Self, Failure> {
        let mut chunk = Chunk::default();
        let mut defects = Defects::default();
        for row in &mut rows {
            let row = match row {
                Err(DataError::Row { line, reason, .. }) => {
                    defects.add(line, reason);
                    continue;
                }
                row => row?,
            };
            profile.add(&row);
            observe(&row);
            if chunk.push(row.text, row.text_pair) {
                chunk.count(tokenizer, &mut profile)?;
            }
        }
        chunk.count(tokenizer, &mut profile)?;
        if profile.rows() == 0 && defects.count == 0 {
            return Err(DataError::Empty { path: path.into() }.into());
        }
        let (format, separator) = (rows.format(), rows.separator());
        Ok(Self { task, path: path.into(), format, separator, columns: rows.columns().clone(), profile, defects })
    }

    /// Returns an error if a row cannot be used.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let Some((line, reason)) = self.defects.listed.first() else { return Ok(()) };
        let more = match self.defects.count - 1 {
            0 => String::new(),
            1 => "; and 1 more row cannot be used".into(),
            more => format!("; and {} more rows cannot be used", thousands(more)),
        };
        Err(Failure::input(format!("{}, {} {line}: {reason}{more}", self.path.display(), self.format.unit())))
    }

    /// What fits the lengths of the texts.
    fn long_texts(&self, limits: Limits) -> Recommendation {
        Recommendation::of(self.profile.lengths(), limits, self.columns.text_pair.is_some())
    }

    /// Labels that do not occur in the training file.
    pub(super) fn unknown(&self, train: &Self) -> Vec<String> {
        let known = train.profile.classes();
        let labels = self.profile.classes().into_iter().map(|(name, _)| name);
        labels.filter(|label| !known.iter().any(|(name, _)| name == label)).collect()
    }

    pub(super) fn json(&self, limits: Limits) -> Value {
        let max_length = limits.max_length;
        let (profile, lengths) = (&self.profile, self.profile.lengths());
        let classes = profile.classes();
        let class = |(name, rows): &(String, u64)| {
            let example = profile.sample(name).map(|sample| {
                let mut json = json!({ "line": sample.line, "text": sample.text });
                if let Some(text_pair) = &sample.text_pair {
                    json["text_pair"] = json!(text_pair);
                }
                json
            });
            json!({ "name": name, "rows": rows, "share": share(*rows, profile.rows()), "example": example })
        };
        let defect = |(line, reason): &(u64, String)| json!({ "line": line, "reason": reason });
        let conflict = |conflict: &rekindle::data::Conflict| {
            json!({
                "first_line": conflict.first_line,
                "first_label": conflict.first_label,
                "line": conflict.line,
                "label": conflict.label,
            })
        };
        let truncated = lengths.longer_than(max_length);
        let group = |(name, rows): (&str, u64)| json!({ "name": name, "rows": rows });
        let groups = self.columns.group.map(|column| {
            let largest = profile.largest_group().map(group);
            json!({ "column": self.columns.name(column), "count": profile.groups(), "largest": largest })
        });
        let times = self.columns.time.zip(profile.times()).map(|(column, (oldest, newest))| {
            let [oldest, newest] = [oldest, newest].map(|time| time.to_string());
            json!({ "column": self.columns.name(column), "oldest": oldest, "newest": newest })
        });
        let column = |index: usize| self.columns.names.get(index);
        json!({
            "file": self.path.display().to_string(),
            "format": self.format.name(),
            "separator": self.separator,
            "columns": self.columns.names,
            "text_column": column(self.columns.text),
            "text_pair_column": self.columns.text_pair.and_then(column),
            "label_column": column(self.columns.label),
            "rows": profile.rows(),
            "classes": classes.iter().map(class).collect::<Vec<_>>(),
            "largest_to_smallest": ratio(&classes),
            "groups": groups,
            "times": times,
            "tokens": {
                "min": lengths.min(),
                "median": lengths.percentile(50),
                "p90": lengths.percentile(90),
                "p95": lengths.percentile(95),
                "p99": lengths.percentile(99),
                "max": lengths.max(),
                "truncated": truncated,
                "truncated_share": share(truncated, profile.rows()),
            },
            "long_texts": self.long_texts(limits).json(),
            "empty": profile.empty(),
            "duplicates": profile.duplicates(),
            "contradictions": profile.contradictions(),
            "conflicts": profile.conflicts().iter().map(conflict).collect::<Vec<_>>(),
            "defective": self.defects.count,
            "defects": self.defects.listed.iter().map(defect).collect::<Vec<_>>(),
        })
    }

    pub(super) fn print(&self, display: &Display, limits: Limits) {
        let (profile, rows) = (&self.profile, self.profile.rows());
        let separator = match self.separator {
            Some('\t') if self.format == Format::Csv => ", separated by tabs".into(),
            Some(separator) if !matches!(separator, ',' | '\t') => format!(", separated by `{separator}`"),
            _ => String::new(),
        };
        display.line(&format!("\nfile            {} ({}{separator})", self.path.display(), self.format));
        display.line(&format!("columns         {}", describe(&self.columns)));
        display.line(&format!("rows            {}", thousands(rows)));
        if self.task == Some(Task::Regression) {
            display.line(&format!("values          {}", values(&profile.classes())));
        } else {
            self.print_classes(display);
        }
        self.print_groups(display);
        self.print_texts(display, limits);
    }

    fn print_groups(&self, display: &Display) {
        if let Some((column, (oldest, newest))) = self.columns.time.zip(self.profile.times()) {
            display.line(&format!("times           {oldest} to {newest} (`{}`)", self.columns.name(column)));
        }
        let (Some(column), Some((name, rows))) = (self.columns.group, self.profile.largest_group()) else { return };
        let (column, groups) = (self.columns.name(column), thousands(self.profile.groups()));
        let rows = of(rows, self.profile.rows());
        display.line(&format!("groups          {groups} (`{column}`); the largest, `{}`, has {rows}", shortened(name)));
    }

    fn print_classes(&self, display: &Display) {
        let (profile, rows) = (&self.profile, self.profile.rows());
        let classes = profile.classes();
        for (index, (name, count)) in classes.iter().take(NAMED).enumerate() {
            let head = if index == 0 { "classes" } else { "" };
            let example = profile.sample(name).map_or(String::new(), |sample| {
                let texts = [Some(&sample.text), sample.text_pair.as_ref()].into_iter().flatten();
                let texts: Vec<String> = texts.map(|text| shortened(text)).collect();
                format!("  {} {}: {}", self.format.unit(), sample.line, texts.join(" / "))
            });
            display.line(&format!("{head:15} {name}: {}{example}", of(*count, rows)));
        }
        if classes.len() > NAMED {
            display.line(&format!("                and {} more", thousands(classes.len() - NAMED)));
        }
        display.line(&format!("balance         {}", balance(&classes, rows)));
    }

    fn print_texts(&self, display: &Display, limits: Limits) {
        let (max_length, rows) = (limits.max_length, self.profile.rows());
        let (profile, lengths) = (&self.profile, self.profile.lengths());
        if let (Some(min), Some(max)) = (lengths.min(), lengths.max()) {
            let at = |percent| lengths.percentile(percent).unwrap_or(max);
            display.line(&format!(
                "tokens          {min} to {max}, median {}; 90 % have at most {}, 95 % {}, 99 % {}",
                at(50),
                at(90),
                at(95),
                at(99)
            ));
        }
        display.line(&format!(
            "cut off         {}, at --max-length {max_length}",
            of(lengths.longer_than(max_length), rows)
        ));
        display.line(&format!("long texts      {}", self.long_texts(limits).describe(lengths, rows)));
        display.line(&format!("empty           {}", of(profile.empty(), rows)));
        display.line(&format!(
            "repeated        {}: the same text before, but for Unicode normalisation, case and white space",
            of(profile.duplicates(), rows)
        ));
        display.line(&format!(
            "contradictory   {}: the same text before, with another label",
            of(profile.contradictions(), rows)
        ));
        let unit = self.format.unit();
        for conflict in profile.conflicts() {
            display.line(&format!(
                "                {unit} {} has `{}`, {unit} {} has `{}`",
                conflict.first_line, conflict.first_label, conflict.line, conflict.label
            ));
        }
        if self.defects.count > 0 {
            display.line(&format!("unusable        {}, not counted above", thousands(self.defects.count)));
        }
        for (line, reason) in self.defects.listed.iter().take(PRINTED) {
            display.line(&format!("                {unit} {line}: {reason}"));
        }
        if self.defects.count > PRINTED as u64 {
            display.line(&format!("                and {} more", thousands(self.defects.count - PRINTED as u64)));
        }
    }
}

/// Texts that are not tokenized yet.
#[derive(Default)]
struct Chunk {
    texts: Vec<(String, Option<String>)>,
    bytes: usize,
}

impl Chunk {
    /// Adds a text, or both texts of a pair, and returns whether the chunk is full.
    fn push(&mut self, text: String, text_pair: Option<String>) -> bool {
        self.bytes += text.len() + text_pair.as_ref().map_or(0, String::len);
        self.texts.push((text, text_pair));
        self.texts.len() == CHUNK || self.bytes >= CHUNK_BYTES
    }

    /// Counts the tokens of the texts, and removes them.
    fn count(&mut self, tokenizer: &Tokenizer, profile: &mut Profile) -> Result<(), TokenizerError> {
        tokenizer.pair_lengths_all(&self.texts)?.into_iter().for_each(|tokens| profile.add_length(tokens));
        self.texts.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// The columns by name, with their roles.
fn describe(columns: &Columns) -> String {
    let role = |index: usize| {
        let roles = [
            (columns.text == index, "text"),
            (columns.text_pair == Some(index), "text pair"),
            (columns.label == index || columns.labels.contains(&index), "label"),
            (columns.group == Some(index), "group"),
            (columns.time == Some(index), "time"),
        ];
        let roles: Vec<&str> = roles.into_iter().filter(|(has_role, _)| *has_role).map(|(_, role)| role).collect();
        roles.join(" and ")
    };
    let name = |(index, name): (usize, &String)| match role(index) {
        role if role.is_empty() => name.clone(),
        role => format!("{name} ({role})"),
    };
    let further = [(columns.text_pair, "text pair"), (columns.group, "group"), (columns.time, "time")];
    let further = further.into_iter().filter_map(|(column, role)| Some(format!("column {} the {role}, ", column?)));
    let further: String = further.collect();
    let label = match &columns.labels[..] {
        [] => format!("column {} the label", columns.label),
        several => {
            format!("columns {} the labels", several.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
        }
    };
    match columns.names.is_empty() {
        true => format!("no header: column {} is the text, {further}{label}", columns.text),
        false => columns.names.iter().enumerate().map(name).collect::<Vec<_>>().join(", "),
    }
}

/// The number that a label is.
fn number(label: &str) -> Option<f64> {
    label.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The range of numbers, given with their rows, and their mean.
fn values(numbers: &[(String, u64)]) -> String {
    let numbers = || numbers.iter().filter_map(|(name, rows)| Some((number(name)?, *rows as f64)));
    let (low, high) =
        numbers().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (value, _)| (low.min(value), high.max(value)));
    let (sum, rows) = numbers().fold((0.0, 0.0), |(sum, rows), (value, count)| (sum + value * count, rows + count));
    if rows == 0.0 { "none".into() } else { format!("{low} to {high}, mean {:.4}", sum / rows) }
}

/// The balance of the classes.
fn balance(classes: &[(String, u64)], rows: u64) -> String {
    let largest = classes.iter().max_by_key(|(_, count)| *count);
    let smallest = classes.iter().min_by_key(|(_, count)| *count);
    let (Some((large, _)), Some((small, least)), Some(ratio)) = (largest, smallest, ratio(classes)) else {
        return "none".into();
    };
    if classes.len() == 1 {
        return format!("every label is `{large}`; a classifier needs at least two classes");
    }
    let even = rows as f64 / classes.len() as f64;
    let verdict = match (*least as f64) < SMALL * even {
        true => "imbalanced: look at F1 more than at accuracy",
        false => "even enough",
    };
    format!("`{large}` has {ratio:.1} times the rows of `{small}`; {verdict}")
}

/// The number of rows of the largest class, divided by that of the smallest.
fn ratio(classes: &[(String, u64)]) -> Option<f64> {
    let counts = || classes.iter().map(|(_, count)| *count);
    Some(counts().max()? as f64 / counts().min()? as f64)
}
