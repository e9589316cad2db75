//! Versions without integers, seen from a host: what it gives a script is floats, whatever way it takes.

use rille_lua::{
    Dialect, Function, Lua, LuaOptions, MultiValue, Result, UserData, UserDataFields,
    UserDataMethods, Value, Variadic,
};

fn lua(dialect: Dialect) -> Result<Lua> {
    Lua::with_options(LuaOptions {
        dialect,
        ..LuaOptions::default()
    })
}

struct Counter(i64);

impl UserData for Counter {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field("step", 2);
        fields.add_field_method_get("count", |_, this| Ok(this.0));
        fields.add_field_method_set("count", |_, this, n: i64| {
            this.0 = n;
            Ok(())
        });
    }
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method_mut("next", |_, this, by: i64| {
            this.0 += by;
            Ok((this.0, vec![this.0, 1], Some(7u8)))
        });
        methods.add_meta_method("__len", |_, this, ()| Ok(this.0));
        methods.add_meta_method("__index", |_, _, key: i64| Ok(key));
        methods.add_meta_method("__call", |_, _, args: Variadic<i64>| Ok(args.len()));
    }
}

const SCRIPT: &str = r##"
    local kept = {}
    local function keep(...) for i = 1, select("#", ...) do kept[#kept + 1] = (select(i, ...)) end end
    keep(number, list[1], list[2], map.one, host(1), host(2.5), several()) keep(pcall(host, 3)) keep(counter.count, counter.step, counter:next(1)) counter.count = 10
    keep(#counter, counter[5], counter(1, 2)) for _, v in ipairs(several2()) do keep(v) end
    keep(callback(function(...) keep(...) return #{...} end)) keep(...)
    local n = 0
    for _, v in ipairs(kept) do if type(v) == "number" then assert(v / 2 * 2 == v) n = n + 1 end end
    result = {number / 4, tostring(number / 5), #kept % 0 ~= #kept % 0, n > 20}
    return number, #kept, kept
"##;

#[test]
fn what_a_host_gives_is_floats() -> Result<()> {
    for dialect in [Dialect::Lua51, Dialect::Lua52] {
        let lua = lua(dialect)?;
        let globals = lua.globals();
        globals.set("number", 10)?;
        globals.raw_set("raw", 11i64)?;
        globals.set("list", vec![1, 2, 3])?;
        let map = lua.create_table()?;
        map.set("one", 1)?;
        map.raw_set(1, 2)?;
        map.push(3i64)?;
        globals.set("map", &map)?;
        globals.set("host", lua.create_function(|_, n: f64| Ok(n as i64 + 1))?)?;
        globals.set("several", lua.create_function(|_, ()| Ok((1, 2u64, 3.0)))?)?;
        globals.set(
            "several2",
            lua.create_function(|lua, ()| {
                lua.create_sequence_from([Value::Integer(4), Value::Integer(5)])
            })?,
        )?;
        globals.set(
            "callback",
            lua.create_function(|_, f: rille_lua::Function| f.call::<MultiValue>((1, 2i64, 3u8)))?,
        )?;
        globals.set("counter", Counter(1))?;
        let f = lua.load(SCRIPT).into_function()?;
        let results: (i64, i64, Value) = f.call((5, 6i64, Value::Integer(7)))?;
        assert_eq!(results.0, 10, "{dialect}");
        let shown: (f64, String, bool, bool) = lua
            .load("return result[1], result[2], result[3], result[4]")
            .eval()?;
        assert_eq!(shown, (2.5, "2".to_owned(), true, true), "{dialect}");
        assert_eq!(lua.check_heap()?, Vec::<String>::new(), "{dialect}");
        // A number that comes back is an integer if it is a whole one.
        let whole = [
            ("return 10 / 2", 5),
            ("return 2 ^ 40", 1 << 40),
            ("return -3", -3),
        ];
        for (source, expected) in whole {
            let v = lua.load(source).eval::<Value>()?;
            assert!(matches!(v, Value::Integer(n) if n == expected), "{v:?}");
        }
        for source in [
            "return 0.5",
            "return 2 ^ 60",
            "local z = 0 return -z",
            "return 1 / 0",
        ] {
            let v = lua.load(source).eval::<Value>()?;
            assert!(matches!(v, Value::Number(_)), "{source}: {v:?}");
        }
        assert_eq!(globals.get::<i64>("number")?, 10);
        let thread = lua.create_thread(lua.load("return coroutine.yield(...)").into_function()?)?;
        assert_eq!(thread.resume::<f64>(1)?, 1.0);
        assert_eq!(thread.resume::<i64>(2)?, 2);
        lua.set_named_registry_value("kept", 12)?;
        assert_eq!(lua.named_registry_value::<i64>("kept")?, 12);
        assert_eq!(lua.check_heap()?, Vec::<String>::new(), "{dialect}");
    }
    Ok(())
}

#[test]
fn environments_of_chunks() -> Result<()> {
    let lua = lua(Dialect::Lua51)?;
    let env = lua.create_table()?;
    env.set("x", "own")?;
    let f = lua.load("return x, getfenv").set_environment(env.clone());
    let (x, missing): (String, Value) = f.eval()?;
    assert_eq!(x, "own");
    assert!(matches!(missing, Value::Nil));
    // A function made in it has it too; its environment is no captured variable that a script could see.
    env.set("debug", lua.globals().get::<Value>("debug")?)?;
    let source = "local y = 1 local function f() return x, y end \
        return (debug.getupvalue(f, 1)), (debug.getupvalue(f, 2)), (f())";
    let seen: (Option<String>, Option<String>, String) =
        lua.load(source).set_environment(env).eval()?;
    assert_eq!(seen, (Some("y".to_owned()), None, "own".to_owned()));
    Ok(())
}

#[test]
fn a_main_function_is_as_loaded_until_its_environment_changes() {
    for (dialect, code, expected) in [
        (Dialect::Lua51, "x = 1 return x", true),
        (Dialect::Lua51, "setfenv(1, {}) x = 1", false),
        (Dialect::Lua51, "return 1", true),
        (Dialect::Lua54, "x = 1 return x", true),
        (Dialect::Lua54, "_ENV = {} x = 1", false),
        (Dialect::Lua54, "local _ENV = {} x = 1", true),
        (
            Dialect::Lua54,
            "local function f() _ENV = {} end return f",
            false,
        ),
    ] {
        let lua = lua(dialect).unwrap();
        let main = lua.load(code).into_function().unwrap();
        main.call::<()>(()).unwrap();
        assert_eq!(main.is_as_loaded(), expected, "{dialect:?}: {code}");
        assert!(!main.is_as_loaded() || main.reload().unwrap().is_as_loaded());
        // What runs after it is not concerned.
        assert_eq!(lua.load("return x").eval::<Option<i64>>().unwrap(), {
            let kept = expected && code.starts_with('x');
            kept.then_some(1)
        });
    }
    let lua = Lua::new();
    let inner: Function = lua.load("return function() end").eval().unwrap();
    let captures = lua.load("local n = 0").into_function().unwrap();
    assert!(!inner.is_as_loaded() && captures.is_as_loaded());
}
