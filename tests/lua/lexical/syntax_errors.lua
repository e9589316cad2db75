-- Messages of the lexer and the parser, with the line and the token they are near.
local function bad(source)
  local f, message = load(source, "=src")
  print(f == nil and message or "compiled: " .. source)
end
bad "x ="
bad "x = = 1"
bad "if x then"
bad "if x then\n\n\nfor"
bad "for i = 1 do end"
bad "for i, j = 1, 2 do end"
bad "for 1 = 1, 2 do end"
bad "local function end"
bad "return return"
bad "return 1 print(2)"
bad "x"
bad "x.y"
bad "f() = 1"
bad "(x) = 1 = 2"
bad "a, b + 1 = 2"
bad "local x <foo> = 1"
bad "local x <const> = 1; x = 2"
bad "local x <close>, y <close> = 1, 2"
bad "goto nowhere"
bad "do goto out; local x; ::out:: print(x) end"
bad "::a:: ::a::"
bad "break"
bad "while true do local function f() break end end"
bad "local t = {1, 2"
bad "f(1, 2"
bad "f(\n1, 2\n"
bad "x = }"
bad "x = 'abc"
bad "x = 'abc\ndef'"
bad [[x = "abc\qdef"]]
bad [[x = "\300"]]
bad [[x = "\xG1"]]
bad [[x = "\x1"]]
bad [[x = "\u{110000000000}"]]
bad [[x = "\u41"]]
bad [[x = "\u{41"]]
bad "x = [[abc"
bad "x = [==abc"
bad "--[[ never closed"
bad "x = 3x"
bad "x = 0x"
bad "x = 1e"
bad "x = 1..2"
bad "x = .0x5"
bad "x = 3.4.5"
bad "x = @"
bad "x = $y"
bad "x = \1"
bad "x ~ 1"
bad "x = ~= 1"
bad "function f(a, ...) return ... end function g() return ... end"
bad "function f(..., a) end"
bad "function f(a, 1) end"
bad "x = function() end end"
bad "local a.b = 1"
bad "local 1"
bad "t:method = 1"
bad "f:g"
bad "x = a:b"
bad "repeat x() until"
bad "else"
bad "end"
bad "until x"
bad "x = {a = }"
bad "x = {[1] 2}"
bad "x = {[1 = 2}"
bad "return ..., = 1"
bad "::1::"
bad "goto 1"
bad "local function f() goto continue; local x; ::continue:: x = 1 end"
bad "repeat goto continue; local x; ::continue:: until x"
bad ("x = '" .. ("a"):rep(100))
bad ("x = " .. ("y"):rep(60) .. " = 2")
--> src:1: unexpected symbol near <eof>
--> src:1: unexpected symbol near '='
--> src:1: 'end' expected near <eof>
--> src:4: <name> expected near <eof>
--> src:1: ',' expected near 'do'
--> src:1: 'in' expected near '='
--> src:1: <name> expected near '1'
--> src:1: <name> expected near 'end'
--> src:1: unexpected symbol near 'return'
--> src:1: <eof> expected near 'print'
--> src:1: syntax error near <eof>
--> src:1: syntax error near <eof>
--> src:1: syntax error near '='
--> src:1: syntax error near '='
--> src:1: '=' expected near '+'
--> src:1: unknown attribute 'foo'
--> src:1: attempt to assign to const variable 'x'
--> src:1: multiple to-be-closed variables in local list
--> src:1: no visible label 'nowhere' for <goto> at line 1
--> src:1: <goto out> at line 1 jumps into the scope of local 'x'
--> src:1: label 'a' already defined on line 1
--> src:1: break outside loop at line 1
--> src:1: break outside loop at line 1
--> src:1: '}' expected near <eof>
--> src:1: ')' expected near <eof>
--> src:3: ')' expected (to close '(' at line 1) near <eof>
--> src:1: unexpected symbol near '}'
--> src:1: unfinished string near <eof>
--> src:1: unfinished string near ''abc'
--> src:1: invalid escape sequence near '"abc\q'
--> src:1: decimal escape too large near '"\300"'
--> src:1: hexadecimal digit expected near '"\xG'
--> src:1: hexadecimal digit expected near '"\x1"'
--> src:1: UTF-8 value too large near '"\u{110000000'
--> src:1: missing '{' near '"\u4'
--> src:1: missing '}' near '"\u{41"'
--> src:1: unfinished long string (starting at line 1) near <eof>
--> src:1: invalid long string delimiter near '[=='
--> src:1: unfinished long comment (starting at line 1) near <eof>
--> src:1: malformed number near '3x'
--> src:1: malformed number near '0x'
--> src:1: malformed number near '1e'
--> src:1: malformed number near '1..2'
--> src:1: malformed number near '.0x5'
--> src:1: malformed number near '3.4.5'
--> src:1: unexpected symbol near '@'
--> src:1: unexpected symbol near '$'
--> src:1: unexpected symbol near '<\1>'
--> src:1: syntax error near '~'
--> src:1: unexpected symbol near '~='
--> src:1: cannot use '...' outside a vararg function near '...'
--> src:1: ')' expected near ','
--> src:1: <name> or '...' expected near '1'
--> src:1: <eof> expected near 'end'
--> src:1: unexpected symbol near '.'
--> src:1: <name> expected near '1'
--> src:1: function arguments expected near '='
--> src:1: function arguments expected near <eof>
--> src:1: function arguments expected near <eof>
--> src:1: unexpected symbol near <eof>
--> src:1: <eof> expected near 'else'
--> src:1: <eof> expected near 'end'
--> src:1: <eof> expected near 'until'
--> src:1: unexpected symbol near '}'
--> src:1: '=' expected near '2'
--> src:1: ']' expected near '='
--> src:1: unexpected symbol near '='
--> src:1: <name> expected near '1'
--> src:1: <name> expected near '1'
--> src:1: <goto continue> at line 1 jumps into the scope of local 'x'
--> src:1: <goto continue> at line 1 jumps into the scope of local 'x'
--> src:1: unfinished string near <eof>
--> src:1: unexpected symbol near '='
