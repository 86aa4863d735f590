//! One mail, put together and handed over to a server.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox, SinglePart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use patron_app::mails::{TAKEN_SECONDS, Taken, texts::Text};

/// Codes by which a server refuses to let us in: somebody mends the settings, the mail is good.
const NOT_LET_IN: [&str; 4] = ["530", "534", "535", "538"];

/// Seconds an attempt may take at most.
pub const TIMEOUT_SECONDS_MAX: u64 = TAKEN_SECONDS as u64 / 2;

/// How mails are handed over.
#[derive(Clone)]
pub struct NewSmtp {
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub safety: Safety,
    /// Name and password to sign in there.
    pub credentials: Option<(String, String)>,
    /// Who mails are from, as in a header: `Shop <no-reply@example.com>`.
    pub from: String,
    /// PEM of authorities trusted beside those of the web.
    pub ca: Option<Vec<u8>>,
    /// Seconds that handing one over may take.
    pub timeout: Duration,
}

impl std::fmt::Debug for NewSmtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewSmtp({}:{}, …)", self.host, self.port)
    }
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// From the first byte.
    Tls,
    /// From `STARTTLS` on, which the server must know.
    StartTls,
    /// Not at all: to this machine only.
    Plain,
}

/// What mails are handed over by.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Smtp(…)")
    }
}

/// Why a mail was not handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A word for it.
    pub class: &'static str,
    /// What the server answered, three digits; empty where it answered nothing.
    pub code: String,
    /// Whether it would be refused for ever.
    pub is_final: bool,
}

impl Fault {
    fn of(class: &'static str) -> Fault {
        Fault { class, code: String::new(), is_final: false }
    }

    /// A mail that cannot be written: no attempt will change that.
    fn written(class: &'static str) -> Fault {
        Fault { is_final: true, ..Fault::of(class) }
    }
}

impl From<lettre::transport::smtp::Error> for Fault {
    fn from(error: lettre::transport::smtp::Error) -> Fault {
        let code = error.status().map(|code| code.to_string()).unwrap_or_default();
        let is_kept_out = NOT_LET_IN.contains(&code.as_str());
        let class = match () {
            () if is_kept_out => "sign_in",
            () if error.is_permanent() => "refused",
            () if error.is_transient() => "not_now",
            () if error.is_tls() => "tls",
            () if error.is_timeout() => "timeout",
            () if error.is_response() || error.is_client() => "protocol",
            () => "connect",
        };
        Fault { class, code, is_final: error.is_permanent() && !is_kept_out }
    }
}

impl Smtp {
    /// What mails are handed over by, as the settings say.
    ///
    /// # Errors
    /// When the sender is no address, or the authorities cannot be read.
    pub fn new(new: NewSmtp) -> Result<Smtp, String> {
        let NewSmtp { host, port, safety, credentials, from, ca, timeout } = new;
        let from = from.parse::<Mailbox>().map_err(|error| format!("from: {error}"))?;
        let mut parameters = TlsParameters::builder(host.clone());
        if let Some(pem) = ca {
            let more = Certificate::from_pem(&pem).map_err(|error| error.to_string())?;
            parameters = parameters.add_root_certificate(more);
        }
        let parameters = parameters.build_rustls().map_err(|error| error.to_string())?;
        let tls = match safety {
            Safety::Tls => Tls::Wrapper(parameters),
            Safety::StartTls => Tls::Required(parameters),
            Safety::Plain => Tls::None,
        };
        let domain = from.email.domain().to_owned();
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .timeout(Some(timeout));
        if domain.is_ascii() {
            builder = builder.hello_name(ClientId::Domain(domain));
        }
        if let Some((name, password)) = credentials {
            builder = builder.credentials(Credentials::new(name, password));
        }
        Ok(Smtp { transport: builder.build(), from, timeout })
    }

    /// Hands a mail over.
    ///
    /// # Errors
    /// Why it was not.
    pub async fn send(&self, taken: &Taken, base_url: &str) -> Result<(), Fault> {
        let message = self.message(taken, base_url)?;
        let sent = tokio::time::timeout(self.timeout, self.transport.send(message));
        match sent.await {
            Ok(sent) => Ok(sent.map(drop)?),
            Err(_) => Err(Fault::of("timeout")),
        }
    }

    /// Connects as for a mail, encrypted and signed in as the settings say, and hands nothing over.
    ///
    /// # Errors
    /// Why that did not go.
    pub async fn reach(&self) -> Result<(), Fault> {
        match tokio::time::timeout(self.timeout, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(Fault::of("protocol")),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Fault::of("timeout")),
        }
    }

    /// The mail. The id in its header is the same at each attempt, so that a receiver tells a mail
    /// that came twice.
    fn message(&self, taken: &Taken, base_url: &str) -> Result<Message, Fault> {
        let to: Address = taken.letter.to.parse().map_err(|_| Fault::written("address"))?;
        let Text { subject, body } = taken.letter.message.text(base_url);
        let id = format!("<{}@{}>", taken.mail.uuid, self.from.email.domain());
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .date(date(taken))
            .message_id(Some(id))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .subject(subject)
            .singlepart(SinglePart::plain(body))
            .map_err(|_| Fault::written("message"))
    }
}

/// When it was written.
fn date(taken: &Taken) -> SystemTime {
    let micros = u64::try_from(taken.mail.made_at.micros()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}
