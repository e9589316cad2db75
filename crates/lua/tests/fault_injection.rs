//! Scripts that are preempted after every instruction, and limits of memory in small steps, for scripts, the host and the
//! making of a VM: afterwards the heap is sound and the VM goes on.

mod fault_programs;

use fault_programs::PROGRAMS;
use rille_lua::{Error, Lua, LuaOptions, Outcome, Result};

fn sound(lua: &Lua, what: &str) {
    let problems = lua.check_heap().expect("nothing runs");
    assert!(problems.is_empty(), "{what}: {problems:#?}");
}

fn expected(lua: &Lua, code: &str) -> Result<String> {
    lua.load(code).exec()?;
    let result = lua.globals().get::<rille_lua::Value>("result")?.to_string();
    lua.globals().set("result", rille_lua::Value::Nil)?;
    result
}

#[test]
fn preempted_everywhere_while_everything_is_collected() -> Result<()> {
    for (name, code) in PROGRAMS {
        let lua = Lua::new();
        let expected = expected(&lua, code)?;
        let f = lua.load(*code).into_function()?;
        lua.set_gc_stress(true);
        lua.set_gc_quarantine(true);
        // Collections are charged to the script, so each slice ends soon whatever its fuel.
        let thread = lua.create_thread(f)?;
        let mut outcome = thread.resume_with_fuel((), 1);
        while matches!(outcome, Outcome::Preempted) {
            outcome = thread.continue_with_fuel(1);
        }
        assert!(matches!(outcome, Outcome::Done(_)), "{name}: {outcome:?}");
        let result = lua.globals().get::<rille_lua::Value>("result")?;
        // In which order finalizers run depends on when there are collections.
        if *name != "finalizers that do things" {
            assert_eq!(result.to_string()?, expected, "{name}");
        }
        sound(&lua, name);
    }
    Ok(())
}

#[test]
fn out_of_memory_at_every_allocation() -> Result<()> {
    for (name, code) in PROGRAMS {
        let lua = Lua::with_options(LuaOptions {
            memory_limit: 64 << 20,
            ..LuaOptions::default()
        })?;
        let expected = expected(&lua, code)?;
        let f = lua.load(*code).into_function()?;
        let (mut room, mut failures) = (0, 0);
        loop {
            let what = format!("{name}, with room for {room} bytes");
            // Finalizers run in the first collection's wake; what they were for goes in the second.
            lua.gc_collect()?;
            lua.load("").exec()?;
            lua.gc_collect()?;
            lua.set_memory_limit(lua.used_memory() + room)?;
            let outcome = f.call::<()>(());
            lua.set_memory_limit(64 << 20)?;
            match outcome {
                // A script that caught the error may get to its end.
                Ok(()) => {
                    let result = lua
                        .globals()
                        .get::<rille_lua::Value>("result")?
                        .to_string()?;
                    if result == expected {
                        break;
                    }
                }
                Err(e) => assert!(e.message().contains("not enough memory"), "{what}: {e}"),
            }
            failures += 1;
            sound(&lua, &what);
            room += 16 + room / 64;
        }
        assert!(failures > 10, "{name}: only {failures}");
        assert_eq!(
            self::expected(&lua, code)?,
            expected,
            "{name}: a fresh run after {failures} failures"
        );
    }
    Ok(())
}

#[test]
fn memory_for_the_host_runs_out_too() -> Result<()> {
    let lua = Lua::new();
    let work = |lua: &Lua| -> Result<i64> {
        let t = lua.create_table()?;
        t.set(
            "name",
            "a string that is too long to be interned by far, so that it is made anew",
        )?;
        let f = lua.create_function(|lua, (a, b): (i64, String)| {
            let made = lua.create_sequence_from([a, a + 1])?;
            Ok((made, b + "!"))
        })?;
        t.set("f", f)?;
        let thread = lua.create_thread(
            lua.load("local t = ... local s, x = t.f(1, t.name) return #s + #x")
                .into_function()?,
        )?;
        let n: i64 = thread.resume(&t)?;
        lua.create_any_userdata(vec![1, 2, 3])?.set_user_value(t)?;
        Ok(n)
    };
    let expected = work(&lua)?;
    let (mut room, mut failures) = (0, 0);
    loop {
        lua.gc_collect()?;
        lua.set_memory_limit(lua.used_memory() + room)?;
        let outcome = work(&lua);
        lua.set_memory_limit(0)?;
        match outcome {
            Ok(n) => {
                assert_eq!(n, expected);
                break;
            }
            Err(e) => assert!(
                matches!(e.root(), Error::MemoryError(_)),
                "with room for {room}: {e:?}"
            ),
        }
        failures += 1;
        sound(&lua, &format!("with room for {room}"));
        room += 8;
    }
    assert!(failures > 20, "only {failures}");
    Ok(())
}

#[test]
fn making_a_vm_fails_cleanly_at_every_limit() {
    let needed = Lua::new().used_memory();
    let mut limit = 1;
    while limit < needed + 4096 {
        match Lua::with_options(LuaOptions {
            memory_limit: limit,
            ..LuaOptions::default()
        }) {
            Ok(lua) => sound(&lua, "made"),
            Err(e) => assert!(matches!(e, Error::MemoryError(_)), "{limit}: {e:?}"),
        }
        limit += 256;
    }
}
