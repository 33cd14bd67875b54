//! Compressed files: gzip, and zip with one file in it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

use flate2::Crc;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder};
use zip::{CompressionMethod, ZipArchive};

use super::source::BUFFER;

/// A member of the archives that Office programs write.
const OFFICE: &str = "[Content_Types].xml";

/// Returns the content of all members of a gzip file.
pub(super) fn gzip(packed: impl BufRead + Send + 'static) -> impl BufRead + Send + 'static {
    BufReader::with_capacity(BUFFER, Unpacked { data: MultiGzDecoder::new(packed), format: "gzip" })
}

/// Returns the name and the content of the only file in a zip archive; folders and macOS's metadata do not count.
///
/// The outer error is that of the file, the inner one says why the archive cannot be used.
pub(super) fn zip(file: File) -> io::Result<Result<(PathBuf, impl BufRead + Send + 'static), String>> {
    let broken = |error: zip::result::ZipError| format!("an invalid zip archive ({error}); pack it again");
    let mut archive = match ZipArchive::new(BufReader::new(file.try_clone()?)) {
        Ok(archive) => archive,
        Err(error) => return Ok(Err(broken(error))),
    };
    let names: Result<Vec<String>, _> = archive.file_names().map(|name| Ok(name?.into_owned())).collect();
    let names = match names {
        Ok(names) => names,
        Err(error) => return Ok(Err(broken(error))),
    };
    if names.iter().any(|name| name == OFFICE) {
        return Ok(Err("an Excel or other Office file; export the table as CSV".into()));
    }
    let is_file = |name: &str| !name.ends_with('/') && !name.starts_with("__MACOSX/") && !name.ends_with(".DS_Store");
    let files: Vec<usize> = (0..names.len()).filter(|&index| is_file(&names[index])).collect();
    let [index] = files[..] else {
        let listed: Vec<&str> = files.iter().take(5).map(|&index| names[index].as_str()).collect();
        return Ok(Err(match listed.is_empty() {
            true => "an empty zip archive".into(),
            false => format!("a zip archive of {} files ({}); extract the one to read", files.len(), listed.join(", ")),
        }));
    };
    let member = match archive.by_index_raw(index) {
        Ok(member) if member.encrypted() => return Ok(Err("an encrypted zip archive; extract it".into())),
        Ok(member) => member,
        Err(error) => return Ok(Err(broken(error))),
    };
    let Some(start) = member.data_start() else {
        return Ok(Err("an invalid zip archive; pack it again".into()));
    };
    let (length, method, expected) = (member.compressed_size(), member.compression(), member.crc32());
    drop(member);
    let mut file = archive.into_inner().into_inner();
    file.seek(SeekFrom::Start(start))?;
    let packed = BufReader::with_capacity(BUFFER, file).take(length);
    let data: Box<dyn Read + Send> = match method {
        CompressionMethod::Stored => Box::new(packed),
        CompressionMethod::Deflated => Box::new(Unpacked { data: DeflateDecoder::new(packed), format: "zip" }),
        other => return Ok(Err(format!("a zip archive with the compression {other}; use Deflate, zip's default"))),
    };
    let checked = Checked { data, crc: Crc::new(), expected };
    Ok(Ok((PathBuf::from(&names[index]), BufReader::with_capacity(BUFFER, checked))))
}

/// Decompressed data, whose errors say what is wrong with the compressed data.
struct Unpacked<R> {
    data: R,
    format: &'static str,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let format = self.format;
        self.data.read(out).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => io::Error::new(error.kind(), format!("the {format} data is truncated")),
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                io::Error::new(ErrorKind::InvalidData, format!("invalid {format} data: {error}"))
            }
            _ => error,
        })
    }
}

/// The data of a zip archive, whose checksum is compared at the end.
struct Checked<R> {
    data: R,
    crc: Crc,
    expected: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.data.read(out)?;
        self.crc.update(&out[..count]);
        match count == 0 && !out.is_empty() && self.crc.sum() != self.expected {
            true => Err(io::Error::new(ErrorKind::InvalidData, "invalid zip data: the checksum differs")),
            false => Ok(count),
        }
    }
}
