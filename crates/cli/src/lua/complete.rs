//! Tab at the prompt: globals, and the fields of tables that a chain of names leads to.
//!
//! **Invariant:** no code of a script runs for it. Tables are read without metamethods; of those only `__index` is followed, and
//! only where it is a table, so that methods of strings, files and objects are found.

use rille_lua::{Lua, Table, Value};
use rustyline::Context;
use rustyline::completion::Completer;
use rustyline::{highlight::Highlighter, hint::Hinter, validate::Validator};

/// Tables that one name is looked up in, through `__index`.
const MAX_CHAIN: usize = 16;
/// Entries of a table that are looked at.
const MAX_ENTRIES: usize = 10_000;

const KEYWORDS: [&str; 22] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
    "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// The names that can be completed.
pub struct Names {
    globals: Table,
    /// Where the methods of strings are.
    strings: Option<Table>,
}

impl Names {
    pub fn new(lua: &Lua) -> Names {
        let string: Option<Table> = lua.globals().raw_get("string").ok();
        Names {
            globals: lua.globals(),
            strings: string,
        }
    }

    /// Where the name begins that ends at the end of `line`, and what it can become.
    fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        let chain = &line[chain_start(line)..];
        let (path, prefix) = match chain.rfind(['.', ':']) {
            Some(at) => (&chain[..=at], &chain[at + 1..]),
            None => ("", chain),
        };
        let start = line.len() - prefix.len();
        let mut names = Vec::new();
        if path.is_empty() {
            if prefix.is_empty() {
                return (start, names);
            }
            names.extend(KEYWORDS.map(str::to_owned));
            self.add_fields(&self.globals, false, &mut names);
        } else {
            let methods = path.ends_with(':');
            match self.follow(path) {
                Some(tables) => tables
                    .iter()
                    .for_each(|t| self.add_fields(t, methods, &mut names)),
                None => return (start, names),
            }
        }
        names.retain(|name| name.starts_with(prefix));
        names.sort();
        names.dedup();
        (start, names)
    }

    /// The tables in which the fields of what `path` (names, each with its dot or colon) stands for are looked up.
    fn follow(&self, path: &str) -> Option<Vec<Table>> {
        let mut tables = vec![self.globals.clone()];
        for name in path.split(['.', ':']).filter(|name| !name.is_empty()) {
            let value = tables
                .iter()
                .find_map(|t| t.raw_get::<Value>(name).ok().filter(|v| !v.is_nil()))?;
            tables = self.tables_of(value);
        }
        Some(tables)
    }

    /// A value that is a table, and the tables behind it.
    fn tables_of(&self, value: Value) -> Vec<Table> {
        let mut tables = Vec::new();
        let mut meta = match value {
            Value::Table(t) => {
                tables.push(t.clone());
                t.metatable()
            }
            Value::String(_) => {
                tables.extend(self.strings.clone());
                None
            }
            Value::UserData(u) => u.metatable().ok(),
            _ => None,
        };
        while let Some(table) = meta.take()
            && tables.len() < MAX_CHAIN
            && let Ok(Value::Table(index)) = table.raw_get("__index")
        {
            meta = index.metatable();
            tables.push(index);
        }
        tables
    }

    /// Adds the names that are fields of a table; behind a colon, those of functions.
    fn add_fields(&self, table: &Table, methods: bool, names: &mut Vec<String>) {
        for entry in table.pairs::<Value, Value>().take(MAX_ENTRIES) {
            let Ok((Value::String(key), value)) = entry else {
                continue;
            };
            if methods && !value.is_function() {
                continue;
            }
            let bytes = key.as_bytes();
            if let Ok(name) = std::str::from_utf8(&bytes)
                && is_name(name)
            {
                names.push(name.to_owned());
            }
        }
    }
}

/// Where the chain of names, dots and colons begins that ends at the end of a line.
fn chain_start(line: &str) -> usize {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':');
    line.rfind(|c| !part(c)).map_or(0, |at| {
        at + line[at..].chars().next().map_or(0, char::len_utf8)
    })
}

fn is_name(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().all(word)
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && !KEYWORDS.contains(&text)
}

impl Completer for Names {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line.get(..pos).unwrap_or_default()))
    }
}

impl rustyline::Helper for Names {}
impl Highlighter for Names {}
impl Validator for Names {}
impl Hinter for Names {
    type Hint = String;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(setup: &str, line: &str) -> (usize, Vec<String>) {
        let lua = Lua::new();
        lua.load(setup).exec().unwrap();
        Names::new(&lua).candidates(line)
    }

    #[test]
    fn globals_and_keywords() {
        assert_eq!(
            complete("theirs = 1", "x = the"),
            (4, vec!["theirs".to_owned(), "then".to_owned()])
        );
        assert_eq!(complete("", "print(str"), (6, vec!["string".to_owned()]));
        assert_eq!(complete("", "é str"), (3, vec!["string".to_owned()]));
        assert_eq!(complete("", "x = ").1.len(), 0);
    }

    #[test]
    fn fields_and_methods() {
        assert_eq!(complete("", "string.pack").1, ["pack", "packsize"]);
        assert_eq!(complete("s = 'x'", "s:rev").1, ["reverse"]);
        assert_eq!(complete("", "io.stdout:set").1, ["setvbuf"]);
        let class = "A = {new = print, size = 1, [1] = 2, ['no name'] = 3} A.__index = A a = setmetatable({mine = 1}, A)";
        assert_eq!(complete(class, "a.").1, ["__index", "mine", "new", "size"]);
        assert_eq!(complete(class, "a:").1, ["new"]);
        assert_eq!(complete("t = {u = {v = {}}}", "#t.u.").1, ["v"]);
        assert_eq!(complete("", "nothing.here.").1.len(), 0);
    }

    #[test]
    fn no_metamethod_is_called() {
        let setup = "setmetatable(_G, {__index = function() error 'called' end, __pairs = error})
            t = setmetatable({x = 1}, {__index = function() error 'called' end, __pairs = error})
            loop = {} loop.__index = loop setmetatable(loop, loop)";
        assert_eq!(complete(setup, "t.").1, ["x"]);
        assert_eq!(complete(setup, "t.y.").1.len(), 0);
        assert_eq!(complete(setup, "none.").1.len(), 0);
        assert_eq!(complete(setup, "loop.").1, ["__index"]);
    }
}
