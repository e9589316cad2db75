#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rille_fuzz::places::hosts(data));
