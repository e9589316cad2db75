//! What is wrong with an app, told once: file, line and what to do.
//!
//! **Invariant:** a problem is one line of text. Whatever a file contained, it is escaped here, so
//! that it can go to a terminal or a log as it is.

use std::fmt;

/// One thing that is wrong with a file of an app, or with the app as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as the user would name it: the path given on the command line, then the app's own.
    pub file: String,
    /// The line, counted from 1; `None` when the problem is with the file itself.
    pub line: Option<u32>,
    /// What is wrong and, where it is not obvious, what to do.
    pub message: String,
}

impl Problem {
    /// A problem with a file or folder as a whole.
    pub fn new(file: impl Into<String>, message: impl AsRef<str>) -> Problem {
        Problem {
            file: file.into(),
            line: None,
            message: one_line(message.as_ref()),
        }
    }

    /// A problem at a line of a file.
    pub fn at(file: impl Into<String>, line: u32, message: impl AsRef<str>) -> Problem {
        Problem {
            file: file.into(),
            line: Some(line),
            message: one_line(message.as_ref()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for Problem {}

/// `text` with its control characters escaped, so that it stays on one line and cannot steer a
/// terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push('\t'),
            c if c.is_control() => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
    line
}

/// The candidate nearest to `word`, if one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let limit = (word.len() / 3).max(2);
    candidates
        .iter()
        .map(|candidate| (edit_distance(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string
/// alignment). Words longer than 64 characters are not worth comparing.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (above[j] + 1)
                .min(row[j - 1] + 1)
                .min(above[j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_key_and_a_stranger_does_not() {
        let keys = ["memory", "cpu", "wall", "body"];
        assert_eq!(nearest("memry", &keys), Some("memory"));
        assert_eq!(nearest("mempory", &keys), Some("memory"));
        assert_eq!(nearest("cup", &keys), Some("cpu"));
        assert_eq!(nearest("bandwidth", &keys), None);
    }

    #[test]
    fn a_problem_is_one_line() {
        let problem = Problem::at("a/rille.toml", 3, "bad\nvalue \u{1b}[31m");
        assert_eq!(
            problem.to_string(),
            "a/rille.toml:3: bad\\nvalue \\u{1b}[31m"
        );
    }
}
