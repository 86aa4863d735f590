//! Operations on catalogues: one handler for each way to read, whatever the catalogue. They are in
//! no space and tell nothing about anybody, so any key may read them.

use patron_gateway::{
    Exchange, Operation, Reply, Request,
    catalogue::{Catalogue, Expand, Row},
    schema::{Field, Holds, Shape},
};
use patron_model::Failure;
use serde_json::Value as Json;

use crate::{
    families::{CATALOGUES, FAMILIES, Family, Listing},
    filters::{Kind, Value},
    lists::{ListParams, ListResponse, SearchParams, SearchResponse},
    operations::negotiated,
    table,
};

/// Language of a localized text that is searched without naming one.
const LANGUAGE: &str = "en-US";

/// Every operation on catalogues, as the table of operations describes them.
pub fn operations() -> Vec<Operation> {
    FAMILIES.iter().flat_map(of_family).collect()
}

fn of_family(family: &'static Family) -> Vec<Operation> {
    let rows = table::of_prefix(family.prefix);
    let line = |row: &'static table::Row| {
        let ending = row.id.trim_start_matches(family.prefix);
        let handler = move |request: Request| async move {
            match ending {
                "_search" => search(family, &request),
                "_retrieve" => retrieve(family, &request),
                _ => list(family, &request),
            }
        };
        let line = row.line(negotiated("application/json", handler)).any_key();
        table::described(line).answers(row.status, CATALOGUES.schemas(), row.reply)
    };
    rows.map(line).collect()
}

fn rows(family: &Family) -> Result<&'static Catalogue, Failure> {
    let known = CATALOGUES.of(family.of);
    known.ok_or_else(|| Failure::internal(format!("no rows of {}", family.of)))
}

/// Which references a request wants to see whole.
pub fn expand(exchange: &Exchange) -> Expand {
    let query = exchange.query();
    Expand::of(query.all("expand").flat_map(|value| value.split(',')))
}

fn shown<'a>(
    family: &Family,
    exchange: &Exchange,
    rows: impl IntoIterator<Item = &'a Row>,
) -> Vec<Json> {
    let wanted = expand(exchange);
    rows.into_iter().map(|row| CATALOGUES.show(family.of, row, &wanted)).collect()
}

fn number(row: &Row) -> i64 {
    row.get("id").and_then(Json::as_i64).unwrap_or_default()
}

fn list(family: &Family, request: &Request) -> Result<Reply, Failure> {
    let rows = rows(family)?.rows();
    match family.listing {
        Listing::Paged => {
            let page = ListParams::read(request)?.page_of(rows.iter().collect(), |row| number(row));
            let ListResponse { data, has_more, limit } = page;
            let data = shown(family, request, data);
            Reply::json(200, &ListResponse { data, has_more, limit })
        }
        Listing::Whole => {
            let data = shown(family, request, rows);
            let limit = u32::try_from(data.len()).map_err(Failure::internal)?;
            Reply::json(200, &ListResponse { data, has_more: false, limit })
        }
        Listing::Bare(above) => match request.params.last() {
            None => Reply::json(200, &shown(family, request, rows)),
            Some((name, key)) => {
                CATALOGUES.of(above).and_then(|all| all.get(key)).ok_or(Failure::NoRoute)?;
                let is_of = |row: &&Row| row.get(*name).and_then(Json::as_str) == Some(key);
                Reply::json(200, &shown(family, request, rows.iter().filter(is_of)))
            }
        },
    }
}

fn search(family: &Family, request: &Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(request, &|name: &str| resolve(family.of, name))?;
    let all = rows(family)?.rows().iter().collect();
    let page = params.page_of(all, |row, path: &Vec<String>| value(row, path));
    let SearchResponse { data, has_more, limit, offset } = page;
    let data = shown(family, request, data);
    Reply::json(200, &SearchResponse { data, has_more, limit, offset })
}

fn retrieve(family: &Family, request: &Request) -> Result<Reply, Failure> {
    let (name, key) = request.params.last().ok_or(Failure::NoRoute)?;
    let key = match family.listing {
        Listing::Paged => crate::transport::number(request, name)?.to_string(),
        Listing::Whole | Listing::Bare(_) => key.clone(),
    };
    let row = rows(family)?.get(&key).ok_or(Failure::NoRoute)?;
    Reply::json(200, &CATALOGUES.show(family.of, row, &expand(request)))
}

// ---- search -----------------------------------------------------------------------------------

/// A member that can be compared: a plain one, a localized text (`name`, `name.de-DE`), or the id
/// of what a reference means (`group`, `group.id`), or one of an object inside
/// (`billingAddress.city`).
pub fn resolve(of: &str, name: &str) -> Option<(Vec<String>, Kind)> {
    let (member, rest) = name.split_once('.').unwrap_or((name, ""));
    let field = CATALOGUES.schemas().field(of, member)?;
    let path = |rest: &[&str]| {
        [member].iter().chain(rest).map(|part| (*part).to_owned()).collect::<Vec<_>>()
    };
    match (&field.holds, rest) {
        // Pairs of the merchant's own have names, not languages.
        (Holds::Map(_), "") if member == "metaData" => None,
        (Holds::Map(inner), rest) if **inner == Holds::Text => {
            let language = if rest.is_empty() { LANGUAGE } else { rest };
            Some((path(&[language]), Kind::Text))
        }
        (holds, "id") if CATALOGUES.refers(holds) => Some((path(&[]), Kind::Whole)),
        (holds, "") if CATALOGUES.refers(holds) => Some((path(&[]), Kind::Whole)),
        (_, "") => Some((path(&[]), plain(field)?)),
        (Holds::Type(inner), rest) => {
            let (inner, kind) = resolve(inner, rest)?;
            Some((path(&inner.iter().map(String::as_str).collect::<Vec<_>>()), kind))
        }
        _ => None,
    }
}

fn plain(field: &Field) -> Option<Kind> {
    match &field.holds {
        Holds::Text | Holds::Language | Holds::Country | Holds::Currency | Holds::Date => {
            Some(Kind::Text)
        }
        Holds::Whole => Some(Kind::Whole),
        Holds::Flag => Some(Kind::Flag),
        Holds::Type(name) => match CATALOGUES.schemas().shape(name) {
            Some(Shape::Words(_)) => Some(Kind::Text),
            Some(Shape::Object(_)) | None => None,
        },
        Holds::Number | Holds::Moment | Holds::Anything | Holds::List(_) | Holds::Map(_) => None,
    }
}

fn value(row: &Row, path: &[String]) -> Option<Value> {
    let (first, rest) = path.split_first()?;
    let found = rest.iter().try_fold(row.get(first)?, |value, name| value.get(name))?;
    match found {
        Json::Number(number) => number.as_i64().map(Value::Whole),
        Json::String(text) => Some(Value::Text(text.clone())),
        Json::Bool(flag) => Some(Value::Flag(*flag)),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
