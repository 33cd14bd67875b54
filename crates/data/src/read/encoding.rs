//! Character encodings other than UTF-8.

use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read};
use std::str::FromStr;

use encoding_rs::{Decoder, DecoderResult};

use crate::error::DataError;

/// A character encoding, by its name on the web (`windows-1252`, `utf-16le`, `shift_jis`) or in Python (`cp1252`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Encoding {
    /// UTF-8, the default.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);

    /// Returns the encoding that a byte order mark at the beginning of a file declares.
    pub(super) fn of_mark(head: &[u8]) -> Option<Self> {
        encoding_rs::Encoding::for_bom(head).map(|(encoding, _)| Self(encoding))
    }

    /// Decodes a text to UTF-8, without its byte order mark.
    pub(super) fn decode(self, text: impl BufRead + Send + 'static) -> impl Read + Send + 'static {
        Decoded { text, decoder: self.0.new_decoder_with_bom_removal(), name: self.0.name(), ended: false }
    }
}

impl FromStr for Encoding {
    type Err = DataError;

    /// Parses the name of an encoding; `-` and `_` are equal, and may be left out.
    fn from_str(name: &str) -> Result<Self, DataError> {
        let plain = name.trim().to_ascii_lowercase().replace('_', "-");
        let plain = plain.strip_suffix("-sig").unwrap_or(&plain);
        let known = |name: &str| encoding_rs::Encoding::for_label(name.as_bytes());
        let found = known(plain).or_else(|| known(&plain.replace('-', ""))).or_else(|| known(&plain.replace('-', "_")));
        found.map(Self).ok_or_else(|| DataError::UnknownEncoding { name: name.into() })
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// Text that is decoded while it is read.
struct Decoded<R> {
    text: R,
    decoder: Decoder,
    name: &'static str,
    ended: bool,
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.ended {
            let input = self.text.fill_buf()?;
            let last = input.is_empty();
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(input, out, last);
            self.text.consume(read);
            if let DecoderResult::Malformed(..) = result {
                return Err(io::Error::new(ErrorKind::InvalidData, format!("the text is not valid {}", self.name)));
            }
            self.ended = last && result == DecoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Encoding;

    #[test]
    fn names_of_the_web_and_of_python_are_known() {
        for (name, expected) in [
            ("cp1252", "windows-1252"),
            ("Windows-1252", "windows-1252"),
            ("latin-1", "windows-1252"),
            ("iso_8859_15", "ISO-8859-15"),
            ("utf-16", "UTF-16LE"),
            ("UTF-16BE", "UTF-16BE"),
            ("utf8", "UTF-8"),
            ("utf-8-sig", "UTF-8"),
            ("shift-jis", "Shift_JIS"),
        ] {
            assert_eq!(name.parse::<Encoding>().map(|encoding| encoding.to_string()).ok().as_deref(), Some(expected));
        }
        let error = "klingon".parse::<Encoding>().expect_err("refused").to_string();
        assert!(error.contains("klingon") && error.contains("windows-1252"), "{error}");
    }
}
