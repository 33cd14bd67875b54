//! How commands fail: a message, and the exit code for the kind of failure.
//!
//! Libraries classify their errors ([`rekindle::train::ErrorKind`] and its siblings). Here each kind gets an exit code.

use std::error::Error;
use std::fmt;
use std::io;
use std::iter;

use rekindle::{checkpoint, data, experiment, files, hub, infer, nn, onnx, remote, results, tokenizer, train};

use crate::options::settings;

/// The exit codes, as `--help` lists them. docs/reliability.md has the same list.
pub const CODES: &str = "\
Exit codes:
    0  success; also if the reader of the output closed it
    1  a failure of no kind below
    2  the command line: an unknown option, or an invalid value
    3  the input: data, a model or results are missing, damaged or inconsistent
    4  the output: no space, no permission, or a path that is in use
    5  the hub: not reachable, no such model, or a download was cut or damaged
    6  the computation: training diverged (NaN or infinity), or a device failed
  130  interrupted by Ctrl-C";

/// What a failure is about. The number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The reader of standard output closed it, for example `| head`. Not an error.
    Closed = 0,
    /// Anything else.
    Other = 1,
    /// The command line. clap exits with this code, too.
    Usage = 2,
    /// Something that is read.
    Input = 3,
    /// Something that is written.
    Output = 4,
    /// The hub, or the connection to it.
    Hub = 5,
    /// Numbers that diverged, or a device.
    Computation = 6,
    /// Interrupted by the user. Shells give this code to a program that SIGINT ended.
    Interrupted = 130,
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
}

impl Failure {
    fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string() }
    }

    /// A failure of no particular kind.
    pub fn other(message: impl fmt::Display) -> Self {
        Self::new(Kind::Other, message)
    }

    /// An option has an invalid value.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Something cannot be read.
    pub fn input(message: impl fmt::Display) -> Self {
        Self::new(Kind::Input, message)
    }

    /// Something cannot be written. Commands say so where they write: an I/O error of a library does not tell.
    pub fn output(message: impl fmt::Display) -> Self {
        Self::new(Kind::Output, message)
    }

    /// The hub does not give a model.
    pub fn hub(message: impl fmt::Display) -> Self {
        Self::new(Kind::Hub, message)
    }

    /// A device cannot be used.
    pub fn device(message: impl fmt::Display) -> Self {
        Self::new(Kind::Computation, message)
    }

    /// The work was interrupted; everything that `--resume` needs is on disk.
    pub fn interrupted(message: impl fmt::Display) -> Self {
        let hint = "nothing is lost: continue with the same command and --resume";
        Self::new(Kind::Interrupted, format!("{message}\n{hint}"))
    }

    /// The same failure, with what failed in front of its message.
    pub fn within(self, what: impl fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// The same failure with a note below its message.
    pub fn with_note(self, note: impl fmt::Display) -> Self {
        Self { message: format!("{}\n{note}", self.message), ..self }
    }

    /// What the failure is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Errors that end a command.
trait Classify: Error + 'static {
    /// The kind of failure, given that the disk is not full.
    fn classify(&self) -> Kind;

    /// The message, in terms of the command line.
    fn message(&self) -> String {
        self.to_string()
    }
}

impl<E: Classify> From<E> for Failure {
    fn from(error: E) -> Self {
        let kind = if is_disk_full(&error) { Kind::Output } else { error.classify() };
        Self::new(kind, error.message())
    }
}

/// Whether an error, or one of its causes, is that nothing can be written. Reading never fails like this.
fn is_disk_full(error: &(dyn Error + 'static)) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
        )
    })
}

/// An error, and the errors that caused it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

impl Classify for data::DataError {
    fn classify(&self) -> Kind {
        match self.kind() {
            data::ErrorKind::Argument => Kind::Usage,
            _ => Kind::Input,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Rows { first, listed, more, .. }
                if matches!(**first, Self::Row { .. }) && (listed.len() as u64) < *more =>
            {
                format!("{self}\n`rekindle data` with the options of the file lists all of them")
            }
            _ => self.to_string(),
        }
    }
}

impl Classify for tokenizer::TokenizerError {
    fn classify(&self) -> Kind {
        match self.kind() {
            tokenizer::ErrorKind::Argument => Kind::Usage,
            _ => Kind::Input,
        }
    }
}

impl Classify for files::FileError {
    fn classify(&self) -> Kind {
        match self.kind() {
            files::ErrorKind::Output => Kind::Output,
            _ => Kind::Input,
        }
    }

    fn message(&self) -> String {
        settings::of_files(self)
    }
}

impl Classify for checkpoint::CheckpointError {
    fn classify(&self) -> Kind {
        match self.kind() {
            files::ErrorKind::Output => Kind::Output,
            _ => Kind::Input,
        }
    }
}

impl Classify for nn::NnError {
    fn classify(&self) -> Kind {
        match self.kind() {
            nn::ErrorKind::Argument => Kind::Usage,
            _ => Kind::Input,
        }
    }
}

impl Classify for hub::HubError {
    fn classify(&self) -> Kind {
        match self.kind() {
            hub::ErrorKind::Argument => Kind::Usage,
            hub::ErrorKind::Input => Kind::Input,
            hub::ErrorKind::Output => Kind::Output,
            _ => Kind::Hub,
        }
    }
}

impl Classify for remote::ServeError {
    fn classify(&self) -> Kind {
        match self {
            Self::Address { .. } => Kind::Usage,
            Self::Identity { .. } => Kind::Input,
            _ => Kind::Other,
        }
    }
}

#[cfg(feature = "serve")]
impl Classify for rekindle_serve::ServeError {
    fn classify(&self) -> Kind {
        match self {
            Self::Listen { .. } | Self::NoModel | Self::SameName(_) => Kind::Usage,
            Self::Model { source, .. } => source.classify(),
            _ => Kind::Other,
        }
    }
}

impl Classify for results::ResultsError {
    fn classify(&self) -> Kind {
        Kind::Input
    }
}

impl Classify for onnx::OnnxError {
    fn classify(&self) -> Kind {
        match self.kind() {
            files::ErrorKind::Output => Kind::Output,
            _ => Kind::Input,
        }
    }
}

impl Classify for infer::InferError {
    fn classify(&self) -> Kind {
        train::ErrorKind::from(self.kind()).into()
    }
}

impl Classify for train::TrainError {
    fn classify(&self) -> Kind {
        self.kind().into()
    }

    fn message(&self) -> String {
        settings::of_training(self)
    }
}

impl Classify for experiment::ExperimentError {
    fn classify(&self) -> Kind {
        self.kind().into()
    }

    fn message(&self) -> String {
        settings::of_experiment(self)
    }
}

impl From<train::ErrorKind> for Kind {
    fn from(kind: train::ErrorKind) -> Self {
        match kind {
            train::ErrorKind::Argument => Self::Usage,
            train::ErrorKind::Input => Self::Input,
            train::ErrorKind::Output => Self::Output,
            train::ErrorKind::Computation => Self::Computation,
            train::ErrorKind::Interrupted => Self::Interrupted,
            _ => Self::Other,
        }
    }
}

/// Errors of files that are read name the file and have another type. This is standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let kind = if error.kind() == io::ErrorKind::BrokenPipe { Kind::Closed } else { Kind::Output };
        Self::new(kind, format!("standard output: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        match error.is_io() {
            true => io::Error::from(error).into(),
            false => Self::other(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use rekindle::experiment::ExperimentError;
    use rekindle::nn::NnError;
    use rekindle::train::TrainError;

    use super::*;

    fn kind(error: impl Into<Failure>) -> Kind {
        error.into().kind()
    }

    #[test]
    fn a_full_disk_is_a_failure_of_the_output_wherever_it_occurs() {
        for reason in [io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::QuotaExceeded] {
            let source = TrainError::Io { path: "checkpoint".into(), source: reason.into() };
            let error = ExperimentError::Train { approach: "last-layer".into(), source };
            assert_eq!(kind(error), Kind::Output, "{reason:?}");
        }
        let source = TrainError::Io { path: "corpus".into(), source: io::ErrorKind::NotFound.into() };
        assert_eq!(kind(source), Kind::Input);
    }

    #[test]
    fn an_error_within_another_keeps_its_kind() {
        assert_eq!(kind(TrainError::Interrupted { step: 1 }), Kind::Interrupted);
        let (rows, checkpoint) = (vec![0], None);
        let stopped = TrainError::NotFinite { step: 1, epoch: 1, what: "loss", value: f64::NAN, rows, checkpoint };
        let failure = Failure::from(ExperimentError::Train { approach: "last-layer".into(), source: stopped });
        assert_eq!(failure.kind(), Kind::Computation);
        let noted = failure.with_note("the steps before are kept");
        assert_eq!(noted.kind(), Kind::Computation);
        assert!(noted.to_string().ends_with("\nthe steps before are kept"));
        let error = ExperimentError::Model(NnError::Lora { field: "r", reason: "is 0".into() });
        assert_eq!(kind(error), Kind::Usage);
        assert_eq!(kind(io::Error::from(io::ErrorKind::PermissionDenied)), Kind::Output);
        assert_eq!(kind(io::Error::from(io::ErrorKind::BrokenPipe)), Kind::Closed);
    }
    #[test]
    fn every_kind_is_in_the_help() {
        use Kind::{Computation, Hub, Input, Other, Output, Usage};
        for kind in [Other, Usage, Input, Output, Hub, Computation] {
            assert!(CODES.contains(&format!("    {}  ", kind as u8)), "{kind:?}");
        }
    }
}
