//! Values crossing between Rust and Lua, tables, strings, handles.

use rille_lua::{Error, FromLua, Lua, MultiValue, Result, Table, Value, Variadic};
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[test]
fn numbers_are_checked_for_range_and_kind() -> Result<()> {
    let lua = Lua::new();
    let eval = |text: &str| lua.load(text).eval::<Value>();
    assert_eq!(u8::from_lua(eval("255")?, &lua)?, 255);
    assert!(
        u8::from_lua(eval("256")?, &lua)
            .unwrap_err()
            .to_string()
            .contains("out of range")
    );
    assert!(u8::from_lua(eval("-1")?, &lua).is_err());
    assert_eq!(i64::from_lua(eval("3.0")?, &lua)?, 3);
    assert!(
        i64::from_lua(eval("3.5")?, &lua)
            .unwrap_err()
            .to_string()
            .contains("no integer representation")
    );
    assert_eq!(i64::from_lua(eval("'0x10'")?, &lua)?, 16);
    assert!(i64::from_lua(eval("{}")?, &lua).is_err());
    assert_eq!(f64::from_lua(eval("7")?, &lua)?, 7.0);
    assert_eq!(
        u64::from_lua(lua.pack(u64::MAX)?, &lua).ok(),
        None,
        "2^64-1 became the float 2^64"
    );
    assert_eq!(u64::from_lua(lua.pack(1u64 << 63)?, &lua)?, 1 << 63);
    assert_eq!(lua.pack(i64::MIN)?, Value::Integer(i64::MIN));
    assert_eq!(i128::from_lua(eval("2^70")?, &lua)?, 1 << 70);
    Ok(())
}

#[test]
fn collections_cross_both_ways() -> Result<()> {
    let lua = Lua::new();
    let f = lua
        .load("function(v) return v end")
        .eval::<rille_lua::Function>()?;
    assert_eq!(f.call::<Vec<String>>(vec!["a", "b"])?, ["a", "b"]);
    assert_eq!(f.call::<[i32; 3]>([1, 2, 3])?, [1, 2, 3]);
    assert!(f.call::<[i32; 2]>([1, 2, 3]).is_err());
    let map: HashMap<String, i64> = [("x".to_owned(), 1), ("y".to_owned(), 2)].into();
    assert_eq!(f.call::<HashMap<String, i64>>(map.clone())?, map);
    let tree: BTreeMap<i64, bool> = [(5, true), (-1, false)].into();
    assert_eq!(f.call::<BTreeMap<i64, bool>>(tree.clone())?, tree);
    let set: BTreeSet<i64> = [3, 4].into();
    assert_eq!(f.call::<BTreeSet<i64>>(set.clone())?, set);
    assert_eq!(f.call::<Option<i64>>(None::<i64>)?, None);
    assert_eq!(f.call::<Option<i64>>(Some(1))?, Some(1));
    assert_eq!(f.call::<char>('é')?, 'é');
    Ok(())
}

#[test]
fn several_values() -> Result<()> {
    let lua = Lua::new();
    let (a, b, rest): (i64, String, Variadic<i64>) = lua.load("1, 'x', 2, 3").eval()?;
    assert_eq!((a, b.as_str(), &**rest), (1, "x", &[2, 3][..]));
    let missing: (i64, Option<i64>) = lua.load("1").eval()?;
    assert_eq!(missing, (1, None));
    let nils = MultiValue::from_vec(vec![Value::Nil, Value::Nil]);
    assert_eq!(
        lua.load("return select('#', ...)")
            .call::<i64>(nils.clone())?,
        2
    );
    let none: MultiValue = lua.load("select('#', ...)").call(nils)?;
    assert_eq!(none.len(), 0, "a statement returns nothing");
    let count: i64 = lua.load("return select('#', ...)").call((1, 2, (3, 4)))?;
    assert_eq!(count, 4);
    let twelve: (u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8) =
        lua.load("1,2,3,4,5,6,7,8,9,10,11,12").eval()?;
    assert_eq!(twelve.11, 12);
    let failed: (Value, String) = lua
        .create_function(|_, ()| Ok(Err::<i64, _>("no luck")))?
        .call(())?;
    assert_eq!(failed, (Value::Nil, "no luck".to_owned()));
    Ok(())
}

#[test]
fn tables_honour_metamethods_unless_raw() -> Result<()> {
    let lua = Lua::new();
    let t: Table = lua
        .load(
            "local log = {}
             return setmetatable({}, {
                 __index = function(_, k) return k .. '!' end,
                 __newindex = function(t, k, v) rawset(t, k, v * 2) end,
                 __len = function() return 99 end,
                 __eq = function() return true end,
                 __call = function(_, a) return a + 1 end,
             })",
        )
        .eval()?;
    assert_eq!(t.get::<String>("x")?, "x!");
    assert_eq!(t.raw_get::<Option<String>>("x")?, None);
    t.set("n", 21)?;
    assert_eq!(t.get::<i64>("n")?, 42);
    t.raw_set("n", 1)?;
    assert_eq!(t.get::<i64>("n")?, 1);
    assert_eq!(t.len()?, 99);
    assert_eq!(t.raw_len(), 0);
    assert_eq!(t.call::<i64>(1)?, 2);
    let other = lua.create_table()?;
    assert!(t.equals(&other)? && t != other);
    assert!(t.metatable().is_some());
    t.set_metatable(None)?;
    assert_eq!(t.get::<Option<String>>("x")?, None);
    Ok(())
}

#[test]
fn sequences_and_traversal() -> Result<()> {
    let lua = Lua::new();
    let t = lua.create_sequence_from([10, 20, 30])?;
    t.insert(2, 15)?;
    t.push(40)?;
    t.remove(1)?;
    let all: Vec<i64> = t.sequence_values().collect::<Result<_>>()?;
    assert_eq!(all, [15, 20, 30, 40]);
    assert_eq!(t.pop::<i64>()?, 40);
    assert!(t.insert(9, 0).is_err());
    assert!(t.contains_key(1)? && !t.contains_key("x")?);
    let t = lua.create_table_from([("a", 1), ("b", 2)])?;
    let mut pairs: Vec<(String, i64)> = t.pairs().collect::<Result<_>>()?;
    pairs.sort();
    assert_eq!(pairs, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    // Clearing entries while walking over them is allowed.
    for pair in t.pairs::<String, i64>() {
        t.set(pair?.0, Value::Nil)?;
    }
    assert!(t.is_empty());
    let mixed = lua.load("{1, 'x', {}}").eval::<Table>()?;
    assert!(mixed.sequence_values::<i64>().nth(2).unwrap().is_err());
    Ok(())
}

#[test]
fn frozen_tables_refuse_stores() -> Result<()> {
    let lua = Lua::new();
    let t = lua.create_table_from([("a", 1)])?;
    lua.freeze(&t)?;
    lua.globals().set("t", &t)?;
    assert!(t.is_frozen());
    for code in [
        "t.a = 2",
        "t.b = 1",
        "t[1] = 1",
        "rawset(t, 'a', 2)",
        "setmetatable(t, {})",
        "table.insert(t, 1)",
    ] {
        let e = lua.load(code).exec().expect_err(code);
        assert!(e.message().contains("read-only"), "{code}: {e}");
    }
    assert!(t.set("a", 2).is_err() && t.raw_set("a", 2).is_err() && t.clear().is_err());
    assert_eq!(lua.load("t.a").eval::<i64>()?, 1);
    Ok(())
}

#[test]
fn strings_are_bytes() -> Result<()> {
    let lua = Lua::new();
    let s = lua.load(r"'\xff\0z'").eval::<rille_lua::LuaString>()?;
    assert_eq!(s.as_bytes(), b"\xff\0z");
    assert!(s.to_str().is_err());
    assert_eq!(s.to_string_lossy(), "\u{fffd}\0z");
    assert!(String::from_lua(Value::String(s), &lua).is_err());
    let n = lua.coerce_string(Value::Number(1.5))?.unwrap();
    assert_eq!(n, "1.5");
    assert_eq!(lua.create_string("same")?, lua.create_string("same")?);
    let long = "x".repeat(1000);
    assert_eq!(lua.create_string(&long)?, lua.create_string(&long)?);
    Ok(())
}

#[test]
fn handles_keep_values_alive_and_let_go() -> Result<()> {
    let lua = Lua::new();
    lua.set_gc_stress(true);
    let keep: Vec<Table> = (0..50)
        .map(|i| lua.create_table_from([("i", i)]))
        .collect::<Result<_>>()?;
    for (i, t) in keep.iter().enumerate() {
        assert_eq!(t.get::<usize>("i")?, i);
    }
    lua.set_gc_stress(false);
    lua.load("weak = setmetatable({}, {__mode = 'v'})").exec()?;
    let t = lua.create_table()?;
    lua.globals().get::<Table>("weak")?.set(1, &t)?;
    let again = t.clone();
    drop(t);
    lua.gc_collect()?;
    assert!(
        lua.load("weak[1] ~= nil").eval::<bool>()?,
        "a clone holds it"
    );
    drop(again);
    lua.gc_collect()?;
    assert!(lua.load("weak[1] == nil").eval::<bool>()?);
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn handles_outlive_their_vm_harmlessly() -> Result<()> {
    let lua = Lua::new();
    let t = lua.create_table()?;
    let s = lua.create_string("hello, this is too long to be interned, I think")?;
    let f = lua.load("return 1").into_function()?;
    let thread = lua.create_thread(f.clone())?;
    let key = lua.create_registry_value("x")?;
    let clone = t.clone();
    let bytes = s.as_bytes();
    drop(lua);
    assert_eq!(bytes.len(), 47, "borrowed bytes keep the VM");
    drop(bytes);
    assert!(matches!(t.get::<i64>(1), Err(Error::MismatchedLua)));
    assert!(t.set(1, 1).is_err() && t.len().is_err() && f.call::<()>(()).is_err());
    assert!(thread.resume::<()>(()).is_err());
    assert_eq!(s.as_bytes().len(), 0);
    assert!(t == clone);
    let other = Lua::new();
    assert!(matches!(
        other.registry_value::<String>(&key),
        Err(Error::MismatchedRegistryKey)
    ));
    assert!(matches!(
        other.globals().set("t", t),
        Err(Error::MismatchedLua)
    ));
    Ok(())
}

#[test]
fn registry_and_app_data() -> Result<()> {
    let lua = Lua::new();
    let mut key = lua.create_registry_value("kept")?;
    lua.gc_collect()?;
    assert_eq!(lua.registry_value::<String>(&key)?, "kept");
    lua.replace_registry_value(&mut key, 5)?;
    assert_eq!(lua.registry_value::<i64>(&key)?, 5);
    lua.remove_registry_value(key)?;
    lua.set_named_registry_value("n", 7)?;
    assert_eq!(lua.named_registry_value::<i64>("n")?, 7);

    assert_eq!(lua.set_app_data(1u32), None);
    {
        let _one = lua.app_data_ref::<u32>().unwrap();
        assert!(lua.app_data_mut::<u32>().is_none(), "borrowed");
        assert_eq!(
            lua.set_app_data(2u32),
            None,
            "the borrowed one cannot be given back"
        );
    }
    *lua.app_data_mut::<u32>().unwrap() += 1;
    assert_eq!(lua.remove_app_data::<u32>(), Some(3));
    assert!(lua.app_data_ref::<u32>().is_none());
    Ok(())
}

#[test]
fn values_show_and_compare() -> Result<()> {
    let lua = Lua::new();
    assert_eq!(Value::Integer(1), Value::Number(1.0));
    assert_eq!(Value::Number(1e15).to_string()?, "1e+15");
    let named: Value = lua.load("setmetatable({}, {__name = 'Thing'})").eval()?;
    assert!(named.to_string()?.starts_with("Thing: 0x"));
    let shown: Value = lua
        .load("setmetatable({}, {__tostring = function() return 'shown' end})")
        .eval()?;
    assert_eq!(shown.to_string()?, "shown");
    let wrong: Value = lua
        .load("setmetatable({}, {__tostring = function() return 1 end})")
        .eval()?;
    assert!(wrong.to_string().is_err());
    Ok(())
}
