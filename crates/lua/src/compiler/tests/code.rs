//! What code comes out: small sources and their instructions.

use super::*;
use crate::chunk::Constant;

/// The instructions of a function, without line and position, one per line.
fn listing(code: &FunctionCode) -> String {
    let chunk = Chunk {
        main: Arc::new(FunctionCode {
            code: code.code.clone(),
            constants: code.constants.clone(),
            children: code.children.clone(),
            upvalues: code.upvalues.clone(),
            num_params: code.num_params,
            is_vararg: code.is_vararg,
            dialect: Default::default(),
            max_stack: code.max_stack,
            source: code.source.clone(),
            line_defined: code.line_defined,
            last_line_defined: code.last_line_defined,
            lines: code.lines.clone(),
            locals: code.locals.clone(),
        }),
    };
    let text = disassemble(&chunk);
    let end = text.find("\n\n").unwrap_or(text.len());
    let mut out = String::new();
    for line in text[..end].lines() {
        if let Some((_, instr)) = line.split_once("] ")
            && line.trim_start().starts_with(|c: char| c.is_ascii_digit())
        {
            let words: Vec<&str> = instr.split_whitespace().collect();
            out.push_str(&words.join(" "));
            out.push('\n');
        }
    }
    out
}

/// Compares the instructions of the main function, or with `path` of a function in it.
#[track_caller]
fn check_in(source: &str, path: &[usize], expected: &str) {
    let chunk = compiled(source);
    let mut code = &chunk.main;
    for &index in path {
        code = &code.children[index];
    }
    let wanted: String = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_eq!(listing(code), wanted, "{source}");
}

#[track_caller]
fn check(source: &str, expected: &str) {
    check_in(source, &[], expected);
}

fn lines(source: &str) -> Vec<u32> {
    compiled(source).main.lines.to_vec()
}

#[test]
fn constants_and_globals() {
    check(
        "x = 1; y = x; local a, b, c = 1.0, -40000, 0.5",
        r#"SETTABUPK 0 0 1 ; _ENV "x" 1
           GETTABUP 0 0 0 ; _ENV "x"
           SETTABUP 0 2 0 ; _ENV "y"
           LOADF 0 1
           LOADK 1 3 ; -40000
           LOADK 2 4 ; 0.5
           RETURN0 0 0 0"#,
    );
    check(
        "local _ENV = {}; x = y",
        r#"NEWTABLE 0 0 0
           GETFIELD 1 0 1 ; "y"
           SETFIELD 0 0 1 ; "x"
           RETURN0 0 0 0"#,
    );
}

#[test]
fn folding() {
    check(
        "return 2^2, 7 // 2 * 3, -(3), not nil, 1 // 0, 'a' and 5",
        "LOADF 0 4
         LOADI 1 9
         LOADI 2 -3
         LOADTRUE 3 0 0
         LOADI 4 1
         IDIVK 4 4 0 ; 0
         LOADI 5 5
         RETURN 0 7 0
         RETURN0 0 0 0",
    );
    check(
        "local K <const>, S <const> = 10, 's'; local T <const> = K * 2; return T + x, S",
        // Only the last of several constants in one declaration is known at compile time, as in the reference.
        r#"LOADI 0 10
           MULK 1 0 0 ; 2
           GETTABUP 2 0 1 ; _ENV "x"
           ADD 2 1 2
           LOADK 3 2 ; "s"
           RETURN 2 3 0
           RETURN0 0 0 0"#,
    );
}

#[test]
fn operators_take_constants() {
    check_in(
        "return function(a) return a + 1, 1 + a, a - 1, 1 - a, a + 200, a * 2.5, a & 7, 7 & a, a << 1, 2 ^ a end",
        &[0],
        "ADDI 1 0 1
         KADD 2 0 0 ; 1
         SUBI 3 0 1
         KSUB 4 0 0 ; 1
         ADDK 5 0 1 ; 200
         MULK 6 0 2 ; 2.5
         BANDK 7 0 3 ; 7
         LOADI 8 7
         BAND 8 8 0
         SHLK 9 0 0 ; 1
         LOADI 10 2
         POW 10 10 0
         RETURN 1 11 0
         RETURN0 0 0 0",
    );
}

#[test]
fn comparisons_become_jumps() {
    check_in(
        "return function(a, b) if a < 1 and b ~= 'x' or not (2 <= a) then f() end return a == b end",
        &[0],
        r#"NLTI 0 1 0
           JMP 2 ; to 4
           NEK 1 0 0 ; "x"
           JMP 2 ; to 6
           GEI 0 2 1
           JMP 2 ; to 8
           GETTABUP 2 0 1 ; _ENV "f"
           CALL 2 1 1 ; 0 in, 0 out
           EQ 0 1 1
           JMP 1 ; to 11
           LFALSESKIP 2 0 0 ; to 12
           LOADTRUE 2 0 0
           RETURN1 2 0 0
           RETURN0 0 0 0"#,
    );
    check_in(
        "return function(a, b) return a and b or 1 end",
        &[0],
        "NTEST 0 0 0
         JMP 2 ; to 4
         TESTSET 2 1 1
         JMP 1 ; to 5
         LOADI 2 1
         RETURN1 2 0 0
         RETURN0 0 0 0",
    );
}

#[test]
fn loops_branch_once_a_turn() {
    check(
        "local i = 0; while i < 3 do i = i + 1 end",
        "LOADI 0 0
         JMP 1 ; to 3
         ADDI 0 0 1
         LTI 0 3 1
         LOOP -3 ; to 2
         RETURN0 0 0 0",
    );
    check(
        "while true do if x then break end end",
        r#"GETTABUP 0 0 0 ; _ENV "x"
           TEST 0 0 1
           JMP 1 ; to 4
           LOOP -4 ; to 0
           RETURN0 0 0 0"#,
    );
    check(
        "for i = 1, 3 do local x = i end",
        "LOADI 0 1
         LOADI 1 3
         LOADI 2 1
         FORPREP 0 2 ; to 6
         MOVE 4 3 0
         FORLOOP 0 2 ; to 4
         RETURN0 0 0 0",
    );
    check(
        "for k in f do end",
        r#"GETTABUP 0 0 0 ; _ENV "f"
           LOADNIL 1 2 0
           TFORPREP 0 0 ; to 3
           TFORCALL 0 0 1
           TFORLOOP 0 2 ; to 3
           CLOSE 0 0 0
           RETURN0 0 0 0"#,
    );
    check(
        "repeat local x = f() until x",
        r#"GETTABUP 0 0 0 ; _ENV "f"
           CALL 0 1 2 ; 0 in, 1 out
           NTEST 0 0 0
           LOOP -4 ; to 0
           RETURN0 0 0 0"#,
    );
}

#[test]
fn captures_by_value_need_no_closing() {
    let source = "for i = 1, 3 do local x = i; fs[i] = function() return x, i end end";
    let chunk = compiled(source);
    let names: Vec<_> = chunk.main.code.iter().map(|i| i.op().name()).collect();
    assert!(!names.contains(&"CLOSE"), "{names:?}");
    let child = &chunk.main.children[0];
    assert!(child.upvalues.iter().all(|u| u.by_value && u.in_stack));
    let indices: Vec<_> = child.upvalues.iter().map(|u| u.index).collect();
    assert_eq!(indices, [4, 3]);
    check_in(
        source,
        &[0],
        "GETUPVAL 0 0 0 ; x\nGETUPVAL 1 1 0 ; i\nRETURN 0 3 0\nRETURN0 0 0 0",
    );
}

#[test]
fn captures_of_assigned_variables_are_by_reference() {
    let by_value = |source: &str| -> Vec<(String, bool)> {
        let chunk = compiled(source);
        let child = &chunk.main.children[0];
        let name = |u: &crate::chunk::UpvalueDesc| String::from_utf8_lossy(&u.name).into_owned();
        child
            .upvalues
            .iter()
            .map(|u| (name(u), u.by_value))
            .collect()
    };
    let one = |source: &str| by_value(source)[0].1;
    assert!(one("local x = 1; local function f() return x end"));
    assert!(!one("local x; local function f() return x end; x = 1"));
    assert!(!one("local x = 1; x = 2; local function f() return x end"));
    assert!(!one("local x = 1; local function f() x = 2 end"));
    assert!(!one(
        "local x; local function f() return function() x = 2 end end"
    ));
    assert!(one("local function f() return f end"));
    assert!(!one("local function f() return f end; f = nil"));
    assert!(!one("local f; function f() return f end"));
    assert!(one("local f; local x = function() return f end"));
    assert!(!one(
        "for i = 1, 2 do f(function() return i end); i = 3 end"
    ));
    assert!(one("for k, v in p do f(function() return v end) end"));
    assert!(one("local x <close> = f(); g(function() return x end)"));
    // Globals go through _ENV, which is a variable like any other.
    assert_eq!(
        by_value("local function f() return x end"),
        [("_ENV".into(), true)]
    );
    assert_eq!(
        by_value("local function f() return x end; _ENV = {}"),
        [("_ENV".into(), false)]
    );
}

#[test]
fn strict_mode_captures_by_reference() {
    let strict = Options {
        by_reference_captures: true,
        ..Options::default()
    };
    let chunk = compiled_with("local x = 1; local function f() return x, y end", &strict);
    assert!(!chunk.main.upvalues[0].by_value);
    let child = &chunk.main.children[0];
    assert!(child.upvalues.iter().all(|u| !u.by_value));
    assert_eq!(
        listing(child),
        "GETUPBOX 0 0 0 ; x\nGETUPBOX 1 1 0 ; _ENV\nGETFIELD 1 1 0 ; \"y\"\nRETURN 0 3 0\nRETURN0 0 0 0\n"
    );
    assert!(listing(&chunk.main).ends_with("RETURN 0 1 1\n"));
}

#[test]
fn references_are_closed_where_their_scope_ends() {
    check(
        "do local x = 1; f = function() x = 2 end end; return g()",
        r#"LOADI 0 1
           CLOSURE 1 0 ; line 1
           SETTABUP 0 0 1 ; _ENV "f"
           CLOSE 0 0 0
           GETTABUP 0 0 1 ; _ENV "g"
           TAILCALL 0 1 0 ; 0 in
           RETURN 0 0 0
           RETURN0 0 0 0"#,
    );
    check(
        "while a do local x; f = function() x = 2 end; if b then break end end",
        r#"JMP 9 ; to 10
           LOADNIL 0 0 0
           CLOSURE 1 0 ; line 1
           SETTABUP 0 0 1 ; _ENV "f"
           GETTABUP 1 0 1 ; _ENV "b"
           NTEST 1 0 0
           JMP 2 ; to 9
           CLOSE 0 0 0
           JMP 4 ; to 13
           CLOSE 0 0 0
           GETTABUP 0 0 2 ; _ENV "a"
           TEST 0 0 1
           LOOP -12 ; to 1
           RETURN0 0 0 0"#,
    );
    check(
        "repeat local x; f = function() x = 2 end until x",
        r#"LOADNIL 0 0 0
           CLOSURE 1 0 ; line 1
           SETTABUP 0 0 1 ; _ENV "f"
           NTEST 0 0 0
           JMP 2 ; to 7
           CLOSE 0 0 0
           JMP 2 ; to 9
           CLOSE 0 0 0
           LOOP -9 ; to 0
           RETURN0 0 0 0"#,
    );
}

#[test]
fn to_be_closed_variables() {
    check(
        "local x <close> = f(); return x",
        r#"GETTABUP 0 0 0 ; _ENV "f"
           CALL 0 1 2 ; 0 in, 1 out
           TBC 0 0 0
           RETURN 0 2 1
           RETURN 0 1 1"#,
    );
    // Not a tail call: the variable is closed after the call.
    check(
        "local x <close> = f(); return g()",
        r#"GETTABUP 0 0 0 ; _ENV "f"
           CALL 0 1 2 ; 0 in, 1 out
           TBC 0 0 0
           GETTABUP 1 0 1 ; _ENV "g"
           CALL 1 1 0 ; 0 in, all out
           RETURN 1 0 1
           RETURN 0 1 1"#,
    );
}

#[test]
fn assignments_read_before_they_write() {
    check(
        "local a, i = {}, 1; i, a[i], a = 2, 3, 4",
        "NEWTABLE 0 0 0
         LOADI 1 1
         MOVE 2 0 0
         LOADI 3 2
         LOADI 4 3
         LOADI 0 4
         SETTABLE 2 1 4
         MOVE 1 3 0
         RETURN0 0 0 0",
    );
    check(
        "local a, i = {}, 1; a[i], i = 2",
        "NEWTABLE 0 0 0
         LOADI 1 1
         MOVE 2 1 0
         LOADI 3 2
         LOADNIL 4 0 0
         MOVE 1 4 0
         SETTABLE 0 2 3
         RETURN0 0 0 0",
    );
}

#[test]
fn calls_and_varargs() {
    check(
        "local a = ...; f(a, ...); o:m(1).x = g(h())",
        r#"VARARG 0 0 2
           GETTABUP 1 0 0 ; _ENV "f"
           MOVE 2 0 0
           VARARG 3 0 0
           CALL 1 0 1 ; all in, 0 out
           GETTABUP 1 0 1 ; _ENV "o"
           SELF 1 1 2 ; "m"
           LOADI 3 1
           CALL 1 3 2 ; 2 in, 1 out
           GETTABUP 2 0 4 ; _ENV "g"
           GETTABUP 3 0 5 ; _ENV "h"
           CALL 3 1 0 ; 0 in, all out
           CALL 2 0 2 ; all in, 1 out
           SETFIELD 1 3 2 ; "x"
           RETURN0 0 0 0"#,
    );
}

#[test]
fn constructors() {
    check(
        "local t = {1, x = 2, [f] = 3, 4, ...}",
        r#"NEWTABLE 0 2 3
           LOADI 1 1
           SETFIELDK 0 0 1 ; "x" 2
           GETTABUP 2 0 2 ; _ENV "f"
           SETTABLEK 0 2 3 ; 3
           LOADI 2 4
           VARARG 3 0 0
           SETLIST 0 0 0
           EXTRAARG 0
           RETURN0 0 0 0"#,
    );
    let source = format!("local t = {{{}}}", "1,".repeat(120));
    let chunk = compiled(&source);
    let starts: Vec<_> = chunk
        .main
        .code
        .iter()
        .filter(|i| i.op().name() == "EXTRAARG")
        .map(|i| i.ax_value())
        .collect();
    assert_eq!(starts, [0, 50, 100]);
    assert_eq!(chunk.main.code[0].c(), 120);
}

#[test]
fn gotos() {
    check(
        "for i = 1, 3 do if x then goto continue end f() ::continue:: end",
        r#"LOADI 0 1
           LOADI 1 3
           LOADI 2 1
           FORPREP 0 6 ; to 10
           GETTABUP 4 0 0 ; _ENV "x"
           TEST 4 0 1
           JMP 2 ; to 9
           GETTABUP 4 0 1 ; _ENV "f"
           CALL 4 1 1 ; 0 in, 0 out
           FORLOOP 0 6 ; to 4
           RETURN0 0 0 0"#,
    );
    check("::a:: goto a", "LOOP -1 ; to 0\nRETURN0 0 0 0");
    check(
        "do local x; f = function() x = 1 end; goto out end ::out::",
        r#"LOADNIL 0 0 0
           CLOSURE 1 0 ; line 1
           SETTABUP 0 0 1 ; _ENV "f"
           CLOSE 0 0 0
           JMP 1 ; to 6
           CLOSE 0 0 0
           RETURN0 0 0 0"#,
    );
}

#[test]
fn constants_out_of_reach_go_through_registers() {
    let mut source = String::from("local t = {");
    for n in 0..300 {
        source.push_str(&format!("{n}.5,"));
    }
    source.push_str("}; t.field = 'value'; x = t.field; t:method(); return t + 0.25, t == 'z', y");
    let chunk = compiled(&source);
    let text = listing(&chunk.main);
    for absent in [
        "GETFIELD", "SETFIELD", "GETTABUP", "SETTABUP", "SELF", "ADDK", "EQK",
    ] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert!(
        text.contains("MOVE 2 0 0\nLOADK 1 303 ; \"method\"\nGETTABLE 1 2 1\nCALL 1 2 1"),
        "{text}"
    );
    let big = format!(
        "return {}",
        (0..70_000)
            .map(|n| format!("{n}.5"))
            .collect::<Vec<_>>()
            .join("+")
    );
    assert!(
        compiled(&format!("local t = {{{}}}", big[7..].replace('+', ",")))
            .main
            .code
            .iter()
            .any(|i| i.op().name() == "LOADKX")
    );
}

#[test]
fn floats_keep_their_bits_in_constants() {
    let chunk = compiled("return 0.0, 1e15, 9007199254740993, 0x7fffffffffffffff, 1e400 - x");
    assert!(chunk.main.constants.contains(&Constant::Float(1e15)));
    assert!(
        chunk
            .main
            .constants
            .contains(&Constant::Int(9007199254740993))
    );
    assert!(
        chunk
            .main
            .constants
            .contains(&Constant::Float(f64::INFINITY))
    );
    assert!(listing(&chunk.main).starts_with("LOADF 0 0\n"));
}

#[test]
fn lines_follow_the_reference() {
    // Expectations from the reference's own listing, less its VARARGPREP and metamethod instructions.
    assert_eq!(lines("local x =\n{}"), [1, 2]);
    assert_eq!(lines("local a = b\n+\nc"), [2, 3, 2, 3]);
    assert_eq!(lines("local a =\n-\nb"), [3, 2, 3]);
    assert_eq!(lines("f(\na.b\n)"), [1, 2, 3, 1, 3]);
    assert_eq!(lines("f\n(\na\n)"), [1, 4, 2, 4]);
    assert_eq!(lines("f(a\n,b\n)"), [1, 2, 3, 1, 3]);
    assert_eq!(lines("local function f()\n\nend"), [3, 3]);
    assert_eq!(lines("function f()\n\nend"), [3, 1, 3]);
    assert_eq!(
        lines("for i =\n1,\n2\ndo\nf()\nend"),
        [2, 3, 3, 4, 5, 5, 1, 6]
    );
    assert_eq!(lines("local x\n\nlocal y\nreturn\nx"), [1, 5, 5]);
    assert_eq!(
        compiled("return function()\n\nreturn 1\n\nend")
            .main
            .children[0]
            .last_line_defined,
        5
    );
}

#[test]
fn local_names_and_ranges() {
    let chunk = compiled(
        "local a; do local b = a end; local c <const> = 1; local d = c; for i = 1, 2 do end",
    );
    let locals: Vec<_> = chunk
        .main
        .locals
        .iter()
        .map(|l| (l.name.escape_ascii().to_string(), l.start_pc, l.end_pc))
        .collect();
    let expected = [
        ("a", 1, 9),
        ("b", 2, 2),
        ("d", 3, 9),
        ("(for state)", 6, 8),
        ("(for state)", 6, 8),
        ("(for state)", 6, 8),
        ("i", 7, 7),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|&(n, s, e)| (n.to_owned(), s, e))
        .collect();
    assert_eq!(locals, expected);
    assert_eq!(chunk.main.local_name(2, 3), Some(&b"d"[..]));
}

#[test]
fn upvalues_come_in_order_of_first_use() {
    let chunk = compiled(
        "local a, b = 1, 2; return function() return function() return b, x, a end, y end",
    );
    let names = |code: &FunctionCode| -> Vec<String> {
        code.upvalues
            .iter()
            .map(|u| u.name.escape_ascii().to_string())
            .collect()
    };
    let outer = &chunk.main.children[0];
    assert_eq!(names(outer), ["b", "_ENV", "a"]);
    assert_eq!(names(&outer.children[0]), ["b", "_ENV", "a"]);
    assert!(outer.children[0].upvalues.iter().all(|u| !u.in_stack));
}
