//! The libraries of this folder and its neighbours as scripts see them. Every script runs whole, with a collection at each
//! allocation, and in slices of few instructions: the answers must be the same.

use crate::value::Val;
use crate::vm::Vm;
use crate::vm::entry::{Entry, Exit};
use crate::vm::tests::load;

/// Runs a script as a coroutine in slices; what it returned, shown, or its error.
fn run(source: &str, slice: i64, stress: bool) -> String {
    let (mut vm, closure) = load(source);
    let mut co = vm.new_thread().expect("memory");
    vm.scratch.push(Val::thread(co));
    co.set(1, Val::lua_closure(closure));
    co.top = 2;
    vm.heap.stress = stress;
    vm.heap.update_trigger();
    vm.heap.set_fuel(slice);
    let mut exit = vm.enter_thread(co, 0, Entry::Values);
    while matches!(exit, Exit::Preempted) {
        vm.heap.set_fuel(slice);
        exit = vm.enter_thread(co, 0, Entry::Again);
    }
    assert_eq!(vm.check_heap(), Vec::<String>::new(), "{source}");
    match exit {
        Exit::Done(from) => {
            let values: Vec<String> = (from..co.top as usize).map(|i| shown(co.get(i))).collect();
            values.join(" ")
        }
        Exit::Failed => shown(vm.thrown),
        other => format!("{other:?}"),
    }
}

fn shown(v: Val) -> String {
    match v.as_str() {
        Some(s) => String::from_utf8_lossy(s.as_bytes()).into_owned(),
        None => format!("{v:?}"),
    }
}

#[track_caller]
pub(crate) fn check(source: &str, expected: &str) {
    for (slice, stress) in [
        (i64::MAX / 4, false),
        (i64::MAX / 4, true),
        (1, false),
        (20, true),
        (300, false),
    ] {
        assert_eq!(
            run(source, slice, stress),
            expected,
            "{source}\nslice {slice}, stress {stress}"
        );
    }
}

#[test]
fn bytes() {
    check(
        "return ('hello'):sub(2, -2), ('hello'):sub(-3), ('hello'):sub(4, 2), ('x'):sub(math.mininteger, math.maxinteger)",
        "ell llo  x",
    );
    check(
        "return ('abc'):byte(-1), select('#', ('abc'):byte(0)), select('#', ('abc'):byte(10)), ('abc'):byte(1, -1)",
        "99 0 0 97 98 99",
    );
    check(
        "return string.char(72, '105'), #string.char(), pcall(string.char, 256)",
        "Hi 0 false bad argument #1 to 'char' (value out of range)"
            .replace("'char'", "'string.char'")
            .as_str(),
    );
    check(
        "return ('aB'):upper(), ('aB'):lower(), ('abc'):reverse(), ('a\\0b'):len()",
        "AB ab cba 3",
    );
    check(
        "local s = ('xY'):rep(100) return s:upper() == ('XY'):rep(100), s:lower() == ('xy'):rep(100), s:reverse() == ('Yx'):rep(100)",
        "true true true",
    );
    check(
        "return ('ab'):rep(3, ','), ('x'):rep(0), ('x'):rep(-1), (''):rep(1 << 62), #('abc'):rep(1000, '--')",
        "ab,ab,ab    4998",
    );
    check(
        "return select(2, pcall(string.rep, 'x', 1 << 40))",
        "resulting string too large",
    );
    check(
        "local f = load(string.dump(function(...) return 'dumped', ... end)) return f(1)",
        "dumped 1",
    );
}

#[test]
fn finding() {
    check(
        "return ('abc'):find('b'), ('abc'):find('', 4), ('abc'):find('', 5), ('a+b'):find('+', 1, true)",
        "2 4 nil 2 2",
    );
    check(
        "return ('key = val'):find('(%w+)%s*=%s*(%w+)')",
        "1 9 key val",
    );
    check(
        "return ('2024-01-02'):match('(%d+)-(%d+)-(%d+)')",
        "2024 01 02",
    );
    check(
        "return ('abc'):match('()b()'), ('abc'):match('b', -2), ('abc'):match('^b', 2), ('abc'):match('x')",
        "2 b b nil",
    );
    check(
        "local s = ('x'):rep(300000) .. 'needle' return s:find('needle', 1, true), s:match('n%a+'), s:find('y', 1, true)",
        "300001 needle nil",
    );
    check(
        "return pcall(string.find, 'a', '[a')",
        "false malformed pattern (missing ']')",
    );
    check(
        "return pcall(string.rep)",
        "false bad argument #1 to 'string.rep' (string expected, got no value)",
    );
}

#[test]
fn iterating_over_matches() {
    check(
        "local o = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do o[#o + 1] = k .. v end return table.concat(o, ';')",
        "a1;b2",
    );
    check(
        "local n = 0 for p in ('abc'):gmatch('()') do n = n * 10 + p end return n",
        "1234",
    );
    check(
        "local o = {} for w in ('one two'):gmatch('%a+', 5) do o[#o + 1] = w end return #o, o[1]",
        "1 two",
    );
    check(
        "local g = ('abc'):gmatch('b') return g(), select('#', g()), select('#', g())",
        "b 0 0",
    );
    check(
        "local n = 0 for _ in ('^a^a'):gmatch('^a') do n = n + 1 end return n",
        "2",
    );
    // Patterns that are too long for the cache are compiled in steps.
    check(
        "local p = ('(%a+)%s*'):rep(30) .. ('x?'):rep(200) return select('#', (('ab '):rep(40)):match(p))",
        "30",
    );
}

#[test]
fn replacing() {
    check("return ('hello world'):gsub('o', '0')", "hell0 w0rld 2");
    check("return ('hello'):gsub('(l)(l)', '%2%1%0%%')", "hellll%o 1");
    check("return ('hello'):gsub('', '-')", "-h-e-l-l-o- 6");
    check("return ('abc'):gsub('b*', '-')", "-a-c- 3");
    check("return ('abc abc'):gsub('^abc', 'x')", "x abc 1");
    check("return ('a b c'):gsub('%w', '%0%0', 2)", "aa bb c 2");
    check("return ('a b'):gsub('%w', {a = 'X', b = false})", "X b 2");
    check(
        "return ('a b'):gsub('%w', setmetatable({}, {__index = function(_, k) return k:upper() end}))",
        "A B 2",
    );
    check(
        "return ('1 2 3'):gsub('%d', function(d) return d + 1 end)",
        "2 3 4 3",
    );
    check(
        "return string.gsub(12345, '%d', function(d) return d + 1 end)",
        "23456 5",
    );
    check(
        "return ('abc'):gsub('(a)(b)', function(...) return select('#', ...) end)",
        "2c 1",
    );
    check(
        "return pcall(string.gsub, 'x', 'x', '%2')",
        "false invalid capture index %2",
    );
    check(
        "return pcall(string.gsub, 'x', 'x', '%a')",
        "false invalid use of '%' in replacement string",
    );
    check(
        "return pcall(string.gsub, 'x', 'x', function() return {} end)",
        "false invalid replacement value (a table)",
    );
    check(
        "local co = coroutine.wrap(function() return ('abc'):gsub('%w', function(c) return coroutine.yield(c) end) end)
         return co() .. co('1') .. co('2'), co('3')",
        "abc 123 3",
    );
}

#[test]
fn formatting() {
    check(
        "return ('%5.1f|%-5d|%05d|%x|%q|%s'):format(3.14159, 42, 42, 255, 'a\\n', nil)",
        "  3.1|42   |00042|ff|\"a\\\n\"|nil",
    );
    check(
        "return ('%s %10s|%-5s|%.2s'):format(1.5, 'right', 'l', 'cut')",
        "1.5      right|l    |cu",
    );
    check(
        "local t = setmetatable({}, {__tostring = function() return 'T!' end}) return ('%s-%5s-%s'):format(t, t, 1)",
        "T!-   T!-1",
    );
    check(
        "return pcall(string.format, '%s', setmetatable({}, {__tostring = function() return {} end}))",
        "false '__tostring' must return a string",
    );
    check(
        "return pcall(string.format, '%d', 1.5)",
        "false bad argument #2 to 'string.format' (number has no integer representation)",
    );
    check(
        "return pcall(string.format, '%d')",
        "false bad argument #2 to 'string.format' (no value)",
    );
    check(
        "return pcall(string.format, '%y', 1)",
        "false invalid conversion '%y' to 'format'",
    );
}

#[test]
fn packing() {
    check(
        "return string.unpack('<i4 z s1 B', string.pack('<i4 z s1 B', -7, 'hi', 'there', 255))",
        "-7 hi there 255 15",
    );
    check(
        "return string.packsize('!8 b i8 c3'), string.pack('>I2', 258):byte(1, -1)",
        "19 1 2",
    );
    check(
        "return pcall(string.pack, 'i1', 200)",
        "false bad argument #2 to 'string.pack' (integer overflow)",
    );
    check(
        "return pcall(string.unpack, 'i4', 'abc')",
        "false bad argument #2 to 'string.unpack' (data string too short)",
    );
    check(
        "return #string.pack((' '):rep(5000) .. 'b', 1), string.packsize(('x'):rep(5000)), select('#', string.unpack((' '):rep(5000) .. 'b', 'x'))",
        "1 5000 2",
    );
}

#[test]
fn arithmetic_on_strings() {
    check(
        "return '10' + 1, '0x10' * '2', '3' / 2, -'2', '7' // '2', '2' ^ 2, '7' % 4",
        "11 32 1.5 -2 3 4.0 3",
    );
    check(
        "return pcall(function() return 'a' + 1 end)",
        "false t:1: attempt to add a 'string' with a 'number'",
    );
    check(
        "return 'a' + setmetatable({}, {__add = function(a, b) return 'mt' end})",
        "mt",
    );
}

#[test]
fn characters() {
    check(
        "return utf8.char(72, 228, 8364, 0x1F600) == 'H\\u{E4}\\u{20AC}\\u{1F600}', utf8.len('a\\u{E4}\\u{20AC}'), utf8.codepoint('\\u{E4}', 1)",
        "true 3 228",
    );
    check(
        "local o = {} for p, c in utf8.codes('a\\u{E4}z') do o[#o + 1] = p .. ':' .. c end return table.concat(o, ' ')",
        "1:97 2:228 4:122",
    );
    check(
        "return utf8.offset('a\\u{E4}z', 3), utf8.offset('a\\u{E4}z', -1), utf8.offset('a\\u{E4}z', 0, 3), utf8.offset('abc', 9), utf8.offset('abc', 0)",
        "4 4 2 nil 1",
    );
    check(
        "return utf8.len('a\\xffb'), utf8.len(('x'):rep(40000)), utf8.len('\\u{D800}', 1, -1, true)",
        "nil 40000 1",
    );
    check(
        "return pcall(utf8.codepoint, '\\xff')",
        "false invalid UTF-8 code",
    );
    check(
        "local n = 0 for _ in ('a\\u{E4}\\u{20AC}'):gmatch(utf8.charpattern) do n = n + 1 end return n",
        "3",
    );
}

/// Runs a script for so much fuel, in a VM of so many bytes; the exit, and the peak of bytes.
fn limited(source: &str, fuel: i64, limit: usize) -> (Exit, Box<Vm>) {
    let (mut vm, closure) = load(source);
    let mut co = vm.new_thread().expect("memory");
    vm.scratch.push(Val::thread(co));
    co.set(1, Val::lua_closure(closure));
    co.top = 2;
    vm.heap.limit = limit;
    vm.heap.update_trigger();
    vm.heap.set_fuel(fuel);
    let exit = vm.enter_thread(co, 0, Entry::Values);
    assert!(vm.heap.used <= limit);
    (exit, vm)
}

#[test]
fn what_takes_for_ever_is_preempted() {
    for source in [
        "return (('a'):rep(3e5)):find('.-b')",
        "return (('a'):rep(26)):match(('a?'):rep(26) .. ('a'):rep(26) .. 'b')",
        "return (('a'):rep(3e5)):find('[ab]-[ab]-c')",
        "table.move({}, 1, math.maxinteger - 1, 2)",
        "table.move(setmetatable({}, {__index = function() end}), 1, math.maxinteger - 1, 2)",
        "return table.concat(setmetatable({}, {__len = function() return math.maxinteger end, __index = function() return '' end}))",
        "table.sort({3, 1, 2}, function() while true do end end)",
        "('x'):gsub('x', function() while true do end end)",
        "('%s'):format(setmetatable({}, {__tostring = function() while true do end end}))",
    ] {
        let (exit, _vm) = limited(source, 1_000_000, 64 << 20);
        assert!(matches!(exit, Exit::Preempted), "{exit:?} {source}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    for source in [
        "return (('x'):rep(1e6)):gsub('.', ('y'):rep(5000))",
        "local s, t = ('x'):rep(2^20), {} for i = 1, 5000 do t[i] = s end return table.concat(t)",
        "return ('x'):rep(1 << 30)",
        "return string.pack('c200000000', '')",
        "return ('%s%s%s%s'):rep(20):format(table.unpack((function() local t = {} for i = 1, 80 do t[i] = ('x'):rep(1e6) end return t end)()))",
    ] {
        let (exit, vm) = limited(source, i64::MAX / 4, 32 << 20);
        assert!(matches!(exit, Exit::Failed), "{exit:?} {source}");
        assert_eq!(shown(vm.thrown), "not enough memory", "{source}");
    }
}

/// Goes through every native that keeps state outside the stack.
const EVERYTHING: &str = "
    local s = ('k1=v1,'):rep(30)
    local o = {} for k, v in s:gmatch('(%w+)=(%w+)') do o[#o + 1] = v .. k end
    local r = s:gsub('%w+', function(w) return w:upper() end):gsub('K(%d)', '%1k'):gsub('%d', {['1'] = 'one'})
    local t = {} for i = 1, 40 do t[i] = i * 17 % 41 end
    table.sort(t, function(a, b) return a > b end)
    local named = setmetatable({}, {__tostring = function() return 'named' end})
    local p = setmetatable({}, {__len = function() return 5 end, __index = function(_, k) return 'i' .. k end,
        __newindex = function(_, k, v) rawset(o, k, v) end})
    local f = ('%s|%5s|%q|%5.2f'):format(named, named, 'x\\n', 1.5)
    local u = s:rep(20):upper():lower():reverse()
    table.insert(p, 1, 'x') table.remove(p) table.move(p, 1, 3, 2, {}) pcall(table.sort, p)
    local pack = string.pack('z s4 i7 d', 'z', s, 77, 1.5)
    return #r, t[1], f, #u, table.concat(p, ','), #pack, utf8.len(utf8.char(228, 8364)), select('#', table.unpack(p)),
        s:find(('(%w+)=(%w+),'):rep(12)), string.unpack('z s4 i7 d', pack)";

#[test]
fn killed_anywhere_the_heap_is_sound() {
    for fuel in (0..).step_by(7) {
        let (mut vm, closure) = load(EVERYTHING);
        let mut co = vm.new_thread().expect("memory");
        vm.scratch.push(Val::thread(co));
        co.set(1, Val::lua_closure(closure));
        co.top = 2;
        vm.heap.set_fuel(fuel);
        let exit = vm.enter_thread(co, 0, Entry::Values);
        let done = matches!(exit, Exit::Done(_));
        if !done {
            assert!(
                matches!(exit, Exit::Preempted),
                "{exit:?} {}",
                shown(vm.thrown)
            );
            vm.terminate(co, 10_000);
        }
        vm.heap.set_fuel(i64::MAX / 4);
        vm.collect_everything();
        assert_eq!(vm.check_heap(), Vec::<String>::new(), "fuel {fuel}");
        if done {
            break;
        }
    }
}

#[test]
fn refused_any_allocation_the_heap_is_sound() {
    for spare in (0..).step_by(64) {
        let (mut vm, closure) = load(EVERYTHING);
        let mut co = vm.new_thread().expect("memory");
        vm.scratch.push(Val::thread(co));
        co.set(1, Val::lua_closure(closure));
        co.top = 2;
        vm.heap.limit = vm.heap.used + spare;
        vm.heap.update_trigger();
        let exit = vm.enter_thread(co, 0, Entry::Values);
        assert_eq!(vm.check_heap(), Vec::<String>::new(), "spare {spare}");
        match exit {
            Exit::Done(_) => break,
            Exit::Failed => assert!(
                shown(vm.thrown).contains("not enough memory"),
                "{}",
                shown(vm.thrown)
            ),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn everything_is_the_same_in_slices() {
    let whole = run(EVERYTHING, i64::MAX / 4, false);
    assert!(whole.contains("named"), "{whole}");
    check(EVERYTHING, &whole);
}
