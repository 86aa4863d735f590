//! Spaces: `/v1/spaces`. A key for a whole account sees those where its user may.

use std::collections::BTreeMap;

use patron_app::{
    Actor, Loaded,
    addresses::AddressPatch,
    offboarding, places,
    search::{Filter, Query, fields},
    spaces::{self, SpacePatch},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Noun, Permission, Problems, Timestamp, Why,
    address::{Postal, PostalPatch},
    country::Country,
    currency::Currency,
    email::Email,
    space::Space,
    time_zone::TimeZone,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    accounts::{name, own_account, visible},
    addresses::AddressIn,
    conditions,
    customers::{
        PAGE_MAX, read,
        show::{ListOut, PostalOut},
    },
};

/// A space.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Space")]
pub struct SpaceOut<'a> {
    /// UUID.
    id: uuid::Uuid,
    /// Number; names the space in paths and in `Patron-Space`.
    number: i64,
    /// Number of the account that owns it.
    account: i64,
    /// Counts the changes, from 1.
    version: i64,
    /// What people call it.
    name: &'a str,
    /// Whether a change without precondition is refused (428).
    require_precondition: bool,
    /// Whether the audit trail says who read which customer.
    audit_reads: bool,
    /// ISO 3166-1 code of the country in which national phone numbers are read of customers whose
    /// addresses name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    default_country: Option<String>,
    /// Time zone of the business, by its IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
    /// ISO 4217 code of the currency it mostly works in.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    /// Requests in two minutes that are answered; further ones are answered 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_limit: Option<i64>,
    /// Who is written to when something is out of order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    technical_contacts: Vec<&'a str>,
    /// Where the business is.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<PostalOut<'a>>,
    /// Number of the user who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<i64>,
    /// Switches of single APIs, by name.
    dialects: &'a BTreeMap<String, Value>,
    /// When it was created.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
    /// When it was archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    archived_at: Option<String>,
}

impl<'a> SpaceOut<'a> {
    /// A space as this API shows it.
    pub fn of(space: &'a Space) -> Self {
        SpaceOut {
            id: space.uuid,
            number: space.number,
            account: space.account,
            version: space.version,
            name: space.name.as_str(),
            require_precondition: space.require_precondition,
            audit_reads: space.audit_reads,
            default_country: space.default_country.as_ref().map(Country::code),
            time_zone: space.time_zone.as_ref().map(TimeZone::as_str),
            currency: space.currency.as_ref().map(Currency::as_str),
            request_limit: space.request_limit,
            technical_contacts: space.technical_contacts.iter().map(Email::as_str).collect(),
            address: (!space.address.is_empty()).then(|| PostalOut::of(&space.address)),
            created_by: space.created_by,
            dialects: &space.dialects,
            created_at: space.created_at.rfc3339_micros(),
            updated_at: space.updated_at.rfc3339_micros(),
            archived_at: space.archived_at.map(Timestamp::rfc3339_micros),
        }
    }
}

/// A space as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "SpaceInput")]
pub(crate) struct SpaceIn {
    /// What people call it.
    name: Member<String>,
    /// Number of the account; creation only, the own account when absent.
    account: Member<i64>,
    /// Whether a change without precondition is refused (428).
    require_precondition: Member<bool>,
    /// Whether the audit trail says who read which customer.
    audit_reads: Member<bool>,
    /// ISO 3166-1 code of the country in which national phone numbers are read of customers whose
    /// addresses name none; `null`: they are left as typed.
    default_country: Member<String>,
    /// Time zone of the business, by its IANA name.
    time_zone: Member<String>,
    /// ISO 4217 code of the currency it mostly works in.
    currency: Member<String>,
    /// Requests in two minutes that are answered, from 1 on; further ones are answered 429.
    request_limit: Member<i64>,
    /// Who is written to when something is out of order: at most ten e-mail addresses.
    technical_contacts: Member<Vec<String>>,
    /// Where the business is, without `purpose` and `default`; `null` removes it.
    address: Member<AddressIn>,
    /// Switches of single APIs, by name; `null` removes those of an API.
    dialects: Member<BTreeMap<String, Value>>,
    /// Whether it is archived: it answers nothing any more.
    archived: Member<bool>,
}

/// A living space where the caller may do this. One that he may not even see is none.
async fn visible_space(
    request: &Request,
    permission: Permission,
) -> Result<Loaded<Space>, Failure> {
    own_account(request)?;
    let number = request.param("space").parse();
    let number: i64 = number.map_err(|_| Failure::NotFound { noun: Noun::Space })?;
    spaces::space_for(&request.cx, number, permission).await
}

/// The spaces that the caller may see.
pub(crate) async fn list(request: Request) -> Result<Reply, Failure> {
    own_account(&request)?;
    let limit = u32::try_from(PAGE_MAX).unwrap_or(200);
    let reach = places::reach(&request.cx, Permission::SpaceRead).await?;
    let single = reach.spaces.iter().map(|number| (*number).into()).collect();
    let predicate = Filter::Or(vec![
        reach.in_accounts(fields::space::account()),
        Filter::OneOf(fields::space::number(), single),
    ]);
    let page =
        spaces::list::<Space>(&request.cx, Query { predicate, limit, ..Query::of(0) }).await?;
    let data: Vec<SpaceOut<'_>> = page.items.iter().map(|space| SpaceOut::of(space)).collect();
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor: None, total: None })
}

/// One space.
pub(crate) async fn get(request: Request) -> Result<Reply, Failure> {
    let space = visible_space(&request, Permission::SpaceRead).await?;
    let reply = Reply::json(200, &SpaceOut::of(&space))?;
    Ok(conditions::unless_matched(&request, &conditions::tag(space.version), reply))
}

/// A new space.
pub(crate) async fn create(request: Request) -> Result<Reply, Failure> {
    let own = own_account(&request)?;
    let (body, mut fields) = read::body::<SpaceIn>(&request, Reading::NullClears)?;
    let account = body.account.as_ref().copied().unwrap_or(own);
    visible(&request, account, Permission::SpaceWrite).await?;
    if body.name.as_ref().is_none() {
        fields.refuse("name", Why::Required);
    }
    let patch = patch(&request, &mut fields, body);
    fields.finish()?;
    let space = spaces::create_space(&request.cx, account, None, patch).await?;
    Ok(Reply::json(201, &SpaceOut::of(&space))?
        .with("etag", conditions::tag(space.version))
        .with("location", format!("/v1/spaces/{}", space.number)))
}

/// What a body says of a space. Faults are noted.
fn patch(request: &Request, fields: &mut Fields, body: SpaceIn) -> SpacePatch {
    fields.refuse_all(unknown_switches(request, body.dialects.as_ref()));
    let contact = |typed: String| Email::parse(&typed);
    let contacts = |sent: Vec<String>| sent.into_iter().map(contact).collect::<Result<_, Why>>();
    SpacePatch {
        name: name(fields, body.name),
        require_precondition: body.require_precondition.value(),
        audit_reads: body.audit_reads.value(),
        default_country: fields.text("default_country", body.default_country, Country::parse),
        time_zone: fields.text("time_zone", body.time_zone, TimeZone::parse),
        currency: fields.text("currency", body.currency, Currency::parse),
        request_limit: fields.parse("request_limit", body.request_limit, Ok),
        technical_contacts: match body.technical_contacts {
            Member::Null => Some(Vec::new()),
            sent => fields.parse("technical_contacts", sent, contacts).apply(None),
        },
        address: address(fields, body.address),
        dialects: body.dialects.value(),
        archived: body.archived.value(),
    }
}

/// What shall become of the address of a space, member by member.
fn address(fields: &mut Fields, sent: Member<AddressIn>) -> PostalPatch {
    match sent {
        Member::Absent => PostalPatch::default(),
        Member::Null => PostalPatch::replacing(Postal::default()),
        Member::Value(sent) => {
            let AddressPatch { purpose, is_default, postal } =
                fields.within("address", fields.reading(), |fields| sent.patch(fields));
            for (name, is_said) in
                [("purpose", purpose.is_some()), ("default", is_default.is_some())]
            {
                if is_said {
                    let why = Why::Mismatch { with: "nothing: a space has one address" };
                    fields.refuse(&format!("address.{name}"), why);
                }
            }
            postal
        }
    }
}

/// Switches that no API has: they would do nothing.
fn unknown_switches(request: &Request, sent: Option<&BTreeMap<String, Value>>) -> Problems {
    let mut problems = Problems::new();
    for (name, switches) in sent.into_iter().flatten() {
        match request.site.dialects.iter().find(|dialect| dialect.name == name) {
            Some(dialect) => dialect.check_switches(switches, &mut problems),
            // What an API left behind that is not served any more can be removed.
            None if switches.is_null() => {}
            None => {
                let known = request.site.dialects.iter().map(|dialect| dialect.name);
                problems.add(format!("dialects.{name}"), Why::unknown_field(name, known));
            }
        }
    }
    problems
}

/// A changed or archived space.
pub(crate) async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    let number = visible_space(&request, Permission::SpaceWrite).await?.number;
    let (body, mut fields) = read::body::<SpaceIn>(&request, Reading::NullClears)?;
    if body.account.as_ref().is_some() {
        fields.refuse("account", Why::ReadOnly);
    }
    let patch = patch(&request, &mut fields, body);
    fields.finish()?;
    let expect = condition.expect();
    let space = spaces::update_space(&request.cx, number, expect, patch).await?;
    Ok(Reply::json(200, &SpaceOut::of(&space))?.with("etag", conditions::tag(space.version)))
}

/// A space on its way out.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LeavingSpace")]
pub(crate) struct LeavingOut<'a> {
    /// Number of the space.
    space: i64,
    /// Rows by kind that go with it.
    counts: &'a BTreeMap<String, u64>,
    /// Keys that open this space only and go with it.
    keys: u64,
    /// When the deletion began; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    deleted_at: Option<String>,
    /// Where the receipt will be, once nothing is left; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
}

/// A space is deleted for good, with everything in it.
pub(crate) async fn delete(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::if_match(&request)?;
    let number = match request.cx.repeats::<Space>() {
        Some(number) => number,
        None => visible_space(&request, Permission::SpaceDelete).await?.number,
    };
    if let Actor::Caller(caller) = &request.cx.actor
        && caller.person.is_none()
        && caller.key.space == number
    {
        let (is, needs) = ("the space of this key", "another");
        return Err(Failure::WrongState { is, needs });
    }
    if request.cx.dry_run {
        let offboarding::Leaving { counts, keys, .. } =
            offboarding::look(&request.cx, number).await?;
        let out =
            LeavingOut { space: number, counts: &counts, keys, deleted_at: None, receipt: None };
        return Reply::json(200, &out);
    }
    if condition == conditions::Condition::None {
        // Whoever deletes for good says which state they have looked at.
        return Err(Failure::PreconditionRequired);
    }
    let export = export_made(&request)?;
    let space = offboarding::begin(&request.cx, number, condition.expect(), export).await?;
    offboarding::finish_later(&request.cx, number);
    let deletion = space.deletion.as_ref().ok_or(Failure::internal("a deletion left no mark"))?;
    let out = LeavingOut {
        space: number,
        counts: &deletion.counts,
        keys: deletion.keys,
        deleted_at: Some(deletion.at.rfc3339_micros()),
        receipt: Some(format!("/v1/audit-log?space={number}&action=space.purged")),
    };
    Reply::json(202, &out)
}

/// The export that was made before everything goes, by its SHA-256, which the receipt keeps; none
/// where the caller says that there is none to be.
fn export_made(request: &Request) -> Result<Option<String>, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let flag = |word: &str| match word {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Why::not_one_of(word, "true, false")),
    };
    let sum = |sum: &str| match sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(sum.to_ascii_lowercase()),
        false => Err(Why::Malformed { expected: "64 hexadecimal digits" }),
    };
    let (sent, without) = (params.get("export_sha256"), params.get("without_export"));
    let without = without.and_then(|word| faults.understood("without_export", flag(word)));
    let kept = sent.and_then(|text| faults.understood("export_sha256", sum(text)));
    match (sent, without, params.get("without_export")) {
        (Some(_), Some(true), _) => {
            let why = Why::Mismatch { with: "nothing when without_export is true" };
            faults.misread("export_sha256", why);
        }
        (None, None, None) | (None, Some(false), _) => {
            faults.misread("export_sha256", Why::Required);
        }
        (_, None | Some(_), _) => {}
    }
    faults.finish()?;
    Ok(kept)
}
