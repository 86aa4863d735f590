//! What mails say: all texts in one place. They are plain text; what others chose (names, URLs) is
//! shown on a line of its own and never in a header.

use patron_model::Timestamp;
use serde::{Deserialize, Serialize};

/// What a mail is about, with what its text needs.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Message {
    /// A person is invited to work in an account.
    Invitation {
        /// Name of the account.
        account: String,
        /// What opens the invitation.
        token: String,
        /// Until when.
        until: Timestamp,
    },
    /// Somebody says to have forgotten the password.
    PasswordReset {
        /// What opens the reset.
        token: String,
        /// Until when.
        until: Timestamp,
    },
    /// A person wants to sign in by the address that this goes to.
    NewAddress {
        /// What confirms it.
        token: String,
        /// Until when.
        until: Timestamp,
    },
    /// So many wrong passwords were tried for the person that none from unknown browsers is looked
    /// at.
    Approval {
        /// What makes the browser a known one that opens it.
        token: String,
        /// Until when.
        until: Timestamp,
    },
    /// The person signed in with a browser that was not known.
    NewBrowser {
        /// What the browser calls itself.
        agent: Option<String>,
        /// Its address.
        address: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// The person holds a role from now on, or holds it no more.
    Role {
        /// What people call it.
        role: String,
        /// Name of the account or space where.
        place: String,
        /// Whether it was given; otherwise it was taken.
        is_given: bool,
    },
    /// A key ends soon.
    KeyEnds {
        /// Its number.
        key: i64,
        /// What people call it.
        name: String,
        /// Name of its space.
        space: String,
        /// When it ends.
        at: Timestamp,
    },
    /// Somebody changed how the person signs in.
    Changed {
        /// What.
        what: Change,
        /// When.
        at: Timestamp,
    },
    /// A webhook endpoint is told nothing any more, and nobody asked for that.
    EndpointStopped {
        /// Name of its space.
        space: String,
        /// Its number.
        endpoint: i64,
        /// Host of its URL.
        host: String,
        /// Whether it said that it is gone; otherwise nothing reached it for five days.
        is_gone: bool,
    },
}

/// What of how a person signs in was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The password.
    Password,
    /// The address; told to the one of before.
    Address,
    /// Codes of an app are asked for, or those of another one.
    CodesSet,
    /// Codes of an app are not asked for any more.
    CodesRemoved,
    /// There are new recovery codes.
    RecoveryCodes,
    /// All second factors were removed.
    FactorsRemoved,
    /// There is a further passkey.
    PasskeyAdded,
    /// A passkey is good no more.
    PasskeyRemoved,
    /// A provider brings the person too.
    ProviderLinked,
    /// A provider brings the person no more.
    ProviderUnlinked,
}

impl Change {
    /// What it is, in a sentence.
    const fn said(self) -> &'static str {
        match self {
            Change::Password => "Your password for Patron was changed.",
            Change::Address => {
                "Your address for Patron was changed: this one signs nobody in any more."
            }
            Change::CodesSet => {
                "Patron asks you for codes of an app from now on, or of another app."
            }
            Change::CodesRemoved => "Patron asks you for no codes of an app any more.",
            Change::RecoveryCodes => "You have new recovery codes for Patron.",
            Change::FactorsRemoved => {
                "All your second factors and passkeys for Patron were removed."
            }
            Change::PasskeyAdded => "A passkey was added to those you sign in to Patron by.",
            Change::PasskeyRemoved => "A passkey by which you signed in to Patron was removed.",
            Change::ProviderLinked => "Another service signs you in to Patron too from now on.",
            Change::ProviderUnlinked => "A service that signed you in to Patron does so no more.",
        }
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({}, …)", self.word())
    }
}

/// A mail as it is read.
pub struct Text {
    /// The subject: always a text of this file.
    pub subject: &'static str,
    /// The body, its lines ended by `\n`.
    pub body: String,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({}, …)", self.subject)
    }
}

/// Ends every mail.
const SIGNED: &str = "-- \nSent by Patron. Nobody reads answers to this address.\n";

impl Message {
    /// The word for what it is about.
    pub const fn word(&self) -> &'static str {
        match self {
            Message::Invitation { .. } => "invitation",
            Message::PasswordReset { .. } => "password_reset",
            Message::NewAddress { .. } => "new_address",
            Message::Approval { .. } => "approval",
            Message::NewBrowser { .. } => "new_browser",
            Message::Role { .. } => "role_changed",
            Message::KeyEnds { .. } => "key_ends",
            Message::Changed { .. } => "sign_in_changed",
            Message::EndpointStopped { .. } => "webhook_endpoint_stopped",
        }
    }

    /// Until when it is of use, where that is bounded.
    pub(super) const fn good_until(&self) -> Option<Timestamp> {
        match self {
            Message::Invitation { until, .. }
            | Message::PasswordReset { until, .. }
            | Message::NewAddress { until, .. }
            | Message::Approval { until, .. } => Some(*until),
            Message::Changed { .. }
            | Message::NewBrowser { .. }
            | Message::Role { .. }
            | Message::KeyEnds { .. }
            | Message::EndpointStopped { .. } => None,
        }
    }

    /// The page that it leads to, where it leads to one. What opens it stands behind the `#`: a
    /// browser sends that to nobody, so it is in no log and no referrer.
    pub fn link(&self, base_url: &str) -> Option<String> {
        match self {
            Message::Invitation { token, .. } => Some(invitation(base_url, token)),
            Message::PasswordReset { token, .. } => {
                Some(format!("{base_url}/console/reset#{token}"))
            }
            Message::NewAddress { token, .. } => Some(format!("{base_url}/console/email#{token}")),
            Message::Approval { token, .. } => Some(format!("{base_url}/console/approve#{token}")),
            Message::Changed { .. }
            | Message::NewBrowser { .. }
            | Message::Role { .. }
            | Message::KeyEnds { .. }
            | Message::EndpointStopped { .. } => None,
        }
    }

    /// The mail as it is read.
    pub fn text(&self, base_url: &str) -> Text {
        let link = self.link(base_url).unwrap_or_default();
        let (subject, said) = match self {
            Message::Invitation { account, until, .. } => (
                "You are invited to Patron",
                format!(
                    "You are invited to work in this account:\n\n    {}\n\nOpen this page until {} \
                     and choose a password:\n\n{link}\n\nIf you do not expect this, there is \
                     nothing to do: without you nothing happens.\n",
                    line(account),
                    moment(*until)
                ),
            ),
            Message::PasswordReset { until, .. } => (
                "Your new password for Patron",
                format!(
                    "Somebody said that you forgot your password for Patron. If it was you, open \
                     this page until {} and choose another one:\n\n{link}\n\nIf it was not you, \
                     there is nothing to do: your password stays as it is.\n",
                    moment(*until)
                ),
            ),
            Message::NewAddress { until, .. } => (
                "Confirm your address for Patron",
                format!(
                    "Somebody wants to sign in to Patron by this address from now on. If it was \
                     you, open this page until {} and confirm it:\n\n{link}\n\nIf it was not you, \
                     there is nothing to do.\n",
                    moment(*until)
                ),
            ),
            Message::Approval { until, .. } => {
                ("Wrong passwords were tried for you at Patron", approval(*until, &link))
            }
            Message::NewBrowser { agent, address, at } => (
                "You signed in to Patron with another browser",
                new_browser(agent.as_deref(), address.as_deref(), *at),
            ),
            Message::Role { role, place, is_given } => {
                ("Your roles in Patron were changed", changed_role(role, place, *is_given))
            }
            Message::KeyEnds { key, name, space, at } => {
                ("A key of Patron ends soon", key_ends(*key, name, space, *at))
            }
            Message::Changed { what, at } => (
                "How you sign in to Patron was changed",
                format!(
                    "{} It was done on {}.\n\nIf it was you, or somebody helped you, there is \
                     nothing to do. If not, somebody else got in: tell whoever manages your \
                     account, and choose another password.\n",
                    what.said(),
                    moment(*at)
                ),
            ),
            Message::EndpointStopped { space, endpoint, host, is_gone } => (
                "A webhook endpoint is told nothing any more",
                stopped(space, *endpoint, host, *is_gone),
            ),
        };
        Text { subject, body: format!("{said}\n{SIGNED}") }
    }
}

fn approval(until: Timestamp, link: &str) -> String {
    format!(
        "So many wrong passwords were tried for you that Patron looks at none any more from \
         browsers it does not know. Those you signed in with before still work.\n\nTo sign in with \
         another one, open this page in that browser until {} and confirm it:\n\n{link}\n\nIf it \
         was not you who wants to sign in, there is nothing to do: nobody got in.\n",
        moment(until)
    )
}

fn new_browser(agent: Option<&str>, address: Option<&str>, at: Timestamp) -> String {
    format!(
        "Somebody signed in to Patron as you on {}, with a browser that was not known \
         before:\n\n    {}\n    {}\n\nIf it was you, there is nothing to do. If not, choose \
         another password, which ends all sessions, and tell whoever manages your account.\n",
        moment(at),
        line(agent.unwrap_or("it does not say what it is")),
        line(address.unwrap_or("no address is known")),
    )
}

fn changed_role(role: &str, place: &str, is_given: bool) -> String {
    let said = match is_given {
        true => "You hold a role from now on:",
        false => "You hold a role no more:",
    };
    format!(
        "{said}\n\n    {}\n    {}\n\nIf you do not expect this, ask whoever manages your \
         account.\n",
        line(role),
        line(place)
    )
}

fn key_ends(key: i64, name: &str, space: &str, at: Timestamp) -> String {
    format!(
        "Key {key} ends on {}; what uses it gets in no more then.\n\n    {}\n    {}\n\nRotate it \
         (POST /v1/keys/{key}/rotate, or patron key rotate {key}), or give it a later end.\n",
        moment(at),
        line(name),
        line(space)
    )
}

fn stopped(space: &str, endpoint: i64, host: &str, is_gone: bool) -> String {
    let (why, how) = match is_gone {
        true => (
            "It answered that it is gone (410).",
            "If it is not, make it anew, or resume it and have it told what it missed.",
        ),
        false => (
            "Nothing has reached it for five days.",
            "Nothing is lost: once it answers again, resume it and say where to go on.",
        ),
    };
    format!(
        "Webhook endpoint {endpoint} is told nothing any more. {why}\n\n    {}\n    {}\n\n{how}\n",
        line(host),
        line(space)
    )
}

/// The page on which an invitation is accepted.
pub fn invitation(base_url: &str, token: &str) -> String {
    format!("{base_url}/console/invite#{token}")
}

/// A name on one line.
fn line(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A moment as people read it: `2026-11-22 14:51 UTC`.
fn moment(at: Timestamp) -> String {
    let text = at.rfc3339_seconds();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", time.get(..5).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_says_what_it_leads_to_and_until_when() {
        let until = Timestamp::from_micros(1_767_323_045_000_000);
        let account = "Shop\u{2028}\r\nBcc: x@example.com".to_owned();
        let message = Message::Invitation { account, token: "t0k".to_owned(), until };
        let Text { subject, body } = message.text("https://pay.example.com");
        assert_eq!(subject, "You are invited to Patron");
        assert!(body.contains("\n\nhttps://pay.example.com/console/invite#t0k\n\n"), "{body}");
        assert!(body.contains("\n    Shop Bcc: x@example.com\n"), "{body}");
        assert!(body.contains("until 2026-01-02 03:04 UTC"), "{body}");
        assert!(!format!("{message:?}").contains("t0k"));
    }
}
