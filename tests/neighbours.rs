//! Neighbours: whatever one tenant or a stranger does, the others are served. Each rule is tested
//! by itself, without looking at a clock; `patron-bench neighbour` measures them together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use patron_app::{Clock, customers};
use patron_gateway::{
    Credentials, Dialect, Door, Operation, Reply, Request, limits::Limits, operation::get,
};
use patron_model::{Failure, Permission};
use patron_store::{Options, Statistics};
use patron_testkit::{Answer, TestServer, engine::TestEngine};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::api::ALL;

/// Header in which the servers of these tests are told the client's address.
const ADDRESS: &str = "x-real-ip";
/// When a condition that must come true is given up, in hundredths of a second.
const LOOKS_MAX: u32 = 6_000;
/// Questions asked until one of them is ended, at most.
const TRIES_MAX: usize = 10;
/// Looks at the count of ended questions before one counts as answered.
const COUNTED_LOOKS_MAX: u32 = 300;

async fn server(limits: Limits) -> TestServer {
    let limits = Limits { client_address_header: ADDRESS.into(), ..limits };
    TestServer::start_with(&ALL, Clock::System, limits).await
}

/// Where customers are made, by API.
fn create_path(dialect: &Dialect, keys: &Value) -> String {
    match dialect.name {
        "native" => "/v1/customers".into(),
        "wallee" => "/api/v2.0/customers".into(),
        "verifone" => "/v2/customer".into(),
        "monri" => "/v2/customers".into(),
        "payabli" => format!("/api/Customer/single/{}", keys["entry"].as_str().unwrap()),
        _ => "/customers".into(),
    }
}

/// A customer as each API takes it, with a text of so many characters in it.
fn customer(dialect: &Dialect, filled: usize) -> String {
    let fill = "x".repeat(filled);
    let body = match dialect.name {
        "native" => json!({"metadata": {"fill": fill}}),
        "wallee" => json!({"metaData": {"fill": fill}}),
        "verifone" => json!({"email_address": "a@example.com", "filled": fill}),
        "monri" => json!({"name": "Anna", "metadata": {"fill": fill}}),
        "payabli" => json!({"customerNumber": "A-1", "unknown": fill}),
        _ => json!({"name": "Anna", "email": "a@example.com", "metadata": {"fill": fill}}),
    };
    body.to_string()
}

/// A connection on which a request was sent up to somewhere in its body.
async fn unfinished(
    server: &TestServer,
    target: &str,
    headers: &[(String, String)],
    announced: usize,
    sent: usize,
) -> TcpStream {
    let length = format!("content-type: application/json\r\ncontent-length: {announced}\r\n");
    let head = format!("POST {target} HTTP/1.1\r\n{}{length}\r\n", lines(headers));
    connected(server, &format!("{head}{}", " ".repeat(sent))).await
}

/// Headers as they are sent.
fn lines(headers: &[(String, String)]) -> String {
    let all = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("host: x\r\n{}", all.collect::<String>())
}

/// A connection on which this was sent.
async fn connected(server: &TestServer, text: &str) -> TcpStream {
    let address = server.base_url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// A connection on which something was asked for.
async fn asked(server: &TestServer, dialect: &Dialect, keys: &Value, target: &str) -> TcpStream {
    let headers = server.signed(dialect, keys, "GET", target, "");
    connected(server, &format!("GET {target} HTTP/1.1\r\n{}\r\n", lines(&headers))).await
}

/// The status line of what is answered.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut text = Vec::new();
    while text.len() < 12 {
        assert!(stream.read_buf(&mut text).await.unwrap() > 0, "closed without an answer");
    }
    String::from_utf8_lossy(&text[9..12]).parse().unwrap()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

// ---- bodies -----------------------------------------------------------------------------------

#[tokio::test]
async fn a_stranger_is_refused_before_its_body_is_read() {
    let server = server(Limits::default()).await;
    for dialect in ALL {
        let target = create_path(dialect, &server.credentials(dialect.name));
        let mut stream = unfinished(&server, &target, &[], 1_000_000, 1_000).await;
        assert_eq!(status(&mut stream).await, 401, "{}", dialect.name);
    }
}

#[tokio::test]
async fn unfinished_bodies_take_nothing_from_others() {
    let limits = Limits {
        body_bytes_max: 20_000,
        bodies_bytes_max: 40_000,
        stranger_bodies_bytes_max: 20_000,
        ..Limits::default()
    };
    let server = server(limits).await;
    let mallory = server.new_space(None).await;
    let from = |address: &str| vec![(ADDRESS.to_owned(), address.to_owned())];
    // Signed in: up to the share of the key, in any API that knows it before the body.
    let mut held = Vec::new();
    for dialect in ALL.iter().filter(|dialect| dialect.name != "monri") {
        let keys = &mallory[dialect.name];
        let target = create_path(dialect, keys);
        let mut headers = server.signed(dialect, keys, "POST", &target, "");
        headers.extend(from("192.0.2.1"));
        held.push(unfinished(&server, &target, &headers, 20_000, 15_000).await);
        let mut more = unfinished(&server, &target, &headers, 20_000, 15_000).await;
        let first = held.last_mut().unwrap();
        // One of the two is too much for the key; which of them comes second is not known.
        let refused = tokio::select! {
            status = status(&mut more) => status,
            status = status(first) => status,
        };
        assert_eq!(refused, 503, "{}", dialect.name);
        held.push(more);
        // Three quarters are the account's at most, so only two of its keys fill it.
        if held.len() >= 4 {
            break;
        }
    }
    // Signed over the body, by whoever knows a public token: up to the share of the address.
    let monri = &patron_monri::DIALECT;
    let target = create_path(monri, &mallory["monri"]);
    let mut headers = server.signed(monri, &mallory["monri"], "POST", &target, "");
    headers.extend(from("192.0.2.1"));
    let mut first = unfinished(&server, &target, &headers, 20_000, 14_000).await;
    let mut second = unfinished(&server, &target, &headers, 20_000, 14_000).await;
    let refused = tokio::select! {
        status = status(&mut first) => status,
        status = status(&mut second) => status,
    };
    assert_eq!(refused, 503);
    for dialect in ALL {
        let keys = server.credentials(dialect.name);
        let (target, body) = (create_path(dialect, &keys), customer(dialect, 4_000));
        let mut headers = server.signed(dialect, &keys, "POST", &target, &body);
        headers.push(("content-type".into(), "application/json".into()));
        headers.extend(from("198.51.100.1"));
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let answer = server.raw("POST", &target, &headers, body.as_bytes()).await;
        let name = dialect.name;
        assert!(answer.status < 429, "{name}: {} {}", answer.status, answer.text());
    }
}

// ---- places -----------------------------------------------------------------------------------

static HELD: AtomicUsize = AtomicUsize::new(0);
static LET_GO: Semaphore = Semaphore::const_new(0);

async fn hold(_: Request) -> Result<Reply, Failure> {
    HELD.fetch_add(1, Ordering::SeqCst);
    let _go = LET_GO.acquire().await.map_err(Failure::internal)?;
    Ok(Reply::empty(204))
}

/// An operation of the native API that takes until it is told to end.
fn holding() -> Vec<Operation> {
    let mut all = (patron_native::DIALECT.operations)();
    all.push(get("/v1/held", hold).named("hold", "Hold").needs(Permission::CustomerRead));
    all
}

/// The native API with other operations.
fn native_with(operations: fn() -> Vec<Operation>) -> &'static Dialect {
    let credentials = Credentials { ..patron_native::DIALECT.credentials };
    let door = Door { operations, ..patron_native::DIALECT.door };
    Box::leak(Box::new(Dialect { door, credentials, ..patron_native::DIALECT }))
}

#[tokio::test]
async fn one_key_leaves_places_to_others() {
    let limits = Limits { requests_in_work_max: 4, ..Limits::default() };
    let dialect = native_with(holding);
    let server = TestServer::start_with(&[dialect], Clock::System, limits).await;
    let (greedy, modest) = (server.credentials("native"), server.other_space("native").await);
    let get = |keys: &Value, target: &'static str| {
        let (server, keys) = (&server, keys.clone());
        async move { server.call(dialect, &keys, "GET", target, None).await }
    };
    let all = async {
        let held = [get(&greedy, "/v1/held"), get(&greedy, "/v1/held")];
        futures_util::future::join_all(held).await
    };
    let others = async {
        until("two are held", async || HELD.load(Ordering::SeqCst) == 2).await;
        let refused = get(&greedy, "/v1/customers").await.expect(503);
        assert_eq!(refused.header("retry-after"), "1");
        get(&modest, "/v1/customers").await.expect(200);
        LET_GO.add_permits(2);
    };
    let (held, ()) = tokio::join!(all, others);
    assert!(held.iter().all(|answer| answer.status == 204));
    get(&greedy, "/v1/customers").await.expect(200);
}

/// A poll that has to wait.
const POLL: &str = "/v1/events?after=0&wait=60";
/// Answers one after the other after which a place is taken to be free.
const IN_A_ROW: u32 = 30;

#[tokio::test]
async fn long_polls_need_no_place() {
    let server = server(Limits { requests_in_work_max: 1, ..Limits::default() }).await;
    let native = &patron_native::DIALECT;
    let keys = server.credentials("native");
    let mut poll = asked(&server, native, &keys, POLL).await;
    let mut in_a_row = 0;
    until("the only place is free", async || {
        let answer = list(&server, native, &keys, "/v1/customers").await;
        in_a_row = if answer.status == 200 { in_a_row + 1 } else { 0 };
        in_a_row == IN_A_ROW
    })
    .await;
    let body = Some(json!({"given_name": "Anna"}));
    server.call(native, &keys, "POST", "/v1/customers", body).await.expect(201);
    assert_eq!(status(&mut poll).await, 200);
}

#[tokio::test]
async fn long_polls_of_one_key_leave_room_for_those_of_others() {
    let server = server(Limits { waits_max: 4, ..Limits::default() }).await;
    let native = &patron_native::DIALECT;
    let (greedy, modest) = (server.credentials("native"), server.other_space("native").await);
    let mut own = Vec::new();
    for _ in 0..3 {
        own.push(asked(&server, native, &greedy, POLL).await);
    }
    let answers = own.iter_mut().map(|poll| Box::pin(status(poll)));
    let (refused, _, left) = futures_util::future::select_all(answers).await;
    assert_eq!(refused, 503, "one too many");
    let mut other = asked(&server, native, &modest, POLL).await;
    for keys in [&greedy, &modest] {
        let body = Some(json!({"given_name": "Anna"}));
        server.call(native, keys, "POST", "/v1/customers", body).await.expect(201);
    }
    assert_eq!(futures_util::future::join_all(left).await, [200, 200]);
    assert_eq!(status(&mut other).await, 200);
}

// ---- questions --------------------------------------------------------------------------------

/// The list of an API with so many conditions, some of them inside texts.
fn list_with(dialect: &Dialect, keys: &Value, plain: usize, searching: usize) -> Option<String> {
    let join = |one: &str, other: &str, sign: &str| {
        [vec![one; plain], vec![other; searching]].concat().join(sign)
    };
    Some(match dialect.name {
        "native" => {
            let all = join("title%5Bne%5D=x", "title%5Bcontains%5D=", "&");
            format!("/v1/customers?{all}")
        }
        "wallee" => {
            let all = join("-language:xx", "-emailAddress:~x", "%20");
            // Its pages are short otherwise, and soon full.
            format!("/api/v2.0/customers/search?limit=100&query={all}")
        }
        "verifone" => {
            let all = join("title!=x", "title=regex=x", ";");
            format!("/v2/customer?search={all}")
        }
        "payabli" => {
            let entry = keys["entry"].as_str().unwrap();
            let all = join("city(ne)=x", "city(nct)=x", "&");
            format!("/api/Query/customers/{entry}?{all}")
        }
        // Neither has conditions to be repeated.
        _ => return None,
    })
}

async fn list(server: &TestServer, dialect: &Dialect, keys: &Value, target: &str) -> Answer {
    server.call(dialect, keys, "GET", target, None).await
}

#[tokio::test]
async fn too_many_conditions_are_refused_by_every_api() {
    let server = server(Limits::default()).await;
    let mut refused = 0;
    for dialect in ALL {
        let keys = server.credentials(dialect.name);
        for (plain, searching, is_fitting) in [
            (40, 10, true),
            (50, 0, true),
            (51, 0, false),
            (0, 11, false),
            (41, 10, false),
            (100, 0, false),
            (0, 100, false),
            (1_100, 0, false),
            (0, 1_100, false),
        ] {
            let Some(target) = list_with(dialect, &keys, plain, searching) else { continue };
            let answer = list(&server, dialect, &keys, &target).await;
            let what = format!("{} {plain} {searching}: {}", dialect.name, answer.text());
            match is_fitting {
                true => assert_eq!(answer.status, 200, "{what}"),
                // A search that cannot be understood is a 422 in one of the formats.
                false => assert!([400, 422].contains(&answer.status), "{what}"),
            }
            assert!(is_fitting || answer.json().is_object(), "{what}");
            refused += u32::from(!is_fitting);
        }
    }
    assert_eq!(refused, 4 * 7);
    // The last one has a search of one text, which may stand for many conditions.
    let notchpay = &patron_notchpay::DIALECT;
    let keys = server.credentials("notchpay");
    let target = format!("/customers?search={}x", "a%20".repeat(124));
    list(&server, notchpay, &keys, &target).await.expect(200);
}

/// A server over customers whose search takes many seconds, unless it is ended.
async fn with_large_customers(options: Options) -> TestServer {
    let engine = TestEngine::new().await.with(options);
    let server = TestServer::start_on(engine, &ALL, Clock::System, Limits::default()).await;
    let space = server.credentials("wallee")["space_id"].as_i64().unwrap();
    let cx = server.app.operator(space, "test");
    let metadata = json!({"fill": "x".repeat(30_000)});
    for n in 0..10 {
        let row = |m: u32| {
            let row = json!({"given_name": format!("{n} {m}"), "metadata": metadata});
            (cx.clone(), patron_native::rows::into_patch(row).unwrap())
        };
        let made = customers::create_many((0..60).map(row).collect()).await;
        assert!(made.iter().all(Result::is_ok));
    }
    server
}

fn is_memory() -> bool {
    std::env::var("PATRON_TEST_ENGINE").is_ok_and(|engine| engine == "memory")
}

async fn until_counted(server: &TestServer, what: &str, holds: impl Fn(&Statistics) -> bool) {
    until(what, async || holds(&server.app.store.statistics())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_ends_with_the_client_that_asked_it() {
    if is_memory() {
        return;
    }
    let server = with_large_customers(Options::default()).await;
    let mut given_up = 0;
    for dialect in ALL {
        let keys = server.credentials(dialect.name);
        let Some(target) = list_with(dialect, &keys, 40, 10) else { continue };
        let ended = || server.app.store.statistics().long_reads_given_up;
        let mut is_ended = false;
        // A machine that is busy may have answered before it sees that the client is gone.
        for _ in 0..TRIES_MAX {
            let before = ended();
            let stream = asked(&server, dialect, &keys, &target).await;
            until_counted(&server, "the question runs", |s| s.long_reads == 1).await;
            drop(stream);
            until_counted(&server, dialect.name, |s| s.long_reads == 0).await;
            // PostgreSQL says a moment later that it has stopped.
            for _ in 0..COUNTED_LOOKS_MAX {
                is_ended = is_ended || ended() > before;
                if is_ended {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            if is_ended {
                break;
            }
        }
        assert!(is_ended, "{}", dialect.name);
        given_up += 1;
    }
    assert_eq!(given_up, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_beyond_its_time_is_answered_in_the_apis_shape() {
    if is_memory() {
        return;
    }
    // Far less than the question takes, and enough for what makes the customers on a busy machine.
    let is_postgres = std::env::var("PATRON_TEST_ENGINE").is_ok_and(|engine| engine == "postgres");
    let query_ms_max = if is_postgres { 50 } else { 5 };
    let server = with_large_customers(Options { query_ms_max, ..Options::default() }).await;
    for dialect in ALL {
        let keys = server.credentials(dialect.name);
        let Some(target) = list_with(dialect, &keys, 40, 10) else { continue };
        let answer = list(&server, dialect, &keys, &target).await;
        let what = format!("{}: {} {}", dialect.name, answer.status, answer.text());
        assert!([408, 503, 504].contains(&answer.status), "{what}");
        assert!(answer.json().as_object().is_some_and(|members| members.len() > 1), "{what}");
    }
    until_counted(&server, "all have ended", |s| s.long_reads == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_leaves_readers_to_others() {
    if is_memory() {
        return;
    }
    let server = with_large_customers(Options::default()).await;
    let native = &patron_native::DIALECT;
    let (greedy, modest) = (server.credentials("native"), server.other_space("native").await);
    let share = patron_app::shares::part(server.app.store.long_reads_max(), 50) as u64;
    let target = list_with(native, &greedy, 40, 10).unwrap();
    let asked = (0..share * 2).map(|_| list(&server, native, &greedy, &target));
    let asked = futures_util::future::join_all(asked);
    let others = async {
        until_counted(&server, "its share runs", |s| s.long_reads == share).await;
        let count = "/v1/customers?total=true&title%5Bmissing%5D=true";
        list(&server, native, &modest, count).await.expect(200);
        let running = server.app.store.statistics().long_reads;
        // Those of the small one may not be counted out yet.
        assert!(running < share * 2, "the rest still waits for the first ones: {running}");
    };
    tokio::select! {
        _ = asked => panic!("the expensive questions ended before a small one was answered"),
        () = others => {}
    }
}

// ---- sign-ins ---------------------------------------------------------------------------------

#[tokio::test]
async fn wrong_sign_ins_lock_nobody_out() {
    let server = server(Limits { failed_sign_ins_per_minute: 3, ..Limits::default() }).await;
    for (n, dialect) in ALL.iter().enumerate() {
        let keys = server.credentials(dialect.name);
        let other = server.other_space(dialect.name).await;
        let target = list_with(dialect, &keys, 1, 0).unwrap_or_else(|| create_path(dialect, &keys));
        let proxy = format!("192.0.2.{n}");
        let ask = |headers: Vec<(String, String)>| {
            let (server, proxy, target) = (&server, &proxy, &target);
            async move {
                let mut all: Vec<(&str, &str)> =
                    headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                all.push((ADDRESS, proxy));
                server.raw("GET", target, &all, b"").await.status
            }
        };
        let right = |keys: &Value| server.signed(dialect, keys, "GET", &target, "");
        // Keys that do not exist, until the address has no failure left.
        let unknown: Vec<(String, String)> = right(&keys)
            .into_iter()
            .map(|(name, _)| (name, "Bearer nobody knows this".to_owned()))
            .collect();
        for _ in 0..5 {
            ask(unknown.clone()).await;
        }
        assert_eq!(ask(unknown.clone()).await, 429, "{}", dialect.name);
        // Their own; another's is not found, or refused, but signed in.
        for keys in [&keys, &other, &keys, &other] {
            let status = ask(right(keys)).await;
            assert!([200, 400, 403, 404].contains(&status), "{}: {status}", dialect.name);
        }
    }
}
