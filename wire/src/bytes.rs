//! Reading and writing fields in order, with no index that could be out of bounds.

use crate::{DecodeError, VERSION};

/// Takes fields off the front of a frame.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(frame: &'a [u8]) -> Self {
        Self { rest: frame }
    }

    /// The next `N` bytes. A frame is longer than its fields, so an end here is a layout error.
    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(DecodeError::Field("length"))?;
        self.rest = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.take().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.take().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.take().map(u64::from_le_bytes)
    }

    /// What each frame begins with: its kind's magic, and the version of this layout.
    pub(crate) fn begin(&mut self, magic: [u8; 4]) -> Result<(), DecodeError> {
        if self.take()? != magic {
            return Err(DecodeError::Magic);
        }
        let version = self.u16()?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        Ok(())
    }

    /// The next `N` bytes, which must be zero.
    pub(crate) fn zeros<const N: usize>(&mut self) -> Result<(), DecodeError> {
        all_zero(&self.take::<N>()?)
    }

    /// The next `len` bytes.
    pub(crate) fn slice(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self
            .rest
            .split_at_checked(len)
            .ok_or(DecodeError::Field("length"))?;
        self.rest = tail;
        Ok(head)
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything up to the end of the frame, which must be zero.
    pub(crate) fn end(self) -> Result<(), DecodeError> {
        all_zero(self.rest)
    }
}

/// Refuses bytes that a later version may give a meaning to.
pub(crate) fn all_zero(bytes: &[u8]) -> Result<(), DecodeError> {
    // All of them, without a way out at each: many at a time.
    if bytes.iter().fold(0, |any, byte| any | byte) == 0 {
        Ok(())
    } else {
        Err(DecodeError::Padding)
    }
}

/// Puts fields one after the other into a zeroed frame.
pub(crate) struct Writer<'a> {
    rest: &'a mut [u8],
}

impl<'a> Writer<'a> {
    pub(crate) fn new(frame: &'a mut [u8]) -> Self {
        Self { rest: frame }
    }

    /// Writes `N` bytes. Layouts are constant and the golden tests hold them, so there is always
    /// room; without it nothing is written, and the frame's decoder refuses the result.
    pub(crate) fn put<const N: usize>(&mut self, field: [u8; N]) {
        if let Some((head, tail)) = core::mem::take(&mut self.rest).split_first_chunk_mut::<N>() {
            *head = field;
            self.rest = tail;
        }
    }

    /// Writes bytes; as with [`Self::put`] there is always room.
    pub(crate) fn put_all(&mut self, field: &[u8]) {
        for byte in field {
            self.put([*byte]);
        }
    }

    /// How many bytes may still be written.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }
}
