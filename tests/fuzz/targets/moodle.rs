#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reconcile::fuzzing::moodle(bytes));
