//! What happened in the space, counted by the minute: `/v1/statistics`.

use patron_app::statistics::{self, Asked, Counted, Counts, Step};
use patron_gateway::{Reply, Request};
use patron_model::{Failure, Timestamp, Why, time_zone};
use schemars::JsonSchema;
use serde::Serialize;

use crate::words;

/// Seconds that are told of where nothing is said.
const SPAN_SECONDS: i64 = 24 * 3_600;

/// How often each happened.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatisticsCounts")]
pub struct CountsOut {
    /// Requests to the APIs, whatever they were answered.
    requests: u64,
    /// Those that were refused: answered 4xx.
    refused: u64,
    /// Those that went wrong on the server: answered 5xx.
    errors: u64,
    /// Customers that were made.
    customers_created: u64,
    /// Changes of customers that were there.
    customers_changed: u64,
    /// Attempts to tell a webhook endpoint that were taken.
    attempts_delivered: u64,
    /// Those that were not; most are tried again.
    attempts_failed: u64,
}

impl From<Counts> for CountsOut {
    fn from(counts: Counts) -> CountsOut {
        let of = |what: Counted| counts[what as usize];
        CountsOut {
            requests: of(Counted::Requests),
            refused: of(Counted::Refused),
            errors: of(Counted::Errors),
            customers_created: of(Counted::CustomersCreated),
            customers_changed: of(Counted::CustomersChanged),
            attempts_delivered: of(Counted::AttemptsDelivered),
            attempts_failed: of(Counted::AttemptsFailed),
        }
    }
}

/// A step, and what happened in it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatisticsPoint")]
pub struct PointOut {
    /// When the step begins.
    #[schemars(extend("format" = "date-time"))]
    at: String,
    #[serde(flatten)]
    counts: CountsOut,
}

/// What happened in the space.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Statistics")]
pub struct StatisticsOut {
    /// When the first step begins.
    #[schemars(extend("format" = "date-time"))]
    since: String,
    /// When the last step ends.
    #[schemars(extend("format" = "date-time"))]
    until: String,
    /// `minute`, `hour` or `day`.
    #[schemars(with = "words::StatisticsStep")]
    step: &'static str,
    /// Time zone whose hours and days they are.
    time_zone: String,
    /// Every step, in order, those without anything included.
    data: Vec<PointOut>,
    /// The sums.
    totals: CountsOut,
}

/// What happened, over a time and by steps.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let mut moment = |name: &str, otherwise: Timestamp| {
        let sent = params.get(name).filter(|sent| !sent.is_empty());
        let read = sent.and_then(|sent| faults.understood(name, Timestamp::parse(sent)));
        read.unwrap_or(otherwise)
    };
    let until = moment("until", request.now);
    let since = moment("since", until.plus_seconds(-SPAN_SECONDS));
    if since > until {
        let why = Why::Mismatch { with: "a moment before until" };
        faults.misread("since", why);
    }
    let word = params.get("step").unwrap_or(Step::Hour.as_str());
    let step = Step::parse(word).ok_or_else(|| Why::not_one_of(word, Step::WORDS));
    let step = faults.understood("step", step);
    let name = params.get("time_zone").unwrap_or("UTC");
    let zone = time_zone::rules(name).ok_or(Why::Unknown { what: "time zone" });
    let zone = faults.understood("time_zone", zone);
    faults.finish()?;
    let (Some(step), Some(zone)) = (step, zone) else {
        return Err(Failure::internal("no fault was noted"));
    };
    let asked = Asked { since, until, step, zone };
    let told = statistics::read(&request.cx, &asked).await?;
    let since = told.points.first().map_or(since, |point| point.at);
    let point = |point: &statistics::Point| PointOut {
        at: point.at.rfc3339_seconds(),
        counts: point.counts.into(),
    };
    let out = StatisticsOut {
        since: since.rfc3339_seconds(),
        until: told.until.rfc3339_seconds(),
        step: step.as_str(),
        time_zone: name.to_owned(),
        data: told.points.iter().map(point).collect(),
        totals: told.totals.into(),
    };
    Reply::json(200, &out)
}
