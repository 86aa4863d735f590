//! How often made-up records that hold no card number are refused: measured, printed, bounded.
//! What the rates mean to an operator stands in `docs/security.md`.

use super::contains_number;

/// Records of each kind.
const RECORDS: u32 = 100_000;

/// A fixed sequence of numbers (xorshift64*): the same rates at every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.roll() >> 11) % end
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    /// Digits that do not begin with a zero.
    fn number(&mut self, count: usize) -> String {
        format!("{}{}", self.below(9) + 1, self.digits(count - 1))
    }

    fn hex(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b"0123456789abcdef"[self.below(16) as usize])).collect()
    }

    fn letters(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'A' + self.below(26) as u8)).collect()
    }

    fn uuid(&mut self, version: char) -> String {
        let variant = char::from(b"89ab"[self.below(4) as usize]);
        let (a, b, c) = (self.hex(8), self.hex(4), self.hex(3));
        format!("{a}-{b}-{version}{c}-{variant}{}-{}", self.hex(3), self.hex(12))
    }

    fn day(&mut self) -> String {
        format!("{}{:02}{:02}", 2020 + self.below(10), self.below(12) + 1, self.below(28) + 1)
    }

    fn time(&mut self) -> String {
        format!("{:02}{:02}{:02}", self.below(24), self.below(60), self.below(60))
    }

    /// A mobile or fixed number of a country, in international form.
    fn phone(&mut self) -> String {
        match self.below(8) {
            0 => format!("+4179{}", self.digits(7)),
            1 => format!("+49151{}", self.digits(8)),
            2 => format!("+49176{}", self.digits(8)),
            3 => format!("+447{}", self.digits(9)),
            4 => format!("+38591{}", self.digits(7)),
            5 => format!("+2376{}", self.digits(8)),
            6 => format!("+1212{}", self.number(7)),
            _ => format!("+336{}", self.digits(8)),
        }
    }
}

/// What a kind of record is called, how it is made, and how many of 100 000 may be refused.
type Kind = (&'static str, fn(&mut Dice) -> String, u32);

/// Every kind. Where a kind is not letters and short groups but bare digits as long as a card's,
/// one in ten passes the Luhn check: such numbers cannot be told from cards by anybody.
const KINDS: [Kind; 27] = [
    ("order number with letters", |d| format!("ORD-{}-{}", d.day(), d.digits(6)), 0),
    (
        "order number of 6 to 12 digits",
        |d| {
            let n = 6 + d.below(7) as usize;
            d.number(n)
        },
        0,
    ),
    ("order number by day", |d| format!("{}-{}", d.day(), d.digits(4)), 0),
    ("order number of a shop system", |d| format!("#{}", d.number(5)), 0),
    ("moment and counter, 20 digits", |d| format!("{}{}{}", d.day(), d.time(), d.digits(6)), 400),
    ("random 20 digits", |d| d.number(20), 1_000),
    ("random 24 digits", |d| d.number(24), 1_000),
    ("random 13 digits", |d| d.number(13), 3_500),
    ("random 16 digits", |d| d.number(16), 5_000),
    ("milliseconds since 1970", |d| format!("17{}", d.digits(11)), 0),
    ("microseconds since 1970", |d| format!("17{}", d.digits(14)), 0),
    (
        "moment by RFC 3339",
        |d| {
            let t = d.digits(6);
            format!(
                "2026-0{}-{}T{}:{}:01.{t}Z",
                d.below(9) + 1,
                10 + d.below(18),
                10 + d.below(14),
                10 + d.below(50)
            )
        },
        0,
    ),
    ("phone, international", Dice::phone, 0),
    (
        "phone, international, blanks",
        |d| {
            let p = d.phone();
            format!("{} {} {}", &p[..3], &p[3..6], &p[6..])
        },
        0,
    ),
    ("phone, international, no plus", |d| d.phone()[1..].to_owned(), 0),
    (
        "phone, national",
        |d| format!("0{} {} {} {}", d.number(2), d.digits(3), d.digits(2), d.digits(2)),
        0,
    ),
    ("two phones, international", |d| format!("{}, {}", d.phone(), d.phone()), 300),
    (
        "two phones, national",
        |d| {
            format!(
                "044 {} {} {}, 079 {} {} {}",
                d.digits(3),
                d.digits(2),
                d.digits(2),
                d.digits(3),
                d.digits(2),
                d.digits(2)
            )
        },
        12_500,
    ),
    ("UUID version 4", |d| d.uuid('4'), 60),
    ("UUID version 7", |d| format!("019{}", &d.uuid('7')[3..]), 60),
    ("key of 32 hexadecimal digits", |d| d.hex(32), 60),
    ("key of 64 hexadecimal digits", |d| d.hex(64), 60),
    (
        "IBAN",
        |d| match d.below(3) {
            0 => format!("DE{}", d.digits(20)),
            1 => format!("CH{}", d.digits(19)),
            _ => format!("GB{}{}{}", d.digits(2), d.letters(4), d.digits(14)),
        },
        2_200,
    ),
    (
        "tax number",
        |d| match d.below(3) {
            0 => format!("CHE-{}.{}.{} MWST", d.digits(3), d.digits(3), d.digits(3)),
            1 => format!("DE{}", d.digits(9)),
            _ => d.number(11),
        },
        0,
    ),
    (
        "street and town",
        |d| format!("{} {}, {} {}", d.letters(9), d.below(200), d.number(4), d.letters(7)),
        0,
    ),
    (
        "street by number",
        |d| format!("{} {}th Ave Apt {}", d.number(4), d.below(90), d.number(3)),
        0,
    ),
    (
        "tracking number",
        |d| match d.below(3) {
            0 => format!("1Z{}{}", d.letters(6), d.digits(10)),
            1 => format!("RR{}CH", d.digits(9)),
            _ => format!("99.{}.{}", d.digits(6), d.digits(8)),
        },
        800,
    ),
];

#[test]
fn real_numbers_pass() {
    let mut wrong = Vec::new();
    for (name, make, bound) in KINDS {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        let refused = (0..RECORDS).filter(|_| contains_number(&make(&mut dice))).count();
        let refused = u32::try_from(refused).expect("a count");
        println!("{:>7.3} % of 100 000 refused: {name}", f64::from(refused) / 1_000.0);
        if refused > bound {
            wrong.push(format!("{name}: {refused}, at most {bound}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
