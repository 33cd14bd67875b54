//! Simulates how often each kind of 95 % interval contains the truth: `coverage DRAWS`.
//!
//! Each line is a task, a score and a method: test sets are drawn from a population, and the truth is the score of 400,000 rows of it,
//! or for folds the mean accuracy of as many training sets as there are draws. Three standard errors of a proportion of 0.95 over
//! 2,000 draws are 1.5 points.

use std::f64::consts::TAU;
use std::process::ExitCode;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rekindle_metrics::{
    Interval, MetricsError, Outcome, ProbabilityRows, ProbabilityScore, Scorer, bootstrap, cluster_bootstrap,
    corrected_t_interval, learning_curve_gain, softmax, wilson_interval,
};

const LEVEL: f64 = 0.95;
const RESAMPLES: usize = 1000;
/// Rows of a test set, and of the population that gives the truth.
const ROWS: usize = 250;
const POPULATION: usize = 400_000;
/// Rows of a group.
const GROUP: usize = 5;
/// Classes of a text with one class, and labels of a text with several.
const CLASSES: usize = 4;
const FOLDS: usize = 5;

fn main() -> ExitCode {
    let draws = std::env::args().nth(1).and_then(|draws| draws.parse().ok());
    let Some(draws) = draws.filter(|draws| *draws > 0) else {
        eprintln!("usage: coverage DRAWS");
        return ExitCode::FAILURE;
    };
    match simulate(draws) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(draws: u64) -> Result<(), MetricsError> {
    println!("{draws} draws; the fraction of 95 % intervals that contain the truth");
    for (task, draw, metrics) in [
        ("2 classes", two_classes as Draw, &["accuracy", "f1", "loss"][..]),
        ("4 classes", four_classes, &["accuracy", "f1_macro", "matthews_corrcoef"]),
        ("4 labels", labels, &["f1_micro", "f1_macro"]),
        ("numbers", numbers, &["rmse", "r2", "spearman"]),
    ] {
        for metric in metrics {
            let metric: Scorer = metric.parse().map_err(|_| MetricsError::Empty)?;
            of_rows(task, draw, metric, draws)?;
        }
    }
    groups(draws)?;
    difference(draws)?;
    probabilities(draws)?;
    recall(draws)?;
    folds(draws)?;
    curves(draws)
}

/// Draws the predictions of rows.
type Draw = fn(usize, &mut Random) -> Result<Outcome, MetricsError>;

/// A metric of a test set, by the bootstrap over rows.
fn of_rows(task: &str, draw: Draw, metric: Scorer, draws: u64) -> Result<(), MetricsError> {
    let truth = draw(POPULATION, &mut Random::new(0))?.score(metric);
    let mut count = Count::new(truth);
    for seed in 1..=draws {
        let outcome = draw(ROWS, &mut Random::new(seed))?;
        count.add(bootstrap(ROWS, RESAMPLES, LEVEL, seed, |rows| outcome.score_of(metric, rows))?);
    }
    count.print(task, metric.name(), "bootstrap");
    Ok(())
}

/// The accuracy on texts of groups that are predicted alike, by the bootstrap over groups.
fn groups(draws: u64) -> Result<(), MetricsError> {
    let draw = |rows: usize, random: &mut Random| -> Vec<f64> {
        let of_group = |random: &mut Random| {
            let ease = random.normal();
            (0..GROUP).map(|_| f64::from(1.0 + ease + random.normal() > 0.0)).collect::<Vec<f64>>()
        };
        (0..rows / GROUP).flat_map(|_| of_group(random)).collect()
    };
    let mean = |values: &[f64], rows: &[usize]| rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64;
    let population = draw(POPULATION, &mut Random::new(0));
    let mut count = Count::new(population.iter().sum::<f64>() / population.len() as f64);
    let clusters: Vec<usize> = (0..ROWS).map(|row| row / GROUP).collect();
    for seed in 1..=draws {
        let values = draw(ROWS, &mut Random::new(seed));
        count.add(cluster_bootstrap(&clusters, RESAMPLES, LEVEL, seed, |rows| mean(&values, rows))?);
    }
    count.print("groups of 5", "accuracy", "bootstrap of groups");
    Ok(())
}

/// The difference in accuracy of two models on the same rows, by the bootstrap over rows.
fn difference(draws: u64) -> Result<(), MetricsError> {
    let draw = |rows: usize, random: &mut Random| -> Vec<f64> {
        let of_row = |random: &mut Random| {
            let ease = random.normal();
            let [first, second] = [1.2, 1.0].map(|skill| f64::from(skill + ease + 0.5 * random.normal() > 0.0));
            first - second
        };
        (0..rows).map(|_| of_row(random)).collect()
    };
    let population = draw(POPULATION, &mut Random::new(0));
    let mut count = Count::new(population.iter().sum::<f64>() / population.len() as f64);
    for seed in 1..=draws {
        let values = draw(ROWS, &mut Random::new(seed));
        let mean = |rows: &[usize]| rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64;
        count.add(bootstrap(ROWS, RESAMPLES, LEVEL, seed, mean)?);
    }
    count.print("2 models", "difference in accuracy", "paired bootstrap");
    Ok(())
}

/// Scores of probabilities that are too confident, by the bootstrap over rows.
fn probabilities(draws: u64) -> Result<(), MetricsError> {
    let draw = |rows: usize, random: &mut Random| {
        let (mut truth, mut all) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let (class, logits) = random.logits::<CLASSES>(1.5);
            let mut row = logits.map(|logit| 3.0 * logit);
            softmax(&mut row);
            truth.push(class);
            all.extend(row);
        }
        ProbabilityRows::new(&truth, &all, CLASSES, 10)
    };
    let population = draw(POPULATION, &mut Random::new(0))?;
    for score in ProbabilityScore::ALL {
        let mut count = Count::new(population.score(score));
        for seed in 1..=draws {
            let rows = draw(ROWS, &mut Random::new(seed))?;
            let statistic = |drawn: &[usize]| rows.score_of(score, drawn.iter().copied());
            count.add(bootstrap(ROWS, RESAMPLES, LEVEL, seed, statistic)?);
        }
        count.print("probabilities", score.name(), "bootstrap");
    }
    Ok(())
}

/// The recall of a class with few rows, by Wilson's interval.
fn recall(draws: u64) -> Result<(), MetricsError> {
    for (rows, truth) in [(40, 0.9), (200, 0.7)] {
        let mut count = Count::new(truth);
        for seed in 1..=draws {
            let mut random = Random::new(seed);
            let hits = (0..rows).filter(|_| random.uniform() < truth).count();
            count.add(wilson_interval(hits as f64, rows, LEVEL)?);
        }
        count.print(&format!("{rows} rows of a class"), "recall", "Wilson");
    }
    Ok(())
}

/// The accuracy of a classifier by cross-validation, by the corrected t: the nearest of two class means in ten dimensions.
fn folds(draws: u64) -> Result<(), MetricsError> {
    type Row = ([f64; 10], bool);
    let draw = |rows: usize, random: &mut Random| -> Vec<Row> {
        let of_row = |random: &mut Random| {
            let class = random.uniform() < 0.5;
            let shift = if class { 0.4 } else { -0.4 };
            (std::array::from_fn(|_| shift + random.normal()), class)
        };
        (0..rows).map(|_| of_row(random)).collect()
    };
    let accuracy = |train: &[Row], test: &[Row]| {
        let mean = |class: bool| -> [f64; 10] {
            let rows: Vec<&Row> = train.iter().filter(|row| row.1 == class).collect();
            std::array::from_fn(|place| rows.iter().map(|row| row.0[place]).sum::<f64>() / rows.len().max(1) as f64)
        };
        let means = [mean(false), mean(true)];
        let distance = |a: &[f64; 10], b: &[f64; 10]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let is_right = |(x, class): &&Row| (distance(x, &means[1]) < distance(x, &means[0])) == *class;
        test.iter().filter(is_right).count() as f64 / test.len() as f64
    };
    let population = draw(POPULATION / 20, &mut Random::new(0));
    let size = ROWS - ROWS / FOLDS;
    let of_training = |seed| accuracy(&draw(size, &mut Random::new(seed)), &population);
    let trainings = draws.min(200);
    let truth = (1..=trainings).map(|seed| of_training(1_000_000 + seed)).sum::<f64>() / trainings as f64;
    for repeats in [1, 3] {
        let mut count = Count::new(truth);
        for seed in 1..=draws {
            let mut random = Random::new(seed);
            let mut rows = draw(ROWS, &mut random);
            let mut scores = Vec::new();
            for _ in 0..repeats {
                random.shuffle(&mut rows);
                for fold in 0..FOLDS {
                    let of = |is_test: bool| -> Vec<Row> {
                        let rows = rows.iter().enumerate();
                        rows.filter(|(place, _)| (place % FOLDS == fold) == is_test).map(|(_, row)| *row).collect()
                    };
                    scores.push(accuracy(&of(false), &of(true)));
                }
            }
            count.add(corrected_t_interval(&scores, 1.0 / (FOLDS - 1) as f64, LEVEL)?);
        }
        count.print(&format!("{FOLDS} folds, {repeats} times"), "accuracy", "corrected t");
    }
    Ok(())
}

/// What more labels bring, by learning curves that follow the power law.
fn curves(draws: u64) -> Result<(), MetricsError> {
    let (sizes, more) = ([100, 200, 400, 800], 100);
    let law = |n: usize| 0.9 - 1.5 * (n as f64).powf(-0.5);
    for runs in [5, 10] {
        let mut count = Count::new(law(sizes[3] + more) - law(sizes[3]));
        for seed in 1..=draws {
            let mut random = Random::new(seed);
            let of_run = |random: &mut Random| {
                let all = 0.01 * random.normal();
                sizes.iter().map(|&n| law(n) + all + 0.01 * random.normal()).collect::<Vec<f64>>()
            };
            let scores: Vec<Vec<f64>> = (0..runs).map(|_| of_run(&mut random)).collect();
            count.add(learning_curve_gain(&sizes, &scores, more, true, LEVEL, seed)?);
        }
        count.print(&format!("{runs} learning curves"), "gain", "Student's t of the bootstrap");
    }
    Ok(())
}

fn two_classes(rows: usize, random: &mut Random) -> Result<Outcome, MetricsError> {
    let (mut truth, mut predicted, mut losses) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let class = usize::from(random.uniform() < 0.3);
        let logit = if class == 1 { 1.0 } else { -1.0 } + random.normal();
        truth.push(class);
        predicted.push(usize::from(logit > 0.0));
        let margin = if class == 1 { logit } else { -logit };
        losses.push((-margin).exp().ln_1p());
    }
    Outcome::of_classes(&truth, &predicted, 2, losses)
}

fn four_classes(rows: usize, random: &mut Random) -> Result<Outcome, MetricsError> {
    let (mut truth, mut predicted) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let (class, logits) = random.logits::<CLASSES>(1.5);
        truth.push(class);
        predicted.push((0..CLASSES).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0));
    }
    Outcome::of_classes(&truth, &predicted, CLASSES, vec![0.0; rows])
}

fn labels(rows: usize, random: &mut Random) -> Result<Outcome, MetricsError> {
    let (mut truth, mut predicted, mut scores) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let shared = 0.5 * random.normal();
        for _ in 0..CLASSES {
            let has = random.uniform() < 0.3;
            let score = if has { 1.0 } else { -1.0 } + shared + random.normal();
            truth.push(has);
            predicted.push(score > 0.0);
            scores.push(score);
        }
    }
    Outcome::of_labels(&truth, &predicted, &scores, CLASSES, vec![0.0; rows])
}

fn numbers(rows: usize, random: &mut Random) -> Result<Outcome, MetricsError> {
    let truth: Vec<f64> = (0..rows).map(|_| random.normal()).collect();
    let predicted: Vec<f64> = truth.iter().map(|value| 0.8 * value + 0.5 * random.normal()).collect();
    Outcome::of_values(&truth, &predicted, vec![0.0; rows])
}

/// Intervals that contain the truth.
struct Count {
    truth: f64,
    all: u64,
    below: u64,
    above: u64,
}

impl Count {
    fn new(truth: f64) -> Self {
        Self { truth, all: 0, below: 0, above: 0 }
    }

    fn add(&mut self, interval: Interval) {
        self.all += 1;
        self.below += u64::from(interval.high < self.truth);
        self.above += u64::from(interval.low > self.truth);
    }

    fn print(&self, task: &str, score: &str, method: &str) {
        let Self { truth, all, below, above } = *self;
        let covered = (all - below - above) as f64 / all as f64;
        println!("{task:20} {score:22} {method:28} {covered:.3}  truth {truth:.4}, below it {below}, above it {above}");
    }
}

/// Random numbers of a seed, and not those that draw the resamples of an interval with the same seed.
struct Random(ChaCha8Rng);

impl Random {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1);
        Self(rng)
    }

    /// Returns a number from 0 to below 1.
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns a draw from the standard normal distribution (Box and Muller, 1958).
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (TAU * self.uniform()).cos()
    }

    /// Returns a class of unequal frequency and the logits of a model.
    fn logits<const N: usize>(&mut self, skill: f64) -> (usize, [f64; N]) {
        let class = ((self.uniform().powf(1.5)) * N as f64) as usize;
        (class, std::array::from_fn(|place| self.normal() + if place == class { skill } else { 0.0 }))
    }

    fn shuffle<T>(&mut self, rows: &mut [T]) {
        for last in (1..rows.len()).rev() {
            rows.swap(last, (self.uniform() * (last + 1) as f64) as usize);
        }
    }
}
