//! The state of the program generator: what is in scope, and how much may still be written.
//!
//! **Invariant:** every program is grammatical, up to what `goto` and `<const>` forbid now and then (the reference's
//! message for that is worth comparing too).

use crate::bytes::Bytes;
use rille_lua::Dialect;
use std::fmt::Write;

/// Statements and expressions in one program: it stays readable, and both sides take milliseconds.
const MAX_NODES: u32 = 400;
/// Nesting of blocks; expressions have their own depth.
const MAX_BLOCKS: u32 = 6;

/// What a variable may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything; it may be assigned anything.
    Any,
    /// A sequence without holes, changed by `table` functions only.
    Sequence,
    /// As `Any`, but never assigned.
    Fixed,
    /// A function.
    Function,
    /// A table, perhaps with a metatable.
    Table,
}

pub(super) struct Variable {
    pub name: String,
    pub kind: Kind,
}

/// What the function being written allows.
#[derive(Clone, Copy)]
pub(super) struct Function {
    pub vararg: bool,
    pub can_yield: bool,
    pub loops: u32,
    /// Inside a loop with a value to close.
    pub closing_loop: bool,
}

pub(super) struct Generator<'i, 'd> {
    pub dialect: Dialect,
    pub input: &'i mut Bytes<'d>,
    pub out: String,
    pub variables: Vec<Variable>,
    pub function: Function,
    pub blocks: u32,
    nodes: u32,
    names: u32,
}

/// A program of this version, made of the decisions in `input`.
pub fn generate(dialect: Dialect, input: &mut Bytes<'_>) -> String {
    let mut g = Generator {
        dialect,
        input,
        out: String::new(),
        variables: Vec::new(),
        function: Function {
            vararg: true,
            can_yield: false,
            loops: 0,
            closing_loop: false,
        },
        blocks: 0,
        nodes: 0,
        names: 0,
    };
    g.line("local a, b, c = 1, 2.5, \"x\"");
    g.line("local t, s = {1, 2, x = 3}, {1, 2, 3}");
    for (name, kind) in [
        ("a", Kind::Any),
        ("b", Kind::Any),
        ("c", Kind::Any),
        ("t", Kind::Table),
        ("s", Kind::Sequence),
    ] {
        g.declare(name.into(), kind);
    }
    while !g.input.is_empty() && !g.is_full() {
        // An error that nobody catches ends the program, so most of it is protected.
        if g.input.one_in(4) {
            g.statement();
            continue;
        }
        let text = g.function_text(&[], g.function, |g| {
            g.statements();
            g.statements();
        });
        g.line(&format!("out(pcall(function{text}, a, b, c))"));
    }
    g.line("out(a, b, c, t, s, g1, g2)");
    g.line("return a, b, c");
    g.out
}

impl Generator<'_, '_> {
    pub fn is_full(&self) -> bool {
        self.nodes >= MAX_NODES
    }

    /// Counts something written; false when the program is long or deep enough.
    pub fn may_grow(&mut self) -> bool {
        self.nodes += 1;
        !self.is_full() && !self.input.is_empty()
    }

    pub fn may_nest(&self) -> bool {
        self.blocks < MAX_BLOCKS && !self.is_full()
    }

    pub fn line(&mut self, text: &str) {
        for _ in 0..self.blocks {
            self.out.push(' ');
        }
        // A parenthesis would continue the statement before it. A semicolon is no statement in 5.1 but may end one.
        let separator = match self.dialect {
            _ if !text.starts_with('(') => "",
            Dialect::Lua51 => "do end;",
            _ => ";",
        };
        let _ = writeln!(self.out, "{separator}{text}");
    }

    /// A new name; now and then one that hides an older variable.
    pub fn fresh(&mut self) -> String {
        if self.input.one_in(8) {
            return self.input.pick(&["a", "b", "c", "p"]).into();
        }
        self.names += 1;
        format!("v{}", self.names)
    }

    pub fn declare(&mut self, name: String, kind: Kind) {
        self.variables.push(Variable { name, kind });
    }

    /// What `write` puts out, as a block in which its declarations end.
    pub fn block(&mut self, write: impl FnOnce(&mut Self)) {
        let visible = self.variables.len();
        self.blocks += 1;
        write(self);
        self.blocks -= 1;
        self.variables.truncate(visible);
    }

    /// A few statements.
    pub fn statements(&mut self) {
        for _ in 0..1 + self.input.below(4) {
            self.statement();
        }
    }

    /// A variable that is visible, not hidden by a newer one, and fits.
    pub fn variable(&mut self, fits: impl Fn(Kind) -> bool) -> Option<String> {
        let mut found: Vec<&str> = Vec::new();
        for (at, v) in self.variables.iter().enumerate() {
            let hidden = self.variables[at + 1..].iter().any(|w| w.name == v.name);
            if !hidden && fits(v.kind) {
                found.push(&v.name);
            }
        }
        if found.is_empty() {
            return None;
        }
        // Recent ones more often: they are what the code around is about.
        let from_end = self
            .input
            .below(found.len())
            .min(self.input.below(found.len() + 1));
        Some(found[found.len() - 1 - from_end].to_owned())
    }

    /// The text of a function's parameters and body, from `(` to `end`; `write` writes the statements.
    pub fn function_text(
        &mut self,
        params: &[&str],
        function: Function,
        write: impl FnOnce(&mut Self),
    ) -> String {
        let outer_out = std::mem::take(&mut self.out);
        let outer_function = std::mem::replace(&mut self.function, function);
        let mut head = params.join(", ");
        if function.vararg {
            head.push_str(if params.is_empty() { "..." } else { ", ..." });
        }
        self.block(|g| {
            g.line("tick(30)");
            if !params.is_empty() {
                let list = params.join(", ");
                let clipped: Vec<String> = params.iter().map(|p| format!("clip({p})")).collect();
                g.line(&format!("local {list} = {}", clipped.join(", ")));
            }
            for param in params {
                g.declare((*param).into(), Kind::Any);
            }
            write(g);
        });
        self.function = outer_function;
        let body = std::mem::replace(&mut self.out, outer_out);
        let indent = " ".repeat(self.blocks as usize);
        format!("({head})\n{body}{indent}end")
    }
}
