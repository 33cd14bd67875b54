//! Results of experiments that were never run, for tests of what is made of results.
#![allow(dead_code)]

use rekindle_experiment::*;
use rekindle_train::{EpochRecord, StepRecord};

/// Numbers that look drawn, and are the same each time: from 0 to 1.
fn noise(seed: usize) -> f64 {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / (1u64 << 53) as f64
}

/// What an experiment is made of.
#[derive(Clone)]
pub struct Sample {
    pub approaches: Vec<(&'static str, f64)>,
    pub classes: Vec<String>,
    pub folds: Option<usize>,
    pub seeds: Vec<u64>,
    pub sizes: Vec<usize>,
    pub test: usize,
    pub steps: usize,
    pub epochs: usize,
    pub files: Vec<String>,
    pub misread: Vec<String>,
}

/// The notebook's experiment: one run an approach, one epoch of two steps.
pub fn twelve() -> Results {
    let sample = Sample {
        approaches: vec![("feature_extraction_freeze_all", 2e-3), ("fine_tune_last_layer", 2e-5)],
        classes: ["0", "1"].map(String::from).into(),
        folds: None,
        seeds: vec![42],
        sizes: vec![9],
        test: 3,
        steps: 2,
        epochs: 1,
        files: Vec::new(),
        misread: vec!["The plot was thin, but I stayed awake.".into()],
    };
    let mut results = sample.results();
    for record in &mut results.approaches {
        for estimate in [&mut record.scores.accuracy, &mut record.scores.f1, &mut record.scores.loss] {
            estimate.interval = None;
        }
    }
    results.findings = vec!["3 test sentences are too few to tell any two approaches apart.".into()];
    results
}

/// Five folds, three seeds, three sizes and four approaches: 60 runs at each size, of 700 steps.
pub fn folds() -> Results {
    let sample = Sample {
        approaches: vec![
            ("feature_extraction_freeze_all", 2e-3),
            ("fine_tune_last_layer", 2e-5),
            ("lora_r8_all_layers", 5e-4),
            ("full_fine_tuning", 3e-5),
        ],
        classes: ["negative", "positive"].map(String::from).into(),
        folds: Some(5),
        seeds: vec![42, 43, 44],
        sizes: vec![50, 200, 1000],
        test: 250,
        steps: 700,
        epochs: 4,
        files: vec!["reviews.csv".into()],
        misread: (0..12)
            .map(|index| {
                format!("{} Not the best of its kind, and yet I would not be without it.", "Well. ".repeat(index))
            })
            .collect(),
    };
    sample.results()
}

/// Many classes, some with long names, tested once.
pub fn many_classes(count: usize) -> Results {
    let name = |index: usize| match index {
        3 => "a_class_whose_name_goes_on_for_much_longer_than_any_table_would_like_it_to_and_has_no_space".into(),
        _ => format!("queue {index:02}"),
    };
    let sample = Sample {
        approaches: vec![("feature_extraction_freeze_all", 2e-3), ("fine_tune_last_layer", 2e-5)],
        classes: (0..count).map(name).collect(),
        folds: None,
        seeds: vec![1, 2],
        sizes: vec![2000],
        test: 500,
        steps: 250,
        epochs: 6,
        files: vec!["data/train.tsv".into(), "data/test.tsv".into()],
        misread: vec!["where is my parcel".into(); 3],
    };
    sample.results()
}

/// Text that would do harm, or break a layout, if it were not treated as text.
pub fn hostile() -> Results {
    let script = "<script>alert(1)</script>";
    let sample = Sample {
        approaches: vec![("<b>bold</b>\"&'", 2e-3), ("fine_tune_last_layer", 2e-5)],
        classes: vec![script.into(), "\"><img src=x onerror=alert(1)>".into(), "]]></style>".into()],
        folds: Some(2),
        seeds: vec![1],
        sizes: vec![10, 20],
        test: 10,
        steps: 20,
        epochs: 2,
        files: vec![format!("{script}.csv"), "it's; rm -rf $HOME.csv".into()],
        misread: vec![
            format!("{script} & more"),
            "x".repeat(5000),
            "ein Satz ".repeat(555),
            "مرحبا \u{202e} 你好 \0 🙂".into(),
        ],
    };
    let mut results = sample.results();
    results.findings.push(format!("{script} stands."));
    results.model.id = format!("org/{script}");
    results.provenance.versions.push((script.into(), "1\"2".into()));
    results
}

impl Sample {
    /// The results of such an experiment.
    pub fn results(&self) -> Results {
        let approaches: Vec<_> = (0..self.approaches.len()).map(|index| self.approach(index)).collect();
        let baselines =
            vec![self.baseline("majority", 0.51, 0.693), self.baseline("tfidf_logistic_regression", 0.79, 0.48)];
        let mut comparisons = Vec::new();
        for (index, a) in approaches.iter().enumerate() {
            let others = approaches[index + 1..].iter().map(|b| (b.approach.as_str(), b.accuracy));
            for (b, accuracy) in others.chain(baselines.iter().map(|b| (b.baseline.as_str(), b.accuracy))) {
                comparisons.push(self.comparison(&a.approach, b, a.accuracy - accuracy));
            }
        }
        Results {
            model: ModelRecord {
                id: "distilbert-base-uncased".into(),
                source: if self.files.is_empty() { Source::Embedded } else { Source::Hub },
                sha256: "5e3d6c1b9f2a4087".repeat(4),
            },
            backend: "flex".into(),
            seed: self.seeds[0],
            data: DataRecord {
                train: *self.sizes.last().expect("a size"),
                test: self.test,
                classes: self.classes.clone(),
                files: self.files.clone(),
                class_counts: (0..self.classes.len()).map(|class| 600 - 20 * (class % 20)).collect(),
                sha256: format!("{} {}", self.files.join(" "), self.classes.join(" ")),
            },
            arguments: ArgumentsRecord {
                max_length: 64,
                batch_size: 8,
                gradient_accumulation_steps: 1,
                epochs: self.epochs,
                lr_scheduler_type: "linear".into(),
                warmup_steps: 0.1,
                class_weights: None,
                early_stopping_patience: None,
                frozen_dropout: true,
            },
            design: DesignRecord {
                folds: self.folds,
                repeats: 1,
                seeds: self.seeds.clone(),
                sizes: self.sizes.clone(),
                validation: 0,
                metric_for_best_model: None,
            },
            provenance: Provenance {
                command: ["rekindle", "experiment", "--data", "it's my data.csv", "--folds", "5"].map(String::from).into(),
                versions: vec![("rekindle".into(), "0.1.0".into()), ("burn".into(), "0.22.1".into())],
                finished: 1_767_366_245,
            },
            findings: vec![
                "fine_tune_last_layer reads 4.1 points better than feature_extraction_freeze_all (p < 0.001): it stands.".into(),
                "Whether words counted do as well as feature_extraction_freeze_all cannot be told from 15 folds.".into(),
            ],
            approaches,
            baselines,
            comparisons,
            misread: self.misread_record(),
            seconds: 754.3,
            peak_memory: Some(1_288_490_189),
        }
    }

    /// An accuracy that an approach reaches at a size.
    fn level(&self, index: usize, size: usize) -> f64 {
        let largest = *self.sizes.last().expect("a size") as f64;
        0.82 + 0.04 * index as f64 - 0.06 * (largest / size as f64).ln() / 2.0
    }

    fn scores(&self, accuracy: f64, loss: f64) -> Scores {
        let (n, method) = match self.folds {
            Some(folds) => (folds * self.seeds.len(), "corrected t"),
            None => (self.test, "bootstrap"),
        };
        let estimate = |mean: f64, half: f64| Estimate {
            mean,
            interval: Some((mean - half, mean + half * 0.9)),
            level: 0.95,
            n,
            method: method.into(),
        };
        Scores {
            accuracy: estimate(accuracy, 0.021),
            f1: estimate(accuracy - 0.0123, 0.024),
            loss: estimate(loss, 0.04),
        }
    }

    fn approach(&self, index: usize) -> ApproachRecord {
        let (name, rate) = self.approaches[index];
        let mut runs = Vec::new();
        for (place, size) in self.sizes.iter().enumerate() {
            for fold in 1..=self.folds.unwrap_or(1) {
                for seed in &self.seeds {
                    let salt = 7919 * index + 613 * place + 31 * fold + *seed as usize;
                    let steps = (self.steps * size / self.sizes.last().expect("a size")).max(1);
                    runs.push(self.run(index, *size, fold, *seed, steps, rate, salt));
                }
            }
        }
        let accuracy = self.level(index, *self.sizes.last().expect("a size"));
        let loss = 1.1 - accuracy;
        let first = runs.iter().rfind(|run| run.fold == 1 && run.seed == self.seeds[0]).expect("a run").clone();
        ApproachRecord {
            approach: name.into(),
            spec: name.split('_').next().unwrap_or(name).into(),
            learning_rate: 2e-5,
            weight_decay: 0.01,
            trainable: 592_130 * (1 + 6 * index),
            total: 66_955_010,
            accuracy,
            f1: accuracy - 0.0123,
            f1_undefined: index == 1,
            loss,
            scores: self.scores(accuracy, loss),
            steps: first.steps,
            epochs: first.epochs,
            predictions: (0..self.test).map(|row| row % self.classes.len()).collect(),
            curve: self
                .sizes
                .iter()
                .map(|size| CurvePoint {
                    size: *size,
                    scores: self.scores(self.level(index, *size), 1.1 - self.level(index, *size)),
                })
                .collect(),
            quality: self.quality(index),
            train_seconds: runs.iter().map(|run| run.train_seconds).sum(),
            eval_seconds: runs.iter().map(|run| run.eval_seconds).sum(),
            runs,
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn run(
        &self,
        index: usize,
        size: usize,
        fold: usize,
        seed: u64,
        steps: usize,
        rate: f64,
        salt: usize,
    ) -> RunRecord {
        let level = self.level(index, size);
        let floor = 1.1 - level;
        let step = |number: usize| {
            let done = number as f64 / steps as f64;
            StepRecord {
                step: number + 1,
                epoch: 1 + number * self.epochs / steps,
                loss: floor * 0.7 + 0.45 * (-5.0 * done).exp() + 0.3 * (noise(salt + number * 17) - 0.5) * floor,
                grad_norm: 0.5 + 4.0 * (-3.0 * done).exp() + noise(salt + number * 3),
                learning_rate: rate * (done / 0.1).min((1.0 - done) / 0.9),
            }
        };
        let epoch = |number: usize| {
            let gain = 1.0 - (-1.2 * number as f64).exp();
            let wobble = 0.03 * (noise(salt + 5 * number) - 0.5);
            EpochRecord {
                epoch: number,
                train_loss: floor + 0.3 * (1.0 - gain),
                eval_loss: floor + 0.25 * (1.0 - gain) + 2.0 * wobble,
                accuracy: 0.5 + (level - 0.5) * gain + wobble,
                f1: 0.5 + (level - 0.5) * gain + wobble - 0.01,
            }
        };
        RunRecord {
            seed,
            repeat: 1,
            fold,
            size,
            test: self.test,
            accuracy: level + 0.02 * (noise(salt) - 0.5),
            f1: level - 0.0123,
            loss: floor,
            best_epoch: self.epochs,
            steps: (0..steps).map(step).collect(),
            epochs: (1..=self.epochs).map(epoch).collect(),
            train_seconds: 0.015 * steps as f64,
            eval_seconds: 0.3,
        }
    }

    fn quality(&self, index: usize) -> Quality {
        let (count, level) = (self.classes.len(), 0.82 + 0.04 * index as f64);
        let all = (self.test * self.seeds.len() / count).max(1) as f64;
        let cell = |row: usize, column: usize| match row == column {
            true => (all * level).round() as u64,
            false => (all * (1.0 - level) / (count - 1) as f64 * 2.0 * noise(row * 31 + column)).round() as u64,
        };
        let curve = |class: usize| {
            let power = 0.08 + 0.04 * noise(class + index) + 0.02 * index as f64;
            let points = (0..=200).map(|step| f64::from(step) / 200.0).map(|x: f64| (x, x.powf(power))).collect();
            RocRecord { class, auc: 1.0 / (1.0 + power), points }
        };
        let bin = |number: usize| {
            let (from, to) = (number as f64 / 10.0, (number + 1) as f64 / 10.0);
            let confidence = (from + to) / 2.0;
            CalibrationBin {
                range: (from, to),
                count: if from * (count as f64) < 0.99 { 0 } else { (number * number * 5) as u64 },
                confidence,
                accuracy: confidence - 0.08 * noise(number + index),
            }
        };
        Quality {
            confusion: (0..count).map(|row| (0..count).map(|column| cell(row, column)).collect()).collect(),
            roc: if count == 2 { vec![curve(1)] } else { (0..count).map(curve).collect() },
            calibration: (0..10).map(bin).collect(),
            ece: 0.0371 + 0.01 * index as f64,
            brier: 0.2113,
        }
    }

    fn baseline(&self, name: &str, accuracy: f64, loss: f64) -> BaselineRecord {
        let scores = self.scores(accuracy, loss);
        let at = |size: &usize| {
            let learned = if accuracy > 0.6 { 0.04 * (1000.0 / *size as f64).ln() } else { 0.0 };
            CurvePoint { size: *size, scores: self.scores(accuracy - learned, loss) }
        };
        let curve = self.sizes.iter().map(at).collect();
        BaselineRecord { baseline: name.into(), accuracy, f1: accuracy - 0.0123, loss, scores, curve, seconds: 0.21 }
    }

    fn comparison(&self, a: &str, b: &str, difference: f64) -> ComparisonRecord {
        let stands = difference.abs() > 0.05 && self.test > 3;
        let (n, method) = match self.folds {
            Some(folds) => (folds * self.seeds.len(), "corrected t"),
            None => (self.test, "McNemar, exact"),
        };
        ComparisonRecord {
            a: a.into(),
            b: b.into(),
            difference,
            interval: (self.test > 3).then_some((difference - 0.03, difference + 0.03)),
            n,
            method: method.into(),
            p_value: (self.test > 3).then_some(if stands { 2.3e-5 } else { 0.0412 }),
            p_adjusted: (self.test > 3).then_some(if stands { 2.1e-4 } else { 0.123 }),
            stands,
        }
    }

    fn misread_record(&self) -> MisreadRecord {
        let classes = self.classes.len();
        let sentence = |(row, text): (usize, &String)| {
            let label = row % classes;
            let reading = |index: usize| {
                let wrong = index != 2;
                let truth = if wrong { 0.21 } else { 0.86 };
                let rest = (1.0 - truth) / (classes - 1) as f64;
                let mut probabilities = vec![rest * 0.5; classes];
                probabilities[label] = truth;
                probabilities[(label + 1) % classes] = 1.0 - truth - rest * 0.5 * (classes - 2) as f64;
                let runs = self.seeds.len();
                Reading { runs, wrong: if wrong { runs } else { 0 }, probabilities }
            };
            let approaches = (0..self.approaches.len()).map(reading).collect();
            MisreadSentence { row: 17 * row, text: text.clone(), label, approaches }
        };
        let sentences: Vec<_> = self.misread.iter().enumerate().map(sentence).collect();
        MisreadRecord { total: sentences.len() + 3, sentences }
    }
}
