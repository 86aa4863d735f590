//! Operations on signing in: public ones, and those of a person on what is their own. None takes an
//! idempotency key: what they answer is not kept anywhere.

use patron_gateway::{
    Operation,
    operation::{Parameter, delete, get, patch, post},
};

use patron_model::Permission::PersonWrite;

use super::admin::deployment;
use patron_app::sign_in::passkeys::{CreationOptions, RequestOptions};

use crate::{
    customers::show::ListOut,
    links::{self, ForgottenIn, InvitationOut, InvitedOut, OwnEmailIn, TokenIn, TokenPasswordIn},
    oidc::{self, LinkOut, LinkedOut},
    passkeys::{self, PasskeyIn, PasskeyName, PasskeyOut, PasskeySignIn},
    second_factor::{self, CodeIn, RecoveryCodesOut, SecondFactorIn, TotpOut},
    sessions::{self, EndedOut, SessionOut},
    sign_in::{self, OwnPasswordIn, PasswordIn, SignedInOut, StepUpIn},
};

#[rustfmt::skip]
pub(super) fn all() -> Vec<Operation> {
    const PASSKEYS: &str = "/v1/me/passkeys";
    const PASSKEY: &str = "/v1/me/passkeys/{passkey}";
    const BROUGHT: &[Parameter] = &[
        Parameter::query("code", "string", "what the provider gives"),
        Parameter::query("state", "string", "what was sent there"),
        Parameter::query("iss", "string", "who the provider is (RFC 9207)"),
        Parameter::query("error", "string", "why it lets nobody in"),
    ];
    const SESSIONS: &str = "/v1/me/sessions";
    deployment("Signing in", [
        post("/v1/sign-in/password", sign_in::by_password)
            .named("sign_in_by_password", "Sign in by address and password")
            .public().body::<PasswordIn>().replies::<SignedInOut>(200),
        post("/v1/sign-in/passkey/options", passkeys::request_options)
            .named("begin_passkey_sign_in", "What a browser signs somebody in by")
            .public().replies::<RequestOptions>(200),
        post("/v1/sign-in/passkey", passkeys::by_passkey)
            .named("sign_in_by_passkey", "Sign in by a passkey: both factors at once")
            .public().body::<PasskeySignIn>().replies::<SignedInOut>(200),
        get("/v1/sign-in/oidc/{provider}", oidc::begin)
            .named("begin_provider_sign_in", "Send a browser to a provider of OpenID Connect")
            .public().replies_empty(303),
        get("/v1/sign-in/oidc/{provider}/callback", oidc::finish)
            .named("sign_in_by_provider", "Sign in whom a provider brings")
            .public().takes(BROUGHT).replies::<SignedInOut>(200),
        post("/v1/me/passkeys/options", passkeys::options)
            .named("begin_passkey", "What a browser makes a passkey from")
            .own().step_up().replies::<CreationOptions>(200),
        post(PASSKEYS, passkeys::create).named("create_passkey", "Add a passkey of your own")
            .own().body::<PasskeyIn>().replies::<PasskeyOut<'_>>(201),
        get(PASSKEYS, passkeys::list).named("list_passkeys", "List your own passkeys")
            .own().replies::<ListOut<PasskeyOut<'_>>>(200),
        get(PASSKEY, passkeys::get).named("get_passkey", "Get one of your own passkeys")
            .own().replies::<PasskeyOut<'_>>(200),
        patch(PASSKEY, passkeys::rename).named("update_passkey", "Rename one of your own passkeys")
            .own().body::<PasskeyName>().replies::<PasskeyOut<'_>>(200),
        delete(PASSKEY, passkeys::remove).named("delete_passkey", "Remove one of your own passkeys")
            .own().step_up().replies_empty(204),
        post("/v1/sign-out", sign_in::out).named("sign_out", "End the session that asks")
            .own().half_way().replies_empty(204),
        post("/v1/step-up", sign_in::step_up)
            .named("step_up", "Prove once more who you are, for what asks for it")
            .own().half_way().body::<StepUpIn>().replies::<SignedInOut>(200),
        post("/v1/step-up/passkey/options", passkeys::options_again)
            .named("begin_passkey_proof", "What a browser proves by, once more or after a password")
            .own().half_way().replies::<RequestOptions>(200),
        post("/v1/me/password", sign_in::set_password)
            .named("set_own_password", "Set your own password; your other sessions end")
            .own().step_up().body::<OwnPasswordIn>().replies_empty(204),
        get(SESSIONS, sessions::list).named("list_own_sessions", "List your own sessions")
            .own().replies::<ListOut<SessionOut>>(200),
        delete(SESSIONS, sessions::end_others)
            .named("end_other_sessions", "End all of your own sessions but the one that asks")
            .own().replies::<EndedOut>(200),
        delete("/v1/me/sessions/{session}", sessions::end)
            .named("end_own_session", "End one of your own sessions")
            .own().half_way().replies_empty(204),
    ])
}

#[rustfmt::skip]
pub(super) fn of_links() -> Vec<Operation> {
    deployment("Signing in", [
        post("/v1/invitations/look", links::look)
            .named("look_at_invitation", "Open an invitation: it serves this browser alone then")
            .public().body::<TokenIn>().replies::<InvitationOut>(200),
        post("/v1/invitations/accept", links::accept)
            .named("accept_invitation", "Accept an invitation by choosing a password")
            .public().body::<TokenPasswordIn>().replies_empty(204),
        post("/v1/password/forgot", links::forgot)
            .named("forget_password", "Have a link mailed for another password; always 202")
            .public().body::<ForgottenIn>().replies_empty(202),
        post("/v1/password/reset", links::reset)
            .named("reset_password", "Set another password by a link; all sessions end")
            .public().body::<TokenPasswordIn>().replies_empty(204),
        post("/v1/sign-in/approve", links::approve)
            .named("approve_browser", "Make this browser a known one by a link")
            .public().body::<TokenIn>().replies_empty(204),
        post("/v1/me/email", links::change_email)
            .named("set_own_email", "Have a link mailed to another address of your own")
            .own().step_up().body::<OwnEmailIn>().replies_empty(202),
        post("/v1/me/email/confirm", links::confirm_email)
            .named("confirm_own_email", "Confirm an address by its link; all sessions end")
            .public().body::<TokenIn>().replies_empty(204),
        post("/v1/users/{user}/invite", links::invite)
            .named("invite_user", "Invite a person once more who cannot sign in yet")
            .needs(PersonWrite).replies::<InvitedOut>(200),
        post("/v1/users/{user}/reset", links::reset_of_user)
            .named("reset_password_of_user", "Have a link for another password mailed to a person")
            .needs(PersonWrite).replies_empty(202),
    ])
}

#[rustfmt::skip]
pub(super) fn of_linked() -> Vec<Operation> {
    const ONE: &str = "/v1/me/providers/{provider}";
    deployment("Signing in", [
        get("/v1/me/providers", oidc::list)
            .named("list_own_providers", "List the providers that bring you")
            .own().replies::<ListOut<LinkedOut>>(200),
        post(ONE, oidc::link).named("link_provider", "Begin to link a provider to yourself")
            .own().step_up().replies::<LinkOut>(200),
        post("/v1/step-up/oidc/{provider}", oidc::prove)
            .named("begin_provider_proof", "Begin to prove by a provider who you are, once more")
            .own().half_way().replies::<LinkOut>(200),
        delete(ONE, oidc::unlink)
            .named("unlink_provider", "Let a provider bring you no more; other sessions end")
            .own().step_up().replies_empty(204),
    ])
}

#[rustfmt::skip]
pub(super) fn of_second_factors() -> Vec<Operation> {
    deployment("Signing in", [
        post("/v1/sign-in/second-factor", second_factor::prove)
            .named("prove_second_factor", "Prove the second factor: the session is of level 2 then")
            .own().half_way().body::<SecondFactorIn>().replies::<SignedInOut>(200),
        post("/v1/me/totp", second_factor::begin)
            .named("begin_totp", "A new secret for an app that shows codes, to be confirmed")
            .own().step_up().replies::<TotpOut>(200),
        post("/v1/me/totp/confirm", second_factor::confirm)
            .named("confirm_totp", "Put the secret in force by a code; your other sessions end")
            .own().body::<CodeIn>().replies::<SignedInOut>(200),
        delete("/v1/me/totp", second_factor::remove)
            .named("delete_totp", "Remove your own second factor; your other sessions end")
            .own().step_up().replies_empty(204),
        post("/v1/me/recovery-codes", second_factor::recovery_codes)
            .named("create_recovery_codes", "New recovery codes; those of before are good no more")
            .own().step_up().replies::<RecoveryCodesOut>(200),
    ])
}
