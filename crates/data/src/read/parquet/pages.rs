//! Checks each page of a column before it is decompressed and decoded.
//!
//! The library reserves the memory that a page's header claims: two gigabytes for a page, 32 bytes for a value of a
//! dictionary, four for a value of a delta encoding. This module reads the header first; a claim that the bytes cannot
//! satisfy is an error.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use parquet::basic::Encoding;
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;

use super::footer::{self, EXPANSION};
use super::thrift::{Broken, CUT, Thrift};

/// The decompressed size that is accepted for any page; writers end a page at about 1 MiB.
const FREE: u64 = 8 << 20;
/// The type of pages that are skipped.
const INDEX_PAGE: u64 = 1;
/// The minimum size of a dictionary value: a number, or the length of a string.
const VALUE: usize = 4;

/// A file whose pages are checked.
pub(crate) struct Checked {
    inner: SerializedFileReader<File>,
    file: Arc<File>,
}

impl Checked {
    /// Opens a file after checking its footer.
    pub(crate) fn open(file: File) -> std::result::Result<Self, String> {
        footer::check(&file)?;
        let text = |error: ParquetError| error.to_string();
        let inner = SerializedFileReader::new(file.try_clone().map_err(|error| error.to_string())?).map_err(text)?;
        Ok(Self { inner, file: Arc::new(file) })
    }
}

impl FileReader for Checked {
    fn metadata(&self) -> &ParquetMetaData {
        self.inner.metadata()
    }

    fn num_row_groups(&self) -> usize {
        self.inner.num_row_groups()
    }

    fn get_row_group(&self, index: usize) -> Result<Box<dyn RowGroupReader + '_>> {
        Ok(Box::new(Group { inner: self.inner.get_row_group(index)?, file: Arc::clone(&self.file) }))
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>> {
        RowIter::from_file(projection, self)
    }
}

struct Group<'a> {
    inner: Box<dyn RowGroupReader + 'a>,
    file: Arc<File>,
}

impl RowGroupReader for Group<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.inner.metadata()
    }

    fn num_columns(&self) -> usize {
        self.inner.num_columns()
    }

    fn get_column_page_reader(&self, index: usize) -> Result<Box<dyn PageReader>> {
        let column = self.metadata().column(index);
        let (at, length) =
            footer::chunk(self.metadata(), column, self.file.metadata()?.len()).map_err(ParquetError::General)?;
        Ok(Box::new(Pages {
            inner: self.inner.get_column_page_reader(index)?,
            file: Arc::clone(&self.file),
            at,
            end: at + length,
            values: column.num_values() as u64,
            optional: column.column_descr().max_def_level() > 0,
        }))
    }

    fn get_column_bloom_filter(&self, _: usize) -> Option<&Sbbf> {
        None
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

/// The pages of a column that is not nested.
struct Pages {
    inner: Box<dyn PageReader>,
    file: Arc<File>,
    /// The positions of the next page and of the end of the last one.
    at: u64,
    end: u64,
    /// The number of remaining values.
    values: u64,
    /// Whether values may be null, so that the page begins with levels.
    optional: bool,
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.look()?;
        let page = self.inner.get_next_page()?;
        if let Some(page) = &page {
            self.check(page).map_err(|reason| ParquetError::General(format!("a page {reason}")))?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Err(ParquetError::NYI("pages are read sequentially".into()))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        Err(ParquetError::NYI("pages are read sequentially".into()))
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// The fields of a page header.
#[derive(Default)]
struct Header {
    /// The size of the header.
    length: u64,
    kind: u64,
    unpacked: u64,
    packed: u64,
}

impl Pages {
    /// Checks the next page that is not skipped.
    fn look(&mut self) -> Result<()> {
        while self.at < self.end {
            let at = self.at;
            let refuse = |reason: String| Err(ParquetError::General(format!("the page at byte {at} {reason}")));
            let header = match self.header()? {
                Ok(header) => header,
                Err(reason) => return refuse(reason.into()),
            };
            let Header { unpacked, packed, .. } = header;
            self.at += header.length + packed;
            if self.at > self.end {
                return refuse(format!("extends beyond its column by {} bytes", self.at - self.end));
            }
            if unpacked > FREE && unpacked / EXPANSION > packed {
                return refuse(format!("declares {unpacked} bytes in {packed}"));
            }
            if header.kind != INDEX_PAGE {
                break;
            }
        }
        Ok(())
    }

    /// Reads the header, which may contain the minimum and maximum value of the page.
    fn header(&self) -> Result<std::result::Result<Header, Broken>> {
        let (all, mut most) = (self.end - self.at, 1 << 10);
        let mut bytes = Vec::new();
        loop {
            let mut file = &*self.file;
            file.seek(SeekFrom::Start(self.at + bytes.len() as u64))?;
            file.take(all.min(most) - bytes.len() as u64).read_to_end(&mut bytes)?;
            match header(&bytes) {
                Err(CUT) if most < all => most <<= 4,
                header => return Ok(header),
            }
        }
    }

    /// Checks the number of values in a page.
    fn check(&mut self, page: &Page) -> std::result::Result<(), String> {
        let count = u64::from(page.num_values());
        let bytes = page.buffer();
        if let Page::DictionaryPage { .. } = page {
            return match count > (bytes.len() / VALUE) as u64 {
                true => Err(format!("declares {count} values in {} bytes", bytes.len())),
                false => Ok(()),
            };
        }
        let Some(left) = self.values.checked_sub(count) else {
            return Err(format!("has {count} values, but its column has only {} more", self.values));
        };
        self.values = left;
        let values = values(page, self.optional).ok_or("is shorter than its levels")?;
        lengths(page.encoding(), values, count).map_err(String::from)
    }
}

fn header(bytes: &[u8]) -> std::result::Result<Header, Broken> {
    let mut thrift = Thrift::new(bytes);
    let mut header = Header::default();
    thrift.fields(|thrift, id, kind| {
        match id {
            1 => header.kind = thrift.count(kind)?,
            2 => header.unpacked = thrift.count(kind)?,
            3 => header.packed = thrift.count(kind)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    header.length = thrift.at() as u64;
    Ok(header)
}

/// Returns the bytes after the levels, which mark values as null or not.
fn values(page: &Page, optional: bool) -> Option<&[u8]> {
    match page {
        Page::DataPage { buf, .. } if !optional => Some(buf),
        Page::DataPage { buf, num_values, def_level_encoding, .. } => match def_level_encoding {
            Encoding::RLE => {
                let (length, rest) = buf.split_first_chunk()?;
                rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)
            }
            // One bit per value; the only other encoding of levels.
            _ => buf.get((*num_values as usize).div_ceil(8)..),
        },
        Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
            buf.get(usize::try_from(def_levels_byte_len.checked_add(*rep_levels_byte_len)?).ok()?..)
        }
        Page::DictionaryPage { buf, .. } => Some(buf),
    }
}

/// Checks that encodings which begin with the lengths of all values have at most as many lengths as the page has
/// values.
fn lengths(encoding: Encoding, values: &[u8], count: u64) -> std::result::Result<(), Broken> {
    let mut thrift = Thrift::new(values);
    match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => deltas(&mut thrift, count),
        // Lengths of the prefixes shared with the previous value, followed by lengths of the suffixes.
        Encoding::DELTA_BYTE_ARRAY => {
            deltas(&mut thrift, count)?;
            deltas(&mut thrift, count)
        }
        _ => Ok(()),
    }
}

/// Skips delta-encoded numbers; Thrift encodes variable-length numbers in the same way.
fn deltas(thrift: &mut Thrift<'_>, most: u64) -> std::result::Result<(), Broken> {
    let (block, parts, count, _first) = (thrift.number()?, thrift.number()?, thrift.number()?, thrift.number()?);
    if count > most {
        return Err("declares lengths of more values than it has");
    }
    let part = block.checked_div(parts).filter(|&part| part > 0).ok_or("has blocks without values")?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        let _least = thrift.number()?;
        for &bits in thrift.take(parts)?.iter() {
            if left > 0 {
                thrift.take(part.checked_mul(bits.into()).ok_or(CUT)? / 8)?;
                left = left.saturating_sub(part);
            }
        }
    }
    Ok(())
}
