-- ngx.re on what is long or many, and where its limits are.
local match, find, gmatch, sub, gsub = ngx.re.match, ngx.re.find, ngx.re.gmatch, ngx.re.sub, ngx.re.gsub

-- Longer than one call of the host does.
local long = ("ab"):rep(300000)
local text, n = gsub(long, "a", "cc")
print(#text, n, text:sub(1, 9), text:sub(-6))
text, n = gsub(long, "(a)b(?=a)", "$1")
print(#text, n, text:sub(1, 4), text:sub(-4))
text, n = gsub(long, "a", function(m) return m[0] .. "." end)
print(#text, n, text:sub(1, 9))
text, n = gsub(long, "", "")
print(text == long, n)
n = 0
for m in gmatch(long, "b(a)?") do n = n + (m[1] and 1 or 0) end
print(n)
print(find(long .. "x", "(ab)*+x"), find(long, "[ab]*a[ab]{3}c"))
print(match(long .. "\n", "b$")[0], find(long .. "\n", "^\\w+$"))
print(find(("é"):rep(100000), "(é)+(?!é)", "u", nil, 1))
print(#require("ngx.re").split(long, "a"))

-- What comes to be too large is an error in the coroutine that asked.
print(pcall(gsub, ("x"):rep(1e6), "x", ("y"):rep(5000)))
print(pcall(gsub, ("a"):rep(2 ^ 20), "a+", ("$0"):rep(20)))
print(#gsub(("a"):rep(2 ^ 20), "a+", ("$0"):rep(8)))

-- Steps, and what there is to go back to.
print(match(("a"):rep(40) .. "b", "^(a+)+\\1?$"))
print(find(("a"):rep(2 ^ 20), "(?:(a)|b)*\\1c"))
print(gsub(("a"):rep(40) .. "b", "^(a+)+\\1?$", "x"))
print(gsub(("a"):rep(40) .. "b", "^(a+)+\\1?$", function() end))
print(gmatch(("a"):rep(40) .. "b", "^(a+)+\\1?$")())
print((select(2, match("a", ("a"):rep(65537))):sub(1, 80)))

-- More patterns than are kept.
n = 0
for i = 1, 3000 do n = n + #match("x" .. i, "\\D(" .. i .. ")", "jo")[1] end
print(n)

-- Many searches under way at once.
local threads = {}
for i = 1, 20 do
  threads[i] = ngx.thread.spawn(function()
    local from, to = find(("a"):rep(100000) .. i .. "x", "(?:(a)|b)*+" .. i .. "x")
    ngx.sleep(0)
    return to - from
  end)
end
n = 0
for i = 1, 20 do n = n + select(2, ngx.thread.wait(threads[i])) end
print(n)
--> 900000	300000	ccbccbccb	ccbccb
--> 300001	299999	aaaa	aaab
--> 900000	300000	a.ba.ba.b
--> true	600001
--> 299999
--> 1	nil
--> b	1	600000
--> 199999	200000
--> 300001
--> false	not enough memory
--> false	not enough memory
--> 8388608
--> nil	pcre_exec() failed: -8
--> nil	nil	pcre_exec() failed: -8
--> nil	nil	pcre_exec() failed: -8
--> nil	nil	pcre_exec() failed: -8
--> nil	pcre_exec() failed: -8
--> pcre_compile() failed: regular expression is too large in "aaaaaaaaaaaaaaaaaaaaa
--> 10893
--> 2000031
