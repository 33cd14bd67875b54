//! The models that are served, by name.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rekindle_infer::{InferError, Predictor};

/// Loads a model again; the error is a message for the log.
pub type Reload = Box<dyn Fn() -> Result<Predictor, String> + Send + Sync>;

/// A classifier with the name that requests use.
pub struct Model {
    /// The name.
    pub name: String,
    /// Where it comes from: a folder, or an id of the hub.
    pub id: String,
    /// The classifier.
    pub classifier: Predictor,
    /// How to load it again, if that is possible.
    pub reload: Option<Reload>,
    /// The fraction of the predictions that may be wrong, for requests that do not say: the model predicts nothing below the
    /// score of [`Predictor::abstain_below`]. Absent for a model that always predicts.
    pub max_error: Option<f64>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("name", &self.name).field("id", &self.id).finish_non_exhaustive()
    }
}

/// A classifier that is ready. Requests keep the one that tokenized them, so that a reload changes nothing for them.
pub(crate) struct Loaded {
    pub name: String,
    pub classifier: Predictor,
    /// Maximum number of tokens per text.
    pub max_length: usize,
    /// The score below which nothing is predicted, for requests that do not say.
    pub abstain_below: Option<f32>,
}

impl Loaded {
    /// Copies the weights into memory, because the files may be replaced, and classifies a text, so that a model that cannot
    /// predict is found before a request finds it.
    fn new(
        name: &str,
        classifier: Predictor,
        max_length: Option<usize>,
        max_error: Option<f64>,
    ) -> Result<Self, InferError> {
        let max_length = max_length.unwrap_or(classifier.max_length());
        let abstain_below = max_error.map(|error| classifier.abstain_below(error)).transpose()?;
        let classifier = classifier.in_memory()?;
        classifier.classify(&["a text"], max_length, 1)?;
        Ok(Self { name: name.into(), classifier, max_length, abstain_below })
    }
}

/// A model, and its current classifier.
pub(crate) struct Slot {
    pub name: String,
    pub id: String,
    reload: Option<Reload>,
    max_error: Option<f64>,
    current: RwLock<Arc<Loaded>>,
}

impl Slot {
    pub fn new(model: Model, max_length: Option<usize>) -> Result<Self, InferError> {
        let Model { name, id, classifier, reload, max_error } = model;
        let current = RwLock::new(Arc::new(Loaded::new(&name, classifier, max_length, max_error)?));
        Ok(Self { name, id, reload, max_error, current })
    }

    /// Returns the classifier for a request.
    pub fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Loads the model again; on failure, the earlier one stays. `None` if the model cannot be reloaded.
    pub fn reload(&self, max_length: Option<usize>) -> Option<Result<(), String>> {
        let classifier = (self.reload.as_ref()?)();
        let loaded = classifier.and_then(|classifier| {
            Loaded::new(&self.name, classifier, max_length, self.max_error).map_err(|error| error.to_string())
        });
        Some(loaded.map(|loaded| {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        }))
    }
}
