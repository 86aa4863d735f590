//! `patron doctor`: looks at what a deployment stands on, and says what to do about it. It changes
//! nothing.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use patron_app::{
    App,
    audit::{self, Wanted},
};
use patron_mails::Fault;
use patron_model::Timestamp;
use patron_store::Location;
use serde::Serialize;
use serde_json::json;

use super::{
    backup::{BACKED_UP, CHANGES_BACKED_UP},
    explain,
};
use crate::{
    Deployment, files,
    master_key::{self, Source},
    open,
    settings::{DATABASE_FILE, MailSettings, Settings, TransportSetting},
    tls,
};

/// Days after which a backup is old: one is taken every day, in full or what changed.
const BACKUP_DAYS_MAX: i64 = 2;
/// Days after which a full backup is old: every increment since is needed beside it.
const FULL_BACKUP_DAYS_MAX: i64 = 8;
/// Days before its end at which a certificate should have been renewed.
const CERTIFICATE_DAYS_MIN: i64 = 21;
/// Bytes below which a disk is as good as full.
const FREE_BYTES_MIN: u64 = 256 << 20;
/// Share of a disk that should be free (per cent).
const FREE_PERCENT_MIN: u64 = 10;
/// Seconds that the clock may be behind what was written last.
const BEHIND_SECONDS_MAX: i64 = 2;
/// A moment before this version was written: a clock that shows an earlier one was never set.
const WRITTEN_IN: &str = "2026-01-01T00:00:00Z";
/// Exit code when something should be done soon. One that must be done now is 1.
const SOON: u8 = 3;
const DAY_SECONDS: i64 = 24 * 3600;

/// Look at what the deployment stands on.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    deployment: Deployment,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    /// Something should be done soon.
    Soon,
    /// Something is wrong.
    Wrong,
}

/// What was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    about: &'static str,
    state: State,
    says: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn good(about: &'static str, says: impl Into<String>) -> Finding {
        Finding { about, state: State::Good, says: says.into(), advice: None }
    }

    fn soon(about: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { about, state: State::Soon, says: says.into(), advice: Some(advice.into()) }
    }

    fn wrong(about: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { about, state: State::Wrong, says: says.into(), advice: Some(advice.into()) }
    }
}

/// Looks, and says what to do. The exit code is 0 when that is nothing, 3 when something should be
/// done soon, 1 when something is wrong.
///
/// # Errors
/// Only when the findings cannot be printed.
pub async fn run(args: DoctorArgs) -> Result<ExitCode> {
    let findings = look(&args.deployment).await;
    let worst = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Good);
    if args.json {
        let shown = json!({"state": worst, "findings": findings});
        println!("{}", serde_json::to_string_pretty(&shown)?);
    } else {
        for Finding { about, state, says, advice } in &findings {
            let mark = match state {
                State::Good => "good ",
                State::Soon => "soon ",
                State::Wrong => "WRONG",
            };
            println!("{mark}  {about:<12} {says}");
            if let Some(advice) = advice {
                println!("       {:<12} -> {advice}", "");
            }
        }
    }
    Ok(match worst {
        State::Good => ExitCode::SUCCESS,
        State::Soon => ExitCode::from(SOON),
        State::Wrong => ExitCode::FAILURE,
    })
}

async fn look(deployment: &Deployment) -> Vec<Finding> {
    let settings = match deployment.settings() {
        Ok(settings) => settings,
        Err(error) => {
            let advice = "patron config print --default shows all settings with their defaults";
            return vec![Finding::wrong("settings", format!("{error:#}"), advice)];
        }
    };
    let mut findings = vec![Finding::good("settings", "they are understood")];
    if let Some(folder) = settings.folder() {
        findings.push(of_folder(&folder));
        if folder.is_dir() {
            findings.push(of_disk(&folder));
        }
    }
    findings.push(of_tls(&settings));
    findings.push(of_mail(&settings.mail).await);
    findings.extend(of_sinks(&settings).await);
    let key = of_key(&settings).await;
    let is_key_there = key.state != State::Wrong;
    findings.push(key);
    findings.extend(of_records(&settings, is_key_there).await);
    findings
}

fn of_folder(folder: &Path) -> Finding {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    const ABOUT: &str = "folder";
    let file = folder.join(DATABASE_FILE);
    let about = match std::fs::metadata(&file) {
        Ok(about) => about,
        Err(error) => {
            let advice = "name the right folder with --data, or run this as the server's user";
            return Finding::wrong(ABOUT, format!("{}: {error}", file.display()), advice);
        }
    };
    let mode = about.permissions().mode();
    if mode & files::OTHERS != 0 {
        let says = format!("{} can be read or written by others", file.display());
        return Finding::wrong(ABOUT, says, format!("chmod 600 {}", file.display()));
    }
    let own = std::fs::metadata("/proc/self").map(|process| process.uid());
    if own.is_ok_and(|own| own != about.uid()) {
        let says = format!("{} belongs to another user than you", file.display());
        return Finding::soon(ABOUT, says, "run commands as the user that runs the server");
    }
    if let Some(name) = network_of(folder) {
        let says = format!("{} is on a network file system ({name})", folder.display());
        let advice = "move it to a local disk: locks and flushes over a network are not reliable";
        return Finding::wrong(ABOUT, says, advice);
    }
    Finding::good(ABOUT, format!("{}, {}", file.display(), bytes(about.len())))
}

/// The file system of a folder, where it is one over a network.
fn network_of(folder: &Path) -> Option<&'static str> {
    // Numbers of linux/magic.h.
    let kind = rustix::fs::statfs(folder).ok()?.f_type;
    [(0x6969, "NFS"), (0xFF53_4D42, "CIFS"), (0xFE53_4D42, "SMB2"), (0x0102_1997, "9p")]
        .into_iter()
        .find_map(|(magic, name)| (i128::from(kind) == magic).then_some(name))
}

fn of_disk(folder: &Path) -> Finding {
    const ABOUT: &str = "disk";
    let disk = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => {
            return Finding::wrong(ABOUT, format!("{}: {error}", folder.display()), "look at it");
        }
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let size = disk.f_blocks.saturating_mul(disk.f_frsize).max(1);
    let says = format!("{} of {} are free", bytes(free), bytes(size));
    let used = std::fs::metadata(folder.join(DATABASE_FILE)).map_or(0, |file| file.len());
    if free < FREE_BYTES_MIN {
        let advice = "make room now: a full disk refuses every change";
        return Finding::wrong(ABOUT, says, advice);
    }
    if disk.f_files > 0 && disk.f_favail == 0 {
        return Finding::wrong(ABOUT, "no file can be made any more (inodes)", "remove files");
    }
    if free / (size / 100).max(1) < FREE_PERCENT_MIN {
        return Finding::soon(ABOUT, says, "make room, or move the folder to a larger disk");
    }
    if free < used {
        let says = format!("{says}, less than the data file has");
        return Finding::soon(ABOUT, says, "patron compact and a backup beside it need as much");
    }
    Finding::good(ABOUT, says)
}

fn of_tls(settings: &Settings) -> Finding {
    const ABOUT: &str = "tls";
    if !settings.tls.is_on() {
        let host = settings.listen.rsplit_once(':').map_or("", |(host, _)| host);
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        return match host == "localhost" || address.is_ok_and(|address| address.is_loopback()) {
            true => Finding::good(ABOUT, format!("none, at {} only", settings.listen)),
            false => Finding::soon(
                ABOUT,
                format!("none, and others reach {}", settings.listen),
                "set tls.certificate and tls.key, or let only a proxy with TLS reach it",
            ),
        };
    }
    if let Err(error) = tls::check(&settings.tls) {
        let advice = "mend what it names; the server keeps what it has until it is stopped";
        return Finding::wrong(ABOUT, format!("{error:#}"), advice);
    }
    let (begins, ends) = match tls::term(&settings.tls) {
        Ok(term) => term,
        Err(error) => return Finding::wrong(ABOUT, format!("{error:#}"), "renew it"),
    };
    let now = patron_app::Clock::System.now();
    let days = (ends.micros() - now.micros()) / 1_000_000 / DAY_SECONDS;
    let says = format!("the certificate ends {}", ends.rfc3339_seconds());
    if now < begins {
        let says = format!("the certificate begins {}", begins.rfc3339_seconds());
        return Finding::wrong(ABOUT, says, "look at the clock, or take another one");
    }
    if now >= ends {
        return Finding::wrong(ABOUT, says, "renew it now: clients refuse it");
    }
    if days < CERTIFICATE_DAYS_MIN {
        return Finding::soon(ABOUT, says, "renew it; the server takes the new files by itself");
    }
    Finding::good(ABOUT, says)
}

/// Whether the server for mails lets this one in. Nothing is sent.
async fn of_mail(mail: &MailSettings) -> Finding {
    const ABOUT: &str = "mail";
    match mail.transport {
        TransportSetting::None => {
            return Finding::good(ABOUT, "none are sent; whoever invites hands the link over");
        }
        TransportSetting::Tray => {
            let says = "they are kept to be read here, and reach nobody";
            return Finding::soon(ABOUT, says, "set mail.transport to smtp, unless it is a trial");
        }
        TransportSetting::Smtp => {}
    }
    let smtp = match mail.smtp() {
        Ok(Some(smtp)) => smtp,
        Ok(None) => return Finding::good(ABOUT, "none are sent"),
        Err(error) => return Finding::wrong(ABOUT, format!("{error:#}"), "mend [mail]"),
    };
    let Err(Fault { class, code, .. }) = smtp.reach().await else {
        return Finding::good(ABOUT, format!("{} lets this server in", mail.url));
    };
    let code = if code.is_empty() { code } else { format!(" {code}") };
    let says = format!("{} does not let this server in: {class}{code}", mail.url);
    let advice = match class {
        "connect" | "timeout" => "look at mail.url, and whether a firewall is in between",
        "tls" => "look at its certificate, the name in mail.url and mail.ca_file",
        "sign_in" => "look at mail.user and mail.password",
        _ => "look at mail.url: what answers there is no server for mails that this one can use",
    };
    Finding::wrong(ABOUT, says, advice)
}

/// Whether the brokers of sinks let this server in, and have a stream for it. Nothing is published.
async fn of_sinks(settings: &Settings) -> Vec<Finding> {
    const ABOUT: &str = "sink";
    // What is not understood was said of the settings.
    let mut findings = Vec::new();
    for sink in settings.sinks().unwrap_or_default() {
        let name = &sink.name;
        findings.push(match sink.reach().await {
            Ok(stream) => {
                Finding::good(ABOUT, format!("{name}: the broker has stream {stream} for it"))
            }
            Err(fault) => {
                let advice = match fault.class() {
                    "sign_in" => "look at user, password and token of it",
                    "tls" => "look at its certificate, the names in servers and ca_file",
                    "no_stream" => "make a stream of PREFIX.> there, and switch JetStream on",
                    _ => "look at servers of it, and whether a firewall is in between",
                };
                Finding::wrong(ABOUT, format!("{name}: {fault}"), advice)
            }
        });
    }
    findings
}

async fn of_key(settings: &Settings) -> Finding {
    const ABOUT: &str = "master key";
    const COPY: &str = "put the right one back; a copy should be kept outside of this machine";
    let source = match Source::of(settings) {
        Ok(source) => source,
        Err(error) => return Finding::wrong(ABOUT, format!("{error:#}"), "set exactly one"),
    };
    let name = source.name();
    if source.is_missing() {
        return Finding::wrong(ABOUT, format!("{name} is missing"), COPY);
    }
    match source.read().await.and_then(|key| master_key::refuse_weak(&key, &name)) {
        Ok(()) => Finding::good(ABOUT, format!("{name}; it is in no backup: keep a copy")),
        Err(error) => Finding::wrong(ABOUT, format!("{error:#}"), COPY),
    }
}

/// What the records say: whether they open, the newest of them, the last backup.
async fn of_records(settings: &Settings, is_key_there: bool) -> Vec<Finding> {
    const ABOUT: &str = "records";
    let location = match settings.location() {
        Ok(location) => location,
        Err(error) => return vec![Finding::wrong(ABOUT, format!("{error:#}"), "set store.url")],
    };
    let store = match open::store(settings).await {
        Ok(store) => store,
        Err(error) => {
            let advice = match location {
                Location::Postgres(_) => "look whether PostgreSQL runs and lets this user in",
                Location::Sqlite(_) | Location::Memory => "look at the folder above",
            };
            return vec![Finding::wrong(ABOUT, format!("{error:#}"), advice)];
        }
    };
    let engine = store.engine().clone();
    let says = format!("{} {}, {}", engine.name, engine.version, engine.durability);
    let mut findings = vec![Finding::good(ABOUT, says)];
    if is_key_there
        && let Ok(source) = Source::of(settings)
        && let Err(error) = open::app_on(store.clone(), source).await
    {
        let advice = "set the key that the data was sealed with; patron check says what does open";
        findings.push(Finding::wrong("master key", format!("{error:#}"), advice));
    }
    let app = App::without_secrets(store.clone(), patron_app::Clock::System);
    findings.extend(of_trail(&app).await);
    store.close().await;
    findings
}

async fn of_trail(app: &std::sync::Arc<App>) -> Vec<Finding> {
    let cx = app.operator(0, "doctor");
    let of = |action: &str| Wanted { action: Some(action.to_owned()), ..Wanted::default() };
    let mut newest = [None; 3];
    let wanted = [Wanted::default(), of(BACKED_UP), of(CHANGES_BACKED_UP)];
    for (wanted, newest) in wanted.iter().zip(&mut newest) {
        match audit::list(&cx, wanted, None, 1).await {
            Ok(found) => *newest = found.items.first().map(|entry| entry.at),
            Err(failure) => {
                let says = format!("{:#}", explain(&failure));
                return vec![Finding::wrong("records", says, "patron check looks for damage")];
            }
        }
    }
    let [newest, full, changes] = newest;
    vec![of_clock(cx.now, newest), of_backup(cx.now, full, changes)]
}

fn of_clock(now: Timestamp, newest: Option<Timestamp>) -> Finding {
    const ABOUT: &str = "clock";
    const SET: &str = "set it, and keep it right (timedatectl set-ntp true, or chrony)";
    let says = format!("it shows {}", now.rfc3339_seconds());
    if Timestamp::parse(WRITTEN_IN).is_ok_and(|written| now < written) {
        return Finding::wrong(ABOUT, format!("{says}, before this program was written"), SET);
    }
    let behind = newest.map_or(0, |newest| (newest.micros() - now.micros()) / 1_000_000);
    if behind > BEHIND_SECONDS_MAX {
        let says = format!("{says}, {behind} s before what was written last");
        return Finding::wrong(ABOUT, says, SET);
    }
    Finding::good(ABOUT, says)
}

/// Judges the last full backup and the last increment.
fn of_backup(now: Timestamp, full: Option<Timestamp>, changes: Option<Timestamp>) -> Finding {
    const ABOUT: &str = "last backup";
    const TAKE: &str = "patron backup FILE, every day, and restore one somewhere every week";
    let days = |since: Timestamp| (now.micros() - since.micros()) / 1_000_000 / DAY_SECONDS;
    let Some(full) = full else {
        return Finding::soon(ABOUT, "none was ever taken by patron backup", TAKE);
    };
    let changes = changes.filter(|changes| *changes > full);
    let last = changes.unwrap_or(full);
    let says = match changes {
        Some(changes) => format!(
            "{}, of what changed; in full {}",
            changes.rfc3339_seconds(),
            full.rfc3339_seconds()
        ),
        None => full.rfc3339_seconds(),
    };
    if days(last) >= BACKUP_DAYS_MAX {
        return Finding::soon(ABOUT, format!("{says}, {} days ago", days(last)), TAKE);
    }
    if days(full) >= FULL_BACKUP_DAYS_MAX {
        let says = format!("{says}, {} days ago", days(full));
        let advice = "take a full one every week: a restore needs it and every increment since";
        return Finding::soon(ABOUT, says, advice);
    }
    Finding::good(ABOUT, says)
}

fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn clocks_and_backups_are_judged_by_what_was_written() {
        let now = at("2026-11-21T12:00:00Z");
        assert_eq!(of_clock(now, None).state, State::Good);
        assert_eq!(of_clock(now, Some(at("2026-11-21T12:00:02Z"))).state, State::Good);
        let behind = of_clock(now, Some(at("2026-11-21T13:00:00Z")));
        assert_eq!(behind.state, State::Wrong);
        assert!(behind.says.contains("3600 s before"), "{}", behind.says);
        assert_eq!(of_clock(at("1970-01-01T00:01:00Z"), None).state, State::Wrong);
        let state = |full, changes| of_backup(now, full, changes).state;
        let day = |day: &str| Some(at(&format!("2026-11-{day}Z")));
        assert_eq!(state(None, None), State::Soon);
        assert_eq!(state(day("19T12:00:01"), None), State::Good);
        assert_eq!(state(day("19T11:59:59"), None), State::Soon);
        assert_eq!(state(day("13T12:00:01"), day("19T12:00:01")), State::Good);
        assert_eq!(state(day("13T12:00:01"), day("19T11:59:59")), State::Soon);
        assert_eq!(state(day("13T11:59:59"), day("21T11:00:00")), State::Soon, "the full one");
        assert_eq!(state(None, day("21T11:00:00")), State::Soon, "nothing without a full one");
        assert_eq!(state(day("20T12:00:00"), day("19T12:00:00")), State::Good, "of before");
    }
}
