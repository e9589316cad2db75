//! Host objects in Lua.

use rille_lua::{
    AnyUserData, Error, Lua, MetaMethod, Result, UserData, UserDataFields, UserDataMethods,
    UserDataRef, Value, Variadic,
};
use std::cell::Cell;
use std::rc::Rc;

#[derive(Clone, Debug, PartialEq)]
struct Vector(f64, f64);

impl UserData for Vector {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field("dimensions", 2);
        fields.add_field_method_get("x", |_, this| Ok(this.0));
        fields.add_field_method_set("x", |_, this, x: f64| {
            this.0 = x;
            Ok(())
        });
        fields.add_field_function_get("me", |_, this| Ok(this));
    }
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("length", |_, this, ()| Ok(this.0.hypot(this.1)));
        methods.add_method_mut("scale", |_, this, by: f64| {
            this.0 *= by;
            this.1 *= by;
            Ok(())
        });
        methods.add_function("new", |_, (x, y): (f64, f64)| Ok(Vector(x, y)));
        methods.add_meta_method(MetaMethod::Add, |_, this, other: UserDataRef<Vector>| {
            Ok(Vector(this.0 + other.0, this.1 + other.1))
        });
        methods.add_meta_function(MetaMethod::Mul, |_, (a, b): (Value, Value)| match (a, b) {
            (Value::UserData(v), n) | (n, Value::UserData(v)) => {
                let (v, n) = (v.borrow::<Vector>()?, n.as_f64().unwrap_or(0.0));
                Ok(Vector(v.0 * n, v.1 * n))
            }
            _ => Err(Error::runtime("not a vector")),
        });
        methods.add_meta_method(MetaMethod::Eq, |_, this, other: UserDataRef<Vector>| {
            Ok(*this == *other)
        });
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| {
            Ok(format!("({}, {})", this.0, this.1))
        });
        methods.add_meta_method(MetaMethod::Call, |_, _, args: Variadic<i64>| Ok(args.len()));
        methods.add_meta_method(MetaMethod::Index, |_, _, key: String| {
            Ok(format!("no {key}"))
        });
    }
}

fn with_vector() -> Result<Lua> {
    let lua = Lua::new();
    lua.globals().set("v", Vector(3.0, 4.0))?;
    Ok(lua)
}

#[test]
fn methods_fields_and_metamethods() -> Result<()> {
    let lua = with_vector()?;
    assert_eq!(lua.load("v:length()").eval::<f64>()?, 5.0);
    assert_eq!(
        lua.load("v.x = 6 v:scale(2) return v.x").eval::<f64>()?,
        12.0
    );
    assert_eq!(
        lua.load("tostring(v.new(1, 2) + v.new(3, 4))")
            .eval::<String>()?,
        "(4, 6)"
    );
    assert_eq!(
        lua.load("tostring(2 * v.new(1, 2) * 2)").eval::<String>()?,
        "(4, 8)"
    );
    assert!(lua.load("v.new(1, 2) == v.new(1, 2)").eval::<bool>()?);
    assert_eq!(lua.load("v(1, 2, 3)").eval::<i64>()?, 3);
    assert_eq!(lua.load("v.y").eval::<String>()?, "no y");
    assert_eq!(lua.load("v.dimensions").eval::<i64>()?, 2);
    assert!(lua.load("rawequal(v, v.me)").eval::<bool>()?);
    assert!(!lua.load("getmetatable(v)").eval::<bool>()?, "protected");
    Ok(())
}

#[test]
fn mistakes_are_errors() -> Result<()> {
    let lua = with_vector()?;
    let message = |code: &str| lua.load(code).set_name("=t").exec().unwrap_err().message();
    assert!(
        message("v.length({})").contains("Vector expected, got table"),
        "{}",
        message("v.length({})")
    );
    assert!(
        message("v.length()").contains("Vector expected, got"),
        "{}",
        message("v.length()")
    );
    assert!(message("v.length(io.stdout)").contains("Vector expected, got userdata"));
    assert!(message("v:scale('x')").contains("number expected, got string"));
    assert_eq!(message("v.z = 1"), "t:1: cannot set field 'z'");
    assert!(message("local x = v + 1").contains("userdata expected, got number"));
    Ok(())
}

#[test]
fn borrows_are_checked() -> Result<()> {
    let lua = with_vector()?;
    let v: AnyUserData = lua.globals().get("v")?;
    {
        let _held = v.borrow::<Vector>()?;
        assert!(matches!(
            v.borrow_mut::<Vector>(),
            Err(Error::UserDataBorrowMutError)
        ));
        assert!(matches!(
            v.take::<Vector>(),
            Err(Error::UserDataBorrowMutError)
        ));
        assert!(lua.load("v:scale(2)").exec().is_err());
        assert_eq!(lua.load("v:length()").eval::<f64>()?, 5.0);
    }
    assert!(matches!(
        v.borrow::<String>(),
        Err(Error::UserDataTypeMismatch)
    ));
    assert!(v.is::<Vector>() && !v.is::<i32>());
    assert_eq!(v.type_name()?.as_deref(), Some("Vector"));
    assert_eq!(v.call_method::<f64>("length", ())?, 5.0);
    v.set("x", 0.0)?;
    assert_eq!(v.get::<f64>("x")?, 0.0);
    v.set_user_value("note")?;
    assert_eq!(v.user_value::<String>()?, "note");
    assert_eq!(v.take::<Vector>()?, Vector(0.0, 4.0));
    assert!(lua.load("v:length()").exec().is_err(), "it is gone");
    Ok(())
}

#[test]
fn objects_are_dropped_once() -> Result<()> {
    struct Counted(Rc<Cell<u32>>);
    impl UserData for Counted {}
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Rc::new(Cell::new(0));
    let lua = Lua::new();
    let borrowed = {
        let u = lua.create_userdata(Counted(drops.clone()))?;
        u.borrow::<Counted>()?
    };
    lua.gc_collect()?;
    assert_eq!(drops.get(), 0, "a borrow keeps the object");
    drop(borrowed);
    assert_eq!(drops.get(), 1);
    lua.create_userdata(Counted(drops.clone()))?.destroy()?;
    assert_eq!(drops.get(), 2);
    lua.globals().set("u", Counted(drops.clone()))?;
    drop(lua);
    assert_eq!(drops.get(), 3);
    Ok(())
}

#[test]
fn types_can_be_described_from_outside() -> Result<()> {
    let lua = Lua::new();
    lua.register_userdata_type::<std::time::Duration>(|r| {
        r.add_method("seconds", |_, this, ()| Ok(this.as_secs()));
    })?;
    lua.globals().set(
        "d",
        lua.create_any_userdata(std::time::Duration::from_secs(90))?,
    )?;
    assert_eq!(lua.load("d:seconds()").eval::<u64>()?, 90);
    struct Bad;
    impl UserData for Bad {
        fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
            methods.add_meta_function("__gc", |_, ()| Ok(()));
        }
    }
    assert!(matches!(
        lua.create_userdata(Bad),
        Err(Error::MetaMethodRestricted(_))
    ));
    Ok(())
}

/// A type with fields and its own `__index` and `__newindex` for all other keys.
struct Record;

impl UserData for Record {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("a", |_, _| Ok("getter"));
        fields.add_field_method_set("a", |_, _, v: i64| {
            Err::<(), _>(Error::runtime(format!("set to {v}")))
        });
    }
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("m", |_, _, ()| Ok("method"));
        methods.add_meta_method(MetaMethod::Index, |_, _, key: Value| {
            Ok(format!("own {}", key.type_name()))
        });
        methods.add_meta_method(MetaMethod::NewIndex, |_, _, (key, v): (Value, Value)| {
            Err::<(), _>(Error::runtime(format!(
                "own {} {}",
                key.type_name(),
                v.type_name()
            )))
        });
    }
}

#[test]
fn fields_come_before_methods_and_these_before_what_the_type_does_itself() -> Result<()> {
    let lua = Lua::new();
    lua.globals().set("r", lua.create_userdata(Record)?)?;
    lua.load(
        r#"
        local long = ("x"):rep(100)
        local names = { "a", "m", "b", "\xFF", long }
        for round = 1, 3 do
          assert(r.a == "getter" and r:m() == "method" and r.m(r) == "method")
          assert(r.b == "own string" and r["\xFF"] == "own string" and r[long] == "own string")
          assert(r[1] == "own integer" and r[1.5] == "own number" and r[r] == "own userdata")
          local function fails(key, v, text)
            local good, message = pcall(function() r[key] = v end)
            assert(not good and message:find(text, 1, true), message)
          end
          fails("a", 7, "set to 7")
          fails("a", "x", "bad argument #3 to 'newindex'")
          fails("m", 7, "own string integer")
          fails(1, nil, "own integer nil")
          for _, name in ipairs(names) do fails(name, {}, "") end
        end
        "#,
    )
    .exec()
}

#[test]
fn exchanged_upvalues_of_an_index_function_are_errors_or_nothing() -> Result<()> {
    let lua = with_vector()?;
    lua.load(
        r#"
        local v = v
        local meta = debug.getmetatable(v)
        local index, new_index = meta.__index, meta.__newindex
        for _, wrong in ipairs { 1, "text", {}, print, v, { x = 1, y = v, length = print } } do
          for _, f in ipairs { index, new_index } do
            for n = 1, 3 do
              local name, before = debug.getupvalue(f, n)
              if name then
                debug.setupvalue(f, n, wrong)
                for _, key in ipairs { "x", "y", "me", "length", "none", 1 } do
                  pcall(function() return v[key] end)
                  pcall(function() v[key] = 1 end)
                  pcall(f, v, key, 1)
                  pcall(f)
                end
                debug.setupvalue(f, n, before)
              end
            end
          end
        end
        v.x = 3
        assert(v.x == 3 and v:length() == 5)
        "#,
    )
    .exec()?;
    assert!(lua.check_heap()?.is_empty());
    Ok(())
}
