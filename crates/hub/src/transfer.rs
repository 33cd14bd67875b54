//! The download of one file into the cache. It resumes where an earlier one was cut.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Body;
use ureq::http::Response;

use super::client::{Client, Fault, header};

/// A file of one commit, and where it belongs.
pub(super) struct RemoteFile<'a> {
    pub(super) client: &'a Client<'a>,
    pub(super) url: String,
    pub(super) commit: &'a str,
    /// The folder of contents.
    pub(super) blobs: PathBuf,
    /// The file in the snapshot.
    pub(super) link: &'a Path,
    /// How many folders of the repository the file lies in.
    pub(super) folders: usize,
}

impl RemoteFile<'_> {
    /// Downloads the content into its blob, checks it, and links to it from the snapshot.
    ///
    /// `progress` gets the bytes on disk and the size of the whole file, where it is known.
    pub(super) fn download(&self, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<(), Fault> {
        let etag = self.client.etag(&self.url, self.commit)?;
        let blob = self.blobs.join(&etag);
        let _lock = lock(&blob.with_added_extension("lock"))?;
        let part = blob.with_added_extension("part");
        let disk = |error| Fault::Disk(part.clone(), error);

        let (answer, start) = self.request(&part)?;
        let size = announced(&answer, start)?;
        let mut file = OpenOptions::new();
        let mut file = if start > 0 { file.append(true) } else { file.write(true).create(true).truncate(true) }
            .open(&part)
            .map_err(disk)?;
        progress(start, size);
        receive(answer, &mut file, size.map(|size| size - start), disk, &mut |done| progress(start + done, size))?;
        file.sync_all().map_err(disk)?;
        drop(file);
        if let Some(reason) = defect(&part, &etag, size).map_err(disk)? {
            fs::remove_file(&part).map_err(disk)?;
            return Err(Fault::Corrupt(reason));
        }
        fs::rename(&part, &blob).map_err(disk)?;
        self.link(&etag, &blob).map_err(|error| Fault::Disk(self.link.to_owned(), error))
    }

    /// Requests what is missing from the part that an earlier call left, or the whole file if that part is of no use.
    fn request(&self, part: &Path) -> Result<(Response<Body>, u64), Fault> {
        let start = part.metadata().map_or(0, |part| part.len());
        let answer = match self.client.bytes(&self.url, start) {
            // The part is as long as the file, or longer.
            Err(Fault::Status(416, _)) if start > 0 => return Ok((self.client.bytes(&self.url, 0)?, 0)),
            answer => answer?,
        };
        // Not every host supports ranges.
        let start = if answer.status() == 206 { start } else { 0 };
        Ok((answer, start))
    }

    /// Links to the blob from the snapshot, relatively, as Python does. Where the system has no links, the blob itself
    /// is moved there.
    fn link(&self, etag: &str, blob: &Path) -> io::Result<()> {
        if let Some(folder) = self.link.parent() {
            fs::create_dir_all(folder)?;
        }
        let repository: PathBuf = std::iter::repeat_n("..", 2 + self.folders).collect();
        let target = repository.join("blobs").join(etag);
        #[cfg(unix)]
        let linked = std::os::unix::fs::symlink(target, self.link);
        #[cfg(windows)]
        let linked = std::os::windows::fs::symlink_file(target, self.link);
        #[cfg(not(any(unix, windows)))]
        let linked = io::Result::Err(io::ErrorKind::Unsupported.into());
        linked.or_else(|_| fs::rename(blob, self.link))
    }
}

/// Locks a file until the returned one is dropped. Waits some seconds for another process.
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

/// The size of the whole file, as told by an answer that begins at byte `start`.
fn announced(answer: &Response<Body>, start: u64) -> Result<Option<u64>, Fault> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let wrong = |what: &str| Err(Fault::Answer(what.to_owned()));
    match answer.status().as_u16() {
        200 => Ok(header(answer, "content-length").and_then(number)),
        206 => {
            let range = header(answer, "content-range").and_then(|range| range.trim().strip_prefix("bytes "));
            let Some((part, size)) = range.and_then(|range| range.split_once('/')) else {
                return wrong("a part without a content-range");
            };
            if part.split('-').next().and_then(number) != Some(start) {
                return wrong("another part than the requested one");
            }
            match number(size) {
                Some(size) if size < start => wrong("a part behind the end of the file"),
                size => Ok(size),
            }
        }
        status => wrong(&format!("HTTP {status}")),
    }
}

/// Writes the body of an answer, which must have `expected` bytes where that is known.
fn receive(
    answer: Response<Body>,
    file: &mut File,
    expected: Option<u64>,
    disk: impl Fn(io::Error) -> Fault,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Fault> {
    let mut reader = answer.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    loop {
        let read = reader.read(&mut buffer).map_err(Fault::body)?;
        if read == 0 {
            break;
        }
        done += read as u64;
        if expected.is_some_and(|expected| done > expected) {
            return Err(Fault::Answer("more bytes than the file has".to_owned()));
        }
        file.write_all(&buffer[..read]).map_err(&disk)?;
        progress(done);
    }
    match expected.is_some_and(|expected| done < expected) {
        true => Err(Fault::Cut(io::ErrorKind::UnexpectedEof.into())),
        false => Ok(()),
    }
}

/// How a file differs from the size and the hash that the hub announced, if it does.
///
/// Large files are named after their SHA-256. Small ones are named after Git's hash of them, which says too little to be
/// worth a second hash function; their size is checked, and the connection is encrypted.
pub(super) fn defect(path: &Path, etag: &str, size: Option<u64>) -> io::Result<Option<&'static str>> {
    let is_sha256 = etag.len() == 64 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    if size.is_some_and(|size| path.metadata().is_ok_and(|file| file.len() != size)) {
        Ok(Some("its size is wrong"))
    } else if is_sha256 && sha256(path)? != etag.to_ascii_lowercase() {
        Ok(Some("its SHA-256 is wrong"))
    } else {
        Ok(None)
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
