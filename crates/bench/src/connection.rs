//! A keep-alive connection that reads whole answers of any status.

use anyhow::{Context as _, Result, ensure};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Room made for each read, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// Headers of an answer at most.
const HEADERS_MAX: usize = 48;

/// A connection to a server.
pub struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

/// An answer. It shares the connection's memory: let go of it before the next one is read.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Body.
    pub body: Bytes,
    head: Bytes,
}

/// What reading an answer needs of its head.
struct Head {
    status: u16,
    head_bytes: usize,
    body_bytes: usize,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: BytesMut::new() })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When the connection breaks or the answer is no HTTP/1.1 with a length.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        let Head { status, head_bytes, body_bytes } = loop {
            self.read().await?;
            if let Some(head) = head_of(&self.buffer)? {
                break head;
            }
        };
        while self.buffer.len() < head_bytes + body_bytes {
            self.read().await?;
        }
        let head = self.buffer.split_to(head_bytes).freeze();
        Ok(Answer { status, head, body: self.buffer.split_to(body_bytes).freeze() })
    }

    async fn read(&mut self) -> Result<()> {
        self.buffer.reserve(READ_BYTES);
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the connection was closed");
        Ok(())
    }
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut headers);
        answer.parse(&self.head).ok()?;
        value(&answer, name)
    }

    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The head at the beginning of what was read; none while it is not whole.
fn head_of(text: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = answer.parse(text)? else { return Ok(None) };
    let status = answer.code.context("a status")?;
    let body_bytes = match status {
        204 | 304 => 0,
        _ => value(&answer, "content-length").context("an answer without length")?.parse()?,
    };
    Ok(Some(Head { status, head_bytes, body_bytes }))
}

fn value<'a>(answer: &httparse::Response<'_, 'a>, name: &str) -> Option<&'a str> {
    let found = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(found.value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_when_they_are_whole() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nETag: \"a:b\"\r\n\r\n";
        let head = head_of(text.as_bytes()).expect("a head").expect("a whole one");
        assert_eq!((head.status, head.head_bytes, head.body_bytes), (200, text.len(), 12));
        assert!(head_of(&text.as_bytes()[..40]).expect("a beginning").is_none());
        assert!(head_of(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "no length");
        let answer = Answer { status: 200, head: Bytes::from(text), body: Bytes::new() };
        assert_eq!(answer.header("etag"), Some("\"a:b\""));
    }
}
