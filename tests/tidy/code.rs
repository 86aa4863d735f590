//! Reading Rust as far as the house rules need it: what is code, which words, how long functions
//! are. No parser: comments and quotes are blanked, then braces are counted.

/// The code alone: comments and quoted texts become blanks, lines stay lines.
pub fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let inside_word = at > 0 && is_word(chars[at - 1]);
        let length = blank_length(&chars[at..], inside_word);
        if length == 0 {
            code.push(chars[at]);
            at += 1;
        } else {
            let blanks = chars[at..at + length].iter().map(|c| if *c == '\n' { '\n' } else { ' ' });
            code.extend(blanks);
            at += length;
        }
    }
    code
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length of the comment or quoted text that begins here; 0 where code begins.
fn blank_length(rest: &[char], inside_word: bool) -> usize {
    match rest {
        ['/', '/', ..] => rest.iter().take_while(|c| **c != '\n').count(),
        ['/', '*', ..] => block_comment_length(rest),
        ['"', ..] => quoted_length(rest, '"'),
        ['\'', '\\', ..] => quoted_length(rest, '\''),
        // Anything else behind a single quote is a lifetime.
        ['\'', _, '\'', ..] => 3,
        ['r' | 'b' | 'c', ..] if !inside_word => raw_length(rest),
        _ => 0,
    }
}

fn block_comment_length(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => depth += 1,
            ['*', '/', ..] => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    rest.len().min(at + 1)
}

/// Length of `r"…"`, `br#"…"#` and the like; 0 when it is a word after all.
fn raw_length(rest: &[char]) -> usize {
    let prefix = if rest[0] == 'r' { 1 } else { 2 };
    if prefix == 2 && rest.get(1) != Some(&'r') {
        return 0;
    }
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&'"') {
        return 0;
    }
    let closes = |at: &usize| {
        rest[*at] == '"'
            && rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    let end = (open + 1..rest.len()).find(closes);
    end.map_or(rest.len(), |at| at + 1 + hashes)
}

/// Words of the code with the lines they stand in.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(|(i, line)| {
        let words = line.split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
        words.map(move |word| (i + 1, word))
    })
}

/// Functions with bodies: name, and lines from `fn` to the closing brace.
pub fn functions(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].chars().next_back().is_some_and(is_word) {
            continue;
        }
        let name: String = code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
        if let Some(end) = item_end(&code[at..]).filter(|_| !name.is_empty()) {
            let item = &code[at..at + end];
            if item.ends_with('}') {
                found.push((name, item.matches('\n').count() + 1));
            }
        }
    }
    found
}

/// Where the item that begins here ends: behind its block, or behind a semicolon.
fn item_end(code: &str) -> Option<usize> {
    let (mut braces, mut others) = (0i32, 0i32);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            '{' => braces += 1,
            '}' => braces -= 1,
            _ => {}
        }
        let ends = (c == '}' && braces == 0) || (c == ';' && braces == 0 && others == 0);
        if ends {
            return Some(at + 1);
        }
    }
    None
}

/// The code without what is only built for tests.
pub fn shipped(code: &str) -> String {
    let mark = "#[cfg(test)]";
    let mut left = String::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, after)) = rest.split_once(mark) {
        left.push_str(before);
        let end = item_end(after).unwrap_or(after.len());
        left.extend(after[..end].chars().filter(|c| *c == '\n'));
        rest = &after[end..];
    }
    left + rest
}

#[test]
fn comments_and_quoted_texts_are_no_code() {
    let text = "a /* b /* c */ d */ 'e' \"f\\\"g\" r#\"h\"i\"# <'j> b'k' br\"l\" r#m // n\no";
    let code = code_of(text);
    let seen: Vec<(usize, &str)> = words(&code).collect();
    assert_eq!(seen, [(1, "a"), (1, "j"), (1, "b"), (1, "r"), (1, "m"), (2, "o")]);
    assert_eq!(code.lines().count(), 2);
}

#[test]
fn functions_are_measured_from_signature_to_brace() {
    let code = "fn a(x: [u8; 2]) {\n  if x {\n  }\n}\ntrait T {\n  fn b();\n  fn c() {}\n}";
    assert_eq!(functions(code), [("a".to_owned(), 4), ("c".to_owned(), 1)]);
    let tested = "a\n#[cfg(test)]\nmod tests {\n  b\n}\nc\n#[cfg(test)]\nmod t;\nd";
    assert_eq!(shipped(tested).split_whitespace().collect::<String>(), "acd");
    assert_eq!(shipped(tested).lines().count(), tested.lines().count());
}
