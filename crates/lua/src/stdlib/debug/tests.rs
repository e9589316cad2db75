//! The debug library and the names in error messages, as scripts see them. Every expectation is what the reference's
//! `lua` (5.4) says.

use crate::stdlib::string::tests::check as check_plain;
use crate::vm::tests::run;

/// The source as a long string of Lua.
fn quoted(source: &str) -> String {
    format!("[====[\n{source}]====]")
}

/// Checks what a chunk returns, run in a coroutine of its own: then its traceback ends with it.
#[track_caller]
fn check(source: &str, expected: &str) {
    let source = quoted(source);
    let run = "return select(2, coroutine.resume(coroutine.create(f)))";
    let script = format!("local f = assert(load({source}, '=t')) {run}");
    check_plain(&script, expected);
}

/// Chunks that fail, and their messages. (For a field of something else named `_ENV` the reference says `field` since
/// 5.4.7 only.)
const MESSAGES: &[(&str, &str)] = &[
    (
        r#"("x")()"#,
        r#"x:1: attempt to call a string value (constant 'x')"#,
    ),
    (
        r#"a.b.c = 1"#,
        r#"x:1: attempt to index a nil value (global 'a')"#,
    ),
    (
        r#"local a = {} a.b.c = 1"#,
        r#"x:1: attempt to index a nil value (field 'b')"#,
    ),
    (
        r#"local a = {} a[1].c = 1"#,
        r#"x:1: attempt to index a nil value (field 'integer index')"#,
    ),
    (
        r#"local a, k = {}, "q" a[k].c = 1"#,
        r#"x:1: attempt to index a nil value (field '?')"#,
    ),
    (
        r#"local a = {} a["x y"].z = 1"#,
        r#"x:1: attempt to index a nil value (field 'x y')"#,
    ),
    (
        r#"local a; local function f() return a.b end f()"#,
        r#"x:1: attempt to index a nil value (upvalue 'a')"#,
    ),
    (
        r#"local a = 1 a = nil; local function f() a.b = 1 end f()"#,
        r#"x:1: attempt to index a nil value (upvalue 'a')"#,
    ),
    (
        r#"local x = ("x").y.z"#,
        r#"x:1: attempt to index a nil value (field 'y')"#,
    ),
    (r#"return (nil).x"#, r#"x:1: attempt to index a nil value"#),
    (
        r#"return ({}).x.y"#,
        r#"x:1: attempt to index a nil value (field 'x')"#,
    ),
    (
        r#"local _ENV = {} return x.y"#,
        r#"x:1: attempt to index a nil value (global 'x')"#,
    ),
    (
        r#"local a = {_ENV = {}}; return a._ENV.x + 1"#,
        r#"x:1: attempt to perform arithmetic on a nil value (field 'x')"#,
    ),
    (
        r#"return ("_ENV").x + 1"#,
        r#"x:1: attempt to perform arithmetic on a nil value (field 'x')"#,
    ),
    (
        r#"local a = setmetatable({}, {__index = 10}) return a.x"#,
        r#"x:1: attempt to index a number value"#,
    ),
    (
        r#"nope()"#,
        r#"x:1: attempt to call a nil value (global 'nope')"#,
    ),
    (
        r#"local x; x()"#,
        r#"x:1: attempt to call a nil value (local 'x')"#,
    ),
    (
        r#"local t = {} t:nope()"#,
        r#"x:1: attempt to call a nil value (method 'nope')"#,
    ),
    (
        r#"local t = {} t.nope()"#,
        r#"x:1: attempt to call a nil value (field 'nope')"#,
    ),
    (
        r#"local t = {} t.a.b()"#,
        r#"x:1: attempt to index a nil value (field 'a')"#,
    ),
    (
        r#"local t = {{}} t[1].x()"#,
        r#"x:1: attempt to call a nil value (field 'x')"#,
    ),
    (
        r#"local t = {} t[{}]()"#,
        r#"x:1: attempt to call a nil value (field '?')"#,
    ),
    (r#"return (1)()"#, r#"x:1: attempt to call a number value"#),
    (
        r#"local a, b = 1 return ((a and b) or a)()"#,
        r#"x:1: attempt to call a number value"#,
    ),
    (
        r#"local a = nil; (a or a)()"#,
        r#"x:1: attempt to call a nil value"#,
    ),
    (
        r#"return ("x"):bad()"#,
        r#"x:1: attempt to call a nil value (method 'bad')"#,
    ),
    (
        r#"for x in 3 do end"#,
        r#"x:1: attempt to call a number value (for iterator 'for iterator')"#,
    ),
    (
        r#"local t = setmetatable({}, {__add = 34}) return t + 1"#,
        r#"x:1: attempt to call a number value (metamethod 'add')"#,
    ),
    (
        r#"local t = setmetatable({}, {__lt = {}}) return t < t"#,
        r#"x:1: attempt to call a table value (metamethod 'lt')"#,
    ),
    (
        r#"local t = setmetatable({}, {__close = 1}) do local c <close> = t end"#,
        r#"x:1: attempt to call a number value (metamethod 'close')"#,
    ),
    (
        r#"local function f() local c <close> = setmetatable({}, {__close = 1}) return 1 end f()"#,
        r#"x:1: attempt to call a number value (metamethod 'close')"#,
    ),
    (
        r#"local c <close> = 3"#,
        r#"x:1: variable 'c' got a non-closable value"#,
    ),
    (
        r#"return {} + 1"#,
        r#"x:1: attempt to perform arithmetic on a table value"#,
    ),
    (
        r#"local a = {} return 1 + a"#,
        r#"x:1: attempt to perform arithmetic on a table value (local 'a')"#,
    ),
    (
        r#"local a = {} return a.x + 1"#,
        r#"x:1: attempt to perform arithmetic on a nil value (field 'x')"#,
    ),
    (
        r#"local a = {} return 2 ^ a.x"#,
        r#"x:1: attempt to perform arithmetic on a nil value (field 'x')"#,
    ),
    (
        r#"local a = {} return -a.x"#,
        r#"x:1: attempt to perform arithmetic on a nil value (field 'x')"#,
    ),
    (
        r#"local a = {} return a.x & 1"#,
        r#"x:1: attempt to perform bitwise operation on a nil value (field 'x')"#,
    ),
    (
        r#"local a = "x" return a | 1"#,
        r#"x:1: attempt to perform bitwise operation on a string value (local 'a')"#,
    ),
    (
        r#"local a = 1.5 return a | 1"#,
        r#"x:1: number (local 'a') has no integer representation"#,
    ),
    (
        r#"local t = {a = 2^63} return 1 << t.a"#,
        r#"x:1: number (field 'a') has no integer representation"#,
    ),
    (
        r#"return 3.5 & 1"#,
        r#"x:1: number has no integer representation"#,
    ),
    (
        r#"return ~1.5"#,
        r#"x:1: number has no integer representation"#,
    ),
    (
        r#"return 1 .. {}"#,
        r#"x:1: attempt to concatenate a table value"#,
    ),
    (
        r#"local a = {} return a .. 1"#,
        r#"x:1: attempt to concatenate a table value (local 'a')"#,
    ),
    (
        r#"local a = {} return "x" .. a.b .. "y""#,
        r#"x:1: attempt to concatenate a nil value (field 'b')"#,
    ),
    (
        r#"return #nil"#,
        r#"x:1: attempt to get length of a nil value"#,
    ),
    (
        r#"local a = {} return #a.b"#,
        r#"x:1: attempt to get length of a nil value (field 'b')"#,
    ),
    (
        r#"return 1 < {}"#,
        r#"x:1: attempt to compare number with table"#,
    ),
    (
        r#"return {} <= {}"#,
        r#"x:1: attempt to compare two table values"#,
    ),
    (
        r#"return nil > 1"#,
        r#"x:1: attempt to compare number with nil"#,
    ),
    (
        r#"return "a" < 1"#,
        r#"x:1: attempt to compare string with number"#,
    ),
    (r#"return 1 // 0"#, r#"x:1: attempt to divide by zero"#),
    (r#"return 1 % 0"#, r#"x:1: attempt to perform 'n%0'"#),
    (
        r#"for i = {}, 10 do end"#,
        r#"x:1: bad 'for' initial value (number expected, got table)"#,
    ),
    (
        r#"for i = 1, "x" do end"#,
        r#"x:1: bad 'for' limit (number expected, got string)"#,
    ),
    (
        r#"for i = 1, 10, print do end"#,
        r#"x:1: bad 'for' step (number expected, got function)"#,
    ),
    (r#"for i = 1, 10, 0 do end"#, r#"x:1: 'for' step is zero"#),
    (
        r#"for i = 1.5, {} do end"#,
        r#"x:1: bad 'for' limit (number expected, got table)"#,
    ),
    (r#"local t = {} t[nil] = 1"#, r#"x:1: table index is nil"#),
    (r#"local t = {} t[0/0] = 1"#, r#"x:1: table index is NaN"#),
    (
        r#"string.rep()"#,
        r#"x:1: bad argument #1 to 'rep' (string expected, got no value)"#,
    ),
    (
        r#"("x"):rep()"#,
        r#"x:1: bad argument #1 to 'rep' (number expected, got no value)"#,
    ),
    (
        r#"("x").rep({})"#,
        r#"x:1: bad argument #1 to 'rep' (string expected, got table)"#,
    ),
    (
        r#"local s = string.rep s()"#,
        r#"x:1: bad argument #1 to 's' (string expected, got no value)"#,
    ),
    (
        r#"local t = {rep = string.rep} t:rep()"#,
        r#"x:1: calling 'rep' on bad self (string expected, got table)"#,
    ),
    (
        r#"string.rep("x", 1.5)"#,
        r#"x:1: bad argument #2 to 'rep' (number has no integer representation)"#,
    ),
    (
        r#"setmetatable(1, 2)"#,
        r#"x:1: bad argument #1 to 'setmetatable' (table expected, got number)"#,
    ),
    (
        r#"pcall(string.rep) string.rep("x", {})"#,
        r#"x:1: bad argument #2 to 'rep' (number expected, got table)"#,
    ),
    (
        r#"local t = setmetatable({}, {__index = string.rep}) return t.x"#,
        r#"x:1: bad argument #1 to 'index' (string expected, got table)"#,
    ),
    (
        r#"local t = setmetatable({}, {__add = string.rep}) return t + 1"#,
        r#"x:1: bad argument #1 to 'add' (string expected, got table)"#,
    ),
    (
        r#"for x in string.rep do end"#,
        r#"x:1: bad argument #1 to 'for iterator' (string expected, got nil)"#,
    ),
    (
        r#"error(select(2, pcall(string.rep)), 0)"#,
        r#"bad argument #1 to 'string.rep' (string expected, got no value)"#,
    ),
    (
        r#"error(select(2, pcall(pcall)), 0)"#,
        r#"bad argument #1 to 'pcall' (value expected)"#,
    ),
    (
        r#"local function f() return string.rep() end f()"#,
        r#"x:1: bad argument #1 to 'rep' (string expected, got no value)"#,
    ),
    (
        r#"return string.rep("x")"#,
        r#"x:1: bad argument #2 to 'rep' (number expected, got no value)"#,
    ),
    (
        r#"local Var local function main() NoSuchName(function() Var = 0 end) end main()"#,
        r#"x:1: attempt to call a nil value (global 'NoSuchName')"#,
    ),
];

#[test]
fn messages_name_what_is_wrong() {
    for (source, expected) in MESSAGES {
        let chunk = quoted(source);
        let script = format!("local f = assert(load({chunk}, '=x')) return select(2, pcall(f))");
        for stress in [false, true] {
            let (vm, result) = run(&script, stress);
            let values = result.unwrap_or_else(|e| panic!("{e}: {source}"));
            let text = values[0]
                .as_str()
                .map(|s| String::from_utf8_lossy(s.as_bytes()));
            assert_eq!(text.as_deref(), Some(*expected), "{source}");
            assert_eq!(vm.check_heap(), Vec::<String>::new(), "{source}");
        }
    }
}

#[test]
fn names_beyond_the_constants_an_instruction_reaches() {
    let mut filler = String::new();
    for i in 0..300 {
        filler.push_str(&format!("aaa = x{i}; "));
    }
    for (source, expected) in [
        (
            "aaa = bbb + 1",
            "perform arithmetic on a nil value (global 'bbb')",
        ),
        (
            "local t = {}; aaa = t.bbb + 1",
            "perform arithmetic on a nil value (field 'bbb')",
        ),
        ("local t = {}; t:bbb()", "call a nil value (method 'bbb')"),
        ("local t = {}; t.bbb()", "call a nil value (field 'bbb')"),
        ("bbb.c = 1", "index a nil value (global 'bbb')"),
    ] {
        let (_, result) = run(&format!("{filler} {source}"), false);
        let expected = format!("\"t:1: attempt to {expected}\"");
        assert_eq!(result.map(|_| ()), Err(expected), "{source}");
    }
}

#[test]
fn tracebacks() {
    check(
        r#"local function f() return debug.traceback("in f") end return (f())"#,
        r#"in f
stack traceback:
	t:1: in local 'f'
	t:1: in main chunk"#,
    );
    check(
        r#"local function f() return (debug.traceback()) end local t = {m = function() return (f()) end} local r = t:m() return r"#,
        r#"stack traceback:
	t:1: in upvalue 'f'
	t:1: in method 'm'
	t:1: in main chunk"#,
    );
    check(
        r#"function globalname() return (debug.traceback("m", 1)) end local r = globalname() globalname = nil return r"#,
        r#"m
stack traceback:
	t:1: in function 'globalname'
	t:1: in main chunk"#,
    );
    check(
        r#"local function f() return (debug.traceback("tail")) end local function g() return f() end local r = g() return r"#,
        r#"tail
stack traceback:
	t:1: in function <t:1>
	(...tail calls...)
	t:1: in main chunk"#,
    );
    check(
        r#"return select(2, xpcall(function() local x = nil; x.y = 1 end, debug.traceback))"#,
        r#"t:1: attempt to index a nil value (local 'x')
stack traceback:
	t:1: in function <t:1>
	[C]: in function 'xpcall'
	t:1: in main chunk"#,
    );
    check(
        r#"return select(2, xpcall(function() error("boom") end, debug.traceback))"#,
        r#"t:1: boom
stack traceback:
	[C]: in function 'error'
	t:1: in function <t:1>
	[C]: in function 'xpcall'
	t:1: in main chunk"#,
    );
    check(
        r#"return select(2, xpcall(string.rep, debug.traceback))"#,
        r#"bad argument #1 to 'string.rep' (string expected, got no value)
stack traceback:
	[C]: in function 'string.rep'
	[C]: in function 'xpcall'
	t:1: in main chunk"#,
    );
    check(
        r#"local t = setmetatable({}, {__add = function() return (debug.traceback("add")) end}) local r = t + 1 return r"#,
        r#"add
stack traceback:
	t:1: in metamethod 'add'
	t:1: in main chunk"#,
    );
    check(
        r#"local t = setmetatable({}, {__index = function() return (debug.traceback("index")) end}) local r = t.x return r"#,
        r#"index
stack traceback:
	t:1: in metamethod 'index'
	t:1: in main chunk"#,
    );
    check(
        r#"local r local t = setmetatable({}, {__close = function() r = debug.traceback("close") end}) do local c <close> = t
 end return r"#,
        r#"close
stack traceback:
	t:1: in metamethod 'close'
	t:1: in main chunk"#,
    );
    check(
        r#"local r for x in function(_, c) if not c then r = debug.traceback("iterator") return 1 end end do end return r"#,
        r#"iterator
stack traceback:
	t:1: in for iterator 'for iterator'
	t:1: in main chunk"#,
    );
    check(
        r#"local co = coroutine.create(function(a) local b = a; coroutine.yield(b); error("dead") end) local r = debug.traceback(co) coroutine.resume(co) r = r .. debug.traceback(co, "suspended") .. debug.traceback(co, nil, 1) coroutine.resume(co) return r .. debug.traceback(co, "dead")"#,
        r#"stack traceback:suspended
stack traceback:
	[C]: in function 'coroutine.yield'
	t:1: in function <t:1>stack traceback:
	t:1: in function <t:1>dead
stack traceback:
	[C]: in function 'error'
	t:1: in function <t:1>"#,
    );
    check(
        r#"local function deep(n) if n == 0 then return (debug.traceback("deep")) end local r = deep(n - 1) return r end local r = deep(30) return r"#,
        r#"deep
stack traceback:
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	...	(skipping 10 levels)
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in local 'deep'
	t:1: in main chunk"#,
    );
    check(
        r#"local function deep(n) if n == 0 then return (debug.traceback("deep", 3)) end local r = deep(n - 1) return r end local r = deep(22) return r"#,
        r#"deep
stack traceback:
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in upvalue 'deep'
	t:1: in local 'deep'
	t:1: in main chunk"#,
    );
    check(
        r#"local t = {} local r = debug.traceback(t) == t return tostring(r) .. debug.traceback(12, 100)"#,
        r#"true12
stack traceback:"#,
    );
}

#[test]
fn information_locals_and_upvalues() {
    check(
        r#"local function f(a, b, ...) return debug.getinfo(1, "nSlutr") end local i = f() local k = {} for n, v in pairs(i) do k[#k + 1] = n .. "=" .. tostring(v) end table.sort(k) return table.concat(k, " ")"#,
        r#"currentline=1 ftransfer=0 istailcall=false isvararg=true lastlinedefined=1 linedefined=1 name=f namewhat=local nparams=2 ntransfer=0 nups=1 short_src=t source==t what=Lua"#,
    );
    check(
        r#"local i = debug.getinfo(print) local k = {} for n, v in pairs(i) do if n ~= "func" then k[#k + 1] = n .. "=" .. tostring(v) end end table.sort(k) return table.concat(k, " ")"#,
        r#"currentline=-1 ftransfer=0 istailcall=false isvararg=true lastlinedefined=-1 linedefined=-1 namewhat= nparams=0 ntransfer=0 nups=0 short_src=[C] source==[C] what=C"#,
    );
    check(
        r#"local function f(...)
 local a = 1

 return a
end local k = {} for l in pairs(debug.getinfo(f, "L").activelines) do k[#k + 1] = l end table.sort(k) return table.concat(k, " ")"#,
        r#"2 4 5"#,
    );
    check(
        r#"return tostring(debug.getinfo(1000)) .. tostring(debug.getinfo(-1)) .. select(2, pcall(debug.getinfo, 1, "X")) .. select(2, pcall(debug.getinfo, 1, ">S")) .. select(2, pcall(debug.getinfo, {}))"#,
        r#"nilnilbad argument #2 to 'debug.getinfo' (invalid option)bad argument #2 to 'debug.getinfo' (invalid option '>')bad argument #1 to 'debug.getinfo' (number expected, got table)"#,
    );
    check(
        r#"local function f(a, b, ...) local c = 3 do local d = 4 end local r = "" for i = 1, 5 do local n, v = debug.getlocal(1, i) r = r .. tostring(n) .. "=" .. tostring(v) .. " " end for i = -1, -3, -1 do local n, v = debug.getlocal(1, i) r = r .. tostring(n) .. "=" .. tostring(v) .. " " end return r end local r = f(1, 2, 30, 40) return r"#,
        r#"a=1 b=2 c=3 r=a=1 b=2 c=3  (for state)=5 (vararg)=30 (vararg)=40 nil=nil "#,
    );
    check(
        r#"local function f(a, ...) local r = tostring(debug.setlocal(1, 1, "new")) .. tostring(debug.setlocal(1, -1, "extra")) .. tostring(debug.setlocal(1, 90, 1)) .. tostring(debug.setlocal(1, -5, 1)) return r .. a .. ... end local r = f(1, 2) return r"#,
        r#"a(vararg)nilnilnewextra"#,
    );
    check(
        r#"local n, v = debug.getlocal(0, 1) local m, w = debug.getlocal(0, 2) return n .. v .. m .. w .. tostring(debug.getlocal(0, 3)) .. tostring(debug.getlocal(0, 0))"#,
        r#"(C temporary)0(C temporary)2nilnil"#,
    );
    check(
        r#"local function f(a, b, ...) local c end return debug.getlocal(f, 1) .. debug.getlocal(f, 2) .. tostring(debug.getlocal(f, 3)) .. tostring(debug.getlocal(print, 1))"#,
        r#"abnilnil"#,
    );
    check(
        r#"return select(2, pcall(debug.getlocal, 100, 1)) .. select(2, pcall(debug.setlocal, 100, 1, 1)) .. select(2, pcall(debug.setlocal, 1, 1))"#,
        r#"bad argument #1 to 'debug.getlocal' (level out of range)bad argument #1 to 'debug.setlocal' (level out of range)bad argument #3 to 'debug.setlocal' (value expected)"#,
    );
    check(
        r#"local co = coroutine.create(function(x) local a = 1 coroutine.yield() return x, a end) coroutine.resume(co, 10) local n, v = debug.getlocal(co, 1, 2) debug.setlocal(co, 1, 1, "set") return n .. v .. select(2, coroutine.resume(co))"#,
        r#"a1set"#,
    );
    check(
        r##"local a, b = 1, 2 a = 3 b = 4 local function f() return a, b end local function g() a = a return a end local n, v = debug.getupvalue(f, 2) local s = debug.setupvalue(f, 1, "s") return n .. v .. s .. g() .. tostring(debug.upvalueid(f, 1) == debug.upvalueid(g, 1)) .. tostring(debug.upvalueid(f, 1) == debug.upvalueid(f, 2)) .. tostring(debug.upvalueid(f, 9)) .. select("#", debug.getupvalue(f, 9))"##,
        r#"b4astruefalsenil0"#,
    );
    check(
        r#"local a, b = 1, 2 a = 3 b = 4 local function f() return a end local function g() b = b return b end debug.upvaluejoin(f, 1, g, 1) b = 7 return f() .. tostring(debug.upvalueid(f, 1) == debug.upvalueid(g, 1)) .. select(2, pcall(debug.upvaluejoin, f, 1, f, 9)) .. select(2, pcall(debug.upvaluejoin, f, 1, string.gmatch("a", "a"), 1))"#,
        r#"7truebad argument #4 to 'debug.upvaluejoin' (invalid upvalue index)bad argument #3 to 'debug.upvaluejoin' (Lua function expected)"#,
    );
    check(
        r#"local t = debug.setmetatable(10, {__index = function(a, b) return b end}) local r = (5).foo debug.setmetatable(10, nil) return r .. t .. tostring(debug.getmetatable(10)) .. select(2, pcall(debug.setmetatable, 1)) .. select(2, pcall(debug.setmetatable, 1, 2))"#,
        r#"foo10nilbad argument #2 to 'debug.setmetatable' (nil or table expected, got no value)bad argument #2 to 'debug.setmetatable' (nil or table expected, got number)"#,
    );
    check(
        r#"return tostring(debug.setuservalue(io.stdout, 1)) .. tostring(debug.getuservalue(1)) .. select(2, pcall(debug.setuservalue, debug.upvalueid(function() return print end, 1), 2))"#,
        r#"nilnilbad argument #1 to 'debug.setuservalue' (userdata expected, got light userdata)"#,
    );
    check(
        r#"local s = load("\n\nreturn debug.getinfo(1, 'Sl')", "@file.lua")() return s.source .. s.short_src .. s.what .. s.currentline .. s.linedefined .. s.lastlinedefined"#,
        r#"@file.luafile.luamain300"#,
    );
    check(
        r#"local f = load(string.dump(load("local a = 1; return debug.traceback(), debug.getinfo(1, 'l').currentline, debug.getlocal(1, 1)"), true)) local a, b, c, d = f() return b .. c .. d"#,
        r#"-1(temporary)1"#,
    );
}

#[test]
fn captures_by_value_are_joined_by_copying() {
    // Never assigned after capture: each closure has a copy of its own.
    check_plain(
        "local a, b = 1, 2 local function f() return a end local function g() return b end
         debug.upvaluejoin(f, 1, g, 1) debug.setupvalue(g, 1, 'g') return f(), g(), a, b",
        "2 g 1 2",
    );
    // A shared one joined with a copy, both ways.
    check_plain(
        "local a, b = 1, 2 local function f() a = a return a end local function g() return b end
         debug.upvaluejoin(f, 1, g, 1) debug.upvaluejoin(g, 1, f, 1) return f(), g(), a, b",
        "2 2 1 2",
    );
}

#[test]
fn finalizers_have_a_name() {
    check_plain(
        "local name setmetatable({}, {__gc = function() local i = debug.getinfo(1, 'n') name = i.namewhat .. i.name end})
         repeat collectgarbage() until name return name",
        "metamethod__gc",
    );
}

#[test]
fn a_failed_coroutine_keeps_its_traceback_until_it_is_closed() {
    check_plain(
        "local closed local co = coroutine.create(function()
           local x <close> = setmetatable({}, {__close = function(_, e) closed = e end})
           local function f() error('e', 0) end f() end)
         coroutine.resume(co) collectgarbage()
         local before = debug.traceback(co) local name, v = debug.getlocal(co, 2, 1)
         local good, e = coroutine.close(co)
         return (before:gsub('%s+', ' ')), name, type(v), good, e, closed, debug.traceback(co)",
        "stack traceback: [C]: in function 'error' t:3: in local 'f' t:3: in function <t:1> x table false e e \
         stack traceback:",
    );
}

#[test]
fn hooks_are_remembered() {
    check_plain(
        "local f = function() end debug.sethook(f, 'lxr', 10) local a, b, c = debug.gethook()
         local co = coroutine.create(f) debug.sethook(co, f, 'c') local d = {debug.gethook(co)}
         debug.sethook() return a == f, b, c, d[1] == f, d[2], d[3], debug.gethook()",
        "true rl 10 true c 0 nil",
    );
}

#[test]
fn what_is_not_a_variable_cannot_be_replaced() {
    check_plain(
        "local hidden for i = 1, 3 do hidden = debug.setlocal(1, 2, 'x') end
         local in_native, in_table
         table.sort({3, 1, 2}, function(a, b) in_native = debug.setlocal(2, 1, 'x') or in_native return a < b end)
         local t = {1, 2, (function() for i = 1, 20 do
           local n, v = debug.getlocal(2, i) if n == '(temporary)' and type(v) == 'table' then in_table = debug.setlocal(2, i, 5) end
         end return 3 end)()}
         local iterator = string.gmatch('a', 'a')
         return hidden, in_native, in_table, #t, debug.setupvalue(iterator, 1, 5), iterator()",
        "nil nil nil 3 nil a",
    );
}
