//! The connection to a broker. It is made anew after every failure, so that nothing waits in it
//! that would be published out of its order later.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr,
    jetstream::{
        self, Context,
        context::{GetStreamByNameErrorKind, PublishErrorKind},
        message::PublishMessage,
    },
};
use bytes::Bytes;

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long a stream may take to say that it has a message.
const TAKEN_MAX: Duration = Duration::from_secs(5);
/// What the server calls itself.
const NAME: &str = "Patron";

/// How a broker is reached.
#[derive(Debug, Clone)]
pub struct Way {
    /// Servers of it.
    pub servers: Vec<ServerAddr>,
    /// Whether nothing is said in the clear.
    pub is_encrypted: bool,
    /// Who signs in.
    pub signs_in: SignsIn,
    /// PEM file of authorities trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM files of the certificate that is shown, and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Who signs in at a broker.
#[derive(Clone)]
pub enum SignsIn {
    /// Nobody.
    Nobody,
    /// Somebody with a password.
    User(String, String),
    /// Whoever has the token.
    Token(String),
}

impl fmt::Debug for SignsIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignsIn(…)")
    }
}

/// Why nothing is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The broker cannot be reached; which class of reason, and what it says.
    Away(&'static str, String),
    /// No stream takes a subject.
    NoStream(String),
    /// A message is longer than the broker takes.
    TooLong,
    /// The stream refuses a message.
    Refused(String),
}

impl Fault {
    /// The class: a word of the program.
    pub fn class(&self) -> &'static str {
        match self {
            Fault::Away(class, _) => class,
            Fault::NoStream(_) => "no_stream",
            Fault::TooLong => "too_long",
            Fault::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Away("sign_in", _) => write!(f, "the broker does not let this server in"),
            Fault::Away("timeout", _) => write!(f, "the broker does not answer in time"),
            Fault::Away(_, says) => write!(f, "the broker cannot be reached: {says}"),
            Fault::NoStream(subject) => {
                write!(f, "no stream takes {subject}, or JetStream is off at the broker")
            }
            Fault::TooLong => write!(f, "a message is longer than the broker takes"),
            Fault::Refused(says) => write!(f, "the stream refuses a message: {says}"),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Broker {
    client: Client,
    stream: Context,
}

impl Broker {
    pub(crate) async fn connect(sink: &str, way: &Way) -> Result<Broker, Fault> {
        let Way { servers, is_encrypted, signs_in, ca_file, certificate } = way;
        let options = match signs_in {
            SignsIn::Nobody => ConnectOptions::new(),
            SignsIn::User(name, password) => {
                ConnectOptions::with_user_and_password(name.clone(), password.clone())
            }
            SignsIn::Token(token) => ConnectOptions::with_token(token.clone()),
        };
        let sink = sink.to_owned();
        let mut options = options
            .name(NAME)
            .require_tls(*is_encrypted)
            .connection_timeout(CONNECT_MAX)
            // One that is away is told, and asked anew by a connection of its own.
            .max_reconnects(1)
            .event_callback(move |event| {
                let sink = sink.clone();
                async move {
                    if let Event::ServerError(says) = event {
                        tracing::warn!(sink, "the broker of sink {sink} says: {says}");
                    }
                }
            });
        if let Some(file) = ca_file {
            options = options.add_root_certificates(file.clone());
        }
        if let Some((certificate, key)) = certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        let connecting = options.connect(servers.as_slice());
        let connected = tokio::time::timeout(CONNECT_MAX * 2, connecting).await;
        let client = match connected {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                let class = match error.kind() {
                    ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                        "sign_in"
                    }
                    ConnectErrorKind::Tls => "tls",
                    ConnectErrorKind::TimedOut => "timeout",
                    ConnectErrorKind::ServerParse
                    | ConnectErrorKind::Dns
                    | ConnectErrorKind::Io
                    | ConnectErrorKind::MaxReconnects => "connect",
                };
                return Err(Fault::Away(class, error.to_string()));
            }
            Err(_) => return Err(Fault::Away("timeout", String::new())),
        };
        let mut stream = jetstream::new(client.clone());
        stream.set_timeout(TAKEN_MAX);
        Ok(Broker { client, stream })
    }

    /// Publishes a message, and waits until a stream has it. Says whether it had it already.
    pub(crate) async fn publish(
        &self,
        subject: &str,
        id: &str,
        body: Bytes,
    ) -> Result<bool, Fault> {
        let message = PublishMessage::build().payload(body).message_id(id);
        let sent = self.stream.send_publish(subject.to_owned(), message).await;
        let taken = match sent {
            Ok(taken) => taken.await,
            Err(error) => Err(error),
        };
        taken.map(|taken| taken.duplicate).map_err(|error| match error.kind() {
            PublishErrorKind::StreamNotFound => Fault::NoStream(subject.to_owned()),
            PublishErrorKind::MaxPayloadExceeded => Fault::TooLong,
            PublishErrorKind::TimedOut => Fault::Away("timeout", String::new()),
            PublishErrorKind::BrokenPipe => Fault::Away("connect", "it is gone".to_owned()),
            PublishErrorKind::WrongLastMessageId
            | PublishErrorKind::WrongLastSequence
            | PublishErrorKind::MaxAckPending
            | PublishErrorKind::Other => match is_said_by_the_stream(&error) {
                true => Fault::Refused(whole(&error)),
                false => Fault::Away("connect", whole(&error)),
            },
        })
    }

    /// The stream that takes a subject.
    pub(crate) async fn stream_of(&self, subject: &str) -> Result<String, Fault> {
        let asked = self.stream.stream_by_subject(subject).await;
        let found = asked.map_err(|error| match error.kind() {
            GetStreamByNameErrorKind::NotFound => Fault::NoStream(subject.to_owned()),
            GetStreamByNameErrorKind::Request => Fault::Away("timeout", whole(&error)),
            GetStreamByNameErrorKind::InvalidSubject | GetStreamByNameErrorKind::JetStream(_) => {
                Fault::Refused(whole(&error))
            }
        });
        // What was asked is on its way before the connection goes.
        let _ = self.client.flush().await;
        found
    }
}

/// Whether an error is an answer, not the end of the connection.
fn is_said_by_the_stream(error: &dyn std::error::Error) -> bool {
    error.source().is_some_and(|source| source.is::<jetstream::Error>())
}

/// What an error says, with what is behind it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut says = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !says.contains(&more) {
            says = format!("{says}: {more}");
        }
        next = error.source();
    }
    says
}
