//! Operations on records that are tables: one handler for each thing to do, whatever the table.

use patron_app::{
    Expect,
    resources::{self, Wanted},
    search::{Field, Query},
};
use patron_gateway::{
    Exchange, Operation, Reply, Request,
    catalogue::{Expand, Row},
    tabular::{Asked, Table},
};
use patron_model::{
    Failure,
    resource::{Resource, STATE},
};
use serde_json::Value as Json;

use crate::{
    catalogues::{expand, resolve},
    families::CATALOGUES,
    filters::{Check, Kind},
    lists::{ListParams, SearchParams},
    operations::{Answering, negotiated},
    table::{self, Row as Line},
    tables::{RECORDS, TABLES},
    transport::number,
};

/// Members that every record is shown with, and that are none of its own.
const AROUND: [&str; 5] = ["id", "linkedSpaceId", "version", STATE, "plannedPurgeDate"];

/// Every operation on tables that there is a handler for, as the table of operations has it.
pub fn operations() -> Vec<Operation> {
    TABLES.iter().flat_map(of_table).collect()
}

fn of_table(table: &'static Table) -> impl Iterator<Item = Operation> {
    table::of_prefix(table.prefix).filter_map(move |line| of_line(table, line))
}

fn of_line(table: &'static Table, line: &'static Line) -> Option<Operation> {
    let handler: fn(&'static Table, &'static Line, Request) -> Answering =
        match line.id.trim_start_matches(table.prefix) {
            "_list" => |table, _, request| Box::pin(list(table, request)),
            "_search" => |table, _, request| Box::pin(search(table, request)),
            "_retrieve" => |table, _, request| Box::pin(retrieve(table, request)),
            "_create" => |table, line, request| Box::pin(create(table, line, request)),
            "_update" => |table, line, request| Box::pin(update(table, line, request)),
            "_delete" => |table, _, request| Box::pin(delete(table, request)),
            // What else a family does is no table's.
            _ => return None,
        };
    let reads = line.method == http::Method::GET;
    let needed = if reads { table.family.read } else { table.family.write };
    let handler =
        negotiated("application/json", move |request: Request| handler(table, line, request));
    let operation = table::described(line.line(handler).needs(needed));
    let operation = match line.body {
        Some(body) => operation.body_of(CATALOGUES.schemas(), body),
        None => operation,
    };
    Some(match line.reply {
        "-" => operation.replies_empty(line.status),
        reply => operation.answers(line.status, CATALOGUES.schemas(), reply),
    })
}

// ---- showing ----------------------------------------------------------------------------------

fn shown(table: &Table, record: &Resource, wanted: &Expand) -> Json {
    let mut row: Row = record.members.clone();
    row.insert("id".into(), record.number.into());
    row.insert("linkedSpaceId".into(), record.space.into());
    row.insert("version".into(), record.version.into());
    if let Some(state) = &record.state {
        row.insert(STATE.into(), state.as_str().into());
    }
    CATALOGUES.show(table.of, &row, wanted)
}

fn answer(
    table: &Table,
    exchange: &Exchange,
    status: u16,
    record: &Resource,
) -> Result<Reply, Failure> {
    Reply::json(status, &shown(table, record, &expand(exchange)))
}

/// The records of a page, as they are shown, and whether others follow.
async fn page(
    table: &'static Table,
    request: &Request,
    query: Query,
) -> Result<(Vec<Json>, bool), Failure> {
    let found = resources::list(&request.cx, &table.family, query).await?;
    let wanted = expand(request);
    Ok((found.items.iter().map(|record| shown(table, record, &wanted)).collect(), found.more))
}

// ---- handlers ---------------------------------------------------------------------------------

async fn list(table: &'static Table, request: Request) -> Result<Reply, Failure> {
    let params = ListParams::read(&request)?;
    let (data, more) = page(table, &request, params.query(request.cx.space)).await?;
    Reply::json(200, &params.page(data, more))
}

async fn search(table: &'static Table, request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(&request, &|name: &str| field(table, name))?;
    let compile = |field: &Field, check: &Check| check.filter(field.clone());
    let query = params.query(request.cx.space, compile, Clone::clone);
    let (data, more) = page(table, &request, query).await?;
    Reply::json(200, &params.page(data, more))
}

async fn retrieve(table: &'static Table, request: Request) -> Result<Reply, Failure> {
    let record = resources::get(&request.cx, &table.family, number(&request, "id")?).await?;
    answer(table, &request, 200, &record)
}

async fn create(
    table: &'static Table,
    line: &'static Line,
    request: Request,
) -> Result<Reply, Failure> {
    let Asked { wanted, .. } = asked(table, line, &request)?;
    let record = resources::create(&request.cx, &table.family, &wanted).await?;
    answer(table, &request, line.status, &record)
}

async fn update(
    table: &'static Table,
    line: &'static Line,
    request: Request,
) -> Result<Reply, Failure> {
    let id = number(&request, "id")?;
    let Asked { expect, wanted } = asked(table, line, &request)?;
    let family = &table.family;
    let record = resources::update(&request.cx, family, id, &expect, &wanted).await?;
    answer(table, &request, line.status, &record)
}

async fn delete(table: &'static Table, request: Request) -> Result<Reply, Failure> {
    let id = number(&request, "id")?;
    resources::delete(&request.cx, &table.family, id, &Expect::Any).await?;
    Ok(Reply::empty(204))
}

fn asked(table: &'static Table, line: &'static Line, request: &Request) -> Result<Asked, Failure> {
    let body: Json = request.json()?;
    match line.body {
        Some(of) => RECORDS.read(table, of, &body),
        None => Ok(Asked { expect: Expect::Any, wanted: Wanted::default() }),
    }
}

/// A member that can be searched and sorted by, and where it is kept.
fn field(table: &'static Table, name: &str) -> Option<(Field, Kind)> {
    Some(match name {
        "id" => (resources::number(), Kind::Whole),
        "version" => (resources::version(), Kind::Whole),
        STATE => (resources::state(), Kind::Text),
        name if AROUND.contains(&name) => return None,
        name => {
            let (path, kind) = resolve(table.of, name)?;
            let whole = matches!(kind, Kind::Whole);
            (if whole { resources::whole(&path) } else { resources::text(&path) }, kind)
        }
    })
}
