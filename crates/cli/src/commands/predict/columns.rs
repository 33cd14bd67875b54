//! The columns of predictions.

use std::sync::Arc;

use rekindle::data::{Cell, ColumnKind, TableColumn};
use rekindle::infer::{Decided, Decision, Predictor};

use super::PredictArgs;

/// The columns `label`, `score`, `label_2`, `score_2`, …, then `labels` for several labels, and `score_CLASS` for each class.
pub struct PredictedColumns {
    decision: Decision,
    /// A label and a score for each rank.
    ranks: Vec<(Arc<str>, Arc<str>)>,
    labels: Option<Arc<str>>,
    /// The score of each class.
    scores: Vec<Arc<str>>,
    classes: Vec<String>,
}

impl PredictedColumns {
    /// Returns the columns of a model, whose names begin with `prefix`.
    pub fn new(args: &PredictArgs, decision: Decision, classifier: &Predictor, prefix: &str) -> Self {
        let classes = classifier.labels().to_vec();
        let name = |name: String| Arc::<str>::from(format!("{prefix}{name}"));
        let rank = |rank: usize| match rank {
            1 => (name("label".into()), name("score".into())),
            rank => (name(format!("label_{rank}")), name(format!("score_{rank}"))),
        };
        let ranks = (1..=decision.top_k.min(classes.len())).map(rank).collect();
        let labels = classifier.has_several_labels().then(|| name("labels".into()));
        let scored = if args.all_scores { &classes[..] } else { &[] };
        let scores = scored.iter().map(|class| name(format!("score_{class}"))).collect();
        Self { decision, ranks, labels, scores, classes }
    }

    /// Returns the columns with their types.
    pub fn table(&self) -> Vec<TableColumn> {
        let column = |name: &Arc<str>, kind| TableColumn { name: Arc::clone(name), kind };
        let ranks = self
            .ranks
            .iter()
            .flat_map(|(label, score)| [column(label, ColumnKind::Text), column(score, ColumnKind::Float)]);
        let labels = self.labels.iter().map(|labels| column(labels, ColumnKind::Text));
        let scores = self.scores.iter().map(|score| column(score, ColumnKind::Float));
        ranks.chain(labels).chain(scores).collect()
    }

    /// Appends the prediction of a text to the cells of its row.
    pub fn append(&self, classifier: &Predictor, logits: &[f32], cells: &mut Vec<(Arc<str>, Cell)>) {
        let Decided { ranking, is_abstained, labels, scores, .. } = classifier.decide(logits, &self.decision);
        for (rank, ((label, score), (class, value))) in self.ranks.iter().zip(ranking).enumerate() {
            let name = match is_abstained && rank == 0 {
                true => Cell::Null,
                false => Cell::Text(self.classes[class].clone()),
            };
            cells.push((Arc::clone(label), name));
            cells.push((Arc::clone(score), number(value)));
        }
        if let Some((column, labels)) = self.labels.as_ref().zip(labels) {
            let names: Vec<&String> = labels.into_iter().map(|label| &self.classes[label]).collect();
            cells.push((Arc::clone(column), Cell::Json(serde_json::to_string(&names).unwrap_or_default())));
        }
        cells.extend(self.scores.iter().zip(scores).map(|(name, score)| (Arc::clone(name), number(score))));
    }
}

fn number(value: f32) -> Cell {
    Cell::Json(serde_json::to_string(&value).unwrap_or_default())
}
