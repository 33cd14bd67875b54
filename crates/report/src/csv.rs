//! The results as tables: `tl_results.csv`, `scores.csv`, `history.csv`, `predictions.csv` and `label_issues.csv`.

use rekindle_results::{
    ApproachRecord, DataRecord, Estimate, LabelIssuesRecord, Results, RunKey, RunPredictions, StepRecord,
};

/// A step with its run: a row of `history.csv`.
#[derive(Clone, Debug)]
pub struct StepRow {
    /// The name of the approach.
    pub approach: String,
    /// The run of the approach.
    pub run: RunKey,
    /// The step.
    pub step: StepRecord,
}

/// Returns `tl_results.csv`: `approach,accuracy,f1,loss`, one row per approach; for other tasks than classification the
/// metrics of the task.
pub fn summary_csv(results: &Results) -> Vec<u8> {
    let metrics: Vec<&str> = match results.design.metrics.as_slice() {
        [] => vec!["accuracy", "f1", "loss"],
        metrics => metrics.iter().map(|metric| metric.name.as_str()).collect(),
    };
    let header = [&["approach"][..], &metrics].concat();
    let rows = results.approaches.iter().map(|ApproachRecord { approach, scores, .. }| {
        let values = metrics.iter().map(|metric| scores.mean(metric).to_string());
        std::iter::once(approach.clone()).chain(values).collect()
    });
    table(&header, rows)
}

/// Returns every step of every run, in the order of the results.
pub fn history(results: &Results) -> impl Iterator<Item = StepRow> {
    results.approaches.iter().flat_map(|record| {
        record.runs.iter().flat_map(move |run| {
            let row = move |step: &StepRecord| StepRow {
                approach: record.approach.clone(),
                run: run.key(),
                step: step.clone(),
            };
            run.steps.iter().map(row)
        })
    })
}

/// Returns `history.csv`: one row per step.
pub fn history_csv(steps: impl Iterator<Item = StepRow>) -> Vec<u8> {
    table(
        &["approach", "step", "epoch", "loss", "grad_norm", "learning_rate", "seed", "repeat", "fold", "size"],
        steps.map(|StepRow { approach, run, step }| {
            let mut row = vec![approach, step.step.to_string(), step.epoch.to_string()];
            row.extend([step.loss, step.grad_norm, step.learning_rate].map(|number| number.to_string()));
            row.extend([run.seed.to_string(), run.repeat.to_string(), run.fold.to_string(), run.size.to_string()]);
            row
        }),
    )
}

/// Returns `scores.csv`: one row per score of every approach and baseline at every training size, with its confidence interval.
pub fn scores_csv(results: &Results) -> Vec<u8> {
    let approaches = results.approaches.iter().map(|record| ("approach", &record.approach, &record.curve));
    let baselines = results.baselines.iter().map(|record| ("baseline", &record.approach, &record.curve));
    let rows = approaches.chain(baselines).flat_map(|(kind, name, curve)| {
        curve.iter().flat_map(move |point| {
            let scores = results.metrics().into_iter().filter_map(|metric| {
                let estimate = point.scores.get(&metric.name)?.clone();
                Some((metric.name, estimate))
            });
            scores.map(|(metric, Estimate { mean, interval, n, method, .. })| {
                let end = |end: Option<f64>| end.map_or(String::new(), |end| end.to_string());
                let (low, high) = (interval.map(|(low, _)| low), interval.map(|(_, high)| high));
                let mut row = vec![kind.into(), name.clone(), point.size.to_string(), metric, mean.to_string()];
                row.extend([end(low), end(high), n.to_string(), method]);
                row
            })
        })
    });
    table(&["kind", "name", "size", "metric", "mean", "low", "high", "n", "method"], rows)
}

/// Returns `predictions.csv`: one row per run and test example, with the probability of every class or label. Several labels of
/// an example are separated by commas. Text pairs have a column
/// `text_pair` behind `text`.
pub fn predictions_csv(results: &Results) -> Vec<u8> {
    let Results { predictions, data: DataRecord { classes, .. }, .. } = results;
    let has_pairs = predictions.examples.iter().any(|example| example.text_pair.is_some());
    let texts = if has_pairs { &["text", "text_pair"][..] } else { &["text"] };
    let header =
        [&["approach", "seed", "repeat", "fold", "size", "line"][..], texts, &["label", "prediction"]].concat();
    let header = header.into_iter().map(String::from).chain(classes.iter().map(|name| format!("probability_{name}")));
    let rows = predictions.runs.iter().flat_map(|of_run| {
        let RunPredictions { approach, run: RunKey { seed, repeat, fold, size }, .. } = of_run;
        let tested = of_run.examples.iter().filter_map(|&index| predictions.examples.get(index));
        let probabilities = of_run.probabilities.chunks(classes.len().max(1)).chain(std::iter::repeat(&[][..]));
        tested.zip(&of_run.predictions).zip(probabilities).map(move |((example, prediction), probabilities)| {
            let mut row =
                vec![approach.clone(), seed.to_string(), repeat.to_string(), fold.to_string(), size.to_string()];
            row.extend([example.line.to_string(), example.text.clone()]);
            row.extend(has_pairs.then(|| example.text_pair.clone().unwrap_or_default()));
            row.extend([example.label.text(classes), prediction.text(classes)]);
            // With an exponent where it is shorter.
            row.extend(probabilities.iter().map(|probability| format!("{probability:?}")));
            row
        })
    });
    table(&header.collect::<Vec<_>>(), rows)
}

/// Returns `label_issues.csv`: one row per suspected label error, the smallest margin first. Text pairs have a column `text_pair`
/// behind `text`.
pub fn label_issues_csv(results: &Results, LabelIssuesRecord { method, issues, .. }: &LabelIssuesRecord) -> Vec<u8> {
    let class = |index: usize| results.data.classes.get(index).cloned().unwrap_or_default();
    let has_pairs = issues.iter().any(|issue| issue.text_pair.is_some());
    let texts = if has_pairs { &["text", "text_pair"][..] } else { &["text"] };
    let header = [&["row", "given", "suspected", "margin", "method", "line"], texts].concat();
    let rows = issues.iter().map(|issue| {
        let mut row = vec![issue.row.to_string(), class(issue.given), class(issue.suspected)];
        row.extend([issue.margin.to_string(), method.clone(), issue.line.to_string(), issue.text.clone()]);
        row.extend(has_pairs.then(|| issue.text_pair.clone().unwrap_or_default()));
        row
    });
    table(&header, rows)
}

fn table(header: &[impl AsRef<[u8]>], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(header);
    rows.for_each(|row| {
        let _ = writer.write_record(row);
    });
    writer.into_inner().unwrap_or_default()
}
