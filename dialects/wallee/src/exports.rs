//! Files of what is found (dossier §3): CSV by RFC 4180, with the names of the fields above.

use patron_gateway::{Reply, Request};
use patron_model::{Failure, Why, user::User};
use serde_json::Value as Json;

use crate::{
    filters::Check,
    lists::{Paging, SearchParams},
    users::{self, Family, show::HumanUser},
};

/// Rows of a file; the dossier names the default and the offset.
const FILES: Paging = Paging { limit_default: 2_000, limit_max: 10_000, offset_max: 100_000 };
/// What is told of a person, in this order where nobody says what is wanted.
const HUMAN_USER: [&str; 11] = [
    "id",
    "version",
    "state",
    "userType",
    "primaryAccount",
    "emailAddress",
    "firstname",
    "lastname",
    "mobilePhoneNumber",
    "language",
    "timeZone",
];

/// The columns that are wanted, of those there are.
fn columns(
    request: &Request,
    known: &'static [&'static str],
) -> Result<Vec<&'static str>, Failure> {
    let query = request.query();
    let names = query.all("fields").flat_map(|value| value.split(','));
    let wanted: Vec<&str> = names.map(str::trim).filter(|name| !name.is_empty()).collect();
    if wanted.is_empty() {
        return Ok(known.to_vec());
    }
    if wanted.len() > known.len() {
        return Err(Failure::invalid("fields", Why::TooMany { max: known.len() }));
    }
    let column = |name: &&str| known.iter().find(|known| *known == name).copied();
    let found: Option<Vec<&str>> = wanted.iter().map(column).collect();
    found.ok_or_else(|| Failure::invalid("fields", Why::Unknown { what: "field" }))
}

fn cell(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// `GET /human-users/export`
pub async fn human_users(request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read_paged(&request, &users::resolve, FILES)?;
    let columns = columns(&request, &HUMAN_USER)?;
    let _turn = request.cx.heavy_turn().await;
    let compile = |field: &_, check: &Check| check.filter(Clone::clone(field));
    let query = params.query(0, compile, Clone::clone);
    let (found, _) = users::page(&request, Family::Human, query).await?;
    let mut file =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    file.write_record(&columns).map_err(Failure::internal)?;
    for user in &found {
        file.write_record(row(user, &columns)?).map_err(Failure::internal)?;
    }
    let file = file.into_inner().map_err(Failure::internal)?;
    Ok(Reply::bytes(200, "text/csv; charset=utf-8", file)
        .with("content-disposition", "attachment; filename=\"human-users.csv\""))
}

fn row(user: &User, columns: &[&str]) -> Result<Vec<String>, Failure> {
    let shown = serde_json::to_value(HumanUser::of(user)).map_err(Failure::internal)?;
    Ok(columns.iter().map(|column| cell(shown.get(column))).collect())
}
