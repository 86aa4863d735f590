//! Places in the tree of accounts: which accounts are above one, and which a request reaches.

use std::collections::{BTreeSet, HashMap};

use async_recursion::async_recursion;
use patron_model::{
    Failure, Permission,
    space::{Account, SecondFactor},
};

use crate::{
    App, Cx,
    documents::{ACCOUNT, DEPLOYMENT},
    failure,
    record::{Page, decode, page},
    rights::Place,
    search::{After, Field, Filter, Query, fields},
};

/// Accounts below one another at most: a new account has no more than so many with those above it.
pub const LEVELS_MAX: usize = 8;
/// Accounts above one another that are followed at most: there were no limits once.
const FOLLOWED_MAX: usize = 64;
/// Accounts that a request reaches at most; it does not see more.
const REACHED_MAX: usize = 10_000;
/// Accounts read with one question.
const ACCOUNTS_AT_ONCE: u32 = 500;

/// An account and those above it, from itself up.
///
/// # Errors
/// Whatever the store says; `Internal` when it is missing. One above it is where a space was
/// restored by itself, and there is nothing above then.
#[async_recursion]
pub async fn line(app: &App, account: i64) -> Result<Vec<Account>, Failure> {
    let mut line: Vec<Account> = Vec::new();
    let mut next = Some(account);
    while let Some(number) = next.filter(|_| line.len() < FOLLOWED_MAX) {
        let row = app.store.get(&ACCOUNT, DEPLOYMENT, number).await.map_err(failure)?;
        let Some(row) = row else {
            let missing = || Failure::internal(format!("account {number} is missing"));
            return if line.is_empty() { Err(missing()) } else { Ok(line) };
        };
        let account = decode::<Account>(&row)?.record;
        next = account.parent;
        line.push(account);
    }
    Ok(line)
}

/// The same where all of them are open: where one is not, nobody of the account gets in.
///
/// # Errors
/// As [`line`].
pub(crate) async fn open_line(app: &App, account: i64) -> Result<Option<Vec<Account>>, Failure> {
    let line = line(app, account).await?;
    Ok(line.iter().all(Account::is_open).then_some(line))
}

/// The numbers of an account and of those above it, from itself up.
///
/// # Errors
/// As [`line`].
#[async_recursion]
pub async fn path(app: &App, account: i64) -> Result<Vec<i64>, Failure> {
    Ok(line(app, account).await?.iter().map(|account| account.number).collect())
}

/// An account as a place.
///
/// # Errors
/// As [`line`].
#[async_recursion]
pub async fn account(app: &App, number: i64) -> Result<Place, Failure> {
    path(app, number).await.map(Place::account)
}

/// Whom accounts ask for a second factor. Those above one are heard too: the strictest word counts,
/// so nobody below asks for less.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn second_factors(
    app: &App,
    accounts: &[i64],
) -> Result<HashMap<i64, SecondFactor>, Failure> {
    let mut known: HashMap<i64, Account> = HashMap::new();
    let mut level: BTreeSet<i64> = accounts.iter().copied().collect();
    for _ in 0..FOLLOWED_MAX {
        level.retain(|number| !known.contains_key(number));
        if level.is_empty() {
            break;
        }
        let numbers = level.iter().map(|number| (*number).into()).collect();
        let predicate = Filter::OneOf(fields::account::number(), numbers);
        let query = Query { predicate, limit: ACCOUNTS_AT_ONCE, ..Query::of(DEPLOYMENT) };
        let found = app.store.find(&ACCOUNT, &query).await.map_err(failure)?;
        level.clear();
        for row in &found.rows {
            let account = decode::<Account>(row)?.record;
            level.extend(account.parent);
            known.insert(account.number, account);
        }
    }
    let strictest = |number: i64| {
        let first = known.get(&number);
        let line = std::iter::successors(first, |account| known.get(&account.parent?));
        line.take(FOLLOWED_MAX).map(|account| account.second_factor).max().unwrap_or_default()
    };
    Ok(accounts.iter().map(|number| (*number, strictest(*number))).collect())
}

/// Where a request has a permission.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whole accounts.
    pub accounts: Vec<i64>,
    /// Single spaces beside them.
    pub spaces: Vec<i64>,
}

impl Reach {
    /// Records whose account, kept in this field, is among those reached.
    pub fn in_accounts(&self, account: Field) -> Filter {
        let numbers = self.accounts.iter().map(|number| (*number).into()).collect();
        Filter::OneOf(account, numbers)
    }
}

/// The accounts and single spaces where a request has a permission.
///
/// # Errors
/// Whatever the store says; `Forbidden` for who has no key.
#[async_recursion]
pub async fn reach(cx: &Cx, permission: Permission) -> Result<Reach, Failure> {
    let caller = cx.caller()?;
    let mut spaces = Vec::new();
    let (mut accounts, mut level) = (BTreeSet::new(), Vec::new());
    for grant in caller.principal.grants() {
        if !grant.permissions.and(cx.cut).has(permission) {
            continue;
        }
        match grant.space {
            Some(space) => spaces.push(space),
            None => {
                accounts.insert(grant.account);
            }
        }
        if grant.subaccounts {
            level.push(grant.account);
        }
    }
    while !level.is_empty() && accounts.len() < REACHED_MAX {
        level = below(cx, &level).await?;
        // One that is reached on two ways is asked for once.
        level.retain(|number| accounts.insert(*number));
    }
    let accounts = accounts.into_iter().take(REACHED_MAX).collect();
    Ok(Reach { accounts, spaces })
}

/// Numbers of the accounts directly below any of these.
async fn below(cx: &Cx, accounts: &[i64]) -> Result<Vec<i64>, Failure> {
    let mut found = Vec::new();
    for some in accounts.chunks(ACCOUNTS_AT_ONCE as usize) {
        let parents = some.iter().map(|number| (*number).into()).collect();
        let predicate = Filter::OneOf(Field::Column("parent"), parents);
        let mut query = Query { predicate, limit: ACCOUNTS_AT_ONCE, ..Query::of(DEPLOYMENT) };
        loop {
            let Page { items, more } = page::<Account>(cx, &query).await?;
            found.extend(items.iter().map(|account| account.number));
            let last = items.last().filter(|_| more && found.len() < REACHED_MAX);
            let Some(last) = last else { break };
            query.after = Some(After { keys: Vec::new(), number: last.number });
        }
    }
    Ok(found)
}
