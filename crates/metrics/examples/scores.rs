//! Computes metrics of a CSV file of predictions: `scores FILE.csv`, with the columns `label`, `prediction` and,
//! optionally for two classes, `probability`.
//!
//! The probability is that of the last class in alphabetical order, which is also the positive class. Confidence
//! intervals are percentiles of 10,000 resamples of the rows. The area under the ROC curve has none, because a resample
//! may lack a class.

use std::collections::BTreeSet;
use std::error::Error;
use std::process::ExitCode;

use csv::{ReaderBuilder, StringRecord, Trim};
use rekindle_metrics::{Average, ConfusionMatrix, bootstrap, roc_auc};

const RESAMPLES: usize = 10_000;
const LEVEL: f64 = 0.95;
const SEED: u64 = 42;

/// A metric of the confusion matrix.
type Counted = fn(&ConfusionMatrix, Average) -> f64;

/// The columns of the file.
#[derive(Default)]
struct Rows {
    labels: Vec<String>,
    predictions: Vec<String>,
    probabilities: Option<Vec<f64>>,
}

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
    let [path] = arguments.as_slice() else { return Err("usage: scores FILE.csv".into()) };
    let rows = read(path).map_err(|error| format!("{path}: {error}"))?;

    let classes: BTreeSet<&String> = rows.labels.iter().chain(&rows.predictions).collect();
    let classes: Vec<&String> = classes.into_iter().collect();
    let indices = |names: &[String]| -> Vec<usize> {
        names.iter().filter_map(|name| classes.binary_search(&name).ok()).collect()
    };
    let (truth, predicted) = (indices(&rows.labels), indices(&rows.predictions));
    let average = Average::usual(classes.len());
    let f1 = if classes.len() == 2 { format!("F1 of {}", classes[1]) } else { "macro F1".into() };

    println!("{} rows, {} classes", truth.len(), classes.len());
    let scores: [(&str, Counted); 3] = [
        ("accuracy", |matrix, _| matrix.accuracy()),
        (&f1, |matrix, average| matrix.f1(average).value),
        ("Matthews", |matrix, _| matrix.matthews()),
    ];
    for (name, score) in scores {
        let of = |rows: &[usize]| {
            let (truth, predicted): (Vec<_>, Vec<_>) = rows.iter().map(|&row| (truth[row], predicted[row])).unzip();
            ConfusionMatrix::new(&truth, &predicted, classes.len()).map_or(f64::NAN, |matrix| score(&matrix, average))
        };
        let interval = bootstrap(truth.len(), RESAMPLES, LEVEL, SEED, of)?;
        println!("{name:<12} {:7.4}  [{:.4}, {:.4}]", interval.estimate, interval.low, interval.high);
    }
    if let Some(probabilities) = rows.probabilities {
        if classes.len() != 2 {
            return Err(format!("the column `probability` needs two classes, but there are {}", classes.len()).into());
        }
        let positive: Vec<bool> = truth.iter().map(|&class| class == 1).collect();
        println!("{:<12} {:7.4}", "ROC AUC", roc_auc(&positive, &probabilities)?);
    }
    Ok(())
}

fn read(path: &str) -> Result<Rows, Box<dyn Error>> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_path(path)?;
    let header = reader.headers()?.clone();
    let column = |name: &str| header.iter().position(|column| column == name);
    let needed = |name: &str| {
        column(name).ok_or_else(|| {
            format!("no column `{name}`; the columns are {}", header.iter().collect::<Vec<_>>().join(", "))
        })
    };
    let (label, prediction, probability) = (needed("label")?, needed("prediction")?, column("probability"));
    let mut rows = Rows { probabilities: probability.map(|_| Vec::new()), ..Rows::default() };
    for record in reader.records() {
        let record: StringRecord = record?;
        rows.labels.push(record[label].into());
        rows.predictions.push(record[prediction].into());
        if let (Some(column), Some(probabilities)) = (probability, &mut rows.probabilities) {
            let line = record.position().map_or(0, csv::Position::line);
            let value: Option<f64> = record[column].parse().ok().filter(|value| (0.0..=1.0).contains(value));
            let refused =
                || format!("line {line}: invalid probability `{}`: expected a number from 0 to 1", &record[column]);
            probabilities.push(value.ok_or_else(refused)?);
        }
    }
    Ok(rows)
}
