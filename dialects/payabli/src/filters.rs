//! The filter grammar of lists (dossier §4.6): `field(op)=value`, in five encodings, all and-ed.

use std::str::FromStr;

use patron_app::search::{CONDITIONS_MAX, Compare, Filter, SEARCHES_MAX, customer};
use patron_gateway::Faults;
use patron_model::{
    Failure, Timestamp, Why,
    customer::{STAND_IN, Status},
};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::{
    NAME,
    customers::{
        fields::{TextField, name_contains},
        show,
    },
    query::Parameters,
    spaces::Paypoint,
};

/// Most filters of one request.
const FILTERS_MAX: usize = CONDITIONS_MAX;
/// Most values of one `in` or `nin`.
const VALUES_MAX: usize = 100;
/// Parameters of lists and exports that are no filters.
const NO_FILTERS: [&str; 5] =
    ["fromRecord", "limitRecord", "sortBy", "exportFormat", "columnsExport"];
/// Seconds of a day.
const DAY_SECONDS: i64 = 24 * 3600;

/// One filter as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Field, as written.
    pub field: String,
    /// Operator; `eq` when none was written.
    pub op: String,
    /// Value.
    pub value: String,
}

impl Clause {
    fn parse(name: &str, value: &str) -> Clause {
        let (field, op) = match name.split_once('(') {
            Some((field, rest)) => (field, rest.strip_suffix(')').unwrap_or(rest)),
            None => (name, "eq"),
        };
        let op = if op.is_empty() { "eq" } else { op };
        Clause { field: field.to_owned(), op: op.to_owned(), value: value.to_owned() }
    }

    fn refused(&self, why: Why) -> Failure {
        // Only fields with a fixed name come here; the name is not the caller's text.
        Failure::malformed(&self.field, why)
    }
}

/// The filters of a query string, in whichever encoding.
///
/// # Errors
/// `Malformed` when `parameters` holds JSON that is no object of texts, or there are too many.
pub fn clauses(query: &Parameters) -> Result<Vec<Clause>, Failure> {
    let mut all = Vec::new();
    for (name, value) in query.iter().filter(|(name, _)| !NO_FILTERS.contains(name)) {
        if name == "parameters" {
            nested(value, &mut all)?;
            continue;
        }
        let inner = name.strip_prefix("parameters[").and_then(|rest| rest.strip_suffix(']'));
        all.push(Clause::parse(inner.unwrap_or(name), value));
    }
    let searches = |clause: &&Clause| matches!(clause.op.as_str(), "ct" | "nct");
    let searching = all.iter().filter(searches).count();
    for (count, max) in [(all.len(), FILTERS_MAX), (searching, SEARCHES_MAX)] {
        if count > max {
            return Err(Failure::malformed("parameters", Why::TooMany { max }));
        }
    }
    Ok(all)
}

/// The value of `parameters`: a JSON object of filters, or filters as they are.
fn nested(value: &str, all: &mut Vec<Clause>) -> Result<(), Failure> {
    if !value.trim_start().starts_with('{') {
        let parts = split_filters(value);
        let pairs = parts.iter().map(|part| part.split_once('=').unwrap_or((part, "")));
        all.extend(pairs.map(|(name, value)| Clause::parse(name, value)));
        return Ok(());
    }
    let wrong = || Failure::malformed("parameters", Why::Malformed { expected: "a JSON object" });
    let members: Map<String, Value> = serde_json::from_str(value).map_err(|_| wrong())?;
    for (name, member) in members {
        match member {
            Value::Null => {}
            Value::String(text) => all.push(Clause::parse(&name, &text)),
            Value::Bool(_) | Value::Number(_) => {
                all.push(Clause::parse(&name, &member.to_string()));
            }
            Value::Array(_) | Value::Object(_) => return Err(wrong()),
        }
    }
    Ok(())
}

/// Splits at ampersands, but only before something that looks like a filter: a value may have some.
fn split_filters(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices('&') {
        let name = text[at + 1..].split('=').next().unwrap_or_default();
        if name.ends_with(')') && name.contains('(') && !name.contains('&') {
            parts.push(&text[start..at]);
            start = at + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// What filters ask for: which paypoints, and which of their customers.
#[derive(Debug)]
pub struct Asked {
    /// Condition on customers, deleted ones excluded unless they were asked for.
    pub condition: Filter,
    /// Paypoints left, by number.
    pub paypoints: Vec<i64>,
}

/// Compiles filters. A field that is not known is ignored (dossier §4.6); an operator the field
/// does not have, or a value that is none, is noted.
///
/// # Errors
/// A failure that is no fault of the input.
pub fn compile(
    clauses: &[Clause],
    paypoints: &[Paypoint],
    now: Timestamp,
    faults: &mut Faults,
) -> Result<Asked, Failure> {
    let mut left: Vec<&Paypoint> = paypoints.iter().collect();
    let mut conditions = Vec::new();
    let mut wants_deleted = false;
    for clause in clauses {
        match faults.keep(of_paypoint(clause))? {
            Some(None) => {}
            Some(Some(of_paypoint)) => {
                left.retain(|paypoint| of_paypoint.holds(paypoint));
                continue;
            }
            None => continue,
        }
        if clause.field == "status" {
            if let Some(status) = faults.keep(StatusFilter::parse(clause))? {
                wants_deleted |= !status.negated && status.codes.contains(&show::DELETED);
                conditions.push(status.condition(now));
            }
        } else {
            conditions.extend(faults.keep(of_customer(clause))?.flatten());
        }
    }
    if !wants_deleted {
        conditions.insert(0, customer::living());
    }
    let condition = conditions.into_iter().fold(Filter::All, Filter::and);
    Ok(Asked { condition, paypoints: left.iter().map(|paypoint| paypoint.id).collect() })
}

fn of_customer(clause: &Clause) -> Result<Option<Filter>, Failure> {
    let condition = match clause.field.as_str() {
        "createdDate" => created(clause)?,
        "balance" => balance(clause)?,
        "name" => {
            let contains = name_contains(&clause.value);
            match clause.op.as_str() {
                "ct" => contains,
                "nct" => Filter::Not(Box::new(contains)),
                _ => return Err(clause.refused(Why::NotOneOf { allowed: "ct, nct" })),
            }
        }
        name => match text_field(name) {
            Some(field) => text(clause, &field)?,
            None => return Ok(None),
        },
    };
    Ok(Some(condition))
}

/// The text fields that can be filtered by; names are case-sensitive (dossier §4.6).
fn text_field(name: &str) -> Option<TextField> {
    const KNOWN: [&str; 15] = [
        "customernumber",
        "firstname",
        "lastname",
        "address",
        "city",
        "country",
        "zip",
        "state",
        "shippingaddress",
        "shippingcity",
        "shippingcountry",
        "shippingzip",
        "shippingstate",
        "company",
        "email",
    ];
    match name {
        "phone" => Some(TextField::Phone),
        "username" => Some(TextField::UserName),
        _ if KNOWN.contains(&name) => Some(TextField::named(name)),
        _ => name.strip_prefix("additional-").map(|key| TextField::Custom(key.to_owned())),
    }
}

fn text(clause: &Clause, field: &TextField) -> Result<Filter, Failure> {
    let value = &clause.value;
    match clause.op.as_str() {
        "eq" => Ok(field.equals(value)),
        "ne" => Ok(Filter::Not(Box::new(field.equals(value)))),
        "ct" => Ok(field.contains(value)),
        "nct" => Ok(Filter::Not(Box::new(field.contains(value)))),
        _ => {
            let why = Why::NotOneOf { allowed: "eq, ne, ct, nct" };
            let named = match field {
                TextField::Custom(_) => "additional",
                _ => clause.field.as_str(),
            };
            Err(Failure::malformed(named, why))
        }
    }
}

/// The comparison of an ordering operator; `None` for `ne`.
fn ordering(clause: &Clause) -> Result<Option<Compare>, Failure> {
    match clause.op.as_str() {
        "eq" => Ok(Some(Compare::Equal)),
        "ne" => Ok(None),
        "gt" => Ok(Some(Compare::Greater)),
        "ge" => Ok(Some(Compare::AtLeast)),
        "lt" => Ok(Some(Compare::Less)),
        "le" => Ok(Some(Compare::AtMost)),
        _ => Err(clause.refused(Why::NotOneOf { allowed: "gt, ge, lt, le, eq, ne" })),
    }
}

/// A day or second is shorter to write than a moment: `eq` means "within it".
fn created(clause: &Clause) -> Result<Filter, Failure> {
    let text = clause.value.trim();
    let at = Timestamp::parse(text).map_err(|why| clause.refused(why))?;
    let until = match () {
        () if text.len() == "2026-01-02".len() => at.plus_seconds(DAY_SECONDS),
        () if text.contains('.') => Timestamp::from_micros(at.micros() + 1),
        () => at.plus_seconds(1),
    };
    let compare = |compare, at: Timestamp| {
        Filter::Compare(customer::created_at(), compare, at.micros().into())
    };
    let within = Filter::And(vec![compare(Compare::AtLeast, at), compare(Compare::Less, until)]);
    Ok(match ordering(clause)? {
        Some(Compare::Equal) => within,
        None => Filter::Not(Box::new(within)),
        Some(other) => compare(other, at),
    })
}

/// A customer without balance has the balance 0, as it is shown.
fn balance(clause: &Clause) -> Result<Filter, Failure> {
    let text = clause.value.trim();
    let wanted = Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text));
    let wanted = wanted.map_err(|_| clause.refused(Why::WrongType { expected: "a number" }))?;
    let field = customer::balance();
    let holds = |compare: Compare| {
        let zero = Decimal::ZERO;
        let of_none = match compare {
            Compare::Equal => zero == wanted,
            Compare::Less => zero < wanted,
            Compare::AtMost => zero <= wanted,
            Compare::Greater => zero > wanted,
            Compare::AtLeast => zero >= wanted,
        };
        let known = Filter::Compare(field.clone(), compare, wanted.normalize().to_string().into());
        if of_none { Filter::Or(vec![known, Filter::Missing(field.clone())]) } else { known }
    };
    Ok(match ordering(clause)? {
        Some(compare) => holds(compare),
        None => Filter::Not(Box::new(holds(Compare::Equal))),
    })
}

/// A filter by `customerStatus`.
struct StatusFilter {
    negated: bool,
    codes: Vec<i64>,
}

impl StatusFilter {
    fn parse(clause: &Clause) -> Result<StatusFilter, Failure> {
        let (negated, several) = match clause.op.as_str() {
            "eq" => (false, false),
            "ne" => (true, false),
            "in" => (false, true),
            "nin" => (true, true),
            _ => return Err(clause.refused(Why::NotOneOf { allowed: "in, nin, eq, ne" })),
        };
        let parts: Vec<&str> =
            if several { clause.value.split('|').collect() } else { vec![&clause.value] };
        if parts.len() > VALUES_MAX {
            return Err(clause.refused(Why::TooMany { max: VALUES_MAX }));
        }
        let wrong = || clause.refused(Why::WrongType { expected: "a whole number" });
        let codes: Result<_, _> =
            parts.iter().map(|part| part.trim().parse::<i64>().map_err(|_| wrong())).collect();
        Ok(StatusFilter { negated, codes: codes? })
    }

    fn condition(&self, now: Timestamp) -> Filter {
        let any = Filter::Or(self.codes.iter().map(|code| has_status(*code, now)).collect());
        if self.negated { Filter::Not(Box::new(any)) } else { any }
    }
}

/// Whether no status was ever set, which is shown as inactive.
fn stood_in() -> Filter {
    Filter::equal(customer::extra(NAME, STAND_IN), show::INACTIVE.to_string())
}

/// A status is over when its term is; the customer counts as active then.
fn has_status(code: i64, now: Timestamp) -> Filter {
    let is = |any: &[Status]| customer::living().and(customer::has_status(any, now));
    match code {
        show::DELETED => Filter::Not(Box::new(customer::living())),
        show::INACTIVE => Filter::Or(vec![
            is(&[Status::Inactive]),
            Filter::And(vec![customer::living(), stood_in()]),
        ]),
        show::LOCKED => is(&[Status::Locked, Status::Blocked]),
        show::ACTIVE => is(&[Status::Active]).and(Filter::Not(Box::new(stood_in()))),
        _ => Filter::Or(Vec::new()),
    }
}

/// A filter that speaks of the paypoint, not of the customer.
enum PaypointFilter {
    Id { field: fn(&Paypoint) -> i64, id: i64, negated: bool },
    Name { field: fn(&Paypoint) -> &str, value: String, part: bool, negated: bool },
}

impl PaypointFilter {
    fn holds(&self, paypoint: &Paypoint) -> bool {
        match self {
            PaypointFilter::Id { field, id, negated } => (field(paypoint) == *id) != *negated,
            PaypointFilter::Name { field, value, part, negated } => {
                let text = field(paypoint).to_lowercase();
                let found = if *part { text.contains(value) } else { text == *value };
                found != *negated
            }
        }
    }
}

fn of_paypoint(clause: &Clause) -> Result<Option<PaypointFilter>, Failure> {
    let id: Option<fn(&Paypoint) -> i64> = match clause.field.as_str() {
        "paypointId" => Some(|paypoint| paypoint.id),
        "orgId" => Some(|paypoint| paypoint.organization_id),
        _ => None,
    };
    if let Some(field) = id {
        let negated = match (clause.field.as_str(), clause.op.as_str()) {
            (_, "eq") => false,
            ("paypointId", "ne") => true,
            ("paypointId", _) => return Err(clause.refused(Why::NotOneOf { allowed: "eq, ne" })),
            _ => return Err(clause.refused(Why::NotOneOf { allowed: "eq" })),
        };
        let wrong = |_| clause.refused(Why::WrongType { expected: "a whole number" });
        let id = clause.value.trim().parse().map_err(wrong)?;
        return Ok(Some(PaypointFilter::Id { field, id, negated }));
    }
    let field: fn(&Paypoint) -> &str = match clause.field.as_str() {
        "paypointLegal" => |paypoint| &paypoint.legal_name,
        "paypointDba" => |paypoint| &paypoint.dba_name,
        "orgName" => |paypoint| &paypoint.organization_name,
        _ => return Ok(None),
    };
    let (part, negated) = match clause.op.as_str() {
        "eq" => (false, false),
        "ne" => (false, true),
        "ct" => (true, false),
        "nct" => (true, true),
        _ => return Err(clause.refused(Why::NotOneOf { allowed: "eq, ne, ct, nct" })),
    };
    let value = clause.value.to_lowercase();
    Ok(Some(PaypointFilter::Name { field, value, part, negated }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(query: &str) -> Vec<(String, String, String)> {
        let all = clauses(&Parameters::parse(query)).expect("filters");
        all.into_iter().map(|c| (c.field, c.op, c.value)).collect()
    }

    #[test]
    fn five_encodings_mean_the_same_filter() {
        let want = [("email".to_owned(), "ct".to_owned(), "example".to_owned())];
        for query in [
            "email(ct)=example",
            "email%28ct%29=example",
            "parameters%5Bemail%28ct%29%5D=example",
            "parameters=%7B%22email(ct)%22%3A%22example%22%7D",
            "parameters=email(ct)=example",
            "parameters=email(ct)%3Dexample",
            "email(ct)%3Dexample",
        ] {
            assert_eq!(parsed(query), want, "{query}");
        }
    }

    #[test]
    fn several_filters_stay_apart_and_values_stay_whole() {
        let joined = parsed("parameters=email(ct)%3Da%26b%26status(in)%3D0%7C1");
        assert_eq!(joined[0].2, "a&b");
        assert_eq!((joined[1].0.as_str(), joined[1].2.as_str()), ("status", "0|1"));
        let json = parsed(r#"parameters={"a(eq)":"1","b":2,"c":null,"d":true}"#);
        assert_eq!(json.len(), 3);
        assert_eq!(json[1], ("b".into(), "eq".into(), "2".into()));
    }

    #[test]
    fn paging_is_no_filter_and_json_must_be_flat() {
        assert!(parsed("fromRecord=1&limitRecord=2&sortBy=asc(a)&exportFormat=csv").is_empty());
        for bad in ["parameters={", r#"parameters={"a":{}}"#, r#"parameters={"a":[1]}"#] {
            assert!(clauses(&Parameters::parse(bad)).is_err(), "{bad}");
        }
        let many = |op: &str, count: usize| {
            let all: Vec<String> = (0..count).map(|n| format!("email({op})={n}")).collect();
            clauses(&Parameters::parse(&all.join("&")))
        };
        assert!(many("ne", FILTERS_MAX).is_ok() && many("ne", FILTERS_MAX + 1).is_err());
        assert!(many("nct", SEARCHES_MAX).is_ok() && many("nct", SEARCHES_MAX + 1).is_err());
    }
}
