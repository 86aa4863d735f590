//! RSQL (dossier §8.4): the grammar, and nothing of what selectors mean.
//!
//! ```text
//! input       = or ;
//! or          = and , { ( "," | " or " ) , and } ;
//! and         = constraint , { ( ";" | " and " ) , constraint } ;
//! constraint  = "(" , or , ")" | selector , operator , arguments ;
//! operator    = ( ( "=" , { ALPHA } ) | "!" ) , "=" | ( ">" | "<" ) , [ "=" ] ;
//! arguments   = "(" , value , { "," , value } , ")" | value ;
//! value       = unreserved | '"' … '"' | "'" … "'" ;
//! ```
//!
//! Backslash escapes inside quotes only. Spaces around tokens are skipped. Faults name the place,
//! counted in characters from 1, and never repeat the text.

use patron_app::search;

/// Characters of the longest expression.
pub const CHARS_MAX: usize = 16_384;
/// Groups that may stand within each other.
pub const DEPTH_MAX: usize = 32;
/// Comparisons of one expression.
pub const COMPARISONS_MAX: usize = search::CONDITIONS_MAX;
/// Values of all lists together.
pub const VALUES_MAX: usize = search::VALUES_MAX;

/// Characters that end an unquoted text.
const RESERVED: &str = "\"'();,=!~<> ";

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// Any of these holds.
    Any(Vec<Expression>),
    /// All of these hold.
    All(Vec<Expression>),
    /// A comparison holds.
    Comparison(Comparison),
}

/// `selector operator arguments`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What is compared.
    pub selector: String,
    /// How.
    pub operator: Operator,
    /// With what: one value, or several of a list.
    pub values: Vec<String>,
    /// Where it begins, in characters from 1.
    pub place: usize,
}

/// The documented operators; `>` and the like mean the same as `=gt=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `=in=`
    In,
    /// `=out=`
    Out,
    /// `=regex=`
    Regex,
    /// `=gt=`, `>`
    Greater,
    /// `=ge=`, `>=`
    AtLeast,
    /// `=lt=`, `<`
    Less,
    /// `=le=`, `<=`
    AtMost,
}

/// What is wrong with an expression, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(pub String);

/// Reads an expression.
///
/// # Errors
/// What is wrong, and where.
pub fn parse(text: &str) -> Result<Expression, Fault> {
    let chars: Vec<char> = text.chars().take(CHARS_MAX + 1).collect();
    if chars.len() > CHARS_MAX {
        return Err(Fault(format!("it is longer than {CHARS_MAX} characters")));
    }
    let mut parser = Parser { chars, at: 0, depth: 0, comparisons: 0, values: 0 };
    let expression = parser.any()?;
    parser.skip_spaces();
    match parser.peek() {
        None => Ok(expression),
        Some(_) => Err(parser.expected("an operator between comparisons, or the end")),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
    comparisons: usize,
    values: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn skip_spaces(&mut self) -> bool {
        let before = self.at;
        while self.take(' ') {}
        self.at > before
    }

    fn expected(&self, what: &str) -> Fault {
        Fault(format!("{what} is expected at character {}", self.at + 1))
    }

    /// A sign, or the word for it between spaces.
    fn joint(&mut self, sign: char, word: &str) -> bool {
        let before = self.at;
        let spaced = self.skip_spaces();
        if self.take(sign) {
            return true;
        }
        let end = self.at + word.len();
        let is_word =
            self.chars.get(self.at..end).is_some_and(|w| w.iter().copied().eq(word.chars()));
        if spaced && is_word && self.chars.get(end) == Some(&' ') {
            self.at = end;
            return true;
        }
        self.at = before;
        false
    }

    fn any(&mut self) -> Result<Expression, Fault> {
        let mut all = vec![self.all()?];
        while self.joint(',', "or") {
            all.push(self.all()?);
        }
        Ok(single_or(all, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, Fault> {
        let mut all = vec![self.constraint()?];
        while self.joint(';', "and") {
            all.push(self.constraint()?);
        }
        Ok(single_or(all, Expression::All))
    }

    fn constraint(&mut self) -> Result<Expression, Fault> {
        self.skip_spaces();
        if !self.take('(') {
            return self.comparison().map(Expression::Comparison);
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault(format!("groups stand more than {DEPTH_MAX} deep")));
        }
        let inner = self.any()?;
        self.skip_spaces();
        if !self.take(')') {
            return Err(self.expected("a closing parenthesis"));
        }
        self.depth -= 1;
        Ok(inner)
    }

    fn comparison(&mut self) -> Result<Comparison, Fault> {
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return Err(Fault(format!("it has more than {COMPARISONS_MAX} comparisons")));
        }
        let place = self.at + 1;
        let selector = self.unreserved().ok_or_else(|| self.expected("a selector"))?;
        self.skip_spaces();
        let operator = self.operator()?;
        self.skip_spaces();
        let values = self.arguments(operator)?;
        Ok(Comparison { selector, operator, values, place })
    }

    fn unreserved(&mut self) -> Option<String> {
        let begin = self.at;
        while self.peek().is_some_and(|c| !RESERVED.contains(c)) {
            self.at += 1;
        }
        (self.at > begin).then(|| self.chars[begin..self.at].iter().collect())
    }

    fn operator(&mut self) -> Result<Operator, Fault> {
        let begin = self.at;
        let unknown = Fault(format!("the operator at character {} is not known", begin + 1));
        let operator = match self.peek() {
            Some('!') => {
                self.at += 1;
                self.take('=').then_some(Operator::NotEqual)
            }
            Some('>') => {
                self.at += 1;
                Some(if self.take('=') { Operator::AtLeast } else { Operator::Greater })
            }
            Some('<') => {
                self.at += 1;
                Some(if self.take('=') { Operator::AtMost } else { Operator::Less })
            }
            Some('=') => {
                self.at += 1;
                while self.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
                    self.at += 1;
                }
                let word: String = self.chars[begin + 1..self.at].iter().collect();
                if self.take('=') { named(&word) } else { None }
            }
            _ => return Err(self.expected("an operator")),
        };
        operator.ok_or(unknown)
    }

    fn arguments(&mut self, operator: Operator) -> Result<Vec<String>, Fault> {
        let begin = self.at;
        if !self.take('(') {
            return Ok(vec![self.value()?]);
        }
        let mut values = Vec::new();
        loop {
            self.skip_spaces();
            values.push(self.value()?);
            self.values += 1;
            if self.values > VALUES_MAX {
                return Err(Fault(format!("its lists have more than {VALUES_MAX} values")));
            }
            self.skip_spaces();
            if self.take(')') {
                break;
            }
            if !self.take(',') {
                return Err(self.expected("a comma or a closing parenthesis"));
            }
        }
        if values.len() > 1 && !matches!(operator, Operator::In | Operator::Out) {
            let place = begin + 1;
            return Err(Fault(format!("the operator before character {place} takes one value")));
        }
        Ok(values)
    }

    fn value(&mut self) -> Result<String, Fault> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => {
                self.at += 1;
                self.quoted(quote)
            }
            _ => self.unreserved().ok_or_else(|| self.expected("a value")),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, Fault> {
        let begin = self.at;
        let mut text = String::new();
        loop {
            let next = self.peek();
            self.at += 1;
            match next {
                Some('\\') => match self.peek() {
                    Some(escaped) => {
                        self.at += 1;
                        text.push(escaped);
                    }
                    None => break,
                },
                Some(end) if end == quote => return Ok(text),
                Some(other) => text.push(other),
                None => break,
            }
        }
        Err(Fault(format!("the quote at character {begin} is not closed")))
    }
}

fn named(word: &str) -> Option<Operator> {
    Some(match word {
        "" => Operator::Equal,
        "in" => Operator::In,
        "out" => Operator::Out,
        "regex" => Operator::Regex,
        "gt" => Operator::Greater,
        "ge" => Operator::AtLeast,
        "lt" => Operator::Less,
        "le" => Operator::AtMost,
        _ => return None,
    })
}

fn single_or(mut all: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            all.extend(last);
            join(all)
        }
    }
}

#[cfg(test)]
mod tests;
