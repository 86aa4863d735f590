//! A receiver of webhooks that checks everything that comes, and behaves as badly as it is asked
//! to.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::BytesMut;
use patron_app::secrets::hmac_sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::figures::Choices;

/// Headers of a request at most.
const HEADERS_MAX: usize = 48;
/// How long a receiver hangs; endpoints wait for less.
const HANGS_FOR: Duration = Duration::from_secs(20);
/// Lines of a head that never ends, and pieces of such a body, at most.
const ENDLESS: usize = 100_000;
const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// How a receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It takes everything.
    Good,
    /// It says now and then that it failed.
    Failing,
    /// It says nothing now and then.
    Hanging,
    /// It always says nothing.
    Dead,
    /// It answers what is no HTTP, has no end, or stops in the middle.
    Lying,
}

/// What one door got of one event.
#[derive(Debug, Clone)]
pub struct Got {
    /// How often it was taken: answered well.
    pub taken: u32,
    /// When it came first.
    pub first_at: Instant,
    /// UUID of the record that it is about.
    pub subject: String,
    /// Hash of the body that came first.
    body: u64,
}

/// What a receiver has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// By door and event.
    pub got: HashMap<(usize, String), Got>,
    /// Requests without the signature of their endpoint.
    pub forged: u64,
    /// Requests whose body was another one than at first.
    pub altered: u64,
    /// All requests.
    pub requests: u64,
}

struct Door {
    manner: Manner,
    secret: Vec<u8>,
}

struct Shared {
    doors: Mutex<Vec<Door>>,
    seen: Mutex<Seen>,
    taken: AtomicU64,
    is_good: AtomicBool,
    seed: AtomicU64,
}

/// A receiver with many doors, an endpoint each.
#[derive(Clone)]
pub struct Receiver {
    address: String,
    shared: Arc<Shared>,
}

impl Receiver {
    /// Listens on this machine.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn start(seed: u64) -> Result<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let shared = Arc::new(Shared {
            doors: Mutex::default(),
            seen: Mutex::default(),
            taken: AtomicU64::new(0),
            is_good: AtomicBool::new(false),
            seed: AtomicU64::new(seed),
        });
        let receiver = Receiver { address, shared: Arc::clone(&shared) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&shared), stream));
            }
        });
        Ok(receiver)
    }

    /// A new door, and its URL.
    pub fn door(&self, manner: Manner) -> (usize, String) {
        let mut doors = locked(&self.shared.doors);
        doors.push(Door { manner, secret: Vec::new() });
        let n = doors.len() - 1;
        (n, format!("http://{}/{n}", self.address))
    }

    /// What signs whatever comes to a door.
    pub fn knows(&self, door: usize, secret: Vec<u8>) {
        locked(&self.shared.doors)[door].secret = secret;
    }

    /// From now on everything is taken.
    pub fn behaves(&self) {
        self.shared.is_good.store(true, Ordering::SeqCst);
    }

    /// How many different events its doors have taken, added up.
    pub fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::SeqCst)
    }

    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        locked(&self.shared.seen)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(shared: Arc<Shared>, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut choices = Choices::new(shared.seed.fetch_add(1, Ordering::Relaxed));
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    while let Some(request) = next(&mut stream, &mut buffer).await {
        let at = Instant::now();
        let is_good = shared.is_good.load(Ordering::SeqCst);
        let manner = locked(&shared.doors).get(request.door).map_or(Manner::Good, |d| d.manner);
        let deed = if is_good { Deed::Take } else { deed(manner, &mut choices) };
        note(&shared, &request, deed, at);
        match deed {
            Deed::Take => {
                if stream.write_all(GOOD).await.is_err() {
                    return;
                }
            }
            Deed::Refuse(status) => {
                let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            Deed::Hang => return tokio::time::sleep(HANGS_FOR).await,
            Deed::Cut => return,
            Deed::Garbage => {
                let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n\r\n").await;
                return;
            }
            Deed::EndlessHead => {
                return endless(&mut stream, b"HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n").await;
            }
            Deed::Half => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await;
                return;
            }
        }
    }
}

/// Writes without end, until nobody reads any more.
async fn endless(stream: &mut TcpStream, head: &[u8], piece: &[u8]) {
    let write = async {
        stream.write_all(head).await?;
        for _ in 0..ENDLESS {
            stream.write_all(piece).await?;
        }
        std::io::Result::Ok(())
    };
    let _ = tokio::time::timeout(HANGS_FOR, write).await;
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Take,
    Refuse(u16),
    Hang,
    Cut,
    Garbage,
    EndlessHead,
    Half,
}

fn deed(manner: Manner, choices: &mut Choices) -> Deed {
    let choice = choices.below(20);
    match (manner, choice) {
        (Manner::Failing, 0..=3) => Deed::Refuse(500),
        (Manner::Failing, 4) => Deed::Refuse(302),
        (Manner::Hanging, 0) => Deed::Hang,
        (Manner::Dead, _) => Deed::Hang,
        (Manner::Lying, 0) => Deed::Garbage,
        (Manner::Lying, 1) => Deed::EndlessHead,
        (Manner::Lying, 2) => Deed::Half,
        (Manner::Lying, 3) => Deed::Cut,
        (Manner::Good | Manner::Failing | Manner::Hanging | Manner::Lying, _) => Deed::Take,
    }
}

struct Request {
    door: usize,
    id: String,
    signed: String,
    signatures: String,
    body: Vec<u8>,
}

/// Reads a request; none when the connection is over.
async fn next(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<Request> {
    loop {
        if let Some((mut request, head_bytes, body_bytes)) = head_of(buffer) {
            while buffer.len() < head_bytes + body_bytes {
                if stream.read_buf(buffer).await.ok()? == 0 {
                    return None;
                }
            }
            let _ = buffer.split_to(head_bytes);
            request.body = buffer.split_to(body_bytes).to_vec();
            return Some(request);
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// The head of a request with its length and that of its body; none while it is not whole.
fn head_of(text: &[u8]) -> Option<(Request, usize, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(bytes)) = request.parse(text) else { return None };
    let value = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok()).unwrap_or("")
    };
    let door = request.path?.strip_prefix('/')?.parse().ok()?;
    let id = value("webhook-id").to_owned();
    let signed = format!("{id}.{}.", value("webhook-timestamp"));
    let signatures = value("webhook-signature").to_owned();
    let length = value("content-length").parse().ok()?;
    Some((Request { door, id, signed, signatures, body: Vec::new() }, bytes, length))
}

/// Checks and notes what came. Whatever is not signed by the secret of its endpoint is forged.
fn note(shared: &Shared, request: &Request, deed: Deed, at: Instant) {
    let Request { door, id, signed, signatures, body } = request;
    let secret = locked(&shared.doors).get(*door).map(|door| door.secret.clone());
    let message = [signed.as_bytes(), body].concat();
    let wanted =
        secret.map(|secret| format!("v1,{}", BASE64.encode(hmac_sha256(&secret, &message))));
    let is_signed = wanted.is_some_and(|wanted| signatures.split(' ').any(|one| one == wanted));
    // The id that is signed is the one that is said inside.
    let inside = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let hash = hasher.finish();
    let mut seen = locked(&shared.seen);
    seen.requests += 1;
    if !is_signed || inside["id"] != id.as_str() {
        seen.forged += 1;
        return;
    }
    let is_taken = deed == Deed::Take;
    let subject = || inside["subject"]["id"].as_str().unwrap_or_default().to_owned();
    let got = seen.got.entry((*door, id.clone())).or_insert_with(|| Got {
        taken: 0,
        first_at: at,
        subject: subject(),
        body: hash,
    });
    if is_taken && got.taken == 0 {
        shared.taken.fetch_add(1, Ordering::SeqCst);
    }
    got.taken += u32::from(is_taken);
    let is_altered = got.body != hash;
    seen.altered += u64::from(is_altered);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_requests_are_read_when_they_are_whole() {
        let text = "POST /7 HTTP/1.1\r\nWebhook-Id: evt_1_2\r\ncontent-length: 5\r\n\r\n";
        let (request, head, body) = head_of(text.as_bytes()).expect("a head");
        assert_eq!((request.door, request.id.as_str()), (7, "evt_1_2"));
        assert_eq!((head, body), (text.len(), 5));
        assert!(head_of(&text.as_bytes()[..30]).is_none());
    }

    #[test]
    fn who_is_good_takes_everything_and_who_is_dead_nothing() {
        let mut choices = Choices::new(1);
        let mut all =
            |manner| -> Vec<Deed> { (0..400).map(|_| deed(manner, &mut choices)).collect() };
        assert!(all(Manner::Good).iter().all(|deed| *deed == Deed::Take));
        assert!(all(Manner::Dead).iter().all(|deed| *deed == Deed::Hang));
        for manner in [Manner::Failing, Manner::Hanging, Manner::Lying] {
            let deeds = all(manner);
            assert!(deeds.contains(&Deed::Take) && deeds.iter().any(|deed| *deed != Deed::Take));
        }
    }
}
