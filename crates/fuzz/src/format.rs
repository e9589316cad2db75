//! Target `format`: conversions between numbers, strings and bytes, compared with the reference: `string.format`, `tonumber`,
//! `tostring`, number literals, `string.pack` and `string.unpack`; what is packed must also come back.

use crate::bytes::Bytes;
use crate::machine::{self, Mode};
use crate::text::quote;
use crate::{compare, reference};

const FLAGS: [&str; 10] = ["", "-", "0", "+", " ", "#", "-+", "+0", "# ", "-#0"];
const WIDTHS: [&str; 8] = ["", "1", "5", "20", "99", "100", "007", "0"];
const PRECISIONS: [&str; 8] = ["", ".", ".0", ".1", ".3", ".14", ".99", ".100"];
const CONVERSIONS: &[u8] = b"diuxXoceEfFgGaAsqpn%z\0";
const PACK_ITEMS: [&str; 36] = [
    "b", "B", "h", "H", "i", "I", "l", "L", "j", "J", "T", "f", "d", "n", "s", "z", "x", "i1",
    "i3", "i7", "I9", "i16", "I4", "s1", "s2", "c0", "c3", "Xi4", "Xd", "<", ">", "=", "!", "!2",
    "!4", " ",
];
const NUMERALS: &[u8] = b"0123456789.eE+-xXpPaAfF \tni";

/// The target.
pub fn target(data: &[u8]) {
    let mut input = Bytes::new(data);
    let program = match input.below(5) {
        0 | 1 => formatted(&mut input),
        2 => numeral(&mut input),
        3 => packed(&mut input),
        _ => unpacked(&mut input),
    };
    let lua = machine::lua(rille_lua::Dialect::Lua54, false);
    let ours = machine::run(&lua, program.as_bytes(), Mode::Run);
    let ours = ours.unwrap_or_else(|e| panic!("{e}\n{program}"));
    let text = String::from_utf8_lossy(&ours);
    assert!(!text.contains("did not come back"), "{text}\n{program}");
    if let Some(theirs) = reference::run(rille_lua::Dialect::Lua54, program.as_bytes(), Mode::Run) {
        compare::same(
            rille_lua::Dialect::Lua54,
            program.as_bytes(),
            &ours,
            &theirs,
        );
    }
}

fn number(input: &mut Bytes<'_>) -> String {
    if input.one_in(2) {
        return format!("0x{:x}", input.integer());
    }
    let bits = match input.below(3) {
        0 => (input.integer() as f64).to_bits(),
        1 => (input.integer() as f64 / 10f64.powi(input.below(30) as i32)).to_bits(),
        _ => u64::from_le_bytes(std::array::from_fn(|_| input.byte())),
    };
    let value = f64::from_bits(bits);
    if value.is_nan() {
        return "(0/0)".into();
    }
    // 17 digits name every double.
    let text = format!("{value:.17e}");
    match value.is_infinite() {
        true => if value > 0.0 { "(1/0)" } else { "(-1/0)" }.into(),
        false => format!("({text})"),
    }
}

fn value(input: &mut Bytes<'_>) -> String {
    match input.below(8) {
        0..=4 => number(input),
        5 => quote(input.take(6)),
        6 => format!("\"{}\"", numeral_text(input)),
        _ => input
            .pick(&[
                "nil",
                "true",
                "setmetatable({}, {__tostring = function() return \"obj\\0ect\" end})",
                "\"\"",
                "\"a\\0b\"",
            ])
            .into(),
    }
}

fn formatted(input: &mut Bytes<'_>) -> String {
    let mut format = Vec::new();
    let mut values = String::new();
    for _ in 0..1 + input.below(3) {
        format.push(b'%');
        format.extend_from_slice(input.pick(&FLAGS).as_bytes());
        format.extend_from_slice(input.pick(&WIDTHS).as_bytes());
        format.extend_from_slice(input.pick(&PRECISIONS).as_bytes());
        // `%p` shows addresses.
        let conversion = input.pick(CONVERSIONS);
        format.push(if conversion == b'p' { b's' } else { conversion });
        format.push(b'|');
        values.push_str(", ");
        values.push_str(&value(input));
    }
    format!("out(pcall(string.format, {}{values}))", quote(&format))
}

fn numeral_text(input: &mut Bytes<'_>) -> String {
    let prefix = input.pick(&["", "0x", "-", "1e", "0x.", " "]);
    let length = input.below(12);
    let rest: String = (0..length).map(|_| input.pick(NUMERALS) as char).collect();
    format!("{prefix}{rest}").replace('\t', "\\t")
}

fn numeral(input: &mut Bytes<'_>) -> String {
    let text = numeral_text(input);
    let base = 2 + input.below(36);
    let exact = number(input);
    format!(
        "local s = \"{text}\" out(tonumber(s), pcall(tonumber, s, {base}), math.tointeger(s), pcall(function() return s + 0, -s end))\n\
         out(load(\"return \" .. s .. \" \", \"=l\"))\n\
         local n = {exact} out(n, tostring(n), n .. \"\", math.type(n), math.tointeger(n), pcall(math.floor, n))\n\
         if n == n and tonumber(string.format(\"%.17g\", n)) ~= n and math.type(n) == \"float\" then out(n, \"did not come back\") end\n\
         out(n == tonumber(tostring(n)), pcall(string.format, \"%d\", n), string.format(\"%q\", n), n // 3, n % 7, n // 0.0)"
    )
}

fn pack_format(input: &mut Bytes<'_>) -> (String, usize) {
    let mut format = String::new();
    let mut values = 0;
    for _ in 0..1 + input.below(6) {
        let item = input.pick(&PACK_ITEMS);
        format.push_str(item);
        let first = item.as_bytes()[0];
        values += usize::from(first.is_ascii_alphabetic() && first != b'x' && first != b'X');
    }
    (format, values)
}

fn packed(input: &mut Bytes<'_>) -> String {
    let (format, count) = pack_format(input);
    let values: Vec<String> = (0..count).map(|_| value(input)).collect();
    let values = values.join(", ");
    let comma = if values.is_empty() { "" } else { ", " };
    format!(
        "local f = \"{format}\" out(pcall(string.packsize, f))\n\
         local ok, s = pcall(string.pack, f{comma}{values}) out(ok, s)\n\
         if ok then\n local r = table.pack(string.unpack(f, s)) out(table.unpack(r, 1, r.n))\n\
         local again = string.pack(f, table.unpack(r, 1, r.n - 1))\n\
         if again ~= s or r[r.n] ~= #s + 1 then out(again, \"did not come back\") end end"
    )
}

fn unpacked(input: &mut Bytes<'_>) -> String {
    let (format, _) = pack_format(input);
    let init = input.pick(&["1", "2", "-1", "-3", "0", "99", "math.mininteger"]);
    let bytes = quote(input.take(40));
    format!("out(pcall(string.unpack, \"{format}\", {bytes}, {init}))")
}
