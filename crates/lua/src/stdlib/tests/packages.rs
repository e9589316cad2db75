//! `require` and the `package` table, on a host whose files are in a map.

use super::{TestHost, check_on};

fn host(files: &[(&str, &str)]) -> TestHost {
    let files = files
        .iter()
        .map(|(name, text)| (name.as_bytes().to_vec(), text.as_bytes().to_vec()))
        .collect();
    TestHost {
        files,
        ..TestHost::default()
    }
}

#[test]
fn modules_are_found_by_path_and_loaded_once() {
    check_on(
        || {
            host(&[
                ("./greet.lua", "print('loading', ...) return {hello = 'hi'}"),
                (
                    "./lib/deep/init.lua",
                    "print('deep', ...) return function() return 'deep' end",
                ),
                ("./nothing.lua", "x = 1"),
                ("./falsy.lua", "return false"),
                ("./own.lua", "package.loaded.own = 'set-inside'"),
            ])
        },
        r#"
        local m, where = require("greet") print(m.hello, where) print(require("greet") == m, select('#', require("greet")))
        print(require("lib.deep")()) print(require("nothing"), x) print(require("falsy")) print(require("own"))
        print(package.loaded.greet == m, package.loaded._G == _G, package.loaded.string == string, package.loaded.package == package)
        "#,
        "
        loading greet ./greet.lua
        hi ./greet.lua
        true 1
        deep lib.deep ./lib/deep/init.lua
        deep
        true 1
        false ./falsy.lua
        set-inside ./own.lua
        true true true true
        "
        .replace(' ', "\t")
        .as_str(),
    );
}

#[test]
fn what_is_missing_is_listed() {
    check_on(
        || host(&[]),
        r#"
        package.path, package.cpath = "?.lua;lib/?.lua", "./?.so"
        print(pcall(require, "a.b"))
        print(package.searchpath("a.b", "x/?;y/?.z")) print(package.searchpath("a-b", "?", "-", "+"))
        package.path = nil print(pcall(require, "q")) package.searchers = nil print(pcall(require, "q"))
        print(package.loadlib("x", "y")) print(package.config == "/\n;\n?\n!\n-\n", pcall(require))
        "#,
        "
        false\tmodule 'a.b' not found:
        no field package.preload['a.b']
        no file 'a/b.lua'
        no file 'lib/a/b.lua'
        no file './a/b.so'
        no file './a.so'
        nil\tno file 'x/a/b'
        no file 'y/a/b.z'
        nil\tno file 'a+b'
        false\t'package.path' must be a string
        false\t'package.searchers' must be a table
        nil\tdynamic libraries not enabled; check your Lua installation\tabsent
        true\tfalse\tbad argument #1 to 'require' (string expected, got no value)
        ",
    );
}

#[test]
fn broken_modules_say_where_they_come_from() {
    check_on(
        || {
            host(&[
                ("./bad.lua", "x ="),
                ("./fails.lua", "error('at load')"),
                ("./c.so", "binary"),
            ])
        },
        r#"
        print(pcall(require, "bad")) print(pcall(require, "fails")) print(pcall(require, "fails"))
        package.cpath = "./?.so" print(pcall(require, "c"))
        "#,
        "
        false\terror loading module 'bad' from file './bad.lua':
        ./bad.lua:1: unexpected symbol near <eof>
        false\t./fails.lua:1: at load
        false\t./fails.lua:1: at load
        false\terror loading module 'c' from file './c.so':
        dynamic libraries not enabled; check your Lua installation
        ",
    );
}

#[test]
fn preloads_searchers_and_yields() {
    check_on(
        || {
            host(&[(
                "./slow.lua",
                "local got = coroutine.yield('loading') return {got = got}",
            )])
        },
        r#"
        package.preload.pre = function(...) print(...) return nil end print(require("pre")) print(require("pre"))
        local co = coroutine.wrap(function() return require("slow").got end) print(co()) print(co("resumed"))
        table.insert(package.searchers, 1, function(name) if name == "virtual" then return function(...) coroutine.yield("in loader") return select('#', ...), ... end, "data" end return "searched " .. name end)
        co = coroutine.wrap(function() return require("virtual") end) print(co()) print(co())
        package.searchers = {function() end, function() return 5 end, function() return "text" end} print(pcall(require, "none"))
        "#,
        "
        pre\t:preload:
        true\t:preload:
        true
        loading
        resumed
        in loader
        2\tdata
        false\tmodule 'none' not found:
        5
        text
        ",
    );
}

#[test]
fn paths_come_from_the_environment() {
    let with_env = |pairs: &[(&str, &str)]| {
        let env = pairs
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect();
        TestHost {
            env,
            ..TestHost::default()
        }
    };
    let default = "/usr/local/share/lua/5.4/?.lua;/usr/local/share/lua/5.4/?/init.lua;/usr/local/lib/lua/5.4/?.lua;\
        /usr/local/lib/lua/5.4/?/init.lua;./?.lua;./?/init.lua";
    check_on(|| with_env(&[]), "print(package.path)", default);
    check_on(
        || with_env(&[("LUA_PATH", "a;;b")]),
        "print(package.path)",
        &format!("a;{default};b"),
    );
    check_on(
        || with_env(&[("LUA_PATH", "a"), ("LUA_PATH_5_4", "b")]),
        "print(package.path)",
        "b",
    );
    check_on(
        || with_env(&[("LUA_CPATH", "c/?.so")]),
        "print(package.cpath)",
        "c/?.so",
    );
}

#[test]
fn files_are_loaded_and_run() {
    check_on(
        || {
            host(&[
                (
                    "ok.lua",
                    "#!/usr/bin/lua\nlocal a = ... return a, debug.getinfo(1, 'l').currentline, debug.getinfo(1, 'S').source",
                ),
                ("bom.lua", "\u{feff}# comment\nreturn 'bom'"),
                ("env.lua", "return v"),
                ("bad.lua", "x ="),
                ("yields.lua", "return coroutine.yield('from file')"),
            ])
        },
        r#"
        print(loadfile("ok.lua")(7)) print(dofile("ok.lua")) print(dofile("bom.lua")) print(loadfile("env.lua", "t", {v = "own"})())
        print(loadfile("none.lua")) print(pcall(dofile, "none.lua")) print(loadfile("bad.lua")) print(pcall(dofile, "bad.lua"))
        print(loadfile("ok.lua", "b")) print(pcall(loadfile, {})) print(type(loadfile()))
        local co = coroutine.wrap(function() return dofile("yields.lua") end) print(co()) print(co("back"))
        "#,
        "
        7\t2\t@ok.lua
        nil\t2\t@ok.lua
        bom
        own
        nil\tcannot open none.lua: No such file or directory
        false\tcannot open none.lua: No such file or directory
        nil\tbad.lua:1: unexpected symbol near <eof>
        false\tbad.lua:1: unexpected symbol near <eof>
        nil\tattempt to load a text chunk (mode is 'b')
        false\tbad argument #1 to 'loadfile' (string expected, got table)
        function
        from file
        back
        ",
    );
}
