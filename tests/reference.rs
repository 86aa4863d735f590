//! The reference at `/docs`, as people read it: every API's sign-in works as it is shown, what is
//! found is there, nothing leads elsewhere.

use std::path::Path;
use std::process::Command;

use patron_testkit::Answer;
use serde_json::Value;

use crate::api::ALL;
use crate::program::{Running, patron, succeed};

/// What each language is run by, and the end of its files' names.
const LANGUAGES: [(&str, &str, &str); 3] =
    [("curl", "bash", "sh"), ("Python", "python3", "py"), ("JavaScript", "node", "mjs")];

fn unescaped(html: &str) -> String {
    let escapes = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    escapes.iter().fold(html.to_owned(), |text, (written, meant)| text.replace(written, meant))
}

/// What is secret of an API's printed credentials.
fn secrets(own: &Value) -> Vec<String> {
    const PUBLIC: [&str; 3] = ["space_id", "entry", "entity_id"];
    let members = own.as_object().unwrap().iter();
    let members = members.filter(|(name, _)| !PUBLIC.contains(&name.as_str()));
    let values = members.filter_map(|(_, value)| value.as_str());
    values.filter(|value| !value.starts_with("http")).map(str::to_owned).collect()
}

/// The keys of every sandbox.
fn printed() -> Value {
    serde_json::from_str(&succeed(patron().args(["sandbox", "--print"]))).unwrap()
}

/// The program under the heading of a language.
fn program(page: &str, language: &str) -> String {
    let (_, rest) = page.split_once(&format!("<h3>{language}</h3><pre>")).expect(language);
    unescaped(rest.split_once("</pre>").unwrap().0)
}

fn run(folder: &Path, text: &str, with: &str, ending: &str) -> std::process::Output {
    let file = folder.join(format!("sign_in.{ending}"));
    std::fs::write(&file, text).unwrap();
    Command::new(with).arg(&file).output().unwrap()
}

fn pages() -> Vec<String> {
    let apis = ALL.iter().map(|dialect| format!("/docs/{}", dialect.name));
    let others = ["/docs", "/docs/style", "/docs/errors", "/docs/search?q=customer"];
    apis.chain(others.map(str::to_owned)).collect()
}

/// Values of an attribute.
fn values<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(" {name}='");
    page.split(&begin).skip(1).map(|rest| rest.split('\'').next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_works_as_it_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = Running::sandbox(&folder.path().join("data"));
    let keys = printed();
    for dialect in ALL {
        let page = running.get(&format!("/docs/{}", dialect.name)).await.expect(200).text();
        for (language, with, ending) in LANGUAGES {
            let program = program(&page, language);
            let output = run(folder.path(), &program, with, ending);
            let (out, err) = (output.stdout.as_slice(), String::from_utf8_lossy(&output.stderr));
            let name = dialect.name;
            assert!(output.status.success(), "{name} in {language}:\n{program}\n{err}");
            let answer: Value = serde_json::from_slice(out).unwrap();
            // It is one of the sandbox's customers.
            assert!(answer.to_string().contains("example."), "{name} in {language}: {answer}");
            // With other keys it is refused, and the program says so.
            let turned = |text: String, secret: &String| {
                text.replace(secret, &secret.chars().rev().collect::<String>())
            };
            let wrong = secrets(&keys[name]).iter().fold(program.clone(), turned);
            assert_ne!(wrong, program, "{name} in {language} does not show its key");
            assert!(!run(folder.path(), &wrong, with, ending).status.success(), "{wrong}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_shows_no_key() {
    let folder = tempfile::tempdir().unwrap();
    succeed(patron().args(["space", "create", "Shop", "--data"]).arg(folder.path()));
    let running = Running::serve(folder.path()).await;
    let keys = printed();
    for dialect in ALL {
        let path = format!("/docs/{}", dialect.name);
        let page = running.get_as_operator(&path).await.expect(200).text();
        for (language, ..) in LANGUAGES {
            let program = program(&page, language);
            assert!(program.contains("YOUR_") && !program.contains("{{"), "{program}");
            assert!(program.contains(&running.base_url), "{program}");
        }
        let known = secrets(&keys[dialect.name]);
        assert!(!known.is_empty() && known.iter().all(|secret| !page.contains(secret)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_leads_somewhere_here() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = Running::sandbox(folder.path());
    for path in pages() {
        let page = running.get(&path).await.expect(200).text();
        assert!(page.matches("<h1").count() == 1, "{path}");
        assert!(!page.contains("failure</code>: empty"), "{path}");
        for tag in ["<img", "<iframe", "<link", "<object", "style='", "onclick"] {
            assert!(!page.contains(tag), "{tag} in {path}");
        }
        let mut ids = values(&page, "id");
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{path}: ids stand for one thing");
        let plain: Vec<&str> = page.split("href=").skip(1).collect();
        assert!(plain.iter().all(|rest| rest.starts_with(['\'', '/'])), "{path}");
        for href in values(&page, "href") {
            let (file, anchor) = href.split_once('#').unwrap_or((href, ""));
            let target = match file {
                "" => page.clone(),
                file if file.starts_with('/') && !file.starts_with("//") => {
                    running.get(file).await.expect(200).text()
                }
                _ => panic!("{path} leads to {href}"),
            };
            let there = [format!("id='{anchor}'"), format!("id={anchor}")];
            assert!(
                anchor.is_empty() || there.iter().any(|id| target.contains(id)),
                "{path}: nothing is at {href}"
            );
        }
    }
}

fn policy(answer: &Answer) -> String {
    answer.header("content-security-policy").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_finds_and_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = Running::sandbox(folder.path());
    let ask = async |question: &str| running.get(&format!("/docs/search?q={question}")).await;
    let found = async |question: &str| ask(question).await.expect(200).text();
    assert!(found("merge+customer").await.contains("href='/docs/native#merge_customers'"));
    assert!(found("idempotency").await.contains("href='/docs/style#idempotency'"));
    assert!(found("precondition-required").await.contains("href='/docs/errors#"));
    let nothing = found("zzzzzz").await;
    assert!(nothing.contains("Nothing has all of these words"), "{nothing}");
    assert!(running.get("/docs/search").await.expect(200).text().contains("<form"));
    // What was asked is shown again, and only as text.
    let page = found("%3Cscript%3Ealert('1')%3C/script%3E").await;
    assert!(page.contains("value='&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;'"), "{page}");
    assert!(!page.contains("<script>"), "{page}");
    let long = "a".repeat(201);
    let refused = ask(&long).await.expect(400).text();
    assert!(refused.contains("at most 200 characters") && !refused.contains(&long), "{refused}");
    let all = found("a").await;
    assert!(all.contains("The first 40 of") && all.matches("<li>").count() == 40, "{all}");
    let script = running.get("/docs/search.js").await.expect(200);
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert!(!script.text().contains("http"), "the script asks nobody else");
    for path in pages() {
        let policy = policy(&running.get(&path).await);
        assert!(policy.starts_with("default-src 'none'; "), "{path}: {policy}");
        assert!(policy.contains("script-src 'self'; ") && !policy.contains("*"), "{policy}");
    }
    running.get("/docs/nothing").await.expect(404);
    for reserved in ["style", "errors", "search"] {
        assert!(ALL.iter().all(|dialect| dialect.name != reserved), "{reserved} is a page");
    }
}
