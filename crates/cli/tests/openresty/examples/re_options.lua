-- request: GET /re_options
local function first(...) local m, err = ngx.re.match(...) return m and m[0] or tostring(m) .. " " .. tostring(err) end
ngx.say(first("Hello", "hello", "i"), " ", first("a\nb", "^b$", "m"), " ", first("a\nb", "a.b"), " ", first("a\nb", "a.b", "s") == "a\nb")
ngx.say(first("caf\195\169!", "caf.!", "u"), " ", first("caf\195\169!", "caf.!"), " ", first("\255", ".", "u") ~= nil)
ngx.say(first("aab", "a+?", "x"), " ", first("foo bar", "foo\\ bar # note", "x"), " ", first("xfoo", "foo", "a"))
ngx.say(first("abc", "(?<x>b)|(?<x>c)", "J"), " ", first("a$b", "\\$"), " ", first("tab\there", "\\t"))
ngx.say((ngx.re.match("ab", "(a)(b)?(c)?", "jo")[3]), " ", (ngx.re.match("ab", "(?<n>z)?a", "jo").n))
ngx.say(first("2024-05-06", "(\\d+)-(\\d+)-(\\d+)"), " ", first("aaa", "a{2}"), " ", first("foobar", "foo(?=bar)"), " ", first("foobar", "(?<=foo)bar"), " ", first("abab", "(ab)\\1"))
ngx.say((select(2, pcall(first, "x", "x", "q")):gsub("^.-:%d+: ", "")))
ngx.say((ngx.re.find("aXbX", "X", "jo", {pos = 3})))
--> 200
--> Hello b nil nil true
--> café! nil nil true
--> a foo bar nil nil
--> nil pcre_compile() failed: two named subpatterns have the same name in "(?<x>b)|(?<x>c)" at ">c)" $
--> false false
--> 2024-05-06 aa foo bar abab
--> unknown flag "q" (flags "q")
--> 4
