//! The mathematical functions: values, subtypes and messages.

use super::check;

#[test]
fn rounding_keeps_integers() {
    check(
        r#"
        print(math.floor(3.7), math.floor(-3.7), math.floor(5), math.floor(1e300), math.floor("3"), math.ceil(3.2),
        math.ceil(-0.5), math.ceil(2^62), math.ceil(2^63))
        print(math.modf(3.7)) print(math.modf(-3.7)) print(math.modf(5)) print(math.modf(1/0))
        print(math.modf(2^70)) print(math.modf("3.5"))
        print(math.abs(-5), math.abs(-5.5), math.abs(math.mininteger), math.abs("-5"))
        print(math.tointeger(3.0), math.tointeger(3.5), math.tointeger("8"), math.tointeger("x"),
        math.tointeger({}), math.tointeger(2^63))
        print(math.type(1), math.type(1.0), math.type("1"), math.type(nil))
        print(math.pi, math.huge, -math.huge, math.maxinteger, math.mininteger)
        "#,
        r#"
        3	-4	5	1e+300	3	4	0	4611686018427387904	9.2233720368548e+18
        3	0.7
        -3	-0.7
        5	0.0
        inf	0.0
        1.1805916207174e+21	0.0
        3	0.5
        5	5.5	-9223372036854775808	5.0
        3	nil	8	nil	nil	nil
        integer	float	nil	nil
        3.1415926535898	inf	-inf	9223372036854775807	-9223372036854775808
        "#,
    );
}

#[test]
fn remainders_and_order() {
    check(
        r#"
        print(math.fmod(7, 3), math.fmod(-7, 3), math.fmod(7, -3), math.fmod(5.5, 2), math.fmod(-6, 2),
        math.fmod(-6.0, 2), math.fmod(math.mininteger, -1), math.fmod("7", 4)) print(pcall(math.fmod, 1, 0))
        print(math.fmod(1, math.huge))
        print(math.max(1, 2.5), math.max(2, 2.0), math.max(2.0, 2), math.min(3, 1, 2), math.min("10"),
        math.max("a", "b"), math.min(1, 0/0), math.max(math.maxinteger, 1e18))
        print(pcall(math.max)) print(pcall(math.min)) print(pcall(math.max, 1, {})) print(pcall(math.min, "a", 1))
        print(math.ult(1, -1), math.ult(-1, 1), math.ult(2, 2)) print(pcall(math.ult, 1.5, 2))
        local function box(n) return setmetatable({n = n}, {__lt = function(a, b) return a.n < b.n end}) end
        print(math.max(box(3), box(9), box(4)).n, math.min(box(3), box(9), box(-4), box(0)).n)
        "#,
        r#"
        1	-1	1	1.5	0	-0.0	0	3.0
        false	bad argument #2 to 'math.fmod' (zero)
        1.0
        2.5	2	2.0	1	10	b	1	9223372036854775807
        false	bad argument #1 to 'math.max' (value expected)
        false	bad argument #1 to 'math.min' (value expected)
        false	attempt to compare number with table
        false	attempt to compare number with string
        true	false	false
        false	bad argument #1 to 'math.ult' (number has no integer representation)
        9	-4
        "#,
    );
}

#[test]
fn powers_and_angles() {
    check(
        r#"
        print(math.sqrt(2), math.exp(1), math.log(8, 2), math.log(1000, 10), math.log(27, 3), math.log(0),
        math.log(8, 0.5), math.log(2.718281828459045))
        print(math.sin(1), math.cos(1), math.tan(1), math.asin(1), math.acos(0), math.atan(1), math.atan(1, -1),
        math.atan(-0.0, -1))
        print(math.deg(1.1), math.rad(180), math.pow(2, 10), math.log10(100), math.sinh(1), math.cosh(1),
        math.tanh(1)) print(math.frexp(0.1)) print(math.frexp(-5e-324)) print(math.frexp(1/0))
        print(math.ldexp(0.75, -1074), math.ldexp(1, 1023), math.ldexp(1, 1024), math.ldexp(5e-324, 2000),
        math.ldexp(-1, -5000))
        print(pcall(math.exp)) print(pcall(math.floor, {})) print(pcall(math.log, 2, "x"))
        print(pcall(math.sqrt, nil)) print(pcall(math.ldexp, 1, 1.5)) print(math.sqrt("16"))
        "#,
        r#"
        1.4142135623731	2.718281828459	3.0	3.0	3.0	-inf	-3.0	1.0
        0.8414709848079	0.54030230586814	1.5574077246549	1.5707963267949	1.5707963267949	0.78539816339745	2.3561944901923	-3.1415926535898
        63.025357464391	3.1415926535898	1024.0	2.0	1.1752011936438	1.5430806348152	0.76159415595576
        0.8	-3
        -0.5	-1073
        inf	0
        4.9406564584125e-324	8.9884656743116e+307	inf	5.6725193347083e+278	-0.0
        false	bad argument #1 to 'math.exp' (number expected, got no value)
        false	bad argument #1 to 'math.floor' (number expected, got table)
        false	bad argument #2 to 'math.log' (number expected, got string)
        false	bad argument #1 to 'math.sqrt' (number expected, got nil)
        false	bad argument #2 to 'math.ldexp' (number has no integer representation)
        4.0
        "#,
    );
}

#[test]
fn random_sequences() {
    check(
        r#"
        print(math.randomseed(42))
        print(math.random(1, 100), math.random(1, 100), math.random(0), math.random(), math.random(7),
        math.random(math.mininteger, math.maxinteger), math.random(3, 3), math.random(-5, 5), math.random(1 << 40))
        print(math.randomseed(123, 456)) for i = 1, 5 do
        io.write(math.random(1, 6), " ", math.random(0, 1 << 53), " ", string.format("%.17g", math.random()), " ")
        end print()
        local a, b = math.randomseed() local x = math.random(0) math.randomseed(a, b) print(math.random(0) == x)
        for i = 1, 1000 do
        local r, f = math.random(10), math.random() assert(r >= 1 and r <= 10 and f >= 0 and f < 1) end
        print(pcall(math.random, 0, 1, 2)) print(pcall(math.random, 2, 1)) print(pcall(math.random, 0.5))
        print(pcall(math.random, -1)) print(pcall(math.randomseed, 1.5)) print(pcall(math.randomseed, "x"))
        "#,
        r#"
        42	0
        50	76	-3807604385970496171	0.61731763595847	7	3891836817331783281	3	-3	717673390616
        123	456
        6 6378602200658254 0.53139590081071342 4 7966612019296547 0.096223879194410111 4 2768857047476917 0.30923080293061045 4 6656915584404910 0.77411929829358661 2 4142855571680963 0.25196304465008523 
        true
        false	wrong number of arguments
        false	bad argument #1 to 'math.random' (interval is empty)
        false	bad argument #1 to 'math.random' (number has no integer representation)
        false	bad argument #1 to 'math.random' (interval is empty)
        false	bad argument #1 to 'math.randomseed' (number has no integer representation)
        false	bad argument #1 to 'math.randomseed' (number expected, got string)
        "#,
    );
}
