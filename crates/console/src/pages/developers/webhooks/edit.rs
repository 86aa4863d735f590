//! A new endpoint, and a changed one.

use askama::Template;
use patron_gateway::{Dialect, Reply, decode::Params};
use patron_model::Failure;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Endpoint, base, loaded, secrets};
use crate::{
    form::{Faults, Input, Kind},
    frame::{Frame, Tab},
    page::{self, Listed, Page},
    pages::{developers::notifier, doors::status},
    rights,
};

/// Lines that are read out of a field of a form; the API says how many it takes.
const LINES_MAX: usize = 200;
/// What offers every type.
const ALL: &str = "*";
/// Fields that are numbers.
const NUMBERS: [&str; 2] = ["timeout_seconds", "parallel"];

/// A type that can be asked for.
struct Tick {
    name: String,
    /// What happened, without what it happened to.
    action: String,
    about: String,
    is_on: bool,
}

#[derive(Template)]
#[template(path = "developers/webhook_edit.html")]
struct Form {
    f: Frame,
    endpoint: Option<Endpoint>,
    base: String,
    dialect: String,
    /// APIs in whose words an endpoint can be told: title, address of the form, whether it is this.
    tabs: Vec<Tab>,
    inputs: Vec<Input>,
    filters: Vec<Input>,
    more: Vec<Input>,
    headers: Input,
    keeps_headers: bool,
    offers_all: bool,
    is_all: bool,
    ticks: Vec<(String, Vec<Tick>)>,
    types_why: Option<String>,
    tag: String,
    once: String,
    is_stale: bool,
    summary: Vec<(String, String, String)>,
}

#[derive(Deserialize)]
struct Known {
    #[serde(rename = "type")]
    kind: String,
    noun: String,
    about: String,
}

/// What a form begins with, or was sent with, by the names of its fields.
struct Typed {
    dialect: String,
    values: Map<String, Value>,
    types: Vec<String>,
    keeps_headers: bool,
}

/// The fields of the form that are texts, in the order of the API.
const TEXTS: [&str; 11] = [
    "url",
    "description",
    "payload",
    "order",
    "signature",
    "timeout_seconds",
    "parallel",
    "filter.subjects",
    "filter.changed",
    "filter.metadata",
    "headers",
];

impl Typed {
    fn of(endpoint: Option<&Endpoint>, dialect: &str) -> Typed {
        let mut values = Map::new();
        if let Some(own) = endpoint {
            let subjects: Vec<String> = own.filter.subjects.iter().map(i64::to_string).collect();
            let all = [
                own.url.clone(),
                own.description.clone(),
                own.payload.clone(),
                own.order.clone(),
                own.signature.clone(),
                own.timeout_seconds.to_string(),
                own.parallel.to_string(),
                subjects.join("\n"),
                own.filter.changed.join("\n"),
                own.filter.pairs(),
                String::new(),
            ];
            values =
                TEXTS.iter().map(|name| (*name).to_owned()).zip(all.map(Value::from)).collect();
        }
        Typed {
            dialect: endpoint.map_or(dialect, |own| own.dialect.as_str()).to_owned(),
            values,
            types: endpoint.map_or_else(|| vec![ALL.to_owned()], |own| own.types.clone()),
            keeps_headers: endpoint.is_some(),
        }
    }

    fn sent(form: &Params, dialect: &str) -> Typed {
        let text = |name: &&'static str| {
            let sent = form.get(name)?.replace("\r\n", "\n");
            Some(((*name).to_owned(), Value::String(sent.trim().to_owned())))
        };
        let types = match form.get("told") {
            Some("all") => vec![ALL.to_owned()],
            _ => form.all("types").map(str::to_owned).collect(),
        };
        Typed {
            dialect: dialect.to_owned(),
            values: TEXTS.iter().filter_map(text).collect(),
            types,
            keeps_headers: form.get("keep_headers").is_some(),
        }
    }

    fn text(&self, name: &str) -> &str {
        self.values.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn lines(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.text(name).lines().map(str::trim);
        lines.filter(|line| !line.is_empty()).take(LINES_MAX)
    }

    /// `name` and value of each line, by what stands between them.
    fn pairs(&self, name: &str, between: char) -> Value {
        let pair = |line: &str| {
            let (key, value) = line.split_once(between).unwrap_or((line, ""));
            (key.trim().to_owned(), Value::String(value.trim().to_owned()))
        };
        Value::Object(self.lines(name).map(pair).collect())
    }

    /// As the API takes it; only what the form has.
    fn body(&self, is_new: bool) -> Value {
        let whole = |text: &str| text.parse::<i64>().map_or_else(|_| text.into(), Value::from);
        let mut body = Map::new();
        if is_new {
            body.insert("dialect".to_owned(), self.dialect.clone().into());
        }
        for name in ["url", "description", "payload", "order", "signature"] {
            match self.values.get(name) {
                Some(Value::String(text)) if text.is_empty() && is_new => {}
                Some(Value::String(text)) if text.is_empty() => {
                    body.insert(name.to_owned(), Value::Null);
                }
                Some(text) => drop(body.insert(name.to_owned(), text.clone())),
                None => {}
            }
        }
        for name in NUMBERS {
            if !self.text(name).is_empty() {
                body.insert(name.to_owned(), whole(self.text(name)));
            }
        }
        body.insert("types".to_owned(), self.types.clone().into());
        let subjects: Vec<Value> = self.lines("filter.subjects").map(whole).collect();
        let changed: Vec<&str> = self.lines("filter.changed").collect();
        let filter = serde_json::json!({
            "subjects": subjects,
            "changed": changed,
            "metadata": self.pairs("filter.metadata", '='),
        });
        body.insert("filter".to_owned(), filter);
        if !self.keeps_headers {
            body.insert("headers".to_owned(), self.pairs("headers", ':'));
        }
        Value::Object(body)
    }
}

/// The types of an API to tick, by what they happen to.
async fn ticks(
    page: &Page,
    f: &Frame,
    offers: &str,
    chosen: &[String],
) -> Result<Vec<(String, Vec<Tick>)>, Failure> {
    let listed: Listed<Known> = page.call("list_event_types").ask().await?.read()?;
    let is_offered =
        |kind: &str| offers == ALL || offers.split(", ").any(|offered| offered == kind);
    let tick = |known: Known| {
        let whole = format!("{}.*", known.noun);
        let is_on = chosen.iter().any(|one| *one == known.kind || *one == whole);
        let action = known.kind.rsplit('.').next().unwrap_or_default().to_owned();
        let tick = Tick { name: known.kind, action, about: known.about, is_on };
        (rights::noun(f, &known.noun), tick)
    };
    let offered = listed.data.into_iter().filter(|known| is_offered(&known.kind));
    Ok(rights::by_noun(offered.map(tick)))
}

/// The inputs: what it is, which entries of that, and how it is told.
fn inputs(f: &Frame, typed: &Typed, has_all: bool, faults: &Faults) -> [Vec<Input>; 3] {
    let input = |name: &'static str, label: &str, kind| {
        Input::new(name, f.words.t(label), kind, typed.text(name), faults)
    };
    let among = |name: &'static str, label: &str, words: &[&str]| {
        let word = |word: &&str| ((*word).to_owned(), f.words.t(&format!("webhook-{name}-{word}")));
        input(name, label, Kind::Line).among(words.iter().map(word).collect())
    };
    let what = vec![
        input("url", "webhook-url", Kind::Code).hinted(f.t("webhook-url-hint")),
        input("description", "webhook-description", Kind::Line),
    ];
    let filters = vec![
        input("filter.subjects", "webhook-subjects", Kind::Text)
            .hinted(f.t("webhook-subjects-hint")),
        input("filter.changed", "webhook-changed", Kind::Text).hinted(f.t("webhook-changed-hint")),
        input("filter.metadata", "webhook-metadata", Kind::Text)
            .hinted(f.t("webhook-metadata-hint")),
    ];
    let mut more = vec![among("order", "webhook-order", &["none", "customer"])];
    if has_all {
        more.insert(0, among("payload", "webhook-payload", &["full", "thin"]));
        more.push(among("signature", "webhook-signature", &["v1", "v1a", "both"]));
    }
    more.push(
        input("timeout_seconds", "webhook-timeout", Kind::Code).hinted(f.t("webhook-timeout-hint")),
    );
    more.push(
        input("parallel", "webhook-parallel", Kind::Code).hinted(f.t("webhook-parallel-hint")),
    );
    [what, filters, more]
}

/// A form as it is shown.
struct Shown<'a> {
    endpoint: Option<Endpoint>,
    tag: String,
    typed: Typed,
    sent: Option<&'a Params>,
    faults: Faults,
    is_stale: bool,
}

/// The APIs in whose words a new endpoint can be told, and where the form of each is.
fn apis(page: &Page, current: &str) -> Vec<Tab> {
    let dialects = page.request.site.dialects.iter();
    let offering = dialects.filter(|one| one.webhooks.is_some_and(|form| !form.offers.is_empty()));
    let api = |one: &&'static Dialect| {
        let path = format!("{}/webhooks/new?dialect={}", page.space(), one.name);
        let label = one.title.to_owned();
        Tab { label, href: page.url(&path), is_current: one.name == current }
    };
    offering.map(api).collect()
}

async fn shown(page: &Page, shown: Shown<'_>) -> Result<Form, Failure> {
    let Shown { endpoint, tag, typed, sent, faults, is_stale } = shown;
    let f = page.frame(if endpoint.is_some() { "webhook-edit" } else { "webhook-new" });
    let offers = notifier(page, &typed.dialect).map_or(ALL, |known| known.offers);
    let [inputs, filters, more] = inputs(&f, &typed, offers == ALL, &faults);
    let headers =
        Input::new("headers", f.t("webhook-headers"), Kind::Text, typed.text("headers"), &faults);
    let everything: Vec<Input> =
        [&inputs[..], &filters[..], &more[..], &[headers.clone()][..]].concat();
    let once = sent.and_then(|form| form.get(page::ONCE)).map(str::to_owned);
    let is_all = offers == ALL && typed.types.iter().any(|one| one == ALL);
    Ok(Form {
        tabs: if endpoint.is_some() { Vec::new() } else { apis(page, &typed.dialect) },
        base: endpoint
            .as_ref()
            .map_or_else(|| format!("{}/webhooks", page.space()), |own| base(page, own.number)),
        ticks: ticks(page, &f, offers, &typed.types).await?,
        types_why: faults.of("types"),
        offers_all: offers == ALL,
        is_all,
        headers: headers.hinted(f.t("webhook-headers-hint")),
        keeps_headers: typed.keeps_headers,
        summary: faults.summary(&everything),
        once: once.filter(|_| !is_stale).unwrap_or_else(|| f.once()),
        dialect: typed.dialect,
        inputs,
        filters,
        more,
        endpoint,
        tag,
        is_stale,
        f,
    })
}

fn faults(page: &Page, failure: &Failure) -> Result<Faults, Failure> {
    match failure {
        Failure::Stale { .. } => Ok(Faults::default()),
        Failure::Forbidden => Ok(Faults::one("types", page.words().t("webhook-beyond-own"))),
        other => Faults::of_failure(other, &page.words()),
    }
}

/// The empty form, for the API that is named.
pub async fn fresh(page: Page) -> Result<Reply, Failure> {
    let query = page.request.query();
    let asked = query.get("dialect").unwrap_or(page.own());
    let known = notifier(&page, asked).is_some_and(|known| !known.offers.is_empty());
    let mut typed = Typed::of(None, if known { asked } else { page.own() });
    if typed.dialect != page.own() {
        typed.types = Vec::new();
    }
    let faults = Faults::default();
    let empty =
        Shown { endpoint: None, tag: String::new(), typed, sent: None, faults, is_stale: false };
    page::html(200, &shown(&page, empty).await?)
}

/// Makes an endpoint and shows its secret.
pub async fn create(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let typed = Typed::sent(&form, form.get("dialect").unwrap_or(page.own()));
    match page.call("create_webhook_endpoint").body(typed.body(true)).once(&form).ask().await {
        Ok(answer) => {
            let made: Endpoint = answer.read()?;
            secrets::made(&page, &made.number.to_string(), made.secret, true)
        }
        Err(failure) => {
            let faults = faults(&page, &failure)?;
            let (endpoint, sent) = (None, Some(&form));
            let refused =
                Shown { endpoint, tag: String::new(), typed, sent, faults, is_stale: false };
            page::html(status(&failure), &shown(&page, refused).await?)
        }
    }
}

/// The form of an endpoint that is there.
pub async fn open(page: Page) -> Result<Reply, Failure> {
    let (endpoint, tag) = loaded(&page).await?;
    let typed = Typed::of(Some(&endpoint), &endpoint.dialect);
    let (endpoint, faults) = (Some(endpoint), Faults::default());
    let form = Shown { endpoint, tag, typed, sent: None, faults, is_stale: false };
    page::html(200, &shown(&page, form).await?)
}

/// Changes an endpoint.
pub async fn update(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let (own, fresh) = loaded(&page).await?;
    let typed = Typed::sent(&form, &own.dialect);
    let call = page.call("update_webhook_endpoint").at("id", own.number);
    let call = call.body(typed.body(false)).expecting(form.get("tag")).once(&form);
    match call.ask().await {
        Ok(_) => Ok(page.see(&format!("{}?done=saved", base(&page, own.number)))),
        Err(failure) => {
            let is_stale = matches!(failure, Failure::Stale { .. });
            let faults = faults(&page, &failure)?;
            let tag = if is_stale { fresh } else { form.get("tag").unwrap_or_default().to_owned() };
            let (endpoint, sent) = (Some(own), Some(&form));
            let refused = Shown { endpoint, tag, typed, sent, faults, is_stale };
            page::html(status(&failure), &shown(&page, refused).await?)
        }
    }
}
