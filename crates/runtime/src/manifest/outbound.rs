//! `[outbound]`: where an app connects to.
//!
//! ```toml
//! [outbound]
//! allow = ["10.0.0.0/8", "127.0.0.1:6379", "*.internal.example", "unix:/run/x.sock", "self"]
//! deny = ["metadata.example"]
//! public = false        # only what is in allow; true if it does not say
//! ```
//!
//! **Invariant:** every entry has been understood, or is a problem with its line.

use super::reader::{Reader, Section};
use crate::net::outbound::{MAX_RULES, Rule, Wishes};

pub(super) fn read<'a>(reader: &mut Reader<'a>, table: &Section<'a>, wishes: &mut Wishes) {
    reader.known_keys(table, "[outbound]", &["allow", "deny", "public"]);
    wishes.allow = rules(reader, table, "allow");
    wishes.deny = rules(reader, table, "deny");
    if let Some((public, _)) = reader.boolean(table, "public") {
        wishes.public = public;
    }
}

/// A list of rules.
pub(super) fn rules<'a>(reader: &mut Reader<'a>, table: &Section<'a>, key: &str) -> Vec<Rule> {
    let texts = reader.strings(table, key);
    if let Some((_, line)) = texts.get(MAX_RULES) {
        reader.problem(*line, format!("{key} has more than {MAX_RULES} entries"));
    }
    let mut rules = Vec::new();
    for (text, line) in texts.into_iter().take(MAX_RULES) {
        match text.parse() {
            Ok(rule) => rules.push(rule),
            Err(why) => reader.problem(line, why),
        }
    }
    rules
}
