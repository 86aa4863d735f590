//! The record room: every noun is looked for, read and listed in the same way.

use patron_model::{Failure, Noun};
use patron_store::{Doc, Row};
use uuid::Uuid;

use crate::{
    App, Cx,
    documents::Document,
    failure,
    search::{self, Field, Filter, Query},
};

/// Records held at a time by who looks at all of a kind.
const CHUNK: u32 = 500;
/// Records read from their documents before others get their turn on the thread.
const ROWS_AT_A_STRETCH: usize = 10;
/// Records that took each other over, followed from one to the next.
const SUCCESSORS_MAX: usize = 64;

/// How a record is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Id {
    /// By number.
    Number(i64),
    /// By UUID.
    Uuid(Uuid),
}

impl Id {
    /// Reads either form from a path.
    ///
    /// # Errors
    /// `NotFound`: what cannot be an id names nothing.
    pub fn parse(text: &str, noun: Noun) -> Result<Id, Failure> {
        let number = || text.parse().ok().filter(|n: &i64| *n > 0).map(Id::Number);
        number().or_else(|| text.parse().ok().map(Id::Uuid)).ok_or(Failure::NotFound { noun })
    }
}

/// Which record is looked for, and what of it counts.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    id: Id,
    spaces: Option<&'a [i64]>,
    deleted: bool,
    follow: bool,
}

impl<'a> Look<'a> {
    /// A living record where the request works; of the deployment's nouns, there.
    pub fn at(id: Id) -> Look<'a> {
        Look { id, spaces: None, deleted: false, follow: false }
    }

    /// The same in whichever of these spaces it is.
    #[must_use]
    pub fn within(self, spaces: &'a [i64]) -> Look<'a> {
        Look { spaces: Some(spaces), ..self }
    }

    /// Deleted ones count too.
    #[must_use]
    pub fn or_deleted(self) -> Look<'a> {
        Look { deleted: true, ..self }
    }

    /// One that was taken over answers as the one that took it over.
    #[must_use]
    pub fn following(self) -> Look<'a> {
        Look { follow: true, ..self }
    }
}

/// A record as it was read: the noun and the revision a change must build on.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// The noun.
    pub record: T,
    /// Compare-and-set counter of the store.
    pub revision: i64,
}

impl<T> std::ops::Deref for Loaded<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.record
    }
}

/// One page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// The records.
    pub items: Vec<Loaded<T>>,
    /// Whether others follow.
    pub more: bool,
}

/// Reads the noun from a row.
///
/// # Errors
/// `Internal` when the stored document is not one of this kind.
pub fn decode<T: Document>(row: &Row) -> Result<Loaded<T>, Failure> {
    read(&row.doc, row.number, row.revision)
}

fn read<T: Document>(doc: &Doc, number: i64, revision: i64) -> Result<Loaded<T>, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::internal(format!("{} {number} cannot be read: {error}", T::KIND.name))
    };
    let json = doc.json().map_err(|error| unreadable(&error))?;
    let record = T::from_document(&json).map_err(|error| unreadable(&error))?;
    Ok(Loaded { record, revision })
}

/// Shows every record of a kind there is, of all spaces, by number. Few are held at a time.
///
/// # Errors
/// `Internal` when a stored document is not one of this kind; whatever the store says.
pub async fn each<T: Document>(
    app: &App,
    mut see: impl FnMut(Loaded<T>) + Send,
) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let records = app.store.records_after(T::KIND, after, CHUNK).await.map_err(failure)?;
        let Some(last) = records.last() else { return Ok(()) };
        after = last.number;
        for record in &records {
            see(read(&record.doc, record.number, record.revision)?);
        }
    }
}

/// Notes that somebody's data was read.
pub(crate) fn saw<T: Document>(cx: &Cx, row: &Row) {
    if T::IS_PERSON {
        cx.saw(row.tenant, row.number);
    }
}

/// The row of a record, whatever became of it.
pub(crate) async fn row<T: Document>(cx: &Cx, look: Look<'_>) -> Result<Row, Failure> {
    let store = &cx.app.store;
    let home = T::home(cx.space);
    let found = match (look.id, look.spaces) {
        (Id::Number(number), None) => store.get(T::KIND, home, number).await,
        (Id::Uuid(uuid), None) => store.get_by_uuid(T::KIND, home, uuid).await,
        (Id::Number(number), Some(spaces)) => {
            let found = store.get_anywhere(T::KIND, number).await;
            found.map(|row| row.filter(|row| spaces.contains(&row.tenant)))
        }
        (Id::Uuid(uuid), Some(spaces)) => {
            let tenants = spaces.to_vec();
            let predicate = Filter::equal(Field::Uuid, uuid.to_string());
            let query = Query { tenants, predicate, limit: 1, ..Query::of(home) };
            // On the heap, as few are looked for so.
            Box::pin(store.find(T::KIND, &query)).await.map(|mut found| found.rows.pop())
        }
    };
    let row = found.map_err(failure)?.ok_or(Failure::NotFound { noun: T::NOUN })?;
    saw::<T>(cx, &row);
    Ok(row)
}

/// A record.
///
/// # Errors
/// `NotFound`.
pub async fn load<T: Document>(cx: &Cx, look: Look<'_>) -> Result<Loaded<T>, Failure> {
    let row = row::<T>(cx, look).await?;
    let mut found: Loaded<T> = decode(&row)?;
    if look.follow && found.successor().is_some() {
        let cx = cx.in_space(row.tenant);
        found = Box::pin(latest(&cx, found)).await?;
    }
    match found.is_gone() && !look.deleted {
        true => Err(Failure::NotFound { noun: T::NOUN }),
        false => Ok(found),
    }
}

/// The record that took this one over in the end.
async fn latest<T: Document>(cx: &Cx, mut found: Loaded<T>) -> Result<Loaded<T>, Failure> {
    for _ in 0..SUCCESSORS_MAX {
        let Some(successor) = found.successor() else { break };
        found = decode(&row::<T>(cx, Look::at(Id::Number(successor))).await?)?;
    }
    Ok(found)
}

/// A living record that hangs on another one.
///
/// # Errors
/// `NotFound`.
pub async fn load_of<T: Document>(cx: &Cx, subject: i64, id: Id) -> Result<Loaded<T>, Failure> {
    let found = load::<T>(cx, Look::at(id)).await?;
    match found.subject() == subject {
        true => Ok(found),
        false => Err(Failure::NotFound { noun: T::NOUN }),
    }
}

/// The record with a value in a unique column, whatever became of it.
///
/// # Errors
/// Whatever the store says.
pub async fn find_by<T: Document>(
    cx: &Cx,
    column: &'static str,
    value: &str,
) -> Result<Option<Loaded<T>>, Failure> {
    let row = cx.app.store.get_by(T::KIND, T::home(cx.space), column, value).await;
    let row = row.map_err(failure)?;
    if let Some(row) = &row {
        saw::<T>(cx, row);
    }
    row.as_ref().map(decode).transpose()
}

/// A page of records of any noun.
///
/// # Errors
/// Whatever the store says.
pub async fn page<T: Document>(cx: &Cx, query: &Query) -> Result<Page<T>, Failure> {
    search::bounded(&query.predicate)?;
    let found = cx.app.store.find(T::KIND, query).await.map_err(failure)?;
    let mut items = Vec::with_capacity(found.rows.len());
    for some in found.rows.chunks(ROWS_AT_A_STRETCH) {
        if !items.is_empty() {
            // A long page must not keep others from this thread.
            tokio::task::yield_now().await;
        }
        for row in some {
            saw::<T>(cx, row);
            items.push(decode(row)?);
        }
    }
    Ok(Page { items, more: found.more })
}
