-- os: date, time, clock, getenv, difftime, tmpname, setlocale.
-- env: RILLE_TEST_VARIABLE=set by the test
print(os.getenv("RILLE_TEST_VARIABLE"), os.getenv("NO_SUCH_VARIABLE_HERE"))
print(os.date("!%Y-%m-%d %H:%M:%S", 0), os.date("!%c", 86400), os.date("!%x %X %p %A %B %j %U %w %a %b %d %y %Z %%", 1e9))
local t = os.date("!*t", 1234567890)
print(t.year, t.month, t.day, t.hour, t.min, t.sec, t.wday, t.yday, t.isdst)
print(os.time({year = 2000, month = 1, day = 1, hour = 0}), os.time({year = 2000, month = 13, day = 32, hour = 25, min = 61, sec = 61}), os.time({year = 1970, month = 1, day = 1, hour = 0}))
local n = {year = 2024, month = 14, day = -3} os.time(n)
print(n.year, n.month, n.day, n.hour, n.min, n.sec, n.wday, n.yday, n.isdst)
print(os.time({year = "2000", month = "1", day = "2", hour = 3.0}))
print(math.type(os.time()), math.type(os.clock()), os.clock() >= 0, os.difftime(10, 5), os.difftime(5, 10), math.type(os.difftime(1, 0)))
print(pcall(os.difftime)) print(pcall(os.time, {year = 2000}))
print(pcall(os.time, {year = 2000, month = 1, day = "x"}))
print(pcall(os.time, {year = 2000, month = 1.5, day = 1}))
print(pcall(os.time, {year = 1e100, month = 1, day = 1})) print(pcall(os.date, "%Ez"))
print(pcall(os.date, "%")) print(pcall(os.date, "*t", 2^60))
print(pcall(os.date, "%Y", "x"))
print(os.setlocale(), os.setlocale("C"), os.setlocale(nil, "all"), os.setlocale("no_such_locale"), pcall(os.setlocale, "C", "bad"))
local name = os.tmpname() print(type(name), os.remove(name))
print(os.date("!%H", 3600 * 5), os.date("!*t", 0).yday, #os.date(), os.date("!%d/%m/%y %I", 3600 * 13))
print(os.date("!%D %e %F %g %G %h %k" == "" and "" or "!%D %e %F %G %h %R %T %u %V %n%t|", 1e9))
print(type(os.getenv), os.time {year = 2024, month = 2, day = 30, hour = 12} == os.time {year = 2024, month = 3, day = 1, hour = 12})
--> set by the test	nil
--> 1970-01-01 00:00:00	Fri Jan  2 00:00:00 1970	09/09/01 01:46:40 AM Sunday September 252 36 0 Sun Sep 09 01 GMT %
--> 2009	2	13	23	31	30	6	44	false
--> 946684800	981079321	0
--> 2025	1	28	12	0	0	3	28	false
--> 946782000
--> integer	float	true	5.0	-5.0	float
--> false	bad argument #1 to 'os.difftime' (number expected, got no value)
--> false	field 'month' missing in date table
--> false	field 'day' is not an integer
--> false	field 'month' is not an integer
--> false	field 'year' is not an integer
--> false	bad argument #1 to 'os.date' (invalid conversion specifier '%Ez')
--> false	bad argument #1 to 'os.date' (invalid conversion specifier '%')
--> false	date result cannot be represented in this installation
--> false	bad argument #2 to 'os.date' (number expected, got string)
--> C	C	C	nil	false	bad argument #2 to 'os.setlocale' (invalid option 'bad')
--> string	true
--> 05	1	24	01/01/70 01
--> 09/09/01  9 2001-09-09 2001 Sep 01:46 01:46:40 7 36 
--> 	|
--> function	true
