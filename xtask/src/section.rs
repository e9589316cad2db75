//! Parts of documents that a command writes: what stands between two marks, each on a line of its own.

use std::fs;
use std::path::Path;

/// Replaces what stands between the lines `begin` and `end` of a document.
pub fn replace(path: &Path, begin: &str, end: &str, content: &str) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let new = replaced(&text, begin, end, content)
        .ok_or_else(|| format!("{}: no place for the table", path.display()))?;
    fs::write(path, new).map_err(|e| format!("{}: {e}", path.display()))
}

fn replaced(text: &str, begin: &str, end: &str, content: &str) -> Option<String> {
    let (begin, end) = (format!("{begin}\n"), format!("{end}\n"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{content}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let text = "a\n<!-- x -->\nold\nlines\n<!-- y -->\nb\n";
        let new = replaced(text, "<!-- x -->", "<!-- y -->", "new\n");
        assert_eq!(new.as_deref(), Some("a\n<!-- x -->\nnew\n<!-- y -->\nb\n"));
        assert_eq!(replaced(text, "<!-- y -->", "<!-- x -->", "new\n"), None);
        assert_eq!(replaced("a\n", "<!-- x -->", "<!-- y -->", "new\n"), None);
    }
}
