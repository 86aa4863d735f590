//! Spaces (dossier §9.1).

use patron_app::{
    Expect, Loaded, offboarding, places,
    search::{Filter, fields::space as fields},
    spaces::{self, SpacePatch},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request, catalogue::Expand};
use patron_model::{
    Failure, Permission, Why, address::Postal, currency::Currency, email::Email,
    space::Space as Record, text::Name, time_zone::TimeZone,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    accounts::{AccountReference, name, shown_name},
    addresses::postal::{PostalAddress, PostalAddressCreate},
    catalogues::expand,
    filters::Kind,
    input::{Object, clearing, expected, request_limit, required},
    limits::{EMAIL_MAX, at_most},
    lists::{ListParams, SearchParams, Searched, States},
    transport::number,
};

/// A space as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Space<'a> {
    /// Number of the space.
    id: i64,
    /// Version a change must name.
    version: i64,
    /// When it was made.
    created_on: String,
    /// The user who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<i64>,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_on: Option<String>,
    /// The user who deleted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_by: Option<i64>,
    /// Until when it may be removed for good: it is being removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    planned_purge_date: Option<String>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// The account it belongs to.
    account: AccountReference,
    /// `ACTIVE`, `INACTIVE`, `DELETING` or `DELETED`.
    state: &'static str,
    /// Whether it answers.
    active: bool,
    /// No space is active in part.
    restricted_active: bool,
    /// Whether it answers.
    active_or_restricted_active: bool,
    /// Time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
    /// Currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_currency: Option<&'a str>,
    /// Requests in two minutes that are answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_limit: Option<i64>,
    /// Who is written to when something is out of order.
    technical_contact_addresses: Vec<&'a str>,
    /// Where the business is.
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_address: Option<PostalAddress<'a>>,
}

/// The states of a space.
const STATES: States = States {
    living: &["ACTIVE", "INACTIVE"],
    gone: &["DELETING", "DELETED"],
    filter: in_state,
    sorted: fields::archived_at,
};

fn state(record: &Record) -> &'static str {
    match (&record.deletion, record.archived_at) {
        (Some(deletion), _) if deletion.done_at.is_some() => "DELETED",
        (Some(_), _) => "DELETING",
        (None, Some(_)) => "INACTIVE",
        (None, None) => "ACTIVE",
    }
}

impl<'a> Space<'a> {
    async fn of(
        request: &Request,
        record: &'a Record,
        wanted: &Expand,
    ) -> Result<Space<'a>, Failure> {
        let account = AccountReference::to(&request.cx, record.account, wanted.at("account"));
        let deletion = record.deletion.as_ref();
        Ok(Space {
            id: record.number,
            version: record.version,
            created_on: record.created_at.rfc3339_millis(),
            created_by: record.created_by,
            deleted_on: deletion.map(|deletion| deletion.at.rfc3339_millis()),
            deleted_by: deletion.and_then(|deletion| deletion.by),
            planned_purge_date: deletion
                .filter(|deletion| deletion.done_at.is_none())
                .map(|deletion| deletion.at.rfc3339_millis()),
            name: shown_name(&record.name),
            account: account.await?,
            state: state(record),
            active: record.is_open(),
            restricted_active: false,
            active_or_restricted_active: record.is_open(),
            time_zone: record.time_zone.as_ref().map(TimeZone::as_str),
            primary_currency: record.currency.as_ref().map(Currency::as_str),
            request_limit: record.request_limit,
            technical_contact_addresses: record
                .technical_contacts
                .iter()
                .map(Email::as_str)
                .collect(),
            postal_address: (!record.address.is_empty())
                .then(|| PostalAddress::of(&record.address)),
        })
    }
}

/// A space as a body says it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SpaceIn {
    /// Version the change builds on; required for changes.
    version: Member<i32>,
    /// The account it belongs to; creation only, and required then.
    account: Member<i64>,
    /// What people call it, 3 to 200 characters; that of the account when absent.
    name: Member<String>,
    /// `ACTIVE` or `INACTIVE`.
    state: Member<String>,
    /// Time zone.
    time_zone: Member<String>,
    /// Currency.
    primary_currency: Member<String>,
    /// Requests in two minutes that are answered; 0: any number.
    request_limit: Member<i64>,
    /// Who is written to when something is out of order, at most ten.
    technical_contact_addresses: Member<Vec<String>>,
    /// Where the business is; replaces what is there.
    postal_address: Member<Object<PostalAddressCreate>>,
    /// Where the provider keeps it: there is one place here.
    #[schemars(skip)]
    database: IgnoredAny,
}

fn contacts(sent: Vec<String>) -> Result<Vec<Email>, Why> {
    let one = |typed: String| {
        at_most(&typed, EMAIL_MAX)?;
        Email::parse(&typed)
    };
    sent.into_iter().map(one).collect()
}

/// What a body says of a space. Faults are noted.
fn patch(body: SpaceIn, before: &Postal, fields: &mut Fields) -> SpacePatch {
    let archived = fields.text("state", body.state, |word| match word {
        "ACTIVE" => Ok(false),
        "INACTIVE" => Ok(true),
        _ => Err(Why::not_one_of(word, "ACTIVE, INACTIVE")),
    });
    let address = body.postal_address.as_ref().map(|address| {
        let read = |fields: &mut Fields| address.0.patch(before, fields);
        fields.within("postalAddress", fields.reading(), read)
    });
    let sent = body.technical_contact_addresses;
    SpacePatch {
        name: fields.text("name", body.name, name).apply(None),
        time_zone: clearing(fields, "timeZone", body.time_zone, TimeZone::parse),
        currency: clearing(fields, "primaryCurrency", body.primary_currency, Currency::parse),
        request_limit: request_limit(body.request_limit),
        technical_contacts: fields.parse("technicalContactAddresses", sent, contacts).apply(None),
        address: address.unwrap_or_default(),
        archived: archived.apply(None),
        ..SpacePatch::default()
    }
}

// ---- reading --------------------------------------------------------------------------------

fn resolve(name: &str) -> Option<(Searched, Kind)> {
    let field = |field, kind| Some((Searched::Field(field), kind));
    match name {
        "id" => field(fields::number(), Kind::Whole),
        "version" => field(fields::version(), Kind::Whole),
        "name" => field(fields::name(), Kind::Text),
        "account" | "account.id" => field(fields::account(), Kind::Whole),
        "timeZone" => field(fields::time_zone(), Kind::Text),
        "primaryCurrency" => field(fields::currency(), Kind::Text),
        "requestLimit" => field(fields::request_limit(), Kind::Whole),
        "createdOn" => field(fields::created_at(), Kind::Moment),
        "createdBy" => field(fields::created_by(), Kind::Whole),
        "state" => Some((Searched::State, Kind::Text)),
        _ => None,
    }
}

fn in_state(word: &str) -> Filter {
    let deleted = Filter::Missing(fields::deleted_at());
    let archived = Filter::Missing(fields::archived_at());
    let purged = Filter::Missing(fields::purged_at());
    let not = |filter| Filter::Not(Box::new(filter));
    match word {
        "ACTIVE" => deleted.and(archived),
        "INACTIVE" => deleted.and(not(archived)),
        "DELETING" => not(deleted).and(purged),
        _ => not(deleted).and(not(purged)),
    }
}

/// Spaces that the caller may see.
async fn visible(request: &Request) -> Result<Filter, Failure> {
    let reach = places::reach(&request.cx, Permission::SpaceRead).await?;
    let single = reach.spaces.iter().map(|number| (*number).into()).collect();
    let in_accounts = reach.in_accounts(fields::account());
    Ok(Filter::Or(vec![in_accounts, Filter::OneOf(fields::number(), single)]))
}

async fn shown<'a>(request: &Request, records: &'a [Record]) -> Result<Vec<Space<'a>>, Failure> {
    let wanted = expand(request);
    let mut shown = Vec::with_capacity(records.len());
    for record in records {
        shown.push(Space::of(request, record, &wanted).await?);
    }
    Ok(shown)
}

/// `GET /spaces`
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let params = ListParams::read(&request)?;
    let mut query = params.query(0);
    query.predicate = visible(&request).await?.and(query.predicate);
    let found = spaces::list::<Record>(&request.cx, query).await?;
    let records: Vec<Record> = found.items.into_iter().map(|one| one.record).collect();
    Reply::json(200, &params.page(shown(&request, &records).await?, found.more))
}

/// `GET /spaces/search`: those that were deleted are found where their state is asked for.
pub async fn search(request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(&request, &resolve)?;
    let visible = visible(&request).await?;
    let found = params.find::<Record>(&request.cx, &STATES, visible).await?;
    let records: Vec<Record> = found.items.into_iter().map(|one| one.record).collect();
    Reply::json(200, &params.page(shown(&request, &records).await?, found.more))
}

/// `GET /spaces/{id}`: also one that was deleted.
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let number = number(&request, "id")?;
    let record = spaces::space_ever_for(&request.cx, number, Permission::SpaceRead).await?;
    Reply::json(200, &Space::of(&request, &record, &expand(&request)).await?)
}

// ---- writing --------------------------------------------------------------------------------

/// `POST /spaces`
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = request.read::<SpaceIn>(Reading::NullKeeps)?;
    let account = required(&mut fields, "account", body.account.clone());
    let patch = patch(body, &Postal::default(), &mut fields);
    fields.finish()?;
    let account = account.ok_or_else(|| Failure::internal("no fault was noted"))?;
    let may = Permission::SpaceWrite;
    let account = spaces::account_named(&request.cx, "account", account, may).await?;
    let name: Name = patch.name.clone().unwrap_or_else(|| account.name.clone());
    let patch = SpacePatch { name: Some(name), ..patch };
    let made = spaces::create_space(&request.cx, account.number, None, patch).await?;
    Reply::json(201, &Space::of(&request, &made, &expand(&request)).await?)
}

/// The living space of the path, where the caller may do this.
async fn living(request: &Request, permission: Permission) -> Result<Loaded<Record>, Failure> {
    spaces::space_for(&request.cx, number(request, "id")?, permission).await
}

/// Nobody saws off the branch he sits on: a key is at home in one space.
fn not_own(request: &Request, number: i64) -> Result<(), Failure> {
    match number == request.cx.caller()?.key.space {
        true => Err(Failure::WrongState { is: "the space of this user's key", needs: "another" }),
        false => Ok(()),
    }
}

/// `PATCH /spaces/{id}`
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let space = living(&request, Permission::SpaceWrite).await?;
    let (body, mut fields) = request.read::<SpaceIn>(Reading::NullKeeps)?;
    let expect = expected(&mut fields, body.version.clone());
    let patch = patch(body, &space.address, &mut fields);
    fields.finish()?;
    if patch.archived == Some(true) {
        not_own(&request, space.number)?;
    }
    let saved = spaces::update_space(&request.cx, space.number, expect, patch).await?;
    Reply::json(200, &Space::of(&request, &saved, &expand(&request)).await?)
}

/// `DELETE /spaces/{id}`: for good, with everything in it.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let space = living(&request, Permission::SpaceDelete).await?;
    not_own(&request, space.number)?;
    offboarding::begin(&request.cx, space.number, Expect::Any, None).await?;
    offboarding::finish_later(&request.cx, space.number);
    Ok(Reply::empty(204))
}
