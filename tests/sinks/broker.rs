//! A broker for one test: Debian's nats-server on a port and a folder of its own.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::free_address;

/// How long a broker may take to answer.
const STARTS_IN: Duration = Duration::from_secs(20);

/// A broker; killed when dropped.
pub struct Broker {
    folder: TempDir,
    address: String,
    options: Vec<String>,
    child: Option<Child>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a stream has.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub subject: String,
    pub id: String,
    pub body: Value,
}

impl Broker {
    pub fn start(options: &[&str]) -> Broker {
        let folder = tempfile::tempdir().unwrap();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut broker = Broker { folder, address: free_address(), options, child: None };
        broker.again();
        broker
    }

    /// Starts it where it was, with what it has.
    pub fn again(&mut self) {
        let (host, port) = self.address.split_once(':').unwrap();
        let mut command = Command::new("nats-server");
        command.args(["-js", "-a", host, "-p", port, "-sd"]).arg(self.folder.path());
        command.args(&self.options).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("these tests need nats-server (apt-get install)");
        self.child = Some(child);
        let until = std::time::Instant::now() + STARTS_IN;
        while std::net::TcpStream::connect(&self.address).is_err() {
            assert!(std::time::Instant::now() < until, "nats-server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it; what it has stays.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    async fn streams(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(self.url()).await.unwrap())
    }

    /// Makes the stream that takes everything, and leaves out what it had within this time.
    pub async fn stream(&self, duplicate_window: Duration) {
        let config = stream::Config {
            name: "PATRON".to_owned(),
            subjects: vec!["patron.>".to_owned()],
            duplicate_window,
            ..stream::Config::default()
        };
        self.streams().await.create_stream(config).await.unwrap();
    }

    /// Everything that the stream has, in its order.
    pub async fn has(&self) -> Vec<Message> {
        let mut stream = self.streams().await.get_stream("PATRON").await.unwrap();
        let last = stream.info().await.unwrap().state.last_sequence;
        let mut all = Vec::new();
        for sequence in 1..=last {
            let message = stream.get_raw_message(sequence).await.unwrap();
            let id = message.headers.get("Nats-Msg-Id").unwrap().to_string();
            let body = serde_json::from_slice(&message.payload).unwrap();
            all.push(Message { subject: message.subject.to_string(), id, body });
        }
        all
    }

    /// Waits until the stream has so many.
    pub async fn until(&self, count: usize) -> Vec<Message> {
        let wait = async {
            let mut stream = self.streams().await.get_stream("PATRON").await.unwrap();
            while stream.info().await.unwrap().state.messages < count as u64 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        let has = self.has().await;
        assert!(waited.is_ok(), "{} of {count} came", has.len());
        has
    }
}
