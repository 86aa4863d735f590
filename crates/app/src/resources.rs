//! Use cases of records that are tables, whatever their family: one engine for all of them. What a
//! family adds is data ([`Family`]); what its API asks of a member is that API's schema, and was
//! checked there.

use std::borrow::Cow;

use async_recursion::async_recursion;
pub use patron_model::resource::{Change, Changed, Family, Move, States};
use patron_model::{
    Failure, Ids, Noun, Permission, Permissions, Problems, Timestamp, Why, card::Found,
    customer::Customer, event::ResourceEvent, resource::Resource,
};
use patron_store::{Column, Index, Kind, Value};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    Cx,
    commit::{Draft, Expect, Saved},
    documents::Document,
    record::{self, Id, Loaded, Look, Page},
    search::{Field, Filter, Query},
};

/// Between the word of a family and the value that makes one of its records the one it is. No word
/// has it.
const OF: char = ':';

/// Records that are tables, of every family.
pub static RESOURCE: Kind = Kind {
    name: "resource",
    columns: &[
        Column::text("family", Index::Ordered),
        Column::text("claim", Index::Unique),
        Column::int("deleted_at", Index::None),
    ],
    terms: false,
};

/// What of a stored record says whose it is.
#[derive(Deserialize)]
struct Whose {
    family: String,
    seen_by: Permissions,
}

impl Document for Resource {
    const KIND: &'static Kind = &RESOURCE;
    const NOUN: Noun = Noun::Resource("record");
    type Event = ResourceEvent;
    const IN_DEPLOYMENT: bool = false;

    fn identity(&self) -> (i64, Uuid) {
        (self.number, self.uuid)
    }

    fn tenant(&self) -> i64 {
        self.space
    }

    fn related(&self) -> Vec<i64> {
        Resource::related(self)
    }

    fn is_gone(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn columns(&self) -> Vec<Value> {
        let claim = self.claim.as_deref().map(|claim| claimed(&self.family, claim));
        vec![
            self.family.as_str().into(),
            claim.into(),
            self.deleted_at.map(Timestamp::micros).into(),
        ]
    }

    fn search_cards(&self, found: &mut Found) {
        for (name, value) in &self.members {
            found.member("", name, value);
        }
    }

    fn seen_by(doc: &str) -> Option<Permission> {
        serde_json::from_str::<Whose>(doc).ok()?.seen_by.iter().next()
    }

    fn word(doc: &str) -> Cow<'static, str> {
        match serde_json::from_str::<Whose>(doc) {
            Ok(whose) => Cow::Owned(whose.family),
            Err(_) => Cow::Borrowed(RESOURCE.name),
        }
    }
}

fn claimed(family: &str, claim: &str) -> String {
    format!("{family}{OF}{claim}")
}

/// What a member may refer to.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// A customer.
    Customer,
    /// A record of a family.
    Family(&'static Family),
}

/// A value that refers to a record.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// The member it stands in.
    pub member: &'static str,
    /// What it refers to.
    pub target: Target,
    /// The number it says.
    pub number: i64,
}

/// What a caller wants of a record: its members and state, and what they refer to.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Members and state.
    pub changed: Changed,
    /// References to records among them.
    pub references: Vec<Reference>,
}

// ---- reading ----------------------------------------------------------------------------------

/// A record, also one that is deleted, which its API may go on to show.
///
/// # Errors
/// `NotFound`, also when it is of another family.
#[async_recursion]
pub async fn get(
    cx: &Cx,
    family: &'static Family,
    number: i64,
) -> Result<Loaded<Resource>, Failure> {
    let look = Look::at(Id::Number(number)).or_deleted();
    match record::load::<Resource>(cx, look).await {
        Ok(found) if found.family == family.word => Ok(seen(cx, found)),
        Ok(_) | Err(Failure::NotFound { .. }) => Err(family.not_found()),
        Err(failure) => Err(failure),
    }
}

/// A page of the records of a family that the query's filter leaves. Who may not see the past sees
/// no deleted ones.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, family: &Family, query: Query) -> Result<Page<Resource>, Failure> {
    let mut predicate = Filter::equal(Field::Column("family"), family.word);
    if !cx.has(Permission::CustomerPast) {
        predicate = predicate.and(Filter::Missing(Field::Column("deleted_at")));
    }
    let predicate = predicate.and(query.predicate);
    record::page(cx, &Query { predicate, ..query }).await
}

/// What of a record may be seen: nothing but that it is gone of one that is deleted, without the
/// right to see the past.
fn seen(cx: &Cx, mut found: Loaded<Resource>) -> Loaded<Resource> {
    if found.deleted_at.is_some() && !cx.has(Permission::CustomerPast) {
        found.record.members.clear();
    }
    found
}

/// A member in filters and orders, by the path of names to it: a text or a flag.
pub fn text(path: &[String]) -> Field {
    Field::Text(within(path))
}

/// The same, of a whole number.
pub fn whole(path: &[String]) -> Field {
    Field::Whole(within(path))
}

fn within(path: &[String]) -> Vec<String> {
    std::iter::once("members".to_owned()).chain(path.iter().cloned()).collect()
}

/// The number in filters and orders.
pub fn number() -> Field {
    Field::Number
}

/// The version in filters and orders.
pub fn version() -> Field {
    Field::Whole(vec!["version".to_owned()])
}

/// The state in filters and orders.
pub fn state() -> Field {
    Field::text(&["state"])
}

/// When it was made, in microseconds since the epoch.
pub fn created_at() -> Field {
    Field::Whole(vec!["created_at".to_owned()])
}

// ---- writing ----------------------------------------------------------------------------------

/// A new record. Where its family has a member that makes one of them and its value is there
/// already, that record is answered as it is.
///
/// # Errors
/// `Invalid` with every fault.
#[async_recursion]
pub async fn create(
    cx: &Cx,
    family: &'static Family,
    wanted: &Wanted,
) -> Result<Saved<Resource>, Failure> {
    cx.settle(|mut draft| async {
        if let Some(claim) = wanted.changed.claim(family) {
            let known = record::find_by(cx, "claim", &claimed(family.word, claim)).await?;
            if let Some(known) = known {
                return Ok(draft.keep(seen(cx, known)));
            }
            // Somebody else makes it at this moment: then it is there after all.
            draft.taken_is_raced();
        }
        refer(cx, &mut draft, &wanted.references).await?;
        let place = (cx.space, family);
        let record = Resource::create(draft.next(), place, &wanted.changed, cx.now)?;
        draft.create(record)
    })
    .await
}

/// A changed record. A change that changes nothing keeps version and time.
///
/// # Errors
/// `NotFound`, `Stale`, `WrongState` of a deleted one, `Invalid` with every fault.
#[async_recursion]
pub async fn update(
    cx: &Cx,
    family: &'static Family,
    number: i64,
    expect: &Expect,
    wanted: &Wanted,
) -> Result<Saved<Resource>, Failure> {
    cx.settle(|mut draft| async {
        let before = get(cx, family, number).await?;
        expect.check(before.version, before.revision)?;
        let (after, event, changes) = before.apply(family, &wanted.changed, cx.now)?;
        refer(cx, &mut draft, &wanted.references).await?;
        draft.change(&before, after, event, &changes)
    })
    .await
}

/// Deletes a record: it stays to say that it is gone. One that is deleted stays as it is.
///
/// # Errors
/// `NotFound`, `Stale`, `WrongState` when none is deleted from its present state.
#[async_recursion]
pub async fn delete(
    cx: &Cx,
    family: &'static Family,
    number: i64,
    expect: &Expect,
) -> Result<Saved<Resource>, Failure> {
    cx.settle(|draft| async {
        let before = get(cx, family, number).await?;
        expect.check(before.version, before.revision)?;
        if before.deleted_at.is_some() {
            return Ok(draft.keep(before));
        }
        let after = before.deleted(family, cx.now)?;
        draft.change(&before, after, ResourceEvent::Deleted, &["deleted_at"])
    })
    .await
}

/// What is referred to must be there, in the same space, and still be there when the record is.
async fn refer(cx: &Cx, draft: &mut Draft<'_>, references: &[Reference]) -> Result<(), Failure> {
    let mut problems = Problems::new();
    for Reference { member, target, number } in references {
        let look = Look::at(Id::Number(*number));
        let found = match target {
            Target::Customer => {
                let found = record::load::<Customer>(cx, look).await;
                found.map(|found| draft.assert(&found))
            }
            Target::Family(family) => match record::load::<Resource>(cx, look).await {
                Ok(found) if found.family == family.word => {
                    draft.assert(&found);
                    Ok(())
                }
                Ok(_) => Err(family.not_found()),
                Err(failure) => Err(failure),
            },
        };
        match found {
            Ok(()) => {}
            Err(Failure::NotFound { .. }) => problems.add(*member, Why::Unknown { what: "object" }),
            Err(failure) => return Err(failure),
        }
    }
    Ok(problems.into_result()?)
}
