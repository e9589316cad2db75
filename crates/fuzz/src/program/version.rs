//! Statements and expressions that some versions of the language have and others do not.
//!
//! **Invariant:** what is written here for a version is what its reference has; where ours has more (5.1 with what LuaJIT
//! has), the reference's share is written.

use rille_lua::Dialect;

use super::generate::{Function, Generator, Kind};
use super::vocabulary;

impl Generator<'_, '_> {
    /// The name of `unpack`.
    pub fn unpack(&self) -> &'static str {
        match self.dialect {
            Dialect::Lua51 => "unpack",
            _ => "table.unpack",
        }
    }

    /// A number that bounds a range: wide ranges are slow or fill the memory on both sides.
    pub fn small_number(&mut self) -> &'static str {
        self.input
            .pick(&["1", "2", "0", "-1", "3", "7", "-64", "\"2\"", "1.0", "2.5"])
    }

    /// Makes something that a native is going to call: in 5.1 only ours yields across those, `pcall` included.
    pub fn called_by_a_native<R>(&mut self, make: impl FnOnce(&mut Self) -> R) -> R {
        let can_yield = self.function.can_yield;
        self.function.can_yield &= self.dialect > Dialect::Lua51;
        let made = make(self);
        self.function.can_yield = can_yield;
        made
    }

    pub fn function_without_yields(&self) -> Function {
        Function {
            vararg: false,
            can_yield: false,
            loops: 0,
            closing_loop: false,
        }
    }

    /// A source that some versions refuse, compiled and run where it compiles.
    pub fn refused(&mut self) {
        let (code, first, last) = self.input.pick(&vocabulary::REFUSED);
        if self.dialect < first || self.dialect > last {
            return;
        }
        let load = if self.dialect == Dialect::Lua51 {
            "loadstring"
        } else {
            "load"
        };
        // Globals are those of the process: the environment of its own keeps the reference's clean.
        let f = match self.dialect {
            Dialect::Lua51 => {
                format!("loadstring({code:?}, \"=r\") if f then setfenv(f, {{next = next}}) end")
            }
            _ => format!("{load}({code:?}, \"=r\", \"t\", {{next = next}})"),
        };
        self.line(&format!("do local f, m = {f} out(m, f and pcall(f)) end"));
    }

    /// Comparisons of objects by metamethods that they share, or have each their own.
    pub fn compared(&mut self) {
        let (x, y) = (self.fresh(), self.fresh());
        let result = self.atom();
        self.line("do");
        self.block(|g| {
            g.line(&format!("local function h(x, y) tick(4) out(\"h\", x, y) return {result} end"));
            let events = ["__eq", "__lt", "__le", "__concat", "__add", "__len", "__unm"];
            for name in ["m1", "m2"] {
                let mut fields = Vec::new();
                for event in events {
                    match g.input.below(4) {
                        0 => {}
                        3 => fields.push(format!("{event} = function(...) return {event:?} end")),
                        _ => fields.push(format!("{event} = h")),
                    }
                }
                g.line(&format!("local {name} = {{{}}}", fields.join(", ")));
            }
            let second = g.input.pick(&["m1", "m2", "nil"]);
            g.line(&format!("local {x} = setmetatable({{1}}, m1)"));
            g.line(&format!("local {y} = setmetatable({{2}}, {second})"));
            for _ in 0..1 + g.input.below(4) {
                let left = g.input.pick(&[x.as_str(), y.as_str(), "1", "\"s\"", "nil"]);
                let right = g.input.pick(&[y.as_str(), x.as_str(), "2", "\"t\"", "{}"]);
                let op = g.input.pick(&["==", "<", "<=", "~=", ">", ">=", "..", "+"]);
                match g.input.below(3) {
                    0 => g.line(&format!("out(pcall(function() return {left} {op} {right} end))")),
                    1 => g.line(&format!(
                        "out(pcall(function() if {left} {op} {right} then return \"yes\" end return \"no\" end))"
                    )),
                    _ => g.line(&format!("out(pcall(function() return #{x}, -{y}, not ({left} {op} {right}) end))")),
                }
            }
        });
        self.line("end");
    }

    /// A call of a function that not all versions have.
    pub fn expression_of_version(&mut self, depth: u32) -> String {
        let x = self.expression(depth);
        let y = self.scalar(1);
        let small = self.small_number();
        match self.dialect {
            Dialect::Lua51 => match self.input.below(10) {
                0 => format!("math.mod({x}, {y})"),
                1 => format!("table.maxn({{{x}, {y}, [{small}] = 1}})"),
                2 => "table.getn({1, 2, 3})".into(),
                3 => format!("(string.gfind(str({x}), \"%w\")())"),
                4 => format!("(math.frexp({y}))"),
                5 => format!("math.log({x})"),
                6 if self.function.vararg => "(arg and arg.n)".into(),
                7 => format!("(getfenv(function() return {y} end).g1)"),
                8 => format!("(loadstring(str({x}) .. \"(\", {y}))"),
                _ => format!("(unpack({{{y}}}, {small}, {}))", self.small_number()),
            },
            Dialect::Lua52 => match self.input.below(10) {
                0 => format!(
                    "bit32.{}({x}, {y})",
                    self.input.pick(&["band", "bor", "bxor", "btest"])
                ),
                1 => format!(
                    "bit32.{}({x}, {small})",
                    self.input
                        .pick(&["lshift", "rshift", "arshift", "lrotate", "rrotate"])
                ),
                2 => format!("bit32.extract({x}, {small}, {})", self.small_number()),
                3 => format!("bit32.replace({x}, {y}, {small})"),
                4 => format!(
                    "math.log({y}, {})",
                    self.input.pick(&["2", "10", "3", "1", "0"])
                ),
                5 => format!("table.pack({x}, {y}).n"),
                6 => format!("rawlen({x})"),
                7 => format!("table.maxn({{{x}, {y}, [{small}] = 1}})"),
                8 => format!("(math.frexp({y}))"),
                _ => format!(
                    "table.pack(table.unpack({{{y}}}, {small}, {})).n",
                    self.small_number()
                ),
            },
            _ => match self.input.below(10) {
                0 => format!(
                    "string.pack(\"{}\", {y})",
                    self.input
                        .pick(&["i4", "n", "s1", "z", "B", "<j", ">i2", "i17"])
                ),
                1 => format!(
                    "(string.unpack(\"{}\", str({x})))",
                    self.input.pick(&["B", "<i2", "z", "s1", "!8i8"])
                ),
                2 => format!("utf8.codepoint(str({x}), {small})"),
                3 => format!("utf8.offset(str({x}), {small}, {})", self.small_number()),
                4 => format!("utf8.char({small}, {})", self.small_number()),
                5 => format!(
                    "math.log({y}, {})",
                    self.input.pick(&["2", "10", "3", "1", "0"])
                ),
                6 => format!(
                    "string.packsize(\"{}\")",
                    self.input.pick(&["i4", "!8Bi8", "z", "<j>h"])
                ),
                7 => format!(
                    "table.pack(table.unpack({{{y}}}, {small}, {})).n",
                    self.small_number()
                ),
                8 if self.dialect == Dialect::Lua55 => format!("#table.create({small}, {y})"),
                _ => format!("rawlen({x})"),
            },
        }
    }

    /// A statement that not all versions have.
    pub fn statement_of_version(&mut self, nested: bool) {
        let of = self.prefix(1);
        let (k, v) = (self.fresh(), self.fresh());
        if self.input.one_in(4) {
            // Which metamethods it asks for depends on the version; an `__index` may go on for ever.
            self.line(&format!(
                "out(pcall(function() for {k}, {v} in ipairs({of}) do tick(30) out({k}, {v}) end end))"
            ));
            return;
        }
        match self.dialect {
            Dialect::Lua51 => self.statement_of_51(nested),
            Dialect::Lua52 | Dialect::Lua53 if self.input.one_in(2) => {
                // `__ipairs` and `__pairs`, with a handler's own iterator.
                let event = self.input.pick(&["__ipairs", "__pairs"]);
                self.line(&format!(
                    "for {k}, {v} in {}(setmetatable({{7, 8}}, {{{event} = function(o) out(\"{event}\") return next, {{x = 1}} end}})) do tick(4) out({k}, {v}) end",
                    &event[2..]
                ));
            }
            Dialect::Lua55 if nested => self.statement_of_55(),
            _ => {
                let value = self.expression(2);
                let text = self.input.pick(&["%5.1f", "%q", "%d", "%x"]);
                self.line(&format!("out(pcall(string.format, \"{text}\", {value}))"));
            }
        }
    }

    fn statement_of_51(&mut self, nested: bool) {
        let (x, y) = (self.fresh(), self.called_by_a_native(|g| g.expression(2)));
        match self.input.below(8) {
            0 => self.line(&format!(
                "out(pcall(table.foreachi, {{4, 5, 6}}, function(i, v) tick(1) out(i, v) if v == {y} then return i end end))"
            )),
            1 => self.line(&format!(
                "do local {x} = 0 out(table.foreach({{4, k = 5}}, function(i, v) tick(1) {x} = {x} + num(v) end), {x}) end"
            )),
            2 => self.line("out(pcall(table.setn, {1, 2}, 1))"),
            3 if nested => {
                // A function's environment is its maker's at the time, and can be read and changed by the function.
                let text = self.function_text(&["p"], self.function_without_yields(), |g| {
                    g.statements();
                    g.return_statement();
                });
                self.line(&format!("do local f = function{text}"));
                self.line(" setfenv(f, setmetatable({g1 = \"own\"}, {__index = getfenv(1)}))");
                self.line(&format!(" out(pcall(f, {y})) out(getfenv(f).g1, getfenv(f).g2, g1) end"));
            }
            4 => {
                let level = self.input.pick(&["1", "-1", "2.5", "nil", "out", "{}", "\"1\""]);
                self.line(&format!("out((pcall(setfenv, {level}, {y})))"));
            }
            5 => {
                let kind = self.input.pick(&["", "true", "false", "nil", "1"]);
                self.line(&format!(
                    "out(pcall(function() local u = newproxy({kind}) return type(u), type(getmetatable(u)) end))"
                ));
            }
            6 => {
                // `arg` is there where `...` is not used.
                let uses = self.input.pick(&["", "local n = select(\"#\", ...)"]);
                let list = self.list(2);
                let comma = if list.is_empty() { "" } else { ", " };
                self.line(&format!("out(pcall(function(p, ...) {uses} return arg, arg.n end{comma}{list}))"));
            }
            _ => {
                let (from, to) = (self.small_number(), self.small_number());
                self.line(&format!("out(pcall(unpack, {{1, 2, {y}}}, {from}, {to}))"));
            }
        }
    }

    fn statement_of_55(&mut self) {
        const USED: &str = "tick, out, clip, nn, num, str, len, pcall, xpcall, error, assert, type, string, table, math, tostring";
        let name = self.fresh();
        match self.input.below(6) {
            0 => {
                self.line(&format!("do global<const> {USED} global g1, g2"));
                self.block(|g| g.statements());
                self.line("end");
            }
            1 => {
                self.line("do global<const> *");
                self.block(|g| g.statements());
                self.line("end");
            }
            2 => {
                let value = self.expression(2);
                let target = self.input.pick(&["g1", "g2", "g4"]);
                self.line(&format!(
                    "out(pcall(function() global {target} = {value} return {target} end))"
                ));
            }
            3 => {
                let text = self.function_literal(1);
                self.line(&format!("do global * g3 = nil global function g3{text}"));
                self.line(" out(pcall(g3, 1)) g3 = nil end");
            }
            4 => {
                // Extra arguments as a table.
                let list = self.list(2);
                let use_of = self.input.pick(&[
                    "return v.n, v[1], v[2], ...",
                    "v[1] = 5 return ...",
                    "v.n = 1 return ...",
                    "v.n = 5 return ...",
                    "v.n = \"x\" return ...",
                    "local function f() return v[1] end return f(), v.n",
                    "return v",
                    "return #v, v.x, v[0], v[1.0], v[\"n\"]",
                ]);
                let comma = if list.is_empty() { "" } else { ", " };
                self.line(&format!(
                    "out(pcall(function(p, ...v) tick(4) {use_of} end{comma}{list}))"
                ));
            }
            _ => {
                let value = self.expression(2);
                self.line(&format!("do local <const> {name}, w = {value}, 1"));
                self.block(|g| {
                    g.declare(name.clone(), Kind::Fixed);
                    g.statements();
                });
                self.line("end");
            }
        }
    }
}
