//! Tests of the whole: the program as its users start it, all APIs over one record, the documents,
//! and the house rules.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail loudly")]

mod answers;
mod api;
mod audit;
mod cards;
mod commands;
mod crash;
mod documents;
mod doors;
mod faults;
mod faults_told;
mod hostile;
mod imports;
mod increments;
mod isolation;
mod keys;
mod layouts;
mod linear;
mod master_key;
mod memory;
mod modes;
mod monitoring;
mod neighbours;
mod offboarding;
mod operations;
mod packaging;
mod past;
mod people;
mod pki;
mod planted;
mod postgres;
mod program;
mod proxies;
mod reference;
mod refusals;
mod rights;
mod sixth_dialect;
mod starts;
mod stopping;
mod supply;
mod tidy;
mod tls;
mod traces;
mod translation;
