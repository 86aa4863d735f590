//! Who holds which role where: `/v1/users/{user}/assignments` and `/v1/assignments`.

use patron_app::{
    Id, Loaded,
    assignments::{self, Where},
    places,
    search::{Filter, Order, Query, fields::assignment as fields},
    users,
};
use patron_gateway::{Faults, Member, Reading, Reply, Request, decode::Params};
use patron_model::{Failure, Noun, Permission, Why, role::Assignment};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    conditions,
    customers::{PAGE_MAX, read, show::ListOut},
    lists::{self, Place},
};

/// A role that a user holds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Assignment")]
pub struct AssignmentOut {
    /// UUID.
    id: uuid::Uuid,
    /// Number.
    number: i64,
    /// Number of the user.
    user: i64,
    /// Number of the role.
    role: i64,
    /// Number of the account where it holds, or whose space it is.
    account: i64,
    /// Number of the space where it holds; the whole account when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<i64>,
    /// Whether it holds in the accounts below, too.
    subaccounts: bool,
    /// Counts the changes, from 1.
    version: i64,
    /// When it was granted.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
}

impl From<&Assignment> for AssignmentOut {
    fn from(held: &Assignment) -> AssignmentOut {
        AssignmentOut {
            id: held.uuid,
            number: held.number,
            user: held.user,
            role: held.role,
            account: held.account,
            space: held.space,
            subaccounts: held.subaccounts,
            version: held.version,
            created_at: held.created_at.rfc3339_micros(),
        }
    }
}

/// A role to be assigned.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "AssignmentInput")]
pub struct AssignmentIn {
    /// Number of the role.
    role: Member<i64>,
    /// Number of the account where it shall hold; either this or a space.
    account: Member<i64>,
    /// Number of the space where it shall hold.
    space: Member<i64>,
    /// Whether it shall hold in the accounts below, too; with an account only.
    subaccounts: Member<bool>,
}

/// Assignments at places where the caller may see them.
async fn within(request: &Request) -> Result<Filter, Failure> {
    let reach = places::reach(&request.cx, Permission::AccessRead).await?;
    let spaces = reach.spaces.iter().map(|number| (*number).into()).collect();
    let single = Filter::OneOf(fields::space(), spaces);
    Ok(Filter::Or(vec![reach.in_accounts(fields::account()), single]))
}

fn filter(params: &Params, faults: &mut Faults) -> Filter {
    let mut filter = Filter::All;
    let fields = [fields::account(), fields::space(), fields::role(), fields::user()];
    for (name, field) in FILTERS.into_iter().zip(fields) {
        if params.get(name).is_some() {
            let number = faults.int(params, name, 0, 1, i64::MAX);
            filter = filter.and(Filter::equal(field, number));
        }
    }
    filter
}

/// Parameters that choose assignments.
const FILTERS: [&str; 4] = ["account", "space", "role", "user"];

async fn page(request: &Request, own: &[&str], of: Filter) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", 50, 1, PAGE_MAX);
    let limit = u32::try_from(limit).unwrap_or(50);
    let asked = FILTERS.map(|name| params.get(name).unwrap_or_default());
    let question = lists::question(&[&["assignments"][..], own, &asked].concat());
    let after = faults.keep(lists::after(&params, &question))?.flatten();
    let filter = filter(&params, &mut faults).and(of);
    faults.finish()?;
    let predicate = within(request).await?.and(filter);
    let order = Order::newest_first();
    let query = Query { predicate, order, after, limit, ..Query::of(0) };
    let page = assignments::list(&request.cx, query).await?;
    let next = page.items.last().filter(|_| page.more).map(|held| held.number);
    let next = next.map(|number| lists::write(&question, Place::List { key: None, number }));
    let next_cursor = next.transpose()?;
    let data: Vec<AssignmentOut> = page.items.iter().map(|held| (&held.record).into()).collect();
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor, total: None })
}

fn user(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("user"), Noun::User)
}

/// Who may what here: a page of assignments, newest first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    page(&request, &[], Filter::All).await
}

/// The roles that a user holds, where the caller may see them.
pub async fn list_of_user(request: Request) -> Result<Reply, Failure> {
    let number = users::get(&request.cx, user(&request)?).await?.number;
    let own = number.to_string();
    page(&request, &[&own], Filter::equal(fields::user(), number)).await
}

/// An assignment of the user in the path.
async fn visible(request: &Request) -> Result<Loaded<Assignment>, Failure> {
    let id = Id::parse(request.param("assignment"), Noun::Assignment)?;
    let held = assignments::get(&request.cx, id).await?;
    let is_his = match user(request)? {
        Id::Number(number) => number == held.user,
        Id::Uuid(_) => users::get(&request.cx, user(request)?).await?.number == held.user,
    };
    if is_his { Ok(held) } else { Err(Failure::NotFound { noun: Noun::Assignment }) }
}

/// One assignment.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let held = visible(&request).await?;
    let reply = Reply::json(200, &AssignmentOut::from(&held.record))?;
    Ok(conditions::unless_matched(&request, &conditions::tag(held.version), reply))
}

/// Gives a user a role at a place.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = read::body::<AssignmentIn>(&request, Reading::NullKeeps)?;
    let subaccounts = body.subaccounts.value().unwrap_or(false);
    let at = match (body.account.value(), body.space.value()) {
        (Some(number), None) => Some(Where::Account { number, subaccounts }),
        (None, Some(space)) => {
            if subaccounts {
                let why = Why::Mismatch { with: "an account, not a space" };
                fields.refuse("subaccounts", why);
            }
            Some(Where::Space(space))
        }
        (None, None) => {
            fields.refuse("account", Why::Required);
            None
        }
        (Some(_), Some(_)) => {
            fields.refuse("space", Why::Mismatch { with: "nothing where an account is named" });
            None
        }
    };
    let role = body.role.value();
    if role.is_none() {
        fields.refuse("role", Why::Required);
    }
    fields.finish()?;
    let (role, at) = role.zip(at).ok_or_else(|| Failure::internal("no fault was noted"))?;
    let user = user(&request)?;
    let made = assignments::grant(&request.cx, user, role, at).await?;
    let location = format!("/v1/users/{}/assignments/{}", made.user, made.number);
    Ok(Reply::json(201, &AssignmentOut::from(&made.record))?
        .with("etag", conditions::tag(made.version))
        .with("location", location))
}

/// Takes a role from a user.
pub async fn withdraw(request: Request) -> Result<Reply, Failure> {
    let id = Id::parse(request.param("assignment"), Noun::Assignment)?;
    assignments::withdraw(&request.cx, user(&request)?, id).await?;
    Ok(Reply::empty(204))
}
