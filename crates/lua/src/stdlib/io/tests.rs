//! The `io` and `os` libraries as scripts see them. Every expectation is what the reference's `lua` (5.4) says.

use crate::stdlib::string::tests::check as check_plain;

/// Runs a script that adds to its answer what it finds, with a file name of its own.
#[track_caller]
fn check(body: &str, expected: &str) {
    let script = PRELUDE.replace("BODY", body);
    check_plain(&script, expected);
}

const PRELUDE: &str = r##"local name = os.tmpname() local function put(text) local f = io.open(name, "wb") f:write(text) f:close() end
local out = {} local function add(...) for i = 1, select("#", ...) do local v = select(i, ...) out[#out + 1] = (io.type(v) or tostring(v)):gsub("0x%x+", "ADDR"):gsub(name, "NAME", 1) end end
BODY
os.remove(name) return table.concat(out, " ")"##;

#[test]
fn files() {
    check(
        r#"local f = io.open(name, "w") add(f:write("one\n", 2, " ", 3.0, " ", 2^53, "\n"), f:seek(), f:seek("set", 1), f:seek("cur", 1), f:seek("end"), f:flush(), f:setvbuf("no"), f:setvbuf("full", 10), f:close(), f, tostring(f), pcall(f.read, f))"#,
        r#"closed file 27 1 2 27 true true true true closed file file (closed) false attempt to use a closed file"#,
    );
    check(
        r#"put("first\nsecond\n\nlast") local f = io.open(name) add(f:read(), f:read("L"), f:read("l"), f:read(2, 0), f:read("a"), f:read("a"), f:read(0), f:read("l"), f:read(1), f:read("n"))"#,
        r#"first second
  la st  nil nil nil nil"#,
    );
    check(
        r#"put("12 0x1F -3.5e2 .5 0x.8p1 nan") local f = io.open(name) add(f:read("n", "n", "n", "n", "n", "n")) put("1e+ 2") f = io.open(name) add(f:read("n", "n")) put("- 5") f = io.open(name) add(f:read("n")) add(f:read("n")) put(("1"):rep(300)) f = io.open(name) add(f:read("n")) add(#f:read("a"))"#,
        r#"12 31 -350.0 0.5 1.0 nil nil nil 5 nil 100"#,
    );
    check(
        r#"put("a\nb\n\nc") for l in io.lines(name) do add(l) end for l in io.lines(name, "L") do add((l:gsub("\n", "|"))) end for a, b in io.lines(name, 1, "l") do add(a, b) end local f = io.open(name) for l in f:lines() do add(l) end add(f:read("a"))"#,
        r#"a b  c a| b| | c a  b  
 c a b  c "#,
    );
    check(
        r#"local it, a, b, f = io.lines(name) add(type(it), a, b, f) add(it()) add(f) add(pcall(it))"#,
        r#"function nil nil file closed file false file is already closed"#,
    );
    check(
        r#"add(pcall(io.open, name, "rb+")) add(pcall(io.open, name, "")) add(io.open("/nonexistent/x")) add(io.open("/tmp", "w")) add(io.open("/tmp"):read(1)) add(pcall(io.lines, "/nonexistent/x")) add(pcall(io.lines, name, "x"))"#,
        r#"false bad argument #2 to 'io.open' (invalid mode) false bad argument #2 to 'io.open' (invalid mode) nil /nonexistent/x: No such file or directory 2 nil /tmp: Is a directory 21 nil Is a directory 21 false cannot open file '/nonexistent/x' (No such file or directory) true function: ADDR nil nil file"#,
    );
    check(
        r#"put("0123456789") local f = io.open(name, "r+") add(f:read(3)) f:seek("cur", 0) f:write("ab") f:seek("cur", 0) add(f:read("a")) f:seek("set", 0) add(f:read("a"), f:seek("set", -1)) add(f:seek("end", 5)) f:close() f = io.open(name, "a+") f:write("!") f:seek("set") add(f:read("a")) f = io.open(name, "w+") f:write("xy") f:seek("set") add(f:read("a"))"#,
        r#"012 56789 012ab56789 nil Invalid argument 22 15 012ab56789! xy"#,
    );
    check(
        r#"add(io.open(name):write("x")) add(io.open(name, "w"):read(1)) add(io.open(name, "w"):read("a")) add(pcall(io.open(name, "w"):lines()))"#,
        r#"nil Bad file descriptor 9 nil Bad file descriptor 9 nil Bad file descriptor 9 false Bad file descriptor"#,
    );
    check(
        r#"local f = io.open(name, "w") add(io.output(f) == f, io.write("deflt"), io.close()) add(pcall(io.write, "x")) io.output(io.stdout) add(io.input(name), io.read(2), io.read("a"), io.close(io.input())) add(pcall(io.read)) io.input(io.stdin)"#,
        r#"true closed file true false default output file is closed closed file de flt true false default input file is closed"#,
    );
    check(
        r#"do local f <close> = io.open(name) out.f = f end add(out.f, getmetatable(out.f).__name) add(pcall(getmetatable(out.f).__gc)) add(pcall(io.close, 1)) add(io.type(nil), pcall(io.type))"#,
        r#"closed file FILE* false bad argument #1 to '?' (FILE* expected, got no value) false bad argument #1 to 'io.close' (FILE* expected, got number) nil false bad argument #1 to 'io.type' (value expected)"#,
    );
    check(
        r#"local f = io.tmpfile() add(f:write("abc"):seek("set", 1), f:read("a"))"#,
        r#"1 bc"#,
    );
    check(
        r#"local p = io.popen("echo out; exit 3") add(p:read("a"), p:close()) p = io.popen("cat > " .. name, "w") add(p:write("piped"), p:close()) add(io.open(name):read("a")) add(pcall(io.popen, "x", "rw")) add(io.popen("kill -9 $$"):close()) p = io.popen("true") add(p:seek()) p:close()"#,
        r#"out
 nil exit 3 closed file true exit 0 piped false bad argument #2 to 'io.popen' (invalid mode) nil signal 9 nil Illegal seek 29"#,
    );
    check(
        r#"local f = io.open(name, "w") for i = 1, 3000 do f:write(i, "\n") end f:close() local n, s = 0, 0 for l in io.lines(name, "n") do n = n + 1 s = s + l end add(n, s) add(#io.open(name):read("a")) f = io.open(name) local k = 0 while true do local c = f:read(1000) if not c then break end k = k + #c end add(k)"#,
        r#"3000 4501500 13893 13893"#,
    );
    check(
        r#"add(pcall(io.open(name).read, io.open(name), 1 << 40)) add(pcall(io.lines, name, table.unpack({}, 1, 251)))"#,
        r#"false not enough memory false bad argument #252 to 'io.lines' (too many arguments)"#,
    );
}

#[test]
fn operating_system() {
    check(
        r#"add(os.date("!%Y-%m-%d %H:%M:%S", 1e9 // 1 | 0), os.date("!%c", 0), os.date("!%x %X %p", 86399), os.date("!%%|%t|%n", 0))"#,
        r#"2001-09-09 01:46:40 Thu Jan  1 00:00:00 1970 01/01/70 23:59:59 PM %|	|
"#,
    );
    check(
        r#"local t = os.date("!*t", 1234567890) add(t.year, t.month, t.day, t.hour, t.min, t.sec, t.wday, t.yday, t.isdst)"#,
        r#"2009 2 13 23 31 30 6 44 false"#,
    );
    check(
        r#"for _, f in ipairs{"%Q", "%Ez", "%", "%O", "x%Ey%5"} do add(pcall(os.date, f)) end"#,
        r#"false bad argument #1 to 'os.date' (invalid conversion specifier '%Q') false bad argument #1 to 'os.date' (invalid conversion specifier '%Ez') false bad argument #1 to 'os.date' (invalid conversion specifier '%') false bad argument #1 to 'os.date' (invalid conversion specifier '%O') false bad argument #1 to 'os.date' (invalid conversion specifier '%5')"#,
    );
    check(
        r#"for _, t in ipairs{{}, {year = 2000}, {year = 2000, month = 1}, {year = 2000, month = "x", day = 1}, {year = 2000, month = 1.5, day = 1}, {year = 1 << 40, month = 1, day = 1}, {year = 2000, month = 1 << 31, day = 1}, {year = 2000, month = 1, day = -(1 << 31) - 1}} do add(pcall(os.time, t)) end"#,
        r#"false field 'year' missing in date table false field 'month' missing in date table false field 'day' missing in date table false field 'month' is not an integer false field 'month' is not an integer false field 'year' is out-of-bound true 5647337477467200 false field 'day' is out-of-bound"#,
    );
    check(
        r#"local t = setmetatable({month = 1}, {__index = {year = 2020, day = 2}}) add(os.time(t) == os.time{year = 2020, month = 1, day = 2}, rawget(t, "year"))"#,
        r#"true 2020"#,
    );
    check(
        r#"local t = {year = 2021, month = 14, day = -3, hour = 25, min = 61, sec = 61} os.time(t) add(t.year, t.month, t.day, t.hour, t.min, t.sec, t.wday, t.yday) add(os.time(os.date("*t", 1e9 // 1 | 0)))"#,
        r#"2022 1 29 2 2 1 7 29 1000000000"#,
    );
    check(
        r#"add(pcall(os.date, "*t", 1.5)) add(pcall(os.date, "!%H", 1 << 62)) add(os.date("!%Y", 1 << 55)) add(pcall(os.date, "%c", {}))"#,
        r#"false bad argument #2 to 'os.date' (number has no integer representation) false date result cannot be represented in this installation 1141709097 false bad argument #2 to 'os.date' (number expected, got table)"#,
    );
    check(
        r#"add(os.difftime(5, 3), pcall(os.difftime, 1)) add(os.getenv("LUA_TEST_NOT_SET")) add(pcall(os.getenv)) add(type(os.clock()), math.type(os.time()))"#,
        r#"2.0 false bad argument #2 to 'os.difftime' (number expected, got no value) nil false bad argument #1 to 'os.getenv' (string expected, got no value) number integer"#,
    );
    check(
        r#"add(os.execute(), os.execute("exit 3")) add(os.execute("true")) add(os.execute("kill -9 $$"))"#,
        r#"true nil exit 3 true exit 0 nil signal 9"#,
    );
    check(
        r#"add(os.remove(name)) add(os.remove(name)) add(os.rename(name, name .. "x")) put("x") add(os.rename(name, name .. "x")) add(os.remove(name .. "x")) add(os.remove("/tmp/" .. name:match("[^/]*$") .. "/"))"#,
        r#"true nil NAME: No such file or directory 2 nil No such file or directory 2 true true nil NAME/: No such file or directory 2"#,
    );
    check(
        r#"add(os.setlocale(), os.setlocale("C"), os.setlocale(nil, "time"), os.setlocale("xx"), pcall(os.setlocale, "C", "zz"))"#,
        r#"C C C nil false bad argument #2 to 'os.setlocale' (invalid option 'zz')"#,
    );
    check(
        r#"add(pcall(os.exit, "x"))"#,
        r#"false bad argument #1 to 'os.exit' (number expected, got string)"#,
    );
}
