//! Which of the hosts of a URL a connection goes to, as libpq does it: one after the other, each
//! with its time. The next one follows where nobody answers, where the server does not take
//! connections yet, and where it takes no writes; not where it refuses who we are.
//!
//! Unlike libpq it begins with the host that answered last: after a change of the primary nobody
//! waits for the old one at every connection. Also here: whether the server is one at all, or a
//! pooler that gives each transaction another session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Host, LoadBalanceHosts};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error};

use super::tls::Tls;

/// What is remembered between connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Hosts {
    /// Place of the host that answered last.
    last: Arc<AtomicUsize>,
    /// Whether a pooler answered.
    pooled: Arc<AtomicBool>,
}

impl Hosts {
    pub(super) fn is_pooled(&self) -> bool {
        self.pooled.load(Relaxed)
    }

    pub(super) fn set_pooled(&self, pooled: bool) {
        self.pooled.store(pooled, Relaxed);
    }

    /// Connects to the first host that will do. `limits` are the start-up options of ours.
    pub(super) async fn connect(
        &self,
        tls: &Tls,
        config: &Config,
        limits: &str,
    ) -> Result<(Client, JoinHandle<()>), Error> {
        let hosts = count(config);
        let first = match config.get_load_balance_hosts() {
            LoadBalanceHosts::Random => uuid::Uuid::new_v4().as_u128() as usize,
            _ => self.last.load(Relaxed),
        };
        let mut refused = None;
        for at in (0..hosts).map(|n| first.wrapping_add(n) % hosts) {
            let alone = alone(config, at);
            let longest = *alone.get_connect_timeout().unwrap_or(&Duration::MAX);
            match timeout(longest, self.connect_alone(tls, alone, limits)).await {
                Ok(Ok(connected)) => {
                    self.last.store(at, Relaxed);
                    return Ok(connected);
                }
                Ok(Err(error)) if is_final(&error) => return Err(error),
                // The first one is that of the host that used to answer.
                Ok(Err(error)) => refused = refused.or(Some(error)),
                Err(_) => {}
            }
        }
        match refused {
            Some(error) => Err(error),
            // Nobody has said anything: the pool's own limit ends this, and says so.
            None => std::future::pending().await,
        }
    }

    async fn connect_alone(
        &self,
        tls: &Tls,
        config: Config,
        limits: &str,
    ) -> Result<(Client, JoinHandle<()>), Error> {
        if !self.is_pooled() {
            let connected = tls.open(with_options(&config, limits)).await;
            match connected {
                Err(error) if tls.may_be_pooled() && is_of_a_pooler(&error) => {
                    self.set_pooled(true);
                    tracing::info!("PgBouncer answers: statements are not prepared");
                }
                connected => return connected,
            }
        }
        tls.open(config).await
    }
}

/// How many hosts there are.
pub(super) fn count(config: &Config) -> usize {
    config.get_hosts().len().max(config.get_hostaddrs().len()).max(1)
}

/// The same with one of the hosts.
fn alone(config: &Config, at: usize) -> Config {
    let mut alone = Config::new();
    if let Some(user) = config.get_user() {
        alone.user(user);
    }
    if let Some(password) = config.get_password() {
        alone.password(password);
    }
    if let Some(name) = config.get_dbname() {
        alone.dbname(name);
    }
    if let Some(options) = config.get_options() {
        alone.options(options);
    }
    if let Some(name) = config.get_application_name() {
        alone.application_name(name);
    }
    if let Some(time) = config.get_connect_timeout() {
        alone.connect_timeout(*time);
    }
    if let Some(time) = config.get_tcp_user_timeout() {
        alone.tcp_user_timeout(*time);
    }
    if let Some(time) = config.get_keepalives_interval() {
        alone.keepalives_interval(time);
    }
    if let Some(n) = config.get_keepalives_retries() {
        alone.keepalives_retries(n);
    }
    alone
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding())
        .load_balance_hosts(config.get_load_balance_hosts());
    match config.get_hosts().get(at) {
        Some(Host::Tcp(name)) => {
            alone.host(name);
        }
        #[cfg(unix)]
        Some(Host::Unix(path)) => {
            alone.host_path(path);
        }
        None => {}
    }
    if let Some(address) = config.get_hostaddrs().get(at) {
        alone.hostaddr(*address);
    }
    let ports = config.get_ports();
    if let Some(port) = ports.get(at).or(ports.first()) {
        alone.port(*port);
    }
    alone
}

/// The operator's own options come last, so they win.
fn with_options(config: &Config, limits: &str) -> Config {
    let mut limited = config.clone();
    let own = config.get_options().unwrap_or_default();
    limited.options(format!("{limits} {own}").trim().to_owned());
    limited
}

/// Whether the next host would not be asked: who we are, or where we want to, is wrong.
fn is_final(error: &Error) -> bool {
    let code = error.code().map(SqlState::code).unwrap_or_default();
    ["28", "3D"].iter().any(|class| code.starts_with(class))
}

/// PgBouncer knows its own list of start-up parameters, and no server refuses ours.
fn is_of_a_pooler(error: &Error) -> bool {
    error.as_db_error().is_some_and(|refusal| {
        *refusal.code() == SqlState::PROTOCOL_VIOLATION
            && refusal.message().contains("unsupported startup parameter")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_hosts_keeps_everything_else() {
        let words = "user:secret@{}/d?options=-c%20x&application_name=a&connect_timeout=3\
            &tcp_user_timeout=4&keepalives=0&keepalives_idle=5&keepalives_interval=6\
            &keepalives_retries=7&channel_binding=require&target_session_attrs=read-write\
            &load_balance_hosts=random&sslmode=require&sslnegotiation=direct";
        let of = |hosts: &str| -> Config {
            format!("postgres://{}", words.replace("{}", hosts)).parse().expect("a URL")
        };
        let all = of("a:1,%2Ftmp:2,c:3");
        assert_eq!(count(&all), 3);
        for (at, host) in ["a:1", "%2Ftmp:2", "c:3"].into_iter().enumerate() {
            assert_eq!(format!("{:?}", alone(&all, at)), format!("{:?}", of(host)));
            assert_eq!(alone(&all, at), of(host));
        }
        assert_eq!(alone(&of("a,b:7"), 1).get_ports(), [7]);
        assert_eq!(alone(&of("a,b"), 1).get_ports(), of("b").get_ports());
    }

    #[test]
    fn options_of_the_url_come_behind_ours() {
        let config: Config = "postgres://u@h/d?options=-c%20b".parse().expect("a URL");
        assert_eq!(with_options(&config, "-c a").get_options(), Some("-c a -c b"));
        let config: Config = "postgres://u@h/d".parse().expect("a URL");
        assert_eq!(with_options(&config, "-c a").get_options(), Some("-c a"));
    }
}
