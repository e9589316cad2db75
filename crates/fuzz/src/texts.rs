//! Targets for the readers of texts above the VM: `json`, `manifest`, `units`, `routes`, `forms`, `cjson`, `keys`.

use rille_lua::{Function, Lua, LuaString, Value};
use rille_runtime::manifest::Manifest;
use rille_runtime::modules::json::Json;
use rille_runtime::route::{Expression, Match, Pattern, Router, TargetId, percent_decode};
use rille_runtime::units;
use rille_server::forms;

use crate::bytes::Bytes;
use crate::machine;

/// The longest JSON text that is encoded.
const MAX_TEXT: usize = 1 << 20;

/// Target `json`: any text decodes to a value or a message; a value encodes to a text that decodes to the same, and that
/// text is a fixed point.
pub fn json(data: &[u8]) {
    let lua = machine::lua(rille_lua::Dialect::Lua54, false);
    let json = Json::new(&lua, MAX_TEXT).expect("memory");
    let decode = json.decode_function(&lua).expect("memory");
    let encode = json.encode_function(&lua).expect("memory");
    let (value, message): (Value, Option<LuaString>) = decode
        .call(lua.create_string(data))
        .expect("decode raises nothing");
    if let Some(message) = message {
        assert!(value.is_nil() && !message.as_bytes().is_empty());
        return machine::check_heap(&lua, "after a text that is not JSON");
    }
    let text = match encode.call::<LuaString>(value) {
        Ok(text) => text,
        // JSON has numbers that are beyond every float, but no way to write an infinity; and bytes that are not UTF-8
        // are read as they are, but not written.
        Err(e) if e.message().contains("inf as JSON") || e.message().contains("not UTF-8") => {
            return;
        }
        Err(e) => panic!("what was decoded cannot be encoded: {e}"),
    };
    let again: Value = decode.call(text.clone()).expect("what was encoded is JSON");
    let text_again: LuaString = encode
        .call(again)
        .expect("what was encoded once can be encoded again");
    // The order of keys is the table's, so only texts of one key at most are sure to be the same.
    assert_eq!(
        text.as_bytes().len(),
        text_again.as_bytes().len(),
        "{:?} {:?}",
        text.to_string_lossy(),
        text_again.to_string_lossy()
    );
    machine::check_heap(&lua, "after JSON");
    lua_values(&lua, &encode, &decode, data);
}

/// A string of any bytes either encodes to what decodes to it, or is refused.
fn lua_values(lua: &Lua, encode: &Function, decode: &Function, data: &[u8]) {
    let string = lua.create_string(data).expect("memory");
    if let Ok(text) = encode.call::<LuaString>(string) {
        let back: LuaString = decode.call(text).expect("an encoded string is JSON");
        assert_eq!(&*back.as_bytes(), data);
    }
}

/// Target `cjson`: any text decodes to a value or a message, and what a value encodes to is a fixed point.
pub fn cjson(data: &[u8]) {
    let lua = machine::lua(rille_lua::Dialect::Lua54, false);
    let module = rille_modules::cjson::safe(&lua).expect("memory");
    let Value::Table(module) = module else {
        panic!("a module is a table")
    };
    let decode: Function = module.raw_get("decode").expect("it is there");
    let encode: Function = module.raw_get("encode").expect("it is there");
    let (value, message): (Value, Option<LuaString>) = decode
        .call(lua.create_string(data))
        .expect("decode raises nothing");
    if let Some(message) = message {
        assert!(value.is_nil() && !message.as_bytes().is_empty());
        return machine::check_heap(&lua, "after a text that is not JSON");
    }
    let encoded = |value: Value| {
        let (text, message): (Option<LuaString>, Option<LuaString>) =
            encode.call(value).expect("encode raises nothing");
        (text, message.map(|message| message.to_string_lossy()))
    };
    let (Some(text), _) = encoded(value) else {
        // Numbers beyond every float.
        return machine::check_heap(&lua, "after what cannot be encoded");
    };
    let (again, message): (Value, Option<LuaString>) =
        decode.call(text.clone()).expect("decode raises nothing");
    assert!(message.is_none(), "what was encoded is JSON");
    let (text_again, message) = encoded(again);
    let text_again = text_again.unwrap_or_else(|| panic!("encoded once, but: {message:?}"));
    // The order of keys is the table's; numbers have lost digits the first time.
    assert_eq!(text.as_bytes().len(), text_again.as_bytes().len());
    machine::check_heap(&lua, "after JSON");
}

/// Target `keys`: no text is taken for a key by mistake, so that the reader of DER is reached.
pub fn keys(data: &[u8]) {
    let is_key = rille_modules::resty::openssl::is_key(data);
    assert!(!is_key || data.len() > 32, "a key in {} bytes", data.len());
}

/// Target `manifest`: any text gives a manifest and a list of problems, each of which says something.
pub fn manifest(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (manifest, problems) = Manifest::parse(&text, "rille.toml", "app");
    for problem in &problems {
        assert!(!problem.to_string().is_empty());
    }
    assert!(manifest.limits.memory > 0);
}

/// Target `units`: sizes and durations; what is read is shown so that it is read as the same again.
pub fn units(data: &[u8]) {
    let mut input = Bytes::new(data);
    let unit = input.pick(&[
        "", "B", "KiB", "MiB", "GiB", "kB", "kb", "ms", "us", "s", "min", "h", "x",
    ]);
    let text = match input.below(3) {
        0 => String::from_utf8_lossy(input.rest()).into_owned(),
        1 => format!("{} {unit}", input.integer()),
        _ => format!("{}.{}{unit}", input.byte(), input.integer()),
    };
    if let Ok(bytes) = units::parse_size(&text) {
        assert_eq!(
            units::parse_size(&units::show_size(bytes)),
            Ok(bytes),
            "{text}"
        );
    }
    if let Ok(duration) = units::parse_duration(&text) {
        let shown = units::show_duration(duration);
        let again = units::parse_duration(&shown);
        assert_eq!(
            again.map(|d| d.as_micros()),
            Ok(duration.as_micros()),
            "{text} is shown as {shown}"
        );
    }
}

/// Target `routes`: a few patterns and paths; what the router finds is what a search through all patterns finds. And a line that is an
/// expression, with a path.
pub fn routes(data: &[u8]) {
    expression(data);
    let mut input = Bytes::new(data);
    let mut router = Router::default();
    let mut patterns = Vec::new();
    for n in 0..1 + input.below(6) {
        let text = route_text(&mut input);
        if let Ok(pattern) = Pattern::parse(&text) {
            router.add_rule(&pattern, &[], TargetId(n as u32));
            patterns.push((text, n as u32));
        }
        let file = format!("{}.lua", route_text(&mut input).trim_start_matches('/'));
        if let Some(pattern) = Pattern::of_file(&file) {
            router.add_file(&pattern, TargetId(100 + n as u32));
        }
    }
    let path = [b"/", input.rest()].concat();
    let decoded = percent_decode(&path);
    assert!(decoded.len() <= path.len());
    if let Match::Found(TargetId(found), params) = router.find("GET", &path)
        && found < 100
    {
        let (text, _) = patterns
            .iter()
            .find(|p| p.1 == found)
            .expect("it was added");
        let holders = text
            .split('/')
            .filter(|part| part.starts_with([':', '*']))
            .count();
        assert_eq!(
            params.len(),
            holders,
            "{text} for {:?}",
            String::from_utf8_lossy(&path)
        );
    } else {
        // No pattern without parameters may have matched the path as it stands.
        assert!(
            !patterns
                .iter()
                .any(|(text, _)| text.as_bytes() == path && !text.contains([':', '*', '%'])),
            "{path:?} is not found among {patterns:?}"
        );
    }
}

/// An expression compiles or is told in one line; what its groups capture is in the path.
fn expression(data: &[u8]) {
    let (text, path) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &b"/"[..]),
    };
    let expression = match Expression::parse(&String::from_utf8_lossy(text)) {
        Ok(expression) => expression,
        Err(why) => return assert!(!why.is_empty() && !why.contains('\n'), "{why}"),
    };
    let mut router = Router::default();
    router.add_match(expression, &[], TargetId(0));
    let decoded = percent_decode(path);
    if let Match::Found(_, params) = router.find("GET", path) {
        for (name, value) in params {
            let is_there = value.is_empty() || decoded.windows(value.len()).any(|w| w == value);
            assert!(is_there, "{name} is {value:?}");
        }
    }
}

fn route_text(input: &mut Bytes<'_>) -> String {
    let mut text = String::new();
    for _ in 0..1 + input.below(4) {
        text.push('/');
        text.push_str(input.pick(&[
            "a",
            "b",
            ":id",
            "*rest",
            "[id]",
            "[...rest]",
            "index",
            "",
            "%41",
            ":",
            "é",
            ":id2",
        ]));
    }
    text
}

/// Target `forms`: urlencoded fields, cookies, header parameters and multipart bodies.
pub fn forms(data: &[u8]) {
    let fields = forms::urlencoded(data);
    assert!(fields.len() <= forms::MAX_FIELDS);
    assert!(fields.iter().map(|f| f.0.len() + f.1.len()).sum::<usize>() <= data.len());
    assert!(forms::cookies(data).len() <= forms::MAX_FIELDS);
    if let Some(value) = forms::parameter(data, "boundary") {
        assert!(value.len() <= data.len());
    }
    let (boundary, body) = data.split_at(data.len().min(3));
    for part in forms::multipart(body, boundary) {
        assert!(part.content.len() <= body.len());
    }
}

/// Target `dict`: operations on a dictionary of `ngx.shared` and on a naive model of it.
pub fn dict(input: &[u8]) {
    rille_runtime::dict::model::exercise(input);
}

/// Target `regex`: options, a pattern and a subject, with zero bytes between them. Nothing panics, and what is found is inside the subject.
pub fn regex(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (options, pattern, subject) = (part(), part(), part());
    // Most bytes are no options: they stand for some.
    let options: Vec<u8> = options
        .iter()
        .take(4)
        .map(|byte| b"adDijJmosuUx"[usize::from(*byte) % 12])
        .collect();
    let subject = &subject[..subject.len().min(4096)];
    rille_modules::ngx::re::fuzz_compile(pattern, &options, subject);
}
