//! Statements of generated programs.

use rille_lua::Dialect;

use super::generate::{Function, Generator, Kind};
use super::vocabulary;

impl Generator<'_, '_> {
    pub fn statement(&mut self) {
        if !self.may_grow() {
            return;
        }
        let nested = self.may_nest();
        match self.input.below(36) {
            0 | 1 => {
                let list = self.list(3);
                self.line(&format!("out({list})"));
            }
            2..=4 => self.local(),
            5 | 6 => self.assignment(),
            7 => {
                let call = self.call(2);
                let separator = if self.dialect == Dialect::Lua51 {
                    ""
                } else {
                    ";"
                };
                self.line(&format!("{separator}{call}"));
            }
            8 | 9 if nested => self.condition(),
            10 | 11 if nested => self.numeric_for(),
            12 if nested => self.conditional_loop(),
            13 | 14 if nested => self.generic_for(),
            15 | 16 if nested => self.local_function(),
            17 | 18 if nested => self.protected(),
            19 if nested && self.dialect > Dialect::Lua51 => self.jumps(),
            20 if nested && self.dialect.has_attributes() && !self.function.closing_loop => {
                self.closing();
            }
            21 | 22 if nested => self.coroutine(),
            23 | 24 => self.sequence(),
            25 | 26 => {
                let (name, object) = (self.fresh(), self.object(2));
                self.line(&format!("local {name} = {object}"));
                self.declare(name, Kind::Table);
            }
            27 if nested => {
                self.line("do");
                self.block(|g| g.statements());
                self.line("end");
            }
            28 => self.loaded(),
            29 => {
                let (target, value) = (self.indexed(2), self.expression(3));
                self.line(&format!("{target} = clip({value})"));
            }
            30 if self.function.loops > 0 => {
                let condition = self.expression(2);
                self.line(&format!("if {condition} then break end"));
            }
            31 if nested => self.environment(),
            32 => self.refused(),
            33 => self.compared(),
            34 | 35 => self.statement_of_version(nested),
            _ => {
                let (x, y) = self.called_by_a_native(|g| (g.scalar(3), g.expression(3)));
                self.line(&format!("out(pcall(function() return {x}, {y} end))"));
            }
        }
    }

    pub fn return_statement(&mut self) {
        let list = match self.input.below(5) {
            0 => String::new(),
            1 | 2 => format!("clip({})", self.expression(3)),
            // A tail call.
            3 => self.call(2),
            _ => self.list(2),
        };
        self.line(&format!("return {list}"));
    }

    fn local(&mut self) {
        let name = self.fresh();
        let value = self.expression(3);
        match self.input.below(6) {
            0 if self.dialect.has_attributes() => {
                self.line(&format!("local {name} <const> = clip({value})"));
                self.declare(name, Kind::Fixed);
            }
            1 => {
                let (second, list) = (self.fresh(), self.list(2));
                let text = format!("local {name}, {second} = clip({value}), {list}");
                self.line(text.trim_end_matches(", "));
                self.declare(name, Kind::Any);
                self.declare(second, Kind::Any);
            }
            2 => {
                let table = self.table(2);
                self.line(&format!("local {name} = {table}"));
                self.declare(name, Kind::Table);
            }
            _ => {
                self.line(&format!("local {name} = clip({value})"));
                self.declare(name, Kind::Any);
            }
        }
    }

    /// What can be assigned to.
    fn target(&mut self) -> String {
        match self.input.below(6) {
            0..=2 => self
                .variable(|k| k == Kind::Any)
                .unwrap_or_else(|| "g1".into()),
            3 => self.input.pick(&["g1", "g2", "g3"]).into(),
            _ => {
                let target = self.indexed(1);
                // `t[k]` with k nil or NaN is an error that would end most programs early.
                target.replace("[ ", "[nn(").replace(" ]", ")]")
            }
        }
    }

    fn assignment(&mut self) {
        let (target, value) = (self.target(), self.expression(3));
        if self.input.one_in(3) {
            let (second, list) = (self.target(), self.list(2));
            let text = format!("{target}, {second} = clip({value}), {list}");
            self.line(text.trim_end_matches(", "));
        } else {
            self.line(&format!("{target} = clip({value})"));
        }
    }

    fn condition(&mut self) {
        let condition = self.expression(3);
        self.line(&format!("if {condition} then"));
        self.block(|g| g.statements());
        for _ in 0..self.input.below(2) {
            let condition = self.expression(2);
            self.line(&format!("elseif {condition} then"));
            self.block(|g| g.statements());
        }
        if self.input.one_in(2) {
            self.line("else");
            self.block(|g| g.statements());
        }
        self.line("end");
    }

    fn looped(&mut self, head: &str, end: &str, names: &[&str]) {
        self.line(head);
        self.function.loops += 1;
        self.block(|g| {
            g.line("tick(4)");
            for name in names {
                g.declare((*name).into(), Kind::Fixed);
            }
            g.statements();
            if g.dialect > Dialect::Lua51 && g.input.one_in(6) {
                g.line("goto continue");
                g.line("::continue::");
            }
        });
        self.function.loops -= 1;
        self.line(end);
    }

    fn numeric_for(&mut self) {
        let name = self.fresh();
        let (from, to) = (
            self.input.pick(vocabulary::limits(self.dialect)),
            self.input.pick(vocabulary::limits(self.dialect)),
        );
        let step = match self.input.below(3) {
            0 => String::new(),
            1 => format!(", {}", self.input.pick(vocabulary::steps(self.dialect))),
            _ => format!(", {}", self.scalar(1)),
        };
        // An extreme range is left after a few rounds.
        self.looped(
            &format!(
                "for {name} = {from}, {to}{step} do if num(g3) == 7 then break end g3 = num(g3) + 1"
            ),
            "end g3 = nil",
            &[&name],
        );
    }

    fn conditional_loop(&mut self) {
        let condition = self.expression(2);
        if self.input.one_in(2) {
            self.looped("repeat", &format!("until {condition}"), &[]);
        } else {
            self.looped(&format!("while {condition} do"), "end", &[]);
        }
    }

    fn generic_for(&mut self) {
        let (k, v) = (self.fresh(), self.fresh());
        match self.input.below(6) {
            0 => {
                let sequence = self.variable(|k| k == Kind::Sequence);
                let of = sequence.unwrap_or_else(|| "{4, 5}".into());
                // A copy: the body may change the sequence.
                self.looped(
                    &format!("for {k}, {v} in ipairs({{{}({of})}}) do", self.unpack()),
                    "end",
                    &[&k, &v],
                );
            }
            1 => {
                let of = self.prefix(1);
                self.line(&format!("g2 = 0 for {k}, {v} in pairs({of}) do tick(1) g2 = num(g2) + num({k}) * 3 + num({v}) end g2 = num(g2)"));
            }
            2 => {
                let of = self.prefix(1);
                self.line(&format!(
                    "for {k} in pairs({of}) do tick(1); ({of})[{k}] = nil end"
                ));
            }
            3 => {
                let text = self.scalar(1);
                self.looped(
                    &format!("for {k}, {v} in tostring({text}):gmatch(\"(.)(.?)\") do"),
                    "end",
                    &[&k, &v],
                );
            }
            4 => {
                // An iterator of its own, with a closing value; it yields where the loop may.
                let yields = if self.function.can_yield && self.dialect > Dialect::Lua51 {
                    "coroutine.yield(i)"
                } else {
                    ""
                };
                let closing = self.input.pick(&[
                    "nil",
                    "setmetatable({}, {__close = function(_, e) out(\"end of loop\", e) end})",
                    "1",
                ]);
                // 5.4.4 does not close the loop's value when a `break` leaves a block with another one.
                let outside = self.function.closing_loop;
                self.function.closing_loop |= closing.starts_with("setmetatable");
                let head = format!(
                    "for {k}, {v} in function(n, i) tick(4) {yields} if i < n then return i + 1, i * i end end, 3, 0, {closing} do"
                );
                self.looped(&head, "end", &[&k, &v]);
                self.function.closing_loop = outside;
            }
            _ => {
                let list = self.list(2);
                self.looped(
                    &format!(
                        "for {k}, {v} in {} do",
                        if list.is_empty() { "a" } else { &list }
                    ),
                    "end",
                    &[&k, &v],
                );
            }
        }
    }

    fn local_function(&mut self) {
        let name = self.fresh();
        let params = self.input.below(4);
        match self.input.below(3) {
            0 => {
                // Visible in its own body.
                self.declare(name.clone(), Kind::Function);
                let text = self.function_literal(params);
                self.line(&format!("local function {name}{text}"));
            }
            1 => {
                let text = self.function_literal(params);
                self.line(&format!("local {name} = function{text}"));
                self.declare(name, Kind::Function);
            }
            _ => {
                let of = self
                    .variable(|k| k == Kind::Table)
                    .unwrap_or_else(|| "t".into());
                let separator = self.input.pick(&[".", ":"]);
                let field = self.input.pick(&["x", "f", "len"]);
                let text = self.function_literal(params);
                self.line(&format!("function {of}{separator}{field}{text}"));
            }
        }
    }

    /// `pcall` and `xpcall`, around a function that may do what the function around it may.
    fn protected(&mut self) {
        let function = Function {
            vararg: self.input.one_in(3),
            loops: 0,
            closing_loop: false,
            // Only ours yields across `pcall` in 5.1.
            can_yield: self.function.can_yield && self.dialect > Dialect::Lua51,
        };
        let text = self.function_text(&["p"], function, |g| {
            g.statements();
            if g.input.one_in(2) {
                g.raise();
            } else {
                g.return_statement();
            }
        });
        let mut arguments = self.list(1);
        let with_handler = self.input.one_in(3);
        if with_handler && self.dialect == Dialect::Lua51 {
            // Only ours passes them on.
            arguments.clear();
        }
        let comma = if arguments.is_empty() { "" } else { ", " };
        if with_handler {
            let handler = self.input.pick(&[
                "function(m) return \"handled \" .. str(m) end",
                "function(m) out(m) return m, 2 end",
                "str",
                "nil",
            ]);
            self.line(&format!(
                "out(xpcall(function{text}, {handler}{comma}{arguments}))"
            ));
        } else {
            self.line(&format!("out(pcall(function{text}{comma}{arguments}))"));
        }
    }

    fn raise(&mut self) {
        let text = match self.input.below(7) {
            0 => "error(\"e\")".into(),
            // A function that was tail called is a level of its own in 5.1.
            1 if self.dialect == Dialect::Lua51 => {
                format!("error(\"e\", {})", self.input.pick(&["0", "1"]))
            }
            1 => format!("error(\"e\", {})", self.input.pick(&["0", "1", "2", "3"])),
            2 => "error({1})".into(),
            3 => "error()".into(),
            4 => format!("error({})", self.atom()),
            5 => format!("local x = {} ; x.y.z = 1", self.atom()),
            // Ours takes any message in 5.1, as LuaJIT does.
            _ if self.dialect == Dialect::Lua51 => {
                let (value, message) = (self.expression(1), self.atom());
                format!("assert({value}, str({message}))")
            }
            _ => format!("assert({})", self.list(1)),
        };
        self.line(&text);
    }

    fn jumps(&mut self) {
        let label = self.fresh();
        let condition = self.expression(2);
        match self.input.below(4) {
            // Forward, out of blocks.
            0 => {
                self.line(&format!("do if {condition} then goto {label} end"));
                self.block(|g| g.statements());
                self.line(&format!("::{label}:: end"));
            }
            // Backward, with a variable that is captured anew every time round.
            1 => {
                self.line(&format!("do local n = 0 ; ::{label}:: tick(4)"));
                self.block(|g| {
                    g.line("local n1 = n ; local function keep() n1 = n1 + 1 return n1 end");
                    g.declare("keep".into(), Kind::Function);
                    g.statements();
                });
                self.line(&format!(
                    "out(n, keep()) n = n + 1 if n < 3 and {condition} then goto {label} end end"
                ));
            }
            2 => {
                self.line(&format!("while true do tick(4) do goto {label} end"));
                self.block(|g| g.statements());
                self.line(&format!("::{label}:: break end"));
            }
            // Into the scope of a local, which is an error unless the label ends the block.
            _ => {
                self.line(&format!("do goto {label} local v = 1"));
                let tail = self.input.pick(&["", "; ", "", "out(v) "]);
                self.line(&format!("::{label}:: {tail}end"));
            }
        }
    }

    fn closing(&mut self) {
        let name = self.fresh();
        self.line("do");
        self.block(|g| {
            let value = match g.input.below(6) {
                0 => "nil".into(),
                1 => "false".into(),
                2 => g.atom(),
                3 => format!("setmetatable({{}}, {{__close = function(o, e) out(\"close {name}\", e) error(\"in close\", 0) end}})"),
                4 => format!("setmetatable({{}}, {{__close = function{}}})", g.function_literal(2)),
                _ => format!("setmetatable({{}}, {{__close = function(o, e) out(\"close {name}\", e) end}})"),
            };
            g.line(&format!("local {name} <close> = {value}"));
            g.declare(name.clone(), Kind::Fixed);
            g.statements();
            if g.function.loops > 0 && g.input.one_in(3) {
                g.line("break");
            }
        });
        self.line("end");
    }

    fn coroutine(&mut self) {
        let name = self.fresh();
        let function = Function {
            vararg: self.input.one_in(3),
            can_yield: true,
            loops: 0,
            closing_loop: false,
        };
        let text = self.function_text(&["p", "q"], function, |g| {
            g.statements();
            if g.dialect > Dialect::Lua51 && g.input.one_in(3) {
                let value = g.expression(2);
                // A metamethod that yields, used here and nowhere else.
                g.line(&format!("out(setmetatable({{}}, {{__add = function(x, y) return coroutine.yield(y) end}}) + ({value}))"));
            }
            if g.input.one_in(4) {
                g.line("for i = 1, 3 do tick(4) coroutine.yield(i, p) end");
            }
            if g.input.one_in(5) {
                g.raise();
            } else {
                g.return_statement();
            }
        });
        if self.input.one_in(3) {
            self.line(&format!("local {name} = coroutine.wrap(function{text})"));
            for _ in 0..self.input.below(4) {
                let list = self.list(1);
                self.line(&format!(
                    "out(pcall({name}{}{list}))",
                    if list.is_empty() { "" } else { ", " }
                ));
            }
            return;
        }
        self.line(&format!("local {name} = coroutine.create(function{text})"));
        for _ in 0..self.input.below(4) {
            let list = self.list(1);
            self.line(&format!(
                "out(coroutine.resume({name}{}{list}))",
                if list.is_empty() { "" } else { ", " }
            ));
        }
        if self.dialect.has_attributes() && self.input.one_in(2) {
            self.line(&format!(
                "out(coroutine.close({name}), coroutine.status({name}))"
            ));
        } else {
            self.line(&format!("out({name}, coroutine.status({name}))"));
        }
    }

    fn sequence(&mut self) {
        let Some(s) = self.variable(|k| k == Kind::Sequence) else {
            return;
        };
        let value = format!("nn(clip({}))", self.expression(2));
        let (at, other) = (self.number(), self.number());
        let text = match self.input.below(14) {
            0 => format!("table.insert({s}, {value})"),
            // 5.1 takes any position, and leaves holes.
            1 if self.dialect == Dialect::Lua51 => format!(
                "do local q = {{1, 2}} out(pcall(table.insert, q, {}, 1)) out(q) end",
                self.input
                    .pick(&["1", "2", "0", "-2", "3", "5", "2.5", "\"1\"", "nil"])
            ),
            1 => format!("out(pcall(table.insert, {s}, {at}, 1))"),
            2 => format!("out(table.remove({s}))"),
            3 => format!("if #{s} > 0 then out(table.remove({s}, 1)) end"),
            4 => format!("if #{s} < 50 then {s}[#{s} + 1] = {value} end"),
            5 => format!("out(pcall(table.concat, {s}, \"-\", {at}, 3))"),
            6 => format!("out(#{s}, {s}[#{s}])"),
            7 => format!(
                "out(pcall({}, {s}, {}, 3))",
                self.unpack(),
                self.small_number()
            ),
            8 | 12 if !self.dialect.has_integers() => format!("out(#{s}, {s}[{at}])"),
            8 => format!(
                "out(table.move({{1, 2, 3}}, 1, 3, {}, {{}}))",
                self.input.below(4)
            ),
            9 => {
                let name = self.fresh();
                self.line(&format!(
                    "local {name} = {{5, 3, num({value}), 8, num({at}), 1}}"
                ));
                let order = self.input.pick(&["", ", function(x, y) return x > y end"]);
                self.line(&format!("table.sort({name}{order})"));
                self.line(&format!("out({name})"));
                return;
            }
            10 => format!("out(select({at}, {}({s})))", self.unpack()),
            11 => format!("out(pcall(select, {at}, {other}, 1))"),
            12 => format!("out(pcall(table.move, {s}, {at}, {other}, 1, {{}}))"),
            _ => format!("for i = #{s}, 1, -1 do {s}[i] = nil end"),
        };
        // Wide ranges are slow or fill the memory on both sides.
        if text.contains("table.move") && (at.len() > 3 || other.len() > 3) {
            return;
        }
        self.line(&text);
    }

    fn loaded(&mut self) {
        let code = match self.input.below(4) {
            0 => format!("return {}", self.scalar(2)),
            1 => format!("local x = {} ; return x .. ...", self.scalar(1)),
            2 => "return function() return g1 end".into(),
            _ => format!("return return {}", self.scalar(1)),
        };
        let argument = self.scalar(1);
        if self.dialect == Dialect::Lua51 {
            let name = self.input.pick(&["", ", \"=l\"", ", \"@l\""]);
            let environment = self
                .input
                .pick(&["", "if f then setfenv(f, {g1 = 5}) end "]);
            self.line(&format!(
                "do local f, m = loadstring({code:?}{name}) {environment}out(m, f and pcall(f, {argument})) end"
            ));
            return;
        }
        let environment = self.input.pick(&["", ", \"=l\", \"t\", {g1 = 5}"]);
        self.line(&format!(
            "do local f, m = load({code:?}{environment}) out(m, f and pcall(f, {argument})) end"
        ));
    }

    /// Another `_ENV`, as a variable or a parameter; or the environment of a function.
    fn environment(&mut self) {
        const FIELDS: &str = "tick = tick, out = out, clip = clip, nn = nn, num = num, str = str, len = len, pcall = pcall";
        if self.dialect == Dialect::Lua51 {
            let text = self.function_text(&["p"], self.function_without_yields(), |g| {
                g.line(&format!("setfenv(1, {{{FIELDS}, g1 = 11}})"));
                g.statements();
                g.return_statement();
            });
            self.line(&format!("out(pcall(function{text}, g1))"));
        } else if self.input.one_in(2) {
            let attribute = if self.dialect.has_attributes() {
                " <const>"
            } else {
                ""
            };
            self.line(&format!("do local _ENV{attribute} = {{{FIELDS}, g1 = 11}}"));
            self.block(|g| g.statements());
            self.line("end");
        } else {
            let value = self.expression(1);
            self.line(&format!("out(pcall(function(_ENV) g2 = {value} return g1, g2 end, {{g1 = 12, clip = clip, len = len}}))"));
        }
    }
}
