//! Operations on accounts and spaces: records of the deployment.

use http::Method;
use patron_gateway::{Access::Needs, Operation, operation::Parameter};
use patron_model::Permission::{
    AccountRead, AccountWrite, AuditExport, AuditRead, SpaceDelete, SpaceRead, SpaceWrite,
};

use super::{CURSOR, IF_MATCH, LIMIT, write};
use crate::{
    accounts::{self, AccountIn, AccountOut},
    audit_log::{self, AuditOut},
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
        .takes(&[IF_MATCH.required()])
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
        export.replies::<String>(200).takes(&FILTERS).takes(&[
            Parameter::query("limit", "integer", "1 to 10000"),
            Parameter::query("format", "string", "ndjson (default) or csv"),
        ]),
        get.replies::<AuditOut<'_>>(200),
    ];
    tagged.map(|operation| operation.tag("Audit log")).into()
}
