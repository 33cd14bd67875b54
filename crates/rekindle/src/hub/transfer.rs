//! Talks to the hub with a limit on every wait.
//!
//! hf-hub's HTTP client waits for ever, and the look-up of a host name cannot be given a limit at all. So each request
//! runs on a thread of its own, and the caller waits for its news only so long. A thread that is given up ends with
//! its connection or with the process; it can do no harm, for only the caller ever declares a model whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use hf_hub::api::sync::{Api, ApiError, ApiRepo};
use hf_hub::api::{Progress, RepoInfo};

use super::{Download, HubError, HubOptions};

/// What the thread gets on top of its own limit, so that its more telling error arrives first.
const GRACE: Duration = Duration::from_millis(500);

/// Asks for the newest commit and the names of its files.
pub(super) fn repo_info(api: &Api, failure: &Failure<'_>) -> Result<RepoInfo, HubError> {
    let limit = failure.options.answer_timeout;
    let request = api.model(failure.id.to_owned()).info_request().timeout(limit);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let answer = request.call().map_err(Box::new).map(ureq::Response::into_json::<RepoInfo>);
        // The caller has gone if it waited long enough.
        let _ = sender.send(answer);
    });
    let answer = receiver
        .recv_timeout(limit + GRACE)
        .map_err(|_| failure.unreachable(format!("no answer within {} s", limit.as_secs_f32())))?;
    match answer {
        Ok(Ok(info)) => Ok(info),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Err(failure.unexpected(format!("its list of files cannot be read: {error}")))
        }
        Ok(Err(error)) => Err(failure.unreachable(error.to_string())),
        Err(error) => Err(failure.request(*error, "the repository")),
    }
}

/// A file as hf-hub put it in the cache.
pub(super) struct Done {
    pub(super) path: PathBuf,
    /// The size that the hub announced.
    pub(super) size: Option<u64>,
}

/// Why a file did not arrive.
pub(super) enum Cut {
    /// What an earlier download left cannot be continued, and must be deleted first.
    Unresumable,
    /// An error to report as it is.
    Error(HubError),
    /// The file's error as the hub or the connection gave it.
    Api(ApiError),
}

enum News {
    Start(u64),
    Bytes(u64),
    End(Result<PathBuf, ApiError>),
}

struct Reporter(Sender<News>);

impl Progress for Reporter {
    fn init(&mut self, size: usize, _filename: &str) {
        self.tell(News::Start(size as u64));
    }

    fn update(&mut self, size: usize) {
        self.tell(News::Bytes(size as u64));
    }

    fn finish(&mut self) {}
}

impl Reporter {
    fn tell(&self, news: News) {
        // The caller has gone if it gave the download up.
        let _ = self.0.send(news);
    }
}

/// Downloads one file, going on where an earlier call was cut.
pub(super) fn download_file(
    repo: ApiRepo,
    file: &str,
    blobs: &Path,
    failure: &Failure<'_>,
    progress: &mut dyn FnMut(Download<'_>),
) -> Result<Done, Cut> {
    let limit = failure.options.stall_timeout;
    let (sender, receiver) = mpsc::channel();
    let name = file.to_owned();
    thread::spawn(move || {
        let result = repo.download_with_progress(&name, Reporter(sender.clone()));
        Reporter(sender).tell(News::End(result));
    });
    let mut size = None;
    let mut done_bytes = 0;
    loop {
        match receiver.recv_timeout(limit) {
            // It comes a second time when the transfer itself starts.
            Ok(News::Start(total)) => {
                size = Some(total);
                done_bytes = 0;
            }
            Ok(News::Bytes(bytes)) => {
                done_bytes += bytes;
                progress(Download { file, done_bytes, total_bytes: size.unwrap_or(done_bytes) });
            }
            Ok(News::End(Ok(path))) => return Ok(Done { path, size }),
            Ok(News::End(Err(error))) => return Err(classify(error, blobs)),
            Err(RecvTimeoutError::Timeout) => {
                let reason = format!("no byte of {file} arrived for {} s", limit.as_secs_f32());
                return Err(Cut::Error(failure.unreachable(reason)));
            }
            // hf-hub panics at some answers that no hub gives.
            Err(RecvTimeoutError::Disconnected) => {
                let reason = format!("the download of {file} failed");
                return Err(Cut::Error(failure.unexpected(reason)));
            }
        }
    }
}

fn classify(error: ApiError, blobs: &Path) -> Cut {
    match error {
        ApiError::InvalidResume => Cut::Unresumable,
        // The leftover is as long as the file: the earlier call died between its last byte and its renaming.
        ApiError::RequestError(error) if matches!(*error, ureq::Error::Status(416, _)) => Cut::Unresumable,
        ApiError::IoError(source) if is_disk(source.kind()) => {
            Cut::Error(HubError::Io { path: blobs.to_owned(), source })
        }
        other => Cut::Api(other),
    }
}

/// hf-hub reports the disk and the connection by the same type; these kinds come from the disk alone.
fn is_disk(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::NotFound
            | Kind::PermissionDenied
            | Kind::AlreadyExists
            | Kind::NotADirectory
            | Kind::IsADirectory
            | Kind::ReadOnlyFilesystem
            | Kind::StorageFull
            | Kind::QuotaExceeded
            | Kind::FileTooLarge
            | Kind::InvalidFilename
    )
}

/// Words the errors about one repository.
pub(super) struct Failure<'a> {
    pub(super) id: &'a str,
    pub(super) options: &'a HubOptions,
}

impl Failure<'_> {
    pub(super) fn unreachable(&self, reason: impl AsRef<str>) -> HubError {
        HubError::Unreachable {
            id: self.id.to_owned(),
            endpoint: self.endpoint(),
            reason: self.options.redact(reason.as_ref()),
        }
    }

    pub(super) fn unexpected(&self, reason: impl AsRef<str>) -> HubError {
        HubError::Unexpected {
            id: self.id.to_owned(),
            endpoint: self.endpoint(),
            reason: self.options.redact(reason.as_ref()),
        }
    }

    pub(super) fn unauthorized(&self, reason: impl AsRef<str>) -> HubError {
        HubError::Unauthorized {
            id: self.id.to_owned(),
            endpoint: self.endpoint(),
            reason: self.options.redact(reason.as_ref()),
        }
    }

    pub(super) fn not_found(&self, what: &str) -> HubError {
        HubError::NotFound { id: self.id.to_owned(), endpoint: self.endpoint(), what: what.to_owned() }
    }

    pub(super) fn cut(&self, file: &str, cut: Cut) -> HubError {
        let incomplete = |reason: String| HubError::Incomplete {
            id: self.id.to_owned(),
            file: file.to_owned(),
            reason: self.options.redact(&reason),
        };
        match cut {
            Cut::Error(error) => error,
            Cut::Unresumable => incomplete("what an earlier download left does not fit".to_owned()),
            Cut::Api(ApiError::RequestError(error)) => self.request(*error, file),
            Cut::Api(ApiError::IoError(error)) => incomplete(error.to_string()),
            Cut::Api(ApiError::LockAcquisition(_)) => {
                HubError::Locked { id: self.id.to_owned(), file: file.to_owned() }
            }
            Cut::Api(error) => self.unexpected(format!("{file}: {error}")),
        }
    }

    /// The error for a request about `what` that was not answered with a success.
    fn request(&self, error: ureq::Error, what: &str) -> HubError {
        match error {
            ureq::Error::Status(status, response) => self.status(status, &response, what),
            ureq::Error::Transport(transport) => self.transport(&transport),
        }
    }

    fn status(&self, status: u16, response: &ureq::Response, what: &str) -> HubError {
        let header = |name| response.header(name).unwrap_or_default();
        match (status, header("x-error-code")) {
            (401 | 403, "GatedRepo") => self.unauthorized(
                "it is gated: accept its conditions on its page, and set HF_TOKEN to a token of that account",
            ),
            // To someone it does not know, the hub denies that a repository exists and that it is private alike.
            (404, _) | (401, "RepoNotFound") => self.not_found(what),
            (401, _) if self.options.token().is_none() => self.not_found(what),
            (401, _) => self.unauthorized("it does not accept the token; check HF_TOKEN or the token file"),
            (403, _) => self.unauthorized("the token, if any, does not allow it (HTTP 403)"),
            (429 | 500..=599, _) => self.unreachable(format!("HTTP {status}")),
            _ => self.unexpected(format!("HTTP {status} for {what}")),
        }
    }

    /// Leaves the address out: after a redirection it holds a signature, which is nobody's business.
    fn transport(&self, transport: &ureq::Transport) -> HubError {
        use ureq::ErrorKind as Kind;
        let mut reason = transport.kind().to_string();
        if let Some(message) = transport.message() {
            reason = format!("{reason}: {message}");
        }
        if let Some(source) = std::error::Error::source(transport) {
            reason = format!("{reason}: {source}");
        }
        match transport.kind() {
            Kind::InvalidUrl
            | Kind::UnknownScheme
            | Kind::InvalidProxyUrl
            | Kind::BadHeader
            | Kind::TooManyRedirects => self.unexpected(reason),
            _ => self.unreachable(reason),
        }
    }

    fn endpoint(&self) -> String {
        self.options.redact(self.options.endpoint())
    }
}
