//! Unpacks compressed bodies piece by piece, in bounded memory.

use std::io::{self, Write};

use axum::http::{HeaderMap, HeaderValue, header};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// How a body is packed (RFC 9110, section 8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Not at all.
    Identity,
    Gzip,
    /// By zlib, or, as some clients read the name, without its head and sum.
    Deflate,
}

impl Encoding {
    /// The encoding that a request names; `None` if it is another one, or several in a row.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut named = headers
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .flat_map(|value| HeaderValue::as_bytes(value).split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
        let encoding = match named.next().map(<[u8]>::to_ascii_lowercase).as_deref() {
            None => Self::Identity,
            Some(b"gzip" | b"x-gzip") => Self::Gzip,
            Some(b"deflate") => Self::Deflate,
            Some(_) => return None,
        };
        named.next().is_none().then_some(encoding)
    }
}

/// Why a body cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unpackable {
    /// It is damaged, cut off, or something else.
    Damaged,
    /// It is longer than allowed.
    TooLong,
}

/// Unpacks one body into a sink.
pub(super) struct Unpacker<W: Write> {
    encoding: Encoding,
    /// The first bytes, until there are enough of them to tell zlib's form.
    begun: Vec<u8>,
    decoder: Decoder<W>,
}

enum Decoder<W: Write> {
    NotBegun(Option<Bounded<W>>),
    Plain(W),
    Gzip(Box<MultiGzDecoder<Bounded<W>>>),
    Zlib(Box<ZlibDecoder<Bounded<W>>>),
    Raw(Box<DeflateDecoder<Bounded<W>>>),
}

impl<W: Write> Unpacker<W> {
    /// Unpacks at most `most` bytes; what is not packed is not bounded.
    pub(super) const fn new(encoding: Encoding, sink: W, most: usize) -> Self {
        let decoder = match encoding {
            Encoding::Identity => Decoder::Plain(sink),
            Encoding::Gzip | Encoding::Deflate => Decoder::NotBegun(Some(Bounded { sink, left: most })),
        };
        Self { encoding, begun: Vec::new(), decoder }
    }

    /// Whether a body is passed on as it comes.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self.decoder, Decoder::Plain(_))
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Unpackable`]. What was unpacked before is in the sink; nothing more may be fed.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<(), Unpackable> {
        let Self { encoding, begun, decoder } = self;
        if let Decoder::NotBegun(sink) = decoder {
            begun.extend_from_slice(piece);
            let [first, second, ..] = **begun else { return Ok(()) };
            let Some(sink) = sink.take() else { return Ok(()) };
            *decoder = match encoding {
                Encoding::Identity => Decoder::Plain(sink.sink),
                Encoding::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(sink))),
                Encoding::Deflate if begins_zlib(first, second) => {
                    Decoder::Zlib(Box::new(ZlibDecoder::new(sink)))
                }
                Encoding::Deflate => Decoder::Raw(Box::new(DeflateDecoder::new(sink))),
            };
            return decoder.write(&std::mem::take(begun)).map_err(unpackable);
        }
        decoder.write(piece).map_err(unpackable)
    }

    /// Ends the body.
    ///
    /// # Errors
    /// [`Unpackable`]: it was cut off, or its sum is wrong.
    pub(super) fn finish(mut self) -> Result<(), Unpackable> {
        match &mut self.decoder {
            Decoder::NotBegun(_) if self.begun.is_empty() => Ok(()),
            Decoder::NotBegun(_) => Err(Unpackable::Damaged),
            Decoder::Plain(_) => Ok(()),
            Decoder::Gzip(decoder) => decoder.try_finish().map_err(unpackable),
            Decoder::Zlib(decoder) => decoder.try_finish().map_err(unpackable),
            Decoder::Raw(decoder) => decoder.try_finish().map_err(unpackable),
        }
    }
}

impl<W: Write> Decoder<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::NotBegun(_) => Ok(()),
            Self::Plain(sink) => sink.write_all(piece),
            Self::Gzip(decoder) => decoder.write_all(piece),
            Self::Zlib(decoder) => decoder.write_all(piece),
            Self::Raw(decoder) => decoder.write_all(piece),
        }
    }
}

/// Whether a stream is zlib's (RFC 1950, section 2.2). What begins like this otherwise would be a block that
/// is not packed, with padding that no encoder writes.
const fn begins_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

fn unpackable(error: io::Error) -> Unpackable {
    if error.kind() == io::ErrorKind::FileTooLarge { Unpackable::TooLong } else { Unpackable::Damaged }
}

/// A sink that takes so many bytes and no more.
struct Bounded<W> {
    sink: W,
    left: usize,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() > self.left {
            self.left = 0;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.left -= piece.len();
        self.sink.write_all(piece)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
