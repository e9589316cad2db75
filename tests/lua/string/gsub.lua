-- gsub: replacement strings, tables, functions, limits, anchors, empty matches, errors.
print(("hello world"):gsub("o", "0")) print(("hello"):gsub("l", "L", 1))
print(("hello"):gsub("", "-")) print(("hello"):gsub("x", "y"))
print(("hello"):gsub("l+", "<%0>")) print(("abc"):gsub("(%w)(%w)", "%2%1"))
print(("abc"):gsub("%w", "%%%0")) print(("abc"):gsub("b", "%1"))
print(("$name is $age"):gsub("%$(%w+)", {name = "Bob", age = 42})) print(("a b c"):gsub("%w", {a = "1", b = false}))
print(("a b c"):gsub("%w", function(c) if c == "b" then return nil end return c:upper() end))
print(("abc"):gsub("%w", function() return false end))
print(("1 2 3"):gsub("%d", function(d) return d * 2 end))
print(("x=1 y=2"):gsub("(%w)=(%w)", function(k, v) return v .. "=" .. k end))
print(("abc"):gsub("()", function(p) return p end))
print(("aaa"):gsub("^a", "b")) print(("aaa"):gsub("a$", "b"))
print(("hello world"):gsub("%w+", "%0 %0", 1)) print(("abc"):gsub("%w", "x", 0))
print(("abc"):gsub("%w", "x", -1))
print(("abc"):gsub("", "")) print((""):gsub("", "x")) print(("abc"):gsub(".*", "[%0]"))
print(("abc def"):gsub("%s*", "_")) print(("  a b  "):gsub("^%s+", ""))
print(("%d"):gsub("%%d", "%%s")) print(("a.b.c"):gsub("%.", "%%"))
print(("path/to/file"):gsub("/", "\\")) print(("é"):gsub("[\x80-\xff]", "?"))
print(pcall(string.gsub, "a", "a", "%2")) print(pcall(string.gsub, "a", "a", "%"))
print(pcall(string.gsub, "a", "a", "%x")) print(pcall(string.gsub, "a", "(a", "b"))
print(pcall(string.gsub, "a", "a", function() return {} end))
print(pcall(string.gsub, "a", "a", {a = true}))
print(pcall(string.gsub, "a", "a", function() error("in callback", 0) end))
print(pcall(string.gsub, "a", "a", nil))
print(("abc"):gsub("%w", setmetatable({}, {__index = function(_, k) return k .. k end})))
print(("nested (a(b)c)"):gsub("%b()", ""))
print(("THE (quick) fox"):gsub("%f[%a]%a", string.upper))
local s, n = ("x"):rep(100000):gsub("x", "yy") print(#s, n)
print(("hello"):gsub("(h)(e)(l)(l)(o)", "%5%4%3%2%1")) print(("abc"):gsub("b", 5))
print(("abc"):gsub("b", 1.5)) print(("a,b"):gsub(",", {[","] = 7}))
local function escape(x) return (x:gsub("[%(%)%.%%%+%-%*%?%[%^%$]", "%%%0")) end
print(escape("a.b*c(d)"), ("a.b*c(d)"):find(escape("b*c(d)")))
print(("abc"):gsub("%w", "%0%0"):upper(), select("#", ("abc"):gsub("b", "x")))
--> hell0 w0rld	2
--> heLlo	1
--> -h-e-l-l-o-	6
--> hello	0
--> he<ll>o	1
--> bac	1
--> %a%b%c	3
--> abc	1
--> Bob is 42	2
--> 1 b c	3
--> A b C	3
--> abc	3
--> 2 4 6	3
--> 1=x 2=y	2
--> 1a2b3c4	4
--> baa	1
--> aab	1
--> hello hello world	1
--> abc	0
--> abc	0
--> abc	4
--> x	1
--> [abc]	1
--> _a_b_c_d_e_f_	7
--> a b  	1
--> %s	1
--> a%b%c	2
--> path\to\file	2
--> ??	2
--> false	invalid capture index %2
--> false	invalid use of '%' in replacement string
--> false	invalid use of '%' in replacement string
--> true	b	1
--> false	invalid replacement value (a table)
--> false	invalid replacement value (a boolean)
--> false	in callback
--> false	bad argument #3 to 'string.gsub' (string/function/table expected, got nil)
--> aabbcc	3
--> nested 	1
--> THE (Quick) Fox	3
--> 200000	100000
--> olleh	1
--> a5c	1
--> a1.5c	1
--> a7b	1
--> a%.b%*c%(d%)	3	8
--> AABBCC	2
