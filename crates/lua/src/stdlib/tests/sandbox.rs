//! What a sandboxed VM has, and what it must not have.

use super::{TestHost, check_on, output};
use crate::stdlib::tests::How;
use crate::vm::Vm;
use std::rc::Rc;

fn sandbox() -> TestHost {
    TestHost {
        sandbox: true,
        ..TestHost::default()
    }
}

/// A VM with the sandbox's libraries.
fn opened(host: TestHost, limit: usize) -> Box<Vm> {
    let mut vm = Vm::new(Rc::new(host), limit, false, Default::default()).expect("memory");
    crate::stdlib::open_all(&mut vm, true).expect("memory");
    vm
}

const NO_LIMIT: usize = usize::MAX / 2;

#[test]
fn nothing_reaches_the_host() {
    check_on(
        sandbox,
        r#"
        print(dofile, loadfile, package.loadlib, io.popen, io.open, os.execute, os.exit, os.remove, os.rename, os.tmpname, string.dump)
        local names = {} for name in pairs(debug) do names[#names + 1] = name end table.sort(names) print(table.concat(names, " "))
        print(load("\27Lua")) print(load("return 1")()) print(#package.searchers, package.path, package.cpath)
        print(collectgarbage("stop"), collectgarbage("isrunning")) print(pcall(require, "x"))
        "#,
        "
        nil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\tnil
        getinfo traceback
        nil\tattempt to load a binary chunk (mode is 't')
        1
        2\t?.lua;?/init.lua
        0\ttrue
        false\tmodule 'x' not found:
        no field package.preload['x']
        no file 'x.lua'
        no file 'x/init.lua'
        ",
    );
}

#[test]
fn addresses_are_not_shown() {
    let text = output(
        sandbox(),
        "local t, u = {}, {} print(tostring(t) == tostring(t), tostring(t) ~= tostring(u)) print(t, print, coroutine.create(print))",
        How::Plain,
    );
    assert!(text.starts_with("true\ttrue\n"), "{text}");
    let shown: Vec<u64> = text
        .split("0x")
        .skip(1)
        .map(|rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_hexdigit())
                .unwrap_or(rest.len());
            u64::from_str_radix(&rest[..end], 16).expect("a number")
        })
        .collect();
    assert_eq!(shown.len(), 3, "{text}");
    // Addresses of one process agree in their upper bits; the shown ones must not.
    let here = &raw const shown as u64;
    assert!(shown.iter().any(|n| n >> 40 != here >> 40), "{text}");
}

#[test]
fn a_host_with_full_access_does_not_open_the_sandbox() {
    // `TestHost::default` allows everything: what counts is which libraries were opened.
    let mut vm = opened(TestHost::default(), NO_LIMIT);
    assert!(!vm.full_access());
    let refused = vm.load_any(b"\x1bLua", b"=b", b"bt").err();
    assert!(
        matches!(&refused, Some(crate::vm::load::LoadError::Refused { message, .. }) if message.starts_with(b"attempt to load a binary chunk")),
        "{refused:?}"
    );
}

#[test]
fn each_vm_has_its_own_hash_key() {
    let order = || {
        let script = "local t = {} for i = 1, 40 do t['key' .. i] = true t[i * 1.5 + 0.25] = true t[i << 40] = true end
            local keys = {} for k in pairs(t) do keys[#keys + 1] = tostring(k) end print(table.concat(keys, ' '))";
        output(sandbox(), script, How::Plain)
    };
    let first = order();
    assert_eq!(first.split(' ').count(), 120, "{first}");
    assert_ne!(first, order());
}

#[test]
fn shared_libraries_are_read_only() {
    let vm = opened(sandbox(), NO_LIMIT);
    for meta in vm.metatables.into_iter().filter(|meta| !meta.is_null()) {
        let meta = crate::heap::Gc::from_nullable(meta).expect("not null");
        assert!(meta.header.extra & crate::table::KIND_FROZEN != 0);
    }
}

#[test]
fn code_that_scripts_load_is_charged() {
    let mut vm = opened(sandbox(), 2 << 20);
    vm.heap.set_fuel(i64::MAX / 4);
    let script = r#"
        local text = {} for i = 1, 2000 do text[i] = "local a" .. i % 100 .. " = {" .. i .. "}" end
        text = "if false then " .. table.concat(text, " end if false then ") .. " end"
        local kept = {} local ok, e repeat ok, e = load(text) kept[#kept + 1] = ok until not ok
        return #kept, e
    "#;
    let main = vm.load_source(script.as_bytes(), b"=t").expect("compiles");
    let results = crate::vm::tests::call(&mut vm, main).expect("no error leaves it");
    let (kept, error) = (results[0], results[1]);
    assert!(
        kept.as_int().is_some_and(|n| (2..60).contains(&n)),
        "{kept:?}"
    );
    assert_eq!(format!("{error:?}"), "\"not enough memory\"");
    assert_eq!(vm.check_heap(), Vec::<String>::new());
}

#[test]
fn a_compilation_that_takes_too_long_is_refused() {
    let mut vm = opened(sandbox(), NO_LIMIT);
    vm.heap.set_fuel(1000);
    let text = b"x=1 ".repeat(4 << 20);
    let error = vm.load_source(&text, b"=long").err();
    let Some(crate::vm::load::LoadError::Refused { message, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        String::from_utf8_lossy(&message),
        "long: chunk has too much code to compile at once"
    );
    assert_eq!(vm.check_heap(), Vec::<String>::new());
}

#[test]
fn a_vm_is_small_and_opens_fast() {
    let vm = opened(sandbox(), NO_LIMIT);
    assert!(vm.heap.used < 40 * 1024, "{} bytes", vm.heap.used);
}
