//! The headers of every answer.

use patron_gateway::{Exchange, Reply, limits::QuotaState};

/// What a page may load, and from where: nothing from elsewhere, nothing in line, and only what our
/// own script made by its one policy becomes markup.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types patron";
/// What a page may ask the browser for: passkeys, and to write to the clipboard.
const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), \
                           gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), \
                           serial=(), usb=(), publickey-credentials-create=(self), \
                           publickey-credentials-get=(self), clipboard-read=(), \
                           clipboard-write=(self)";

/// Puts them on.
pub fn finish(reply: &mut Reply, _: &Exchange, _: Option<QuotaState>) {
    let headers = [
        ("content-security-policy", POLICY),
        ("permissions-policy", PERMISSIONS),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    for (name, value) in headers {
        reply.set(name, value);
    }
    // A page that was asked for with a secret of its own says so more strictly. "no-referrer" would
    // make Chromium send "Origin: null" with our own forms.
    if !reply.headers.contains_key("referrer-policy") {
        reply.set("referrer-policy", "same-origin");
    }
}
