//! Mixed load whose every outcome is known. Each writer has customers of its own and does one step
//! after the other, so the state after `k` steps is known, and after a fault it must be that of the
//! answered steps, or of these and the one that was under way. Nothing in between, nothing less.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use patron_testkit::Answer;
use serde_json::{Value, json};

use super::dice::Dice;
use super::door::{Door, Sent};
use crate::api::{self, ALL, Person};
use crate::program::{patron, succeed};

/// Customers of one page; as many as the API allows.
const PAGE: usize = 200;

/// What the sandbox's keys are.
pub fn keys() -> Arc<Value> {
    let printed = succeed(patron().args(["sandbox", "--print"]));
    Arc::new(serde_json::from_str(&printed).unwrap())
}

/// A person that every API takes.
pub fn person(email: &str, text: &str) -> Person {
    Person::from([
        ("reference", format!("ref-{email}")),
        ("given_name", "Given".into()),
        ("family_name", "Family".into()),
        ("full_name", "Given Family".into()),
        ("title", text.to_owned()),
        ("company_name", "Company".into()),
        ("tax_number", "123456".into()),
        ("email", email.to_owned()),
        ("phone", "+41446681800".into()),
        ("language", "de".into()),
        ("currency", "CHF".into()),
        ("description", "x".repeat(150)),
        ("metadata", "tier".into()),
        ("line1", "Street 1".into()),
        ("city", text.to_owned()),
        ("postal_code", "8000".into()),
        ("state", "ZH".into()),
        ("country", "CH".into()),
    ])
}

/// What one step does. Customers are called by the number of their place with the writer.
#[derive(Debug, Clone)]
enum Step {
    Create { place: usize, api: &'static str },
    Retitle { place: usize },
    Settle { place: usize },
    Remark { place: usize },
    Delete { place: usize },
    Merge { survivor: usize, absorbed: usize },
}

/// What can be seen of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    title: Option<String>,
    cities: BTreeSet<String>,
    remarks: BTreeSet<String>,
    is_deleted: bool,
    merged_into: Option<String>,
}

/// Everything of one writer, by e-mail address.
type Seens = BTreeMap<String, Seen>;

/// What the writer learned of a customer.
#[derive(Debug, Clone, Default)]
struct Known {
    number: i64,
    tag: String,
}

/// What came of a step.
pub enum Came {
    Answered,
    Refused(Answer),
    Gone,
}

/// One writer.
pub struct Writer {
    name: usize,
    keys: Arc<Value>,
    dice: Dice,
    steps: Vec<Step>,
    sent: Vec<Sent>,
    known: BTreeMap<usize, Known>,
    /// Steps that were answered with success.
    pub answered: usize,
    /// Whether the step after these was sent before.
    is_tried: bool,
}

impl Writer {
    pub fn new(name: usize, keys: Arc<Value>, seed: u64) -> Writer {
        Writer {
            name,
            keys,
            dice: Dice::new(seed.wrapping_mul(1_000_003) + name as u64),
            steps: Vec::new(),
            sent: Vec::new(),
            known: BTreeMap::new(),
            answered: 0,
            is_tried: false,
        }
    }

    fn email(&self, place: usize) -> String {
        format!("writer{}-{place}@example.com", self.name)
    }

    /// A text that only step `n` writes; of letters, since one API takes nothing else.
    fn text(&self, n: usize) -> String {
        let digits = format!("{}x{n}", self.name);
        digits.bytes().map(|c| if c == b'x' { 'x' } else { char::from(b'A' + c - b'0') }).collect()
    }

    /// Does the next step, or again the one whose outcome is not known.
    pub async fn step(&mut self, door: &Door<'_>) -> Came {
        let n = self.answered;
        if self.steps.len() == n {
            let step = self.next();
            self.sent.push(self.request(n, &step));
            self.steps.push(step);
            self.is_tried = false;
        }
        // A create without idempotency key is only repeated when the first one came to nothing.
        let is_create = matches!(&self.steps[n], Step::Create { api, .. } if *api != "native");
        if !(self.is_tried && is_create && self.look_up(door, n).await) {
            self.is_tried = true;
            match door.call(&self.keys, &self.sent[n]).await {
                None => return Came::Gone,
                Some(answer) if answer.status >= 300 => return Came::Refused(answer),
                Some(answer) => self.learn(n, &answer),
            }
        }
        self.answered += 1;
        Came::Answered
    }

    /// Numbers and tags of customers that another API made; needed before the next step is chosen.
    pub async fn find_number(&mut self, door: &Door<'_>) -> bool {
        let is_chosen = self.steps.len() > self.answered;
        match self.answered.checked_sub(1).filter(|_| !is_chosen) {
            Some(n) if matches!(&self.steps[n], Step::Create { api, .. } if *api != "native") => {
                self.look_up(door, n).await
            }
            _ => true,
        }
    }

    async fn look_up(&mut self, door: &Door<'_>, n: usize) -> bool {
        let Step::Create { place, .. } = self.steps[n] else { return true };
        let path = format!("/v1/customers?email={}", self.email(place));
        let Some(found) = door.call(&self.keys, &Sent::native("GET", path, None)).await else {
            return false;
        };
        if found.status != 200 {
            return false;
        }
        let found = found.json();
        let Some(number) = found["data"][0]["number"].as_i64() else { return false };
        assert_eq!(found["data"].as_array().unwrap().len(), 1, "created twice: {found}");
        let tag = format!("\"{}\"", found["data"][0]["version"]);
        self.known.insert(place, Known { number, tag });
        true
    }

    fn learn(&mut self, n: usize, answer: &Answer) {
        let place = match &self.steps[n] {
            Step::Create { place, api: "native" } | Step::Retitle { place } => *place,
            Step::Merge { survivor, .. } => *survivor,
            _ => return,
        };
        let number = answer.json()["number"].as_i64().unwrap();
        let tag = answer.header("etag").to_owned();
        self.known.insert(place, Known { number, tag });
    }

    fn next(&mut self) -> Step {
        let state = self.state_after(self.answered);
        let places: Vec<usize> = self.known.keys().copied().collect();
        let mut living = places;
        living.retain(|place| state.get(&self.email(*place)).is_some_and(|seen| !seen.is_deleted));
        let created = self.steps.iter().filter(|step| matches!(step, Step::Create { .. })).count();
        if living.len() < 3 {
            let api = if self.dice.below(2) == 0 { 0 } else { self.dice.below(ALL.len()) };
            return Step::Create { place: created, api: ALL[api].name };
        }
        let place = living.swap_remove(self.dice.below(living.len()));
        match self.dice.below(12) {
            0..=3 => Step::Retitle { place },
            4..=6 => Step::Settle { place },
            7..=8 => Step::Remark { place },
            9..=10 => Step::Delete { place },
            _ => {
                let absorbed = living.swap_remove(self.dice.below(living.len()));
                Step::Merge { survivor: place, absorbed }
            }
        }
    }

    fn request(&self, n: usize, step: &Step) -> Sent {
        let path =
            |place: &usize, end: &str| format!("/v1/customers/{}{end}", self.known[place].number);
        let text = self.text(n);
        let sent = match step {
            Step::Create { place, api } => {
                let body = api::body(api, &self.keys, &person(&self.email(*place), &text));
                let path = api::create_path(api, &self.keys);
                Sent { api, ..Sent::native("POST", path, Some(body)) }
            }
            Step::Retitle { place } => {
                let body = json!({"title": text, "description": text, "metadata": {"n": text}});
                Sent::native("PATCH", path(place, ""), Some(body))
                    .with("if-match", &self.known[place].tag)
            }
            Step::Settle { place } => {
                let body = json!({"purpose": "other", "line1": text, "city": text});
                Sent::native("POST", path(place, "/addresses"), Some(body))
            }
            Step::Remark { place } => {
                Sent::native("POST", path(place, "/comments"), Some(json!({"content": text})))
            }
            Step::Delete { place } => Sent::native("DELETE", path(place, ""), None),
            Step::Merge { survivor, absorbed } => {
                let body = json!({"absorb": self.known[absorbed].number});
                Sent::native("POST", path(survivor, "/merge"), Some(body))
            }
        };
        match sent.api {
            "native" => sent.with("idempotency-key", &format!("key-{text}")),
            _ => sent,
        }
    }

    /// What is to be seen after so many steps.
    fn state_after(&self, steps: usize) -> Seens {
        let mut all = Seens::new();
        for (n, step) in self.steps[..steps].iter().enumerate() {
            self.apply(&mut all, n, step);
        }
        all
    }

    fn apply(&self, all: &mut Seens, n: usize, step: &Step) {
        let text = self.text(n);
        match *step {
            Step::Create { place, api } => {
                let has = |field| api::fields(api).contains(&field);
                at(all, self.email(place)).title = has("title").then(|| text.clone());
                at(all, self.email(place)).cities =
                    has("city").then_some(text).into_iter().collect();
            }
            Step::Retitle { place } => at(all, self.email(place)).title = Some(text),
            Step::Settle { place } => {
                at(all, self.email(place)).cities.insert(text);
            }
            Step::Remark { place } => {
                at(all, self.email(place)).remarks.insert(text);
            }
            Step::Delete { place } => {
                // What is deleted does not show its comments.
                at(all, self.email(place)).remarks.clear();
                at(all, self.email(place)).is_deleted = true;
            }
            Step::Merge { survivor, absorbed } => {
                at(all, self.email(absorbed)).is_deleted = true;
                at(all, self.email(absorbed)).merged_into = Some(self.email(survivor));
                let goes = at(all, self.email(absorbed)).clone();
                at(all, self.email(absorbed)).remarks.clear();
                let mut stays = at(all, self.email(survivor)).clone();
                stays.title = stays.title.or(goes.title);
                stays.cities.extend(goes.cities);
                stays.remarks.extend(goes.remarks);
                *at(all, self.email(survivor)) = stays;
            }
        }
    }
}

fn at(all: &mut Seens, email: String) -> &mut Seen {
    all.entry(email).or_default()
}

/// Everything the writers made, as the native API shows it.
async fn observe(door: &Door<'_>, keys: &Value) -> Result<Seens, String> {
    let mut customers = Vec::new();
    let mut cursor = String::new();
    loop {
        let path =
            format!("/v1/customers?deleted=true&limit={PAGE}&expand=addresses,comments{cursor}");
        let page = door.call(keys, &Sent::native("GET", path, None)).await.ok_or("no answer")?;
        if page.status != 200 {
            return Err(format!("the list answers {}: {}", page.status, page.text()));
        }
        let page = page.json();
        customers.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let emails: BTreeMap<i64, String> = customers.iter().map(number_and_email).collect();
    let seen = |customer: &Value| {
        let texts = |member: &str, field: &str| -> BTreeSet<String> {
            let items = customer[member].as_array().into_iter().flatten();
            items.map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
        };
        Seen {
            title: customer["title"].as_str().map(str::to_owned),
            cities: texts("addresses", "city"),
            remarks: texts("comments", "content"),
            is_deleted: customer["status"] == "deleted",
            merged_into: customer["merged_into"].as_i64().map(|number| emails[&number].clone()),
        }
    };
    let mut all = Seens::new();
    for customer in &customers {
        let (_, email) = number_and_email(customer);
        let twice = all.insert(email, seen(customer));
        if twice.is_some() {
            return Err(format!("there twice: {customer}"));
        }
    }
    all.retain(|email, _| email.starts_with("writer"));
    Ok(all)
}

fn number_and_email(customer: &Value) -> (i64, String) {
    let email = customer["email"].as_str().unwrap_or_default().to_owned();
    (customer["number"].as_i64().unwrap(), email)
}

fn of_writer(all: &Seens, writer: &Writer) -> Seens {
    let own = format!("writer{}-", writer.name);
    all.iter()
        .filter(|(email, _)| email.starts_with(&own))
        .map(|(e, s)| (e.clone(), s.clone()))
        .collect()
}

/// After a fault: what each writer was answered is there, whole, and repeats have no second
/// effect. Answers what does not agree.
pub async fn verify(door: &Door<'_>, writers: &[(&Writer, usize)]) -> Result<(), String> {
    let Some((first, _)) = writers.first() else { return Ok(()) };
    let keys = Arc::clone(&first.keys);
    let found = observe(door, &keys).await?;
    for (writer, answered) in writers {
        let found = of_writer(&found, writer);
        let next = (answered + 1).min(writer.steps.len());
        if found != writer.state_after(*answered) && found != writer.state_after(next) {
            return Err(format!(
                "writer {} was answered {answered} steps, the last {:?}, the next {:?}.\n\
                 Found {found:#?}\nExpected {:#?}",
                writer.name,
                answered.checked_sub(1).map(|n| &writer.steps[n]),
                writer.steps.get(*answered),
                writer.state_after(*answered)
            ));
        }
    }
    for (writer, answered) in writers {
        repeat(door, writer, *answered).await?;
    }
    let found = observe(door, &keys).await?;
    for (writer, answered) in writers {
        let repeated = answered + usize::from(is_repeatable(writer, *answered));
        let found = of_writer(&found, writer);
        let allowed = [repeated, (answered + 1).min(writer.steps.len())];
        if !allowed.iter().any(|steps| found == writer.state_after(*steps)) {
            return Err(format!("writer {}: repeats had an effect: {found:#?}", writer.name));
        }
    }
    Ok(())
}

fn is_repeatable(writer: &Writer, n: usize) -> bool {
    writer.sent.get(n).is_some_and(|sent| sent.api == "native")
}

/// Repeats the last answered step and the one after it.
async fn repeat(door: &Door<'_>, writer: &Writer, answered: usize) -> Result<(), String> {
    for n in answered.saturating_sub(1)..=answered {
        if !is_repeatable(writer, n) {
            continue;
        }
        let Some(answer) = door.call(&writer.keys, &writer.sent[n]).await else {
            return Err("no answer to a repeat".to_owned());
        };
        let is_replay = answer.header("idempotency-replayed") == "true";
        if answer.status >= 300 || (n < answered && !is_replay) {
            let (name, status, text) = (writer.name, answer.status, answer.text());
            return Err(format!("writer {name}, step {n} again: {status}, {is_replay}: {text}"));
        }
    }
    Ok(())
}
