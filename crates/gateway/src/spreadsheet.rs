//! Cells of CSV files that are opened in a spreadsheet. What a customer is called must not become a
//! formula there (OWASP, CSV injection), and an import must give back exactly what was exported.
//!
//! A quotation mark `'` is put before each sign that begins a formula (`=`, `+`, `-`, `@`, also in
//! full width, a tab and a carriage return) where a cell begins, or where a program that splits at
//! another sign than the comma sees one begin: after a semicolon, a tab or a line break. Blanks and
//! quotes may stand in between. An import takes one mark away at the same places. What begins with
//! a mark of its own gets a second one, so every text comes back. Plain decimal numbers are left
//! alone: `-12.50` computes nothing.

use std::borrow::Cow;

/// Signs with which a spreadsheet begins a formula.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
/// Signs at which some program begins another cell or row.
const BORDERS: [char; 4] = [';', '\t', '\r', '\n'];
/// What may stand between such a sign and the formula.
const FILLING: [char; 3] = [' ', '"', '\''];
/// What makes a formula a text.
const MARK: char = '\'';

/// A text as a cell that is no formula.
pub fn cell(text: &str) -> Cow<'_, str> {
    if is_decimal(text) || !has_formula(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(rewritten(text, |cell, sign| {
        cell.push(MARK);
        cell.push(sign);
    }))
}

/// The text of a cell that [`cell`] made.
pub fn text(cell: &str) -> Cow<'_, str> {
    if !has_formula(cell) {
        return Cow::Borrowed(cell);
    }
    Cow::Owned(rewritten(cell, |text, sign| {
        if text.ends_with(MARK) {
            text.pop();
        }
        text.push(sign);
    }))
}

/// A JSON document as a cell that is no formula: still the same document for every reader, because
/// the signs are escaped as JSON has it. They can only stand in its texts there.
pub fn json_cell(document: &str) -> Cow<'_, str> {
    if !has_formula(document) {
        return Cow::Borrowed(document);
    }
    // Not at its beginning: a document begins with a bracket, a quote, a digit or its own minus.
    let guarded = rewritten(document, |cell, sign| match cell.is_empty() {
        true => cell.push(sign),
        false => cell.push_str(&format!("\\u{:04x}", u32::from(sign))),
    });
    Cow::Owned(guarded)
}

/// Whether a sign stands where it would begin a formula.
fn has_formula(text: &str) -> bool {
    let mut found = false;
    if text.contains(FORMULA) {
        rewritten(text, |_, _| found = true);
    }
    found
}

/// The text with each sign that would begin a formula written by `write`.
fn rewritten(text: &str, mut write: impl FnMut(&mut String, char)) -> String {
    let mut written = String::with_capacity(text.len() + 8);
    let mut begins = true;
    for c in text.chars() {
        if begins && FORMULA.contains(&c) {
            write(&mut written, c);
        } else {
            written.push(c);
        }
        begins = BORDERS.contains(&c) || (begins && FILLING.contains(&c));
    }
    written
}

/// A plain decimal number, as amounts are written.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, fraction]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_texts_and_come_back() {
        for (value, shown) in [
            ("=1+1", "'=1+1"),
            ("+41 44 668 18 00", "'+41 44 668 18 00"),
            ("-1+1", "'-1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t'=1"),
            ("\r=1", "'\r'=1"),
            ("＝1", "'＝1"),
            (" =1", " '=1"),
            ("\"=1", "\"'=1"),
            ("'=1", "''=1"),
            ("''=1", "'''=1"),
            ("a;=1", "a;'=1"),
            ("a\n=1", "a\n'=1"),
            ("a;\"=cmd|' /C calc'!A0", "a;\"'=cmd|' /C calc'!A0"),
            ("=1;=2", "'=1;'=2"),
            // These are none.
            ("Anna", "Anna"),
            ("'tis", "'tis"),
            ("a=b", "a=b"),
            ("O'Neil-Smith", "O'Neil-Smith"),
            ("-12.50", "-12.50"),
            ("", ""),
        ] {
            assert_eq!(cell(value), shown, "{value:?}");
            assert_eq!(text(shown), value, "{shown:?}");
        }
        // As a spreadsheet's user writes it.
        assert_eq!(text("'-12.50"), "-12.50");
    }

    #[test]
    fn every_text_of_the_signs_that_matter_comes_back() {
        let signs: Vec<char> = "=-'\" ;\t\na1".chars().collect();
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            let longer =
                texts.iter().flat_map(|text| signs.iter().map(move |c| format!("{text}{c}")));
            texts = longer.collect();
            for value in &texts {
                assert_eq!(text(&cell(value)), *value, "{value:?}");
            }
        }
    }

    #[test]
    fn a_json_cell_stays_the_same_document() {
        for document in [r#"{"a":"x;=1","b":-2,"c":["\n","; @x"]}"#, "[1,-2]", "-3", "{}"] {
            let cell = json_cell(document);
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
            assert_eq!(value(&cell), value(document), "{cell}");
            assert!(!cell.contains(";=") && !cell.contains("; @"), "{cell}");
        }
    }
}
