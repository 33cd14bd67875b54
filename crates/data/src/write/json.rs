//! A JSON object per line.

use std::io::{self, Write};
use std::sync::Arc;

use crate::read::Cell;

pub(super) struct JsonWriter<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> JsonWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, line: Vec::new() }
    }

    pub(super) fn write(&mut self, cells: &[(Arc<str>, Cell)]) -> io::Result<()> {
        self.line.clear();
        for (index, (name, cell)) in cells.iter().enumerate() {
            self.line.push(if index == 0 { b'{' } else { b',' });
            serde_json::to_writer(&mut self.line, name.as_ref())?;
            self.line.push(b':');
            match cell {
                Cell::Null => self.line.extend_from_slice(b"null"),
                Cell::Text(text) => serde_json::to_writer(&mut self.line, text)?,
                Cell::Json(json) => self.line.extend_from_slice(json.as_bytes()),
            }
        }
        self.line.extend_from_slice(if cells.is_empty() { b"{}\n" } else { b"}\n" });
        self.out.write_all(&self.line)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub(super) fn finish(self) -> W {
        self.out
    }
}
