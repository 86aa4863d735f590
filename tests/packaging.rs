//! What comes along for those who run Patron as a service.

use std::process::Command;

use crate::program::{patron, succeed};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/patron.service");
/// Exposure that `systemd-analyze security` may find at most, in tenths: 0 is none, 100 all.
const EXPOSURE_MAX: &str = "20";

#[test]
fn the_systemd_unit_gives_the_program_no_more_than_it_needs() {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--no-pager", "--offline=true", "--threshold", EXPOSURE_MAX, UNIT]);
    succeed(&mut analyze);
}

#[test]
fn the_systemd_unit_starts_the_program_with_switches_it_has() {
    let unit = std::fs::read_to_string(UNIT).unwrap();
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let mut words = start.split_whitespace().skip(1);
    assert_eq!(words.next(), Some("serve"));
    let help = succeed(patron().args(["serve", "--help"]));
    let mut switches = words.filter(|word| word.starts_with("--")).peekable();
    assert!(switches.peek().is_some());
    for switch in switches {
        assert!(help.contains(switch), "{switch}");
    }
}
