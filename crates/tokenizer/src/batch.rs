//! Batches of token ids.

/// The length to which the rows of a batch are padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Padding {
    /// The longest row of the batch.
    Longest,
    /// A number of tokens; longer rows are left unchanged.
    MaxLength(usize),
}

/// A side of a row: where it is padded or truncated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// Its start.
    Left,
    /// Its end.
    #[default]
    Right,
}

impl Side {
    pub(crate) fn left_if(left: bool) -> Self {
        if left { Self::Left } else { Self::Right }
    }
}

/// Rows of tokens end to end: row `i` is `cu_seqlens[i]..cu_seqlens[i + 1]` of both other fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The token ids of all rows.
    pub input_ids: Vec<u32>,
    /// 1 for a token, 0 for padding.
    pub attention_mask: Vec<u8>,
    /// The start of each row, and the end of the last.
    pub cu_seqlens: Vec<usize>,
}

impl Batch {
    /// Creates a batch without padding.
    pub fn packed<R: AsRef<[u32]>>(rows: &[R]) -> Self {
        Self::build(rows, 0, 0, Side::Right)
    }

    /// Creates a batch whose rows are padded with `pad_id` at their end.
    pub fn padded<R: AsRef<[u32]>>(rows: &[R], pad_id: u32, padding: Padding) -> Self {
        Self::padded_at(rows, pad_id, padding, Side::Right)
    }

    /// Creates a batch whose rows are padded with `pad_id` at a side, see
    /// [`Tokenizer::padding_side`](crate::Tokenizer::padding_side).
    pub fn padded_at<R: AsRef<[u32]>>(rows: &[R], pad_id: u32, padding: Padding, side: Side) -> Self {
        let length = match padding {
            Padding::Longest => rows.iter().map(|row| row.as_ref().len()).max().unwrap_or(0),
            Padding::MaxLength(length) => length,
        };
        Self::build(rows, pad_id, length, side)
    }

    fn build<R: AsRef<[u32]>>(rows: &[R], pad_id: u32, least: usize, side: Side) -> Self {
        let mut batch = Self { cu_seqlens: vec![0], ..Self::default() };
        for row in rows.iter().map(AsRef::as_ref) {
            let padding = least.saturating_sub(row.len());
            if side == Side::Left {
                batch.pad(padding, pad_id);
            }
            batch.input_ids.extend_from_slice(row);
            batch.attention_mask.resize(batch.input_ids.len(), 1);
            if side == Side::Right {
                batch.pad(padding, pad_id);
            }
            batch.cu_seqlens.push(batch.input_ids.len());
        }
        batch
    }

    fn pad(&mut self, tokens: usize, pad_id: u32) {
        let filled = self.input_ids.len() + tokens;
        self.input_ids.resize(filled, pad_id);
        self.attention_mask.resize(filled, 0);
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.cu_seqlens.len().saturating_sub(1)
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns token ids and mask of a row, if it exists.
    pub fn row(&self, index: usize) -> Option<(&[u32], &[u8])> {
        let (start, end) = (*self.cu_seqlens.get(index)?, *self.cu_seqlens.get(index + 1)?);
        Some((&self.input_ids[start..end], &self.attention_mask[start..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_rows_have_no_padding() {
        let batch = Batch::packed(&[vec![1, 2, 3], vec![4]]);
        assert_eq!(
            (batch.input_ids, batch.attention_mask, batch.cu_seqlens),
            (vec![1, 2, 3, 4], vec![1; 4], vec![0, 3, 4])
        );
    }

    #[test]
    fn padding_is_masked() {
        let batch = Batch::padded(&[vec![1, 2, 3], vec![4]], 9, Padding::Longest);
        assert_eq!(batch.row(1), Some((&[4, 9, 9][..], &[1, 0, 0][..])));
        let batch = Batch::padded_at(&[vec![1, 2, 3], vec![4]], 9, Padding::Longest, Side::Left);
        assert_eq!(batch.row(1), Some((&[9, 9, 4][..], &[0, 0, 1][..])));
        let batch = Batch::padded(&[vec![1, 2, 3], vec![4]], 9, Padding::MaxLength(2));
        assert_eq!(
            (batch.len(), batch.row(0).map(|(ids, _)| ids.len()), batch.cu_seqlens),
            (2, Some(3), vec![0, 3, 5])
        );
    }
}
