//! Values from texts: what was parsed and written out parses to the same again. Rows of CSV files.

use patron_gateway::decode::{self, Params};
use patron_model::{
    Timestamp, country::Country, currency::Currency, email::Email, language::Language,
    phone::Phone, text, time_zone::TimeZone,
};
use patron_native::rows;
use serde_json::Value;

/// Every value that parses a text.
pub fn values(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    macro_rules! stable {
        ($($type:ty),*) => {$(
            if let Ok(value) = <$type>::parse(text) {
                let again = <$type>::parse(value.as_str());
                assert_eq!(again.as_ref(), Ok(&value), "{}", stringify!($type));
            }
        )*};
    }
    stable!(Email, Language, Country, Currency, TimeZone, text::Name, text::Line, text::Note);
    if let Ok(phone) = Phone::parse(text, None) {
        assert_eq!(Phone::parse(phone.raw(), None).as_ref(), Ok(&phone));
    }
    if let Ok(at) = Timestamp::parse(text) {
        assert_eq!(Timestamp::parse(&at.rfc3339_micros()), Ok(at), "{text}");
        let (millis, seconds) = (at.rfc3339_millis(), at.rfc3339_seconds());
        assert!(Timestamp::parse(&millis).is_ok() && Timestamp::parse(&seconds).is_ok(), "{text}");
    }
    params(text);
    json(data);
}

/// What is read as JSON is what another reader makes of it; only a NUL is refused beyond that.
fn json(data: &[u8]) {
    let known = serde_json::from_slice::<Value>(data);
    match (decode::json::<Value>(data), known) {
        (Ok(value), Ok(known)) => {
            assert_eq!(value, known);
            assert!(!holds_nul(&value), "{value}");
        }
        (Err(_), Ok(_)) => {
            let text = String::from_utf8_lossy(data);
            assert!(text.contains("\\u0000"), "{text}");
        }
        (read, known) => assert_eq!(read.is_ok(), known.is_ok()),
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn params(text: &str) {
    let params = Params::parse(text);
    let escaped = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
    let pairs: Vec<String> =
        params.iter().map(|(n, v)| format!("{}={}", escaped(n), escaped(v))).collect();
    let again = Params::parse(&pairs.join("&"));
    assert!(again.iter().eq(params.iter()), "{text}");
    assert_eq!(decode::segment(&escaped(text)), text);
}

/// CSV with a header row, as `patron import` reads it.
pub fn csv_rows(data: &[u8]) {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(data);
    let Ok(headers) = reader.headers().cloned() else { return };
    for row in reader.records().flatten() {
        let cells = headers.iter().zip(row.iter());
        let Ok(record) = rows::from_cells(cells) else { continue };
        assert!(record.is_object());
        // A row that is taken is taken again when it was written as NDJSON.
        let text = record.to_string();
        let again = decode::json::<Value>(text.as_bytes());
        let taken = rows::into_patch(record).is_ok();
        assert!(!taken || again.is_ok_and(|record| rows::into_patch(record).is_ok()), "{text}");
    }
}
