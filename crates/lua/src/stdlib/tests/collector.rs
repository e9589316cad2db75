//! `collectgarbage`, finalizers and weak tables, as scripts see them.

use super::check;

#[test]
fn options() {
    check(
        r#"
        print(collectgarbage(), collectgarbage("collect"), type(collectgarbage("count")),
        collectgarbage("isrunning")) collectgarbage("incremental") print(collectgarbage("generational"),
        collectgarbage("incremental"), collectgarbage("incremental", 200, 100))
        print(collectgarbage("stop"), collectgarbage("isrunning"), collectgarbage("restart"),
        collectgarbage("isrunning")) collectgarbage("setpause", 200) print(collectgarbage("setpause", 100),
        collectgarbage("setpause", 200))
        collectgarbage("setstepmul", 100) print(collectgarbage("setstepmul", 200),
        collectgarbage("setstepmul", 100)) print(collectgarbage("step", 100000))
        print(pcall(collectgarbage, "bad"))
        local before = collectgarbage("count") local keep = {} for i = 1, 200 do keep[i] = {i} end
        print(collectgarbage("count") > before) keep = nil collectgarbage()
        print(collectgarbage("count") < before + 8)
        "#,
        r#"
        0	0	number	true
        incremental	generational	incremental
        0	false	0	true
        200	100
        100	200
        true
        false	bad argument #1 to 'collectgarbage' (invalid option 'bad')
        true
        true
        "#,
    );
}

#[test]
fn a_full_collection_runs_the_finalizers() {
    check(
        r#"
        local log = {} for i = 1, 3 do setmetatable({}, {__gc = function() log[#log + 1] = i end}) end
        collectgarbage() table.sort(log) print(table.concat(log, ","))
        local revived setmetatable({name = "r"}, {__gc = function(o) revived = o end}) collectgarbage()
        print(revived.name)
        local seen = "unset" setmetatable({}, {__gc = function() seen = collectgarbage() end}) collectgarbage()
        print(seen)
        setmetatable({}, {__gc = function() error("ignored") end}) collectgarbage() print("alive")
        setmetatable({}, {__gc = 5}) collectgarbage() print("still")
        local n = 0 local function again()
        setmetatable({}, {__gc = function() n = n + 1 if n < 3 then again() end end}) end again() collectgarbage()
        collectgarbage() collectgarbage() print(n)
        "#,
        r#"
        1,2,3
        r
        nil
        alive
        still
        3
        "#,
    );
}

#[test]
fn weak_tables() {
    check(
        r#"
        local values, keys = setmetatable({}, {__mode = "v"}), setmetatable({}, {__mode = "k"})
        local strong = {} values.a, values.b, values[1] = {}, strong, "text" keys[{}], keys[strong] = 1, 2
        collectgarbage() print(values.a, values.b == strong, values[1]) local n = 0
        for k in pairs(keys) do n = n + 1 end print(n)
        local eph = setmetatable({}, {__mode = "k"}) do local k = {} eph[k] = {k} end collectgarbage()
        print(next(eph))
        "#,
        r#"
        nil	true	text
        1
        nil
        "#,
    );
}
