//! See `danerelay_tests::fuzz::resolv_conf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::resolv_conf(octets));
