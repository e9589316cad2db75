//! Command lines of lua(1) and what the reference (5.4.8) makes of them: standard output, standard error, exit code, byte for
//! byte. `command_lines.txt` holds them; its head says how.
//!
//! `RILLE_LUA` names another program to judge, such as the reference itself.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Default)]
struct Case {
    line: usize,
    args: Vec<String>,
    env: Vec<String>,
    input: String,
    out: String,
    err: String,
    code: i32,
}

/// The quoted words of a line, in which `\n`, `\t`, `\\` and `\"` stand for what they usually do.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '"' {
            assert_eq!(c, ' ', "a quoted word in {line}");
            continue;
        }
        let mut word = String::new();
        loop {
            match chars.next().expect("the end of a word") {
                '"' => break,
                '\\' => word.push(match chars.next().expect("an escape") {
                    'n' => '\n',
                    't' => '\t',
                    c @ ('"' | '\\') => c,
                    c => panic!("no escape: \\{c}"),
                }),
                c => word.push(c),
            }
        }
        words.push(word);
    }
    words
}

fn word(line: &str) -> String {
    words(line).concat()
}

/// The files that the cases use, and the cases.
fn parse(text: &str) -> (Vec<(String, String)>, Vec<Case>) {
    let (mut files, mut cases) = (Vec::new(), Vec::<Case>::new());
    for (at, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, rest) = line.split_once(':').expect("a key");
        let rest = rest.trim_start();
        match key {
            "file" => {
                let [name, content] = words(rest).try_into().expect("a name and a content");
                files.push((name, content));
            }
            "args" => cases.push(Case {
                line: at + 1,
                args: words(rest),
                ..Case::default()
            }),
            _ => {
                let case = cases.last_mut().expect("a case begins with its arguments");
                match key {
                    "env" => case.env = words(rest),
                    "in" => case.input = word(rest),
                    "out" => case.out = word(rest),
                    "err" => case.err = word(rest),
                    "code" => case.code = rest.parse().expect("a number"),
                    _ => panic!("line {}: what is {key}?", at + 1),
                }
            }
        }
    }
    (files, cases)
}

/// Runs a case under the name `lua`; the line that shows the version becomes `VERSION`.
fn run(program: &Path, folder: &Path, case: &Case) -> (String, String, Option<i32>) {
    let mut command = Command::new(program);
    command
        .arg0("lua")
        .args(&case.args)
        .current_dir(folder)
        .env_clear()
        .envs(
            case.env
                .iter()
                .map(|v| v.split_once('=').expect("name=value")),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut input = child.stdin.take().expect("piped");
    // A program that ends early leaves its input.
    let _ = input.write_all(case.input.as_bytes());
    drop(input);
    let ended = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.split_inclusive('\n').map(|line| {
            if line.starts_with("Lua 5.4") && line.ends_with("PUC-Rio\n") {
                "VERSION\n"
            } else {
                line
            }
        });
        lines.collect::<String>()
    };
    (
        text(&ended.stdout),
        text(&ended.stderr),
        ended.status.code(),
    )
}

#[test]
fn command_lines_do_what_the_reference_does() {
    let program =
        std::env::var_os("RILLE_LUA").unwrap_or_else(|| env!("CARGO_BIN_EXE_rille").into());
    let (files, cases) = parse(include_str!("command_lines.txt"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in &files {
        std::fs::write(folder.path().join(name), content).expect("a file");
    }
    let mut wrong = String::new();
    for case in &cases {
        let ran = run(Path::new(&program), folder.path(), case);
        let wanted = (case.out.clone(), case.err.clone(), Some(case.code));
        if ran != wanted {
            wrong += &format!(
                "\ncommand_lines.txt:{}: {:?}\n  wanted {wanted:?}\n  got    {ran:?}",
                case.line, case.args
            );
        }
    }
    assert!(cases.len() > 100, "{} cases", cases.len());
    assert!(wrong.is_empty(), "{wrong}");
}
