//! The audit trail: `/v1/audit-log`. A key for the whole account sees the entries of the accounts
//! where its user may, any other key those about its space; entries of nobody's account are the
//! operator's.

use patron_app::{
    Id,
    audit::{self, Wanted},
    places::{self, Reach},
};
use patron_gateway::{Faults, Reply, Request, decode::Params};
use patron_model::{
    Failure, Noun, Permission, Timestamp, Why,
    audit::{AuditActor, AuditEntry, AuditOutcome, AuditTarget, Receipt},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    customers::{PAGE_MAX, show::ListOut},
    lists::{self, Key, Place},
    words,
};

/// Entries of one exported file.
const EXPORT_MAX: i64 = 10_000;
/// Parameters that choose entries.
const FILTERS: [&str; 8] =
    ["actor", "action", "outcome", "account", "space", "address", "since", "until"];
/// What begins so is taken for a formula by spreadsheets (OWASP, CSV injection).
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// An entry of the audit trail.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct AuditOut<'a> {
    /// UUID.
    id: uuid::Uuid,
    /// Number; serves in paths just as well.
    number: i64,
    /// When.
    #[schemars(extend("format" = "date-time"))]
    at: String,
    /// Number of the account it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<i64>,
    /// Number of the space it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<i64>,
    /// Who.
    actor: &'a AuditActor,
    /// By which API; `command` for the command line.
    via: &'a str,
    /// Noun and what happened: `key.created`, `sign_in.refused`, `customer.read`, …
    action: &'a str,
    /// `done` or `refused`.
    #[schemars(with = "words::Outcome")]
    outcome: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// The operation that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    /// What it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a AuditTarget>,
    /// Names of what changed; never a value.
    changed: &'a [String],
    /// How many, or how often where equal ones were folded into this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// Address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    /// Id of the request; the command on the command line.
    request_id: &'a str,
    /// What went with a space that was deleted for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<ReceiptOut<'a>>,
}

/// What went with a space that was deleted for good.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Receipt")]
pub struct ReceiptOut<'a> {
    /// Rows by kind, counted when the deletion began.
    counts: &'a std::collections::BTreeMap<String, u64>,
    /// Keys that opened this space only.
    keys: u64,
    /// When the deletion began.
    #[schemars(extend("format" = "date-time"))]
    deleted_at: String,
    /// When nothing was left.
    #[schemars(extend("format" = "date-time"))]
    purged_at: String,
    /// SHA-256 of the export that was taken before.
    #[serde(skip_serializing_if = "Option::is_none")]
    export_sha256: Option<&'a str>,
}

impl<'a> ReceiptOut<'a> {
    /// A receipt.
    pub fn of(receipt: &'a Receipt) -> ReceiptOut<'a> {
        ReceiptOut {
            counts: &receipt.counts,
            keys: receipt.keys,
            deleted_at: receipt.deleted_at.rfc3339_micros(),
            purged_at: receipt.purged_at.rfc3339_micros(),
            export_sha256: receipt.export_sha256.as_deref(),
        }
    }
}

impl<'a> AuditOut<'a> {
    /// An entry.
    pub fn of(entry: &'a AuditEntry) -> AuditOut<'a> {
        AuditOut {
            id: entry.uuid,
            number: entry.number,
            at: entry.at.rfc3339_micros(),
            account: entry.account,
            space: entry.space,
            actor: &entry.actor,
            via: &entry.via,
            action: &entry.action,
            outcome: entry.outcome.as_str(),
            reason: entry.reason.as_deref(),
            operation: entry.operation.as_deref(),
            target: entry.target.as_ref(),
            changed: &entry.changed,
            count: entry.count,
            address: entry.address.as_deref(),
            agent: entry.agent.as_deref(),
            request_id: &entry.request,
            receipt: entry.receipt.as_ref().map(ReceiptOut::of),
        }
    }
}

// ---- as a file --------------------------------------------------------------------------------

/// Columns of an entry in a CSV file.
pub const COLUMNS: [&str; 18] = [
    "number",
    "at",
    "account",
    "space",
    "actor",
    "claimed",
    "via",
    "action",
    "outcome",
    "reason",
    "operation",
    "target",
    "target_numbers",
    "changed",
    "count",
    "address",
    "agent",
    "request_id",
];

/// An entry as a row of a CSV file. What clients chose is not taken for a formula.
pub fn to_cells(entry: &AuditEntry) -> [String; 18] {
    let number = |number: Option<i64>| number.map(|n| n.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (claimed, actor) = match &entry.actor {
        AuditActor::Stranger { number: key, claimed } => {
            (text(claimed), key.map_or("stranger".into(), |key| format!("stranger:{key}")))
        }
        known
        @ (AuditActor::Key { .. } | AuditActor::User { .. } | AuditActor::Operator { .. }) => {
            (String::new(), known.word())
        }
    };
    let target = entry.target.as_ref();
    let numbers = target.map(|target| {
        let all: Vec<String> =
            target.number.iter().chain(&target.numbers).map(i64::to_string).collect();
        all.join(" ")
    });
    let cells = [
        entry.number.to_string(),
        entry.at.rfc3339_micros(),
        number(entry.account),
        number(entry.space),
        actor,
        claimed,
        entry.via.clone(),
        entry.action.clone(),
        entry.outcome.as_str().to_owned(),
        text(&entry.reason),
        text(&entry.operation),
        target.map(|target| target.noun.clone()).unwrap_or_default(),
        numbers.unwrap_or_default(),
        entry.changed.join(" "),
        entry.count.map(|count| count.to_string()).unwrap_or_default(),
        text(&entry.address),
        text(&entry.agent),
        entry.request.clone(),
    ];
    cells.map(|cell| if cell.starts_with(FORMULA_STARTS) { format!("'{cell}") } else { cell })
}

/// An entry as a line of an NDJSON file.
///
/// # Errors
/// `Internal` when it cannot be written as JSON.
pub fn to_line(entry: &AuditEntry) -> Result<String, Failure> {
    serde_json::to_string(&AuditOut::of(entry)).map_err(Failure::internal)
}

// ---- what is asked for ------------------------------------------------------------------------

/// Reads the filters, as query parameters and options of the command have them.
///
/// # Errors
/// `Malformed` for a value that is not understood.
pub fn wanted<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Wanted, Failure> {
    let mut faults = Faults::default();
    let wanted = read(get, &mut faults);
    faults.finish().map(|()| wanted)
}

fn read<'a>(get: impl Fn(&str) -> Option<&'a str>, faults: &mut Faults) -> Wanted {
    let why = || Why::WrongType { expected: "a whole number" };
    let number = |text: &str| text.parse::<i64>().map(|number| vec![number]).map_err(|_| why());
    let outcome = |word: &str| {
        AuditOutcome::parse(word).ok_or_else(|| Why::not_one_of(word, "done, refused"))
    };
    let text = |name: &str| get(name).map(str::to_owned);
    Wanted {
        accounts: get("account").and_then(|sent| faults.understood("account", number(sent))),
        spaces: get("space").and_then(|sent| faults.understood("space", number(sent))),
        actor: text("actor"),
        action: text("action"),
        outcome: get("outcome").and_then(|word| faults.understood("outcome", outcome(word))),
        address: text("address"),
        since: get("since").and_then(|at| faults.understood("since", Timestamp::parse(at))),
        until: get("until").and_then(|at| faults.understood("until", Timestamp::parse(at))),
    }
}

/// The same within what the caller may see.
async fn visible(
    request: &Request,
    mut wanted: Wanted,
    permission: Permission,
) -> Result<Wanted, Failure> {
    let Reach { mut accounts, spaces } = places::reach(&request.cx, permission).await?;
    if accounts.is_empty() {
        // Entries about single spaces, whose account is the key's own.
        accounts.push(request.cx.caller()?.key.account);
        match &wanted.spaces {
            Some(asked) if asked.iter().any(|space| !spaces.contains(space)) => {
                return Err(Failure::NotFound { noun: Noun::Space });
            }
            Some(_) => {}
            None => wanted.spaces = Some(spaces),
        }
    }
    match &wanted.accounts {
        Some(asked) if asked.iter().any(|account| !accounts.contains(account)) => {
            return Err(Failure::NotFound { noun: Noun::Account });
        }
        Some(_) => {}
        None => wanted.accounts = Some(accounts),
    }
    Ok(wanted)
}

fn question(params: &Params) -> String {
    let parts: Vec<&str> =
        FILTERS.iter().flat_map(|name| [*name, params.get(name).unwrap_or_default()]).collect();
    lists::question(&parts)
}

fn place(params: &Params, question: &str) -> Result<Option<(Timestamp, i64)>, Failure> {
    let Some(cursor) = params.get("cursor") else { return Ok(None) };
    match lists::read(cursor, question)? {
        Place::List { key: Some(Key::Int(at)), number } => {
            Ok(Some((Timestamp::from_micros(at), number)))
        }
        Place::List { .. } | Place::Text { .. } => Err(lists::bad()),
    }
}

fn next(page: &patron_app::Page<AuditEntry>, q: &str) -> Result<Option<String>, Failure> {
    let last = page.items.last().filter(|_| page.more);
    last.map(|entry| {
        let place = Place::List { key: Some(Key::Int(entry.at.micros())), number: entry.number };
        lists::write(q, place)
    })
    .transpose()
}

// ---- operations -------------------------------------------------------------------------------

/// The entries, newest first.
pub(crate) async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let wanted = read(|name| params.get(name), &mut faults);
    let limit = faults.int(&params, "limit", 50, 1, PAGE_MAX);
    let question = question(&params);
    let place = faults.keep(place(&params, &question))?.flatten();
    faults.finish()?;
    let wanted = visible(&request, wanted, Permission::AuditRead).await?;
    let limit = u32::try_from(limit).unwrap_or(50);
    let page = audit::list(&request.cx, &wanted, place, limit).await?;
    let next_cursor = next(&page, &question)?;
    let data: Vec<AuditOut<'_>> = page.items.iter().map(|e| AuditOut::of(e)).collect();
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor, total: None })
}

/// One entry.
pub(crate) async fn get(request: Request) -> Result<Reply, Failure> {
    let wanted = visible(&request, Wanted::default(), Permission::AuditRead).await?;
    let id = Id::parse(request.param("id"), Noun::Entry)?;
    let entry = audit::get(&request.cx, id, &wanted).await?;
    Reply::json(200, &AuditOut::of(&entry))
}

/// The entries as a file; what does not fit into it follows behind the cursor in a header.
pub(crate) async fn export(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let wanted = read(|name| params.get(name), &mut faults);
    let limit = faults.int(&params, "limit", EXPORT_MAX, 1, EXPORT_MAX);
    let limit = u32::try_from(limit).unwrap_or(1);
    let is_csv = match params.get("format") {
        None | Some("ndjson") => false,
        Some("csv") => true,
        Some(word) => {
            faults.misread("format", Why::not_one_of(word, "ndjson, csv"));
            false
        }
    };
    let question = question(&params);
    let place = faults.keep(place(&params, &question))?.flatten();
    faults.finish()?;
    let wanted = visible(&request, wanted, Permission::AuditExport).await?;
    let page = audit::list(&request.cx, &wanted, place, limit).await?;
    let reply = if is_csv {
        let mut file = csv::Writer::from_writer(Vec::new());
        file.write_record(COLUMNS).map_err(Failure::internal)?;
        for entry in &page.items {
            file.write_record(to_cells(entry)).map_err(Failure::internal)?;
        }
        let file = file.into_inner().map_err(Failure::internal)?;
        Reply::bytes(200, "text/csv; charset=utf-8", file)
            .with("content-disposition", "attachment; filename=\"audit.csv\"")
    } else {
        let mut file = String::new();
        for entry in &page.items {
            file.push_str(&to_line(entry)?);
            file.push('\n');
        }
        Reply::bytes(200, "application/x-ndjson", file)
            .with("content-disposition", "attachment; filename=\"audit.ndjson\"")
    };
    Ok(match next(&page, &question)? {
        Some(cursor) => reply.with("patron-next-cursor", cursor),
        None => reply,
    })
}
