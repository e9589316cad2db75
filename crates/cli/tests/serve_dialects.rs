//! Apps in other versions of Lua, over the wire.

mod serve_support;

use serve_support::app;

#[test]
fn an_app_in_5_1() {
    let app = app(&[
        ("rille.toml", "lua = \"5.1\""),
        (
            "init.lua",
            "shared = {hits = 0} function double(n) return n * 2 end",
        ),
        (
            "json.lua",
            "return {body = {10 / 2, {1, 2.5}, #'abc', 2 ^ 40, {half = 10 / 2}}}",
        ),
        (
            "echo.lua",
            "local t = request.json() return {body = {t.a + t.b, tostring(t.a), type(t.a)}}",
        ),
        (
            "globals.lua",
            "shared.hits = shared.hits + 1 own = (own or 0) + 1 return own .. ' ' .. shared.hits .. ' ' .. double(4) .. ' ' .. _VERSION",
        ),
        (
            "environment.lua",
            r#"
            local function f() return x end
            setfenv(f, {x = "inner"})
            local before = getfenv(1) == _G and getfenv(0) == _G
            setfenv(0, {x = "changed"})
            local loaded = loadstring("return x")()
            setfenv(1, setmetatable({own = "yes"}, {__index = _G}))
            fresh = 1
            return ("%s %s %s %s %s %s"):format(f(), tostring(before), loaded, own, tostring(_G.fresh), tostring(fresh))"#,
        ),
        (
            "later.lua",
            "return tostring(getfenv(0) == _G) .. ' ' .. tostring(loadstring('return x')()) .. ' ' .. tostring(own)",
        ),
        (
            "host.lua",
            r#"
            local out = {}
            for _, f in ipairs{require, print, log.info} do
                out[#out + 1] = tostring(pcall(setfenv, f, {})) .. tostring(getfenv(f) == _G)
            end
            local object = setmetatable({}, {__tostring = function()
                out[#out + 1] = tostring(pcall(setfenv, 3, {}))
                return "shown"
            end})
            log.info(object)
            return table.concat(out, " ")"#,
        ),
        (
            "lib/old.lua",
            "module(..., package.seeall) count = 0 function hit() count = count + 1 return count, type(string), _NAME end",
        ),
        (
            "lib/new.lua",
            "local M = {} M.args = select('#', ...) return M",
        ),
        (
            "modules.lua",
            "local m, n = require 'old', require 'new' local count, kind, name = m.hit() return table.concat({count, kind, name, tostring(old == m), n.args, select('#', require 'new')}, ' ')",
        ),
        (
            "luajit.lua",
            r#"
            local bit, new, buffer, ffi = require "bit", require "table.new", require "string.buffer", require "ffi"
            local b = buffer.new():put("x", bit.bor(1, 6))
            for i = 1, 2 do if i == 1 then goto continue end b:put("\x21") ::continue:: end
            return tostring(b) .. #new(4, 4) .. tostring(jit.status()) .. tostring(pcall(ffi.new, "int"))"#,
        ),
        (
            "numbers.lua",
            "local s = 0 for i, n in ipairs{1, 2, 3} do s = s + n / i end return 200, tostring(s) .. ' ' .. tostring(tonumber(request.query.n) / 2) .. ' ' .. math.floor(7 / 2)",
        ),
        (
            "closed.lua",
            "return tostring(string.dump) .. tostring(package.loadlib) .. tostring(debug.setfenv) .. tostring(debug.getfenv) .. tostring(io.open('/etc/hostname')) .. tostring(loadstring('\\27Lua'))",
        ),
        ("error.lua", "local t = nil\nreturn t.field"),
        (
            "waits.lua",
            "local ok, v = pcall(function() sleep(0.001) return 10 / 2 end) response.status = 201 return 'after ' .. v",
        ),
    ]);
    assert_eq!(
        app.get("/json").text(),
        r#"[5,[1,2.5],3,1099511627776,{"half":5}]"#
    );
    let echo = app.send("POST", "/echo", &[], br#"{"a": 10, "b": 0.5}"#);
    assert_eq!(echo.text(), r#"[10.5,"10","number"]"#);
    assert_eq!(app.get("/globals").text(), "1 1 8 Lua 5.1");
    assert_eq!(app.get("/globals").text(), "1 2 8 Lua 5.1");
    for _ in 0..2 {
        assert_eq!(
            app.get("/environment").text(),
            "inner true changed yes nil 1"
        );
        // The next request has the coroutine, but not the environment.
        assert_eq!(app.get("/later").text(), "true nil nil");
    }
    assert_eq!(
        app.get("/host").text(),
        "falsetrue falsetrue falsetrue false"
    );
    assert_eq!(app.get("/modules").text(), "1 table old true 1 1");
    assert_eq!(app.get("/modules").text(), "2 table old true 1 1");
    assert_eq!(app.get("/luajit").text(), "x7!0falsefalse");
    assert_eq!(app.get("/numbers?n=7").text(), "3 3.5 3");
    assert_eq!(app.get("/closed").text(), "nilnilnilnilnilnil");
    assert_eq!(app.get("/error").status, 500);
    app.log_line("attempt to index local 't' (a nil value)");
    let waits = app.get("/waits");
    assert_eq!((waits.status, waits.text().as_str()), (201, "after 5"));
}

#[test]
fn an_app_in_5_2() {
    let app = app(&[
        ("rille.toml", "lua = \"5.2\""),
        ("init.lua", "shared = {hits = 0}"),
        (
            "json.lua",
            "return {body = {10 / 2, table.pack(1, 2).n, bit32.bor(1, 6)}}",
        ),
        (
            "globals.lua",
            "shared.hits = shared.hits + 1 own = (own or 0) + 1 return own .. ' ' .. shared.hits .. ' ' .. _VERSION",
        ),
        (
            "environment.lua",
            "local _ENV = setmetatable({own = 'yes'}, {__index = _ENV}) fresh = 1 return own .. tostring(_G.fresh) .. fresh .. load('return x', 'c', 't', {x = 'env'})()",
        ),
        (
            "lib/old.lua",
            "module(..., package.seeall) count = 0 function hit() count = count + 1 return count end",
        ),
        (
            "modules.lua",
            "local m = require 'old' return m.hit() .. tostring(old == m) .. select('#', require 'old')",
        ),
        (
            "goto.lua",
            "local out = '' for i = 1, 3 do if i == 2 then goto continue end out = out .. i ::continue:: end return out .. #setmetatable({}, {__len = function() return 9 end}) .. tostring(setfenv) .. tostring(unpack == table.unpack)",
        ),
        (
            "pairs.lua",
            "local t = setmetatable({}, {__pairs = function() return function(_, k) sleep(0.001) if not k then return 1, 2 end end end}) for k, v in pairs(t) do return k .. '/' .. v end",
        ),
    ]);
    assert_eq!(app.get("/json").text(), "[5,2,7]");
    assert_eq!(app.get("/globals").text(), "1 1 Lua 5.2");
    assert_eq!(app.get("/globals").text(), "1 2 Lua 5.2");
    assert_eq!(app.get("/environment").text(), "yesnil1env");
    assert_eq!(app.get("/modules").text(), "1true1");
    assert_eq!(app.get("/modules").text(), "2true1");
    assert_eq!(app.get("/goto").text(), "139niltrue");
    assert_eq!(app.get("/pairs").text(), "1/2");
}

#[test]
fn an_environment_lasts_for_one_request() {
    for version in ["5.2", "5.3", "5.4", "5.5"] {
        let app = app(&[
            ("rille.toml", &format!("lua = \"{version}\"")),
            (
                "index.lua",
                "local before = tostring(seen) seen = 1 _ENV = {seen = 'mine', tostring = tostring} return before .. tostring(seen)",
            ),
        ]);
        for _ in 0..3 {
            assert_eq!(app.get("/").text(), "nilmine", "Lua {version}");
        }
    }
}
