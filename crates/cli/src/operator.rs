//! `--operator FILE` and `--outbound WORDS`: what the operator says about all apps.
//!
//! **Invariant:** a mistake in either ends the program before anything is served.

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use rille_runtime::log::Log;
use rille_runtime::manifest::{MAX_BYTES, Operator};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The command's arguments.
pub fn arguments() -> [Arg; 2] {
    [
        Arg::new("operator")
            .long("operator")
            .value_name("FILE")
            .help("Defaults and ceilings for the limits of apps, and where they may connect to")
            .value_parser(value_parser!(PathBuf)),
        Arg::new("outbound")
            .long("outbound")
            .value_name("WORDS")
            .help("Where apps may connect to: any, manifests, public or none, and allow=ADDRESS,... or deny=ADDRESS,...")
            .long_help(
                "Where apps may connect to. Without it, to what is public, and apps of folders also to what [outbound] in their rille.toml allows \
                 (manifests). With public, no rille.toml allows more; with none, not even what is public; with any, all is open but the server's own \
                 ports. allow=ADDRESS,... opens something for every app, deny=ADDRESS,... closes it; an ADDRESS is one such as 10.0.0.0/8, \
                 127.0.0.1:6379, *.internal.example, unix:/run/x.sock, or self for the server's own. Can be given several times.",
            )
            .action(ArgAction::Append),
    ]
}

/// What they say; what is wrong with it is in the log.
pub fn read(matches: &ArgMatches, log: &Log) -> Option<Arc<Operator>> {
    let words: Vec<String> = (matches.get_many::<String>("outbound"))
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let file = matches.get_one::<PathBuf>("operator");
    let shown = file.map_or_else(String::new, |file| file.display().to_string());
    let text = match file.map_or_else(|| Ok(String::new()), |file| text(file)) {
        Ok(text) => text,
        Err(why) => {
            log.line(format_args!("{shown}: {why}"));
            return None;
        }
    };
    let (operator, problems) = Operator::parse(&text, &shown, &words);
    for problem in &problems {
        log.line(problem);
    }
    problems.is_empty().then(|| Arc::new(operator))
}

fn text(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = std::fs::File::open(file)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(error.to_string()),
        Ok(_) if text.len() as u64 > MAX_BYTES => Err("larger than 1 MiB".to_owned()),
        Ok(_) => Ok(text),
    }
}
