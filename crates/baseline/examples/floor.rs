//! Prints the accuracy of both baselines: `floor TRAIN.tsv TEST.tsv`. The files have no header; each line is
//! `text TAB label`.

use std::collections::BTreeSet;
use std::error::Error;
use std::process::ExitCode;

use rekindle_baseline::{Baseline, BaselineError, LogisticOptions, Majority, TfidfLogisticRegression};

/// Texts and their labels.
type Columns<'a> = (Vec<&'a str>, Vec<&'a str>);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [train_file, test_file] = arguments.as_slice() else { return Err("usage: floor TRAIN.tsv TEST.tsv".into()) };
    let (train, test) = (read(train_file)?, read(test_file)?);
    let ((train_texts, train_names), (test_texts, test_names)) = (rows(train_file, &train)?, rows(test_file, &test)?);

    let classes: BTreeSet<&str> = train_names.iter().chain(&test_names).copied().collect();
    let classes: Vec<&str> = classes.into_iter().collect();
    let indices =
        |names: &[&str]| -> Vec<usize> { names.iter().filter_map(|name| classes.binary_search(name).ok()).collect() };
    let (labels, truth) = (indices(&train_names), indices(&test_names));
    println!("{} texts to learn from, {} to test on, {} classes", labels.len(), truth.len(), classes.len());

    let accuracy = |baseline: &dyn Baseline| {
        let predictions = baseline.predictions(&test_texts);
        let hits = predictions.iter().zip(&truth).filter(|(predicted, label)| predicted == label).count();
        hits as f64 / truth.len() as f64
    };
    println!("{:<28} accuracy {:.4}", "majority", accuracy(&Majority::fit(&labels, classes.len())?));
    match TfidfLogisticRegression::fit(&train_texts, &labels, classes.len(), &LogisticOptions::default()) {
        Ok(words) => println!("{:<28} accuracy {:.4}", "TF-IDF, logistic regression", accuracy(&words)),
        Err(nothing @ (BaselineError::OneClass { .. } | BaselineError::NoWords)) => println!("{nothing}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn read(file: &str) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))
}

fn rows<'a>(file: &str, content: &'a str) -> Result<Columns<'a>, String> {
    let row = |(index, line): (usize, &'a str)| {
        let refused = || format!("{file}: line {} is not `text TAB label`", index + 1);
        line.rsplit_once('\t').filter(|(_, label)| !label.trim().is_empty()).ok_or_else(refused)
    };
    let rows: Columns<'a> = content.lines().enumerate().map(row).collect::<Result<_, _>>()?;
    if rows.0.is_empty() { Err(format!("{file}: no line in it")) } else { Ok(rows) }
}
