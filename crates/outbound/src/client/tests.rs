//! Against receivers on this machine that do what receivers do.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::guard::Allowed;

const WITHIN: Duration = Duration::from_secs(20);

/// Loopback, in the clear too.
fn guard() -> Guard {
    let allow = ["127.0.0.0/8"].iter().map(|entry| Allowed::parse(entry).unwrap()).collect();
    Guard { allow, ..Guard::default() }
}

fn client(guard: Guard, names: Names, ca: Option<Vec<u8>>) -> Client {
    Client::new(NewClient { guard, names, ca, user_agent: "Test/1" }).unwrap()
}

fn plain() -> Client {
    client(guard(), Names::of_system(), None)
}

async fn post(client: &Client, url: &str, within: Duration) -> Result<Answer, Fault> {
    let target = client.check(url).unwrap();
    client.post(&target, &HeaderMap::new(), Bytes::from_static(b"{}"), within).await
}

/// A receiver that answers each request on a connection with these bytes, and counts connections.
async fn receiver(answer: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let heard = Arc::new(Mutex::new(String::new()));
    let (counted, noted) = (Arc::clone(&connections), Arc::clone(&heard));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let noted = Arc::clone(&noted);
            tokio::spawn(async move {
                while let Some(request) = request(&mut stream).await {
                    noted.lock().unwrap().push_str(&request);
                    if stream.write_all(answer).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (address, connections, heard)
}

/// Reads a head and the two bytes of the body.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    let mut buffer = [0; 1024];
    while !text.ends_with("\r\n\r\n{}") {
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    Some(text)
}

#[tokio::test]
async fn a_status_is_an_answer_and_the_connection_is_used_again() {
    let (address, connections, heard) =
        receiver(b"HTTP/1.1 503 x\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\nno").await;
    let client = plain();
    for _ in 0..3 {
        let answer = post(&client, &format!("http://{address}/hook?a=b"), WITHIN).await.unwrap();
        let retry_after = Some(Duration::from_secs(7));
        assert_eq!(answer, Answer { status: 503, retry_after });
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    let heard = heard.lock().unwrap().to_lowercase();
    assert!(heard.starts_with("post /hook?a=b http/1.1\r\n"), "{heard}");
    assert!(
        heard.contains(&format!("host: {address}\r\n")) && heard.contains("user-agent: test/1")
    );
    for never in ["accept-encoding", "cookie", "authorization", "proxy"] {
        assert!(!heard.contains(never), "{never}");
    }
}

#[tokio::test]
async fn nothing_is_followed() {
    let (inside, asked, _) = receiver(b"HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n").await;
    let location =
        format!("HTTP/1.1 307 x\r\nlocation: http://{inside}/\r\ncontent-length: 0\r\n\r\n");
    let (address, _, _) = receiver(location.leak().as_bytes()).await;
    let answer = post(&plain(), &format!("http://{address}/"), WITHIN).await.unwrap();
    assert_eq!((answer.status, asked.load(Ordering::SeqCst)), (307, 0));
}

#[tokio::test]
async fn documents_are_read_whole_or_not_at_all() {
    let (address, _, heard) = receiver(b"HTTP/1.1 404 x\r\ncontent-length: 5\r\n\r\nlines").await;
    let client = plain();
    let target = client.check(&format!("http://{address}/keys")).unwrap();
    let ask = async |max, within| {
        let body = Bytes::from_static(b"{}");
        client.ask(Method::PUT, &target, HeaderMap::new(), body, (max, within)).await
    };
    let whole = Document { status: 404, body: b"lines".to_vec() };
    assert_eq!(ask(5, WITHIN).await, Ok(whole));
    assert_eq!(ask(4, WITHIN).await, Err(Fault::TooLarge));
    assert!(heard.lock().unwrap().starts_with("PUT /keys HTTP/1.1\r\n"));
    let (stalls, _, _) = receiver(b"HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\nz").await;
    let target = client.check(&format!("http://{stalls}/")).unwrap();
    let bounds = (9, Duration::from_millis(200));
    let late =
        client.ask(Method::POST, &target, HeaderMap::new(), Bytes::from_static(b"{}"), bounds);
    assert_eq!(late.await, Err(Fault::Timeout));
}

#[tokio::test]
async fn answers_are_bounded() {
    let short = Duration::from_millis(200);
    // A head that does not end, and one that is too long.
    let (hanging, _, _) = receiver(b"HTTP/1.1 200 x\r\nx: y\r\n").await;
    assert_eq!(post(&plain(), &format!("http://{hanging}/"), short).await, Err(Fault::Timeout));
    let long = format!("HTTP/1.1 200 x\r\nx: {}\r\n\r\n", "y".repeat(2 * ANSWER_BYTES_MAX)).leak();
    let (large, _, _) = receiver(long.as_bytes()).await;
    assert_eq!(post(&plain(), &format!("http://{large}/"), WITHIN).await, Err(Fault::TooLarge));
    let (noise, _, _) = receiver(b"SSH-2.0-x\r\n").await;
    assert_eq!(post(&plain(), &format!("http://{noise}/"), WITHIN).await, Err(Fault::Protocol));
    // The status decides: a body without end is left, one that stalls is waited for no longer.
    let endless = format!("HTTP/1.1 204 x\r\n\r\n{}", "z".repeat(4 * ANSWER_BYTES_MAX)).leak();
    let (endless, _, _) = receiver(endless.as_bytes()).await;
    assert_eq!(post(&plain(), &format!("http://{endless}/"), WITHIN).await.unwrap().status, 204);
    let (stalls, again, _) = receiver(b"HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\nz").await;
    let client = plain();
    for _ in 0..2 {
        let answer = post(&client, &format!("http://{stalls}/"), short).await.unwrap();
        assert_eq!(answer.status, 200);
    }
    assert_eq!(again.load(Ordering::SeqCst), 2, "a connection with a rest of an answer is closed");
}

#[tokio::test]
async fn who_is_not_there_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(post(&plain(), &format!("http://{address}/"), WITHIN).await, Err(Fault::Connect));
    let names = Names::found_by(Arc::new(|_| Box::pin(async { Ok(Vec::new()) })));
    let client = client(guard(), names, None);
    assert_eq!(post(&client, "https://gone.example/", WITHIN).await, Err(Fault::Dns));
}

/// What a name leads to is judged at the connection, each time it is looked up anew.
#[tokio::test]
async fn a_name_that_leads_inside_is_refused_whatever_it_led_to_before() {
    let (inside, asked, _) = receiver(b"HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n").await;
    let answers = |answers: Vec<Vec<IpAddr>>| {
        let left = Arc::new(Mutex::new(answers.into_iter()));
        Names::found_by(Arc::new(move |_| {
            let next = left.lock().unwrap().next().unwrap_or_default();
            Box::pin(async move { Ok(next) })
        }))
    };
    let url = format!("https://hook.example:{}/", inside.port());
    let open = Guard { http: true, ..Guard::default() };
    let public: IpAddr = [192, 0, 1, 1].into();
    for found in [
        vec![inside.ip()],
        vec![public, inside.ip()],
        vec!["::ffff:127.0.0.1".parse().unwrap(), public],
        vec!["64:ff9b::7f00:1".parse().unwrap()],
    ] {
        let client = client(open.clone(), answers(vec![found.clone()]), None);
        assert_eq!(post(&client, &url, WITHIN).await, Err(Fault::AddressRefused), "{found:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // Let in once, and somewhere else at the next connection: then it is not.
    let listed = Allowed::parse("127.0.0.1").unwrap();
    let listed = Guard { allow: vec![listed], ..open };
    let (closing, asked, _) =
        receiver(b"HTTP/1.1 200 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
    let mut names = answers(vec![vec![closing.ip()], vec![[127, 0, 0, 2].into()]]);
    names.remembered = Duration::ZERO;
    let client = client(listed, names, None);
    let url = format!("http://hook.example:{}/", closing.port());
    assert_eq!(post(&client, &url, WITHIN).await.unwrap().status, 200);
    assert_eq!(post(&client, &url, WITHIN).await, Err(Fault::AddressRefused));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
const TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// A receiver with TLS, whose certificate is for `hook.example`; the CA as PEM.
async fn secure(
    versions: &'static [&'static rustls::SupportedProtocolVersion],
) -> (SocketAddr, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(["hook.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(b"HTTP/1.1 202 x\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    (address, made.cert.pem().into_bytes())
}

#[tokio::test]
async fn certificates_are_verified_against_the_name() {
    let loopback =
        || Names::found_by(Arc::new(|_| Box::pin(async { Ok(vec![[127, 0, 0, 1].into()]) })));
    for versions in [TLS13, TLS12] {
        let (address, pem) = secure(versions).await;
        let url = |name: &str| format!("https://{name}:{}/", address.port());
        let trusting = client(guard(), loopback(), Some(pem));
        assert_eq!(post(&trusting, &url("hook.example"), WITHIN).await.unwrap().status, 202);
        let dotted = post(&trusting, &url("hook.example."), WITHIN).await;
        assert_eq!(dotted.unwrap().status, 202);
        assert_eq!(post(&trusting, &url("other.example"), WITHIN).await, Err(Fault::Tls));
        let strange = client(guard(), loopback(), None);
        assert_eq!(post(&strange, &url("hook.example"), WITHIN).await, Err(Fault::Tls));
    }
    let bad = Client::new(NewClient {
        guard: guard(),
        names: loopback(),
        ca: Some(b"nothing".to_vec()),
        user_agent: "x",
    });
    assert!(bad.is_err());
}

#[test]
fn a_wait_is_seconds_or_a_moment() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let wait = |text: &str| wait_of(&HeaderValue::from_str(text).unwrap(), now);
    assert_eq!(wait("120"), Some(Duration::from_secs(120)));
    assert_eq!(wait("0"), Some(Duration::ZERO));
    assert_eq!(wait("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
    assert_eq!(wait("Sun, 06 Nov 1994 08:49:39 GMT"), Some(Duration::from_secs(2)));
    assert_eq!(wait("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO), "it is over");
    for bad in ["", "-1", "1.5", "soon"] {
        assert_eq!(wait(bad), None, "{bad}");
    }
}
