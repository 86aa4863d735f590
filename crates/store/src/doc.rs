//! A document as a record holds it: whole as text, or its face as text and the rest packed. What is
//! shown most is read without unpacking anything.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::StoreError;
use crate::face::{face_of, faceless, with_face};
use crate::packing::{pack, unpack};

/// The document of a record.
#[derive(Clone, Default)]
pub struct Doc {
    /// The document; where the rest is packed, its face, or nothing where it has none.
    text: String,
    packed: Option<Bytes>,
}

impl From<String> for Doc {
    fn from(text: String) -> Doc {
        Doc { text, packed: None }
    }
}

impl From<&str> for Doc {
    fn from(text: &str) -> Doc {
        Doc::from(text.to_owned())
    }
}

/// Documents are the same when they say the same, however they are held.
impl PartialEq for Doc {
    fn eq(&self, other: &Doc) -> bool {
        if self.packed == other.packed {
            return self.text == other.text;
        }
        matches!((self.whole(), other.whole()), (Ok(one), Ok(two)) if one == two)
    }
}

impl PartialEq<&str> for Doc {
    fn eq(&self, other: &&str) -> bool {
        self.whole().is_ok_and(|whole| whole == *other)
    }
}

impl fmt::Debug for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whole() {
            Ok(whole) => f.write_str(&whole),
            Err(error) => error.fmt(f),
        }
    }
}

impl Doc {
    /// As a database holds it.
    pub(crate) fn held(text: String, packed: Option<Bytes>) -> Doc {
        Doc { text, packed }
    }

    /// The text and the packed part, as a database holds them.
    pub fn parts(&self) -> (&str, Option<&[u8]>) {
        (&self.text, self.packed.as_deref())
    }

    /// The face, where it has one; see [`with_face`].
    pub fn face(&self) -> Option<&str> {
        match self.packed {
            None => self.text.get(face_of(&self.text)?),
            Some(_) => Some(self.text.as_str()).filter(|face| !face.is_empty()),
        }
    }

    /// The face as bytes, without a copy; nothing where there is none.
    pub fn into_face(self) -> Bytes {
        match (self.packed, face_of(&self.text)) {
            (Some(_), _) => Bytes::from(self.text),
            (None, Some(face)) => Bytes::from(self.text).slice(face),
            (None, None) => Bytes::new(),
        }
    }

    /// JSON that the record can be read from: what it says, and its face where that is in the way.
    ///
    /// # Errors
    /// `Engine` when it is damaged.
    pub fn json(&self) -> Result<Cow<'_, str>, StoreError> {
        match &self.packed {
            None => Ok(Cow::Borrowed(&self.text)),
            Some(packed) => unpack(packed).map(Cow::Owned),
        }
    }

    /// What the record says, without its face.
    ///
    /// # Errors
    /// `Engine` when it is damaged.
    pub fn faceless(&self) -> Result<Cow<'_, str>, StoreError> {
        match &self.packed {
            None => Ok(faceless(&self.text)),
            Some(packed) => unpack(packed).map(Cow::Owned),
        }
    }

    /// All of it, byte for byte as it was written.
    ///
    /// # Errors
    /// `Engine` when it is damaged.
    pub fn whole(&self) -> Result<Cow<'_, str>, StoreError> {
        Ok(match (&self.packed, self.face()) {
            (None, _) => Cow::Borrowed(&self.text),
            (Some(packed), None) => Cow::Owned(unpack(packed)?),
            (Some(packed), Some(face)) => Cow::Owned(with_face(&unpack(packed)?, face)),
        })
    }

    /// A document that comes out of a dump, as it is kept.
    pub(crate) fn for_rest(text: String, is_packed: bool) -> Doc {
        let mut doc = Doc::from(text);
        if is_packed {
            doc.pack(&mut Known::default());
        }
        doc
    }

    /// Whether it would be held otherwise if it were written now.
    pub(crate) fn is_otherwise(&self, packs: bool) -> bool {
        match &self.packed {
            Some(_) => !packs,
            None => packs && pack(&faceless(&self.text)).is_some(),
        }
    }

    /// Packs what is behind the face, where that makes it smaller.
    pub(crate) fn pack(&mut self, known: &mut Known) {
        if self.packed.is_some() {
            return;
        }
        let rest = faceless(&self.text);
        let is_known = |(text, _): &&(String, Bytes)| *text == *rest;
        let packed = match known.0.iter().find(is_known) {
            Some((_, packed)) => packed.clone(),
            None => {
                let Some(packed) = pack(&rest) else { return };
                known.0.push((rest.into_owned(), packed.clone()));
                packed
            }
        };
        self.text = self.face().unwrap_or_default().to_owned();
        self.packed = Some(packed);
    }
}

/// What was packed for the same batch: the journal says what the record says.
#[derive(Default)]
pub(crate) struct Known(Vec<(String, Bytes)>);
