//! Tests of the whole compiler: messages, code, limits, binary chunks.

mod code;
mod globals;
mod limits;
mod messages;

use super::{CompileError, Meter, Options, Stop, Unmetered, chunk_id, compile, dump, verify};
use crate::chunk::{Chunk, FunctionCode};
use crate::disasm::disassemble;
use std::sync::Arc;

/// Compiles a source that must be right, and checks the code.
fn compiled(source: &str) -> Arc<Chunk> {
    compiled_with(source, &Options::default())
}

fn compiled_with(source: &str, options: &Options) -> Arc<Chunk> {
    match compile(source.as_bytes(), b"=t", options, &mut Unmetered) {
        Ok(chunk) => {
            verify::verify(&chunk.main).expect("code that keeps the invariants");
            chunk
        }
        Err(CompileError::Syntax { message, .. }) => {
            panic!("{}", String::from_utf8_lossy(&message))
        }
        Err(CompileError::Stopped) => panic!("stopped"),
    }
}

/// The message of a source that must be wrong, and whether more input could make it right.
fn refused(source: &[u8]) -> (String, bool) {
    match compile(source, b"=t", &Options::default(), &mut Unmetered) {
        Err(CompileError::Syntax {
            message,
            incomplete,
        }) => (String::from_utf8_lossy(&message).into_owned(), incomplete),
        other => panic!("{:?} gave {other:?}", String::from_utf8_lossy(source)),
    }
}

#[test]
fn messages_are_those_of_the_reference() {
    let mut wrong = Vec::new();
    for &(source, expected) in messages::CASES {
        let got = match compile(source, b"=t", &Options::default(), &mut Unmetered) {
            Ok(_) => None,
            Err(CompileError::Syntax { message, .. }) => Some(message),
            Err(CompileError::Stopped) => panic!("stopped"),
        };
        if got.as_deref() != expected {
            let show = |text: Option<&[u8]>| text.map(|t| t.escape_ascii().to_string());
            let source = source.escape_ascii();
            let (expected, got) = (show(expected), show(got.as_deref()));
            wrong.push(format!(
                "{source}\n  expected {expected:?}\n  got      {got:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_error_at_the_end_asks_for_more() {
    for source in [
        "x =",
        "if x then",
        "f(",
        "x = [[",
        "for i = 1,",
        "--[[",
        "x = 'a",
    ] {
        assert!(refused(source.as_bytes()).1, "{source}");
    }
    for source in ["x = )", "x = 'a\n", "end", "goto x", "break"] {
        assert!(!refused(source.as_bytes()).1, "{source}");
    }
}

#[test]
fn chunk_ids() {
    let id = |name: &[u8]| String::from_utf8(chunk_id(name)).expect("text");
    assert_eq!(id(b"=stdin"), "stdin");
    assert_eq!(id(b"@a/b.lua"), "a/b.lua");
    assert_eq!(id(b"return 1"), "[string \"return 1\"]");
    assert_eq!(id(b"x\ny"), "[string \"x...\"]");
    assert_eq!(id(b""), "[string \"\"]");
    // From the reference: load(("x"):rep(n) .. " =") and so on.
    assert_eq!(id(&[b'x'; 44]), format!("[string \"{}\"]", "x".repeat(44)));
    assert_eq!(
        id(&[b'x'; 45]),
        format!("[string \"{}...\"]", "x".repeat(45))
    );
    assert_eq!(
        id(&[b'x'; 500]),
        format!("[string \"{}...\"]", "x".repeat(45))
    );
    let long = |mark: &str| {
        format!(
            "{mark}{}",
            (0..100)
                .map(|n| char::from(b'a' + n % 26))
                .collect::<String>()
        )
    };
    assert_eq!(id(long("=").as_bytes()).len(), 59);
    let file = id(long("@").as_bytes());
    assert_eq!((file.len(), &file[..4]), (59, "...s"));
    assert_eq!(
        id(format!("@{}", "f".repeat(59)).as_bytes()),
        "f".repeat(59)
    );
    assert_eq!(id(b"=a\0b"), "a");
}

/// Counts what it is charged, and refuses from some point on.
struct Counting {
    calls: usize,
    fuel: u64,
    bytes: usize,
    largest: usize,
    refuse_at: usize,
}

impl Counting {
    fn new(refuse_at: usize) -> Self {
        Counting {
            calls: 0,
            fuel: 0,
            bytes: 0,
            largest: 0,
            refuse_at,
        }
    }
}

impl Meter for Counting {
    fn charge(&mut self, fuel: u64, bytes: usize) -> Result<(), Stop> {
        if self.calls >= self.refuse_at {
            return Err(Stop);
        }
        self.calls += 1;
        self.fuel += fuel;
        self.bytes += bytes;
        self.largest = self.largest.max(bytes);
        Ok(())
    }
}

#[test]
fn compilation_stops_wherever_the_meter_says() {
    let source = "local function f(a) return a + 1, 'text' .. a end\n".repeat(150);
    let mut meter = Counting::new(usize::MAX);
    compile(source.as_bytes(), b"=t", &Options::default(), &mut meter).expect("compiles");
    assert!(meter.fuel > 150 * 20, "{}", meter.fuel);
    assert!(meter.bytes > source.len(), "{}", meter.bytes);
    assert!(meter.largest < 16 * 1024, "{}", meter.largest);
    for refuse_at in 0..meter.calls {
        let mut meter = Counting::new(refuse_at);
        let result = compile(source.as_bytes(), b"=t", &Options::default(), &mut meter);
        assert_eq!(result.err(), Some(CompileError::Stopped), "at {refuse_at}");
    }
}

#[test]
fn copies_of_a_long_constant_are_charged() {
    let text = "x".repeat(100_000);
    let uses = "f(function() return S end)\n".repeat(100);
    let source = format!("local S <const> = '{text}'\n{uses}");
    let mut meter = Counting::new(usize::MAX);
    compile(source.as_bytes(), b"=t", &Options::default(), &mut meter).expect("compiles");
    assert!(meter.bytes > 100 * 100_000, "{}", meter.bytes);
}

/// Sources that between them use every statement and operator.
const SAMPLES: &[&str] = &[
    "",
    "local a <const>, b <close> = 1, nil; return a, b, ...",
    "for i = 1, 10 do for k, v in pairs(t) do if k then break end end end",
    "local function f(a, ...) local t = {1, 2, x = a, [a] = 3, ...}; return f(t, ...) end",
    "repeat local x = f(); local g = function() x = x + 1 end until x > 3",
    "while a and b or not c do a, b, c = c, a.x, b[1] goto continue ::continue:: end",
    "local s = 'a' .. b .. 1; s = #s + -s - ~s; o:m(s):n{1}:p'x'",
    "return 1 + a, a - 1, 2 * a, a / 2.5, a // 3, a % 4, a ^ 2, a & 1, a | 2, a ~ 3, a << 1, a >> 2, 1 << a, 2 - a",
    "return a == 1, a ~= 'x', a < 1, a <= b, 2 > a, a >= 1.5, a == nil, not (a == b)",
];

fn same_code(a: &FunctionCode, b: &FunctionCode) -> bool {
    a.code == b.code
        && a.constants == b.constants
        && a.upvalues == b.upvalues
        && a.lines == b.lines
        && a.locals == b.locals
        && a.source == b.source
        && (a.num_params, a.is_vararg, a.max_stack) == (b.num_params, b.is_vararg, b.max_stack)
        && (a.line_defined, a.last_line_defined) == (b.line_defined, b.last_line_defined)
        && a.children.len() == b.children.len()
        && a.children
            .iter()
            .zip(&b.children)
            .all(|(a, b)| same_code(a, b))
}

#[test]
fn dumped_code_comes_back() {
    for source in SAMPLES {
        let chunk = compiled(source);
        let bytes = dump::dump(&chunk.main, false);
        assert!(bytes.starts_with(dump::SIGNATURE));
        let back = dump::undump(&bytes, b"=other", Default::default()).expect("reads back");
        assert!(same_code(&chunk.main, &back.main), "{source}");
        let stripped = dump::dump(&chunk.main, true);
        let bare = dump::undump(&stripped, b"=?", Default::default()).expect("reads back");
        assert_eq!(&*bare.main.source, b"=?");
        assert!(bare.main.lines.is_empty() && bare.main.locals.is_empty());
        assert_eq!(bare.main.code, chunk.main.code);
        assert_eq!(dump::dump(&bare.main, true), stripped);
    }
}

#[test]
fn damaged_chunks_are_refused_or_harmless() {
    let functions: String = SAMPLES
        .iter()
        .map(|body| format!("f(function(...) {body} end)\n"))
        .collect();
    let bytes = dump::dump(&compiled(&functions).main, false);
    for end in 0..bytes.len() {
        let error = dump::undump(&bytes[..end], b"=?", Default::default()).expect_err("truncated");
        assert_eq!(error, dump::UndumpError::Truncated, "at {end}");
    }
    // Whatever is accepted has been verified; the disassembler then walks every operand.
    let mut accepted = 0;
    for position in 0..bytes.len() {
        for change in [1, 0x10, 0x80, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[position] ^= change;
            if let Ok(chunk) = dump::undump(&damaged, b"=?", Default::default()) {
                assert!(
                    position >= 32,
                    "a damaged header at {position} was accepted"
                );
                disassemble(&chunk);
                accepted += 1;
            }
        }
    }
    assert!(accepted > 0);
}

#[test]
fn the_verifier_sees_broken_code() {
    use crate::op::{Instr, Op};
    let good = || {
        let chunk = compiled(
            "local a, b = ...; if a < b then return f(a, ...) end; for i = 1, a do b = {f()} end",
        );
        Arc::into_inner(Arc::into_inner(chunk).expect("one owner").main).expect("one owner")
    };
    let code = good().code;
    for (pc, &instr) in code.iter().enumerate() {
        let mut broken = good();
        // A register beyond the function's, wherever the instruction has one in A.
        let word = instr.0 | 0xFF00;
        broken.code[pc] = Instr(word);
        let has_register = !matches!(instr.op(), Op::JMP | Op::LOOP | Op::EXTRAARG | Op::RETURN0);
        if has_register {
            assert!(
                verify::verify(&broken).is_err(),
                "{} at {pc}",
                instr.op().name()
            );
        }
    }
    let refuse = |what: &str, change: &dyn Fn(&mut FunctionCode)| {
        let mut code = good();
        change(&mut code);
        assert!(verify::verify(&code).is_err(), "{what}");
    };
    let find = |op: Op| {
        code.iter()
            .position(|i| i.op() == op)
            .expect("the op is there")
    };
    refuse("no return at the end", &|c| {
        let last = c.code.len() - 1;
        c.code[last] = Instr::abc(Op::LOADTRUE, 0, 0, 0);
    });
    refuse("JMP back", &|c| {
        c.code[find(Op::JMP)] = Instr::j(Op::JMP, -1)
    });
    refuse("JMP out", &|c| {
        c.code[find(Op::JMP)] = Instr::j(Op::JMP, 1000)
    });
    refuse("a condition without a jump", &|c| {
        c.code[find(Op::NLT) + 1] = Instr::abc(Op::MOVE, 0, 0, 0);
    });
    refuse("a condition of the wrong polarity", &|c| {
        let at = find(Op::NLT);
        let old = c.code[at];
        c.code[at] = Instr::abc(Op::NLT, old.a() as u8, old.b() as u8, 1);
    });
    refuse("top not set", &|c| {
        c.code[find(Op::SETLIST) - 1] = Instr::abc(Op::CALL, 0, 1, 2)
    });
    refuse("a lone EXTRAARG", &|c| {
        c.code[0] = Instr::ax(Op::EXTRAARG, 0)
    });
    refuse("a loop to elsewhere", &|c| {
        let at = find(Op::FORLOOP);
        let old = c.code[at];
        c.code[at] = Instr::abx(Op::FORLOOP, old.a() as u8, old.bx() as u16 + 1);
    });
    refuse("no such child", &|c| {
        c.code[0] = Instr::abx(Op::CLOSURE, 0, 0)
    });
    refuse("no such upvalue", &|c| {
        c.code[0] = Instr::abc(Op::GETUPVAL, 0, 1, 0)
    });
    refuse("an upvalue taken the other way", &|c| {
        c.code[0] = Instr::abc(Op::GETUPBOX, 0, 0, 0);
    });
    refuse("a constant of the wrong type", &|c| {
        c.constants[0] = crate::chunk::Constant::Nil;
    });
    verify::verify(&good()).expect("the code as it was");
}
