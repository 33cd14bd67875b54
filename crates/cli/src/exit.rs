//! How the program ends: a code for each kind of failure.

use std::error::Error;
use std::fmt;
use std::io;
use std::iter;

use rekindle::baseline::BaselineError;
use rekindle::data::DataError;
use rekindle::distilbert::DistilBertError;
use rekindle::experiment::ExperimentError;
use rekindle::hub::HubError;
use rekindle::metrics::MetricsError;
use rekindle::tokenizer::TokenizerError;
use rekindle::train::TrainError;

use crate::options::model::ModelError;

/// The codes, as `--help` has them; docs/reliability.md has them too.
pub const CODES: &str = "\
Exit codes:
    0  done, or whoever read the output had enough of it
    1  a failure of no kind below
    2  the command line: an unknown option, or a value that cannot be
    3  the input: data, a model or results that are missing, broken or do not belong together
    4  the output: no room, no permission, or a place that is taken
    5  the hub: out of reach, without that model, or a download that was cut or is damaged
    6  the training: it left the numbers, or the device failed
  130  interrupted by Ctrl-C";

/// What a failure is about. The number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything else.
    Other = 1,
    /// The command line; clap ends by this number too.
    Usage = 2,
    /// What was to be read.
    Input = 3,
    /// What was to be written.
    Output = 4,
    /// The hub, and the way to it.
    Hub = 5,
    /// Numbers, or the device that computes them.
    Training = 6,
    /// Nothing failed: it was told to stop. The number is that of what a shell sees die of SIGINT.
    Interrupted = 130,
}

/// A failure whose kind no type of a library tells.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    text: String,
}

impl Failure {
    /// A value of an option that cannot be.
    pub fn usage(text: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, text: text.to_string() }
    }

    /// Something that cannot be read.
    pub fn input(text: impl fmt::Display) -> Self {
        Self { kind: Kind::Input, text: text.to_string() }
    }

    /// Something that cannot be written. An error of a library about a file does not tell which of the two it was.
    pub fn output(text: impl fmt::Display) -> Self {
        Self { kind: Kind::Output, text: text.to_string() }
    }

    /// A model that the hub does not give.
    pub fn hub(text: impl fmt::Display) -> Self {
        Self { kind: Kind::Hub, text: text.to_string() }
    }

    /// A device of another machine that cannot be had.
    pub fn device(text: impl fmt::Display) -> Self {
        Self { kind: Kind::Training, text: text.to_string() }
    }

    /// Work that was told to stop; all that it takes to go on is on disk.
    pub fn interrupted(what: impl fmt::Display) -> Self {
        let text = format!("{what}\nnothing is lost: go on with the same command and --resume");
        Self { kind: Kind::Interrupted, text }
    }

    /// `error` with more words behind it.
    pub fn with_note(error: &(dyn Error + 'static), note: impl fmt::Display) -> Self {
        Self { kind: kind(error), text: format!("{error}\n{note}") }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Failure {}

/// The kind of an error that ended a command.
pub fn kind(error: &(dyn Error + 'static)) -> Kind {
    // Only a write fails by these, wherever it was.
    if causes(error).filter_map(|error| error.downcast_ref::<io::Error>()).any(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
        )
    }) {
        return Kind::Output;
    }
    causes(error).find_map(known).unwrap_or(Kind::Other)
}

/// An error and all that it came from.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

/// The kind of one error, its causes aside.
fn known(error: &(dyn Error + 'static)) -> Option<Kind> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return Some(failure.kind);
    }
    if let Some(error) = error.downcast_ref::<ModelError>() {
        return Some(match error {
            ModelError::Hub(error) => hub(error),
            ModelError::Checkpoint(error) => experiment(error),
        });
    }
    let of_library = [
        error.downcast_ref().map(experiment),
        error.downcast_ref().map(train),
        error.downcast_ref().map(distilbert),
        error.downcast_ref().map(tokenizer),
        error.downcast_ref().map(data),
        error.downcast_ref().map(hub),
        error.downcast_ref().map(metrics),
        error.downcast_ref().map(baseline),
        // All that is read names its file in a type of its own: what is left is standard output.
        error.downcast_ref().map(|_: &io::Error| Kind::Output),
        error.downcast_ref().filter(|error: &&serde_json::Error| error.is_io()).map(|_| Kind::Output),
    ];
    of_library.into_iter().flatten().next()
}

fn experiment(error: &ExperimentError) -> Kind {
    match error {
        ExperimentError::Approach { .. }
        | ExperimentError::Size { .. }
        | ExperimentError::RepeatedApproach { .. }
        | ExperimentError::MaxLength { .. } => Kind::Usage,
        ExperimentError::Output { .. } => Kind::Output,
        ExperimentError::Interrupted => Kind::Interrupted,
        ExperimentError::Host { .. } => Kind::Training,
        ExperimentError::Chart { .. } => Kind::Other,
        ExperimentError::Data(error) => data(error),
        ExperimentError::Metrics(error) => metrics(error),
        ExperimentError::Baseline(error) => baseline(error),
        ExperimentError::Tokenizer(error) => tokenizer(error),
        ExperimentError::Model(error) => distilbert(error),
        ExperimentError::Train { source, .. } => train(source),
        _ => Kind::Input,
    }
}

fn train(error: &TrainError) -> Kind {
    match error {
        TrainError::Argument { .. } => Kind::Usage,
        TrainError::NotFinite { .. } | TrainError::Logits { .. } | TrainError::Device(_) => Kind::Training,
        TrainError::Interrupted { .. } => Kind::Interrupted,
        TrainError::Save(_) => Kind::Output,
        TrainError::Tokenizer(error) => tokenizer(error),
        TrainError::Model(error) => distilbert(error),
        TrainError::Metrics(error) => metrics(error),
        _ => Kind::Input,
    }
}

fn distilbert(error: &DistilBertError) -> Kind {
    match error {
        DistilBertError::Lora { .. } => Kind::Usage,
        _ => Kind::Input,
    }
}

fn tokenizer(error: &TokenizerError) -> Kind {
    match error {
        TokenizerError::Size { .. } | TokenizerError::MaxLength { .. } => Kind::Usage,
        _ => Kind::Input,
    }
}

fn data(error: &DataError) -> Kind {
    match error {
        DataError::TestSize { .. } | DataError::Folds { .. } => Kind::Usage,
        _ => Kind::Input,
    }
}

fn hub(error: &HubError) -> Kind {
    match error {
        HubError::InvalidId { .. } => Kind::Usage,
        HubError::Io { .. } => Kind::Output,
        HubError::Pickle { .. } => Kind::Input,
        _ => Kind::Hub,
    }
}

/// A score that cannot be computed is nobody's file.
fn metrics(_: &MetricsError) -> Kind {
    Kind::Other
}

fn baseline(_: &BaselineError) -> Kind {
    Kind::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_the_output_wherever_it_was() {
        for reason in [io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::QuotaExceeded] {
            let source = TrainError::Io { path: "checkpoint".into(), source: reason.into() };
            let error = ExperimentError::Train { approach: "last-layer".into(), source };
            assert_eq!(kind(&error), Kind::Output, "{reason:?}");
        }
        let source = TrainError::Io { path: "corpus".into(), source: io::ErrorKind::NotFound.into() };
        assert_eq!(kind(&source), Kind::Input);
    }

    #[test]
    fn what_stands_within_another_error_keeps_its_kind() {
        let stopped = TrainError::Interrupted { step: 1 };
        assert_eq!(kind(&stopped), Kind::Interrupted);
        let (rows, checkpoint) = (vec![0], None);
        let stopped = TrainError::NotFinite { step: 1, epoch: 1, what: "loss", value: f64::NAN, rows, checkpoint };
        let error = ExperimentError::Train { approach: "last-layer".into(), source: stopped };
        assert_eq!(kind(&error), Kind::Training);
        let noted = Failure::with_note(&error, "the steps before are kept");
        assert_eq!(kind(&noted), Kind::Training);
        assert!(noted.to_string().ends_with("\nthe steps before are kept"));
        let error = ExperimentError::Model(DistilBertError::Lora { field: "r", reason: "is 0".into() });
        assert_eq!(kind(&ModelError::Checkpoint(error)), Kind::Usage);
        assert_eq!(kind(&io::Error::from(io::ErrorKind::PermissionDenied)), Kind::Output);
        assert_eq!(kind(&fmt::Error), Kind::Other);
    }

    #[test]
    fn every_kind_is_in_the_help() {
        use Kind::{Hub, Input, Other, Output, Training, Usage};
        for kind in [Other, Usage, Input, Output, Hub, Training] {
            assert!(CODES.contains(&format!("    {}  ", kind as u8)), "{kind:?}");
        }
    }
}
