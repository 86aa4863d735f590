//! Events out into NATS JetStream, against a real broker: in order, once in the stream whatever is
//! killed, by one process of several, and with clear words where something is wrong.

pub mod broker;
mod nodes;

use std::process::{Command, Stdio};
use std::time::Duration;

use patron_testkit::Answer;
use serde_json::{Value, json};

use self::broker::{Broker, Message};
use crate::imports::Place;
use crate::pki::Authority;
use crate::program::{Running, free_address, succeed};

/// As long as a stream leaves out what it had, unless it is told otherwise.
const USUAL: Duration = Duration::from_secs(120);
/// Times the program is killed.
const KILLS: usize = 4;
/// Changes between two kills.
const CHANGES: usize = 25;

/// A deployment with one space and a sink, and what opens it.
struct Deployment {
    place: Place,
    key: String,
}

impl Deployment {
    /// With a sink `bus`, as its settings say beside the servers.
    async fn new(servers: &str, more: &str) -> Deployment {
        let place = Place::empty().await;
        let made = place.run(&["space", "create", "Shop", "--json"]);
        let made: Value = serde_json::from_str(&made).unwrap();
        let key = made["native"]["api_key"].as_str().unwrap().to_owned();
        let deployment = Deployment { place, key };
        deployment.set(servers, more);
        deployment
    }

    fn set(&self, servers: &str, more: &str) {
        let text = format!("[sinks.bus]\nservers = [\"{servers}\"]\n{more}\n");
        self.place.write("patron.toml", text.as_bytes());
    }

    async fn serve(&self) -> Running {
        Running::serve_on(&mut self.place.command(&["serve"])).await
    }

    /// What `patron doctor` finds of sinks.
    fn finding(&self) -> Value {
        let output = self.place.output(&["doctor", "--json"]);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        let all = shown["findings"].as_array().unwrap();
        all.iter().find(|one| one["about"] == "sink").cloned().unwrap()
    }

    async fn customer(&self, running: &Running, name: &str) -> Answer {
        let body = json!({"full_name": name});
        running.native(&self.key, "POST", "/v1/customers", Some(body)).await.expect(201)
    }
}

/// A figure of a server, added up over its labels that contain a text; 0 where there is none.
async fn figure(running: &Running, name: &str, label: &str) -> f64 {
    let page = running.get_as_operator("/metrics").await.expect(200).text();
    let is_it = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(label);
    page.lines()
        .filter(is_it)
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

/// In the order of the journal, each once, and called as it is.
pub fn assert_whole(has: &[Message], space: i64) {
    let mut last = 0;
    for message in has {
        let seq = message.body["seq"].as_i64().unwrap();
        assert!(seq > last, "{seq} came after {last}");
        last = seq;
        assert_eq!(message.id, format!("evt_{space}_{seq}"));
        assert_eq!(message.body["id"], message.id.as_str());
        let kind = message.body["type"].as_str().unwrap();
        assert_eq!(message.subject, format!("patron.{space}.{kind}"));
    }
}

fn names(has: &[Message]) -> Vec<&str> {
    has.iter().map(|message| message.body["data"]["full_name"].as_str().unwrap_or("")).collect()
}

fn kill(running: &Running) {
    succeed(Command::new("kill").args(["-9", &running.child.id().to_string()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_published_as_webhooks_tell_them_in_their_order() {
    let broker = Broker::start(&[]);
    broker.stream(USUAL).await;
    let deployment = Deployment::new(&broker.url(), "").await;
    let running = deployment.serve().await;
    running.log.until("publishes to sink bus");
    let customer = deployment.customer(&running, "Ada Lovelace").await.json();
    let one = format!("/v1/customers/{}", customer["number"]);
    let key = &deployment.key;
    let body = Some(json!({"email": "ada@example.com"}));
    let changed = running.native(key, "PATCH", &one, body).await.expect(200).json();
    let body = Some(json!({"content": "hello"}));
    running.native(key, "POST", &format!("{one}/comments"), body).await.expect(201);
    running.native(key, "DELETE", &one, None).await.expect(204);
    let has = broker.until(4).await;
    assert_whole(&has, 1);
    let subjects: Vec<_> = has.iter().map(|message| message.subject.as_str()).collect();
    let expected = ["customer.created", "customer.updated", "comment.created", "customer.deleted"];
    assert_eq!(subjects, expected.map(|word| format!("patron.1.{word}")));
    assert_eq!((&has[0].body["data"], &has[1].body["data"]), (&customer, &changed));
    assert_eq!(has[1].body["changed"], json!(["email"]));
    let thin = json!({"id": customer["id"], "number": customer["number"], "version": 3});
    assert_eq!(has[3].body["data"], thin, "nothing of who was deleted");
    // A space that comes later is published from its beginning.
    let made = deployment.place.run(&["space", "create", "Second", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let second = made["native"]["api_key"].as_str().unwrap();
    let body = Some(json!({"full_name": "Grace Hopper"}));
    running.native(second, "POST", "/v1/customers", body).await.expect(201);
    let has = broker.until(5).await;
    assert_eq!(names(&has[4..]), ["Grace Hopper"]);
    assert!(figure(&running, "patron_sink_holds", "bus").await == 1.0);
    assert!(figure(&running, "patron_sink_published_total", "new").await == 5.0);
    let listed = deployment.place.run(&["sink", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed["name"], &listed["state"]), (&json!("bus"), &json!("held")));
}

/// What is published again has the same name, and the stream leaves it out.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_publishing_and_writing_it_down_repeats_what_the_stream_leaves_out() {
    let broker = Broker::start(&[]);
    broker.stream(USUAL).await;
    let deployment = Deployment::new(&broker.url(), "").await;
    let (mut made, mut repeated) = (Vec::new(), 0.0);
    for round in 0..=KILLS {
        let running = deployment.serve().await;
        // Who took the sink before is taken for dead only after a while.
        running.log.until("publishes to sink bus");
        for n in 0..CHANGES {
            let name = format!("Round {round} {n}");
            deployment.customer(&running, &name).await;
            made.push(name);
        }
        let has = broker.until(made.len()).await;
        repeated += figure(&running, "patron_sink_published_total", "repeated").await;
        if round < KILLS {
            // What arrived just now is not written down yet.
            deployment.customer(&running, "Last").await;
            made.push("Last".to_owned());
            broker.until(made.len()).await;
            kill(&running);
            continue;
        }
        assert_whole(&has, 1);
        assert_eq!(names(&has), made);
    }
    assert!(repeated > 0.0, "no kill fell between publishing and writing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_may_be_away_and_come_back() {
    let mut broker = Broker::start(&[]);
    broker.stream(USUAL).await;
    let deployment = Deployment::new(&broker.url(), "").await;
    let running = deployment.serve().await;
    running.log.until("publishes to sink bus");
    for n in 0..10 {
        deployment.customer(&running, &format!("Before {n}")).await;
    }
    broker.until(10).await;
    broker.stop();
    for n in 0..10 {
        deployment.customer(&running, &format!("Meanwhile {n}")).await;
    }
    running.log.until("nothing is published to sink bus for now");
    assert!(figure(&running, "patron_sink_failures_total", "bus").await > 0.0);
    broker.again();
    deployment.customer(&running, "After").await;
    let has = broker.until(21).await;
    assert_whole(&has, 1);
    assert!(names(&has)[10].starts_with("Meanwhile 0") && names(&has)[20] == "After");
    // A stop writes down how far it is: nothing is published again.
    succeed(Command::new("kill").arg(running.child.id().to_string()));
    let mut running = running;
    running.child.wait().unwrap();
    let running = deployment.serve().await;
    running.log.until("publishes to sink bus");
    deployment.customer(&running, "Last").await;
    broker.until(22).await;
    assert!(figure(&running, "patron_sink_published_total", "repeated").await == 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_and_who_finds_no_stream_is_told() {
    let broker = Broker::start(&["--user", "patron", "--pass", "open sesame"]);
    let deployment = Deployment::new(&broker.url(), "").await;
    let running = deployment.serve().await;
    running.log.until("the broker does not let this server in");
    let finding = deployment.finding();
    assert_eq!(finding["state"], "wrong", "{finding}");
    assert!(finding["advice"].as_str().unwrap().contains("password"), "{finding}");
    drop(running);
    let shown = deployment.place.run(&["config", "print"]);
    assert!(!shown.contains("open sesame"), "{shown}");
    deployment.set(&broker.url(), "user = \"patron\"\npassword = \"wrong\"");
    assert!(deployment.finding()["says"].as_str().unwrap().contains("does not let"));
    deployment.set(&broker.url(), "user = \"patron\"\npassword = \"open sesame\"");
    let finding = deployment.finding();
    assert!(finding["says"].as_str().unwrap().contains("no stream takes"), "{finding}");
    let running = deployment.serve().await;
    running.log.until("publishes to sink bus");
    deployment.customer(&running, "Ada Lovelace").await;
    running.log.until("no stream takes patron.1.customer.created");
    let said = running.log.text();
    assert!(!said.contains("sesame") && !said.contains("Lovelace"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_elsewhere_are_reached_by_tls_alone() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let signed = authority.sign(&["127.0.0.1"]);
    let (certificate, key) = (write("c.pem", &signed.certificate), write("k.pem", &signed.key));
    let broker = Broker::start(&["--tls", "--tlscert", &certificate, "--tlskey", &key]);
    let url = broker.url().replace("nats://", "tls://");
    let (right, other) = (write("ca.pem", &authority.pem), write("o.pem", &Authority::new().pem));
    let deployment = Deployment::new(&url, &format!("ca_file = \"{other}\"")).await;
    let finding = deployment.finding();
    assert_eq!(finding["state"], "wrong", "{finding}");
    deployment.set(&url, &format!("ca_file = \"{right}\""));
    let finding = deployment.finding();
    assert!(finding["says"].as_str().unwrap().contains("no stream takes"), "{finding}");
    // One that knows no TLS is not spoken to in the clear.
    let plain = Broker::start(&[]);
    plain.stream(USUAL).await;
    deployment.set(&plain.url().replace("nats://", "tls://"), "");
    assert_eq!(deployment.finding()["state"], "wrong");
    deployment.set(&plain.url(), "");
    assert_eq!(deployment.finding()["state"], "good", "{}", deployment.finding());
    deployment.set("nats://nats.example.com:4222", "user = \"u\"");
    let said = deployment.place.fail(&["config", "check"]);
    assert!(said.contains("[sinks.bus]") && said.contains("go together"), "{said}");
}

/// A copy of the data publishes nothing unless it is said to, and a sink may begin at the start.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_publishes_nothing_until_it_is_told_to() {
    let broker = Broker::start(&[]);
    broker.stream(Duration::from_millis(100)).await;
    let deployment = Deployment::new(&format!("nats://{}", free_address()), "").await;
    let running = deployment.serve().await;
    deployment.customer(&running, "First").await;
    drop(running);
    deployment.set(&broker.url(), "from = \"start\"\npayload = \"thin\"");
    let running = deployment.serve().await;
    let has = broker.until(1).await;
    let members: Vec<_> = has[0].body["data"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["id", "number", "version"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(running);
    let file = deployment.place.folder().join("backup");
    let file = file.to_str().unwrap();
    deployment.place.run(&["backup", file]);
    let copy = Place::empty().await;
    let settings = std::fs::read(deployment.place.folder().join("patron.toml")).unwrap();
    copy.write("patron.toml", &settings);
    let said = copy.run(&["restore", file]);
    assert!(said.contains("Paused 1 sinks"), "{said}");
    copy_master_key(&deployment.place, &copy);
    assert!(copy.run(&["sink", "list"]).contains("paused"));
    let mut serve = copy.command(&["serve"]);
    let running = Running::serve_on(serve.stdout(Stdio::null())).await;
    running.log.until("it is paused since a restore");
    deployment.customer(&running, "Of the copy").await;
    drop(running);
    assert_eq!(broker.has().await.len(), 1);
    assert!(copy.run(&["sink", "resume", "bus", "--from", "now"]).contains("goes on"));
    copy.fail(&["sink", "resume", "bus"]);
    copy.fail(&["sink", "resume", "nobody"]);
    let running = Running::serve_on(&mut copy.command(&["serve"])).await;
    running.log.until("publishes to sink bus");
    deployment.customer(&running, "Later").await;
    let has = broker.until(2).await;
    let seq = |n: usize| has[n].body["seq"].as_i64().unwrap();
    assert_eq!(seq(1), seq(0) + 2, "what the copy wrote while it was silent is passed over");
}

fn copy_master_key(from: &Place, to: &Place) {
    use patron_store::Location;
    if let (Location::Sqlite(from), Location::Sqlite(to)) = (from.location(), to.location()) {
        std::fs::copy(from.with_file_name("master.key"), to.with_file_name("master.key")).unwrap();
    }
}

/// A record that the broker does not take is told thin; what follows it comes all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_longer_than_the_broker_takes_is_told_thin() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, b"max_payload: 2048\n").unwrap();
    let broker = Broker::start(&["-c", file.path().to_str().unwrap()]);
    broker.stream(USUAL).await;
    let deployment = Deployment::new(&broker.url(), "").await;
    let running = deployment.serve().await;
    running.log.until("publishes to sink bus");
    let body = json!({"full_name": "Ada Lovelace", "description": "long ".repeat(600)});
    running.native(&deployment.key, "POST", "/v1/customers", Some(body)).await.expect(201);
    deployment.customer(&running, "Grace Hopper").await;
    let has = broker.until(2).await;
    assert_whole(&has, 1);
    let members: Vec<_> = has[0].body["data"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["id", "number", "version"]);
    assert_eq!(names(&has), ["", "Grace Hopper"]);
}
