//! A network that delivers what the server says a few bytes at a time.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_postgres::{Config, config::Host};

/// Bytes that arrive together.
const PIECE_BYTES: usize = 9;
/// Time between two pieces, so that they are read one by one.
const PAUSE: Duration = Duration::from_millis(1);

/// The URL of the same database, behind such a network. It ends with the runtime.
pub async fn before(url: &str) -> String {
    let config: Config = url.parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (user, database) = (config.get_user().unwrap(), config.get_dbname().unwrap());
    let url = format!("postgres://{user}@{}/{database}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            client.set_nodelay(true).unwrap();
            let config = config.clone();
            tokio::spawn(async move {
                let port = config.get_ports().first().copied().unwrap_or(5432);
                match &config.get_hosts()[0] {
                    Host::Tcp(name) => {
                        let server = TcpStream::connect((name.as_str(), port)).await.unwrap();
                        let (says, hears) = server.into_split();
                        carry(client, says, hears).await;
                    }
                    Host::Unix(folder) => {
                        let socket = folder.join(format!(".s.PGSQL.{port}"));
                        let server = UnixStream::connect(socket).await.unwrap();
                        let (says, hears) = server.into_split();
                        carry(client, says, hears).await;
                    }
                }
            });
        }
    });
    format!("{url}?sslmode=disable")
}

/// Carries until either side ends.
async fn carry(
    client: TcpStream,
    mut says: impl tokio::io::AsyncRead + Unpin + Send + 'static,
    mut hears: impl AsyncWrite + Unpin + Send + 'static,
) {
    let (mut asks, mut reads) = client.into_split();
    let there = async move { tokio::io::copy(&mut asks, &mut hears).await.map(drop) };
    let back = async move {
        let mut said = [0; 8192];
        loop {
            let length = says.read(&mut said).await?;
            if length == 0 {
                return Ok::<(), std::io::Error>(());
            }
            for piece in said[..length].chunks(PIECE_BYTES) {
                reads.write_all(piece).await?;
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    tokio::select! {
        _ = there => {}
        _ = back => {}
    }
}
