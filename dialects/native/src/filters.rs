//! Filters and orders of the customer list: `field=value` and `field[operator]=value`.

use std::sync::LazyLock;

use patron_app::search::{
    CONDITIONS_MAX, Compare, Field, Filter, Order, SEARCHES_MAX, SortKey, VALUES_MAX, customer,
};
use patron_gateway::{Faults, decode::Params, operation::Parameter};
use patron_model::{Timestamp, Why, country::Country, customer::Status};

use crate::customers::read;

/// Parameters of a list that are no filters.
pub const PLAIN: &[&str] =
    &["q", "limit", "cursor", "sort", "expand", "deleted", "total", "as_of", "version"];

/// All fields but the texts of the record and those of addresses.
const OTHERS: [&str; 12] = [
    "name",
    "phone",
    "number",
    "id",
    "created_at",
    "updated_at",
    "deleted_at",
    "status_until",
    "version",
    "balance",
    "work_phone",
    "portal_user_name",
];

/// The filters, for the description: each field alone, and the comparisons that make most sense of
/// it. Every field takes every operator.
pub static PARAMETERS: LazyLock<Vec<Parameter>> = LazyLock::new(|| {
    let named = |name: String, kind, about| Parameter::query(name.leak(), kind, about);
    let of = |name: &&'static str| {
        let (alone, more): (_, &[_]) = match field(name).map(|(_, shape)| shape) {
            Some(Shape::Time) => ("date-time", &[("[gte]", "from then on"), ("[lt]", "before")]),
            Some(Shape::Int) => ("integer", &[("[gte]", "at least"), ("[lte]", "at most")]),
            Some(Shape::Decimal) => ("string", &[("[gte]", "at least"), ("[lte]", "at most")]),
            Some(Shape::Status) => ("string", &[("[in]", "one of these")]),
            Some(Shape::Text) | None => ("string", &[("[prefix]", "how it begins")]),
        };
        let own = Parameter::query(
            name,
            alone,
            "equal to this; [ne], [lt], [lte], [gt], [gte], [in], [missing], [prefix] and \
             [contains] behind the name compare otherwise",
        );
        let more = more.iter();
        let more = more.map(|(operator, about)| named(format!("{name}{operator}"), alone, about));
        std::iter::once(own).chain(more).collect::<Vec<_>>()
    };
    customer::TEXTS.iter().chain(&OTHERS).flat_map(of).collect()
});

/// Why a parameter is refused that names no field.
fn unknown(name: &str) -> Why {
    let own = customer::TEXTS.iter().chain(&OTHERS).chain(PLAIN).copied();
    Why::unknown_field(name, own.chain(["metadata"]))
}

/// What kind of value a field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    /// A word for a status: another one would be found nowhere, and not told from a slip.
    Status,
    Time,
    Int,
    Decimal,
}

/// Fields that can be filtered by, in the API's words.
fn field(name: &str) -> Option<(Field, Shape)> {
    let text = |field| Some((field, Shape::Text));
    match name {
        "number" => Some((customer::number(), Shape::Int)),
        "id" => text(customer::uuid()),
        "email" => text(customer::email_key()),
        "phone" => text(customer::phone_key()),
        "created_at" => Some((customer::created_at(), Shape::Time)),
        "updated_at" => Some((customer::updated_at(), Shape::Time)),
        "deleted_at" => Some((customer::deleted_at(), Shape::Time)),
        "status_until" => Some((customer::status_until(), Shape::Time)),
        "version" => Some((customer::version(), Shape::Int)),
        "balance" => Some((customer::balance(), Shape::Decimal)),
        "name" => text(customer::name_key()),
        "status" => Some((customer::text("status"), Shape::Status)),
        "reference" => text(customer::claimed_reference()),
        "work_phone" => text(customer::work_phone()),
        "portal_user_name" => text(customer::portal_user_name()),
        _ if customer::TEXTS.contains(&name) => text(customer::text(name)),
        _ => address_field(name),
    }
}

fn address_field(name: &str) -> Option<(Field, Shape)> {
    let (slot, field) = name.split_once('.')?;
    match slot {
        _ if !customer::POSTAL.contains(&field) => None,
        "billing" => Some((customer::billing(field), Shape::Text)),
        "shipping" => Some((customer::shipping(field), Shape::Text)),
        _ => None,
    }
}

/// What may stand in brackets behind a field.
const OPERATORS: &str = "eq, ne, lt, lte, gt, gte, in, missing, prefix, contains";

/// Every filter of a query string as one condition, as things are at a moment.
/// Every parameter that is not understood is noted; of too many, no more than that.
pub fn filter(
    params: &Params,
    home: Option<&Country>,
    now: Timestamp,
    faults: &mut Faults,
) -> Filter {
    let mut all = Filter::All;
    if let Err(why) = bounded(params) {
        faults.misread("filters", why);
        return all;
    }
    for (name, value) in filters_of(params) {
        if let Some(filter) = faults.understood(name, one(name, value, home, now)) {
            all = all.and(filter);
        }
    }
    all
}

fn filters_of(params: &Params) -> impl Iterator<Item = (&str, &str)> {
    params.iter().filter(|(name, _)| !PLAIN.contains(name))
}

/// Refuses more conditions, searches inside texts or values than one request may have, before any
/// of them is understood.
fn bounded(params: &Params) -> Result<(), Why> {
    let searches = |name: &str| name.ends_with("[contains]") || name.ends_with("[prefix]");
    let values = |(name, value): (&str, &str)| match name.ends_with("[in]") {
        true => value.split(',').count(),
        false => 0,
    };
    let searching = filters_of(params).filter(|(name, _)| searches(name)).count();
    let listed: usize = filters_of(params).map(values).sum();
    let too_many = |max| Err(Why::TooMany { max });
    match () {
        () if filters_of(params).count() > CONDITIONS_MAX => too_many(CONDITIONS_MAX),
        () if searching > SEARCHES_MAX => too_many(SEARCHES_MAX),
        () if listed > VALUES_MAX => too_many(VALUES_MAX),
        () => Ok(()),
    }
}

fn one(name: &str, value: &str, home: Option<&Country>, now: Timestamp) -> Result<Filter, Why> {
    let (base, bracket) = match name.split_once('[') {
        Some((base, rest)) => (base, rest.strip_suffix(']')),
        None => (name, Some("eq")),
    };
    let bracket = bracket.ok_or_else(|| unknown(name))?;
    if base == "metadata" {
        return Ok(metadata(bracket, value));
    }
    let (field, shape) = field(base).ok_or_else(|| unknown(base))?;
    if shape == Shape::Status {
        return of_status(bracket, value, now);
    }
    let folded = matches!(base, "email" | "name");
    let value_of = |text: &str| parse(text, shape, folded);
    let compare = |op: Compare| Ok(Filter::Compare(field.clone(), op, value_of(value)?));
    let has_number = match base {
        "phone" => Some(customer::has_phone as fn(&str, Option<&Country>) -> Filter),
        "work_phone" => Some(customer::has_work_phone as _),
        _ => None,
    };
    match (bracket, has_number) {
        ("eq", Some(has)) => return Ok(has(value, home)),
        ("ne", Some(has)) => return Ok(Filter::Not(Box::new(has(value, home)))),
        ("in", Some(has)) => {
            return Ok(Filter::Or(value.split(',').map(|one| has(one, home)).collect()));
        }
        _ => {}
    }
    match bracket {
        "eq" => compare(Compare::Equal),
        "ne" => compare(Compare::Equal).map(|filter| Filter::Not(Box::new(filter))),
        "lt" => compare(Compare::Less),
        "lte" => compare(Compare::AtMost),
        "gt" => compare(Compare::Greater),
        "gte" => compare(Compare::AtLeast),
        "in" => {
            let values: Result<Vec<_>, Why> = value.split(',').map(value_of).collect();
            Ok(Filter::OneOf(field, values?))
        }
        "missing" => match value {
            "true" => Ok(Filter::Missing(field)),
            "false" => Ok(Filter::Not(Box::new(Filter::Missing(field)))),
            _ => Err(Why::not_one_of(value, "true, false")),
        },
        "prefix" if shape == Shape::Text => Ok(Filter::StartsWith(field, value.to_owned())),
        "contains" if shape == Shape::Text => Ok(Filter::Contains(field, value.to_owned())),
        _ => Err(Why::not_one_of(bracket, OPERATORS)),
    }
}

/// A condition on the status as it is shown, which is no field: a term may have passed.
fn of_status(operator: &str, value: &str, now: Timestamp) -> Result<Filter, Why> {
    let having = |holds: &dyn Fn(&Status) -> bool| {
        let any: Vec<Status> = Status::ALL.into_iter().filter(holds).collect();
        customer::has_status(&any, now)
    };
    let than = |holds: fn(&str, &str) -> bool| {
        let than = read::status(value)?;
        Ok(having(&|status| holds(status.as_str(), than.as_str())))
    };
    match operator {
        "eq" => than(|one, other| one == other),
        "ne" => than(|one, other| one != other),
        "lt" => than(|one, other| one < other),
        "lte" => than(|one, other| one <= other),
        "gt" => than(|one, other| one > other),
        "gte" => than(|one, other| one >= other),
        "in" => {
            let any: Vec<Status> = value.split(',').map(read::status).collect::<Result<_, _>>()?;
            Ok(having(&|status| any.contains(status)))
        }
        // Everybody has one.
        "missing" => match value {
            "true" => Ok(Filter::Or(Vec::new())),
            "false" => Ok(Filter::All),
            _ => Err(Why::not_one_of(value, "true, false")),
        },
        _ => Err(Why::not_one_of(operator, OPERATORS)),
    }
}

/// `metadata[key]=value`: the key may hold any character but the closing bracket's place.
fn metadata(key: &str, value: &str) -> Filter {
    customer::has_metadata(key, value)
}

fn parse(text: &str, shape: Shape, folded: bool) -> Result<patron_app::search::Value, Why> {
    match shape {
        Shape::Text if folded => Ok(text.to_lowercase().into()),
        Shape::Text | Shape::Status => Ok(text.into()),
        Shape::Time => Timestamp::parse(text).map(|at| at.micros().into()),
        Shape::Int => text
            .parse::<i64>()
            .map(Into::into)
            .map_err(|_| Why::WrongType { expected: "a whole number" }),
        Shape::Decimal => text
            .parse::<rust_decimal::Decimal>()
            .map(|decimal| decimal.to_string().into())
            .map_err(|_| Why::WrongType { expected: "a decimal number" }),
    }
}

/// The order asked for: a field, with `-` before it for descending. Oldest first by default.
///
/// # Errors
/// `Unknown` for a field that cannot be sorted by.
pub fn order(params: &Params) -> Result<Order, Why> {
    let Some(sort) = params.get("sort").filter(|sort| !sort.is_empty()) else {
        return Ok(Order::by_number());
    };
    let (name, descending) = match sort.strip_prefix('-') {
        Some(name) => (name, true),
        None => (sort, false),
    };
    if name == "number" {
        return Ok(Order { keys: Vec::new(), descending });
    }
    match field(name) {
        Some((field, _)) => Ok(Order { keys: vec![SortKey { field, descending }], descending }),
        None => Err(Why::unknown("field", name, customer::TEXTS.iter().chain(&OTHERS).copied())),
    }
}
