//! What the collector promises a program: how large the heap becomes.

use rille_lua::{Lua, Result};

/// A program that replaces what it holds, bit by bit, keeps less than twice of that (and of the intern table, which has grown
/// for the garbage too: what is alive is asked for at the end).
#[test]
#[cfg_attr(rille_pieces, ignore = "the pace is that of steps of full size")]
fn the_heap_stays_below_twice_what_is_alive() -> Result<()> {
    for live in [4_000, 40_000] {
        let lua = Lua::new();
        let ratio: f64 = lua
            .load(format!(
                "local n = {live} local live = {{}}
                 for i = 1, n do live[i] = {{i, tostring(i)}} end
                 local most = 0
                 for i = 1, 15 * n do
                     live[i % n + 1] = {{i, tostring(i)}}
                     if i % 10 == 0 then most = math.max(most, collectgarbage('count')) end
                 end
                 collectgarbage()
                 return most / collectgarbage('count')"
            ))
            .eval()?;
        assert!(ratio < 2.0, "{live} objects: {ratio} times what is alive");
    }
    Ok(())
}
