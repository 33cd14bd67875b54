//! The content of a file: decompressed, decoded, and recognised by its first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use super::container;
use super::encoding::Encoding;
use crate::error::DataError;

/// The capacity of buffers.
pub(super) const BUFFER: usize = 1 << 16;
/// The number of bytes by which a content is recognised.
const HEAD: u64 = 1 << 16;

/// The beginnings of files that are not read, and what they are.
const FOREIGN: [(&[u8], &str); 11] = [
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the file itself; run `git lfs pull` in its repository",
    ),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel or other Office file; export the table as CSV"),
    (b"ARROW1", "an Arrow file; save the table as Parquet"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
    (b"%PDF-", "a PDF file; a data file is expected"),
    (b"BZh", "compressed with bzip2; decompress it"),
    (b"\xfd7zXZ\0", "compressed with xz; decompress it"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard; decompress it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; extract it"),
    (b"\xff\xfe\0\0", "UTF-32; save it as UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32; save it as UTF-8"),
];
const GZIP: &[u8] = b"\x1f\x8b";
const ZIP: &[u8] = b"PK\x03\x04";
/// An archive without files.
const EMPTY_ZIP: &[u8] = b"PK\x05\x06";
const PARQUET: &[u8] = b"PAR1";

/// An open file.
pub(super) enum Source {
    /// A text.
    Text(Text),
    /// A Parquet file.
    Parquet(File),
}

/// UTF-8 text without a byte order mark.
pub(super) struct Text {
    /// The name of the file without the extension of its compression; the name in the archive if it has no other.
    pub(super) name: PathBuf,
    /// The first bytes.
    pub(super) head: Vec<u8>,
    /// Whether `head` is the complete text.
    pub(super) complete: bool,
    /// All bytes.
    pub(super) reader: Box<dyn BufRead + Send>,
}

/// Returns whether the extension of a file is `.gz`.
fn is_gzip(path: &Path) -> bool {
    has_extension(path, "gz")
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}

/// Returns the name of a file without the extension of its compression.
pub(super) fn unpacked_name(path: &Path) -> PathBuf {
    match is_gzip(path) || has_extension(path, "zip") {
        true => path.with_extension(""),
        false => path.into(),
    }
}

/// Opens a file. Without an encoding, a byte order mark decides; UTF-8 is the default.
pub(super) fn open(path: &Path, encoding: Option<Encoding>) -> Result<Source, DataError> {
    let io = |source| DataError::Io { path: path.into(), source };
    let mut file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(io(io::ErrorKind::IsADirectory.into()));
    }
    let mut head = Vec::new();
    file.by_ref().take(512).read_to_end(&mut head).map_err(io)?;
    if let Some(found) = foreign(&head) {
        return Err(DataError::Content { path: path.into(), found: found.into() });
    }
    if head.starts_with(PARQUET) || has_extension(path, "parquet") {
        return Ok(Source::Parquet(file));
    }
    // A pipe cannot be rewound, but its first bytes are here.
    let begun = file.rewind().is_err();
    let name = unpacked_name(path);
    if head.starts_with(GZIP) || is_gzip(path) {
        return text(path, name, container::gzip(whole(head, file, begun)), encoding);
    }
    if head.starts_with(ZIP) || head.starts_with(EMPTY_ZIP) {
        let (member, content) =
            container::zip(file).map_err(io)?.map_err(|found| DataError::Content { path: path.into(), found })?;
        let name = if name.extension().is_some() { name } else { member };
        return text(path, name, content, encoding);
    }
    text(path, name, whole(head, file, begun), encoding)
}

/// Returns a file from its beginning; `begun` if its head has been read.
fn whole(head: Vec<u8>, file: File, begun: bool) -> impl BufRead + Send + 'static {
    let head = if begun { head } else { Vec::new() };
    Cursor::new(head).chain(BufReader::with_capacity(BUFFER, file))
}

/// Returns what a file is, if it is none that can be read.
fn foreign(head: &[u8]) -> Option<&'static str> {
    FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, found)| *found).or_else(|| {
        let start = head.trim_ascii_start().get(..9).map(<[u8]>::to_ascii_lowercase)?;
        let is_page = start == *b"<!doctype" || start.starts_with(b"<html");
        is_page.then_some("an HTML page, not a data file; check where it was downloaded from")
    })
}

/// Decodes a content, and looks at its beginning.
fn text(
    path: &Path,
    name: PathBuf,
    mut content: impl BufRead + Send + 'static,
    encoding: Option<Encoding>,
) -> Result<Source, DataError> {
    let io = |source| DataError::Io { path: path.into(), source };
    let refused = |found: &str| Err(DataError::Content { path: path.into(), found: found.into() });
    let mut start = Vec::new();
    content.by_ref().take(512).read_to_end(&mut start).map_err(io)?;
    if let Some(found) = foreign(&start) {
        return refused(found);
    }
    if start.starts_with(PARQUET) {
        return refused("a compressed Parquet file; decompress it");
    }
    if start.starts_with(ZIP) {
        return refused("a zip archive in another file; extract it");
    }
    let encoding = encoding.or_else(|| Encoding::of_mark(&start)).unwrap_or(Encoding::UTF_8);
    if encoding == Encoding::UTF_8 && is_utf_16(&start) {
        return refused("UTF-16 without a byte order mark; name the encoding with `--encoding utf-16le` or `utf-16be`");
    }
    let content = Cursor::new(start).chain(content);
    let mut reader: Box<dyn BufRead + Send> = match encoding == Encoding::UTF_8 {
        true => Box::new(behind_mark(content).map_err(io)?),
        false => Box::new(BufReader::with_capacity(BUFFER, encoding.decode(content))),
    };
    let mut head = Vec::new();
    reader.by_ref().take(HEAD).read_to_end(&mut head).map_err(io)?;
    let complete = (head.len() as u64) < HEAD;
    let reader = Box::new(Cursor::new(head.clone()).chain(reader));
    Ok(Source::Text(Text { name, head, complete, reader }))
}

/// Returns whether every other byte of the beginning is zero, as in UTF-16 with few characters beyond ASCII.
fn is_utf_16(start: &[u8]) -> bool {
    let zeros = |offset| start.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count() * 4 > start.len();
    start.len() >= 8 && zeros(0) != zeros(1)
}

/// Returns a text without its byte order mark.
pub(super) fn behind_mark<R: BufRead + Send + 'static>(mut text: R) -> io::Result<impl BufRead + Send + 'static> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let mut head = Vec::new();
    text.by_ref().take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut head)?;
    if head == BYTE_ORDER_MARK {
        head.clear();
    }
    Ok(Cursor::new(head).chain(text))
}
