//! Reading the audit trail: filters, pages, single entries, and following what is new.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Noun, Timestamp,
    audit::{AuditEntry, AuditOutcome},
};
use patron_store::Value;

use crate::{
    App, Cx,
    documents::{AUDIT, DEPLOYMENT},
    failure,
    record::{self, Id, Look, Page, page},
    search::{After, Compare, Field, Filter, Order, Query},
};

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of these accounts; none: of every account, and of the deployment.
    pub accounts: Option<Vec<i64>>,
    /// About these spaces only.
    pub spaces: Option<Vec<i64>>,
    /// By whom: `key:12`, `operator`, `operator:root`, `stranger`.
    pub actor: Option<String>,
    /// What happened: `key.created`, or `key.*`.
    pub action: Option<String>,
    /// Whether it was done.
    pub outcome: Option<AuditOutcome>,
    /// From which address.
    pub address: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl Wanted {
    fn filter(&self) -> Filter {
        let column = Field::Column;
        let mut all = Filter::All;
        let numbers = |numbers: &[i64]| numbers.iter().map(|n| Value::Int(*n)).collect();
        if let Some(accounts) = &self.accounts {
            all = all.and(Filter::OneOf(column("account"), numbers(accounts)));
        }
        if let Some(spaces) = &self.spaces {
            all = all.and(Filter::OneOf(column("space"), numbers(spaces)));
        }
        if let Some(actor) = &self.actor {
            let named = Filter::StartsWith(column("actor"), format!("{actor}:"));
            all = all.and(Filter::Or(vec![Filter::equal(column("actor"), actor.as_str()), named]));
        }
        all = match self.action.as_deref().map(|action| (action, action.strip_suffix('*'))) {
            None => all,
            Some((_, Some(start))) => {
                all.and(Filter::StartsWith(column("action"), start.to_owned()))
            }
            Some((action, None)) => all.and(Filter::equal(column("action"), action)),
        };
        if let Some(outcome) = self.outcome {
            all = all.and(Filter::equal(column("outcome"), outcome.as_str()));
        }
        if let Some(address) = &self.address {
            all = all.and(Filter::equal(column("address"), address.as_str()));
        }
        let at =
            |compare, at: Timestamp| Filter::Compare(column("at"), compare, at.micros().into());
        if let Some(since) = self.since {
            all = all.and(at(Compare::AtLeast, since));
        }
        if let Some(until) = self.until {
            all = all.and(at(Compare::Less, until));
        }
        all
    }

    /// Whether an entry is among them.
    pub fn has(&self, entry: &AuditEntry) -> bool {
        let is_in = |wanted: &Option<Vec<i64>>, number: Option<i64>| {
            wanted.as_ref().is_none_or(|all| number.is_some_and(|number| all.contains(&number)))
        };
        let is_actor = |wanted: &String| {
            let word = entry.actor.word();
            word == *wanted || word.starts_with(&format!("{wanted}:"))
        };
        let is_action = |wanted: &String| match wanted.strip_suffix('*') {
            Some(start) => entry.action.starts_with(start),
            None => entry.action == *wanted,
        };
        is_in(&self.accounts, entry.account)
            && is_in(&self.spaces, entry.space)
            && self.actor.as_ref().is_none_or(is_actor)
            && self.action.as_ref().is_none_or(is_action)
            && self.outcome.is_none_or(|outcome| outcome == entry.outcome)
            && self.address.as_ref().is_none_or(|at| entry.address.as_ref() == Some(at))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
    }
}

/// A page of entries, newest first, behind a place in that order.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(
    cx: &Cx,
    wanted: &Wanted,
    after: Option<(Timestamp, i64)>,
    limit: u32,
) -> Result<Page<AuditEntry>, Failure> {
    let after = after.map(|(at, number)| After { keys: vec![Value::Int(at.micros())], number });
    let query = Query {
        predicate: wanted.filter(),
        order: Order::by(Field::Column("at"), true),
        after,
        limit,
        ..Query::of(DEPLOYMENT)
    };
    page(cx, &query).await
}

/// One entry, where it is among those wanted.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, id: Id, wanted: &Wanted) -> Result<AuditEntry, Failure> {
    let entry: AuditEntry = record::load(cx, Look::at(id)).await?.record;
    if wanted.has(&entry) { Ok(entry) } else { Err(Failure::NotFound { noun: Noun::Entry }) }
}

/// Entries that were committed after a position of the deployment's journal, oldest first, and the
/// position to go on from: for those who follow the trail.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn after(
    app: &App,
    position: i64,
    limit: u32,
) -> Result<(Vec<AuditEntry>, i64), Failure> {
    let found = app.store.entries(DEPLOYMENT, position, limit).await.map_err(failure)?;
    let last = found.last().map_or(position, |entry| entry.seq);
    let of_trail = found.iter().filter(|entry| entry.kind == AUDIT.name);
    // Those that are too old to be kept have no document any more.
    let entries = of_trail.filter_map(|entry| serde_json::from_str(&entry.doc).ok());
    Ok((entries.collect(), last))
}
