//! What one sees first in a space: what needs somebody, five figures, and four charts of a time.

use askama::Template;
use patron_gateway::{Operation, Reply};
use patron_model::{Failure, Permission, Timestamp};
use serde::Deserialize;

use super::warnings::{self, Warning};
use crate::{
    chart::{self, Drawing, Series},
    frame::Frame,
    operations::Table,
    page::{self, Page},
    words::Words,
};

/// The lines.
pub fn lines(table: &Table) -> Vec<Operation> {
    vec![table.page("/console/s/{space}", "console_overview", "Overview", overview).own()]
}

/// Seconds of an hour and a day.
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A time that is looked at.
struct Period {
    word: &'static str,
    /// How far it goes back (s).
    seconds: i64,
    step: &'static str,
    /// Steps that make one bar.
    together: usize,
}

/// The times to choose from, the second where nothing is said.
const PERIODS: [Period; 4] = [
    Period { word: "hour", seconds: HOUR, step: "minute", together: 1 },
    Period { word: "day", seconds: DAY, step: "hour", together: 1 },
    Period { word: "week", seconds: 7 * DAY, step: "hour", together: 4 },
    Period { word: "month", seconds: 30 * DAY, step: "day", together: 1 },
];

/// How often each happened, as the API tells it.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct Counts {
    requests: u64,
    refused: u64,
    errors: u64,
    customers_created: u64,
    customers_changed: u64,
    attempts_delivered: u64,
    attempts_failed: u64,
}

#[derive(Deserialize)]
struct At {
    at: String,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Deserialize)]
struct Statistics {
    data: Vec<At>,
    totals: Counts,
}

/// A figure on top.
struct Tile {
    label: String,
    figure: String,
    more: String,
    /// Where what it counts is seen.
    href: Option<String>,
}

/// A row of the table behind a chart.
struct Row {
    at: String,
    machine: String,
    values: Vec<String>,
}

/// A chart.
struct Chart {
    word: &'static str,
    title: String,
    /// What it shows, in words.
    says: String,
    drawing: Drawing,
    /// Top, middle and base of the scale.
    scale: [String; 3],
    /// Class and label of each series.
    legend: Vec<(&'static str, String)>,
    rows: Vec<Row>,
}

/// A time to choose.
struct Choice {
    label: String,
    href: String,
    is_current: bool,
}

/// A step of a new space, and whether it is done.
struct First {
    label: String,
    what: String,
    href: String,
    is_done: bool,
}

#[derive(Template)]
#[template(path = "home/overview.html")]
struct Overview {
    f: Frame,
    warnings: Vec<Warning>,
    firsts: Vec<First>,
    tiles: Vec<Tile>,
    periods: Vec<Choice>,
    charts: Vec<Chart>,
    /// What stands below the charts.
    moments: Vec<String>,
    /// Since when and up to when.
    span: String,
}

#[derive(Deserialize)]
struct Counted {
    #[serde(default)]
    total: u64,
}

async fn statistics(page: &Page, period: &Period) -> Result<Statistics, Failure> {
    let until = page.request.now;
    // The step that is under way is the last bar.
    let since = until.plus_seconds(-period.seconds).plus_seconds(match period.step {
        "minute" => 60,
        "hour" => HOUR,
        _ => DAY,
    });
    let call = page.call("get_statistics").query("since", since.rfc3339_seconds());
    let call = call.query("until", until.rfc3339_seconds()).query("step", period.step);
    call.query("time_zone", page.words().zone()).ask().await?.read()
}

/// Several steps as one bar.
fn together(points: Vec<At>, some: usize) -> Vec<At> {
    let mut all: Vec<At> = Vec::with_capacity(points.len() / some + 1);
    // What is under way stays the last: the first bar is the shorter one.
    let odd = points.len() % some;
    for (at, point) in points.into_iter().enumerate() {
        let begins = all.is_empty() || (at + some - odd).is_multiple_of(some);
        match all.last_mut().filter(|_| !begins) {
            None => all.push(point),
            Some(last) => {
                let (to, from) = (&mut last.counts, point.counts);
                to.requests += from.requests;
                to.refused += from.refused;
                to.errors += from.errors;
                to.customers_created += from.customers_created;
                to.customers_changed += from.customers_changed;
                to.attempts_delivered += from.attempts_delivered;
                to.attempts_failed += from.attempts_failed;
            }
        }
    }
    all
}

/// When a bar begins, as the reader writes it.
fn begins(words: &Words, period: &Period, at: &str) -> String {
    let Ok(at) = Timestamp::parse(at) else { return at.to_owned() };
    match period.step {
        "day" => words.short_day(at),
        _ if period.together > 1 => format!("{}, {}", words.short_day(at), words.time(at)),
        _ => words.time(at),
    }
}

type Of = fn(&Counts) -> u64;

/// A chart of two series: class, key of the label, and what they count.
fn chart(
    words: &Words,
    word: &'static str,
    (points, moments): (&[At], &[String]),
    of: [(&'static str, &'static str, Of); 2],
) -> Chart {
    let series = of.map(|(class, key, count)| Series {
        label: words.t(key),
        class,
        values: points.iter().map(|point| count(&point.counts)).collect(),
    });
    let drawing = chart::bars(&series);
    let title = words.t(&format!("chart-{word}"));
    let number = |count: u64| words.number(count);
    let [first, second] = &series;
    let says = words.say(
        "chart-says",
        &[
            ("title", &title),
            ("first", &first.label),
            ("one", &number(first.total())),
            ("second", &second.label),
            ("two", &number(second.total())),
        ],
    );
    let row = |at: usize| Row {
        at: moments[at].clone(),
        machine: points[at].at.clone(),
        values: series.iter().map(|one| number(one.values[at])).collect(),
    };
    let is_there = |at: &usize| series.iter().any(|one| one.values[*at] > 0);
    Chart {
        word,
        title,
        says,
        scale: [number(drawing.top), number(drawing.top / 2), number(0)],
        drawing,
        rows: (0..points.len()).filter(is_there).map(row).collect(),
        legend: series.into_iter().map(|one| (one.class, one.label)).collect(),
    }
}

fn charts(words: &Words, points: &[At], moments: &[String]) -> Vec<Chart> {
    let shown = (points, moments);
    vec![
        chart(
            words,
            "customers",
            shown,
            [
                ("one", "chart-created", |c| c.customers_created),
                ("two", "chart-changed", |c| c.customers_changed),
            ],
        ),
        chart(
            words,
            "requests",
            shown,
            [
                ("one", "chart-done", |c| c.requests.saturating_sub(c.refused + c.errors)),
                ("two", "chart-not-done", |c| c.refused + c.errors),
            ],
        ),
        chart(
            words,
            "errors",
            shown,
            [("warn", "chart-refused", |c| c.refused), ("bad", "chart-broken", |c| c.errors)],
        ),
        chart(
            words,
            "attempts",
            shown,
            [
                ("good", "chart-delivered", |c| c.attempts_delivered),
                ("bad", "chart-failed", |c| c.attempts_failed),
            ],
        ),
    ]
}

fn tiles(f: &Frame, customers: Option<u64>, totals: Option<&Counts>) -> Vec<Tile> {
    let number = |count: u64| f.words.number(count);
    let tile = |key: &str, figure: u64, more: String, href: Option<String>| Tile {
        label: f.t(key),
        figure: number(figure),
        more,
        href,
    };
    let mut all = Vec::new();
    if let Some(customers) = customers {
        let made = totals.map(|totals| f.words.count("tile-made", totals.customers_created));
        let href = Some(f.here("/customers"));
        all.push(tile("nav-customers", customers, made.unwrap_or_default(), href));
    }
    let Some(totals) = totals else { return all };
    let failed = f.words.count("tile-failed", totals.attempts_failed);
    let refused = f.words.count("tile-refused", totals.refused);
    let deliveries = f.may("webhook:read").then(|| f.here("/deliveries"));
    let attempts = totals.attempts_delivered + totals.attempts_failed;
    all.extend([
        tile("tile-changes", totals.customers_changed, f.t("tile-changes-what"), None),
        tile("tile-requests", totals.requests, refused, None),
        tile("tile-errors", totals.errors, f.t("tile-errors-what"), None),
        tile("tile-attempts", attempts, failed, deliveries),
    ]);
    all
}

/// Whether there is any record that an operation lists.
async fn is_any(page: &Page, id: &'static str, least: usize) -> Result<bool, Failure> {
    #[derive(Deserialize)]
    struct Some {
        data: Vec<serde::de::IgnoredAny>,
    }
    let found: Some = page.call(id).query("limit", least).ask().await?.read()?;
    Ok(found.data.len() >= least)
}

/// What there is to do in a new space, ticked off by what is there.
async fn firsts(page: &Page, f: &Frame, customers: u64) -> Result<Vec<First>, Failure> {
    let first = |word: &str, path: &str, is_done: bool| First {
        label: f.of_word("first-", word, ""),
        what: f.of_word("first-", word, "-what"),
        href: f.here(path),
        is_done,
    };
    let mut all = Vec::new();
    if page.may(Permission::KeyRead) {
        all.push(first("key", "/keys", is_any(page, "list_keys", 1).await?));
    }
    all.push(first("customer", "/customers", customers > 0));
    if page.may(Permission::WebhookRead) {
        let is_told = is_any(page, "list_webhook_endpoints", 1).await?;
        all.push(first("webhook", "/webhooks", is_told));
    }
    if page.may(Permission::PersonRead) {
        // Whoever looks at this is one.
        all.push(first("people", "/people", is_any(page, "list_users", 2).await?));
    }
    Ok(all)
}

async fn overview(page: Page) -> Result<Reply, Failure> {
    let f = page.frame("nav-overview");
    let asked = page.request.query().get("period").unwrap_or_default().to_owned();
    let period = PERIODS.iter().find(|one| one.word == asked).unwrap_or(&PERIODS[1]);
    let customers = match page.may(Permission::CustomerRead) {
        true => {
            let counted = page.call("list_customers").query("limit", 1).query("total", true);
            Some(counted.ask().await?.read::<Counted>()?.total)
        }
        false => None,
    };
    let statistics = match page.may(Permission::EventRead) {
        true => Some(statistics(&page, period).await?),
        false => None,
    };
    let firsts = match customers {
        Some(0) => firsts(&page, &f, 0).await?,
        _ => Vec::new(),
    };
    let choice = |one: &Period| Choice {
        label: f.of_word("period-", one.word, ""),
        href: f.here(&format!("?period={}", one.word)),
        is_current: one.word == period.word,
    };
    let tiles = tiles(&f, customers, statistics.as_ref().map(|all| &all.totals));
    let points = statistics.map(|all| together(all.data, period.together)).unwrap_or_default();
    let moments: Vec<String> =
        points.iter().map(|point| begins(&f.words, period, &point.at)).collect();
    let charts = if points.is_empty() { Vec::new() } else { charts(&f.words, &points, &moments) };
    let shown = Overview {
        warnings: warnings::of(&page, &f).await?,
        firsts,
        tiles,
        periods: PERIODS.iter().map(choice).collect(),
        charts,
        span: f.of_word("span-", period.word, ""),
        moments,
        f,
    };
    page::html(200, &shown)
}

impl Overview {
    /// What stands below a chart: its beginning, its middle, and now.
    fn marks(&self) -> Vec<&str> {
        let middle = self.moments.get(self.moments.len() / 2);
        self.moments.first().into_iter().chain(middle).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_make_one_bar_end_with_the_last_one() {
        let point =
            |n: u64| At { at: n.to_string(), counts: Counts { requests: n, ..Counts::default() } };
        let bars = together((1..=6).map(point).collect(), 4);
        let bars: Vec<_> = bars.iter().map(|bar| (bar.at.as_str(), bar.counts.requests)).collect();
        assert_eq!(bars, [("1", 3), ("3", 18)]);
        assert_eq!(together((1..=3).map(point).collect(), 1).len(), 3);
        assert_eq!(together((1..=8).map(point).collect(), 4).len(), 2);
    }
}
