//! Host functions, calls both ways, re-entrancy, panics.

use rille_lua::{Error, Function, Lua, MultiValue, Result, Table, Value};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn host_functions_call_lua_that_calls_host_functions() -> Result<()> {
    let lua = Lua::new();
    let twice =
        lua.create_function(|_, (f, v): (Function, Value)| f.call::<Value>(f.call::<Value>(v)?))?;
    lua.globals().set("twice", twice)?;
    let n: i64 = lua
        .load("return twice(function(x) return twice(function(y) return y * 3 end, x) end, 1)")
        .eval()?;
    assert_eq!(n, 81);
    Ok(())
}

#[test]
fn recursion_through_the_host_is_limited() -> Result<()> {
    let lua = Lua::new();
    let again =
        lua.create_function(|lua, n: i64| lua.globals().get::<Function>("f")?.call::<i64>(n + 1))?;
    lua.globals().set("again", again)?;
    lua.load("function f(n) return again(n) end").exec()?;
    let e = lua.load("f(0)").exec().unwrap_err();
    assert!(e.message().contains("stack overflow"), "{e}");
    assert_eq!(lua.load("1").eval::<i64>()?, 1);
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn a_panic_becomes_an_error() -> Result<()> {
    let lua = Lua::new();
    std::panic::set_hook(Box::new(|_| {}));
    lua.globals().set(
        "bad",
        lua.create_function(|_, n: i64| -> Result<()> { panic!("no {n}") })?,
    )?;
    let (ok, message): (bool, String) = lua.load("pcall(bad, 5)").eval()?;
    assert!(!ok);
    assert!(
        message.ends_with("panic in host function: no 5"),
        "{message}"
    );
    assert!(
        lua.load("bad(1)")
            .exec()
            .unwrap_err()
            .message()
            .contains("panic in host function: no 1")
    );
    // Inside a nested call too.
    let nested = lua.create_function(|lua, ()| lua.load("bad(2)").exec())?;
    assert!(
        nested
            .call::<()>(())
            .unwrap_err()
            .message()
            .contains("no 2")
    );
    let _ = std::panic::take_hook();
    assert_eq!(lua.load("1").eval::<i64>()?, 1);
    Ok(())
}

#[test]
fn arguments_that_do_not_fit_are_named() -> Result<()> {
    let lua = Lua::new();
    lua.globals()
        .set("f", lua.create_function(|_, (_, _): (i64, Table)| Ok(()))?)?;
    let message = |code: &str| lua.load(code).set_name("=t").exec().unwrap_err().message();
    assert_eq!(
        message("f('x', {})"),
        "t:1: bad argument #1 to 'f' (number expected, got string)"
    );
    assert_eq!(
        message("f(1)"),
        "t:1: bad argument #2 to 'f' (table expected, got nil)"
    );
    assert_eq!(
        message("f(1.5, {})"),
        "t:1: bad argument #1 to 'f' (number has no integer representation)"
    );
    Ok(())
}

#[test]
fn closures_are_dropped_with_their_vm() -> Result<()> {
    struct Bell(Rc<Cell<u32>>);
    impl Drop for Bell {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let rung = Rc::new(Cell::new(0));
    let lua = Lua::new();
    let bell = Bell(rung.clone());
    let f = lua.create_function(move |_, ()| {
        let _ = &bell;
        Ok(())
    })?;
    drop(f);
    lua.gc_collect()?;
    assert_eq!(rung.get(), 1, "collected");
    let bell = Bell(rung.clone());
    let t = lua.create_table()?;
    let g = lua.create_function(move |_, ()| {
        let _ = &bell;
        t.set(1, 1)
    })?;
    lua.globals().set("g", g)?;
    lua.load("g()").exec()?;
    drop(lua);
    assert_eq!(
        rung.get(),
        2,
        "closed: a captured table does not keep the VM"
    );
    Ok(())
}

#[test]
fn a_drop_in_a_collection_cannot_use_the_vm() -> Result<()> {
    struct Nosy(Option<Table>, Rc<Cell<Option<bool>>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            let t = self.0.take().unwrap();
            let clone = t.clone();
            self.1.set(Some(clone.set("dropped", true).is_err()));
        }
    }
    let refused = Rc::new(Cell::new(None));
    let lua = Lua::new();
    let nosy = lua.create_any_userdata(Nosy(Some(lua.create_table()?), refused.clone()))?;
    drop(nosy);
    lua.gc_collect()?;
    assert_eq!(refused.get(), Some(true), "dropped, and kept out");
    assert_eq!(lua.load("1").eval::<i64>()?, 1);
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn mutable_closures_do_not_enter_themselves() -> Result<()> {
    let lua = Lua::new();
    let mut n = 0;
    let count = lua.create_function_mut(move |_, f: Option<Function>| {
        n += 1;
        if let Some(f) = f {
            f.call::<()>(())?;
        }
        Ok(n)
    })?;
    lua.globals().set("count", count)?;
    assert_eq!(lua.load("count(); return count()").eval::<i64>()?, 2);
    let e = lua.load("count(count)").exec().unwrap_err();
    assert!(e.message().contains("called itself"), "{e}");
    Ok(())
}

#[test]
fn bound_functions_and_info() -> Result<()> {
    let lua = Lua::new();
    let f = lua
        .load("return select('#', ...), ...")
        .set_name("=chunk")
        .into_function()?;
    let bound = f.bind((1, Value::Nil))?;
    let (n, values): (i64, MultiValue) = bound.call("x")?;
    assert_eq!(n, 3);
    assert_eq!(values[1], Value::Nil);
    let info = f.info();
    assert_eq!(
        (info.what, info.short_src.as_deref(), info.is_vararg),
        ("main", Some("chunk"), true)
    );
    let g: Function = lua
        .load("\nfunction(a, b)\nend")
        .set_name("@x.lua")
        .eval()?;
    assert_eq!(
        (g.info().what, g.info().line_defined, g.info().num_params),
        ("Lua", Some(2), 2)
    );
    assert_eq!(
        lua.globals()
            .get::<Function>("print")?
            .info()
            .name
            .as_deref(),
        Some("print")
    );
    Ok(())
}

#[test]
fn everything_survives_stress() -> Result<()> {
    let lua = Lua::new();
    lua.set_gc_stress(true);
    lua.set_gc_quarantine(true);
    let join = lua.create_function(|lua, (t, f): (Table, Function)| {
        let mut all = Vec::new();
        for v in t.sequence_values::<String>() {
            all.push(f.call::<String>((v?, lua.create_table()?))?);
        }
        Ok((all.join(","), all, lua.create_table_from([("k", "v")])?))
    })?;
    lua.globals().set("join", join)?;
    let (text, n, v): (String, i64, String) = lua
        .load("local s, all, t = join({'a', 'b', 'c'}, function(x, t) t.x = x .. x; return t.x end) return s, #all, t.k")
        .eval()?;
    assert_eq!((text.as_str(), n, v.as_str()), ("aa,bb,cc", 3, "v"));
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn environments_and_loading() -> Result<()> {
    let lua = Lua::new();
    let env = lua.create_table()?;
    lua.load("x = 5").set_environment(env.clone()).exec()?;
    assert_eq!(env.get::<i64>("x")?, 5);
    assert!(lua.globals().get::<Value>("x")?.is_nil());
    let e = lua.load("for").set_name("=t").exec().unwrap_err();
    assert!(
        matches!(
            e,
            Error::SyntaxError {
                incomplete_input: true,
                ..
            }
        ),
        "{e:?}"
    );
    let e = lua.load("x x").set_name("=t").exec().unwrap_err();
    assert!(matches!(
        e,
        Error::SyntaxError {
            incomplete_input: false,
            ..
        }
    ));
    assert_eq!(e.to_string(), "t:1: syntax error near 'x'");
    let folder = std::env::temp_dir().join(format!("rille-api-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("x.lua");
    std::fs::write(&file, "#!/usr/bin/lua\nreturn ..., 2")?;
    assert_eq!(lua.load(file.as_path()).call::<(i64, i64)>(1)?, (1, 2));
    std::fs::remove_dir_all(folder)?;
    assert!(lua.load(file).exec().is_err());
    Ok(())
}
