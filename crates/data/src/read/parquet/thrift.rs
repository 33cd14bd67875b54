//! A reader of Thrift's compact protocol, to check sizes in a file before the library trusts them.

/// The reason why a piece of Thrift is invalid.
pub(super) type Broken = &'static str;

/// The data is shorter than its size claims.
pub(super) const CUT: Broken = "is truncated";

/// The numbers of the types that are checked.
pub(super) const I32: u8 = 5;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// The maximum nesting depth; Parquet's values have a depth of about ten.
const DEPTH: usize = 32;

/// Bytes and the current position.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the number of bytes read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns the next `count` bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], Broken> {
        let rest = &self.bytes[self.at..];
        let count = usize::try_from(count).ok().filter(|&count| count <= rest.len()).ok_or(CUT)?;
        self.at += count;
        Ok(&rest[..count])
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        Ok(self.take(1)?[0])
    }

    /// Returns a variable-length number.
    pub(super) fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("contains an unterminated number")
    }

    fn signed(&mut self) -> Result<i64, Broken> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// Returns the value of a field that must be a non-negative i32.
    pub(super) fn count(&mut self, kind: u8) -> Result<u64, Broken> {
        if kind != I32 {
            return Err("contains another type where a number is expected");
        }
        let number = self.signed()?;
        i32::try_from(number)
            .ok()
            .and_then(|number| u64::try_from(number).ok())
            .ok_or("contains a number that is out of range")
    }

    /// Visits the fields of a struct. `visit` receives the number and type of each field, and returns whether it has
    /// read the value; other values are skipped.
    pub(super) fn fields(
        &mut self,
        visit: impl FnMut(&mut Self, i16, u8) -> Result<bool, Broken>,
    ) -> Result<(), Broken> {
        self.fields_within(DEPTH, visit)
    }

    fn fields_within(
        &mut self,
        depth: usize,
        mut visit: impl FnMut(&mut Self, i16, u8) -> Result<bool, Broken>,
    ) -> Result<(), Broken> {
        let mut id = 0i16;
        loop {
            let head = self.byte()?;
            let (step, kind) = (i16::from(head >> 4), head & 0xf);
            if kind == 0 {
                return Ok(());
            }
            let next = if step == 0 { i16::try_from(self.signed()?).ok() } else { id.checked_add(step) };
            id = next.ok_or("contains a field number that is out of range")?;
            if !visit(self, id, kind)? {
                self.pass(kind, depth)?;
            }
        }
    }

    /// Returns the type and number of the elements of a list, which are read next.
    pub(super) fn list(&mut self) -> Result<(u8, u64), Broken> {
        let head = self.byte()?;
        let (count, kind) = (head >> 4, head & 0xf);
        Ok((kind, if count == 15 { self.number()? } else { count.into() }))
    }

    /// Skips a value.
    fn pass(&mut self, kind: u8, depth: usize) -> Result<(), Broken> {
        let depth = depth.checked_sub(1).ok_or("is nested too deeply")?;
        match kind {
            1 | 2 => Ok(()),
            3 => self.take(1).map(drop),
            4..=6 => self.number().map(drop),
            7 => self.take(8).map(drop),
            8 => {
                let length = self.number()?;
                self.take(length).map(drop)
            }
            9 | 10 => {
                let (kind, count) = self.list()?;
                self.pass_all(&[kind], count, depth)
            }
            11 => match self.number()? {
                0 => Ok(()),
                count => {
                    let kinds = self.byte()?;
                    self.pass_all(&[kinds >> 4, kinds & 0xf], count, depth)
                }
            },
            12 => self.fields_within(depth, |_, _, _| Ok(false)),
            13 => self.take(16).map(drop),
            _ => Err("contains a value of an unknown type"),
        }
    }

    /// Skips `count` values of each of these types. Booleans, for which readers disagree on whether each takes a byte,
    /// do not occur in lists of a file's footer or page headers.
    fn pass_all(&mut self, kinds: &[u8], count: u64, depth: usize) -> Result<(), Broken> {
        if count > 0 && kinds.iter().any(|kind| matches!(kind, 1 | 2)) {
            return Err("contains a list of booleans");
        }
        for _ in 0..count {
            kinds.iter().try_for_each(|&kind| self.pass(kind, depth))?;
        }
        Ok(())
    }
}
