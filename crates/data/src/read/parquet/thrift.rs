//! Thrift's compact protocol, as far as it takes to see what a file promises before anyone believes it.

/// What is wrong with a piece of Thrift.
pub(super) type Broken = &'static str;

/// There is less of it than it says.
pub(super) const CUT: Broken = "is cut short";

/// The types that are looked at, by their numbers.
pub(super) const I32: u8 = 5;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// How deep values may lie within each other; those of Parquet lie some ten deep.
const DEPTH: usize = 32;

/// Bytes, and how far they have been read.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next so many bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], Broken> {
        let rest = &self.bytes[self.at..];
        let count = usize::try_from(count).ok().filter(|&count| count <= rest.len()).ok_or(CUT)?;
        self.at += count;
        Ok(&rest[..count])
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        Ok(self.take(1)?[0])
    }

    /// A number of as many bytes as it needs.
    pub(super) fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("holds a number without end")
    }

    fn signed(&mut self) -> Result<i64, Broken> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// The value of a field that must be an i32, and not negative.
    pub(super) fn count(&mut self, kind: u8) -> Result<u64, Broken> {
        if kind != I32 {
            return Err("holds something else than a number");
        }
        let number = self.signed()?;
        i32::try_from(number).ok().and_then(|number| u64::try_from(number).ok()).ok_or("holds a number out of range")
    }

    /// The fields of a struct. `visit` is told the number and the type of each, and says whether it has read its value;
    /// what it has not is passed over.
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
            id = next.ok_or("holds a field out of range")?;
            if !visit(self, id, kind)? {
                self.pass(kind, depth)?;
            }
        }
    }

    /// Type and number of the elements of a list, which are still to be read.
    pub(super) fn list(&mut self) -> Result<(u8, u64), Broken> {
        let head = self.byte()?;
        let (count, kind) = (head >> 4, head & 0xf);
        Ok((kind, if count == 15 { self.number()? } else { count.into() }))
    }

    /// Passes over a value.
    fn pass(&mut self, kind: u8, depth: usize) -> Result<(), Broken> {
        let depth = depth.checked_sub(1).ok_or("is nested too deep")?;
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
            _ => Err("holds a value of no type"),
        }
    }

    /// Passes over so many values of each of these types. Booleans, of which readers disagree whether they take a byte
    /// each, are in no list of a file's footer or page header.
    fn pass_all(&mut self, kinds: &[u8], count: u64, depth: usize) -> Result<(), Broken> {
        if count > 0 && kinds.iter().any(|kind| matches!(kind, 1 | 2)) {
            return Err("holds a list of booleans");
        }
        for _ in 0..count {
            kinds.iter().try_for_each(|&kind| self.pass(kind, depth))?;
        }
        Ok(())
    }
}
