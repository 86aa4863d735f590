//! Phone numbers (dossier §8): they come in with or without `+`, as text or as a number, are kept as
//! typed and go out with `+`.

use patron_model::{Why, country::Country, phone::Phone};

use crate::catalogues::data::COUNTRIES;

/// Digits from which a number without `+` is taken to begin with a country calling code: those of
/// the countries served here have at least eleven, national numbers hardly ever do.
const INTERNATIONAL_DIGITS_MIN: usize = 11;
/// Most digits of an international number (E.164).
const INTERNATIONAL_DIGITS_MAX: usize = 15;

/// A number as it was typed. One without `+` may begin with the calling code of a served country;
/// any other is read where the customer is, as in every API.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(typed: &str) -> Result<Phone, Why> {
    let plain = Phone::parse(typed, None)?;
    if plain.e164().is_some() || typed.starts_with('+') {
        return Ok(plain);
    }
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    let by_code = COUNTRIES
        .iter()
        .filter(|served| digits.starts_with(served.phone_code.trim_start_matches('+')))
        .filter_map(|served| Country::parse(&served.code).ok());
    let understood = by_code
        .filter_map(|country| Phone::parse(typed, Some(&country)).ok())
        .find(|phone| phone.e164().is_some() && phone.is_international());
    Ok(understood.unwrap_or(plain))
}

/// A number as it goes out: E.164 when known, otherwise as typed, with `+` before what must be an
/// international number.
pub fn shown(phone: &Phone) -> String {
    let best = phone.best();
    let is_international = best.bytes().all(|byte| byte.is_ascii_digit())
        && !best.starts_with('0')
        && (INTERNATIONAL_DIGITS_MIN..=INTERNATIONAL_DIGITS_MAX).contains(&best.len());
    if is_international { format!("+{best}") } else { best.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(typed: &str, country: Option<&str>) -> (String, String) {
        let country = country.map(|code| Country::parse(code).expect("a country"));
        let phone = parse(typed).expect("a phone").read_in(country.as_ref());
        (phone.raw().to_owned(), shown(&phone))
    }

    #[test]
    fn keeps_the_typed_form_and_shows_the_international_one() {
        for (typed, country, want) in [
            ("+237670000000", None, "+237670000000"),
            ("237670000000", None, "+237670000000"),
            ("237600000000", None, "+237600000000"),
            ("670000000", Some("CM"), "+237670000000"),
            ("237670000000", Some("FR"), "+237670000000"),
            ("670000000", None, "670000000"),
            ("0412345678", None, "0412345678"),
            ("ask for Awa", None, "ask for Awa"),
        ] {
            assert_eq!(seen(typed, country), (typed.to_owned(), want.to_owned()), "{typed}");
        }
    }
}
