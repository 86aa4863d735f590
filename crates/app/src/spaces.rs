//! Use cases of accounts and spaces.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use patron_model::space::{AccountPatch, SpacePatch};
use patron_model::{
    Failure, Why,
    card::Found,
    country::Country,
    event::{AccountEvent, SpaceEvent},
    space::{Account, Space},
    text::Name,
};
use patron_store::{Column, Index, Kind};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    App, Cx,
    commit::{Expect, Saved},
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    keys, places,
    record::{self, Id, Loaded, Look, Page},
    search::{After, Field, Filter, Query},
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
        for (dialect, switches) in &self.dialects {
            found.member("dialects", dialect, switches);
        }
    }
}

/// People tell accounts and spaces apart by their names.
fn can_be_read(name: &Name) -> Result<(), Failure> {
    match name.as_str().trim().is_empty() {
        true => Err(Failure::invalid("name", Why::TooShort { min: 1 })),
        false => Ok(()),
    }
}

/// A new account.
///
/// # Errors
/// `Invalid` for a name without letters; `WrongState` when [`places::LEVELS_MAX`] accounts would be
/// above one another.
pub async fn create_account(
    cx: &Cx,
    parent: Option<i64>,
    name: Name,
) -> Result<Saved<Account>, Failure> {
    can_be_read(&name)?;
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|draft| async {
        if let Some(parent) = parent
            && places::path(&cx.app, parent).await?.len() >= places::LEVELS_MAX
        {
            let (is, needs) = ("an account with seven above it", "one further up");
            return Err(Failure::WrongState { is, needs });
        }
        let number = cx.app.store.reserve("account", 1).await.map_err(failure)?.start;
        draft.create(Account {
            number,
            uuid: new_uuid(),
            version: 1,
            parent,
            name: name.clone(),
            created_at: cx.now,
            updated_at: cx.now,
            archived_at: None,
        })
    })
    .await
}

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

/// A new space of an account. UUID and switches of dialects may be given, so that a sandbox can
/// have well-known ones.
///
/// # Errors
/// `NotFound` when the account is, `Invalid` for a name without letters.
pub async fn create_space(
    cx: &Cx,
    account: i64,
    uuid: Option<Uuid>,
    name: Name,
    default_country: Option<Country>,
    dialects: BTreeMap<String, Value>,
) -> Result<Saved<Space>, Failure> {
    can_be_read(&name)?;
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|draft| async {
        get::<Account>(cx, account).await?;
        let number = cx.app.store.reserve("space", 1).await.map_err(failure)?.start;
        draft.create(Space {
            number,
            uuid: uuid.unwrap_or_else(new_uuid),
            account,
            version: 1,
            name: name.clone(),
            require_precondition: false,
            default_country: default_country.clone(),
            dialects: dialects.clone(),
            created_at: cx.now,
            updated_at: cx.now,
            archived_at: None,
            audit_reads: false,
            deletion: None,
        })
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

/// A page of accounts or spaces.
///
/// # Errors
/// Whatever the store says.
pub async fn list<T: Document>(cx: &Cx, query: Query) -> Result<Page<T>, Failure> {
    let mut query = Query { tenants: vec![DEPLOYMENT], ..query };
    if T::KIND.columns.iter().any(|column| column.name == "deleted_at") {
        query.predicate = query.predicate.and(Filter::Missing(Field::Column("deleted_at")));
    }
    record::page(cx, &query).await
}

/// A changed space.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid` for a name without letters.
pub async fn update_space(
    cx: &Cx,
    number: i64,
    expect: Expect,
    patch: SpacePatch,
) -> Result<Saved<Space>, Failure> {
    patch.name.as_ref().map_or(Ok(()), can_be_read)?;
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|draft| async {
        let before = get::<Space>(cx, number).await?;
        expect.check(before.version, before.revision)?;
        let (after, changes) = before.apply(patch.clone(), cx.now);
        draft.change(&before, after, SpaceEvent::Updated, &changes)
    })
    .await
}

/// A changed account.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid` for a name without letters.
pub async fn update_account(
    cx: &Cx,
    number: i64,
    expect: Expect,
    patch: AccountPatch,
) -> Result<Saved<Account>, Failure> {
    patch.name.as_ref().map_or(Ok(()), can_be_read)?;
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|draft| async {
        let before = get::<Account>(cx, number).await?;
        expect.check(before.version, before.revision)?;
        let (after, changes) = before.apply(patch.clone(), cx.now);
        draft.change(&before, after, AccountEvent::Updated, &changes)
    })
    .await
}
