//! The errors of this crate.

use std::path::PathBuf;

use rekindle_train::ErrorKind;
use thiserror::Error;

/// What can stop an experiment.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// An approach that the grammar does not know.
    #[error("approach `{spec}`: {reason}")]
    Approach {
        /// The approach as it was given.
        spec: String,
        /// What is wrong and what is possible.
        reason: String,
    },
    /// A point of the learning curve beyond the training sentences.
    #[error("size {size} is more than the {largest} sentences there are to train on")]
    Size {
        /// The size asked for.
        size: usize,
        /// Training sentences of the smallest sample.
        largest: usize,
    },
    /// An approach given twice.
    #[error("approach `{name}` is given twice")]
    RepeatedApproach {
        /// The name given.
        name: String,
    },
    /// More classes than a comparison can hold.
    #[error("{classes} classes are more than the {most} that can be compared; is the label column the right one?")]
    Classes {
        /// Classes of the data.
        classes: usize,
        /// The most there can be.
        most: usize,
    },
    /// Sentences may be longer than the model's position table.
    #[error("max length {max_length} is more than the {positions} positions of the model")]
    MaxLength {
        /// Tokens a sentence.
        max_length: usize,
        /// `max_position_embeddings`.
        positions: usize,
    },
    /// The tokenizer knows more words than the model.
    #[error("the tokenizer has {tokenizer} entries, the model's word table {model}: they do not belong together")]
    Vocabulary {
        /// Entries of the tokenizer.
        tokenizer: usize,
        /// `vocab_size`.
        model: usize,
    },
    /// A checkpoint that cannot classify.
    #[error(
        "{model}: no classification head (`{tensor}` is missing or of another shape); train one with `rekindle experiment --save-models`"
    )]
    NoHead {
        /// The model.
        model: String,
        /// The first tensor that does not match.
        tensor: String,
    },
    /// A checkpoint that cannot guess words.
    #[error(
        "{model}: no masked-language head (`{tensor}` is missing or of another shape); train one with `rekindle pretrain`"
    )]
    NoMaskedLm {
        /// The model.
        model: String,
        /// The first tensor that does not match.
        tensor: String,
    },
    /// A text whose words cannot be guessed.
    #[error("`{text}`: {reason}")]
    Text {
        /// The text.
        text: String,
        /// Why not.
        reason: String,
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
    /// A stored model does not belong to the run that is resumed.
    #[error("{path}: is not the model of this run")]
    StoredModel {
        /// The file.
        path: PathBuf,
    },
    /// The last of the hosts that could have made the runs is gone.
    #[error("host {host}: {reason}; no other is left")]
    Host {
        /// Its name.
        host: String,
        /// Why.
        reason: String,
    },
    /// The experiment was asked to stop between two runs.
    #[error("stopped between two runs")]
    Interrupted,
    /// Results that cannot be read.
    #[error("{path}: {reason}")]
    Results {
        /// The file.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// A chart of the report that cannot be drawn.
    #[error("report, chart `{title}`: {reason}")]
    Chart {
        /// What it shows.
        title: String,
        /// Why not.
        reason: String,
    },
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
    Baseline(#[from] rekindle_baseline::BaselineError),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] rekindle_tokenizer::TokenizerError),
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] rekindle_checkpoint::CheckpointError),
    /// A batch or the adapters do not fit the model.
    #[error(transparent)]
    Model(#[from] rekindle_nn::NnError),
    /// Training; `approach` says which.
    #[error("{approach}: {source}")]
    Train {
        /// The approach's name.
        approach: String,
        /// What stopped it.
        source: rekindle_train::TrainError,
    },
}

impl ExperimentError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Approach { .. } | Self::Size { .. } | Self::RepeatedApproach { .. } | Self::MaxLength { .. } => {
                ErrorKind::Argument
            }
            Self::Output { .. } => ErrorKind::Output,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Host { .. } => ErrorKind::Computation,
            Self::Chart { .. } | Self::Metrics(_) | Self::Baseline(_) => ErrorKind::Other,
            Self::Data(error) => error.kind().into(),
            Self::Tokenizer(error) => error.kind().into(),
            Self::File(error) => error.kind().into(),
            Self::Checkpoint(error) => error.kind().into(),
            Self::Model(error) => error.kind().into(),
            Self::Train { source, .. } => source.kind(),
            _ => ErrorKind::Input,
        }
    }
}
