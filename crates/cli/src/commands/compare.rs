//! `rekindle compare`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use rekindle::experiment::compare_over_data_sets;
use rekindle::files::{FileError, write_atomic};
use rekindle::report::critical_difference_svg;
use rekindle::results::{Comparison, DataSetsComparison, DataSetsPair, Estimate, MetricRecord, Results, Scores};

use crate::exit::Failure;
use crate::files;
use crate::terminal::{fitted_output, fitted_table};

/// The options of `rekindle compare`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct CompareArgs {
    /// Output folders of `rekindle experiment`, or their files results.json.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Largest difference that is practically none, in points; for metrics that are not fractions, in their unit. For runs on five or
    /// more data sets [default: 1 point, and 0 in other units].
    #[arg(long, value_name = "POINTS", value_parser = rope, help_heading = "Data sets")]
    pub rope: Option<f64>,
    /// File for the critical-difference diagram of runs on five or more data sets, an SVG image; an existing one is replaced.
    #[arg(long, value_name = "FILE.svg", help_heading = "Data sets")]
    pub diagram: Option<PathBuf>,
    /// Print the comparison as JSON.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// Returns an error if results cannot be read. Then nothing is printed.
pub fn run(args: &CompareArgs) -> Result<(), Failure> {
    let file = |run: &PathBuf| if run.is_dir() { run.join("results.json") } else { run.clone() };
    files::check_pointers(&args.runs.iter().map(file).collect::<Vec<_>>())?;
    let mut runs = Vec::new();
    for path in &args.runs {
        runs.push((path.display().to_string(), Results::read(path)?));
    }
    let mut comparison = Comparison::of(&runs);
    comparison.data_sets = compare_over_data_sets(&runs, args.rope)?;
    let given = [("--rope", args.rope.is_some()), ("--diagram", args.diagram.is_some())];
    if let Some((option, _)) = given.into_iter().find(|(_, is_given)| *is_given && comparison.data_sets.is_none()) {
        return Err(Failure::usage(format!(
            "{option}: needs runs on at least five different data sets, with two approaches in common and the same metric"
        )));
    }
    if let Some((path, data_sets)) = args.diagram.as_ref().zip(comparison.data_sets.as_ref()) {
        let write = |new: &Path| fs::write(new, critical_difference_svg(data_sets));
        write_atomic(path, |new| write(new).map_err(|source| FileError::write(path, source)))?;
    }
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &comparison)?;
        return Ok(writeln!(out)?);
    }
    Ok(out.write_all(text(&comparison, &metrics(&runs)).as_bytes())?)
}

/// The metrics of all runs, each once. F1 has the name of the average if not all runs have two classes.
fn metrics(runs: &[(String, Results)]) -> Vec<MetricRecord> {
    let is_binary = runs.iter().all(|(_, results)| results.data.classes.len() == 2);
    let mut all: Vec<MetricRecord> = Vec::new();
    for mut metric in runs.iter().flat_map(|(_, results)| results.metrics()) {
        if metric.name == "f1" && !is_binary {
            metric.label = "macro F1".into();
        }
        if all.iter().all(|other| other.name != metric.name) {
            all.push(metric);
        }
    }
    all
}

/// The comparison as text: runs by number, settings, scores, cautions.
fn text(comparison: &Comparison, metrics: &[MetricRecord]) -> String {
    let runs = comparison.runs.len();
    let mut rows = vec![vec![if runs == 1 { "run" } else { "runs" }.to_string()]];
    rows.extend(comparison.runs.iter().enumerate().map(|(index, run)| vec![format!("  {}", index + 1), run.clone()]));
    let mut text = columns(&rows);

    if runs > 1 && !comparison.different.is_empty() {
        let mut rows = vec![header("different", runs)];
        rows.extend(comparison.different.iter().map(|setting| {
            let values = setting.values.iter().map(|value| value.as_deref().map_or_else(|| "–".into(), short));
            std::iter::once(format!("  {}", setting.name)).chain(values).collect()
        }));
        text += &format!("\n{}", columns(&rows));
    }
    let mut rows = vec![vec![if runs == 1 { "settings" } else { "the same" }.to_string()]];
    rows.extend(comparison.same.iter().map(|(name, value)| vec![format!("  {name}"), short(value)]));
    text += &format!("\n{}", columns(&rows));

    let all_scores = || comparison.scores.iter().flat_map(|row| row.scores.iter().flatten());
    for metric in metrics.iter().filter(|metric| all_scores().any(|scores| scores.get(&metric.name).is_some())) {
        let mut rows = vec![header(&metric.label, runs)];
        rows.extend(comparison.scores.iter().map(|row| {
            let value = |scores: &Option<Scores>| {
                scores.as_ref().and_then(|scores| scores.get(&metric.name)).map_or("–".into(), estimate)
            };
            let values = row.scores.iter().map(value);
            std::iter::once(format!("  {}", row.name)).chain(values).collect()
        }));
        text += &format!("\n{}", columns(&rows));
    }
    if let Some(data_sets) = &comparison.data_sets {
        text += &over_data_sets(data_sets);
    }
    if !comparison.cautions.is_empty() {
        text += &format!("\n{}\n", fitted_output(&comparison.cautions.join("\n")));
    }
    text
}

/// The mean ranks of approaches over several data sets, and every pair of them.
fn over_data_sets(record: &DataSetsComparison) -> String {
    let mut rows = vec![vec![format!("over {} data sets, by {}", record.data_sets, record.metric), "mean rank".into()]];
    let ranks = record.approaches.iter().map(|one| vec![format!("  {}", one.name), format!("{:.2}", one.rank)]);
    rows.extend(ranks);
    let mut text = format!("\n{}", columns(&rows));
    let friedman = format!(
        "Friedman's test, corrected by Iman and Davenport: p = {:.4}. Mean ranks that differ by {:.2} are significantly different \
         (Nemenyi).\n",
        record.friedman_p, record.critical_difference
    );
    text += &fitted_output(&friedman);
    let header = ["pairs", "difference", "p (Holm)", "better", "equivalent", "worse", ""];
    let mut rows = vec![header.map(String::from).to_vec()];
    rows.extend(record.pairs.iter().map(|pair| {
        let probability = |p: f64| format!("{p:.2}");
        vec![
            format!("  {} against {}", pair.a, pair.b),
            format!("{:+.4}", pair.difference),
            format!("{:.4}", pair.p_adjusted),
            probability(pair.better),
            probability(pair.equivalent),
            probability(pair.worse),
            outcome(pair).into(),
        ]
    }));
    text += &format!("\n{}", columns(&rows));
    let tests = format!(
        "p by Wilcoxon's signed-rank test; better, equivalent within {} and worse are probabilities by the Bayesian one.\n",
        record.rope
    );
    text += &fitted_output(&tests);
    text
}

/// What is known about a pair.
fn outcome(pair: &DataSetsPair) -> &'static str {
    const PROBABLE: f64 = 0.95;
    match pair {
        pair if pair.better > PROBABLE => "practically better",
        pair if pair.worse > PROBABLE => "practically worse",
        pair if pair.equivalent > PROBABLE => "equivalent",
        pair if pair.significant => "significantly different",
        _ => "unknown",
    }
}

fn rope(text: &str) -> Result<f64, String> {
    let rope = text.parse().ok().filter(|rope: &f64| rope.is_finite() && *rope >= 0.0);
    rope.ok_or_else(|| "expected a number of at least 0, for example 1".into())
}

/// A setting for readers: of a SHA-256, as many digits as distinguish files. The JSON has all.
fn short(value: &str) -> String {
    let is_hash = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { format!("{}…", &value[..12]) } else { value.into() }
}

/// A name, and the number of each run if there are several.
fn header(name: &str, runs: usize) -> Vec<String> {
    let numbers = (1..=runs).filter(|_| runs > 1).map(|number| number.to_string());
    std::iter::once(name.to_string()).chain(numbers).collect()
}

/// A mean, and its confidence interval if there is one.
fn estimate(estimate: &Estimate) -> String {
    match estimate.interval {
        Some((low, high)) => format!("{:.4} [{low:.4}, {high:.4}]", estimate.mean),
        None => format!("{:.4}", estimate.mean),
    }
}

/// Aligns the cells of rows, of which the first is the header, in columns that fit the terminal.
fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        // Not by the formatter, whose width is at most 65,535: a damaged name may be longer.
        let pad = |(cell, &width): (&String, &usize)| cell.clone() + &" ".repeat(width - cell.chars().count());
        let cells = row.iter().zip(&widths).map(pad);
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    let table: String = rows.iter().map(line).collect();
    rows.split_first().map_or_else(String::new, |(header, rows)| fitted_table(table, header, rows))
}

const EXAMPLES: &str = "\
Examples:
  rekindle compare artifacts_transfer_learning other_seed
  rekindle compare one/results.json two/results.json --json > both.json";
