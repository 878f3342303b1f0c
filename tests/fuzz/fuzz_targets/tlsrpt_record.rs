//! See `danerelay_tests::fuzz::tlsrpt_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::tlsrpt_record(octets));
