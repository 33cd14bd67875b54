//! Results of experiments that were never run, for tests of comparisons and reports.
#![allow(dead_code)]

use rekindle_results::*;

/// Pseudo-random numbers from 0 to 1.
fn noise(seed: usize) -> f64 {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / (1u64 << 53) as f64
}

/// The ingredients of an experiment.
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
    pub misclassified: Vec<String>,
}

/// The notebook's experiment: one run per approach, one epoch of two steps.
pub fn toy() -> Results {
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
        misclassified: vec!["The plot was thin, but I stayed awake.".into()],
    };
    let mut results = sample.results();
    for record in &mut results.approaches {
        for name in ["accuracy", "f1", "loss"] {
            record.scores.get_mut(name).expect("a metric of classes").interval = None;
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
        misclassified: (0..12)
            .map(|index| {
                format!("{} Not the best of its kind, and yet I would not be without it.", "Well. ".repeat(index))
            })
            .collect(),
    };
    sample.results()
}

/// Many classes, some with long names, and one fixed test set.
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
        misclassified: vec!["where is my parcel".into(); 3],
    };
    sample.results()
}

/// Text that would run a script, or break the layout, if it were not escaped.
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
        misclassified: vec![
            format!("{script} & more"),
            "x".repeat(5000),
            "ein Satz ".repeat(555),
            "مرحبا \u{202e} 你好 \0 🙂".into(),
        ],
    };
    let mut results = sample.results();
    results.findings.push(format!("{script} stands."));
    let texts = results.misclassified.examples.iter().map(|example| example.text.clone()).enumerate();
    let issue = |(row, text): (usize, String)| LabelIssueRecord::new(row, row as u64 + 2, text, [0, 1], -0.25);
    let issues = texts.map(issue).collect();
    results.label_issues = Some(LabelIssuesRecord::new("<b>bold</b>\"&'", "both", 10, issues));
    results.data.dropped = Some(DroppedRecord::new(format!("{script}.csv"), 2));
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
            let accuracy_of = |record: &ApproachRecord| record.accuracy.expect("classes");
            let others = approaches[index + 1..].iter().map(|b| (b.approach.as_str(), accuracy_of(b)));
            for (b, accuracy) in others.chain(baselines.iter().map(|b| (b.approach.as_str(), accuracy_of(b)))) {
                comparisons.push(self.comparison(&a.approach, b, accuracy_of(a) - accuracy));
            }
        }
        let source = if self.files.is_empty() { Source::Embedded } else { Source::Hub };
        let model = ModelRecord::new("distilbert-base-uncased", source, "5e3d6c1b9f2a4087".repeat(4));
        let mut data = DataRecord::default();
        (data.train, data.test) = (*self.sizes.last().expect("a size"), self.test);
        (data.classes, data.files) = (self.classes.clone(), self.files.clone());
        data.class_counts = (0..self.classes.len()).map(|class| 600 - 20 * (class % 20)).collect();
        data.unit = if self.files.is_empty() { "row".into() } else { "line".into() };
        let mut profile = DataProfile::default();
        (profile.empty, profile.duplicates, profile.conflicts, profile.truncated) = (1, 12, 2, 31);
        (profile.leaks, profile.leak_lines, profile.tokens) = (3, vec![(2, 7), (9, 12)], vec![3, 22, 41, 48, 60, 83]);
        data.profile = Some(profile);
        data.sha256 = format!("{} {}", self.files.join(" "), self.classes.join(" "));
        let mut arguments = ArgumentsRecord::default();
        (arguments.max_length, arguments.batch_size, arguments.gradient_accumulation_steps) = (64, 8, 1);
        (arguments.epochs, arguments.warmup_steps, arguments.frozen_dropout) = (self.epochs, 0.1, true);
        arguments.lr_scheduler_type = "linear".into();
        let mut design = DesignRecord::default();
        (design.folds, design.repeats) = (self.folds, 1);
        (design.seeds, design.sizes) = (self.seeds.clone(), self.sizes.clone());
        let mut results = Results::new(model, data, arguments, design);
        (results.backend, results.seed) = ("flex".into(), self.seeds[0]);
        results.provenance = Provenance::new(
            ["rekindle", "experiment", "--data", "it's my data.csv", "--folds", "5"].map(String::from).into(),
            vec![("rekindle".into(), "0.1.0".into()), ("burn".into(), "0.22.1".into())],
            1_767_366_245,
        );
        results.findings = vec![
            "fine_tune_last_layer is significantly better than feature_extraction_freeze_all (+4.1 points, p < 0.001)."
                .into(),
            "feature_extraction_freeze_all is not significantly better than TF-IDF (15 folds).".into(),
        ];
        (results.approaches, results.baselines, results.comparisons) = (approaches, baselines, comparisons);
        results.misclassified = self.misclassified_record();
        results.predictions = self.predictions();
        (results.seconds, results.peak_memory) = (754.3, Some(1_288_490_189));
        results
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
        let estimate =
            |mean: f64, half: f64| Estimate::new(mean, Some((mean - half, mean + half * 0.9)), 0.95, n, method);
        Scores::new(estimate(accuracy, 0.021), estimate(accuracy - 0.0123, 0.024), estimate(loss, 0.04))
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
        let mut record = ApproachRecord::default();
        record.approach = name.into();
        record.spec = name.split('_').next().unwrap_or(name).into();
        (record.learning_rate, record.weight_decay) = (2e-5, 0.01);
        (record.trainable, record.total) = (592_130 * (1 + 6 * index), 66_955_010);
        (record.accuracy, record.f1, record.loss) = (Some(accuracy), Some(accuracy - 0.0123), loss);
        record.f1_undefined = index == 1;
        record.scores = self.scores(accuracy, loss);
        (record.steps, record.epochs) = (first.steps, first.epochs);
        record.predictions = (0..self.test).map(|row| TargetRecord::Class(row % self.classes.len())).collect();
        let point = |size: &usize| {
            CurvePoint::new(*size, self.scores(self.level(index, *size), 1.1 - self.level(index, *size)))
        };
        record.curve = self.sizes.iter().map(point).collect();
        record.diagnostics = self.diagnostics(index);
        record.train_seconds = runs.iter().map(|run| run.train_seconds).sum();
        record.eval_seconds = runs.iter().map(|run| run.eval_seconds).sum();
        record.processor_seconds = Some(1.8 * (record.train_seconds + record.eval_seconds));
        record.train_examples_per_second = Some(212.5 / (index + 1) as f64);
        (record.eval_examples_per_second, record.saved_bytes) = (Some(740.0), Some(267_820_040));
        record.runs = runs;
        record
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
            StepRecord::new(
                number + 1,
                1 + number * self.epochs / steps,
                floor * 0.7 + 0.45 * (-5.0 * done).exp() + 0.3 * (noise(salt + number * 17) - 0.5) * floor,
                0.5 + 4.0 * (-3.0 * done).exp() + noise(salt + number * 3),
                rate * (done / 0.1).min((1.0 - done) / 0.9),
            )
        };
        let epoch = |number: usize| {
            let gain = 1.0 - (-1.2 * number as f64).exp();
            let wobble = 0.03 * (noise(salt + 5 * number) - 0.5);
            EpochRecord::new(
                number,
                floor + 0.3 * (1.0 - gain),
                floor + 0.25 * (1.0 - gain) + 2.0 * wobble,
                Some(0.5 + (level - 0.5) * gain + wobble),
                Some(0.5 + (level - 0.5) * gain + wobble - 0.01),
            )
        };
        let mut record = RunRecord::default();
        (record.seed, record.repeat, record.fold, record.size) = (seed, 1, fold, size);
        record.test = self.test;
        (record.accuracy, record.f1, record.loss) =
            (Some(level + 0.02 * (noise(salt) - 0.5)), Some(level - 0.0123), floor);
        record.best_epoch = self.epochs;
        record.steps = (0..steps).map(step).collect();
        record.epochs = (1..=self.epochs).map(epoch).collect();
        (record.train_seconds, record.eval_seconds) = (0.015 * steps as f64, 0.3);
        record
    }

    fn diagnostics(&self, index: usize) -> Diagnostics {
        let (count, level) = (self.classes.len(), 0.82 + 0.04 * index as f64);
        let all = (self.test * self.seeds.len() / count).max(1) as f64;
        let cell = |row: usize, column: usize| match row == column {
            true => (all * level).round() as u64,
            false => (all * (1.0 - level) / (count - 1) as f64 * 2.0 * noise(row * 31 + column)).round() as u64,
        };
        let curve = |class: usize| {
            let power = 0.08 + 0.04 * noise(class + index) + 0.02 * index as f64;
            let points = (0..=200).map(|step| f64::from(step) / 200.0).map(|x: f64| (x, x.powf(power))).collect();
            RocRecord::new(class, 1.0 / (1.0 + power), points)
        };
        let bin = |number: usize| {
            let (from, to) = (number as f64 / 10.0, (number + 1) as f64 / 10.0);
            let confidence = (from + to) / 2.0;
            let examples = if from * (count as f64) < 0.99 { 0 } else { (number * number * 5) as u64 };
            CalibrationBin::new((from, to), examples, confidence, confidence - 0.08 * noise(number + index))
        };
        let mut diagnostics = Diagnostics::new(
            (0..count).map(|row| (0..count).map(|column| cell(row, column)).collect()).collect(),
            if count == 2 { vec![curve(1)] } else { (0..count).map(curve).collect() },
            (0..10).map(bin).collect(),
            0.0371 + 0.01 * index as f64,
            0.2113,
        );
        let recall = |class: usize| {
            let points = (0..=200).map(|step| f64::from(step) / 200.0);
            let points = points.map(|x: f64| (x, 1.0 - x.powf(4.0) * (0.4 + 0.05 * noise(class + index)))).collect();
            PrecisionRecallRecord::new(class, 0.9 - 0.05 * noise(class + index), 1.0 / count as f64, points)
        };
        diagnostics.precision_recall = if count == 2 { vec![recall(1)] } else { (0..count).map(recall).collect() };
        let score = |salt: usize| {
            let mean = level - 0.1 * noise(salt);
            Estimate::new(mean, Some((mean - 0.07, (mean + 0.05).min(1.0))), 0.95, 25, "Wilson")
        };
        let class =
            |class| ClassRecord::new(class, self.test / count, score(class), score(class + 1), score(class + 2));
        diagnostics.classes = (0..count).map(class).collect();
        diagnostics
    }

    fn baseline(&self, name: &str, accuracy: f64, loss: f64) -> ApproachRecord {
        let scores = self.scores(accuracy, loss);
        let at = |size: &usize| {
            let learned = if accuracy > 0.6 { 0.04 * (1000.0 / *size as f64).ln() } else { 0.0 };
            CurvePoint::new(*size, self.scores(accuracy - learned, loss))
        };
        let curve = self.sizes.iter().map(at).collect();
        let mut record = ApproachRecord::new(name, scores, curve);
        record.train_seconds = 0.21;
        record
    }

    fn comparison(&self, a: &str, b: &str, difference: f64) -> ComparisonRecord {
        let significant = difference.abs() > 0.05 && self.test > 3;
        let mut record = ComparisonRecord::default();
        (record.a, record.b, record.difference) = (a.into(), b.into(), difference);
        let (n, method) = match self.folds {
            Some(folds) => (folds * self.seeds.len(), "corrected t"),
            None => (self.test, "McNemar, exact"),
        };
        (record.n, record.method, record.significant) = (n, method.into(), significant);
        if self.test > 3 {
            record.interval = Some((difference - 0.03, difference + 0.03));
            record.p_value = Some(if significant { 2.3e-5 } else { 0.0412 });
            record.p_adjusted = Some(if significant { 2.1e-4 } else { 0.123 });
        }
        record
    }

    /// The predictions of the first run of each approach.
    fn predictions(&self) -> Predictions {
        let classes = self.classes.len();
        let example = |(row, text): (usize, &String)| TestExample {
            line: 17 * row as u64 + 2,
            text: text.clone(),
            text_pair: None,
            label: TargetRecord::Class(row % classes),
        };
        let examples: Vec<_> = self.misclassified.iter().enumerate().map(example).collect();
        let run = |(name, _): &(&str, f64)| RunPredictions {
            approach: (*name).into(),
            run: RunKey { seed: self.seeds[0], repeat: 1, fold: 1, size: *self.sizes.last().expect("a size") },
            examples: (0..examples.len()).collect(),
            predictions: (0..examples.len()).map(|row| TargetRecord::Class((row + 1) % classes)).collect(),
            probabilities: (0..examples.len() * classes).map(|place| noise(place) as f32).collect(),
        };
        Predictions { runs: self.approaches.iter().map(run).collect(), examples }
    }

    fn misclassified_record(&self) -> Misclassified {
        let classes = self.classes.len();
        let example = |(row, text): (usize, &String)| {
            let label = row % classes;
            let prediction = |index: usize| {
                let wrong = index != 2;
                let truth = if wrong { 0.21 } else { 0.86 };
                let rest = (1.0 - truth) / (classes - 1) as f64;
                let mut probabilities = vec![rest * 0.5; classes];
                probabilities[label] = truth;
                probabilities[(label + 1) % classes] = 1.0 - truth - rest * 0.5 * (classes - 2) as f64;
                let runs = self.seeds.len();
                Prediction::new(runs, if wrong { runs } else { 0 }, probabilities)
            };
            let predictions = (0..self.approaches.len()).map(prediction).collect();
            MisclassifiedExample::new(17 * row, 17 * row as u64 + 2, text, TargetRecord::Class(label), predictions)
        };
        let examples: Vec<_> = self.misclassified.iter().enumerate().map(example).collect();
        let best = self.approaches.last().map_or("", |(name, _)| *name);
        Misclassified::new(examples.len() + 3, best, examples.len(), examples)
    }
}

/// The folds, with a search as the last approach.
pub fn search() -> Results {
    let trial = |approach: &str, folds: usize, score: f64, chosen: bool| {
        let mut trial = TrialRecord::default();
        (trial.approach, trial.rung, trial.chosen, trial.seconds) = (approach.into(), folds.min(2), chosen, 1.5);
        trial.scores = (0..folds).map(|fold| score + 0.01 * fold as f64).collect();
        trial.test_scores = trial.scores.iter().map(|score| score - 0.02).collect();
        trial
    };
    let mut failed = trial("full:lr=1", 0, 0.0, false);
    failed.failed = Some("step 3 (epoch 1): loss is NaN".into());
    let trials = vec![trial("probe", 1, 0.7, false), trial("full:lr=1e-4", 5, 0.8, true), failed];
    let mut search = SearchRecord::default();
    search.candidates = ["probe", "full:lr=1e-4", "full:lr=1", "lora"].map(String::from).into();
    (search.inner_folds, search.halving, search.searches, search.budget_runs) = (5, Some(3), 16, Some(160));
    search.final_trials = trials.clone();
    let values = vec![EffectValue::new("full", 0.8, 15), EffectValue::new("probe", 0.7, 15)];
    search.effects = vec![EffectRecord::new("approach", values)];
    let mut optimism = OptimismRecord::default();
    (optimism.approach, optimism.reported, optimism.honest) = ("full:lr=1e-4".into(), 0.8, 0.79);
    optimism.optimism = 0.01;
    search.optimism = Some(optimism);
    let mut results = folds();
    if let Some(record) = results.approaches.last_mut() {
        record.runs.iter_mut().for_each(|run| run.trials.clone_from(&trials));
        (record.spec, record.search) = ("tune".into(), Some(search));
    }
    results
}
