//! The errors of this crate.

use std::path::PathBuf;

use rekindle_train::ErrorKind;
use thiserror::Error;

/// Why an experiment cannot run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// An approach that does not parse.
    #[error("approach `{spec}`: {reason}")]
    Approach {
        /// The approach as it was given.
        spec: String,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// A training size larger than the smallest sample.
    #[error("size {size} is more than the {largest} training examples")]
    Size {
        /// The given size.
        size: usize,
        /// Training examples of the smallest sample.
        largest: usize,
    },
    /// No training example of a class is left.
    #[error("without the dropped label errors, there is no training example of class `{class}`; list fewer of them")]
    DroppedClass {
        /// The class.
        class: String,
    },
    /// An approach given twice.
    #[error("approach `{name}` is given twice")]
    RepeatedApproach {
        /// The name given.
        name: String,
    },
    /// No model to evaluate.
    #[error("no model to evaluate")]
    NoModels,
    /// Models of other classes, or of another task, than the first.
    #[error("{model} predicts {task}: {classes}; but {first}")]
    OtherClasses {
        /// The model.
        model: String,
        /// Its task.
        task: &'static str,
        /// Its classes in their order.
        classes: String,
        /// The first model, its task and its classes.
        first: String,
    },
    /// Too many classes.
    #[error("{classes} classes, at most {most} are supported; check the label column")]
    Classes {
        /// Classes of the data.
        classes: usize,
        /// Maximum number of classes.
        most: usize,
    },
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The output cannot be a folder of artifacts.
    #[error("output {path}: {reason}")]
    Output {
        /// The output folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A stored model that does not belong to the experiment that is resumed.
    #[error("{path}: not the model of this experiment")]
    StoredModel {
        /// The file.
        path: PathBuf,
    },
    /// The last worker was given up.
    #[error("{worker}: {reason}; no other worker is left")]
    NoWorkers {
        /// Its name.
        worker: String,
        /// Why.
        reason: String,
    },
    /// Several workers failed on the same run or shard.
    #[error(
        "{item}: several workers failed on it, the last with: {reason}; if memory ran out, use a smaller batch size or max length"
    )]
    Poisoned {
        /// The run or shard.
        item: String,
        /// Why the last worker failed.
        reason: String,
    },
    /// No candidate of a search could be trained.
    #[error("no candidate could be trained; {spec}: {reason}")]
    NoCandidate {
        /// The first candidate that failed.
        spec: String,
        /// Why it failed.
        reason: String,
    },
    /// A trained model that is not kept, or not of the kind asked for.
    #[error("no model of approach `{approach}`: {reason}")]
    NoModel {
        /// The approach.
        approach: String,
        /// Why not.
        reason: String,
    },
    /// The experiment was asked to stop. The current run, if there is one, is not finished.
    #[error("stopped; only finished runs are kept")]
    Interrupted,
    /// A file cannot be read, written or accepted.
    #[error(transparent)]
    File(#[from] rekindle_files::FileError),
    /// The data set.
    #[error(transparent)]
    Data(#[from] rekindle_data::DataError),
    /// A score or a test that cannot be computed.
    #[error(transparent)]
    Metrics(#[from] rekindle_metrics::MetricsError),
    /// A baseline that cannot be fitted.
    #[error("baseline: {0}")]
    Baseline(#[source] rekindle_baseline::BaselineError),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] rekindle_tokenizer::TokenizerError),
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] rekindle_checkpoint::CheckpointError),
    /// A batch or the adapters do not fit the model.
    #[error(transparent)]
    Model(#[from] rekindle_nn::NnError),
    /// Training an approach.
    #[error("{approach}: {source}")]
    Train {
        /// The name of the approach.
        approach: String,
        /// Why it failed.
        source: rekindle_train::TrainError,
    },
    /// A setting that does not fit the examples or the approaches.
    #[error("{argument}: {reason}")]
    Argument {
        /// The name of the setting.
        argument: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Examples that cannot be trained on.
    #[error("examples: {0}")]
    Examples(#[source] rekindle_train::TrainError),
    /// Extracting features.
    #[error("features: {0}")]
    Features(#[source] rekindle_infer::ForwardError),
    /// A model cannot be opened or loaded.
    #[error(transparent)]
    Infer(#[from] rekindle_infer::InferError),
}

impl ExperimentError {
    /// Whether the experiment was asked to stop.
    pub fn is_interruption(&self) -> bool {
        use rekindle_train::TrainError;
        matches!(self, Self::Interrupted | Self::Train { source: TrainError::Interrupted { .. }, .. })
    }
}

impl From<rekindle_baseline::BaselineError> for ExperimentError {
    fn from(error: rekindle_baseline::BaselineError) -> Self {
        match error {
            rekindle_baseline::BaselineError::Stopped => Self::Interrupted,
            error => Self::Baseline(error),
        }
    }
}

impl ExperimentError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Approach { .. } | Self::Size { .. } | Self::RepeatedApproach { .. } => ErrorKind::Argument,
            Self::NoModels | Self::NoModel { .. } | Self::Argument { .. } => ErrorKind::Argument,
            Self::Output { .. } => ErrorKind::Output,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::NoWorkers { .. } | Self::Poisoned { .. } | Self::NoCandidate { .. } => ErrorKind::Computation,
            Self::Metrics(_) | Self::Baseline(_) => ErrorKind::Other,
            Self::Data(error) => error.kind().into(),
            Self::Tokenizer(error) => error.kind().into(),
            Self::File(error) => error.kind().into(),
            Self::Checkpoint(error) => error.kind().into(),
            Self::Model(error) => error.kind().into(),
            Self::Train { source, .. } | Self::Examples(source) => source.kind(),
            Self::Features(source) => source.kind().into(),
            Self::Infer(source) => source.kind().into(),
            _ => ErrorKind::Input,
        }
    }
}
