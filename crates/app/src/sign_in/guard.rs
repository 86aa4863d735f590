//! Guessing costs the guesser, and nobody can lock out another.
//!
//! Every password is charged before it is looked at. A browser that signed in before holds a device
//! cookie and has a budget of its own; all others share one for each person. Where that is used up,
//! no password from unknown browsers is looked at any more, while known ones, and whoever reads the
//! person's mails, still get in. Addresses that nobody has are charged alike, among themselves.
//! Networks are counted in memory of this process.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_recursion::async_recursion;
use patron_model::{
    Failure, Timestamp, card::Found, event::UntoldEvent, identity::NUMBER_MAX, network,
};
use patron_store::{Column, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::logins::Login;
use crate::{
    Cx,
    audit::Origin,
    commit::Draft,
    documents::{Document, named},
    ids::new_uuid,
    record::Loaded,
    secrets::same,
};

/// Counts of wrong passwords, under the numbers of the persons they were tried for.
pub static GUARD: Kind =
    Kind { name: "guard", columns: &[Column::int("seen_at", Index::Ordered)], terms: false };

/// Wrong passwords of a known device in a row, after which it is unknown.
pub const DEVICE_WRONG_MAX: u32 = 10;
/// Wrong passwords of all unknown devices together, for one person, within an hour.
pub const HOUR_WRONG_MAX: u32 = 30;
/// The same in a row, however long it takes.
pub const ROW_WRONG_MAX: u32 = 100;
/// Wrong passwords of a network in a minute.
pub const NETWORK_WRONG_MAX: u32 = 20;
/// Notices that a person is mailed within an hour, about roles and unknown browsers.
pub const NOTICES_HOUR_MAX: u32 = 10;
/// Days for which a browser stays a known device.
pub const DEVICE_DAYS: i64 = 180;
/// Seconds after the last attempt for which counts are kept.
pub const KEPT_SECONDS: i64 = 90 * 24 * 3_600;
/// Known devices of one person whose wrong passwords are counted one by one. Of further ones they
/// count as those of unknown ones.
const DEVICES_MAX: usize = 32;
/// Counts that the addresses which nobody has share.
const NOBODIES: i64 = 4_096;
/// Networks counted at a time.
const NETWORKS_MAX: usize = 100_000;
const HOUR_SECONDS: i64 = 3_600;
const MINUTE: Duration = Duration::from_secs(60);
/// What a device cookie is signed for.
const DEVICE: &str = "device";

/// Wrong passwords that were tried for one person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Guard {
    number: i64,
    uuid: Uuid,
    /// When the hour began that is counted.
    hour: Timestamp,
    in_hour: u32,
    in_a_row: u32,
    /// Wrong passwords in a row of known devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    devices: Vec<OfDevice>,
    seen_at: Timestamp,
    /// When the person last signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in_at: Option<Timestamp>,
    /// Notices that the person was mailed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<Told>,
}

/// Notices within an hour.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Told {
    /// When the hour began.
    hour: Timestamp,
    count: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct OfDevice {
    nonce: String,
    wrong: u32,
}

impl Document for Guard {
    named!(GUARD, User, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        vec![self.seen_at.micros().into()]
    }

    fn search_cards(&self, _: &mut Found) {
        // Made by the server itself.
    }
}

impl Guard {
    fn new(number: i64, now: Timestamp) -> Guard {
        Guard {
            number,
            uuid: new_uuid(),
            hour: now,
            in_hour: 0,
            in_a_row: 0,
            devices: Vec::new(),
            seen_at: now,
            signed_in_at: None,
            told: None,
        }
    }

    /// Counts a notice; whether it may be mailed.
    fn tell(&mut self, now: Timestamp) -> bool {
        let before = self.told.filter(|told| now < told.hour.plus_seconds(HOUR_SECONDS));
        let mut told = before.unwrap_or(Told { hour: now, count: 0 });
        let may = told.count < NOTICES_HOUR_MAX;
        told.count += u32::from(may);
        self.told = Some(told);
        may
    }

    /// Whether a password from an unknown device would not be looked at.
    fn is_closed(&self, now: Timestamp) -> bool {
        let in_hour = if now >= self.hour.plus_seconds(HOUR_SECONDS) { 0 } else { self.in_hour };
        in_hour >= HOUR_WRONG_MAX || self.in_a_row >= ROW_WRONG_MAX
    }

    /// Counts an attempt as wrong; whether it may be looked at.
    fn charge(&mut self, device: Option<&str>, now: Timestamp) -> bool {
        self.seen_at = now;
        if let Some(nonce) = device
            && let Some(counted) = self.of_device(nonce)
            && counted.wrong < DEVICE_WRONG_MAX
        {
            counted.wrong += 1;
            return true;
        }
        if self.is_closed(now) {
            return false;
        }
        if now >= self.hour.plus_seconds(HOUR_SECONDS) {
            (self.hour, self.in_hour) = (now, 0);
        }
        self.in_hour += 1;
        self.in_a_row += 1;
        true
    }

    /// The counts of a known device, where there is room for them.
    fn of_device(&mut self, nonce: &str) -> Option<&mut OfDevice> {
        let at = self.devices.iter().position(|device| device.nonce == nonce);
        if at.is_none() && self.devices.len() < DEVICES_MAX {
            self.devices.push(OfDevice { nonce: nonce.to_owned(), wrong: 0 });
            return self.devices.last_mut();
        }
        at.and_then(|at| self.devices.get_mut(at))
    }

    /// An attempt was right after all.
    fn forgive(&mut self, device: Option<&str>, now: Timestamp) {
        let before = self.devices.len();
        self.devices.retain(|known| Some(known.nonce.as_str()) != device);
        if device.is_none() || self.devices.len() == before {
            self.in_hour = self.in_hour.saturating_sub(1);
        }
        self.in_a_row = 0;
        self.seen_at = now;
        self.signed_in_at = Some(now);
    }
}

/// Attempts that are counted together.
#[derive(Debug, Clone)]
pub struct Attempts {
    number: i64,
    device: Option<String>,
}

impl Attempts {
    /// For a person, from a known device or not.
    pub fn of(user: i64, device: Option<String>) -> Attempts {
        Attempts { number: user, device }
    }

    /// For an address that nobody has.
    pub(super) fn of_nobody(cx: &Cx, address: &str) -> Attempts {
        let print = cx.app.secrets.fingerprint("nobody", address);
        let print = i64::from_str_radix(&print[..8], 16).unwrap_or_default();
        // Numbers of persons never come up here.
        Attempts { number: NUMBER_MAX - print % NOBODIES, device: None }
    }

    /// Counts an attempt before it is looked at; whether it may be.
    pub(super) async fn charge(&self, cx: &Cx) -> Result<bool, Failure> {
        cx.write(|mut draft| async {
            draft.taken_is_raced();
            let before = load(cx, self.number).await?;
            let mut after = self.counted(before.as_ref(), cx.now);
            let may = after.charge(self.device.as_deref(), cx.now);
            save(&mut draft, before.as_ref(), &after)?;
            Ok((draft, may))
        })
        .await
    }

    /// Notes that the attempt was right. Whether the person is to be told, because the device was
    /// not known.
    pub(super) async fn succeed(&self, cx: &Cx, draft: &mut Draft<'_>) -> Result<bool, Failure> {
        let before = load(cx, self.number).await?;
        let mut after = self.counted(before.as_ref(), cx.now);
        after.forgive(self.device.as_deref(), cx.now);
        let is_told = self.device.is_none() && after.tell(cx.now);
        draft.taken_is_raced();
        save(draft, before.as_ref(), &after)?;
        Ok(is_told)
    }

    fn counted(&self, before: Option<&Loaded<Guard>>, now: Timestamp) -> Guard {
        before.map_or_else(|| Guard::new(self.number, now), |before| before.record.clone())
    }
}

/// Counts notices to a person; how many of them may be mailed.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn may_tell(
    cx: &Cx,
    draft: &mut Draft<'_>,
    user: i64,
    notices: usize,
) -> Result<usize, Failure> {
    let before = load(cx, user).await?;
    let mut after = Attempts::of(user, None).counted(before.as_ref(), cx.now);
    let may = (0..notices).take_while(|_| after.tell(cx.now)).count();
    draft.taken_is_raced();
    save(draft, before.as_ref(), &after)?;
    Ok(may)
}

/// Whether passwords for a person from unknown devices are looked at no more.
pub(super) async fn is_closed(cx: &Cx, user: i64) -> Result<bool, Failure> {
    Ok(load(cx, user).await?.is_some_and(|counts| counts.is_closed(cx.now)))
}

/// The counts for a person.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn load(cx: &Cx, user: i64) -> Result<Option<Loaded<Guard>>, Failure> {
    super::load(&cx.app, user).await
}

fn save(
    draft: &mut Draft<'_>,
    before: Option<&Loaded<Guard>>,
    after: &Guard,
) -> Result<(), Failure> {
    match before {
        Some(before) => draft.replace(before, after, UntoldEvent::Updated, &[]),
        None => draft.insert(after),
    }
}

/// Notes that the counts for a person go.
pub(super) async fn forget(cx: &Cx, draft: &mut Draft<'_>, user: i64) -> Result<(), Failure> {
    if let Some(counts) = load(cx, user).await? {
        draft.remove(&counts);
    }
    Ok(())
}

/// What makes a browser a known device of a person: number, moment and nonce, and a code over them
/// and the person's ways to sign in.
pub(super) fn device(cx: &Cx, login: &Login) -> String {
    let nonce = hex::encode(rand::random::<[u8; 16]>());
    let said = format!("{}.{}.{nonce}", login.number, cx.now.seconds());
    let code = code(cx, &said, login);
    format!("{said}.{code}")
}

fn code(cx: &Cx, said: &str, login: &Login) -> String {
    let epoch = login.epoch.to_be_bytes();
    cx.app.secrets.answer_fingerprint(DEVICE, &[said.as_bytes(), &epoch])
}

/// The nonce of a device cookie, if it makes a browser a known device of this person.
pub(super) fn known(cx: &Cx, login: &Login, sent: &str) -> Option<String> {
    let (said, sent_code) = sent.rsplit_once('.')?;
    if !same(code(cx, said, login).as_bytes(), sent_code.as_bytes()) {
        return None;
    }
    let mut parts = said.split('.');
    let user: i64 = parts.next()?.parse().ok()?;
    let issued: i64 = parts.next()?.parse().ok()?;
    let nonce = parts.next()?;
    let is_young = cx.now.seconds() < issued + DEVICE_DAYS * 24 * 3_600;
    (user == login.number && is_young).then(|| nonce.to_owned())
}

/// Wrong passwords of networks within a minute, in memory of this process.
#[derive(Default)]
pub(crate) struct Networks(Mutex<HashMap<IpAddr, (Instant, u32)>>);

/// Who stands for all that there is no room to count alone.
const FLOOD: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

impl Networks {
    /// Refuses a network that has guessed too much.
    pub(super) fn check(&self, cx: &Cx) -> Result<(), Failure> {
        let Some(from) = from(cx) else { return Ok(()) };
        self.left(from, Instant::now())
            .map_err(|retry_after_seconds| Failure::TooMany { retry_after_seconds })
    }

    /// Counts a wrong password.
    pub(super) fn note_wrong(&self, cx: &Cx) {
        if let Some(from) = from(cx) {
            self.count(from, Instant::now());
        }
    }

    fn left(&self, from: IpAddr, now: Instant) -> Result<(), u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let flood = || counts.get(&FLOOD).filter(|_| counts.len() >= NETWORKS_MAX);
        let Some((since, count)) = counts.get(&from).or_else(flood) else { return Ok(()) };
        let past = now.saturating_duration_since(*since);
        if past >= MINUTE || *count < NETWORK_WRONG_MAX {
            return Ok(());
        }
        Err((MINUTE - past).as_secs() + 1)
    }

    fn count(&self, from: IpAddr, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since: Instant| now.saturating_duration_since(since) >= MINUTE;
        if !counts.contains_key(&from) && counts.len() >= NETWORKS_MAX {
            counts.retain(|_, (since, _)| !is_over(*since));
        }
        let room = counts.contains_key(&from) || counts.len() < NETWORKS_MAX;
        let counted = counts.entry(if room { from } else { FLOOD }).or_insert((now, 0));
        if is_over(counted.0) {
            *counted = (now, 0);
        }
        counted.1 = counted.1.saturating_add(1);
    }
}

/// What counts as one network.
fn from(cx: &Cx) -> Option<IpAddr> {
    cx.origin.as_deref().and_then(Origin::address).map(network::of_client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_767_323_045_000_000).plus_seconds(seconds)
    }

    #[test]
    fn unknown_devices_share_a_budget_and_known_ones_have_their_own() {
        let mut guard = Guard::new(7, at(0));
        let looked_at = (0..1_000).filter(|_| guard.charge(None, at(1))).count();
        assert_eq!(looked_at, HOUR_WRONG_MAX as usize);
        assert!(guard.charge(Some("mine"), at(2)), "the owner's browser gets in");
        guard.forgive(Some("mine"), at(2));
        assert_eq!(guard.signed_in_at, Some(at(2)));
        let mut guessed = (0..1_000).filter(|_| guard.charge(Some("mine"), at(3))).count();
        assert_eq!(guessed, DEVICE_WRONG_MAX as usize, "then it counts as an unknown one");
        for hour in 1..10 {
            let later = at(3 + hour * HOUR_SECONDS);
            guessed += (0..1_000).filter(|_| guard.charge(None, later)).count();
        }
        let all = DEVICE_WRONG_MAX + ROW_WRONG_MAX;
        assert_eq!(guessed, all as usize, "in a row, however long it takes");
    }

    #[test]
    fn so_many_notices_an_hour_and_no_more() {
        let mut guard = Guard::new(7, at(0));
        for hour in 0..3 {
            let told = (0..100).filter(|n| guard.tell(at(hour * HOUR_SECONDS + n))).count();
            assert_eq!(told, NOTICES_HOUR_MAX as usize, "{hour}");
        }
    }

    #[test]
    fn what_was_right_is_not_counted() {
        let mut guard = Guard::new(7, at(0));
        for n in 0..1_000 {
            assert!(guard.charge(None, at(n)), "{n}");
            guard.forgive(None, at(n));
        }
        assert_eq!((guard.in_hour, guard.in_a_row), (0, 0));
    }

    #[test]
    fn further_devices_share_the_budget_of_unknown_ones() {
        let mut guard = Guard::new(7, at(0));
        for n in 0..DEVICES_MAX {
            assert!(guard.charge(Some(&n.to_string()), at(0)));
        }
        let looked_at = (0..1_000).filter(|n| guard.charge(Some(&format!("x{n}")), at(0)));
        assert_eq!(looked_at.count(), HOUR_WRONG_MAX as usize);
        assert_eq!(guard.devices.len(), DEVICES_MAX);
    }

    #[test]
    fn networks_guess_so_much_a_minute() {
        let networks = Networks::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().expect("one"));
        let start = Instant::now();
        for _ in 0..NETWORK_WRONG_MAX {
            assert!(networks.left(one, start).is_ok());
            networks.count(one, start);
        }
        assert!(matches!(networks.left(one, start), Err(1..=61)));
        assert!(networks.left(other, start).is_ok());
        assert!(networks.left(one, start + MINUTE).is_ok());
        networks.count(one, start + MINUTE);
        assert!(networks.left(one, start + MINUTE).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let networks = Networks::default();
        let start = Instant::now();
        for n in 0..NETWORKS_MAX + 100 {
            networks.count(IpAddr::V4(u32::try_from(n).expect("small").into()), start);
        }
        assert_eq!(networks.0.lock().expect("not poisoned").len(), NETWORKS_MAX + 1);
        let new = "203.0.113.1".parse().expect("one");
        assert!(networks.left(new, start).is_err(), "the flood shares one count");
    }
}
