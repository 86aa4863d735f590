//! The search grammar (dossier §3), from text to expression. What fields mean is none of its
//! business: that is what [`crate::filters`] adds.
//!
//! ```text
//! query = [ or ]
//! or    = and { "OR" and }
//! and   = unary { [ "AND" ] unary }
//! unary = [ "-" ] ( "(" or ")" | term )
//! term  = field ":" ( "*" | [ "~" | "<=" | ">=" | "<" | ">" ] value )
//! value = '"' chars '"' | "'" chars "'" | bare
//! ```

use patron_app::search::{CONDITIONS_MAX, SEARCHES_MAX};
use patron_model::Why;

/// Most terms of one query.
pub const TERMS_MAX: usize = CONDITIONS_MAX;
/// Most of them that search inside texts.
pub const CONTAINS_MAX: usize = SEARCHES_MAX;
/// Most parentheses inside each other.
pub const DEPTH_MAX: usize = 32;

/// A query as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// All of these.
    And(Vec<Expression>),
    /// Any of these.
    Or(Vec<Expression>),
    /// Not this.
    Not(Box<Expression>),
    /// A field passes a test.
    Term(Term),
}

/// A field and the test it has to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Name of the field, with its dots.
    pub field: String,
    /// The test.
    pub test: Test,
}

/// A test of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// The field is not set.
    Missing,
    /// The field compares with a value.
    Compare(Operator, String),
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Equals.
    Equal,
    /// Contains, in either case.
    Contains,
    /// Is less than.
    Less,
    /// Is at most.
    AtMost,
    /// Is greater than.
    Greater,
    /// Is at least.
    AtLeast,
}

/// Reads a query; a blank one asks for nothing.
///
/// # Errors
/// `Syntax` with the place of the first fault.
pub fn parse(text: &str) -> Result<Option<Expression>, Why> {
    let mut parser = Parser { text, at: 0, terms: 0, contains: 0, depth: 0 };
    parser.skip_blanks();
    if parser.rest().is_empty() {
        return Ok(None);
    }
    let expression = parser.or()?;
    parser.skip_blanks();
    match parser.rest().is_empty() {
        true => Ok(Some(expression)),
        false => Err(parser.fault("a closing parenthesis without an opening one")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    terms: usize,
    contains: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fault(&self, what: &str) -> Why {
        let place = self.text[..self.at].chars().count() + 1;
        Why::Syntax { reason: format!("{what} at character {place}") }
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Whether a word stands here as a keyword and not as the beginning of a field's name.
    fn is_keyword(&self, word: &str) -> bool {
        self.rest().strip_prefix(word).is_some_and(|rest| {
            rest.chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')'))
        })
    }

    fn or(&mut self) -> Result<Expression, Why> {
        let mut any = vec![self.and()?];
        while self.is_keyword("OR") {
            self.take("OR");
            any.push(self.and()?);
        }
        Ok(single_or(any, Expression::Or))
    }

    fn and(&mut self) -> Result<Expression, Why> {
        let mut all = vec![self.unary()?];
        loop {
            self.skip_blanks();
            let is_explicit = self.is_keyword("AND");
            if is_explicit {
                self.take("AND");
            } else if self.rest().is_empty()
                || self.rest().starts_with(')')
                || self.is_keyword("OR")
            {
                return Ok(single_or(all, Expression::And));
            }
            all.push(self.unary()?);
        }
    }

    fn unary(&mut self) -> Result<Expression, Why> {
        self.skip_blanks();
        let is_negated = self.take("-");
        let inner = if self.take("(") { self.group()? } else { self.term()? };
        Ok(if is_negated { Expression::Not(Box::new(inner)) } else { inner })
    }

    fn group(&mut self) -> Result<Expression, Why> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.fault("too many parentheses inside each other"));
        }
        let inner = self.or()?;
        self.skip_blanks();
        if !self.take(")") {
            return Err(self.fault("a closing parenthesis is missing"));
        }
        self.depth -= 1;
        Ok(inner)
    }

    fn term(&mut self) -> Result<Expression, Why> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(self.fault("too many terms"));
        }
        let stops = |c: char| c.is_whitespace() || matches!(c, ':' | '(' | ')' | '"' | '\'');
        let rest = self.rest();
        let end = rest.find(stops).unwrap_or(rest.len());
        let field = &rest[..end];
        if field.is_empty()
            || field.starts_with('-')
            || self.is_keyword("AND")
            || self.is_keyword("OR")
        {
            return Err(self.fault("the name of a field is expected"));
        }
        self.at += end;
        if !self.take(":") {
            return Err(self.fault("a colon after the name of the field is expected"));
        }
        let test = self.test()?;
        Ok(Expression::Term(Term { field: field.to_owned(), test }))
    }

    fn test(&mut self) -> Result<Test, Why> {
        if self.is_keyword("*") {
            self.take("*");
            return Ok(Test::Missing);
        }
        let operators = [
            ("~", Operator::Contains),
            ("<=", Operator::AtMost),
            (">=", Operator::AtLeast),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let found = operators.into_iter().find(|(sign, _)| self.take(sign));
        let operator = found.map_or(Operator::Equal, |(_, operator)| operator);
        self.contains += usize::from(operator == Operator::Contains);
        if self.contains > CONTAINS_MAX {
            return Err(self.fault("too many terms that search inside texts"));
        }
        Ok(Test::Compare(operator, self.value()?))
    }

    fn value(&mut self) -> Result<String, Why> {
        for quote in ['"', '\''] {
            if self.rest().starts_with(quote) {
                return self.quoted(quote);
            }
        }
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || c == ')').unwrap_or(rest.len());
        if end == 0 {
            return Err(self.fault("a value is expected"));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    /// A quoted value; a backslash takes the next character as it is.
    fn quoted(&mut self, quote: char) -> Result<String, Why> {
        let mut value = String::new();
        let mut is_escaped = false;
        for (at, c) in self.rest().char_indices().skip(1) {
            if is_escaped {
                value.push(c);
                is_escaped = false;
            } else if c == '\\' {
                is_escaped = true;
            } else if c == quote {
                self.at += at + c.len_utf8();
                let next = self.rest().chars().next();
                return match next.is_none_or(|c| c.is_whitespace() || c == ')') {
                    true => Ok(value),
                    false => Err(self.fault("a blank after the closing quote is expected")),
                };
            } else {
                value.push(c);
            }
        }
        Err(self.fault("a closing quote is missing for the value"))
    }
}

fn single_or(mut all: Vec<Expression>, several: fn(Vec<Expression>) -> Expression) -> Expression {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        Some(last) => {
            all.push(last);
            several(all)
        }
        None => several(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expression with every group in parentheses.
    fn shown(expression: &Expression) -> String {
        let joined = |all: &[Expression], word: &str| {
            format!("({})", all.iter().map(shown).collect::<Vec<_>>().join(word))
        };
        match expression {
            Expression::And(all) => joined(all, " & "),
            Expression::Or(any) => joined(any, " | "),
            Expression::Not(inner) => format!("!{}", shown(inner)),
            Expression::Term(Term { field, test: Test::Missing }) => format!("{field} null"),
            Expression::Term(Term { field, test: Test::Compare(operator, value) }) => {
                format!("{field} {operator:?} [{value}]")
            }
        }
    }

    fn read(text: &str) -> String {
        match parse(text) {
            Ok(Some(expression)) => shown(&expression),
            Ok(None) => String::new(),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn reads_every_form_of_a_term() {
        for (text, want) in [
            ("id:5", "id Equal [5]"),
            ("name:'Test'", "name Equal [Test]"),
            (r#"merchantReference:"two words""#, "merchantReference Equal [two words]"),
            ("emailAddress:~anna", "emailAddress Contains [anna]"),
            (r#"givenName:~"an na""#, "givenName Contains [an na]"),
            ("id:>10 id:<=12", "(id Greater [10] & id AtMost [12])"),
            ("id:>=10 id:<12", "(id AtLeast [10] & id Less [12])"),
            ("completedOn:<'2026-01-15'", "completedOn Less [2026-01-15]"),
            ("paymentConnectorConfiguration:*", "paymentConnectorConfiguration null"),
            ("a:*b", "a Equal [*b]"),
            (r#"a:"*""#, "a Equal [*]"),
            ("-id:5", "!id Equal [5]"),
            ("metaData.my.key:x", "metaData.my.key Equal [x]"),
            ("at:2026-01-02T03:04:05Z", "at Equal [2026-01-02T03:04:05Z]"),
            (r#"a:"say \"hi\" \\ it's""#, r#"a Equal [say "hi" \ it's]"#),
            (r"a:'it\'s'", "a Equal [it's]"),
            (r"a:b\c", r"a Equal [b\c]"),
            (r#"a:"""#, "a Equal []"),
            ("příjmení:~žluť", "příjmení Contains [žluť]"),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }

    #[test]
    fn and_binds_tighter_than_or_and_may_be_left_out() {
        let want = "((a Equal [1] & b Equal [2]) | c Equal [3])";
        assert_eq!(read("a:1 AND b:2 OR c:3"), want);
        assert_eq!(read("a:1 b:2 OR c:3"), want);
        assert_eq!(read("  a:1  b:2\tOR c:3 "), want);
        let want = "(id Equal [1] & (currency Equal [EUR] | currency Equal [CHF]))";
        assert_eq!(read("id:1 AND (currency:EUR OR currency:CHF)"), want);
        assert_eq!(read("a:1(b:2 OR c:3"), "(a Equal [1(b:2] | c Equal [3])");
        assert_eq!(read("-(a:1 OR b:2) AND -c:3"), "(!(a Equal [1] | b Equal [2]) & !c Equal [3])");
        assert_eq!(read("(a:1)(b:2)"), "(a Equal [1] & b Equal [2])");
        assert_eq!(read("((a:1))"), "a Equal [1]");
        assert_eq!(read("OR:1 AND AND:2"), "(OR Equal [1] & AND Equal [2])");
    }

    #[test]
    fn a_blank_query_asks_for_nothing() {
        assert_eq!(parse(""), Ok(None));
        assert_eq!(parse(" \t "), Ok(None));
    }

    #[test]
    fn says_where_the_fault_is() {
        for (text, want) in [
            ("anna", "a colon after the name of the field is expected at character 5"),
            ("a:", "a value is expected at character 3"),
            ("a: b", "a value is expected at character 3"),
            (":5", "the name of a field is expected at character 1"),
            ("a:1 OR", "the name of a field is expected at character 7"),
            ("a:1 AND", "the name of a field is expected at character 8"),
            ("AND a:1", "the name of a field is expected at character 1"),
            ("a:1 AND OR b:2", "the name of a field is expected at character 9"),
            ("(a:1", "a closing parenthesis is missing at character 5"),
            ("a:1)", "a closing parenthesis without an opening one at character 4"),
            ("()", "the name of a field is expected at character 2"),
            ("--a:1", "the name of a field is expected at character 2"),
            ("a:'b", "a closing quote is missing for the value at character 3"),
            ("a:'b'c", "a blank after the closing quote is expected at character 6"),
            ("ž:1 ž", "a colon after the name of the field is expected at character 6"),
        ] {
            assert_eq!(read(text), format!("Cannot be understood: {want}."), "{text}");
        }
    }

    #[test]
    fn is_bounded_in_terms_and_depth() {
        let terms = |count: usize| vec!["a:1"; count].join(" ");
        assert!(parse(&terms(TERMS_MAX)).is_ok());
        assert!(parse(&terms(TERMS_MAX + 1)).is_err());
        let contains = |count: usize| vec!["a:~1"; count].join(" -");
        assert!(parse(&contains(CONTAINS_MAX)).is_ok());
        assert!(parse(&contains(CONTAINS_MAX + 1)).is_err());
        let nested = |depth: usize| format!("{}a:1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert!(parse(&nested(DEPTH_MAX + 1)).is_err());
        assert!(parse(&"(".repeat(100_000)).is_err());
        assert!(parse(&"-".repeat(100_000)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics_on_any_text(text in ".*") {
            let _ = parse(&text);
        }

        #[test]
        fn never_panics_on_what_looks_like_a_query(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "a", "metaData.x", ":", "(", ")", "\"", "'", "\\", " ", "AND", "OR", "-", "~",
                    "<", ">", "<=", ">=", "*", "5", "ž", "\u{3000}", "2026-01-02",
                ]),
                0..40,
            )
        ) {
            let _ = parse(&parts.concat());
        }

        #[test]
        fn any_value_survives_quoting(value in "[^\u{0}]*") {
            let quoted = value.replace('\\', r"\\").replace('"', "\\\"");
            let want = Expression::Term(Term {
                field: "a".into(),
                test: Test::Compare(Operator::Equal, value),
            });
            proptest::prop_assert_eq!(parse(&format!("a:\"{quoted}\"")), Ok(Some(want)));
        }
    }
}
