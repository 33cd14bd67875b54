//! `POST /predict`: scores of the classes, in the JSON of transformers and text-embeddings-inference.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use rekindle_infer::OutputFunction;
use serde::Serialize;
use serde_json::{Map, Value};

use super::inputs::{Fields, Inputs};
use super::json;
use crate::app::App;
use crate::body::read_object;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::models::Loaded;

/// A class and its score.
#[derive(Serialize)]
pub(super) struct Score<'a> {
    label: &'a str,
    score: f32,
}

/// The body of a request.
struct Predict {
    inputs: Inputs,
    model: Option<String>,
    /// How many classes; `None` is all.
    top_k: Option<usize>,
    function: Option<OutputFunction>,
    truncate: bool,
}

pub(super) async fn predict(State(app): State<Arc<App>>, request: Request<Body>) -> Result<Response, Failure> {
    let predict = Predict::parse(read_object(request, &app.limits).await?, &app.limits)?;
    let model = app.model(predict.model.as_deref())?;
    let (texts, is_list) = match predict.inputs {
        Inputs::One(text) => (vec![text], false),
        Inputs::Many(texts) => (texts, true),
    };
    let logits = app.logits(&model, texts, predict.truncate).await?;
    let function = predict.function.unwrap_or(model.classifier.output_function());
    let labels = model.classifier.labels().len();
    let scores: Vec<Vec<Score>> =
        logits.chunks(labels).map(|logits| best(&model, logits, function, predict.top_k)).collect();
    Ok(match scores.first().filter(|_| !is_list) {
        Some(scores) => json(scores),
        None => json(&scores),
    })
}

/// Returns the classes with the highest scores, in the order of their scores.
fn best<'a>(model: &'a Loaded, logits: &[f32], function: OutputFunction, top_k: Option<usize>) -> Vec<Score<'a>> {
    let scores = function.apply(logits);
    let mut scores: Vec<Score> = model
        .classifier
        .labels()
        .iter()
        .zip(scores)
        .map(|(label, score)| Score { label, score: score as f32 })
        .collect();
    scores.sort_by(|a, b| b.score.total_cmp(&a.score));
    scores.truncate(top_k.unwrap_or(usize::MAX));
    scores
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
        parameters.finish("`top_k`, `function_to_apply`")?;
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
        Ok(Self { inputs, model, top_k, function, truncate })
    }
}
