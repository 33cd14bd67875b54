//! Talks to the hub with a limit on every wait.
//!
//! The HTTP client waits for ever for a byte, and the look-up of a host name cannot be given a limit at all. So each
//! request runs on a thread of its own, and the caller waits for its news only so long. A thread that is given up ends
//! with its connection or with the process; it can do no harm, for only the caller ever declares a model whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ureq::Response;

use super::client::{Client, Fault, Listing};
use super::failure::Failure;
use super::{Download, HubError};

/// What the thread gets on top of its own limit, so that its more telling error arrives first.
const GRACE: Duration = Duration::from_millis(500);

/// Asks for the newest commit and the names of its files.
pub(super) fn list(client: &Client, failure: &Failure<'_>) -> Result<Listing, HubError> {
    let limit = failure.options.answer_timeout;
    let (client, id) = (client.clone(), failure.id.to_owned());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // The caller has gone if it waited long enough.
        let _ = sender.send(client.list(&id, limit));
    });
    match receiver.recv_timeout(limit + GRACE) {
        Ok(Ok(listing)) => Ok(listing),
        Ok(Err(Fault::Cut(error))) => Err(failure.unreachable(error.to_string())),
        Ok(Err(fault)) => Err(failure.fault("the repository", fault)),
        Err(_) => Err(failure.unreachable(format!("no answer within {} s", limit.as_secs_f32()))),
    }
}

/// A file of one commit, and where it goes.
#[derive(Clone)]
pub(super) struct RemoteFile {
    pub(super) client: Client,
    pub(super) url: String,
    pub(super) commit: String,
    /// The folder of contents.
    pub(super) blobs: PathBuf,
    /// The file in the snapshot.
    pub(super) link: PathBuf,
}

enum News {
    Start(Option<u64>),
    Bytes(u64),
    End(Result<(), Fault>),
}

/// Downloads one file, going on where an earlier call was cut, and returns the size that the hub announced.
pub(super) fn download(
    remote: RemoteFile,
    file: &str,
    failure: &Failure<'_>,
    progress: &mut dyn FnMut(Download<'_>),
) -> Result<Option<u64>, HubError> {
    let limit = failure.options.stall_timeout;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // The caller has gone if it gave the download up.
        let result = remote.fetch(&|news| _ = sender.send(news));
        let _ = sender.send(News::End(result));
    });
    let (mut size, mut done_bytes) = (None, 0);
    loop {
        match receiver.recv_timeout(limit) {
            Ok(News::Start(total)) => size = total,
            Ok(News::Bytes(bytes)) => {
                done_bytes += bytes;
                progress(Download { file, done_bytes, total_bytes: size.unwrap_or(done_bytes) });
            }
            Ok(News::End(Ok(()))) => return Ok(size),
            Ok(News::End(Err(fault))) => return Err(failure.fault(file, fault)),
            Err(RecvTimeoutError::Timeout) => {
                return Err(failure.unreachable(format!("no byte of {file} arrived for {} s", limit.as_secs_f32())));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(failure.unexpected(format!("the download of {file} failed")));
            }
        }
    }
}

impl RemoteFile {
    /// The thread's work: the content into its blob, and a link to it into the snapshot.
    fn fetch(&self, tell: &dyn Fn(News)) -> Result<(), Fault> {
        let etag = self.client.etag(&self.url, &self.commit)?;
        let blob = self.blobs.join(&etag);
        let _lock = lock(&blob.with_added_extension("lock"))?;
        let part = blob.with_added_extension("part");
        let disk = |error| Fault::Disk(part.clone(), error);

        let (answer, start) = self.ask(&part)?;
        let size = announced(&answer, start)?;
        tell(News::Start(size));
        let mut file = OpenOptions::new();
        let mut file = if start > 0 { file.append(true) } else { file.write(true).create(true).truncate(true) }
            .open(&part)
            .map_err(disk)?;
        tell(News::Bytes(start));
        receive(answer, &mut file, size.map(|size| size - start), disk, &|bytes| tell(News::Bytes(bytes)))?;
        file.sync_all().map_err(disk)?;
        drop(file);
        fs::rename(&part, &blob).map_err(disk)?;
        self.link(&etag, &blob).map_err(|error| Fault::Disk(self.link.clone(), error))
    }

    /// Asks for what is behind the part that an earlier call left, or for the whole where that part is of no use.
    fn ask(&self, part: &Path) -> Result<(Response, u64), Fault> {
        let start = part.metadata().map_or(0, |part| part.len());
        let answer = match self.client.bytes(&self.url, start) {
            // The leftover is as long as the file, or longer.
            Err(Fault::Request(error)) if start > 0 && matches!(*error, ureq::Error::Status(416, _)) => {
                return Ok((self.client.bytes(&self.url, 0)?, 0));
            }
            answer => answer?,
        };
        // Not every host knows about ranges.
        let start = if answer.status() == 206 { start } else { 0 };
        Ok((answer, start))
    }

    /// The cache's own links are relative; where the system has none, the content itself takes the link's place.
    fn link(&self, etag: &str, blob: &Path) -> io::Result<()> {
        if let Some(snapshot) = self.link.parent() {
            fs::create_dir_all(snapshot)?;
        }
        let target = Path::new("..").join("..").join("blobs").join(etag);
        #[cfg(unix)]
        let linked = std::os::unix::fs::symlink(target, &self.link);
        #[cfg(windows)]
        let linked = std::os::windows::fs::symlink_file(target, &self.link);
        #[cfg(not(any(unix, windows)))]
        let linked = io::Result::Err(io::ErrorKind::Unsupported.into());
        linked.or_else(|_| fs::rename(blob, &self.link))
    }
}

/// Holds a file's lock until it is dropped. Another process gets some seconds to be done.
fn lock(path: &Path) -> Result<File, Fault> {
    const TRIES: usize = 6;
    let disk = |error| Fault::Disk(path.to_owned(), error);
    let file = File::create(path).map_err(disk)?;
    for wait in (0..TRIES).rev() {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if wait > 0 => thread::sleep(Duration::from_secs(1)),
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(error)) => return Err(disk(error)),
        }
    }
    Err(Fault::Locked)
}

/// The size of the whole file, by an answer that begins at byte `start`.
fn announced(answer: &Response, start: u64) -> Result<Option<u64>, Fault> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let wrong = |what: &str| Err(Fault::Answer(what.to_owned()));
    match answer.status() {
        200 => Ok(answer.header("content-length").and_then(number)),
        206 => {
            let range = answer.header("content-range").and_then(|range| range.trim().strip_prefix("bytes "));
            let Some((part, size)) = range.and_then(|range| range.split_once('/')) else {
                return wrong("a part without its range");
            };
            if part.split('-').next().and_then(number) != Some(start) {
                return wrong("another part than was asked for");
            }
            match number(size) {
                Some(size) if size < start => wrong("a part behind the file's end"),
                size => Ok(size),
            }
        }
        status => wrong(&format!("HTTP {status}")),
    }
}

/// Writes what arrives, which must be `expected` bytes where that is known.
fn receive(
    answer: Response,
    file: &mut File,
    expected: Option<u64>,
    disk: impl Fn(io::Error) -> Fault,
    tell: &dyn Fn(u64),
) -> Result<(), Fault> {
    let mut reader = answer.into_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    loop {
        let read = reader.read(&mut buffer).map_err(Fault::Cut)?;
        if read == 0 {
            break;
        }
        done += read as u64;
        if expected.is_some_and(|expected| done > expected) {
            return Err(Fault::Answer("more bytes than the file has".to_owned()));
        }
        file.write_all(&buffer[..read]).map_err(&disk)?;
        tell(read as u64);
    }
    match expected.is_some_and(|expected| done < expected) {
        true => Err(Fault::Cut(io::ErrorKind::UnexpectedEof.into())),
        false => Ok(()),
    }
}
