//! A text of any encoding as UTF-8, while it is read.

use std::io::{Read, Result};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

/// Bytes that are read and decoded at a time.
const PIECE_BYTES: usize = 16 * 1024;
/// What stands where the encoding has no character: in no text of UTF-8, so that the row is refused
/// instead of being stored with a character that nobody wrote.
const NO_TEXT: u8 = 0xFF;

/// Reads UTF-8. What is UTF-8 already goes through as it is.
pub(super) struct Utf8<R> {
    source: R,
    decoder: Option<Decoder>,
    input: Vec<u8>,
    /// What of `input` is to be decoded still.
    unread: std::ops::Range<usize>,
    is_at_end: bool,
    decoded: Vec<u8>,
    given: usize,
}

impl<R: Read> Utf8<R> {
    /// Reads a text from behind its byte order mark.
    pub(super) fn new(source: R, encoding: &'static Encoding) -> Utf8<R> {
        let decoder = (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling());
        Utf8 {
            source,
            decoder,
            input: vec![0; PIECE_BYTES],
            unread: 0..0,
            is_at_end: false,
            decoded: Vec::with_capacity(4 * PIECE_BYTES),
            given: 0,
        }
    }

    /// Decodes the next piece; none is left when it decodes nothing and the end is reached.
    fn decode(&mut self) -> Result<()> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        if self.unread.is_empty() && !self.is_at_end {
            let length = self.source.read(&mut self.input)?;
            self.unread = 0..length;
            self.is_at_end = length == 0;
        }
        self.decoded.resize(4 * PIECE_BYTES, 0);
        let input = &self.input[self.unread.clone()];
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(input, &mut self.decoded, self.is_at_end);
        self.decoded.truncate(written);
        self.given = 0;
        self.unread.start += read;
        match result {
            DecoderResult::Malformed(..) => self.decoded.push(NO_TEXT),
            DecoderResult::InputEmpty if self.is_at_end => self.decoder = None,
            DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        while self.given == self.decoded.len() && self.decoder.is_some() {
            self.decode()?;
        }
        let rest = &self.decoded[self.given..];
        if rest.is_empty() {
            // UTF-8, or the end of what was another encoding.
            return if self.is_at_end { Ok(0) } else { self.source.read(into) };
        }
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], encoding: &'static Encoding) -> Vec<u8> {
        let mut text = Vec::new();
        Utf8::new(bytes, encoding).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn every_encoding_is_read_as_utf_8_and_what_it_has_not_is_no_text() {
        let long = "Zürich;Żabka;".repeat(10_000);
        assert_eq!(read(long.as_bytes(), UTF_8), long.as_bytes());
        let long = "Zürich;Köln;€;".repeat(10_000);
        let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode(&long);
        assert_eq!(read(&bytes, encoding_rs::WINDOWS_1252), long.as_bytes());
        let utf_16: Vec<u8> = long.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&utf_16, encoding_rs::UTF_16LE), long.as_bytes());
        // Half a character, in the middle and at the end.
        let mut broken = b"a\x81\x20b,".to_vec();
        broken.push(0x81);
        let text = read(&broken, encoding_rs::SHIFT_JIS);
        assert!(std::str::from_utf8(&text).is_err());
        assert_eq!(text.iter().filter(|byte| **byte == NO_TEXT).count(), 2);
    }
}
