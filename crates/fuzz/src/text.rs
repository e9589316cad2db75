//! Byte strings as Lua source, and as the driver shows them.

use std::fmt::Write;

/// A string literal with these bytes.
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', byte as char]),
            b' '..=b'~' => text.push(byte as char),
            _ => {
                let _ = write!(text, "\\{byte:03}");
            }
        }
    }
    text.push('"');
    text
}

/// As `driver.lua` shows a string.
pub fn show(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b' ' | b'!' | b'#'..=b'~' => text.push(byte as char),
            _ => {
                let _ = write!(text, "\\{byte}");
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_read_back_and_shown() {
        let bytes: Vec<u8> = (0..=255).collect();
        let program = format!("out({})", quote(&bytes));
        let lua = crate::machine::lua(rille_lua::Dialect::Lua54, false);
        let output = crate::machine::run(&lua, program.as_bytes(), crate::machine::Mode::Run);
        assert_eq!(
            String::from_utf8(output.unwrap()).unwrap(),
            format!("{}\n-> true", show(&bytes))
        );
    }
}
