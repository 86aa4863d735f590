//! Faces: what an API answers about a customer, kept rendered in memory under the document it was
//! made from. A face is derived and never wrong: every read reads the record in the store first,
//! and a face answers only for that very document and the same things beside it, known by revision,
//! length and a keyed hash. So nothing has to be told to other nodes, and no change, right or
//! restored backup can leave a stale one behind; what is forgotten early is forgotten so that
//! nobody's data stays in memory longer than it must.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, Hash};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use foldhash::quality::RandomState;
use patron_store::Row;

/// Bytes of all faces together, unless the settings say otherwise.
pub const BYTES_MAX: usize = 128 * 1024 * 1024;
/// Parts that are locked each for itself; a customer's number says which is its.
const SHARDS: usize = 16;
/// Bytes that a face takes beside its answer, and a customer beside its faces; rather too many.
const OVERHEAD_BYTES: usize = 256;

/// The faces of one process.
#[derive(Debug)]
pub struct Faces {
    shards: [Mutex<Shard>; SHARDS],
    /// Bytes of one shard.
    bytes_max: AtomicUsize,
    /// Keyed by chance and never shown, so that nobody can choose documents that look alike to it:
    /// whoever could would only deceive readers of a customer that he may write himself.
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Shard {
    customers: HashMap<i64, Sitter>,
    /// Numbers in the order in which they give way, each once.
    order: VecDeque<i64>,
    bytes: usize,
}

/// A customer with faces.
#[derive(Debug, Default)]
struct Sitter {
    space: i64,
    faces: Vec<Face>,
    /// Asked for since its turn to give way last came.
    was_asked_for: bool,
}

#[derive(Debug)]
struct Face {
    api: &'static str,
    revision: i64,
    document_bytes: usize,
    /// Of the document and of what stands beside it.
    hash: u64,
    answer: Bytes,
}

impl Face {
    fn bytes(&self) -> usize {
        self.answer.len() + OVERHEAD_BYTES
    }
}

impl Default for Faces {
    fn default() -> Faces {
        Faces {
            shards: std::array::from_fn(|_| Mutex::default()),
            bytes_max: AtomicUsize::new(BYTES_MAX / SHARDS),
            hasher: RandomState::default(),
        }
    }
}

impl Faces {
    /// How many bytes all faces may take together; 0: none is kept.
    pub fn hold_at_most(&self, bytes: usize) {
        self.bytes_max.store(bytes / SHARDS, Ordering::Relaxed);
        for shard in &self.shards {
            locked(shard).give_way(bytes / SHARDS);
        }
    }

    /// Bytes they take, as counted.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| locked(shard).bytes).sum()
    }

    /// What an API answers about a customer of whom this document was read just now.
    pub(crate) fn find(&self, api: &'static str, row: &Row, beside: impl Hash) -> Option<Bytes> {
        let mut shard = self.shard(row.number);
        let sitter = shard.customers.get_mut(&row.number)?;
        let face = sitter.faces.iter().find(|face| face.api == api)?;
        let is_alike = (face.revision, face.document_bytes) == (row.revision, bytes_of(row));
        if !is_alike || face.hash != self.hash(row, beside) {
            return None;
        }
        sitter.was_asked_for = true;
        Some(face.answer.clone())
    }

    /// Keeps an answer of an API, in place of the one it had.
    pub(crate) fn keep(&self, api: &'static str, row: &Row, beside: impl Hash, answer: &Bytes) {
        let (space, number) = (row.tenant, row.number);
        let face = Face {
            api,
            revision: row.revision,
            document_bytes: bytes_of(row),
            hash: self.hash(row, beside),
            answer: answer.clone(),
        };
        let most = self.bytes_max.load(Ordering::Relaxed);
        // One that takes the place of many is not worth it.
        if face.bytes() > most / SHARDS {
            return;
        }
        let mut shard = self.shard(number);
        shard.drop_faces(number, |known| known.api == api);
        shard.bytes += face.bytes();
        if !shard.customers.contains_key(&number) {
            shard.order.push_back(number);
            shard.bytes += OVERHEAD_BYTES;
        }
        let sitter = shard.customers.entry(number).or_default();
        sitter.space = space;
        sitter.faces.push(face);
        shard.give_way(most);
    }

    /// Forgets a customer that changed.
    pub(crate) fn forget(&self, number: i64) {
        self.shard(number).drop_faces(number, |_| true);
    }

    /// Forgets all customers of a space that is no more.
    pub(crate) fn forget_space(&self, space: i64) {
        for shard in &self.shards {
            let mut shard = locked(shard);
            let of_it = shard.customers.iter().filter(|(_, sitter)| sitter.space == space);
            let numbers: Vec<i64> = of_it.map(|(number, _)| *number).collect();
            for number in numbers {
                shard.drop_faces(number, |_| true);
            }
        }
    }

    fn hash(&self, row: &Row, beside: impl Hash) -> u64 {
        self.hasher.hash_one((row.doc.parts(), beside))
    }

    fn shard(&self, number: i64) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(number).unwrap_or_default() % SHARDS;
        locked(&self.shards[at])
    }
}

/// How long a document is, as it is held.
fn bytes_of(row: &Row) -> usize {
    let (text, packed) = row.doc.parts();
    text.len() + packed.map_or(0, <[u8]>::len)
}

/// What a thread that panicked left is whole all the same: nothing is called while it is locked.
fn locked(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// Drops faces of a customer. Its place in the order stays until its turn comes.
    fn drop_faces(&mut self, number: i64, is_dropped: impl Fn(&Face) -> bool) {
        let Some(sitter) = self.customers.get_mut(&number) else { return };
        let bytes = &mut self.bytes;
        sitter.faces.retain(|face| {
            let stays = !is_dropped(face);
            if !stays {
                *bytes -= face.bytes();
            }
            stays
        });
    }

    /// Lets the oldest give way until the rest fits; who was asked for meanwhile has another turn.
    fn give_way(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max {
            let Some(number) = self.order.pop_front() else { return };
            let Some(sitter) = self.customers.get_mut(&number) else { continue };
            if std::mem::take(&mut sitter.was_asked_for) && !sitter.faces.is_empty() {
                self.order.push_back(number);
                continue;
            }
            self.drop_faces(number, |_| true);
            self.customers.remove(&number);
            self.bytes -= OVERHEAD_BYTES;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: i64, doc: &str) -> Row {
        Row { tenant: number % 3, number, uuid: uuid::Uuid::nil(), revision: 1, doc: doc.into() }
    }

    fn kept(faces: &Faces, number: i64, doc: &str) -> bool {
        faces.find("a", &row(number, doc), "").is_some()
    }

    #[test]
    fn a_face_answers_for_its_document_its_api_and_what_is_beside_it_only() {
        let faces = Faces::default();
        faces.keep("a", &row(1, "one"), "x", &Bytes::from("1"));
        assert_eq!(faces.find("a", &row(1, "one"), "x"), Some(Bytes::from("1")));
        assert_eq!(faces.find("a", &row(1, "two"), "x"), None);
        assert_eq!(faces.find("a", &row(1, "one"), "y"), None);
        assert_eq!(faces.find("b", &row(1, "one"), "x"), None);
        assert_eq!(faces.find("a", &row(17, "one"), "x"), None);
        faces.keep("a", &row(1, "two"), "x", &Bytes::from("2"));
        assert_eq!(faces.find("a", &row(1, "one"), "x"), None, "one face for each API");
        faces.forget(1);
        assert_eq!(faces.find("a", &row(1, "two"), "x"), None);
        faces.keep("a", &row(1, "two"), "x", &Bytes::from("2"));
        faces.forget_space(1);
        assert_eq!(faces.find("a", &row(1, "two"), "x"), None);
    }

    #[test]
    fn they_take_no_more_than_they_may_and_what_is_asked_for_stays() {
        let faces = Faces::default();
        let most = 1024 * 1024;
        faces.hold_at_most(most);
        let doc = "d".repeat(1_000);
        faces.keep("a", &row(7, &doc), "", &Bytes::from("7"));
        for number in 8..5_000 {
            faces.keep("a", &row(number, &doc), "", &Bytes::from(doc.clone()));
            faces.keep("b", &row(number, &doc), "", &Bytes::from(doc.clone()));
            assert!(kept(&faces, 7, &doc), "{number}");
            // Those that changed leave nothing that adds up.
            faces.forget(number / 2 + 100);
            assert!(faces.bytes() <= most, "{}", faces.bytes());
        }
        assert!(faces.bytes() > most / 2, "it is used");
        assert!(!kept(&faces, 8, &doc));
        let counted: usize = faces.shards.iter().map(|shard| locked(shard).order.len()).sum();
        let known: usize = faces.shards.iter().map(|shard| locked(shard).customers.len()).sum();
        assert_eq!(counted, known, "each has its turn once");
        let large = "l".repeat(most / SHARDS);
        faces.keep("a", &row(9_000, &large), "", &Bytes::from(large.clone()));
        assert!(!kept(&faces, 9_000, &large));
        faces.hold_at_most(0);
        assert_eq!(faces.bytes(), 0);
        faces.keep("a", &row(7, &doc), "", &Bytes::from("7"));
        assert!(!kept(&faces, 7, &doc));
    }
}
