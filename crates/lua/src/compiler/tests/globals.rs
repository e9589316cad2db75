//! What the declarations and named varargs of 5.5 compile to.

use super::*;
use crate::dialect::Dialect;
use crate::op::Op;

/// The opcodes of the first function in a source, or of the main function if there is none.
fn ops(source: &str) -> Vec<Op> {
    let options = Options {
        dialect: Dialect::Lua55,
        ..Options::default()
    };
    let chunk = match compile(source.as_bytes(), b"=t", &options, &mut Unmetered) {
        Ok(chunk) => chunk,
        Err(error) => panic!("{error:?}"),
    };
    let code = chunk.main.children.first().unwrap_or(&chunk.main);
    code.code.iter().map(|instr| instr.op()).collect()
}

#[test]
fn a_vararg_parameter_is_a_table_only_if_something_can_tell() {
    let is_table = |body: &str| {
        let ops = ops(&format!("return function(...t) {body} end"));
        // What is read of a table is read as of any.
        assert!(!(ops.contains(&Op::PACKVARARG) && ops.contains(&Op::GETVARG)));
        ops[0] == Op::PACKVARARG
    };
    for body in ["return t[1], t.n, ...", "local x = t[t.n]", "return t.f(1)"] {
        assert!(!is_table(body), "{body}");
    }
    for body in [
        "return t",
        "return (t)[1]",
        "t[1] = 2",
        "function t.f() end",
        "return t:f()",
        "return #t",
        "return function() return t[1] end",
        "local _ENV <const> = t",
    ] {
        assert!(is_table(body), "{body}");
    }
    assert!(ops("return function(...t) t.n = 1; return ... end").contains(&Op::UNPACKVARARG));
    assert!(ops("return function(..._ENV) return x end").contains(&Op::PACKVARARG));
}

#[test]
fn only_globals_with_values_are_checked() {
    let checks = |source: &str| {
        let ops = ops(source);
        ops.iter().filter(|op| **op == Op::CHECKNEW).count()
    };
    assert_eq!(checks("global a, b; a = 1"), 0);
    assert_eq!(checks("global a, b = 1"), 2);
    assert_eq!(checks("global *"), 0);
}
