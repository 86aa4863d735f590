//! Packed documents: zstd with a dictionary of what documents usually say, so that a text of a
//! kilobyte becomes a third of it although it is packed alone.
//!
//! The first byte is the format: which dictionary, and how. A format that was ever written stays
//! readable: a new dictionary is a new format beside the ones here.

use std::cell::RefCell;
use std::io;
use std::sync::LazyLock;

use bytes::Bytes;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::{CParameter, compress_bound, get_frame_content_size};

use crate::StoreError;

/// The format that is written: zstd, `packing/1.dict`, the length and a checksum in the frame.
const FORMAT: u8 = 1;
/// Trained on some five thousand made-up documents of every kind, with times and ids spread over
/// ten years, by `zstd --train-cover --maxdict=8192`. No byte of it may ever change.
const DICTIONARY: &[u8] = include_bytes!("packing/1.dict");
/// How hard it tries: higher levels take twice as long for a twentieth.
const LEVEL: i32 = 3;
/// Shorter documents stay as they are (bytes).
const PACKED_FROM_BYTES: usize = 64;
/// Longer documents stay as they are, and nothing is unpacked to more (bytes).
const DOCUMENT_BYTES_MAX: usize = 16 << 20;
/// Room for packing that a thread keeps (bytes).
const KEPT_ROOM_BYTES: usize = 64 << 10;

static PACKS: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static UNPACKS: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

thread_local! {
    /// What packs on this thread, and where it packs into.
    static PACKER: RefCell<Option<(Compressor<'static>, Vec<u8>)>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The packed form of a text, where it is worth it.
pub(crate) fn pack(text: &str) -> Option<Bytes> {
    if !(PACKED_FROM_BYTES..=DOCUMENT_BYTES_MAX).contains(&text.len()) {
        return None;
    }
    PACKER.with_borrow_mut(|packer| {
        // Without memory for it the text stays as it is.
        let (compressor, room) = match packer {
            Some(packer) => packer,
            None => packer.insert((compressor().ok()?, Vec::new())),
        };
        room.reserve(compress_bound(text.len()));
        let length = compressor.compress_to_buffer(text.as_bytes(), room).ok()?;
        let mut packed = Vec::with_capacity(1 + length);
        packed.push(FORMAT);
        packed.extend_from_slice(room.get(..length)?);
        room.clear();
        room.shrink_to(KEPT_ROOM_BYTES);
        (packed.len() < text.len()).then(|| packed.into())
    })
}

fn compressor() -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::with_prepared_dictionary(&PACKS)?;
    // The format says which dictionary.
    compressor.set_parameter(CParameter::DictIdFlag(false))?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    Ok(compressor)
}

/// The text that was packed.
///
/// # Errors
/// `Engine` when it is not what [`pack`] made, or says to be longer than any document.
pub(crate) fn unpack(packed: &[u8]) -> Result<String, StoreError> {
    let damaged = |why: &str| {
        StoreError::Engine(format!("a packed document is damaged and cannot be read: {why}"))
    };
    let frame = match packed.split_first() {
        Some((&FORMAT, frame)) => frame,
        Some((format, _)) => return Err(damaged(&format!("its format is {format}, not {FORMAT}"))),
        None => return Err(damaged("it is empty")),
    };
    let length = get_frame_content_size(frame).ok().flatten();
    let length = length.and_then(|length| usize::try_from(length).ok());
    let length = length.filter(|length| *length <= DOCUMENT_BYTES_MAX);
    let length = length.ok_or_else(|| damaged("it has no length a document can have"))?;
    let text = UNPACKER.with_borrow_mut(|unpacker| {
        let unpacker = match unpacker {
            Some(unpacker) => unpacker,
            None => unpacker.insert(Decompressor::with_prepared_dictionary(&UNPACKS)?),
        };
        unpacker.decompress(frame, length)
    });
    let text = text.map_err(|error| damaged(&error.to_string()))?;
    String::from_utf8(text).map_err(|_| damaged("it is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUSTOMER: &str = r#"{"number":1001,"uuid":"01a201da-5877-70e3-838d-63bbcab23cdf",
        "space":1,"version":1,"given_name":"Ada","family_name":"Winter","metadata":{"a":"b"},
        "status":"active","created_at":1795327416341398,"updated_at":1795327416341398}"#;

    #[test]
    fn what_is_packed_is_unpacked() {
        let packed = pack(CUSTOMER).unwrap();
        assert!(packed.len() < CUSTOMER.len() / 2, "{}", packed.len());
        assert_eq!(unpack(&packed).unwrap(), CUSTOMER);
        let long = "ü".repeat(1 << 20);
        assert_eq!(unpack(&pack(&long).unwrap()).unwrap(), long);
        for plain in ["", "{}", r#"{"number":1,"uuid":"01a201da"}"#, &" ".repeat((16 << 20) + 1)] {
            assert_eq!(pack(plain), None);
        }
    }

    /// The first that was ever written: it must be readable for as long as there are files.
    #[test]
    fn the_first_format_stays_readable() {
        let first = concat!(
            "0128b52ffd24687d0100f87b53616964206f6e63652c20746f206265207265616420666f722065",
            "76377d04fcb9bd14f4b884758d037e1e0fbf4dac3704"
        );
        let said = r#"{"content":"Said once, to be read for ever.","by":7}"#.repeat(2);
        assert_eq!(unpack(&hex::decode(first).unwrap()).unwrap(), said);
    }

    #[test]
    fn damage_is_told_and_nothing_grows() {
        let packed = pack(CUSTOMER).unwrap();
        let refused = |packed: &[u8]| match unpack(packed) {
            Err(StoreError::Engine(why)) => assert!(why.contains("is damaged"), "{why}"),
            other => panic!("{other:?}"),
        };
        refused(&[]);
        refused(b"plain text");
        refused(&packed[..packed.len() - 1]);
        for at in 0..packed.len() {
            let mut damaged = packed.to_vec();
            damaged[at] ^= 0x01;
            refused(&damaged);
        }
        // A frame that says to be longer than any document, and one that is.
        let bomb = zstd::bulk::compress(&vec![b' '; DOCUMENT_BYTES_MAX + 1], LEVEL).unwrap();
        refused(&[&[FORMAT], &bomb[..]].concat());
    }
}
