//! `POST /predict`: scores of the classes, in the JSON of transformers and text-embeddings-inference.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use rekindle_infer::{Decided, Decision, InferError, OutputFunction};
use serde::Serialize;
use serde_json::{Map, Value};

use super::inputs::{Fields, Inputs};
use super::json;
use crate::app::App;
use crate::body::read_object;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::models::Loaded;

/// A class and its score. The first of a text has no class if the model abstains.
#[derive(Serialize)]
pub(super) struct Score<'a> {
    label: Option<&'a str>,
    score: f32,
    /// Of a model of several labels: whether the probability reaches the threshold of the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    predicted: Option<bool>,
}

/// The body of a request.
struct Predict {
    inputs: Inputs,
    model: Option<String>,
    /// How many classes; `None` is all.
    top_k: Option<usize>,
    function: Option<OutputFunction>,
    truncate: bool,
    /// The fraction of the predictions that may be wrong, or the lowest score of a prediction.
    max_error: Option<f64>,
    abstain_below: Option<f64>,
}

pub(super) async fn predict(State(app): State<Arc<App>>, request: Request<Body>) -> Result<Response, Failure> {
    let predict = Predict::parse(read_object(request, &app.limits).await?, &app.limits)?;
    let model = app.model(predict.model.as_deref())?;
    let decision = predict.decision(&model)?;
    let (texts, is_list) = match predict.inputs {
        Inputs::One(text) => (vec![text], false),
        Inputs::Many(texts) => (texts, true),
    };
    let logits = app.logits(&model, texts, predict.truncate).await?;
    let labels = model.classifier.labels().len();
    let scores: Vec<Vec<Score>> =
        logits.chunks(labels).map(|logits| ranked(&model, logits, &decision, predict.function)).collect();
    Ok(match scores.first().filter(|_| !is_list) {
        Some(scores) => json(scores),
        None => json(&scores),
    })
}

/// Returns the predicted class and then the most probable others, each with its score by a function, or by that of the model.
fn ranked<'a>(
    model: &'a Loaded,
    logits: &[f32],
    decision: &Decision,
    function: Option<OutputFunction>,
) -> Vec<Score<'a>> {
    let Decided { ranking, is_abstained, labels, .. } = model.classifier.decide(logits, decision);
    let scores = function.map(|function| function.apply(logits));
    let of = |(rank, (class, score)): (usize, (usize, f32))| Score {
        label: (rank > 0 || !is_abstained).then(|| &*model.classifier.labels()[class]),
        score: scores.as_ref().map_or(score, |scores| scores[class] as f32),
        predicted: labels.as_ref().map(|labels| labels.contains(&class)),
    };
    ranking.into_iter().enumerate().map(of).collect()
}

impl Predict {
    fn parse(fields: Map<String, Value>, limits: &Limits) -> Result<Self, Failure> {
        let mut fields = Fields::new(fields);
        let mut parameters = fields.object("parameters", "parameters.")?;
        // As in the pipeline: one class by default, all with `null`.
        let top_k = match parameters.take_nullable("top_k") {
            None => Some(1),
            Some(Value::Null) => None,
            Some(value) => match value.as_u64().filter(|&count| count > 0) {
                Some(count) => Some(usize::try_from(count).unwrap_or(usize::MAX)),
                None => {
                    return Err(Failure::invalid("parameters.top_k: expected a number of at least 1, or null for all"));
                }
            },
        };
        let mut function = parameters.function()?;
        let [max_error, abstain_below] = ["max_error", "abstain_below"].map(|name| parameters.fraction(name));
        let (max_error, abstain_below) = (max_error?, abstain_below?);
        if max_error.is_some() && abstain_below.is_some() {
            return Err(Failure::invalid(
                "parameters.max_error: contradicts parameters.abstain_below; give one of them",
            ));
        }
        parameters.finish("`top_k`, `function_to_apply`, `max_error`, `abstain_below`")?;
        let truncate = fields.boolean("truncate")?.unwrap_or(true);
        if fields.boolean("raw_scores")? == Some(true) {
            if function.is_some_and(|function| function != OutputFunction::None) {
                return Err(Failure::invalid("raw_scores: contradicts parameters.function_to_apply; give one of them"));
            }
            function = Some(OutputFunction::None);
        }
        let model = fields.string("model")?;
        let inputs = Inputs::parse(fields.take("inputs"), limits)?;
        fields.finish("`inputs`, `parameters`, `model`, `truncate`, `raw_scores`")?;
        Ok(Self { inputs, model, top_k, function, truncate, max_error, abstain_below })
    }

    /// Returns how scores become predictions of a model.
    fn decision(&self, model: &Loaded) -> Result<Decision, Failure> {
        let invalid =
            |error: InferError| Failure::invalid(format!("parameters.{}", error.to_string().replace('-', "_")));
        let promised =
            self.max_error.map(|error| model.classifier.abstain_below(error)).transpose().map_err(invalid)?;
        let given = self.abstain_below.map(|least| least as f32).or(promised);
        let top_k = self.top_k.unwrap_or(usize::MAX);
        let decision = Decision { top_k, abstain_below: given.or(model.abstain_below), ..Decision::default() };
        if self.abstain_below.is_some() {
            model.classifier.check_decision(&Decision { top_k: 1, ..decision }).map_err(invalid)?;
        }
        Ok(decision)
    }
}
