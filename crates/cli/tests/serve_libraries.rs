//! Libraries nobody here wrote, unmodified in an app's `lib` folder: Debian's lua-dkjson,
//! lua-inspect and lua-penlight.

mod serve_support;

use rille_testkit::http;
use rille_testkit::temp::copy_tree;
use serve_support::{folder, serve};
use std::path::{Path, PathBuf};

/// Where the packages put their files; inspect has none for 5.4, and its 5.3 file is the same.
fn installed(name: &str) -> PathBuf {
    let found = ["5.4", "5.3"]
        .iter()
        .map(|version| Path::new("/usr/share/lua").join(version).join(name))
        .find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!("{name} is not installed: apt-get install lua-dkjson lua-inspect lua-penlight")
    })
}

#[test]
fn debian_libraries_run_unmodified() {
    let dir = folder(&[
        (
            "dkjson.lua",
            r#"local dkjson = require "dkjson"
            local value, _, err = dkjson.decode(request.body)
            if err then return 400, err end
            value.doubled = {}
            for i, n in ipairs(value.list) do value.doubled[i] = n * 2 end
            return dkjson.encode(value, {keyorder = {"name", "list", "doubled"}})"#,
        ),
        (
            "inspect.lua",
            r#"local inspect = require "inspect"
            return inspect({1, 2, {a = "b"}, key = "value", [true] = false}, {newline = " ", indent = ""})"#,
        ),
        (
            "penlight.lua",
            r#"local pretty = require "pl.pretty"
            local List = require "pl.List"
            local stringx = require "pl.stringx"
            local tablex = require "pl.tablex"
            local words = List(stringx.split("the quick brown fox"))
            local lengths = words:map(string.len)
            local same = pretty.write(tablex.deepcopy({x = {1, 2}}), "") == "{x={1,2}}"
            return ("%s %s %s"):format(words:reverse():concat(","), lengths:concat("+"), same)"#,
        ),
        (
            "class.lua",
            r##"local class = require "pl.class"
            local Animal = class()
            function Animal:_init(name) self.name = name end
            function Animal:__tostring() return self.name .. ": " .. self:speak() end
            local Cat = class(Animal)
            function Cat:speak() return "meow" end
            local OrderedMap = require "pl.OrderedMap"
            local map = OrderedMap()
            map:set("z", 1) map:set("a", 2)
            local template = require "pl.template"
            local text = template.substitute("# for i = 1, 3 do\n$(i)!\n# end\n", {})
            return tostring(Cat("felix")) .. " " .. map:keys():concat(",") .. " " .. text:gsub("\n", "")"##,
        ),
    ]);
    let lib = dir.path().join("lib");
    std::fs::create_dir(&lib).unwrap();
    for file in ["dkjson.lua", "inspect.lua"] {
        std::fs::copy(installed(file), lib.join(file)).unwrap();
    }
    copy_tree(&installed("pl"), &lib.join("pl")).unwrap();
    let server = serve(dir.path());
    // Twice: modules are loaded by the first request and found by the second.
    for _ in 0..2 {
        let body = br#"{"name": "x", "list": [1, 2.5, 3]}"#;
        let dkjson = http::request(server.address(), "POST", "/dkjson", &[], body).unwrap();
        assert_eq!(
            dkjson.text(),
            r#"{"name":"x","list":[1,2.5,3],"doubled":[2,5.0,6]}"#,
            "{}",
            server.log()
        );
        let inspect = http::get(server.address(), "/inspect").unwrap();
        assert_eq!(
            inspect.text(),
            r#"{ 1, 2, { a = "b" }, [true] = false, key = "value" }"#,
            "{}",
            server.log()
        );
        let penlight = http::get(server.address(), "/penlight").unwrap();
        assert_eq!(
            penlight.text(),
            "fox,brown,quick,the 3+5+5+3 true",
            "{}",
            server.log()
        );
        let class = http::get(server.address(), "/class").unwrap();
        assert_eq!(class.text(), "felix: meow z,a 1!2!3!", "{}", server.log());
    }
    let bad = http::request(server.address(), "POST", "/dkjson", &[], b"{oops").unwrap();
    assert_eq!(bad.status, 400);
}
