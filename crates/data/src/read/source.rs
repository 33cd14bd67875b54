//! The bytes of a text file: decompressed, without a byte order mark, and with line numbers.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

const BUFFER: usize = 1 << 16;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns whether the extension of a file is `.gz`.
pub(super) fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// Opens the text of a file after its byte order mark.
pub(super) fn open(file: File, gzip: bool) -> io::Result<Box<dyn BufRead + Send>> {
    let packed = BufReader::with_capacity(BUFFER, file);
    match gzip {
        true => behind_mark(BufReader::with_capacity(BUFFER, Unpacked(MultiGzDecoder::new(packed)))),
        false => behind_mark(packed),
    }
}

fn behind_mark(mut text: impl BufRead + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut head = Vec::new();
    text.by_ref().take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut head)?;
    if head == BYTE_ORDER_MARK {
        head.clear();
    }
    Ok(Box::new(Cursor::new(head).chain(text)))
}

/// Reads all members of a gzip file; errors say what is wrong with the data.
struct Unpacked<R>(MultiGzDecoder<R>);

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the gzip data is truncated"),
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                io::Error::new(ErrorKind::InvalidData, format!("invalid gzip data: {error}"))
            }
            _ => error,
        })
    }
}

/// Reads at most one line at a time, so that the line of the last byte is known.
pub(super) struct Lines {
    text: Box<dyn BufRead + Send>,
    line: u64,
    /// Whether the next byte is at the beginning of a line.
    ended: bool,
}

impl Lines {
    pub(super) fn new(text: Box<dyn BufRead + Send>) -> Self {
        Self { text, line: 0, ended: true }
    }

    /// Returns the line of the last byte read, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }
}

impl Read for Lines {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.text.fill_buf()?;
        let available = &available[..available.len().min(out.len())];
        let count = available.iter().position(|&byte| byte == b'\n').map_or(available.len(), |end| end + 1);
        out[..count].copy_from_slice(&available[..count]);
        self.text.consume(count);
        if count > 0 {
            self.line += u64::from(self.ended);
            self.ended = out[count - 1] == b'\n';
        }
        Ok(count)
    }
}
