//! Everything that an experiment measured.

use serde::{Deserialize, Serialize};

use crate::approach::{ApproachRecord, ComparisonRecord};
use crate::label_issues::LabelIssuesRecord;
use crate::misclassified::Misclassified;
use crate::predictions::Predictions;
use crate::schema;
use crate::settings::{ArgumentsRecord, DataRecord, DesignRecord, MetricRecord, ModelRecord, Provenance};
use crate::slice::SliceRecord;

/// The results of an experiment: the contents of `results.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Results {
    /// The version of the schema; [`SCHEMA_VERSION`](crate::SCHEMA_VERSION) for results of this release.
    #[serde(default = "schema::first", deserialize_with = "schema::known")]
    pub schema_version: u32,
    /// The pretrained model that all approaches start from.
    pub model: ModelRecord,
    /// The name of the backend.
    pub backend: String,
    /// The first seed; splits and folds are drawn by it.
    pub seed: u64,
    /// The data set.
    pub data: DataRecord,
    /// The settings that all approaches share.
    pub arguments: ArgumentsRecord,
    /// The samples and seeds that every approach was run with.
    pub design: DesignRecord,
    /// What is needed to run the experiment again.
    pub provenance: Provenance,
    /// The conclusions, and what makes them doubtful, one sentence each.
    pub findings: Vec<String>,
    /// One record per approach, in the order given.
    pub approaches: Vec<ApproachRecord>,
    /// One record per baseline: `majority` and `tfidf_logistic_regression`. In the file, the name has the key `baseline`.
    #[serde(with = "crate::baselines")]
    pub baselines: Vec<ApproachRecord>,
    /// Every approach against every other and against every baseline.
    pub comparisons: Vec<ComparisonRecord>,
    /// Misclassified test examples.
    #[serde(rename = "misread")]
    pub misclassified: Misclassified,
    /// Suspected label errors; absent without folds, and for other tasks than those with one class per text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_issues: Option<LabelIssuesRecord>,
    /// Scores of parts of the test examples, the worst first; none unless they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceRecord>,
    /// The predictions of all runs: the contents of `predictions.csv`, and not of `results.json`. Results
    /// that were read from a file have none.
    #[serde(skip)]
    pub predictions: Predictions,
    /// Wall-clock time of the experiment, in seconds.
    pub seconds: f64,
    /// Peak memory of the process, in bytes; absent if the system does not report it.
    pub peak_memory: Option<u64>,
}

impl Results {
    /// Returns results without any measurement.
    pub fn new(model: ModelRecord, data: DataRecord, arguments: ArgumentsRecord, design: DesignRecord) -> Self {
        Self {
            schema_version: schema::SCHEMA_VERSION,
            model,
            backend: String::new(),
            seed: 0,
            data,
            arguments,
            design,
            provenance: Provenance::default(),
            findings: Vec::new(),
            approaches: Vec::new(),
            baselines: Vec::new(),
            comparisons: Vec::new(),
            misclassified: Misclassified::default(),
            label_issues: None,
            slices: Vec::new(),
            predictions: Predictions::default(),
            seconds: 0.0,
            peak_memory: None,
        }
    }

    /// Returns the metrics of the task, in the order of tables.
    pub fn metrics(&self) -> Vec<MetricRecord> {
        if !self.design.metrics.is_empty() {
            return self.design.metrics.clone();
        }
        let f1 = if self.data.classes.len() > 2 { "macro F1" } else { "F1" };
        let three = [("accuracy", "accuracy"), ("f1", f1), ("loss", "loss")];
        let mut metrics: Vec<MetricRecord> = three.map(|(name, label)| MetricRecord::new(name, label)).into();
        let ranking = self.design.metric.as_str();
        if !ranking.is_empty() && metrics.iter().all(|metric| metric.name != ranking) {
            metrics.push(MetricRecord::new(ranking, self.design.metric_label()));
        }
        metrics
    }
}
