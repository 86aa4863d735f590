//! Sentences, numbers and moments in the language and form of the reader.

use std::sync::LazyLock;

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use jiff::{Timestamp as Instant, tz::TimeZone};
use patron_gateway::Exchange;
use patron_model::{Timestamp, Why, time_zone, user::User};
use unic_langid::LanguageIdentifier;

/// Seconds of a minute, an hour and a day.
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The languages the console speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
    /// French.
    French,
}

/// A language with all its sentences.
struct Spoken {
    language: Language,
    bundle: FluentBundle<FluentResource>,
}

/// How numbers and moments are written somewhere.
#[derive(Debug, Clone, Copy)]
struct Form {
    tag: &'static str,
    language: Language,
    /// What stands between thousands.
    thousands: &'static str,
    months: &'static [&'static str; 12],
    /// Whether the month comes first, and the day has twelve hours.
    is_american: bool,
    /// What stands behind the number of a day.
    after_day: &'static str,
}

const ENGLISH: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const GERMAN: [&str; 12] = [
    "Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez.",
];
const AUSTRIAN: [&str; 12] = [
    "Jän.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez.",
];
const FRENCH: [&str; 12] = [
    "janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.",
    "déc.",
];

const fn form(
    tag: &'static str,
    language: Language,
    thousands: &'static str,
    months: &'static [&'static str; 12],
    after_day: &'static str,
) -> Form {
    Form { tag, language, thousands, months, is_american: false, after_day }
}

/// Every form; of each language the first is the one where no region says otherwise.
static FORMS: [Form; 7] = [
    form("en-GB", Language::English, ",", &ENGLISH, ""),
    Form { is_american: true, ..form("en-US", Language::English, ",", &ENGLISH, "") },
    form("de-DE", Language::German, ".", &GERMAN, "."),
    form("de-AT", Language::German, ".", &AUSTRIAN, "."),
    form("de-CH", Language::German, "’", &GERMAN, "."),
    form("fr-FR", Language::French, "\u{202f}", &FRENCH, ""),
    form("fr-CH", Language::French, "’", &FRENCH, ""),
];

/// The sentences of one language: a file for each group of pages.
macro_rules! sentences {
    ($language:literal) => {
        [
            include_str!(concat!("../locales/", $language, "/console.ftl")),
            include_str!(concat!("../locales/", $language, "/customers.ftl")),
            include_str!(concat!("../locales/", $language, "/developers.ftl")),
            include_str!(concat!("../locales/", $language, "/operations.ftl")),
            include_str!(concat!("../locales/", $language, "/home.ftl")),
        ]
    };
}

static SENTENCES: [(Language, [&str; 5]); 3] = [
    (Language::English, sentences!("en")),
    (Language::German, sentences!("de")),
    (Language::French, sentences!("fr")),
];

static SPOKEN: LazyLock<[Spoken; 3]> =
    LazyLock::new(|| SENTENCES.map(|(language, texts)| spoken(language, texts)));

fn spoken(language: Language, texts: [&'static str; 5]) -> Spoken {
    let id: LanguageIdentifier = language.tag().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![id]);
    // What people entered stands in elements that keep its direction to itself.
    bundle.set_use_isolating(false);
    for text in texts {
        // A part that is not understood is left out here, and found by the test of all sentences.
        let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(read, _)| read);
        bundle.add_resource_overriding(resource);
    }
    Spoken { language, bundle }
}

impl Language {
    /// Its tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::German => "de",
            Language::French => "fr",
        }
    }
}

/// The words of one reader.
#[derive(Debug, Clone)]
pub struct Words {
    form: &'static Form,
    zone: TimeZone,
    zone_name: String,
}

/// A moment, for machines and for the reader.
pub struct Moment {
    /// RFC 3339, UTC.
    pub machine: String,
    /// Day and time.
    pub whole: String,
    /// How long ago, where that is not long.
    pub ago: String,
    /// The day.
    pub day: String,
}

impl Words {
    /// Those of a person, else of whoever the browser says it is for.
    pub fn of(exchange: &Exchange, user: Option<&User>) -> Words {
        let chosen = user.and_then(|user| user.language.as_ref()).map(|one| one.as_str());
        let sent = exchange.header("accept-language").unwrap_or_default();
        let zone = user.and_then(|user| user.time_zone.as_ref()).map(|zone| zone.as_str());
        Words::new(chosen, sent, zone)
    }

    /// By the tag that was chosen, what a browser accepts, and the name of a time zone.
    fn new(chosen: Option<&str>, accepted: &str, zone: Option<&str>) -> Words {
        let mut accepted: Vec<(&str, f32)> = accepted
            .split(',')
            .filter_map(|one| {
                let mut parts = one.split(';');
                let tag = parts.next()?.trim();
                let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok());
                Some((tag, weight.unwrap_or(1.0)))
            })
            .collect();
        accepted.sort_by(|a, b| b.1.total_cmp(&a.1));
        let tags = chosen.into_iter().chain(accepted.into_iter().map(|(tag, _)| tag));
        let form = tags.filter_map(of_tag).next().unwrap_or(&FORMS[0]);
        let known = zone.and_then(|name| Some((name.to_owned(), time_zone::rules(name)?)));
        let (zone_name, zone) = known.unwrap_or_else(|| ("UTC".to_owned(), TimeZone::UTC));
        Words { form, zone, zone_name }
    }

    /// The language.
    pub fn language(&self) -> Language {
        self.form.language
    }

    fn bundle(&self) -> &'static FluentBundle<FluentResource> {
        let own = SPOKEN.iter().find(|spoken| spoken.language == self.language());
        &own.unwrap_or(&SPOKEN[0]).bundle
    }

    /// Whether there is such a sentence.
    pub fn has(&self, key: &str) -> bool {
        self.bundle().has_message(key)
    }

    /// A text, where there is one under this key.
    pub fn known(&self, key: &str) -> Option<String> {
        self.has(key).then(|| self.t(key))
    }

    fn formatted(&self, key: &str, args: Option<&FluentArgs<'_>>) -> String {
        let bundle = self.bundle();
        let pattern = bundle.get_message(key).and_then(|message| message.value());
        // Without its sentence the key stands there: the test of all sentences finds it.
        let Some(pattern) = pattern else { return key.to_owned() };
        bundle.format_pattern(pattern, args, &mut Vec::new()).into_owned()
    }

    /// A sentence.
    pub fn t(&self, key: &str) -> String {
        self.formatted(key, None)
    }

    /// A sentence with something in it.
    pub fn say(&self, key: &str, with: &[(&str, &str)]) -> String {
        let mut args = FluentArgs::new();
        for (name, value) in with {
            args.set((*name).to_owned(), (*value).to_owned());
        }
        self.formatted(key, Some(&args))
    }

    /// A sentence about so many: `$count` decides its form, `$shown` stands in it.
    pub fn count(&self, key: &str, count: u64) -> String {
        let mut args = FluentArgs::new();
        // Exact below 2^53, which no count reaches.
        args.set("count", FluentValue::from(count as f64));
        args.set("shown", self.number(count));
        self.formatted(key, Some(&args))
    }

    /// A whole number.
    pub fn number(&self, number: u64) -> String {
        let digits = number.to_string();
        let mut text = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push_str(self.form.thousands);
            }
            text.push(digit);
        }
        text
    }

    /// A moment that the API told (RFC 3339), seen from now.
    pub fn moment(&self, sent: &str, now: Timestamp) -> Moment {
        let Ok(at) = Timestamp::parse(sent) else {
            let text = sent.to_owned();
            return Moment {
                machine: text.clone(),
                whole: text.clone(),
                ago: text.clone(),
                day: text,
            };
        };
        let whole = self.day_and_time(at);
        let passed = now.seconds() - at.seconds();
        let some = |key, unit: i64| self.count(key, u64::try_from(passed / unit).unwrap_or(0));
        let ago = match passed {
            ..0 => whole.clone(),
            0..MINUTE => self.t("ago-now"),
            MINUTE..HOUR => some("ago-minutes", MINUTE),
            HOUR..DAY => some("ago-hours", HOUR),
            _ => self.day(at),
        };
        Moment { machine: at.rfc3339_seconds(), whole, ago, day: self.day(at) }
    }

    fn zoned(&self, at: Timestamp) -> jiff::Zoned {
        let instant = Instant::from_microsecond(at.micros()).unwrap_or(Instant::UNIX_EPOCH);
        instant.to_zoned(self.zone.clone())
    }

    /// When a day, `2026-11-22`, begins for the reader (RFC 3339, UTC); nothing for what is none.
    pub fn midnight(&self, day: &str) -> Option<String> {
        let date: jiff::civil::Date = day.parse().ok()?;
        let begins = date.to_zoned(self.zone.clone()).ok()?.timestamp();
        Some(Timestamp::from_micros(begins.as_microsecond()).rfc3339_seconds())
    }

    /// A day.
    pub fn day(&self, at: Timestamp) -> String {
        let day = self.zoned(at).date();
        let month = self.month(day.month());
        let Form { after_day, .. } = self.form;
        match self.form.is_american {
            true => format!("{month} {}, {}", day.day(), day.year()),
            false => format!("{}{after_day} {month} {}", day.day(), day.year()),
        }
    }

    fn day_and_time(&self, at: Timestamp) -> String {
        format!("{}, {}", self.day(at), self.time(at))
    }

    /// The name of the time zone in which moments are shown.
    pub fn zone(&self) -> &str {
        &self.zone_name
    }

    /// A time of the day.
    pub fn time(&self, at: Timestamp) -> String {
        let time = self.zoned(at).time();
        let (hour, minute) = (time.hour(), time.minute());
        match self.form.is_american {
            true => {
                let half = if hour < 12 { "AM" } else { "PM" };
                let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
                format!("{hour}:{minute:02}\u{202f}{half}")
            }
            false => format!("{hour:02}:{minute:02}"),
        }
    }

    /// A day of this year.
    pub fn short_day(&self, at: Timestamp) -> String {
        let day = self.zoned(at).date();
        let month = self.month(day.month());
        match self.form.is_american {
            true => format!("{month} {}", day.day()),
            false => format!("{}{} {month}", day.day(), self.form.after_day),
        }
    }

    fn month(&self, month: i8) -> &'static str {
        let at = usize::try_from(month - 1).unwrap_or(0);
        self.form.months.get(at).copied().unwrap_or_default()
    }

    /// Why a value is refused, in a sentence.
    pub fn why(&self, why: &Why) -> String {
        let of = |key: &str, name: &str, value: &dyn std::fmt::Display| {
            self.say(key, &[(name, &value.to_string())])
        };
        match why {
            Why::Required => self.t("why-required"),
            Why::TooLong { max } => of("why-too-long", "max", max),
            Why::TooShort { min } => of("why-too-short", "min", min),
            Why::Malformed { expected } | Why::WrongType { expected } => {
                of("why-malformed", "expected", &self.expected(expected))
            }
            Why::Unknown { what } => of("why-unknown", "what", &self.expected(what)),
            Why::Misnamed { what, meant } => {
                let what = self.expected(what);
                self.say("why-misnamed", &[("what", &what), ("meant", meant)])
            }
            Why::OutOfRange { min, max } => {
                let (min, max) = (min.to_string(), max.to_string());
                self.say("why-out-of-range", &[("min", &min), ("max", &max)])
            }
            Why::NotOneOf { allowed } => of("why-not-one-of", "allowed", allowed),
            Why::NearlyOneOf { allowed, meant } => {
                self.say("why-nearly-one-of", &[("allowed", allowed), ("meant", meant)])
            }
            Why::ControlCharacter => self.t("why-control-character"),
            Why::Characters { allowed } => of("why-characters", "allowed", &self.expected(allowed)),
            Why::CardNumber => self.t("why-card-number"),
            Why::SecurityCode => self.t("why-security-code"),
            Why::Taken => self.t("why-taken"),
            Why::Ambiguous => self.t("why-ambiguous"),
            Why::Mismatch { with } => of("why-mismatch", "with", &self.expected(with)),
            Why::TooMany { max } => of("why-too-many", "max", max),
            Why::TooLarge { max_bytes } => of("why-too-large", "max", max_bytes),
            Why::TooDeep { max } => of("why-too-deep", "max", max),
            Why::RequiredWithout { others } => of("why-required-without", "others", others),
            Why::ReadOnly => self.t("why-read-only"),
            Why::Duplicate => self.t("why-duplicate"),
            Why::UnknownField => self.t("why-unknown-field"),
            Why::Misspelt { meant } => of("why-misspelt", "meant", meant),
            Why::Syntax { reason } => of("why-syntax", "reason", reason),
            // Whatever else is found out some day stands there in plain English.
            other => other.to_string(),
        }
    }

    /// What is expected of a value, where there are words for it; else as the rule says it.
    fn expected(&self, english: &str) -> String {
        let word = |byte: char| if byte.is_ascii_alphanumeric() { byte } else { '-' };
        let key: String = english.to_ascii_lowercase().chars().map(word).collect();
        let key = format!("expected-{key}");
        self.known(&key).unwrap_or_else(|| english.to_owned())
    }
}

/// The form for a tag: that of its region, else the first of its language.
fn of_tag(tag: &str) -> Option<&'static Form> {
    let exact = FORMS.iter().find(|form| form.tag.eq_ignore_ascii_case(tag));
    let language = tag.split('-').next().unwrap_or_default();
    let first = || FORMS.iter().find(|form| form.language.tag().eq_ignore_ascii_case(language));
    exact.or_else(first)
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
