//! Operations on accounts, spaces and keys: records of the deployment.

use patron_gateway::{
    Operation,
    operation::{IdempotencyRule, Parameter, delete, get, group, patch, post},
};
use patron_model::Permission::{
    AccessOwn, AccountDelete, AccountRead, AccountWrite, AuditExport, AuditRead, KeyRead, KeyWrite,
    SpaceDelete, SpaceRead, SpaceWrite,
};

use super::{CURSOR, IF_MATCH, IF_NONE_MATCH, LIMIT, MERGED};
use crate::{
    accounts::{self, AccountIn, AccountOut},
    audit_log::{self, AuditOut},
    customers::show::ListOut,
    keys::{self, KeyIn, KeyOut, RotateIn},
    mails::{self, MailOut},
    spaces::{self, LeavingOut, SpaceIn, SpaceOut},
};

/// A group of operations on records of the deployment.
pub(super) fn deployment(
    tag: &'static str,
    operations: impl IntoIterator<Item = Operation>,
) -> Vec<Operation> {
    group(tag, operations.into_iter().map(Operation::for_deployment))
}

#[rustfmt::skip]
pub(super) fn of_accounts() -> Vec<Operation> {
    const ALL: &str = "/v1/accounts";
    const ONE: &str = "/v1/accounts/{account}";
    deployment("Accounts", [
        get(ALL, accounts::list).named("list_accounts", "List accounts")
            .needs(AccountRead).replies::<ListOut<AccountOut<'_>>>(200),
        post(ALL, accounts::create).named("create_account", "Create an account")
            .needs(AccountWrite).body::<AccountIn>().replies::<AccountOut<'_>>(201),
        get(ONE, accounts::get).named("get_account", "Get an account")
            .needs(AccountRead).replies::<AccountOut<'_>>(200),
        patch(ONE, accounts::update).named("update_account", "Change or archive an account")
            .needs(AccountWrite).takes(&[IF_MATCH]).body::<AccountIn>()
            .replies::<AccountOut<'_>>(200),
        delete(ONE, accounts::delete)
            .named("delete_account", "Delete an account without spaces and accounts below it")
            .needs(AccountDelete).step_up().takes(&[IF_MATCH]).replies_empty(204),
    ])
}

#[rustfmt::skip]
pub(super) fn of_mails() -> Vec<Operation> {
    const ALL: &str = "/v1/sandbox/mails";
    deployment("Mail tray", [
        get(ALL, mails::list)
            .named("list_mails", "Mails that a sandbox would have sent, newest first")
            .needs(AccessOwn).replies::<ListOut<MailOut>>(200),
        get("/v1/sandbox/mails/{mail}", mails::get)
            .named("get_mail", "Get a mail that a sandbox would have sent")
            .needs(AccessOwn).replies::<MailOut>(200),
        delete(ALL, mails::empty).named("delete_mails", "Empty the mail tray of a sandbox")
            .needs(AccessOwn).replies_empty(204),
    ])
}

#[rustfmt::skip]
pub(super) fn of_spaces() -> Vec<Operation> {
    const ALL: &str = "/v1/spaces";
    const ONE: &str = "/v1/spaces/{space}";
    const KEPT: [Parameter; 2] = [
        Parameter::query("export_sha256", "string",
            "SHA-256 of the export made before, in hexadecimal; the receipt keeps it"),
        Parameter::query("without_export", "boolean", "true: nothing is to be kept"),
    ];
    deployment("Spaces", [
        get(ALL, spaces::list).named("list_spaces", "List spaces")
            .needs(SpaceRead).replies::<ListOut<SpaceOut<'_>>>(200),
        post(ALL, spaces::create).named("create_space", "Create a space")
            .needs(SpaceWrite).body::<SpaceIn>().replies::<SpaceOut<'_>>(201),
        get(ONE, spaces::get).named("get_space", "Get a space")
            .needs(SpaceRead).replies::<SpaceOut<'_>>(200),
        patch(ONE, spaces::update).named("update_space", "Change or archive a space")
            .needs(SpaceWrite).takes(&[IF_MATCH]).body::<SpaceIn>().replies::<SpaceOut<'_>>(200),
        delete(ONE, spaces::delete)
            .named("delete_space",
                "Delete a space for good, with everything in it; a dry run says what would go")
            .needs(SpaceDelete).step_up().takes(&[IF_MATCH.required()]).takes(&KEPT)
            .replies::<LeavingOut<'_>>(200).replies::<LeavingOut<'_>>(202),
    ])
}

/// The audit trail.
#[rustfmt::skip]
pub(super) fn of_the_audit_log() -> Vec<Operation> {
    const ALL: &str = "/v1/audit-log";
    const ONE: &str = "/v1/audit-log/{id}";
    const EXPORT: &str = "/v1/audit-log/export";
    const FILTERS: [Parameter; 9] = [
        Parameter::query("actor", "string", "key:12, operator, operator:root or stranger"),
        Parameter::query("action", "string", "key.created; with * at its end all that begin so"),
        Parameter::query("outcome", "string", "done or refused"),
        Parameter::query("account", "integer", "number of an account"),
        Parameter::query("space", "integer", "number of a space"),
        Parameter::query("address", "string", "address of the client"),
        Parameter::query("since", "date-time", "a moment (RFC 3339): entries not before it"),
        Parameter::query("until", "date-time", "a moment (RFC 3339): entries before it"),
        CURSOR,
    ];
    const FILE: [Parameter; 2] = [
        Parameter::query("limit", "integer", "1 to 10000"),
        Parameter::query("format", "string", "ndjson (default) or csv"),
    ];
    deployment("Audit log", [
        get(ALL, audit_log::list)
            .named("list_audit_entries",
                "Who was let in or refused, and who changed what about access, newest first")
            .needs(AuditRead).takes(&FILTERS).takes(&[LIMIT])
            .replies::<ListOut<AuditOut<'_>>>(200),
        get(EXPORT, audit_log::export)
            .named("export_audit_entries",
                "The audit log as a file; the header Patron-Next-Cursor leads to the rest")
            .needs(AuditExport).takes(&FILTERS).takes(&FILE).replies::<String>(200)
            .replies_in(FILES),
        get(ONE, audit_log::get).named("get_audit_entry", "Get an entry of the audit log")
            .needs(AuditRead).replies::<AuditOut<'_>>(200),
    ])
}

/// Media types of the audit log as a file.
const FILES: &[&str] = &["application/x-ndjson", "text/csv"];

/// The secret of a new key is shown again for a day: as long as its making is remembered.
pub(super) const SHOWN_AGAIN: IdempotencyRule = IdempotencyRule {
    header: "idempotency-key",
    remembered_seconds: patron_app::keys::SHOWN_SECONDS,
};

#[rustfmt::skip]
pub(super) fn of_keys() -> Vec<Operation> {
    const ALL: &str = "/v1/keys";
    const ONE: &str = "/v1/keys/{key}";
    const ROTATE: &str = "/v1/keys/{key}/rotate";
    const ROTATED: &str =
        "Replace a key by a new one with the same rights; the old one ends after the overlap";
    const FILTERS: [Parameter; 4] = [
        Parameter::query("user", "integer", "number of the application whose they are"),
        Parameter::query("dialect", "string", "the API they are for"),
        Parameter::query("space", "integer", "number of the space they open at first"),
        Parameter::query("state", "string", "active, expiring, expired, revoked"),
    ];
    deployment("Keys", [
        get(ALL, keys::list).named("list_keys", "List keys")
            .needs(KeyRead).takes(&[LIMIT, CURSOR]).takes(&FILTERS)
            .replies::<ListOut<KeyOut<'_>>>(200),
        post(ALL, keys::create)
            .named("create_key", "Make a key for any of the APIs; its credentials are shown once")
            .needs(KeyWrite).step_up().idempotent(SHOWN_AGAIN).body::<KeyIn>()
            .replies::<KeyOut<'_>>(201),
        get(ONE, keys::get).named("get_key", "Get a key")
            .needs(KeyRead).takes(&[IF_NONE_MATCH]).replies::<KeyOut<'_>>(200).replies_empty(304),
        patch(ONE, keys::update)
            .named("update_key",
                "Change name, rights, networks or end of a key (JSON Merge Patch)")
            .needs(KeyWrite).step_up().takes(&[IF_MATCH]).body::<KeyIn>().media(MERGED)
            .replies::<KeyOut<'_>>(200),
        delete(ONE, keys::revoke).named("revoke_key", "Revoke a key")
            .needs(KeyWrite).replies_empty(204),
        post(ROTATE, keys::rotate).named("rotate_key", ROTATED)
            .needs(KeyWrite).step_up().idempotent(SHOWN_AGAIN).body::<RotateIn>()
            .replies::<KeyOut<'_>>(201),
    ])
}
