//! Scripts that want too much: each ends with an error the host can tell from an ordinary one, and the VM stays usable.
//!
//! `cargo run -p rille-lua --example limits`

use rille_lua::prelude::*;

fn main() -> LuaResult<()> {
    let lua = Lua::with_options(LuaOptions {
        profile: LuaProfile::Sandbox,
        memory_limit: 8 << 20,
        ..LuaOptions::default()
    })?;
    lua.set_instruction_limit(Some(10_000_000));
    for code in [
        "return 'a good script'",
        "local s = 'x' while true do s = s .. s end",
        "while true do pcall(function() while true do end end) end",
        "return ('a'):rep(1000):find(('a*'):rep(1000) .. 'b')",
        "local function f() return f() + 1 end f()",
        "return os.execute('rm -rf /')",
    ] {
        match lua.load(code).set_name("=script").eval::<LuaValue>() {
            Ok(value) => println!("{:<70} => {}", code, value.to_string()?),
            Err(e) if e.is_limit() => println!("{:<70} => stopped: {}", code, e.message()),
            Err(e) => println!("{:<70} => failed: {}", code, e.message()),
        }
    }
    Ok(())
}
