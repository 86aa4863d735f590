#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| patron_fuzz::hostile::run("verifone_rsql", data));
