//! Numbers and tables as text.

use rekindle::checkpoint::{ClassMatch, LoadReport};
use rekindle::data::Dataset;
use rekindle::report::thousands;
use rekindle::results::{AbstentionRecord, ApproachRecord, Results, Scores};

use super::table::fitted_table;
use super::width::wrapped;

/// The load report: a line per tensor that did not match.
pub fn report_table(report: &LoadReport) -> Vec<String> {
    let mut rows: Vec<(String, &str, String)> = Vec::new();
    for name in &report.unexpected {
        rows.push((name.clone(), "unexpected", "in the checkpoint only; not used by this model".into()));
    }
    for name in &report.missing {
        rows.push((name.clone(), "missing", "not in the checkpoint; freshly initialised, to be trained".into()));
    }
    for tensor in &report.mismatched {
        let meaning =
            format!("shape {:?} in the checkpoint, {:?} here; freshly initialised", tensor.checkpoint, tensor.model);
        rows.push((tensor.name.clone(), "mismatched", meaning));
    }
    let classes = report.classes.as_ref().map(classes);
    if rows.is_empty() {
        let matched = "load report: every tensor matched".to_string();
        return std::iter::once(matched).chain(classes).collect();
    }
    let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let mut lines = vec!["load report".to_string()];
    lines.extend(rows.iter().map(|(name, status, meaning)| format!("  {name:width$}  {status:10}  {meaning}")));
    lines.extend(classes);
    lines
}

/// How the rows of a trained head were matched with the classes.
fn classes(matched: &ClassMatch) -> String {
    match matched {
        ClassMatch::ByName { unused } if unused.is_empty() => {
            "  classes: the rows of the trained head are matched by their names".into()
        }
        ClassMatch::ByName { unused } => format!(
            "  classes: the rows of the trained head are matched by their names; not used: {}",
            unused.join(", ")
        ),
        ClassMatch::ByPosition { head } => format!(
            "  classes: none of the names of the trained head ({}) is a class here; its rows are used in their order",
            head.join(", ")
        ),
        ClassMatch::Partly { unknown, head, .. } => format!(
            "  classes: the rows of the trained head ({}) are matched by their names; it does not have {}, freshly initialised",
            head.join(", "),
            unknown.join(", ")
        ),
    }
}

/// The comparison: a line per approach and baseline, how each approach was trained, then the findings. `width` is that of the
/// terminal; without one, lines have any length.
pub fn summary_table(results: &Results, width: Option<usize>) -> String {
    let records = || results.approaches.iter().chain(&results.baselines);
    let names = records().map(|record| name(record).len()).max().unwrap_or(0).max("approach".len());
    let columns = columns(results);
    let fits = names + columns.iter().map(|column| 2 + column.width).sum::<usize>();
    let mut lines = Vec::new();
    let is_table = width.is_none_or(|width| fits < width);
    let row = |record: &ApproachRecord| match is_table {
        true => {
            let cells = columns.iter().map(|column| format!("  {}", column.cell(record)));
            format!("{:names$}{}", name(record), cells.collect::<String>())
        }
        false => {
            let cells = columns.iter().map(|column| format!("{} {}", column.name, column.cell(record).trim()));
            format!("{}\n  {}", name(record), cells.collect::<Vec<_>>().join(", "))
        }
    };
    if is_table {
        let heads = columns.iter().map(|column| format!("  {}", column.head()));
        lines.push(format!("{:names$}{}", "approach", heads.collect::<String>()));
    }
    lines.extend(results.approaches.iter().map(row));
    if !results.baselines.is_empty() {
        lines.push(format!("{:names$}", "without a pretrained model"));
        lines.extend(results.baselines.iter().map(row));
    }
    if results.design.metrics.is_empty() {
        lines.push(format!("F1: {}", averaging(&results.data.classes)));
    }
    let trained = |record| Some(format!("{:names$}  {}", name(record), training(record)?));
    let trained = results.approaches.iter().filter_map(trained).collect();
    let findings = results.findings.iter().cloned().chain(leaks(results)).collect();
    let paragraphs = [lines, trained, findings].into_iter().filter(|lines: &Vec<String>| !lines.is_empty());
    let text = paragraphs.map(|lines| lines.join("\n")).collect::<Vec<_>>().join("\n\n");
    width.map_or_else(|| text.clone(), |width| wrapped(&text, 0, width))
}

/// What is said of labels of a file that were matched with a class of another case.
pub fn other_case(data: &Dataset) -> Option<String> {
    let labels = data.other_case.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    (!labels.is_empty()).then(|| format!("matched with the classes of the model whatever the case: {labels}"))
}

/// What each model predicts if it abstains, and how often it is then wrong; nothing unless this was asked for.
pub fn abstention_lines(results: &Results) -> Option<String> {
    let line = |record: &ApproachRecord| {
        let AbstentionRecord { threshold, coverage, error, .. } = record.diagnostics.abstention.as_ref()?;
        let predicted = (coverage.mean * coverage.n as f64).round() as usize;
        let texts = format!("{} of {} texts", thousands(predicted), thousands(coverage.n));
        let wrong = error.as_ref().map_or(String::new(), |error| {
            let interval = error.interval.map_or(String::new(), |(low, high)| {
                format!(" (95 % interval {:.2} to {:.2} %)", 100.0 * low, 100.0 * high)
            });
            format!(", of which {:.2} % are wrong{interval}", 100.0 * error.mean)
        });
        Some(format!("{}: predicts {texts}, those with a score of at least {threshold:.4}{wrong}", name(record)))
    };
    let lines: Vec<String> = results.approaches.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The scores of each value of a column, the worst first; empty without them.
pub fn slices_table(results: &Results) -> String {
    let Some(first) = results.slices.first() else { return String::new() };
    let columns = columns(results);
    let has_models = results.approaches.len() > 1;
    let value = |value: &str| if value.is_empty() { "(empty)".into() } else { value.replace('\n', " ") };
    let values = results.slices.iter().map(|slice| value(&slice.value).chars().count());
    let width = values.max().unwrap_or(0).max(first.column.chars().count());
    let names = results.slices.iter().map(|slice| slice.approach.chars().count()).max().unwrap_or(0);
    let mut header = vec![first.column.clone(), "examples".into(), "approach".into()];
    header.extend(columns.iter().map(Column::head));
    let cells = results.slices.iter().map(|slice| {
        let mut cells = vec![value(&slice.value), thousands(slice.n), slice.approach.clone()];
        cells.extend(columns.iter().map(|column| (column.cell)(&slice.scores)));
        cells
    });
    let mut rows: Vec<Vec<String>> = cells.collect();
    if !has_models {
        header.remove(2);
        rows.iter_mut().for_each(|cells| drop(cells.remove(2)));
    }
    let line = |cells: &Vec<String>| {
        let cell = |(index, cell): (usize, &String)| match index {
            0 => format!("{cell:width$}"),
            1 => format!("  {cell:>8}"),
            2 if has_models => format!("  {cell:names$}"),
            _ => format!("  {cell}"),
        };
        cells.iter().enumerate().map(cell).collect::<String>() + "\n"
    };
    let table = std::iter::once(&header).chain(&rows).map(line).collect();
    fitted_table(table, &header, &rows).trim_end_matches('\n').into()
}

/// A column of the comparison.
struct Column<'a> {
    name: &'a str,
    width: usize,
    cell: Box<dyn Fn(&Scores) -> String + 'a>,
}

impl<'a> Column<'a> {
    fn new(name: &'a str, digits: usize, score: impl Fn(&Scores) -> f64 + 'a) -> Self {
        let width = name.len().max(8);
        Self { name, width, cell: Box::new(move |scores| format!("{:width$.digits$}", score(scores))) }
    }

    /// The title, in front of an interval on the left, otherwise above the last digit.
    fn head(&self) -> String {
        let Self { name, width, .. } = self;
        if *name == INTERVAL { format!("{name:width$}") } else { format!("{name:>width$}") }
    }

    fn cell(&self, record: &ApproachRecord) -> String {
        (self.cell)(&record.scores)
    }
}

/// The title of the column of intervals.
const INTERVAL: &str = "95 % interval";

/// The metric that ranks the approaches, its interval, and the other scores.
fn columns(results: &Results) -> Vec<Column<'_>> {
    let design = &results.design;
    let digits = |name: &str| if name == "loss" { 6 } else { 4 };
    let label = design.metric_label();
    let ranked = Column::new(label, digits(label), |scores| design.ranked(scores).map_or(f64::NAN, |of| of.mean));
    let interval = Column {
        name: INTERVAL,
        width: "0.1234 to 0.1234".len(),
        cell: Box::new(|scores| match design.ranked(scores).and_then(|of| of.interval) {
            Some((low, high)) => format!("{:16}", format!("{low:.4} to {high:.4}")),
            None => format!("{:16}", "unknown"),
        }),
    };
    let metric = if design.metric.is_empty() { "accuracy" } else { &design.metric };
    let names = match design.metrics.as_slice() {
        [] => vec![("accuracy", "accuracy"), ("f1", "F1"), ("loss", "loss")],
        metrics => metrics.iter().map(|metric| (metric.name.as_str(), metric.label.as_str())).collect(),
    };
    let others = names.into_iter().filter(|(name, _)| *name != metric);
    let others = others.map(|(name, label)| Column::new(label, digits(name), move |scores| scores.mean(name)));
    [ranked, interval].into_iter().chain(others).collect()
}

/// How F1 is averaged over classes.
fn averaging(classes: &[String]) -> String {
    match classes {
        [_, positive] => format!("of class {positive}"),
        _ => format!("macro average over {} classes", classes.len()),
    }
}

/// The name of an approach or a baseline for readers: an approach by its spec.
fn name(record: &ApproachRecord) -> &str {
    match (record.spec.as_str(), record.approach.as_str()) {
        ("tfidf", _) | ("", "tfidf_logistic_regression") => "TF-IDF",
        ("", name) => name,
        (spec, _) => spec,
    }
}

/// Learning rates, epochs and steps of the first run at the largest size; `None` without gradient descent.
fn training(record: &ApproachRecord) -> Option<String> {
    // The runs of a search may have different settings; the findings name them.
    if record.search.is_some() {
        return None;
    }
    let (steps, epochs) = (record.steps.len(), record.steps.last()?.epoch);
    let head = record.head_learning_rate.map_or(String::new(), |rate| format!(" (head {rate:e})"));
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let rate = record.learning_rate;
    Some(format!("learning rate {rate:e}{head}, {epochs} epoch{}, {steps} step{}", plural(epochs), plural(steps)))
}

/// Texts of training examples among the examples that measure or select.
fn leaks(results: &Results) -> Vec<String> {
    let Some(profile) = &results.data.profile else { return Vec::new() };
    let line = |leaks: u64, part: &str, consequence: &str| {
        let (noun, text) = if leaks == 1 { ("example has", "text") } else { ("examples have", "texts") };
        (leaks > 0)
            .then(|| format!("{} {part} {noun} the {text} of training examples; {consequence}.", thousands(leaks)))
    };
    let test = line(profile.leaks, "test", "all scores are too high");
    let validation = line(profile.validation_leaks, "validation", "they cannot tell the best epoch");
    let column = results.design.group_column.as_deref().unwrap_or_default();
    let of_groups = |leaks: u64, part: &str, consequence: &str| {
        let noun = if leaks == 1 { "example is" } else { "examples are" };
        (leaks > 0).then(|| {
            format!(
                "{} {part} {noun} of groups (`{column}`) that have training examples, too; {consequence}.",
                thousands(leaks)
            )
        })
    };
    let test_groups = of_groups(profile.group_leaks, "test", "all scores are too high");
    let validation_groups = of_groups(profile.validation_group_leaks, "validation", "they cannot tell the best epoch");
    let not_newer = (profile.not_newer > 0).then(|| {
        let noun = if profile.not_newer == 1 { "example is" } else { "examples are" };
        let column = results.design.time_column.as_deref().unwrap_or_default();
        format!(
            "{} test {noun} not newer (`{column}`) than the newest training example; scores on the future may be lower.",
            thousands(profile.not_newer)
        )
    });
    let near = (profile.near_leaks > 0).then(|| {
        let noun = if profile.near_leaks == 1 { "example is" } else { "examples are" };
        format!(
            "{} test {noun} nearly equal to training examples; all scores are too high.",
            thousands(profile.near_leaks)
        )
    });
    [test, validation, near, test_groups, validation_groups, not_newer].into_iter().flatten().collect()
}
