//! The digits between two letters: where a number may begin and end in them.

/// Digits of a padding: fewer are part of a number, more are looked at as no padding.
const PADDING_MIN: usize = 4;
/// The same, at most.
const PADDING_MAX: usize = 128;
/// Years, without the century, that an expiry may name: a card number stands beside one.
const EXPIRY_YEARS: std::ops::RangeInclusive<u8> = 20..=49;

/// Whether a number may begin or end at a place between two digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// It may not.
    None,
    /// A group does.
    Group,
    /// Inside of a group: what is left of the group is an expiry, or one digit again and again.
    Cut,
}

/// One digit again and again, as short numbers are filled up.
fn is_padding(digits: &[u8]) -> bool {
    // Only as far as a card number and its padding may reach: the work must not grow with the
    // square of a long group.
    (PADDING_MIN..=PADDING_MAX).contains(&digits.len()) && digits.iter().all(|d| *d == digits[0])
}

fn two(digits: &[u8]) -> u8 {
    digits[0] * 10 + digits[1]
}

/// `MMYY` or `YYMM`.
fn is_expiry(digits: &[u8]) -> bool {
    let (first, second) = (two(digits), two(&digits[2..]));
    let fits = |month, year| (1..=12).contains(&month) && EXPIRY_YEARS.contains(&year);
    fits(first, second) || fits(second, first)
}

/// `MMYY…` (and with it `MM20YY`), `YYMM…` or `20YYMM…`.
fn begins_with_expiry(digits: &[u8]) -> bool {
    match digits {
        [2, 0, rest @ ..] if rest.len() >= 4 && is_expiry(&rest[..4]) => true,
        _ => digits.len() >= 4 && is_expiry(&digits[..4]),
    }
}

/// `…MMYY`, `…YYMM` (and with it `20YYMM`) or `…MM20YY`.
fn ends_with_expiry(digits: &[u8]) -> bool {
    match digits {
        [.., a, b, 2, 0, c, d] if is_expiry(&[*a, *b, *c, *d]) => true,
        _ => digits.len() >= 4 && is_expiry(&digits[digits.len() - 4..]),
    }
}

/// Digits between two letters.
#[derive(Default)]
pub(super) struct Run {
    pub(super) digits: Vec<u8>,
    /// For each digit, whether a group begins with it.
    borders: Vec<bool>,
    /// Where groups begin that follow a plus sign.
    pub(super) pluses: Vec<usize>,
    /// Whether the next digit belongs to the group of the last one.
    open: bool,
    /// Whether a plus sign stood before the next digit.
    plus: bool,
}

impl Run {
    pub(super) fn push(&mut self, digit: u8) {
        if self.plus {
            self.pluses.push(self.digits.len());
            self.plus = false;
        }
        self.borders.push(!self.open);
        self.open = true;
        self.digits.push(digit);
    }

    pub(super) fn gap(&mut self, plus: bool) {
        self.open = false;
        self.plus |= plus;
    }

    pub(super) fn clear(&mut self) {
        self.digits.clear();
        self.borders.clear();
        self.pluses.clear();
        self.open = false;
        self.plus = false;
    }

    /// For each place, whether a number may begin there.
    pub(super) fn begins(&self) -> Vec<Edge> {
        let mut group = 0;
        let edges = (0..=self.digits.len()).map(|at| {
            if self.is_border(at) {
                group = at;
                return Edge::Group;
            }
            let is_cut =
                is_padding(&self.digits[group..at]) || ends_with_expiry(&self.digits[..at]);
            if is_cut { Edge::Cut } else { Edge::None }
        });
        edges.collect()
    }

    /// For each place, whether a number may end there.
    pub(super) fn ends(&self) -> Vec<Edge> {
        let mut end = self.digits.len();
        let edges = (0..=self.digits.len()).rev().map(|at| {
            if self.is_border(at) {
                end = at;
                return Edge::Group;
            }
            let is_cut =
                is_padding(&self.digits[at..end]) || begins_with_expiry(&self.digits[at..]);
            if is_cut { Edge::Cut } else { Edge::None }
        });
        let mut edges: Vec<Edge> = edges.collect();
        edges.reverse();
        edges
    }

    /// Whether a group ends before this digit.
    pub(super) fn is_border(&self, at: usize) -> bool {
        self.borders.get(at).copied().unwrap_or(true)
    }
}
