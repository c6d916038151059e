//! From a file to its text: plain or gzip, whole where it is small, in pieces where it is not.

use std::io::{self, BufRead, Cursor, Read};

use flate2::bufread::GzDecoder;
use libdeflater::Decompressor;

use super::Limits;
use super::documents::Scanner;

/// Files up to this size are read whole.
const SMALL_PACKED: usize = 4 << 20;
/// And unpacked whole up to this size, by libdeflate; zlib-rs takes about 1.3 times as long.
const SMALL_UNPACKED: usize = 12 << 20;
/// How much of a larger one is held at a time.
const PIECE: usize = 1 << 20;
const MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Unpacks files, one after the other.
pub(super) struct Unpacker {
    /// What was read of a file, as far as it is used; what lies behind is of files before.
    packed: Vec<u8>,
    used: usize,
    text: Vec<u8>,
    inflate: Decompressor,
    magic: memchr::memmem::Finder<'static>,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self {
            packed: Vec::new(),
            used: 0,
            text: Vec::new(),
            inflate: Decompressor::new(),
            magic: memchr::memmem::Finder::new(&MAGIC),
        }
    }
}

impl Unpacker {
    /// Feeds the text of `file` to `scanner`; else says why it cannot be read.
    pub(super) fn unpack(
        &mut self,
        mut file: impl Read,
        limits: Limits,
        scanner: &mut Scanner<'_>,
    ) -> Result<(), String> {
        let whole = self.fill(&mut file).map_err(|error| format!("cannot be read: {error}"))?;
        let packed = self.packed.get(..self.used).unwrap_or_default();
        if !packed.starts_with(&MAGIC) {
            if whole {
                return scanner.whole(packed);
            }
            let head = self.take_head();
            return self.pieces(Cursor::new(head).chain(file), u64::MAX, scanner);
        }
        if whole && let Some(size) = self.inflate_whole(limits) {
            return scanner.whole(self.text.get(..size).unwrap_or_default());
        }
        let head = self.take_head();
        let packed = io::BufReader::with_capacity(PIECE / 4, Cursor::new(head).chain(file));
        self.pieces(Members::new(packed), limits.unpacked, scanner)
    }

    /// Reads the beginning of a file, and says whether that was all of it.
    fn fill(&mut self, file: &mut impl Read) -> io::Result<bool> {
        self.used = 0;
        loop {
            if self.used == self.packed.len() {
                if self.used >= SMALL_PACKED {
                    return Ok(false);
                }
                self.packed.resize((self.used * 2).clamp(PIECE / 8, SMALL_PACKED), 0);
            }
            match file.read(self.packed.get_mut(self.used..).unwrap_or_default()) {
                Ok(0) => return Ok(true),
                Ok(read) => self.used += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take_head(&mut self) -> Vec<u8> {
        let mut head = std::mem::take(&mut self.packed);
        head.truncate(self.used);
        head
    }

    /// Unpacks a file of one member that is as large as it says; anything else is left to the slower way, which
    /// can tell what is wrong with it.
    fn inflate_whole(&mut self, limits: Limits) -> Option<usize> {
        let packed = self.packed.get(..self.used)?;
        let rest = packed.get(MAGIC.len()..)?;
        let size = u32::from_le_bytes(*packed.last_chunk()?);
        let size = usize::try_from(size).ok().filter(|size| *size <= SMALL_UNPACKED)?;
        // Behind a member's magic stand flags, of which three are never set (RFC 1952, section 2.3.1.2).
        let members = |at: usize| rest.get(at + MAGIC.len()).is_none_or(|flags| flags & 0xe0 == 0);
        if self.magic.find_iter(rest).any(members) || u64::try_from(size).ok()? > limits.unpacked {
            return None;
        }
        if self.text.len() < size {
            self.text.resize(size, 0);
        }
        let unpacked = self.inflate.gzip_decompress(packed, self.text.get_mut(..size)?).ok()?;
        (unpacked == size).then_some(size)
    }

    /// Feeds a text piece by piece, keeping only the record that is not complete.
    fn pieces(&mut self, mut text: impl Read, limit: u64, scanner: &mut Scanner<'_>) -> Result<(), String> {
        scanner.exactly();
        let mut total = 0_u64;
        let mut held = std::mem::take(&mut self.text);
        held.clear();
        loop {
            let room = u64::try_from(PIECE).unwrap_or(u64::MAX);
            let read =
                text.by_ref().take(room).read_to_end(&mut held).map_err(|error| format!("does not unpack: {error}"))?;
            total += u64::try_from(read).unwrap_or(u64::MAX);
            if total > limit {
                return Err(format!("unpacks to more than {limit} bytes"));
            }
            let done = scanner.feed(&held, read == 0)?;
            held.drain(..done.min(held.len()));
            if read == 0 {
                self.text = Vec::new();
                return Ok(());
            }
        }
    }
}

/// The members of a gzip file, one after the other (RFC 1952, section 2.2). Zeros behind the last are padding, as
/// tapes and block devices leave it; anything else is not.
pub(crate) struct Members<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    pub(crate) fn new(packed: R) -> Self {
        Self { member: Some(GzDecoder::new(packed)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let packed = member.get_mut();
            while packed.fill_buf()?.first() == Some(&0) {
                packed.consume(1);
            }
            let more = !packed.fill_buf()?.is_empty();
            self.member = self.member.take().filter(|_| more).map(|member| GzDecoder::new(member.into_inner()));
        }
        Ok(0)
    }
}
