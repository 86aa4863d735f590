//! Moments in texts, as RFC 3339 writes them and as programs print them: their digits are no card
//! number's. A year from 1900 to 2199 begins like no card scheme.

use std::borrow::Cow;

/// Most digits of a fraction of a second: nanoseconds.
const FRACTION_DIGITS_MAX: usize = 9;

/// The text with a letter for each moment.
pub(super) fn without_moments(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut kept = String::new();
    let mut from = 0;
    for at in 0..bytes.len() {
        let begins = at >= from && (at == 0 || !bytes[at - 1].is_ascii_digit());
        let Some(length) = begins.then(|| moment(&bytes[at..])).flatten() else { continue };
        kept.push_str(&text[from..at]);
        kept.push('T');
        from = at + length;
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    kept.push_str(&text[from..]);
    Cow::Owned(kept)
}

/// Bytes of the moment that a text begins with.
fn moment(bytes: &[u8]) -> Option<usize> {
    let number = |at: usize, digits: usize, range: std::ops::RangeInclusive<u32>| {
        let part = std::str::from_utf8(bytes.get(at..at + digits)?).ok()?;
        let is_digits = part.bytes().all(|byte| byte.is_ascii_digit());
        let value = part.parse().ok().filter(|_| is_digits)?;
        range.contains(&value).then_some(())
    };
    let is = |at: usize, signs: &[u8]| bytes.get(at).filter(|b| signs.contains(b)).map(|_| ());
    number(0, 4, 1900..=2199)?;
    is(4, b"-")?;
    number(5, 2, 1..=12)?;
    is(7, b"-")?;
    number(8, 2, 1..=31)?;
    is(10, b"Tt ")?;
    number(11, 2, 0..=23)?;
    is(13, b":")?;
    number(14, 2, 0..=59)?;
    is(16, b":")?;
    number(17, 2, 0..=60)?;
    let mut end = 19;
    if is(end, b".,").is_some() {
        let fraction = bytes[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if (1..=FRACTION_DIGITS_MAX).contains(&fraction) {
            end += 1 + fraction;
        }
    }
    if is(end, b"+-").is_some() && number(end + 1, 2, 0..=14).is_some() {
        let minutes = end + 3 + usize::from(is(end + 3, b":").is_some());
        if number(minutes, 2, 0..=59).is_some() {
            end = minutes + 2;
        }
    }
    // What runs on is something else.
    bytes.get(end).is_none_or(|byte| !byte.is_ascii_digit()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_left_out_and_nothing_else() {
        for (text, rest) in [
            ("2026-11-21T18:57:39Z", "TZ"),
            ("2026-11-21T18:57:39.1234560+00:00", "T"),
            ("2026-11-21 18:57:39,123 -0530 x", "T -0530 x"),
            ("2026-11-21 18:57:39-0530", "T"),
            ("2026-11-21T18:57:39.4111111111111111", "T.4111111111111111"),
            ("from 2026-11-21T18:57:39 to 2026-11-22T18:57:39", "from T to T"),
        ] {
            assert_eq!(without_moments(text), rest, "{text}");
        }
        for text in [
            "",
            "4111-11-11T11:11:11.11",
            "2226-11-21T18:57:39",
            "2026-13-21T18:57:39",
            "2026-11-21T24:57:39",
            "12026-11-21T18:57:39",
            "2026-11-21T18:57:394111111111111111",
            "2026-11-21T18:57:3é",
            "4111 1111 1111 1111",
        ] {
            assert_eq!(without_moments(text), text);
        }
    }
}
