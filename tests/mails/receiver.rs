//! A server for mails that answers as it is told and keeps what it takes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What it does with a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// It takes it.
    Takes,
    /// Not now.
    Later,
    /// Never.
    Never,
    /// It wants somebody to sign in first.
    NotLetIn,
    /// It ends the connection after the mail, without a word.
    HangsUp,
}

#[derive(Default)]
struct Shared {
    got: Mutex<Vec<String>>,
    seen: Mutex<usize>,
    answers: Mutex<Option<Answers>>,
}

/// The server.
pub struct Receiver {
    pub port: u16,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let of_task = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&of_task);
                tokio::spawn(async move { drop(talk(stream, &shared).await) });
            }
        });
        Receiver { port, shared, task }
    }

    pub fn answers(&self, answers: Answers) {
        *self.shared.answers.lock().unwrap() = Some(answers);
    }

    /// Mails that it took.
    pub fn got(&self) -> Vec<String> {
        self.shared.got.lock().unwrap().clone()
    }

    /// Mails that somebody wanted to hand over.
    pub fn seen(&self) -> usize {
        *self.shared.seen.lock().unwrap()
    }
}

async fn talk(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 test\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let word = line.split(' ').next().unwrap_or_default().to_uppercase();
        let answers = shared.answers.lock().unwrap().unwrap_or(Answers::Takes);
        let reply = match word.as_str() {
            "EHLO" => "250-test\r\n250 8BITMIME",
            "MAIL" if answers == Answers::NotLetIn => "530 sign in first",
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    mail.push_str(&line);
                    mail.push('\n');
                }
                *shared.seen.lock().unwrap() += 1;
                match answers {
                    Answers::HangsUp => return Ok(()),
                    Answers::Later => "451 ada@example.com: not now",
                    Answers::Never => "550 ada@example.com: no such person",
                    Answers::Takes | Answers::NotLetIn => {
                        shared.got.lock().unwrap().push(mail);
                        "250 taken"
                    }
                }
            }
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        write.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}
