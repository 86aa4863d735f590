//! The guides, followed word for word: their `sh` blocks run in order in one shell, and what a
//! `text` or `json` block after one shows is what it printed. What stands for the reader's machine
//! is put in [`Session::here`] and `here.sh`, and nowhere else.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use patron_store::Location;
use patron_testkit::engine::TestEngine;
use serde_json::Value;

use crate::program::{free_address, succeed};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
/// What stands for anything in what a guide shows.
const ANYTHING: &str = "…";
/// What a sandbox says last.
const READY: &str = "A page to look at";

/// A fenced block: language, text, and the heading it stands under.
struct Block {
    language: String,
    text: String,
    heading: String,
}

fn blocks(guide: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(Path::new(REPOSITORY).join("docs").join(guide)).unwrap();
    let (mut blocks, mut heading) = (Vec::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.to_owned();
        } else if let Some(language) = line.strip_prefix("```") {
            let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let (language, text) = (language.to_owned(), inside.join("\n"));
            blocks.push(Block { language, text, heading: heading.clone() });
        }
    }
    blocks
}

/// A process and those it started; killed when dropped.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// A reader's machine.
struct Session {
    root: tempfile::TempDir,
    /// What stands in the guides, and what it is here.
    here: Vec<(&'static str, String)>,
    shell: Group,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    servers: Vec<Group>,
    is_postgres: bool,
}

impl Session {
    async fn new() -> Session {
        let root = tempfile::TempDir::with_prefix("patron-guide-").unwrap();
        let at = root.path().display().to_string();
        let made = "home usr/local/bin etc/systemd/system etc/nginx/conf.d etc/ssl/private \
                    etc/cron.d var/lib var/backups";
        for folder in made.split_whitespace() {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for folder in ["dialects", "packaging"] {
            let (from, to) = (Path::new(REPOSITORY).join(folder), root.path().join("home"));
            std::os::unix::fs::symlink(from, to.join(folder)).unwrap();
        }
        // Whatever curl is to trust must be there, also before there is a certificate.
        std::fs::write(root.path().join("etc/ssl/pay.example.com.pem"), "").unwrap();
        let [listen, operations, tls] = [free_address(), free_address(), free_address()];
        let engine = TestEngine::new().await;
        let database = match engine.location() {
            Location::Postgres(url) => Some(url.clone()),
            Location::Sqlite(_) | Location::Memory => None,
        };
        let is_postgres = database.is_some();
        let mut here = vec![
            ("127.0.0.1:8080", listen.clone()),
            ("127.0.0.1:9190", operations.clone()),
            ("target/release/patron", env!("CARGO_BIN_EXE_patron").to_owned()),
            ("/usr/local/bin/", format!("{at}/usr/local/bin/")),
            ("/etc/", format!("{at}/etc/")),
            ("/var/", format!("{at}/var/")),
        ];
        let url = "postgres://patron:secret@db.example.com/patron?sslrootcert=system";
        here.extend(database.map(|database| (url, database)));
        let program = Path::new(env!("CARGO_BIN_EXE_patron")).parent().unwrap().display();
        let path = std::env::var("PATH").unwrap();
        let shell = |command: &mut Command| {
            command
                .current_dir(root.path().join("home"))
                .env("ROOT", &at)
                .env("LISTEN", &listen)
                .env("TLS", &tls)
                .env("PATH", format!("{at}/usr/local/bin:{program}:{path}"))
                .env("PATRON__LISTEN", &listen)
                .env("PATRON__ADMIN__LISTEN", &operations)
                .env("BASH_ENV", format!("{REPOSITORY}/tests/documents/here.sh"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .process_group(0)
                .spawn()
                .unwrap()
        };
        let mut bash = shell(Command::new("bash").arg("-s"));
        let (input, output) = (bash.stdin.take().unwrap(), bash.stdout.take().unwrap());
        let (shell, output) = (Group(bash), BufReader::new(output));
        Session { root, here, shell, input, output, servers: Vec::new(), is_postgres }
    }

    /// What the guide means, here.
    fn here(&self, text: &str) -> String {
        self.here.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
    }

    /// What was printed, as the guide would have it.
    fn there(&self, text: &str) -> String {
        let back = self.here.iter().rev();
        back.fold(text.to_owned(), |text, (there, here)| text.replace(here.as_str(), there))
    }

    /// Runs a block to its end; answers what it printed.
    fn run(&mut self, block: &str) -> String {
        let file = |name: &str| self.root.path().join(name);
        std::fs::write(file("block"), self.here(block)).unwrap();
        writeln!(self.input, ". \"$ROOT/block\" >\"$ROOT/printed\" 2>&1; echo done").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        let printed = std::fs::read_to_string(file("printed")).unwrap();
        assert_eq!(answer, "done\n", "{block}\nfailed:\n{printed}");
        self.there(&printed)
    }

    /// Runs a block that ends in a server; answers what that said until it was ready.
    fn start(&mut self, block: &str) -> String {
        std::fs::write(self.root.path().join("server"), self.here(block)).unwrap();
        let mut command = Command::new("bash");
        command.arg(self.root.path().join("server")).stdout(Stdio::piped()).stderr(Stdio::null());
        // As in the other terminal.
        let environment =
            succeed(Command::new("cat").arg(format!("/proc/{}/environ", self.shell.0.id())));
        let pairs = environment.split('\0').filter_map(|pair| pair.split_once('='));
        command.envs(pairs).current_dir(self.root.path().join("home")).process_group(0);
        let mut server = command.spawn().unwrap();
        let mut out = BufReader::new(server.stdout.take().unwrap());
        self.servers.push(Group(server));
        let mut said = String::new();
        while !said.contains(READY) {
            assert_ne!(out.read_line(&mut said).unwrap(), 0, "{block}\nended early:\n{said}");
        }
        self.there(&said)
    }

    fn follow(&mut self, guide: &str) {
        let (mut printed, mut shown) = (String::new(), 0);
        for Block { language, text, heading } in blocks(guide) {
            if heading.contains("Or PostgreSQL") && !self.is_postgres {
                continue;
            }
            match language.as_str() {
                "sh" if text.lines().last() == Some("patron sandbox") => {
                    printed = self.start(&text)
                }
                "sh" => printed = self.run(&text),
                "text" => shows(&printed, &text, guide),
                "json" => {
                    // After what was said before it.
                    let begin = printed.rfind("\n{").map_or(0, |line| line + 1);
                    let printed = serde_json::from_str(&printed[begin..]);
                    let printed: Value = printed.unwrap_or_else(|_| panic!("{guide}: {text}"));
                    let wanted = serde_json::from_str(&text).unwrap();
                    assert!(holds(&printed, &wanted), "{guide}: {heading}\n{text}\nis\n{printed}");
                }
                "python" | "js" => is_in_an_example(&text, &language),
                other => panic!("{guide}: nothing is done with {other}"),
            }
            shown += usize::from(language != "sh");
        }
        assert!(shown >= 5, "{guide} shows nothing of what happens");
    }
}

/// Whether every line that is shown was printed, in that order.
#[track_caller]
fn shows(printed: &str, wanted: &str, guide: &str) {
    let mut lines = printed.lines();
    for want in wanted.lines() {
        let found = lines.any(|line| is_like(line, want));
        assert!(found, "{guide} shows\n{want}\nbut what was printed is\n{printed}");
    }
}

/// Whether a line is the one that is shown, which may leave parts open.
fn is_like(line: &str, wanted: &str) -> bool {
    let parts: Vec<&str> = wanted.split(ANYTHING).collect();
    let [first, middle @ .., last] = parts.as_slice() else { return line == wanted };
    let Some(rest) = line.strip_prefix(first) else { return false };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

/// Whether a value has everything that is shown of it: members may be left out, list entries not.
fn holds(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Null, Value::String(_)) => false,
        (_, Value::String(text)) if text == ANYTHING => true,
        (Value::Object(members), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, want)| members.get(name).is_some_and(|value| holds(value, want))),
        (Value::Array(items), Value::Array(wanted)) => {
            items.len() == wanted.len() && items.iter().zip(wanted).all(|(a, b)| holds(a, b))
        }
        (value, wanted) => value == wanted,
    }
}

/// Code in a guide is that of an example, which runs with the provider's own SDK.
fn is_in_an_example(code: &str, language: &str) {
    let ending = if language == "js" { "mjs" } else { "py" };
    let files = "cat \"$0\"/dialects/*/examples/*.";
    let script = format!("{files}{ending}");
    let examples = succeed(Command::new("bash").args(["-c", &script, REPOSITORY]));
    let examples: Vec<&str> = examples.lines().map(str::trim).collect();
    for line in code.lines() {
        assert!(examples.contains(&line.trim()), "no example has the line {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_minutes() {
    Session::new().await.follow("five-minutes.md");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_production() {
    let mut session = Session::new().await;
    session.follow("in-production.md");
    // What cron would run, as cron reads it.
    let line = std::fs::read_to_string(session.root.path().join("etc/cron.d/patron")).unwrap();
    let (_, command) = line.split_once(" patron ").unwrap();
    let command = session.there(command).replace("\\%", "%");
    session.run(&command);
    let written = session.run("ls /var/backups/patron");
    assert_eq!(written.lines().count(), 2, "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_roles() {
    Session::new().await.follow("people-and-roles.md");
}

#[tokio::test(flavor = "multi_thread")]
async fn moving_from_your_provider() {
    Session::new().await.follow("moving-from-your-provider.md");
}

#[test]
fn what_is_shown_is_compared() {
    assert!(is_like("a b c", "a … c") && is_like("abc", "…") && is_like("abc", "abc"));
    assert!(!is_like("a b c", "a … d") && !is_like("abc", "ab") && !is_like("xabc", "a…"));
    let value = serde_json::json!({"a": [1, 2], "b": null, "c": "x"});
    let check = |wanted: &str| holds(&value, &serde_json::from_str(wanted).unwrap());
    assert!(check(r#"{"a": ["…", 2]}"#) && check(r#"{"c": "…"}"#) && check("{}"));
    assert!(!check(r#"{"b": "…"}"#) && !check(r#"{"a": [1]}"#) && !check(r#"{"d": "…"}"#));
}
