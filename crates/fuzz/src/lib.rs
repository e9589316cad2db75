//! What the fuzzers run: one function per target, which panics on a finding.
//!
//! ```text
//! fuzz/fuzz_targets/*.rs (cargo-fuzz, nightly) --+
//! tests/seeds.rs         (every test run) -------+--> TARGETS --> compile, undump, program, pattern, ...
//! src/bin/rille-soak.rs  (cargo xtask soak) -----+
//! ```
//!
//! **Invariant:** a target is a function of its input bytes alone: the machine's hash keys are fixed and there are no
//! clocks, so an input that was once a finding is one until it is fixed, and stays under `fuzz/regressions` afterwards.
#![forbid(unsafe_code)]

pub mod budget;
pub mod bytes;
mod compare;
pub mod compile;
pub mod edge;
pub mod format;
pub mod gc;
pub mod http1;
pub mod http2;
pub mod http_client;
pub mod inputs;
pub mod machine;
pub mod pattern;
pub mod places;
pub mod program;
pub mod reads;
pub mod reference;
pub mod rng;
pub mod store;
mod text;
pub mod texts;
pub mod undump;
pub mod websocket;

/// Something to fuzz.
pub struct Target {
    /// Names the target on command lines and its folders under `fuzz/`.
    pub name: &'static str,
    /// Panics on a finding.
    pub run: fn(&[u8]),
    /// How many seeds every test run tries.
    pub seeds: u64,
}

/// All targets.
pub const TARGETS: [Target; 36] = [
    target("compile", compile::target, 1500),
    target("undump", undump::target, 800),
    target("program", program::target, 700),
    target("pattern", pattern::target, 400),
    target("gc", gc::target, 300),
    target("budget", budget::target, 250),
    target("format", format::target, 1000),
    target("json", texts::json, 1000),
    target("manifest", texts::manifest, 1500),
    target("routes", texts::routes, 3000),
    target("forms", texts::forms, 3000),
    target("units", texts::units, 3000),
    target("head", http1::head, 3000),
    target("chunked", http1::chunked, 3000),
    target("frames", http2::frames, 3000),
    target("fields", http2::fields, 3000),
    target("certificate", http2::certificate, 2000),
    target("reads", reads::target, 3000),
    target("dict", texts::dict, 300),
    target("regex", texts::regex, 2000),
    target("websocket", websocket::websocket, 3000),
    target("handshake", websocket::handshake, 3000),
    target("cjson", texts::cjson, 1000),
    target("keys", texts::keys, 2000),
    target("response", http_client::response, 3000),
    target("url", http_client::url, 3000),
    target("inflate", http_client::inflate, 1000),
    target("source", store::source, 5000),
    target("archive", store::archive, 3000),
    target("bucket", store::bucket, 3000),
    target("repository", store::repository, 3000),
    target("bundle", store::bundle, 3000),
    target("codings", edge::codings, 3000),
    target("proxies", edge::proxies, 3000),
    target("hosts", places::hosts, 5000),
    target("outbound", places::outbound, 300),
];

const fn target(name: &'static str, run: fn(&[u8]), seeds: u64) -> Target {
    Target { name, run, seeds }
}

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
