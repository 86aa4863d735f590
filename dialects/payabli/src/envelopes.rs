//! The shapes around what is answered (dossier §3.1, §4.6, §4.9).

use patron_gateway::Reply;
use patron_model::Failure;
use schemars::JsonSchema;
use serde::Serialize;

use crate::customers::show::Record;

/// Response code of success (dossier §3.3).
const SUCCESS: i64 = 1;

/// Members that every envelope has.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<T> {
    response_code: i64,
    is_success: bool,
    page_identifier: Option<String>,
    room_id: i64,
    response_text: &'static str,
    response_data: T,
}

/// Answer of writes that say nothing else: `responseData` is one space (dossier §4.3).
pub type Simple = Envelope<&'static str>;
/// Answer of adding a customer.
pub type Added = Envelope<Record>;
/// Answer of writes of notifications: the number of the one that was written.
pub type Numbered = Envelope<i64>;

impl<T> Envelope<T> {
    fn of(response_data: T) -> Envelope<T> {
        Envelope {
            response_code: SUCCESS,
            is_success: true,
            page_identifier: None,
            room_id: 0,
            response_text: "Success",
            response_data,
        }
    }
}

/// The answer of a write that says nothing else.
///
/// # Errors
/// `Internal` only.
pub fn simple() -> Result<Reply, Failure> {
    Reply::json(200, &Simple::of(" "))
}

/// The answer of adding a customer.
///
/// # Errors
/// `Internal` only.
pub fn added(record: Record) -> Result<Reply, Failure> {
    Reply::json(200, &Added::of(record))
}

/// The answer of a write of a notification.
///
/// # Errors
/// `Internal` only.
pub fn numbered(number: i64) -> Result<Reply, Failure> {
    Reply::json(200, &Numbered::of(number))
}

/// A page of customers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Listed {
    /// Counts.
    pub summary: Summary,
    /// The page.
    pub records: Vec<Record>,
}

/// Counts of a list. The page token stands under both spellings: the SDKs read different ones.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    page_identifier: Option<String>,
    #[serde(rename = "pageidentifier")]
    page_token: Option<String>,
    page_size: u64,
    total_amount: i64,
    total_net_amount: i64,
    total_pages: u64,
    total_records: u64,
}

impl Summary {
    /// Of a list of customers, which have no amounts.
    pub fn of(total_records: u64, page_size: u64) -> Summary {
        Summary {
            page_identifier: None,
            page_token: None,
            page_size,
            total_amount: 0,
            total_net_amount: 0,
            total_pages: if page_size == 0 { 0 } else { total_records.div_ceil(page_size) },
            total_records,
        }
    }
}

/// What came of an import.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    is_success: bool,
    page_identifier: Option<String>,
    response_code: i64,
    response_data: Verdict,
    response_text: &'static str,
}

/// Rows of an import by what came of them.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Verdict {
    /// Rows that made or replaced a customer.
    pub added: u64,
    /// Rows that did not.
    pub rejected: u64,
    /// Why, row by row.
    pub errors: Vec<String>,
}

/// The answer of an import.
///
/// # Errors
/// `Internal` only.
pub fn imported(verdict: Verdict) -> Result<Reply, Failure> {
    let imported = Imported {
        is_success: true,
        page_identifier: None,
        response_code: SUCCESS,
        response_data: verdict,
        response_text: "Success",
    };
    Reply::json(200, &imported)
}
