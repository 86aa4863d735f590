//! Why a use case did not do what was asked: a closed enum without HTTP in it. Each dialect renders
//! it by an exhaustive `match`, so a new variant breaks the build everywhere.

use std::fmt;

use crate::{Identity, Problems};

/// The kinds of things a failure can speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    /// A customer.
    Customer,
    /// An address of a customer.
    Address,
    /// A comment on a customer.
    Comment,
    /// A saved payment method.
    PaymentMethod,
    /// A payment.
    Payment,
    /// An account.
    Account,
    /// A space.
    Space,
    /// A key.
    Key,
    /// A person or an application.
    User,
    /// A role.
    Role,
    /// A provider of OpenID Connect.
    Provider,
    /// A role that a user holds.
    Assignment,
    /// A permission.
    Permission,
    /// A journal entry or a past version.
    Entry,
    /// A webhook endpoint.
    Endpoint,
    /// A delivery to a webhook endpoint.
    Delivery,
    /// Telling a webhook endpoint once more what has happened.
    Replay,
    /// A secret of a webhook endpoint.
    Secret,
    /// A session of a person who signed in.
    Session,
    /// A passkey of a person.
    Passkey,
    /// A mail.
    Mail,
    /// A record that is a table, by the word of its family.
    Resource(&'static str),
}

impl Noun {
    /// The noun in English.
    pub fn as_str(self) -> &'static str {
        match self {
            Noun::Customer => "customer",
            Noun::Address => "address",
            Noun::Comment => "comment",
            Noun::PaymentMethod => "payment method",
            Noun::Payment => "payment",
            Noun::Account => "account",
            Noun::Space => "space",
            Noun::Key => "key",
            Noun::User => "user",
            Noun::Role => "role",
            Noun::Provider => "provider",
            Noun::Assignment => "assignment",
            Noun::Permission => "permission",
            Noun::Entry => "journal entry",
            Noun::Endpoint => "webhook endpoint",
            Noun::Delivery => "webhook delivery",
            Noun::Replay => "webhook replay",
            Noun::Secret => "secret",
            Noun::Session => "session",
            Noun::Passkey => "passkey",
            Noun::Mail => "mail",
            Noun::Resource(word) => word,
        }
    }
}

/// Why a request was refused or failed.
#[derive(Debug, Clone)]
pub enum Failure {
    /// There is no such thing, or not for this caller.
    NotFound {
        /// What was looked for.
        noun: Noun,
    },
    /// The API has no such path.
    NoRoute,
    /// The API has such an operation, but it is not served here.
    NotServed,
    /// The path exists, the method does not.
    MethodNotAllowed {
        /// Methods that do, comma separated.
        allowed: String,
    },
    /// The input is understood and refused.
    Invalid(Problems),
    /// The input is not understood: wrong JSON, wrong types, bad parameters.
    Malformed(Problems),
    /// The record has another version than the caller expects.
    Stale {
        /// Version of the record.
        have: i64,
        /// Version the caller expects.
        want: i64,
    },
    /// A precondition that is not a version does not hold (`If-None-Match`, a JSON Patch `test`).
    PreconditionFailed {
        /// Which one.
        what: &'static str,
    },
    /// The space demands a precondition and the request has none.
    PreconditionRequired,
    /// A unique field has this value in another living record.
    Exists {
        /// What exists already.
        noun: Noun,
        /// The unique field, in core words.
        field: &'static str,
        /// The record that has it, where the caller may read that.
        holder: Option<Identity>,
    },
    /// The record is in a state that does not allow this.
    WrongState {
        /// What it is.
        is: &'static str,
        /// What it would have to be.
        needs: &'static str,
    },
    /// Credentials are missing, unknown or wrong. The reason is for the log only.
    Unauthenticated {
        /// Reason, without the credential.
        reason: &'static str,
    },
    /// Known caller without the right.
    Forbidden,
    /// A person who signed in must prove once more who they are.
    StepUp {
        /// By what that can be done: `password`, `totp`, ….
        methods: Vec<&'static str>,
    },
    /// The idempotency key was used with another request.
    KeyReused,
    /// A request with the same idempotency key is still running.
    InFlight,
    /// Too many requests.
    TooMany {
        /// Seconds after which another attempt makes sense.
        retry_after_seconds: u64,
    },
    /// The body is too large.
    TooLarge {
        /// Bytes or items allowed.
        limit: usize,
    },
    /// A position beyond what can be asked for.
    OutOfRange {
        /// Largest position allowed.
        max: u64,
    },
    /// A position in the journal behind its last entry: the reader knows of entries that are not.
    Beyond {
        /// Position of the last entry.
        head: i64,
    },
    /// The body's media type is not supported.
    UnsupportedMediaType {
        /// What is supported.
        supported: &'static str,
    },
    /// None of the media types the caller accepts can be produced.
    NotAcceptable,
    /// The request took too long.
    TimedOut,
    /// The server cannot do it now.
    Unavailable {
        /// Seconds after which another attempt makes sense.
        retry_after_seconds: u64,
    },
    /// The server is at fault.
    Internal(Report),
}

/// A fault of the server: an id that is logged and shown, details that are only logged.
#[derive(Debug, Clone)]
pub struct Report {
    /// What went wrong, for the log. Holds no personal data.
    pub details: String,
}

impl Failure {
    /// A fault of the server.
    pub fn internal(details: impl fmt::Display) -> Failure {
        Failure::Internal(Report { details: details.to_string() })
    }

    /// One refused field.
    pub fn invalid(field: &str, why: crate::Why) -> Failure {
        Failure::Invalid(Problems::one(field, why))
    }

    /// One field that was not understood.
    pub fn malformed(field: &str, why: crate::Why) -> Failure {
        Failure::Malformed(Problems::one(field, why))
    }

    /// The variant's name, for metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Failure::NotFound { .. } => "not_found",
            Failure::NoRoute => "no_route",
            Failure::NotServed => "not_served",
            Failure::MethodNotAllowed { .. } => "method_not_allowed",
            Failure::Invalid(_) => "invalid",
            Failure::Malformed(_) => "malformed",
            Failure::Stale { .. } => "stale",
            Failure::PreconditionFailed { .. } => "precondition_failed",
            Failure::PreconditionRequired => "precondition_required",
            Failure::Exists { .. } => "exists",
            Failure::WrongState { .. } => "wrong_state",
            Failure::Unauthenticated { .. } => "unauthenticated",
            Failure::Forbidden => "forbidden",
            Failure::StepUp { .. } => "step_up",
            Failure::KeyReused => "key_reused",
            Failure::InFlight => "in_flight",
            Failure::TooMany { .. } => "too_many",
            Failure::TooLarge { .. } => "too_large",
            Failure::OutOfRange { .. } => "out_of_range",
            Failure::Beyond { .. } => "beyond",
            Failure::UnsupportedMediaType { .. } => "unsupported_media_type",
            Failure::NotAcceptable => "not_acceptable",
            Failure::TimedOut => "timed_out",
            Failure::Unavailable { .. } => "unavailable",
            Failure::Internal(_) => "internal",
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Failure {
        Failure::Invalid(problems)
    }
}
