//! Numbers and tables as text.

use rekindle::checkpoint::{ClassMatch, LoadReport};
use rekindle::report::thousands;
use rekindle::results::{ApproachRecord, Results, Scores};

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

/// The comparison: a line per approach and baseline, how each approach was trained, then the findings.
pub fn summary_table(results: &Results) -> String {
    let names: Vec<&str> = results.approaches.iter().chain(&results.baselines).map(name).collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0).max("approach".len());
    let row = |record: &ApproachRecord| {
        let Scores { accuracy, f1, loss, .. } = &record.scores;
        let interval = match accuracy.interval {
            Some((low, high)) => format!("{low:.4} to {high:.4}"),
            None => "unknown".into(),
        };
        format!("{:width$}  {:8.4}  {interval:16}  {:8.4}  {:8.6}", name(record), accuracy.mean, f1.mean, loss.mean)
    };
    let mut lines = vec![format!("{:width$}  accuracy  95 % interval           F1      loss", "approach")];
    lines.extend(results.approaches.iter().map(row));
    if !results.baselines.is_empty() {
        lines.push(format!("{:width$}", "without a pretrained model"));
        lines.extend(results.baselines.iter().map(row));
    }
    lines.push(format!("F1: {}", averaging(&results.data.classes)));
    lines.push(String::new());
    let trained = |record| Some(format!("{:width$}  {}", name(record), training(record)?));
    let trained: Vec<String> = results.approaches.iter().filter_map(trained).collect();
    if !trained.is_empty() {
        lines.extend(trained);
        lines.push(String::new());
    }
    lines.extend(results.findings.iter().cloned());
    lines.extend(leaks(results));
    lines.join("\n")
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
    test.into_iter().chain(validation).collect()
}
