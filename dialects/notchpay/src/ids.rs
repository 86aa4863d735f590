//! Identifiers: a prefix, `test_` in the sandbox, and the UUID in base 62 (dossier §4).
//!
//! Both the dot of the older ids and the underscore of the newer ones are read, with and without
//! `test_`; the dot is written.

use uuid::Uuid;

/// Digits of a UUID in base 62.
const LENGTH: usize = 22;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Prefix of customers.
pub const CUSTOMER: &str = "cus";
/// Prefix of payment methods.
pub const PAYMENT_METHOD: &str = "pm";

/// The id of a record.
pub fn text(prefix: &str, uuid: Uuid, sandbox: bool) -> String {
    let mut rest = uuid.as_u128();
    let mut digits = [b'0'; LENGTH];
    for place in digits.iter_mut().rev() {
        *place = DIGITS[usize::try_from(rest % 62).unwrap_or(0)];
        rest /= 62;
    }
    let mark = if sandbox { "test_" } else { "" };
    format!("{prefix}.{mark}{}", String::from_utf8_lossy(&digits))
}

/// The record an id names; none when it is not one.
pub fn parse(prefix: &str, id: &str) -> Option<Uuid> {
    let rest = id.strip_prefix(prefix)?.strip_prefix(['.', '_'])?;
    let digits = rest.strip_prefix("test_").unwrap_or(rest);
    if digits.len() != LENGTH {
        return None;
    }
    let number = digits.bytes().try_fold(0_u128, |number, digit| {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        number.checked_mul(62)?.checked_add(u128::try_from(value).ok()?)
    })?;
    Some(Uuid::from_u128(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_both_separators() {
        for uuid in
            [Uuid::nil(), Uuid::max(), Uuid::from_u128(0x0193_5f2e_77aa_7bbb_8ccc_0102_0304_0506)]
        {
            let id = text(CUSTOMER, uuid, true);
            assert_eq!(parse(CUSTOMER, &id), Some(uuid), "{id}");
            assert_eq!(parse(CUSTOMER, &text(CUSTOMER, uuid, false)), Some(uuid));
            assert_eq!(parse(CUSTOMER, &id.replacen('.', "_", 1)), Some(uuid));
        }
    }

    #[test]
    fn refuses_everything_else() {
        let id = text(CUSTOMER, Uuid::nil(), false);
        assert_eq!(parse(PAYMENT_METHOD, &id), None);
        for bad in ["", "cus", "cus.", "cus.test_", "cus.abc", "zus.0000000000000000000000"] {
            assert_eq!(parse(CUSTOMER, bad), None, "{bad}");
        }
        assert_eq!(parse(CUSTOMER, "cus.zzzzzzzzzzzzzzzzzzzzzz"), None, "beyond 128 bits");
        assert_eq!(parse(CUSTOMER, "cus.000000000000000000000-"), None);
    }
}
