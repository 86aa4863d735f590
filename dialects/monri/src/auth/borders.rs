//! Where one part of a signed text ends and the next begins.
//!
//! A digest is made of merchant key, time, authenticity token, request target and body, run
//! together without a mark between them ([`crate::auth::digest`]). Left alone, one text has many
//! readings: that of `GET /v2/customers?limit=1` is also that of a `WP3-v2` request with
//! `/v2/customers?limit=1` as its body, and whoever sees a digest could use it for another call.
//! With these rules, checked before a digest is believed, every text has one reading:
//!
//! - The token is 40 lower-case hexadecimal digits and the time is made of letters, digits and
//!   `-:.+`. Both end before the first byte that begins a target (`/`) or a body (`{` or white
//!   space), and as the token's length is known, so is the time's.
//! - `WP3-v2.1`: a target follows. It begins with `/` and holds neither `{` nor white space, so a
//!   body begins at the first of these.
//! - `WP3-v2`: a body follows, so the text goes on with `{` or white space and never with `/`.
//! - A body is a JSON object, and only `POST` has one.
//!
//! A client that signs a text outside these rules is refused itself, whatever its text could be.
//!
//! The format does not sign the method: within the time a space allows, a digest of
//! `GET /v2/customers/X` is good for `DELETE` of the same path. A client may send both in one
//! second, so a digest cannot be bound to the one it was made for.

use http::Method;
use patron_model::{Failure, Why};

/// Characters of an authenticity token.
const TOKEN_CHARS: usize = 40;
/// Characters of a time: more than milliseconds or ISO 8601 need.
const TIME_CHARS_MAX: usize = 40;

/// A request whose digest is to be checked, but for its key.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Whether the target is signed: `WP3-v2.1`, not `WP3-v2`.
    pub binds_path: bool,
    /// The client's clock, exactly as sent.
    pub timestamp: &'a str,
    /// The merchant's public name, exactly as sent.
    pub authenticity_token: &'a str,
    /// Method.
    pub method: &'a Method,
    /// Path and query exactly as on the request line.
    pub target: &'a str,
    /// The body's bytes.
    pub body: &'a [u8],
}

/// Refuses a request whose signed text could be read as another one's.
///
/// # Errors
/// `Unauthenticated` for an authorization that cannot be right, `Malformed` with what to do about
/// a target or body.
pub fn check(parts: &Parts<'_>) -> Result<(), Failure> {
    if !is_token(parts.authenticity_token) || !is_time(parts.timestamp) {
        return Err(Failure::Unauthenticated { reason: "unreadable authorization" });
    }
    if !parts.binds_path && parts.body.is_empty() {
        return Err(Failure::Unauthenticated { reason: "WP3-v2 without a body" });
    }
    let target = parts.target.as_bytes();
    if target.first() != Some(&b'/') || target.iter().any(|byte| begins_body(*byte)) {
        let expected = "sent to a path and query in which { is written as %7B";
        return Err(Failure::malformed("", Why::Malformed { expected }));
    }
    if parts.body.is_empty() {
        return Ok(());
    }
    if parts.method != Method::POST {
        let expected = "sent without a body: only a signed POST has one";
        return Err(Failure::malformed("", Why::Malformed { expected }));
    }
    let first = parts.body.iter().find(|byte| !is_white(**byte));
    if first == Some(&b'{') {
        Ok(())
    } else {
        Err(Failure::malformed("", Why::WrongType { expected: "a JSON object" }))
    }
}

fn is_token(token: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    token.len() == TOKEN_CHARS && token.bytes().all(is_digit)
}

fn is_time(time: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-:.+".contains(&byte);
    (1..=TIME_CHARS_MAX).contains(&time.len()) && time.bytes().all(is_plain)
}

/// White space of JSON (RFC 8259 §2).
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn begins_body(byte: u8) -> bool {
    byte == b'{' || is_white(byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "7db11ea5d4a1af32421b564c79b946d1ead3daf0";

    fn parts<'a>(method: &'a Method, target: &'a str, body: &'a str) -> Parts<'a> {
        Parts {
            binds_path: true,
            timestamp: "1593457122",
            authenticity_token: TOKEN,
            method,
            target,
            body: body.as_bytes(),
        }
    }

    #[test]
    fn a_body_is_an_object_of_a_post() {
        let is_clear = |method, target, body| check(&parts(method, target, body)).is_ok();
        for body in ["{}", " {}", "\t\r\n{\"name\":\"A\"}", "{"] {
            assert!(is_clear(&Method::POST, "/v2/customers", body), "{body}");
            for method in [&Method::GET, &Method::DELETE, &Method::HEAD, &Method::PUT] {
                assert!(!is_clear(method, "/v2/customers", body), "{method} {body}");
            }
        }
        for body in ["/v2/customers", "?limit=1", "[]", "[{}]", "\"{}\"", " ", "\u{feff}{}", "a{}"]
        {
            assert!(!is_clear(&Method::POST, "/v2/customers", body), "{body}");
        }
        for method in [&Method::GET, &Method::POST, &Method::DELETE] {
            assert!(is_clear(method, "/v2/customers?limit=1&x=%7B%20", ""), "{method}");
            for target in ["/v2/customers?x={}", "/v2/{", "/v2/a b", "/v2/a\tb", "", "v2", "*"] {
                assert!(!is_clear(method, target, ""), "{method} {target}");
            }
        }
    }

    #[test]
    fn token_and_time_cannot_reach_into_each_other() {
        let good = parts(&Method::GET, "/v2/customers", "");
        let long = "1".repeat(TIME_CHARS_MAX + 1);
        for timestamp in ["", " ", "1/", "1{", "1 ", "1\n", "é", &long] {
            assert!(check(&Parts { timestamp, ..good }).is_err(), "{timestamp:?}");
        }
        for timestamp in ["0", "1593457122", "1593457122000", "2020-06-29T18:58:42.000+02:00"] {
            assert!(check(&Parts { timestamp, ..good }).is_ok(), "{timestamp:?}");
        }
        let (short, long, upper) = (&TOKEN[1..], format!("{TOKEN}0"), TOKEN.to_uppercase());
        for authenticity_token in ["", "x", short, &long, &upper, &TOKEN.replace('7', "/")] {
            assert!(check(&Parts { authenticity_token, ..good }).is_err(), "{authenticity_token}");
        }
        let unbound = Parts { binds_path: false, ..good };
        assert!(check(&unbound).is_err(), "WP3-v2 has a body");
        let unbound = Parts { binds_path: false, ..parts(&Method::POST, "/v2/customers", "{}") };
        assert!(check(&unbound).is_ok());
    }

    /// Everything a text could be the digest of, as far as it is let in: scheme, time, token, and
    /// the signed target and body.
    fn readings(text: &str) -> Vec<(bool, &str, &str, &str, &str)> {
        let mut found = Vec::new();
        let cuts: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        for &time_end in &cuts {
            for &token_end in
                cuts.iter().filter(|at| (38..=42).contains(&at.wrapping_sub(time_end)))
            {
                for &target_end in cuts.iter().filter(|at| **at >= token_end) {
                    let (timestamp, token) = (&text[..time_end], &text[time_end..token_end]);
                    let (signed, body) = (&text[token_end..target_end], &text[target_end..]);
                    let binds_path = target_end > token_end;
                    // Without a signed target the request may go anywhere.
                    let target = if binds_path { signed } else { "/v2/customers" };
                    let is_let_in = |method: &Method| {
                        let body = body.as_bytes();
                        let (timestamp, authenticity_token) = (timestamp, token);
                        check(&Parts {
                            binds_path,
                            timestamp,
                            authenticity_token,
                            method,
                            target,
                            body,
                        })
                        .is_ok()
                    };
                    if [Method::GET, Method::POST, Method::DELETE].iter().any(is_let_in) {
                        found.push((binds_path, timestamp, token, signed, body));
                    }
                }
            }
        }
        found
    }

    #[test]
    fn the_texts_of_the_attacks_have_one_reading() {
        for rest in [
            "/v2/customers?limit=1",
            "/v2/customers/X/payment-methods?limit=10",
            "/v2/customers/X?a={\"name\":\"A\"}",
            "/v2/customers{\"name\":\"/v2/customers{}\"}",
            "/v2/customers {}",
            "{\"name\":\"/v2/customers\"}",
            " {}",
        ] {
            let text = format!("1593457122{TOKEN}{rest}");
            let readings = readings(&text);
            assert_eq!(readings.len(), 1, "{rest}: {readings:?}");
            assert_eq!((readings[0].1, readings[0].2), ("1593457122", TOKEN), "{rest}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        /// Two requests that are let in and signed by one key have one text only if they have the
        /// same scheme, time, token, signed target and body: they differ in the method at most.
        #[test]
        fn no_text_has_two_readings(
            time in "[0-9T:.{/ -]{1,13}",
            token in "[0-9a-f]{40}|(12|7d/){20}|[0-9]{39,41}",
            rest in "(/[a-c0-9?=&{} ]{0,6}){0,3}[ \n]{0,1}(\\{[a\"/:{} ]{0,8}\\}){0,2}[/{a0]{0,3}",
        ) {
            let text = format!("{time}{token}{rest}");
            let readings = readings(&text);
            prop_assert!(readings.len() <= 1, "{}: {:?}", text, readings);
        }
    }
}
