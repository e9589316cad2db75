//! A script with its expectations.
//!
//! ```text
//! -- What the script shows, in a sentence.            the header: every comment line before the first line of code.
//! -- expect: exit 1                                   The first is a title; after it, lines `-- key: value` direct
//! -- stderr: attempt to call a nil value              the runner, and others are prose
//! print("before")
//! nothing()
//! --> before                                          the tail: what the script must print, line by line
//! ```
//!
//! | key | meaning |
//! |---|---|
//! | `expect: exit N` | the exit code, 0 unless said |
//! | `stderr: TEXT` | standard error contains TEXT; may be repeated. Without it, a script that exits 0 must print nothing there |
//! | `args: A B` | arguments of the script |
//! | `stdin: TEXT` | standard input, with `\n`, `\t` and `\\` understood |
//! | `env: NAME=VALUE` | an environment variable; may be repeated |
//! | `flags: ...` | options for `rille lua`, not passed to any other interpreter |
//! | `dialect: 5.1` | the version of Lua; other interpreters than those of that version skip the script |
//! | `only: rille` | not portable to the reference interpreter |
//! | `timeout: N s` | the time limit, 20 s unless said |
//! | `rss: N MiB` | the resident set must stay below this |
//! | `stress: skip, REASON` | too slow where a collection runs at every allocation |
//!
//! **Invariant:** the expected output stands at the end and nowhere else, so that rewriting it never moves a line of
//! code, and line numbers in the script's own messages stay true.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);
const EXPECTED: &str = "-->";
/// Stands at the end of an expected last line that has no newline.
const NO_NEWLINE: &str = "\\no newline";

/// One script and what is expected of it.
#[derive(Debug, Clone)]
pub struct Script {
    pub path: PathBuf,
    pub exit_code: i32,
    pub stderr: Vec<String>,
    pub args: Vec<String>,
    pub stdin: String,
    pub env: Vec<(String, String)>,
    pub flags: Vec<String>,
    /// The version's number, if it is not the one that Rille speaks by itself.
    pub dialect: Option<String>,
    pub only_rille: bool,
    pub timeout: Duration,
    pub rss_limit_bytes: Option<u64>,
    pub stress_skip: Option<String>,
    pub stdout: Vec<String>,
}

impl Script {
    /// Reads and parses a script file. The error names the file and line.
    pub fn load(path: &Path) -> Result<Script, String> {
        let text = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Script::parse(path, &String::from_utf8_lossy(&text))
    }

    /// Parses the text of a script.
    pub fn parse(path: &Path, text: &str) -> Result<Script, String> {
        let mut script = Script {
            path: path.to_path_buf(),
            exit_code: 0,
            stderr: Vec::new(),
            args: Vec::new(),
            stdin: String::new(),
            env: Vec::new(),
            flags: Vec::new(),
            dialect: None,
            only_rille: false,
            timeout: DEFAULT_TIMEOUT,
            rss_limit_bytes: None,
            stress_skip: None,
            stdout: Vec::new(),
        };
        let mut at_title = true;
        for (number, line) in text.lines().enumerate() {
            if number == 0 && line.starts_with('#') {
                continue;
            }
            let Some(comment) = line.strip_prefix("--") else {
                break;
            };
            if line.starts_with(EXPECTED) {
                break;
            }
            if std::mem::take(&mut at_title) {
                continue;
            }
            script
                .directive(comment.trim())
                .map_err(|e| format!("{}:{}: {e}", path.display(), number + 1))?;
        }
        script.stdout = expected_lines(text);
        Ok(script)
    }

    fn directive(&mut self, comment: &str) -> Result<(), String> {
        let Some((key, value)) = comment.split_once(':') else {
            return Ok(());
        };
        let value = value.trim();
        let words = || value.split_whitespace().map(str::to_owned).collect();
        match key {
            "expect" => {
                let code = value.strip_prefix("exit ").and_then(|n| n.parse().ok());
                self.exit_code = code.ok_or("expect takes `exit N`")?;
            }
            "stderr" => self.stderr.push(value.to_owned()),
            "args" => self.args = words(),
            "stdin" => self.stdin = unescape(value),
            "env" => {
                let (name, value) = value.split_once('=').ok_or("env takes NAME=VALUE")?;
                self.env.push((name.to_owned(), value.to_owned()));
            }
            "flags" => self.flags = words(),
            "dialect" => {
                let known = value.split_once('.').is_some_and(|(major, minor)| {
                    major == "5" && minor.len() == 1 && minor.bytes().all(|b| b.is_ascii_digit())
                });
                if !known {
                    return Err("dialect takes a version such as 5.1".into());
                }
                self.dialect = Some(value.to_owned());
            }
            "only" if value == "rille" => self.only_rille = true,
            "only" => return Err("only takes `rille`".into()),
            "timeout" => {
                let seconds = value.strip_suffix('s').and_then(|n| n.trim().parse().ok());
                self.timeout = Duration::from_secs(seconds.ok_or("timeout takes `N s`")?);
            }
            "rss" => {
                let mib = value
                    .strip_suffix("MiB")
                    .and_then(|n| n.trim().parse::<u64>().ok());
                self.rss_limit_bytes = Some(mib.ok_or("rss takes `N MiB`")? << 20);
            }
            "stress" => {
                let reason = value.strip_prefix("skip,").map(str::trim);
                let reason = reason.filter(|r| !r.is_empty());
                self.stress_skip = Some(reason.ok_or("stress takes `skip, REASON`")?.to_owned());
            }
            // Prose with a colon in it, unless it looks like a directive that was mistyped.
            _ if key.chars().all(|c| c.is_ascii_lowercase()) && !key.is_empty() => {
                return Err(format!(
                    "unknown directive `{key}` (begin prose with a capital)"
                ));
            }
            _ => {}
        }
        Ok(())
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            _ => out.push(c),
        }
    }
    out
}

/// How many lines at the end of `lines` are expectations.
fn tail_length(lines: &[&str]) -> usize {
    lines
        .iter()
        .rev()
        .take_while(|line| line.starts_with(EXPECTED))
        .count()
}

fn expected_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let tail = &lines[lines.len() - tail_length(&lines)..];
    tail.iter()
        .map(|line| {
            let line = &line[EXPECTED.len()..];
            line.strip_prefix(' ').unwrap_or(line).to_owned()
        })
        .collect()
}

/// A program's output as the lines an expectation lists. A missing last newline shows as a mark on the last line.
pub fn output_lines(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    match lines.last_mut() {
        Some(last) if last.is_empty() => {
            lines.pop();
        }
        Some(last) => last.push_str(NO_NEWLINE),
        None => {}
    }
    lines
}

/// The script's text with its expected output replaced.
pub fn with_expected(text: &str, stdout: &[String]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = lines[..lines.len() - tail_length(&lines)].join("\n");
    out.push('\n');
    for line in stdout {
        out.push_str(EXPECTED);
        if !line.is_empty() {
            out.push(' ');
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Script, String> {
        Script::parse(Path::new("x.lua"), text)
    }

    #[test]
    fn reads_directives_and_expected_output() {
        let script = parse(concat!(
            "-- title: with a colon\n-- Prose: with a colon.\n-- expect: exit 70\n-- stderr: a: b\n-- stderr: c\n",
            "-- args: 1 two\n-- flags: --max-memory 64MiB\n-- dialect: 5.1\n-- only: rille\n-- timeout: 3 s\n",
            "-- rss: 96 MiB\n-- stdin: a\\nb\n-- env: K=v=w\n-- stress: skip, slow\n",
            "print(1) -- expect: exit 9\n--> not the tail\nprint(2)\n--> 1\n-->\n-->  two\n"
        ))
        .unwrap();
        assert_eq!(script.exit_code, 70);
        assert_eq!(script.stderr, ["a: b", "c"]);
        assert_eq!(script.args, ["1", "two"]);
        assert_eq!(script.flags, ["--max-memory", "64MiB"]);
        assert_eq!(script.dialect.as_deref(), Some("5.1"));
        assert!(script.only_rille);
        assert_eq!(script.timeout, Duration::from_secs(3));
        assert_eq!(script.rss_limit_bytes, Some(96 << 20));
        assert_eq!(script.stdin, "a\nb");
        assert_eq!(script.env, [("K".to_owned(), "v=w".to_owned())]);
        assert_eq!(script.stress_skip.as_deref(), Some("slow"));
        assert_eq!(script.stdout, ["1", "", " two"]);
    }

    #[test]
    fn a_mistyped_directive_is_an_error_with_its_line() {
        assert_eq!(
            parse("-- About.\n-- expct: exit 1\n").unwrap_err(),
            "x.lua:2: unknown directive `expct` (begin prose with a capital)"
        );
        assert!(parse("-- Title.\n-- expect: 1\n").is_err());
        assert!(parse("-- Title.\n-- stress: skip\n").is_err());
    }

    #[test]
    fn blessing_replaces_only_the_tail() {
        let text = "-- About.\nprint(1)\n--> old\n--> older\n";
        let blessed = with_expected(text, &["new".into(), String::new(), "x ".into()]);
        assert_eq!(blessed, "-- About.\nprint(1)\n--> new\n-->\n--> x \n");
        assert_eq!(expected_lines(&blessed), ["new", "", "x "]);
    }

    #[test]
    fn a_missing_last_newline_is_seen() {
        assert_eq!(output_lines(b"a\nb\n"), ["a", "b"]);
        assert_eq!(output_lines(b"a\nb"), ["a", "b\\no newline"]);
        assert!(output_lines(b"").is_empty());
        assert_eq!(output_lines(b"\n"), [""]);
    }
}
