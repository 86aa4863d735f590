//! `GET /Statistic/customerbasic/{mode}/{freq}/{customerId}` (dossier §4.1). Payments are not kept
//! yet, so every period is empty and no interval is answered.

use patron_gateway::{Reply, Request};
use patron_model::{Failure, Why};
use schemars::JsonSchema;
use serde::Serialize;

use crate::customers;

const MODES: &str = "ytd, mtd, wtd, today, m12, d30, h24, lasty, lastm, lastw, yesterday";
const FREQUENCIES: &str = "m, w, d, h";

/// Transactions of one interval.
#[derive(Serialize, JsonSchema)]
pub struct Interval {
    interval: String,
    count: u64,
    volume: f64,
}

/// Statistics of a customer.
///
/// # Errors
/// `Malformed` for an unknown mode or frequency, `NotFound`.
pub async fn of_customer(request: Request) -> Result<Reply, Failure> {
    for (name, allowed) in [("mode", MODES), ("freq", FREQUENCIES)] {
        if !allowed.split(", ").any(|word| word == request.param(name)) {
            return Err(Failure::malformed(name, Why::NotOneOf { allowed }));
        }
    }
    customers::named(&request).await?;
    Reply::json(200, &Vec::<Interval>::new())
}
