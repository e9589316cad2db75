//! Every target over its corpus, the findings of the past, and a number of fixed seeds, on the stable toolchain.
//!
//! A failure prints the seed or the file; `cargo xtask soak --target NAME --seed SEED` runs it alone.

use rille_fuzz::{TARGETS, inputs, rng};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn check(name: &str) {
    let target = rille_fuzz::find(name).expect("there is such a target");
    let corpus = inputs::corpus(name);
    assert!(!corpus.is_empty(), "fuzz/corpus/{name} is missing");
    for input in corpus.iter().chain(&inputs::regressions(name)) {
        run(target.run, &input.data, &input.path.display().to_string());
    }
    let corpus: Vec<Vec<u8>> = corpus.into_iter().map(|input| input.data).collect();
    for seed in 0..target.seeds {
        run(
            target.run,
            &rng::input(seed, &corpus),
            &format!("seed {seed}"),
        );
    }
}

fn run(target: fn(&[u8]), data: &[u8], what: &str) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| target(data))) {
        eprintln!("the finding above is {what}");
        std::panic::resume_unwind(payload);
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_tested() {
            let tested = [$(stringify!($name)),*];
            let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(all, tested);
        }
    };
}

targets!(compile undump program pattern gc budget format json manifest routes forms units head chunked frames fields certificate reads dict regex websocket handshake cjson keys response url inflate source archive bucket repository bundle codings proxies hosts outbound);
