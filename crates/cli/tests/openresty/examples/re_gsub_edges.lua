-- request: GET /re_gsub_edges
local function show(...) local s, n, err = ngx.re.gsub(...) ngx.say("[", s, "] ", n, " ", err) end
show("hello", "", "-")
show("hello", "l*", "-")
show("abc", "x", "y")
show("a.b.c", "\\.", "")
show("abc", "(?<l>[a-z])", "${1}$1$0")
show("abc", "b", "$")
show("aXbX", "X", function(m) return nil end)
show("aXbX", "X", function(m) return 5 end)
show("aXbX", "X", function(m) return false end)
show("one two", "(\\w+) (\\w+)", "$2 $1", "jo")
local s, n = ngx.re.sub("aaa", "a", "b")
ngx.say(s, " ", n)
--> 200
--> [-h-e-l-l-o-] 6 nil
--> [-h-e--o-] 5 nil
--> [abc] 0 nil
--> [abc] 2 nil
--> [aaabbbccc] 3 nil
--> [nil] nil failed to compile the replacement template
--> [anilbnil] 2 nil
--> [a5b5] 2 nil
--> [afalsebfalse] 2 nil
--> [two one] 1 nil
--> baa 1
