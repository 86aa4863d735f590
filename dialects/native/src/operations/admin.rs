//! Operations on accounts, spaces and keys: records of the deployment.

use http::Method;
use patron_gateway::{
    Access::Needs,
    Operation,
    operation::{IdempotencyRule, Parameter},
};
use patron_model::Permission::{
    AccountRead, AccountWrite, AuditExport, AuditRead, KeyRead, KeyWrite, SpaceDelete, SpaceRead,
    SpaceWrite,
};

use super::{CURSOR, IF_MATCH, IF_NONE_MATCH, KEY, LIMIT, PREFER, write};
use crate::{
    accounts::{self, AccountIn, AccountOut},
    audit_log::{self, AuditOut},
    keys::{self, KeyIn, KeyOut, RotateIn},
    patches::MERGE_PATCH,
    spaces::{self, LeavingOut, SpaceIn, SpaceOut},
    wire::ListOut,
};

pub(super) fn account_operations() -> Vec<Operation> {
    let tagged = [
        Operation::new(
            Method::GET,
            Needs(AccountRead),
            "/v1/accounts",
            "list_accounts",
            "List accounts",
            accounts::list,
        )
        .replies::<ListOut<AccountOut<'_>>>(200),
        write(Operation::new(
            Method::POST,
            Needs(AccountWrite),
            "/v1/accounts",
            "create_account",
            "Create an account",
            accounts::create,
        ))
        .body::<AccountIn>()
        .replies::<AccountOut<'_>>(201),
        Operation::new(
            Method::GET,
            Needs(AccountRead),
            "/v1/accounts/{account}",
            "get_account",
            "Get an account",
            accounts::get,
        )
        .replies::<AccountOut<'_>>(200),
        write(Operation::new(
            Method::PATCH,
            Needs(AccountWrite),
            "/v1/accounts/{account}",
            "update_account",
            "Rename or archive an account",
            accounts::update,
        ))
        .takes(&[IF_MATCH])
        .body::<AccountIn>()
        .replies::<AccountOut<'_>>(200),
    ];
    tagged.map(|operation| operation.tag("Accounts").for_deployment()).into()
}

pub(super) fn space_operations() -> Vec<Operation> {
    let tagged = [
        Operation::new(
            Method::GET,
            Needs(SpaceRead),
            "/v1/spaces",
            "list_spaces",
            "List spaces",
            spaces::list,
        )
        .replies::<ListOut<SpaceOut<'_>>>(200),
        write(Operation::new(
            Method::POST,
            Needs(SpaceWrite),
            "/v1/spaces",
            "create_space",
            "Create a space",
            spaces::create,
        ))
        .body::<SpaceIn>()
        .replies::<SpaceOut<'_>>(201),
        Operation::new(
            Method::GET,
            Needs(SpaceRead),
            "/v1/spaces/{space}",
            "get_space",
            "Get a space",
            spaces::get,
        )
        .replies::<SpaceOut<'_>>(200),
        write(Operation::new(
            Method::PATCH,
            Needs(SpaceWrite),
            "/v1/spaces/{space}",
            "update_space",
            "Change or archive a space",
            spaces::update,
        ))
        .takes(&[IF_MATCH])
        .body::<SpaceIn>()
        .replies::<SpaceOut<'_>>(200),
    ];
    tagged.map(|operation| operation.tag("Spaces").for_deployment()).into()
}

/// A space is deleted for good.
pub(super) fn offboarding_operations() -> Vec<Operation> {
    let delete = Operation::new(
        Method::DELETE,
        Needs(SpaceDelete),
        "/v1/spaces/{space}",
        "delete_space",
        "Delete a space for good, with everything in it; a dry run says what would go",
        spaces::delete,
    );
    let delete = write(delete)
        .takes(&[
            IF_MATCH.required(),
            Parameter::query(
                "export_sha256",
                "string",
                "SHA-256 of the export made before, in hexadecimal; the receipt keeps it",
            ),
            Parameter::query("without_export", "boolean", "true: nothing is to be kept"),
        ])
        .replies::<LeavingOut<'_>>(200)
        .replies::<LeavingOut<'_>>(202);
    vec![delete.tag("Spaces").for_deployment()]
}

/// The audit trail.
pub(super) fn audit_operations() -> Vec<Operation> {
    const FILTERS: [Parameter; 9] = [
        Parameter::query("actor", "string", "key:12, operator, operator:root or stranger"),
        Parameter::query("action", "string", "key.created; with * at its end all that begin so"),
        Parameter::query("outcome", "string", "done or refused"),
        Parameter::query("account", "integer", "number of an account"),
        Parameter::query("space", "integer", "number of a space"),
        Parameter::query("address", "string", "address of the client"),
        Parameter::query("since", "string", "a moment (RFC 3339): entries not before it"),
        Parameter::query("until", "string", "a moment (RFC 3339): entries before it"),
        CURSOR,
    ];
    let list = Operation::new(
        Method::GET,
        Needs(AuditRead),
        "/v1/audit-log",
        "list_audit_entries",
        "Who was let in or refused, and who changed what about access, newest first",
        audit_log::list,
    );
    let export = Operation::new(
        Method::GET,
        Needs(AuditExport),
        "/v1/audit-log/export",
        "export_audit_entries",
        "The audit log as a file; the header Patron-Next-Cursor leads to the rest",
        audit_log::export,
    );
    let get = Operation::new(
        Method::GET,
        Needs(AuditRead),
        "/v1/audit-log/{id}",
        "get_audit_entry",
        "Get an entry of the audit log",
        audit_log::get,
    );
    let tagged = [
        list.takes(&FILTERS).takes(&[LIMIT]).replies::<ListOut<AuditOut<'_>>>(200),
        export.replies::<String>(200).replies_in(FILES).takes(&FILTERS).takes(&[
            Parameter::query("limit", "integer", "1 to 10000"),
            Parameter::query("format", "string", "ndjson (default) or csv"),
        ]),
        get.replies::<AuditOut<'_>>(200),
    ];
    tagged.map(|operation| operation.tag("Audit log")).into()
}

/// Media types of the audit log as a file.
const FILES: &[&str] = &["application/x-ndjson", "text/csv"];

/// The secret of a new key is shown again for a day: as long as its making is remembered.
const SHOWN_AGAIN: IdempotencyRule = IdempotencyRule {
    header: "idempotency-key",
    remembered_seconds: patron_app::keys::SHOWN_SECONDS,
};

/// A call that makes a key.
fn makes_key(operation: Operation) -> Operation {
    operation.idempotent(SHOWN_AGAIN).takes(&[KEY, PREFER]).replies::<KeyOut<'_>>(201)
}

pub(super) fn key_operations() -> Vec<Operation> {
    const ALL: &str = "/v1/keys";
    const ONE: &str = "/v1/keys/{key}";
    const ROTATE: &str = "/v1/keys/{key}/rotate";
    let tagged = [
        Operation::new(Method::GET, Needs(KeyRead), ALL, "list_keys", "List keys", keys::list)
            .takes(&[
                LIMIT,
                CURSOR,
                Parameter::query("dialect", "string", "the API they are for"),
                Parameter::query("space", "integer", "number of the space they open at first"),
                Parameter::query("state", "string", "active, expiring, expired, revoked"),
            ])
            .replies::<ListOut<KeyOut<'_>>>(200),
        makes_key(Operation::new(
            Method::POST,
            Needs(KeyWrite),
            ALL,
            "create_key",
            "Make a key for any of the APIs; its credentials are shown once",
            keys::create,
        ))
        .body::<KeyIn>(),
        Operation::new(Method::GET, Needs(KeyRead), ONE, "get_key", "Get a key", keys::get)
            .takes(&[IF_NONE_MATCH])
            .replies::<KeyOut<'_>>(200)
            .replies_empty(304),
        write(Operation::new(
            Method::PATCH,
            Needs(KeyWrite),
            ONE,
            "update_key",
            "Change name, rights, networks or end of a key (JSON Merge Patch)",
            keys::update,
        ))
        .takes(&[IF_MATCH])
        .body::<KeyIn>()
        .media(&[MERGE_PATCH, "application/json"])
        .replies::<KeyOut<'_>>(200),
        write(Operation::new(
            Method::DELETE,
            Needs(KeyWrite),
            ONE,
            "revoke_key",
            "Revoke a key",
            keys::revoke,
        ))
        .replies_empty(204),
        makes_key(Operation::new(
            Method::POST,
            Needs(KeyWrite),
            ROTATE,
            "rotate_key",
            "Replace a key by a new one with the same rights; the old one ends after the overlap",
            keys::rotate,
        ))
        .body::<RotateIn>(),
    ];
    tagged.map(|operation| operation.tag("Keys").for_deployment()).into()
}
