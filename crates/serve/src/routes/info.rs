//! `GET /info`: the models and the limits, with the names of text-embeddings-inference.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use rekindle_infer::{LinearPrecision, OutputFunction};
use serde::Serialize;

use super::json;
use crate::app::App;
use crate::failure::Failure;
use crate::models::{Loaded, Slot};

#[derive(Serialize)]
struct Info<'a> {
    version: &'static str,
    /// Of the default model.
    model_id: &'a str,
    /// Of the default model.
    model_type: ModelType,
    /// Of the default model, in tokens.
    max_input_length: usize,
    max_batch_tokens: usize,
    max_client_batch_size: usize,
    max_concurrent_requests: usize,
    max_queue_texts: usize,
    max_text_chars: usize,
    max_body_bytes: usize,
    models: Vec<ModelInfo<'a>>,
}

#[derive(Serialize)]
struct ModelInfo<'a> {
    name: &'a str,
    model_id: &'a str,
    labels: Vec<String>,
    function_to_apply: &'static str,
    max_input_length: usize,
    /// The score below which nothing is predicted, unless a request says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    abstain_below: Option<f32>,
    /// Of the encoder's linear layers.
    precision: LinearPrecision,
}

#[derive(Serialize)]
struct ModelType {
    classifier: ClassifierType,
}

#[derive(Serialize)]
struct ClassifierType {
    id2label: BTreeMap<String, String>,
    label2id: BTreeMap<String, usize>,
}

pub(super) async fn info(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let first = app.model(None)?;
    let limits = &app.limits;
    Ok(json(&Info {
        version: env!("CARGO_PKG_VERSION"),
        model_id: app.models.first().map_or("", |slot| &slot.id),
        model_type: model_type(&first),
        max_input_length: first.max_length,
        max_batch_tokens: limits.max_batch_tokens,
        max_client_batch_size: limits.max_texts,
        max_concurrent_requests: limits.max_connections,
        max_queue_texts: limits.max_queue,
        max_text_chars: limits.max_chars,
        max_body_bytes: limits.max_body,
        models: app.models.iter().map(model_info).collect(),
    }))
}

fn model_info(slot: &Slot) -> ModelInfo<'_> {
    let loaded = slot.current();
    ModelInfo {
        name: &slot.name,
        model_id: &slot.id,
        labels: loaded.classifier.labels().to_vec(),
        function_to_apply: match loaded.classifier.output_function() {
            OutputFunction::Softmax => "softmax",
            OutputFunction::Sigmoid => "sigmoid",
            OutputFunction::None => "none",
        },
        max_input_length: loaded.max_length,
        abstain_below: loaded.abstain_below,
        precision: loaded.classifier.precision(),
    }
}

fn model_type(loaded: &Loaded) -> ModelType {
    let labels = || loaded.classifier.labels().iter().cloned().enumerate();
    let id2label = labels().map(|(id, label)| (id.to_string(), label)).collect();
    ModelType { classifier: ClassifierType { id2label, label2id: labels().map(|(id, label)| (label, id)).collect() } }
}
