//! Errors through Lua and host frames.

use rille_lua::{Error, ErrorContext, ExternalResult, Function, Lua, Result, Value};

#[derive(Debug, PartialEq)]
struct Custom(i32);
impl std::fmt::Display for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "custom {}", self.0)
    }
}
impl std::error::Error for Custom {}

#[test]
fn tracebacks_go_through_lua_and_host_frames() -> Result<()> {
    let lua = Lua::new();
    let through = lua.create_function(|_, f: Function| f.call::<()>(()))?;
    lua.globals().set("through", through)?;
    let e = lua
        .load("local function inner() error('boom') end\nlocal function outer() through(inner) end\nouter()")
        .set_name("=t")
        .exec()
        .unwrap_err();
    assert!(matches!(e, Error::RuntimeError(_)), "{e:?}");
    assert_eq!(e.message(), "t:1: boom");
    let traceback = e.traceback().unwrap();
    for line in [
        "[C]: in function 'error'",
        "t:1: in function <t:1>",
        "in function 'through'",
        "t:2: in local 'outer'",
        "t:3: in main chunk",
    ] {
        assert!(traceback.contains(line), "{line} is not in\n{traceback}");
    }
    assert_eq!(traceback.matches("stack traceback:").count(), 1);
    Ok(())
}

#[test]
fn messages_get_a_position_once() -> Result<()> {
    let lua = Lua::new();
    lua.globals().set(
        "fail",
        lua.create_function(|_, ()| Err::<(), _>(Error::runtime("no such key")))?,
    )?;
    let (_, message): (bool, String) = lua
        .load("pcall(function() fail() end)")
        .set_name("=t")
        .eval()?;
    assert_eq!(message, "t:1: no such key");
    let again = lua.create_function(|lua, ()| lua.load("fail()").set_name("=inner").exec())?;
    lua.globals().set("again", again)?;
    let e = lua.load("again()").set_name("=outer").exec().unwrap_err();
    assert_eq!(e.message(), "inner:1: no such key");
    assert!(e.traceback().unwrap().contains("inner:1:"), "{e}");
    // The traceback of an error that was caught is not shown with the next one.
    let e = lua
        .load("pcall(again)\nerror('other', 0)")
        .set_name("=outer")
        .exec()
        .unwrap_err();
    assert_eq!(e.message(), "other");
    assert!(!e.traceback().unwrap().contains("inner"), "{e}");
    Ok(())
}

#[test]
fn external_errors_come_back_whole() -> Result<()> {
    let lua = Lua::new();
    lua.globals().set(
        "fail",
        lua.create_function(|_, n: i32| Err::<(), _>(Custom(n)).into_lua_err())?,
    )?;
    let e = lua.load("fail(7)").set_name("=t").exec().unwrap_err();
    assert_eq!(e.downcast_ref::<Custom>(), Some(&Custom(7)));
    assert!(
        matches!(&e, Error::CallbackError { traceback, .. } if traceback.contains("t:1:")),
        "{e:?}"
    );
    assert_eq!(e.message(), "custom 7");
    // A script sees an object it can show and join.
    let (text, joined, kind): (String, String, String) = lua
        .load("local ok, e = pcall(fail, 3) return tostring(e), 'got ' .. e .. '!', type(e)")
        .eval()?;
    assert_eq!(
        (text.as_str(), joined.as_str(), kind.as_str()),
        ("custom 3", "got custom 3!", "userdata")
    );
    // Through another host function and a rethrow it is still itself.
    let through = lua.create_function(|_, f: Function| f.call::<()>(9))?;
    lua.globals().set("through", through)?;
    let e = lua
        .load("local ok, e = pcall(through, fail) error(e)")
        .exec()
        .unwrap_err();
    assert_eq!(e.downcast_ref::<Custom>(), Some(&Custom(9)));
    // And it comes as a value.
    let v: Value = lua.load("select(2, pcall(fail, 1))").eval()?;
    assert!(
        v.as_error()
            .is_some_and(|e| e.downcast_ref::<Custom>().is_some()),
        "{v:?}"
    );
    lua.globals().set("err", Error::external(Custom(4)))?;
    assert_eq!(lua.load("tostring(err)").eval::<String>()?, "custom 4");
    Ok(())
}

#[test]
fn context_is_kept() -> Result<()> {
    let lua = Lua::new();
    let f =
        lua.create_function(|_, ()| Err::<(), _>(Custom(1)).into_lua_err().context("opening"))?;
    let e = f.call::<()>(()).unwrap_err();
    assert_eq!(e.message(), "opening: custom 1");
    assert!(e.downcast_ref::<Custom>().is_some());
    assert!(e.chain().count() >= 2);
    Ok(())
}

#[test]
fn error_objects() -> Result<()> {
    let lua = Lua::new();
    let message = |code: &str| lua.load(code).exec().unwrap_err().message();
    assert_eq!(message("error({})"), "(error object is a table value)");
    assert_eq!(message("error()"), "(error object is a nil value)");
    assert_eq!(
        message("error(setmetatable({}, {__tostring = function() return 'shown' end}))"),
        "shown"
    );
    assert_eq!(
        message("error(setmetatable({}, {__tostring = error}))"),
        "(error object is a table value)"
    );
    assert_eq!(message("error(12)"), "12");
    Ok(())
}

#[test]
fn errors_in_coroutines_and_metamethods() -> Result<()> {
    let lua = Lua::new();
    let e = lua
        .load("local t = setmetatable({}, {__index = function() error('idx') end})\nlocal x = t.y")
        .set_name("=t")
        .exec()
        .unwrap_err();
    assert_eq!(e.message(), "t:1: idx");
    assert!(
        e.traceback().unwrap().contains("in metamethod 'index'"),
        "{e}"
    );
    let (ok, m): (bool, String) = lua
        .load("coroutine.resume(coroutine.create(function() error('co', 0) end))")
        .eval()?;
    assert_eq!((ok, m.as_str()), (false, "co"));
    Ok(())
}
