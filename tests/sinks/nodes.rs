//! Several processes over one store: one of them publishes.

use std::sync::Arc;
use std::time::Duration;

use patron_native::DIALECT;
use patron_sinks::{NewSink, SignsIn, Way};
use patron_testkit::TestServer;
use serde_json::json;

use super::{Broker, assert_whole};

/// The sink of these tests.
fn sink(broker: &Broker) -> Arc<NewSink> {
    let way = Way {
        servers: vec![broker.url().parse().unwrap()],
        is_encrypted: false,
        signs_in: SignsIn::Nobody,
        ca_file: None,
        certificate: None,
    };
    Arc::new(NewSink {
        name: "bus".to_owned(),
        way,
        prefix: "patron".to_owned(),
        types: vec![patron_app::webhooks::EventType::parse("*").unwrap()],
        payload: patron_app::webhooks::Payload::Full,
        spaces: [].into(),
        is_from_start: false,
    })
}

fn publish(server: &TestServer, broker: &Broker) -> tokio::task::JoinHandle<()> {
    let notifier = DIALECT.webhooks.unwrap();
    tokio::spawn(patron_sinks::run(Arc::clone(&server.app), sink(broker), notifier, false))
}

/// Until somebody has the sink.
async fn held(server: &TestServer, is_held_now: impl Fn(uuid::Uuid) -> bool) -> uuid::Uuid {
    for _ in 0..3_000 {
        let sink = patron_app::sinks::named(&server.app, "bus").await.unwrap();
        if let Some(holder) = sink.filter(|sink| sink.is_set_up).and_then(|sink| sink.holder)
            && is_held_now(holder)
        {
            return holder;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody took the sink");
}

async fn customer(server: &TestServer, name: &str) {
    let keys = server.credentials("native");
    let body = Some(json!({"full_name": name}));
    server.call(&DIALECT, &keys, "POST", "/v1/customers", body).await.expect(201);
}

/// The stream forgets at once what it had, so that whatever two publish is there twice.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_one_publishes_and_the_other_takes_over() {
    let broker = Broker::start(&[]);
    broker.stream(Duration::from_millis(100)).await;
    let first = TestServer::start(&[&DIALECT]).await;
    let second = first.beside(patron_gateway::limits::Limits::default()).await;
    let tasks = [publish(&first, &broker), publish(&second, &broker)];
    let holder = held(&first, |_| true).await;
    for n in 0..30 {
        let server = if n % 2 == 0 { &first } else { &second };
        customer(server, &format!("Number {n}")).await;
    }
    assert_whole(&broker.until(30).await, 1);
    // Both are asked to stop one after the other: whoever is left publishes.
    first.app.stop();
    let next = held(&second, |now| now != holder || !tasks[1].is_finished()).await;
    for n in 30..60 {
        customer(&second, &format!("Number {n}")).await;
    }
    let has = broker.until(60).await;
    assert_whole(&has, 1);
    assert_eq!(has.len(), 60, "nothing came twice");
    second.app.stop();
    for task in tasks {
        task.await.unwrap();
    }
    let sink = patron_app::sinks::named(&second.app, "bus").await.unwrap().unwrap();
    assert_eq!(sink.holder, None, "{next} let go of it");
}
