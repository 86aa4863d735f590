//! Use cases of accounts and spaces.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_recursion::async_recursion;
pub use patron_model::space::{AccountPatch, SpacePatch};
use patron_model::{
    Failure, Noun, Permission, Why,
    card::Found,
    country::Country,
    event::{AccountEvent, SpaceEvent},
    space::{Account, Space},
};
use patron_store::{Column, Index, Kind};
use uuid::Uuid;

use crate::{
    App, Cx,
    commit::{Expect, Saved},
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    keys, places,
    record::{self, Id, Loaded, Look, Page},
    rights::Place,
    search::{After, Field, Filter, Query, fields},
};

/// Accounts.
pub static ACCOUNT: Kind =
    Kind { name: "account", columns: &[Column::int("parent", Index::Ordered)], terms: false };

/// Spaces.
pub static SPACE: Kind = Kind {
    name: "space",
    columns: &[Column::int("account", Index::Ordered), Column::int("deleted_at", Index::Ordered)],
    terms: false,
};

impl Document for Account {
    named!(ACCOUNT, Account, AccountEvent, in_deployment);

    fn columns(&self) -> Vec<patron_store::Value> {
        vec![self.parent.into()]
    }

    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (Some(self.number), None)
    }

    fn is_gone(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn search_cards(&self, found: &mut Found) {
        found.text("name", self.name.as_str());
    }
}

impl Document for Space {
    named!(SPACE, Space, SpaceEvent, in_deployment);

    fn columns(&self) -> Vec<patron_store::Value> {
        let deleted_at = self.deletion.as_ref().map(|deletion| deletion.at.micros());
        vec![self.account.into(), deleted_at.into()]
    }

    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (Some(self.account), Some(self.number))
    }

    fn is_gone(&self) -> bool {
        self.deletion.is_some()
    }

    fn search_cards(&self, found: &mut Found) {
        found.text("name", self.name.as_str());
        for contact in &self.technical_contacts {
            found.text("technical_contacts", contact.as_str());
        }
        self.address.search_cards(found);
        for (dialect, switches) in &self.dialects {
            found.member("dialects", dialect, switches);
        }
    }
}

// ---- accounts -------------------------------------------------------------------------------

/// A new account.
///
/// # Errors
/// `Invalid`, also without a name; `WrongState` when [`places::LEVELS_MAX`] accounts would be above
/// one another, when the one above has as many as it may, or is in use no more.
#[async_recursion]
pub async fn create_account(
    cx: &Cx,
    parent: Option<i64>,
    patch: AccountPatch,
) -> Result<Saved<Account>, Failure> {
    let name = patch.name.clone().ok_or(Failure::invalid("name", Why::Required))?;
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|mut draft| async {
        if let Some(parent) = parent {
            let parent = may_have_another(cx, parent).await?;
            draft.touch(&parent, AccountEvent::Updated, &["accounts"])?;
        }
        let number = cx.app.store.reserve("account", 1).await.map_err(failure)?.start;
        let made = Account::new(number, new_uuid(), name.clone(), cx.now);
        let blank = Account { parent, created_by: cx.user(), ..made };
        let (account, _) = blank.apply(patch.clone(), cx.now)?;
        draft.create(Account { version: 1, ..account })
    })
    .await
}

/// The account that another one shall be made below. Its row is written with the new one's, so that
/// whoever changes or deletes it meanwhile, or makes another one, is noticed.
async fn may_have_another(cx: &Cx, parent: i64) -> Result<Loaded<Account>, Failure> {
    let account = get::<Account>(cx, parent).await?;
    if places::path(&cx.app, parent).await?.len() >= places::LEVELS_MAX {
        let (is, needs) = ("an account with seven above it", "one further up");
        return Err(Failure::WrongState { is, needs });
    }
    if let Some(limit) = account.subaccount_limit {
        let below = living::<Account>(Filter::equal(Field::Column("parent"), parent));
        let count = cx.app.store.count(&ACCOUNT, &[DEPLOYMENT], &below).await.map_err(failure)?;
        if i64::try_from(count).is_ok_and(|count| count >= limit) {
            let (is, needs) = ("an account with as many below it as it may", "a higher limit");
            return Err(Failure::WrongState { is, needs });
        }
    }
    Ok(account)
}

/// Whether there is a living record whose column holds this.
async fn any<T: Document>(cx: &Cx, column: &'static str, value: i64) -> Result<bool, Failure> {
    let predicate = Filter::equal(Field::Column(column), value);
    let found = list::<T>(cx, Query { predicate, limit: 1, ..Query::of(DEPLOYMENT) }).await?;
    Ok(!found.items.is_empty())
}

/// A changed account. Whom it asks for a second factor is said by who may grant roles there: it
/// says when they count.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid`; `Forbidden` for who may not say that.
#[async_recursion]
pub async fn update_account(
    cx: &Cx,
    number: i64,
    expect: Expect,
    patch: AccountPatch,
) -> Result<Saved<Account>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|draft| async {
        let before = get::<Account>(cx, number).await?;
        expect.check(before.version, before.revision)?;
        let (after, changes) = before.apply(patch.clone(), cx.now)?;
        if after.second_factor != before.second_factor {
            cx.may_at(Permission::AccessGrant, &places::account(&cx.app, number).await?)?;
        }
        let event = match (before.is_open(), after.is_open()) {
            (false, true) => AccountEvent::Activated,
            (true, false) => AccountEvent::Deactivated,
            (true, true) | (false, false) => AccountEvent::Updated,
        };
        draft.change(&before, after, event, &changes)
    })
    .await
}

/// Deletes an account that has neither spaces nor accounts below it. Its keys open nothing any
/// more; its number is never given out again.
///
/// # Errors
/// `NotFound`, `Stale`; `WrongState` while something living is in it.
#[async_recursion]
pub async fn delete_account(
    cx: &Cx,
    number: i64,
    expect: Expect,
) -> Result<Saved<Account>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|draft| async {
        let before = get::<Account>(cx, number).await?;
        expect.check(before.version, before.revision)?;
        if any::<Space>(cx, "account", number).await? {
            let (is, needs) = ("an account with spaces", "its spaces to be deleted first");
            return Err(Failure::WrongState { is, needs });
        }
        if any::<Account>(cx, "parent", number).await? {
            let (is, needs) = ("an account with others below it", "these to be deleted first");
            return Err(Failure::WrongState { is, needs });
        }
        let after = before.deleted(cx.user(), cx.now);
        draft.change(&before, after, AccountEvent::Deleted, &["state"])
    })
    .await
}

/// A living account where the caller may do this. One that he may not even see is none.
///
/// # Errors
/// `NotFound`, `Forbidden`.
#[async_recursion]
pub async fn account_for(
    cx: &Cx,
    number: i64,
    permission: Permission,
) -> Result<Loaded<Account>, Failure> {
    account_at(cx, Look::at(Id::Number(number)), permission).await
}

/// The same, also one that was deleted.
///
/// # Errors
/// As [`account_for`].
#[async_recursion]
pub async fn account_ever_for(
    cx: &Cx,
    number: i64,
    permission: Permission,
) -> Result<Loaded<Account>, Failure> {
    account_at(cx, Look::at(Id::Number(number)).or_deleted(), permission).await
}

async fn account_at(
    cx: &Cx,
    look: Look<'_>,
    permission: Permission,
) -> Result<Loaded<Account>, Failure> {
    let account: Loaded<Account> = record::load(cx, look).await?;
    let place = places::account(&cx.app, account.number).await?;
    allowed(cx, &place, (Permission::AccountRead, permission), Noun::Account)?;
    Ok(account)
}

/// A living account that a member of a body names, where the caller may do this.
///
/// # Errors
/// `Invalid` for one where he may not, which is as unknown to him as one that there is not.
#[async_recursion]
pub async fn account_named(
    cx: &Cx,
    member: &'static str,
    number: i64,
    permission: Permission,
) -> Result<Loaded<Account>, Failure> {
    account_for(cx, number, permission).await.map_err(|failure| match failure {
        Failure::NotFound { .. } | Failure::Forbidden => {
            Failure::invalid(member, Why::Unknown { what: "account" })
        }
        other => other,
    })
}

/// A living space where the caller may do this. One that he may not even see is none.
///
/// # Errors
/// `NotFound`, `Forbidden`.
#[async_recursion]
pub async fn space_for(
    cx: &Cx,
    number: i64,
    permission: Permission,
) -> Result<Loaded<Space>, Failure> {
    space_at(cx, Look::at(Id::Number(number)), permission).await
}

/// The same, also one that was deleted.
///
/// # Errors
/// As [`space_for`].
#[async_recursion]
pub async fn space_ever_for(
    cx: &Cx,
    number: i64,
    permission: Permission,
) -> Result<Loaded<Space>, Failure> {
    space_at(cx, Look::at(Id::Number(number)).or_deleted(), permission).await
}

async fn space_at(
    cx: &Cx,
    look: Look<'_>,
    permission: Permission,
) -> Result<Loaded<Space>, Failure> {
    let space: Loaded<Space> = record::load(cx, look).await?;
    let path = places::path(&cx.app, space.account).await?;
    let place = Place { space: Some(space.number), path };
    allowed(cx, &place, (Permission::SpaceRead, permission), Noun::Space)?;
    Ok(space)
}

fn allowed(
    cx: &Cx,
    place: &Place,
    (seeing, doing): (Permission, Permission),
    noun: Noun,
) -> Result<(), Failure> {
    let seen = cx.may_at(seeing, place);
    match cx.may_at(doing, place) {
        Err(_) if seen.is_err() => Err(Failure::NotFound { noun }),
        verdict => verdict,
    }
}

// ---- spaces ---------------------------------------------------------------------------------

/// How long a process without a key remembers the country of a space: as long as it does of keys.
const HOME_REMEMBERED: Duration = keys::REMEMBERED;

/// Countries of spaces, as they were read lately by work that has no key.
#[derive(Default)]
pub(crate) struct Homes(Mutex<HashMap<i64, (Option<Country>, Instant)>>);

impl Cx {
    /// Where the customers of its space are at home, if the space says so.
    ///
    /// # Errors
    /// Whatever the store says.
    pub(crate) async fn home(&self) -> Result<Option<Country>, Failure> {
        if self.space == DEPLOYMENT {
            return Ok(None);
        }
        match self.space_record() {
            Some(space) => Ok(space.default_country.clone()),
            None => Box::pin(self.app.home_of(self.space)).await,
        }
    }
}

impl App {
    /// The country of a space, as of half a second ago at most.
    async fn home_of(&self, space: i64) -> Result<Option<Country>, Failure> {
        let since = Instant::now();
        let known = |homes: &Homes| {
            let homes = homes.0.lock().unwrap_or_else(PoisonError::into_inner);
            homes.get(&space).filter(|(_, at)| at.elapsed() < HOME_REMEMBERED).cloned()
        };
        if let Some((home, _)) = known(&self.homes) {
            return Ok(home);
        }
        let row = self.store.get(&SPACE, DEPLOYMENT, space).await.map_err(failure)?;
        let found = row.as_ref().map(record::decode::<Space>).transpose()?;
        let home = found.and_then(|space| space.record.default_country);
        let mut homes = self.homes.0.lock().unwrap_or_else(PoisonError::into_inner);
        homes.retain(|_, (_, at)| at.elapsed() < HOME_REMEMBERED);
        homes.insert(space, (home.clone(), since));
        Ok(home)
    }
}

/// A new space of an account. The UUID may be given, so that a sandbox can have a well-known one.
///
/// # Errors
/// `NotFound` when the account is; `Invalid`, also without a name.
#[async_recursion]
pub async fn create_space(
    cx: &Cx,
    account: i64,
    uuid: Option<Uuid>,
    patch: SpacePatch,
) -> Result<Saved<Space>, Failure> {
    let name = patch.name.clone().ok_or(Failure::invalid("name", Why::Required))?;
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|mut draft| async {
        let of = get::<Account>(cx, account).await?;
        // Its row is written with the space's, so that whoever deletes it meanwhile is noticed.
        draft.touch(&of, AccountEvent::Updated, &["spaces"])?;
        let number = cx.app.store.reserve("space", 1).await.map_err(failure)?.start;
        let uuid = uuid.unwrap_or_else(new_uuid);
        let made = Space::new(number, uuid, account, name.clone(), cx.now);
        let blank = Space { created_by: cx.user(), ..made };
        let (space, _) = blank.apply(patch.clone(), cx.now)?;
        draft.create(Space { version: 1, ..space })
    })
    .await
}

/// An account or space by number.
///
/// # Errors
/// `NotFound`.
pub async fn get<T: Document>(cx: &Cx, number: i64) -> Result<Loaded<T>, Failure> {
    record::load(cx, Look::at(Id::Number(number))).await
}

/// The first open space of an account: where a key for all of it is at home.
///
/// # Errors
/// `WrongState` when it has none.
#[async_recursion]
pub async fn first_of(cx: &Cx, account: i64) -> Result<Space, Failure> {
    let predicate = Filter::equal(Field::Column("account"), account);
    let mut query = Query { predicate, limit: SPACES_AT_ONCE, ..Query::of(DEPLOYMENT) };
    loop {
        let found = list::<Space>(cx, query.clone()).await?;
        let last = found.items.last().map(|space| space.number).filter(|_| found.more);
        if let Some(space) = found.items.into_iter().find(|space| space.is_open()) {
            return Ok(space.record);
        }
        let Some(number) = last else {
            let (is, needs) = ("an account without a space in use", "one with a space");
            return Err(Failure::WrongState { is, needs });
        };
        query.after = Some(After { keys: Vec::new(), number });
    }
}

/// Spaces read with one question.
const SPACES_AT_ONCE: u32 = 200;

/// Those that are no more are left out.
fn living<T: Document>(predicate: Filter) -> Filter {
    let deleted_at = match T::KIND.columns.iter().any(|column| column.name == "deleted_at") {
        true => fields::space::deleted_at(),
        false => fields::account::deleted_at(),
    };
    predicate.and(Filter::Missing(deleted_at))
}

/// A page of accounts or spaces.
///
/// # Errors
/// Whatever the store says.
pub async fn list<T: Document>(cx: &Cx, query: Query) -> Result<Page<T>, Failure> {
    let predicate = living::<T>(query.predicate);
    record::page(cx, &Query { tenants: vec![DEPLOYMENT], predicate, ..query }).await
}

/// The same, those that were deleted among them.
///
/// # Errors
/// Whatever the store says.
pub async fn list_ever<T: Document>(cx: &Cx, query: Query) -> Result<Page<T>, Failure> {
    record::page(cx, &Query { tenants: vec![DEPLOYMENT], ..query }).await
}

/// A changed space.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid`.
#[async_recursion]
pub async fn update_space(
    cx: &Cx,
    number: i64,
    expect: Expect,
    patch: SpacePatch,
) -> Result<Saved<Space>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|draft| async {
        let before = get::<Space>(cx, number).await?;
        expect.check(before.version, before.revision)?;
        let (after, changes) = before.apply(patch.clone(), cx.now)?;
        let event = match (before.is_open(), after.is_open()) {
            (false, true) => SpaceEvent::Activated,
            (true, false) => SpaceEvent::Deactivated,
            (true, true) | (false, false) => SpaceEvent::Updated,
        };
        draft.change(&before, after, event, &changes)
    })
    .await
}
