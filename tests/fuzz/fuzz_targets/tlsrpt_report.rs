//! See `danerelay_tests::fuzz::tlsrpt_report`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::tlsrpt_report(octets));
