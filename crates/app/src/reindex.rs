//! What is derived of customers is made anew: how their phone numbers are read, the columns and
//! terms they are found by, and what is shown most; and their documents are packed, or no longer
//! so, as the settings say. For records that an earlier version wrote, or
//! that were written while their space had another country. Nothing else changes: no version, no
//! journal entry. Other work may go on: whoever changes a customer meanwhile makes all of that
//! anew too.

use std::sync::Arc;

use patron_model::{Failure, country::Country, customer::Customer};
use patron_store::{Batch, Record, StoreError, Write, with_face};

use crate::{App, customers::CUSTOMER, documents::Document, failure};

/// Customers that are read together.
const PAGE: u32 = 256;
/// Attempts at one that others change meanwhile.
const ATTEMPTS_MAX: usize = 8;

/// The counter of pages that were made anew. The journal knows nothing of that, so a backup tells
/// by it whether to do it again after a restore.
pub const REINDEXED: &str = "reindexed";

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Customers looked at.
    pub read: u64,
    /// Customers of which something was made anew.
    pub renewed: u64,
    /// Number of the last one.
    pub number: i64,
}

/// Goes through all customers of all spaces, in the order of their numbers. What is right already
/// is only read, so a run that was interrupted is simply begun again. Tells after each page how
/// far it is.
///
/// # Errors
/// When a document cannot be read; whatever the store says.
pub async fn reindex(app: &Arc<App>, mut tell: impl FnMut(&Progress)) -> Result<Progress, Failure> {
    let mut progress = Progress::default();
    loop {
        let records = app.store.records_after(&CUSTOMER, progress.number, PAGE).await;
        let records = records.map_err(failure)?;
        let Some(last) = records.last().map(|record| record.number) else { return Ok(progress) };
        progress.read += records.len() as u64;
        progress.renewed += renew(app, records).await?;
        progress.number = last;
        tell(&progress);
    }
}

/// Writes anew what differs; says how many of the records it was.
async fn renew(app: &Arc<App>, mut records: Vec<Record>) -> Result<u64, Failure> {
    let mut renewed = 0;
    for _ in 0..ATTEMPTS_MAX {
        let mut batches = Vec::new();
        let mut numbers = Vec::new();
        for held in &records {
            let home = app.operator(held.tenant, "reindex").home().await?;
            let record = derived(held, home.as_ref())?;
            let is_same = record.doc == held.doc
                && record.columns == held.columns
                && record.terms == held.terms
                && !app.store.holds_otherwise(&held.doc);
            if !is_same {
                numbers.push(held.number);
                let writes = vec![Write::Derive { kind: &CUSTOMER, record }];
                batches.push(Batch { tenant: held.tenant, writes, ..Batch::default() });
            }
        }
        if !batches.is_empty() {
            app.store.reserve(REINDEXED, 1).await.map_err(failure)?;
        }
        let mut again = Vec::new();
        for (number, verdict) in numbers.into_iter().zip(app.store.commit_many(batches).await) {
            match verdict {
                Ok(_) => renewed += 1,
                // Somebody changed it meanwhile, or it is gone.
                Err(StoreError::Conflict { .. }) => again.push(number),
                Err(error) => return Err(failure(error)),
            }
        }
        if again.is_empty() {
            return Ok(renewed);
        }
        records.clear();
        for number in again {
            let one = app.store.records_after(&CUSTOMER, number - 1, 1).await.map_err(failure)?;
            records.extend(one.into_iter().filter(|record| record.number == number));
        }
    }
    Err(Failure::Unavailable { retry_after_seconds: 1 })
}

/// The record with all that follows from it. What it says itself stays byte for byte what it is.
fn derived(held: &Record, home: Option<&Country>) -> Result<Record, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::internal(format!("customer {} cannot be read: {error}", held.number))
    };
    let said = held.doc.faceless().map_err(|error| unreadable(&error))?;
    let customer = Customer::from_document(&said).map_err(|error| unreadable(&error))?;
    let (customer, own) = match customer.reread(home) {
        Some(read) => {
            let own = serde_json::to_string(&read).map_err(Failure::internal)?;
            (read, own)
        }
        None => (customer, said.into_owned()),
    };
    let doc = match customer.face()? {
        Some(face) => with_face(&own, &face),
        None => own,
    };
    let (columns, terms) = (customer.columns(), customer.terms());
    Ok(Record { doc: doc.into(), columns, terms, ..held.clone() })
}
