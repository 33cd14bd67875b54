//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use rekindle_infer::EncodedTexts;
use tokio::sync::watch;

use crate::event::Event;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::models::{Loaded, Slot};
use crate::queue::Queue;

/// Texts of more bytes in total are tokenized in another thread, so that other connections are not delayed.
const LONG: usize = 64 * 1024;

pub(crate) struct App {
    /// The first is the default.
    pub models: Vec<Slot>,
    pub queue: Queue,
    pub limits: Limits,
    pub token: Option<String>,
    pub metrics: Arc<Metrics>,
    pub on_event: Arc<dyn Fn(Event) + Send + Sync>,
    /// The number of open connections.
    pub connections: AtomicUsize,
    /// Whether the server is stopping.
    pub draining: watch::Receiver<bool>,
}

/// A text, or a pair of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub text: String,
    pub text_pair: Option<String>,
}

impl Text {
    pub fn bytes(&self) -> usize {
        self.text.len() + self.text_pair.as_ref().map_or(0, String::len)
    }
}

impl App {
    /// Returns the classifier of a model, or of the default one.
    pub fn model(&self, name: Option<&str>) -> Result<Arc<Loaded>, Failure> {
        let slot = match name {
            None => self.models.first(),
            Some(name) => self.models.iter().find(|slot| slot.name == name),
        };
        slot.map(Slot::current).ok_or_else(|| {
            let names: Vec<String> = self.models.iter().map(|slot| format!("`{}`", slot.name)).collect();
            let message = format!("no model `{}`; this server has {}", name.unwrap_or_default(), names.join(", "));
            Failure::new(StatusCode::NOT_FOUND, message)
        })
    }

    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Returns the logits of texts, row-major. Without `truncate`, a text that is too long is an error.
    pub async fn logits(&self, model: &Arc<Loaded>, texts: Vec<Text>, truncate: bool) -> Result<Vec<f32>, Failure> {
        let encoded = if texts.iter().map(Text::bytes).sum::<usize>() > LONG {
            let model = Arc::clone(model);
            let work = tokio::task::spawn_blocking(move || encode(&model, &texts, truncate));
            work.await.map_err(|error| Failure::backend(error.to_string()))?
        } else {
            encode(model, &texts, truncate)
        };
        let answer = self.queue.push(Arc::clone(model), encoded?)?;
        match answer.await {
            Ok(Ok(logits)) => Ok(logits),
            Ok(Err(reason)) => Err(Failure::backend(&*reason)),
            Err(_) => Err(Failure::backend("the inference thread has ended")),
        }
    }
}

fn encode(model: &Loaded, texts: &[Text], truncate: bool) -> Result<Vec<EncodedTexts>, Failure> {
    let (classifier, max_length) = (&model.classifier, model.max_length);
    let encode = |(index, Text { text, text_pair }): (usize, &Text)| {
        let invalid = |error: &dyn std::fmt::Display| Failure::invalid(format!("inputs[{index}]: {error}"));
        let text_pair = text_pair.as_deref();
        if !truncate {
            let whole =
                classifier.tokenizer().encode_pair(text, text_pair, usize::MAX).map_err(|error| invalid(&error))?;
            let length = whole.input_ids.len();
            if length > max_length {
                return Err(Failure::too_large(format!(
                    "inputs[{index}]: {length} tokens are more than the {max_length} of the model; shorten the text, or omit \
                     `\"truncate\": false`"
                )));
            }
        }
        classifier.encode(text, text_pair, max_length).map_err(|error| invalid(&error))
    };
    texts.iter().enumerate().map(encode).collect()
}
