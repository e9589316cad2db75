#!/usr/bin/env lua
-- A first line that starts with '#' is skipped, and counts as a line.
print(debug.getinfo(1, "l").currentline)
print(load("#not for strings"))
--> 3
--> nil	[string "#not for strings"]:1: unexpected symbol near '#'
