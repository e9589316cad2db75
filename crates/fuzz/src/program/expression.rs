//! Expressions of generated programs.

use rille_lua::Dialect;

use super::generate::{Function, Generator, Kind};
use super::vocabulary;

const FIELDS: [&str; 6] = ["x", "y", "k", "n", "f", "len"];
pub(super) const EVENTS: [&str; 22] = [
    "__index",
    "__newindex",
    "__call",
    "__add",
    "__sub",
    "__mul",
    "__div",
    "__mod",
    "__pow",
    "__unm",
    "__idiv",
    "__band",
    "__bor",
    "__bxor",
    "__shl",
    "__shr",
    "__bnot",
    "__concat",
    "__len",
    "__eq",
    "__lt",
    "__le",
];
const PATTERNS: [&str; 15] = [
    ".",
    "%a+",
    "%d*",
    "(.)(.)",
    "^%s*(.-)%s*$",
    "[%w_]-x",
    "()",
    "%f[%w]%w+",
    "%b()",
    "l+",
    "o$",
    "[^a-z]",
    "(h)(e)(l)%3",
    "",
    "%z",
];

impl Generator<'_, '_> {
    /// A literal number.
    pub fn number(&mut self) -> String {
        match self.input.below(4) {
            0 | 1 => self.input.pick(vocabulary::integers(self.dialect)).into(),
            2 => self.input.pick(vocabulary::floats(self.dialect)).into(),
            _ => match self.input.integer() {
                i64::MIN if self.dialect.has_integers() => "math.mininteger".into(),
                number => number.to_string(),
            },
        }
    }

    /// What has no parts: literals and variables.
    pub fn atom(&mut self) -> String {
        match self.input.below(12) {
            0 => self.input.pick(vocabulary::integers(self.dialect)).into(),
            1..=5 => self
                .variable(|k| k != Kind::Sequence)
                .unwrap_or_else(|| "nil".into()),
            6 => self.number(),
            7 => self.input.pick(vocabulary::strings(self.dialect)).into(),
            8 => self.input.pick(&["nil", "true", "false"]).into(),
            9 => self.input.pick(&["g1", "g2", "g3"]).into(),
            10 if self.function.vararg => "(...)".into(),
            _ => match self.variable(|k| k == Kind::Sequence) {
                Some(s) => format!(
                    "{s}[{}]",
                    self.input
                        .pick(&["1", "2", "#S", "0", "-1"])
                        .replace('S', &s)
                ),
                None => "nil".into(),
            },
        }
    }

    /// Something made of literals and operators alone: never a table, so it may be measured and formatted freely.
    pub fn scalar(&mut self, depth: u32) -> String {
        if depth == 0 || !self.may_grow() {
            return match self.input.below(3) {
                0 => self.number(),
                1 => self.input.pick(vocabulary::strings(self.dialect)).into(),
                _ => self.input.pick(vocabulary::integers(self.dialect)).into(),
            };
        }
        let left = self.scalar(depth - 1);
        match self.input.below(4) {
            // Folded, it may be a minus zero (see `vocabulary::floats`).
            0 if self.dialect == Dialect::Lua51 => format!("0 - ({left})"),
            0 => format!("-({left})"),
            1 => format!("#tostring({left})"),
            _ => {
                let op = self.input.pick(vocabulary::binary_of_scalars(self.dialect));
                let right = self.scalar(depth - 1);
                format!("({left}) {op} ({right})")
            }
        }
    }

    /// Any expression, as a single value.
    pub fn expression(&mut self, depth: u32) -> String {
        if depth == 0 || !self.may_grow() {
            return self.atom();
        }
        let d = depth - 1;
        match self.input.below(20) {
            0..=2 => self.atom(),
            3..=6 => self.binary(d),
            7 => {
                let op = self.input.pick(vocabulary::unary(self.dialect));
                let operand = self.operand(d);
                let plain = operand.starts_with(|c: char| c.is_ascii_alphabetic());
                if self.dialect == Dialect::Lua51 && !plain {
                    // Not folded: see `vocabulary::floats`.
                    format!("{op}nn({operand})")
                } else {
                    format!("{op}{operand}")
                }
            }
            8 | 9 => self.indexed(d),
            10 | 11 => self.call(d),
            12 => {
                let params = self.input.pick(&[0, 1, 2]);
                format!("function{}", self.function_literal(params))
            }
            13 => self.table(d),
            14 => self.string_call(d),
            15 => self.math_call(d),
            16 => self.base_call(d),
            17 => format!("({})", self.expression(d)),
            18 if self.input.one_in(2) => self.expression_of_version(d),
            18 if self.function.can_yield => format!("(coroutine.yield({}))", self.list(d)),
            18 => self.scalar(depth.min(3)),
            _ => format!("len({})", self.expression(d)),
        }
    }

    /// An expression that can stand beside an operator.
    fn operand(&mut self, depth: u32) -> String {
        let text = self.expression(depth);
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if plain || self.input.one_in(6) {
            text
        } else {
            format!("({text})")
        }
    }

    fn binary(&mut self, depth: u32) -> String {
        let left = self.operand(depth);
        let op = self.input.pick(vocabulary::binary(self.dialect));
        let right = self.operand(depth);
        let space = if self.input.one_in(8) { "\n" } else { " " };
        // A function literal beside an operator needs its parentheses to end.
        let wrap = |text: String| {
            if text.contains('\n') {
                format!("({text})")
            } else {
                text
            }
        };
        format!("{} {op}{space}{}", wrap(left), wrap(right))
    }

    /// What can be indexed or called: a variable, a field of it, or anything in parentheses.
    pub fn prefix(&mut self, depth: u32) -> String {
        match self.input.below(4) {
            0..=2 => self
                .variable(|k| matches!(k, Kind::Table | Kind::Any | Kind::Function))
                .unwrap_or_else(|| "g1".into()),
            // On one line: which line a call is at, of several that its function takes, depends on the release.
            _ => format!("({})", self.expression(depth).replace('\n', " ")),
        }
    }

    pub fn indexed(&mut self, depth: u32) -> String {
        let of = self.prefix(depth);
        if self.input.one_in(3) {
            // 5.4.4 compiles comparisons as keys of captured tables wrongly, so only simple keys stand alone.
            let key = match self.input.below(2) {
                0 => self.atom(),
                _ => format!("clip({})", self.expression(depth)),
            };
            format!("{of}[ {key} ]")
        } else {
            format!("{of}.{}", self.input.pick(&FIELDS))
        }
    }

    /// A list of values; the last may be open (`...`, a call).
    pub fn list(&mut self, depth: u32) -> String {
        let mut items = Vec::new();
        for _ in 0..self.input.below(4) {
            items.push(format!("clip({})", self.expression(depth)));
        }
        if self.function.vararg && self.input.one_in(3) {
            items.push("...".into());
        }
        items.join(", ")
    }

    pub fn call(&mut self, depth: u32) -> String {
        let newline = if self.input.one_in(10) { "\n" } else { "" };
        match self.input.below(5) {
            0..=2 => {
                let f = self
                    .variable(|k| k == Kind::Function)
                    .unwrap_or_else(|| "out".into());
                let list = self.list(depth);
                format!("{f}({newline}{list})")
            }
            3 => {
                let object = self.prefix(depth);
                let (name, list) = (self.input.pick(&FIELDS), self.list(depth));
                format!("{object}:{name}({newline}{list})")
            }
            _ => {
                let f = self.prefix(depth);
                let list = self.list(depth);
                format!("{f}({list})")
            }
        }
    }

    /// Parameters and body of a function whose value escapes, so it never yields.
    pub fn function_literal(&mut self, params: usize) -> String {
        let function = Function {
            vararg: self.input.one_in(3),
            can_yield: false,
            loops: 0,
            closing_loop: false,
        };
        let names = &["p", "q", "r"][..params];
        if !self.may_nest() {
            return format!(
                "({}) tick(30) return {} end",
                names.join(", "),
                names.first().unwrap_or(&"nil")
            );
        }
        self.function_text(names, function, |g| {
            if g.input.one_in(3) {
                g.statements();
            }
            g.return_statement();
        })
    }

    pub fn table(&mut self, depth: u32) -> String {
        let mut items = Vec::new();
        for _ in 0..self.input.below(5) {
            let value = self.expression(depth);
            items.push(match self.input.below(3) {
                0 => value,
                1 => format!("{} = {value}", self.input.pick(&FIELDS)),
                _ => format!("[nn({})] = {value}", self.scalar(1)),
            });
        }
        if self.function.vararg && self.input.one_in(4) {
            items.push("...".into());
        }
        let separator = self.input.pick(&[", ", "; "]);
        format!("{{{}}}", items.join(separator))
    }

    /// A table with a metatable whose handlers call user code.
    pub fn object(&mut self, depth: u32) -> String {
        let fields = self.table(depth);
        let mut events = Vec::new();
        for _ in 0..1 + self.input.below(5) {
            let event = self.input.pick(&EVENTS);
            let handler = match event {
                "__index" | "__newindex" if self.input.one_in(2) => self
                    .variable(|k| k == Kind::Table)
                    .unwrap_or_else(|| "nil".into()),
                _ if self.input.one_in(10) => self.atom(),
                _ => format!("function{}", self.function_literal(2)),
            };
            events.push(format!("{event} = {handler}"));
        }
        match self.input.below(8) {
            1 => events.push("__tostring = function() return \"object\" end".into()),
            2 => events.push("__metatable = \"locked\"".into()),
            3 => events.push("__name = \"Thing\"".into()),
            4 => events.push("__pairs = function(o) tick(30) return next, {k = 1}, nil end".into()),
            5 => events.push("__close = function(o, e) tick(30) out(\"closed\", e) end".into()),
            _ => {}
        }
        format!("setmetatable({fields}, {{{}}})", events.join(", "))
    }

    fn string_call(&mut self, depth: u32) -> String {
        let of = if self.input.one_in(2) {
            format!("str({})", self.expression(depth).replace('\n', " "))
        } else {
            format!("({})", self.input.pick(vocabulary::strings(self.dialect)))
        };
        let (i, j) = (self.atom(), self.number());
        let pattern = format!("\"{}\"", self.input.pick(&PATTERNS));
        match self.input.below(15) {
            0 => format!("{of}:len()"),
            1 => format!("{of}:sub({i}, {j})"),
            2 => format!("{of}:byte({i})"),
            // The separator came with 5.2.
            3 if self.dialect == Dialect::Lua51 => format!("{of}:rep({})", self.input.below(4)),
            3 => format!("{of}:rep({}, \",\")", self.input.below(4)),
            4 => format!("{of}:upper()"),
            5 => format!("{of}:reverse():lower()"),
            6 => format!("({of}:find({pattern}, {j}))"),
            7 => format!("{of}:match({pattern})"),
            8 => format!("{of}:gsub({pattern}, \"<%0>\")"),
            9 => format!("({of}:gsub({pattern}, function(m, n) return n and m .. \"!\" end))"),
            10 => format!("({of}:gsub({pattern}, {{a = 1, l = \"L\", h = false}}, {j}))"),
            11 => format!(
                "string.format(\"{}\", {})",
                self.input.pick(vocabulary::formats(self.dialect)),
                self.scalar(1)
            ),
            12 | 13 if !self.dialect.has_integers() => format!("{of}:gmatch({pattern})()"),
            12 => format!("utf8.char(({j} | 0) & 0xffff)"),
            13 => format!(
                "(utf8.len({of}, {}))",
                self.input.pick(&["1", "-1", "2", "9"])
            ),
            _ => format!("string.char({})", self.number()),
        }
    }

    fn math_call(&mut self, depth: u32) -> String {
        let x = self.expression(depth);
        let y = self.scalar(1);
        match self.input.below(13) {
            0 => format!("math.floor({x})"),
            1 => format!("math.ceil({x})"),
            2 => format!("math.abs({x})"),
            3 => format!("math.max({x}, {y})"),
            4 => format!("math.min({x}, {y})"),
            5 => format!("math.fmod({x}, {y})"),
            6..=8 if !self.dialect.has_integers() => format!(
                "math.{}({y}, {})",
                self.input.pick(&["pow", "ldexp"]),
                self.input.pick(&["2", "-1", "0.5", "\"3\""])
            ),
            6 => format!("math.tointeger({x})"),
            7 => format!("math.type({x})"),
            8 => format!("math.ult({x}, {y})"),
            9 => format!("(math.modf({x}))"),
            10 => format!("math.sqrt({x})"),
            11 => format!("tonumber({x})"),
            // A sign wraps around there (COMPATIBILITY.md).
            12 if self.dialect == Dialect::Lua51 => {
                let base = self.input.pick(&["10", "16", "36", "2", "37"]);
                format!("tonumber(str({x}):match(\"%w*\"), {base})")
            }
            _ => format!(
                "tonumber({x}, {})",
                self.input.pick(&["10", "16", "36", "2", "37"])
            ),
        }
    }

    fn base_call(&mut self, depth: u32) -> String {
        let x = self.expression(depth);
        let y = self.atom();
        match self.input.below(15) {
            0 => format!("type({x})"),
            1 => format!("str({x})"),
            2 => format!("rawequal({x}, {y})"),
            3 => format!("rawget({x}, {y})"),
            4 => format!("(pcall({x}, {y}))"),
            5 if self.dialect == Dialect::Lua51 => format!("assert({x}, str({y}))"),
            5 => format!("assert({x}, {y})"),
            6 => format!("num({x})"),
            7 if self.function.vararg => "select(\"#\", ...)".into(),
            8 if self.function.vararg => format!("(select({x}, ...))"),
            9 => format!("getmetatable({x})"),
            10 => format!("(next({{{x}}}) == nil)"),
            11 => format!("table.concat({{{x}, {y}}}, \",\", 1, 2)"),
            12 => format!(
                "({}({{{x}, {y}}}, {}, 2))",
                self.unpack(),
                self.small_number()
            ),
            13 if self.dialect == Dialect::Lua51 => {
                format!("(loadstring(\"return \" .. str({x}), \"=l\"))")
            }
            14 if self.dialect == Dialect::Lua51 => format!("select(\"#\", {x}, {y})"),
            13 => format!("(load(\"return \" .. str({x}), \"=l\"))"),
            _ => format!("table.pack({x}, {y}).n"),
        }
    }
}
