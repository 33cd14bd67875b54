//! A model into a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use rekindle_files::{FileError, write_atomic};

use crate::error::OnnxError;
use crate::export::OnnxModel;
use crate::proto::TensorProto;

/// The largest message of Protocol Buffers.
const MOST_BYTES: usize = i32::MAX as usize;
/// The number of `ModelProto.graph`.
const GRAPH: u32 = 7;
/// The number of `GraphProto.initializer`.
const INITIALIZER: u32 = 5;

impl OnnxModel {
    /// Returns the size of the file in bytes.
    pub fn size(&self) -> usize {
        let graph = self.graph_size();
        self.model.encoded_len() + key_len(GRAPH) + encoded_len_varint(graph as u64) + graph
    }

    /// Writes the model to a file, atomically.
    ///
    /// # Errors
    /// Returns an error if the model is larger than 2 GiB, or the file cannot be written; an existing one is then unchanged.
    pub fn save(&self, path: &Path) -> Result<(), OnnxError> {
        let bytes = self.size();
        if bytes > MOST_BYTES {
            return Err(OnnxError::TooLarge { bytes, most: MOST_BYTES });
        }
        write_atomic(path, |new| {
            let write = || {
                let mut out = BufWriter::new(File::create(new)?);
                self.write(&mut out)?;
                out.flush()
            };
            Ok(write().map_err(|source| FileError::write(path, source))?)
        })
    }

    /// Writes the message in parts, so that the tensors are in memory once.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.model.encode_to_vec())?;
        begin(out, GRAPH, self.graph_size())?;
        out.write_all(&self.graph.encode_to_vec())?;
        for tensor in &self.initializers {
            begin(out, INITIALIZER, tensor.encoded_len())?;
            out.write_all(&tensor.encode_to_vec())?;
        }
        Ok(())
    }

    fn graph_size(&self) -> usize {
        let field = |tensor: &TensorProto| {
            let size = tensor.encoded_len();
            key_len(INITIALIZER) + encoded_len_varint(size as u64) + size
        };
        self.graph.encoded_len() + self.initializers.iter().map(field).sum::<usize>()
    }
}

/// Writes what precedes a field of some bytes.
fn begin(out: &mut impl Write, tag: u32, size: usize) -> io::Result<()> {
    let mut start = Vec::new();
    encode_key(tag, WireType::LengthDelimited, &mut start);
    encode_varint(size as u64, &mut start);
    out.write_all(&start)
}
