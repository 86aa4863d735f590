//! Hostile input: one function per parser, each fed with bytes. Here they run over the seeds, over
//! mutations of them and over random bytes; `fuzz/run` gives the same functions to libFuzzer.

mod doors;
mod grammars;
#[cfg(test)]
mod limits;
mod patches;
mod place;
mod requests;
#[cfg(test)]
mod seeds;
mod values;

/// A target: its name, which is also the folder of its seeds, and what is done with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. Each is a binary in `fuzz/fuzz_targets`, too.
pub static TARGETS: [Target; 16] = [
    ("merge_patch", patches::merge_patch),
    ("json_patch", patches::json_patch),
    ("wallee_query", grammars::wallee),
    ("verifone_rsql", grammars::rsql),
    ("list_parameters", grammars::lists),
    ("sign_in", doors::sign_in),
    ("card_data", doors::cards),
    ("values", values::values),
    ("csv_rows", values::csv_rows),
    ("native_requests", |data| requests::to(&patron_native::DIALECT, data)),
    ("wallee_requests", |data| requests::to(&patron_wallee::DIALECT, data)),
    ("verifone_requests", |data| requests::to(&patron_verifone::DIALECT, data)),
    ("monri_requests", |data| requests::to(&patron_monri::DIALECT, data)),
    ("payabli_requests", |data| requests::to(&patron_payabli::DIALECT, data)),
    ("notchpay_requests", |data| requests::to(&patron_notchpay::DIALECT, data)),
    ("cursors", doors::cursors),
];

/// Runs a target by its name.
#[allow(dead_code, reason = "what the binaries of the fuzzer call")]
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    (target.expect("a target of this name").1)(data);
}
