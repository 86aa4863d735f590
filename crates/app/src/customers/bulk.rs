//! Many customers in one call, as a program sends them: each item says what shall become of one
//! customer. Alone each item is a batch of its own; together they are one batch, in which later
//! items see what earlier ones did, and of which nothing stays when one is refused.

use std::sync::{Mutex, PoisonError};

use async_recursion::async_recursion;
use patron_model::{
    Failure, Ids, Patch, Permission, Why,
    customer::{Customer, CustomerPatch, Deed},
    email::Email,
    event::CustomerEvent,
    text::Reference,
};

use super::{find_by_reference, get, not_found};
use crate::{
    Cx,
    commit::{Draft, Expect, Saved, Settled},
    idempotency::Touched,
    record::{Id, Loaded, page},
    search::{Filter, Query, customer as fields},
};

/// What shall become of one customer.
#[derive(Debug, Clone)]
pub enum Item {
    /// A new one.
    Create(Box<CustomerPatch>),
    /// The one with a reference, or a new one with it. What the patch does not say stays.
    UpsertByReference(Reference, Box<CustomerPatch>),
    /// The one with an e-mail address, or a new one with it; there must not be two.
    UpsertByEmail(Email, Box<CustomerPatch>),
    /// One that is there, changed.
    Update(Id, Expect, Box<CustomerPatch>),
    /// One that is there, hidden.
    Delete(Id, Expect),
}

impl Item {
    /// What a single call of that kind asks for.
    pub fn needs(&self) -> Permission {
        match self {
            Item::Create(_)
            | Item::UpsertByReference(..)
            | Item::UpsertByEmail(..)
            | Item::Update(..)
            | Item::Delete(..) => Permission::CustomerWrite,
        }
    }
}

/// What came of all items together.
struct Together(Vec<Saved<Customer>>);

impl Settled for Together {
    fn touched(&self) -> Vec<Touched> {
        self.0.iter().flat_map(Saved::touched).collect()
    }

    async fn recall(cx: &Cx, records: &[Touched]) -> Result<Together, Failure> {
        let mut all = Vec::with_capacity(records.len());
        for record in records {
            all.push(Saved::recall(cx, std::slice::from_ref(record)).await?);
        }
        Ok(Together(all))
    }
}

/// Does what one item says, as a batch of its own.
///
/// # Errors
/// `Forbidden`, and whatever the same call alone answers; `Invalid` for an upsert by what several
/// have; `WrongState` where the status refuses that a customer is changed among many.
#[async_recursion]
pub async fn bulk_item(cx: &Cx, item: &Item) -> Result<Saved<Customer>, Failure> {
    cx.may(item.needs())?;
    cx.settle(|mut draft| async {
        // Somebody else made the same just now: it is decided once more.
        draft.taken_is_raced();
        let mut seen = Seen::default();
        let saved = seen.decide(cx, &mut draft, item).await?;
        Ok(draft.answering(saved))
    })
    .await
}

/// What came of items that stand or fall together.
pub enum Fate {
    /// All of them are done.
    Done(Vec<Saved<Customer>>),
    /// One at least is refused: what each would have come to. Nothing is written.
    Undone(Vec<Result<Saved<Customer>, Failure>>),
}

/// Does what all items say, as one batch. Items that could not be read are refused ones.
///
/// # Errors
/// What is not the fault of an item.
#[async_recursion]
pub async fn bulk_together(cx: &Cx, items: &[Result<Item, Failure>]) -> Result<Fate, Failure> {
    let undone = Mutex::new(None);
    let settled: Result<Together, Failure> = cx
        .settle(|mut draft| async {
            draft.taken_is_raced();
            let mut seen = Seen::default();
            let mut verdicts = Vec::with_capacity(items.len());
            for item in items {
                let verdict = match item {
                    Ok(item) => match cx.may(item.needs()) {
                        Ok(()) => seen.decide(cx, &mut draft, item).await,
                        Err(failure) => Err(failure),
                    },
                    Err(failure) => Err(failure.clone()),
                };
                if let Err(failure @ (Failure::Internal(_) | Failure::Unavailable { .. })) = verdict
                {
                    return Err(failure);
                }
                verdicts.push(verdict);
            }
            if verdicts.iter().any(Result::is_err) {
                *undone.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdicts);
                return Err(Failure::WrongState { is: "refused in part", needs: "all good" });
            }
            Ok(draft.answering(Together(verdicts.into_iter().flatten().collect())))
        })
        .await;
    let undone = undone.into_inner().unwrap_or_else(PoisonError::into_inner);
    match (settled, undone) {
        (Ok(Together(all)), _) => Ok(Fate::Done(all)),
        (Err(Failure::WrongState { .. }), Some(verdicts)) => Ok(Fate::Undone(verdicts)),
        (Err(failure), _) => Err(failure),
    }
}

/// Customers as the items before have left them.
#[derive(Default)]
struct Seen(Vec<Loaded<Customer>>);

impl Seen {
    /// Notes in the draft what an item does.
    async fn decide(
        &mut self,
        cx: &Cx,
        draft: &mut Draft<'_>,
        item: &Item,
    ) -> Result<Saved<Customer>, Failure> {
        match item {
            Item::Create(patch) => self.create(cx, draft, (**patch).clone()).await,
            Item::UpsertByReference(reference, patch) => {
                match self.by_reference(cx, reference).await? {
                    Some(before) => self.change(cx, draft, before, patch).await,
                    None => {
                        let reference = Patch::Set(reference.clone());
                        let patch = CustomerPatch { reference, ..(**patch).clone() };
                        self.create(cx, draft, patch).await
                    }
                }
            }
            Item::UpsertByEmail(email, patch) => {
                let mut found = self.by_email(cx, email).await?;
                match (found.pop(), found.pop()) {
                    (Some(before), None) => self.change(cx, draft, before, patch).await,
                    (Some(_), Some(_)) => Err(Failure::invalid("email", Why::Ambiguous)),
                    (None, _) => {
                        let email = Patch::Set(email.clone());
                        let patch = CustomerPatch { email, ..(**patch).clone() };
                        self.create(cx, draft, patch).await
                    }
                }
            }
            Item::Update(id, expect, patch) => {
                let before = self.by_id(cx, *id).await?;
                expect.check(before.version, before.revision)?;
                self.change(cx, draft, before, patch).await
            }
            Item::Delete(id, expect) => {
                let before = self.by_id(cx, *id).await?;
                expect.check(before.version, before.revision)?;
                let after = before.deleted(cx.now);
                let changes = &["deleted_at"];
                let saved = draft.replaced(&before, after, CustomerEvent::Deleted, changes)?;
                self.note(&saved);
                Ok(saved)
            }
        }
    }

    async fn create(
        &mut self,
        cx: &Cx,
        draft: &mut Draft<'_>,
        patch: CustomerPatch,
    ) -> Result<Saved<Customer>, Failure> {
        let customer = Customer::create(draft.next(), cx.space, patch, cx.now, draft)?;
        self.refuse_taken(cx, &customer).await?;
        let saved = draft.inserted(customer)?;
        self.note(&saved);
        Ok(saved)
    }

    async fn change(
        &mut self,
        cx: &Cx,
        draft: &mut Draft<'_>,
        before: Loaded<Customer>,
        patch: &CustomerPatch,
    ) -> Result<Saved<Customer>, Failure> {
        before.allows(Deed::ChangeAmongMany, cx.now)?;
        let (after, changes) = before.apply(patch.clone(), cx.now, draft)?;
        if changes.is_empty() {
            let Loaded { record, revision } = before;
            return Ok(Saved { record, revision, event: None, replayed: false });
        }
        if after.reference != before.reference {
            self.refuse_taken(cx, &after).await?;
        }
        let saved = draft.replaced(&before, after, CustomerEvent::Updated, &changes)?;
        self.note(&saved);
        Ok(saved)
    }

    /// Refuses the reference of another living customer: in a batch nobody could tell which item
    /// it was.
    async fn refuse_taken(&self, cx: &Cx, customer: &Customer) -> Result<(), Failure> {
        let Some(reference) = &customer.reference else { return Ok(()) };
        match self.by_reference(cx, reference).await? {
            Some(holder) if holder.uuid != customer.uuid => {
                let (noun, field) = (patron_model::Noun::Customer, "reference");
                let (number, uuid) = (holder.number, holder.uuid);
                // Who was made by an item before has no number that counts yet.
                let is_new = self.0.iter().any(|seen| seen.uuid == uuid && seen.revision == 1);
                let holder = Some(patron_model::Identity { number, uuid });
                let holder = holder.filter(|_| !is_new && cx.has(Permission::CustomerRead));
                Err(Failure::Exists { noun, field, holder })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn note(&mut self, saved: &Saved<Customer>) {
        let now = Loaded { record: saved.record.clone(), revision: saved.revision };
        match self.0.iter_mut().find(|seen| seen.uuid == now.uuid) {
            Some(seen) => *seen = now,
            None => self.0.push(now),
        }
    }

    /// A customer as it is by now, unless it is gone by now.
    fn as_seen(&self, found: Loaded<Customer>) -> Option<Loaded<Customer>> {
        match self.0.iter().find(|seen| seen.uuid == found.uuid) {
            Some(seen) => Some(seen.clone()).filter(|seen| !seen.is_deleted()),
            None => Some(found),
        }
    }

    async fn by_id(&self, cx: &Cx, id: Id) -> Result<Loaded<Customer>, Failure> {
        self.as_seen(get(cx, id).await?).ok_or_else(not_found)
    }

    async fn by_reference(
        &self,
        cx: &Cx,
        reference: &Reference,
    ) -> Result<Option<Loaded<Customer>>, Failure> {
        let has_it =
            |one: &Loaded<Customer>| !one.is_deleted() && one.reference.as_ref() == Some(reference);
        if let Some(seen) = self.0.iter().find(|seen| has_it(seen)) {
            return Ok(Some(seen.clone()));
        }
        let found = find_by_reference(cx, reference.as_str()).await?;
        Ok(found.and_then(|found| self.as_seen(found)).filter(has_it))
    }

    /// Living customers with an e-mail address; of more than two, two.
    async fn by_email(&self, cx: &Cx, email: &Email) -> Result<Vec<Loaded<Customer>>, Failure> {
        let key = email.key();
        let has_it = |one: &Loaded<Customer>| {
            !one.is_deleted() && one.email.as_ref().is_some_and(|email| email.key() == key)
        };
        let mut found: Vec<Loaded<Customer>> =
            self.0.iter().filter(|seen| has_it(seen)).take(2).cloned().collect();
        if found.len() == 2 {
            return Ok(found);
        }
        let seen = self.0.iter().map(|seen| seen.number.into()).collect();
        let predicate = Filter::equal(fields::email_key(), key.as_str())
            .and(fields::living())
            .and(Filter::Not(Box::new(Filter::OneOf(fields::number(), seen))));
        let query = Query { predicate, limit: 2, ..Query::of(cx.space) };
        found.extend(page::<Customer>(cx, &query).await?.items);
        Ok(found)
    }
}
