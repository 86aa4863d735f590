//! A proxy between Patron and PostgreSQL that understands as much of the protocol as it takes to
//! fail at a chosen message. What one side sends until it waits for an answer is one exchange: the
//! start-up, a simple query, or everything up to a Sync; each is answered up to ReadyForQuery.
//! Exchanges are counted over all connections, so a scenario can be run with a fault at the first,
//! the second, … until it no longer meets the fault.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;

/// What happens to the chosen exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before any of it reaches the server.
    Lost,
    /// The connection is cut in the middle of it.
    Torn,
    /// The server carries it out; the connection is cut before the answer.
    Unanswered,
    /// The server carries it out; the connection is cut in the middle of the answer.
    HalfAnswered,
    /// The server refuses it, really, with this SQLSTATE.
    Refused(&'static str),
}

/// The faults of a connection.
pub const CUTS: [Fault; 4] = [Fault::Lost, Fault::Torn, Fault::Unanswered, Fault::HalfAnswered];

/// Which exchanges are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// All.
    All,
    /// Those that are a simple query which begins so: `COMMIT`, `BEGIN`.
    Queries(&'static str),
}

struct Plan {
    fault: Fault,
    among: Among,
    /// Counted exchanges still to pass; `None` when the fault has happened.
    left: Option<u64>,
}

/// The proxy; connections end with it.
pub struct Proxy {
    url_head: String,
    plan: Arc<Mutex<Option<Plan>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// A proxy before the server at a socket.
    pub async fn before(socket: PathBuf) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url_head = format!("postgres://postgres@{}", listener.local_addr().unwrap());
        let plan: Arc<Mutex<Option<Plan>>> = Arc::default();
        let for_all = Arc::clone(&plan);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (plan, socket) = (Arc::clone(&for_all), socket.clone());
                // Either side may go at any time: that ends the connection, nothing else.
                connections.spawn(async move { pass(client, socket, &plan).await.ok() });
                while connections.try_join_next().is_some() {}
            }
        });
        Proxy { url_head, plan, task }
    }

    /// URL of a database behind the proxy, which must be able to read along.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}?sslmode=disable", self.url_head)
    }

    /// From now on the `n`th exchange (from 1) fails, once.
    pub fn arm(&self, fault: Fault, among: Among, n: u64) {
        *self.lock() = Some(Plan { fault, among, left: Some(n - 1) });
    }

    /// Nothing fails any more; whether the fault happened.
    pub fn disarm(&self) -> bool {
        self.lock().take().is_some_and(|plan| plan.left.is_none())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Plan>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to happen to an exchange.
fn fate(plan: &Mutex<Option<Plan>>, exchange: &[u8]) -> Option<Fault> {
    let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = plan.as_mut()?;
    let counted = match plan.among {
        Among::All => true,
        Among::Queries(text) => {
            exchange.first() == Some(&b'Q') && exchange[5..].starts_with(text.as_bytes())
        }
    };
    match plan.left {
        Some(0) if counted => {
            plan.left = None;
            Some(plan.fault)
        }
        Some(left) if counted => {
            plan.left = Some(left - 1);
            None
        }
        _ => None,
    }
}

async fn pass(
    mut client: TcpStream,
    socket: PathBuf,
    plan: &Mutex<Option<Plan>>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = UnixStream::connect(socket).await?;
    let mut starting = true;
    loop {
        let exchange = if starting {
            let mut startup = Vec::new();
            read_sized(&mut client, &mut startup).await?;
            startup
        } else {
            match read_request(&mut client, &mut server).await? {
                Some(exchange) => exchange,
                None => return Ok(()),
            }
        };
        let fate = fate(plan, &exchange);
        match fate {
            Some(Fault::Lost) => return Ok(()),
            Some(Fault::Torn) => {
                server.write_all(&exchange[..exchange.len() / 2]).await?;
                return Ok(());
            }
            Some(Fault::Refused(code)) if !starting => {
                server.write_all(&refusal(code)).await?;
            }
            _ => server.write_all(&exchange).await?,
        }
        let answer = read_answer(&mut server).await?;
        match fate {
            Some(Fault::Unanswered) => return Ok(()),
            Some(Fault::HalfAnswered) => {
                client.write_all(&answer[..answer.len() / 2]).await?;
                return Ok(());
            }
            _ => client.write_all(&answer).await?,
        }
        starting = false;
    }
}

/// A query that the server refuses with a code of our choice, in whatever state it is.
fn refusal(code: &str) -> Vec<u8> {
    let sql = format!("DO $$ BEGIN RAISE 'planned' USING ERRCODE = '{code}'; END $$\0");
    let length = u32::try_from(sql.len() + 4).unwrap();
    [b"Q", &length.to_be_bytes()[..], sql.as_bytes()].concat()
}

/// Reads a length and what it covers.
async fn read_sized(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    into: &mut Vec<u8>,
) -> io::Result<()> {
    let length = from.read_u32().await?;
    into.extend(length.to_be_bytes());
    let begin = into.len();
    into.resize(begin + length as usize - 4, 0);
    from.read_exact(&mut into[begin..]).await?;
    Ok(())
}

/// Reads what the client sends until it waits for an answer. `None` when it says good-bye, or the
/// server does while nothing is asked.
async fn read_request(
    client: &mut TcpStream,
    server: &mut UnixStream,
) -> io::Result<Option<Vec<u8>>> {
    let mut exchange = Vec::new();
    let mut unasked = [0; 1024];
    loop {
        let kind = tokio::select! {
            kind = client.read_u8() => kind?,
            _ = server.readable(), if exchange.is_empty() => match server.try_read(&mut unasked) {
                Ok(0) => return Ok(None),
                Ok(length) => {
                    client.write_all(&unasked[..length]).await?;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            },
        };
        exchange.push(kind);
        read_sized(client, &mut exchange).await?;
        match kind {
            b'Q' | b'S' => return Ok(Some(exchange)),
            b'X' => return Ok(None),
            _ => {}
        }
    }
}

/// Reads what the server answers, up to ReadyForQuery or the refusal of a start-up.
async fn read_answer(server: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    loop {
        let Ok(kind) = server.read_u8().await else { return Ok(answer) };
        answer.push(kind);
        read_sized(server, &mut answer).await?;
        if kind == b'Z' {
            return Ok(answer);
        }
    }
}
