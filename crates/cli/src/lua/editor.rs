//! Where the prompt's lines come from: standard input as it is, or a line editor when a user sits at a terminal.
//!
//! Lines of a pipe are not shown, as by the reference without the readline library; lines of a file are, as with it. (The
//! official suite looks for them.)
//!
//! The editor's history is a file in the user's state folder (`$XDG_STATE_HOME` or `~/.local/state`) and is written after
//! every entry, so that it survives `os.exit()` and Ctrl-C.
//!
//! **Invariant:** no trouble with the history is an error: without a file there is just no memory of earlier sessions.

use super::complete::Names;
use super::machine::Machine;
use rustyline::config::CompletionType;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use std::io::{BufRead, IsTerminal};
use std::os::fd::AsFd;
use std::path::PathBuf;

/// Entries that the history keeps.
const MAX_HISTORY: usize = 1000;
/// Bytes of the longest entry that is remembered.
const MAX_ENTRY: usize = 64 * 1024;

/// What reading a line came to.
pub enum Line {
    /// A line, without its end.
    Text(Vec<u8>),
    /// The user gave up what was typed so far (Ctrl-C in the editor).
    Dropped,
    /// The end of input.
    End,
}

/// The source of lines.
pub enum Input {
    /// Standard input as it is. That of a file is shown too, so that the output reads as a session at a terminal does.
    Plain { shown: bool },
    /// A user at a terminal.
    Editor(Box<Editor<Names, FileHistory>>, Option<PathBuf>),
}

impl Input {
    pub fn new(machine: &Machine) -> Input {
        if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return Input::plain();
        }
        match editor(machine) {
            Ok(mut editor) => {
                let file = history_file();
                if let Some(file) = &file {
                    let _ = editor.load_history(file);
                }
                Input::Editor(Box::new(editor), file)
            }
            Err(_) => Input::plain(),
        }
    }

    fn plain() -> Input {
        let stdin = std::io::stdin().as_fd().try_clone_to_owned();
        let data = stdin.and_then(|fd| std::fs::File::from(fd).metadata());
        Input::Plain {
            shown: data.is_ok_and(|data| data.is_file()),
        }
    }

    /// Shows a prompt and reads a line.
    pub fn read_line(&mut self, machine: &Machine, prompt: &[u8]) -> Line {
        // As the reference shows it, a C string.
        let end = prompt.iter().position(|b| *b == 0);
        let prompt = &prompt[..end.unwrap_or(prompt.len())];
        let editor = match self {
            Input::Editor(editor, _) => editor,
            Input::Plain { shown } => {
                machine.show(prompt);
                let line = read_plain_line();
                if let (true, Line::Text(text)) = (shown, &line) {
                    machine.show(&[text, &b"\n"[..]].concat());
                }
                return line;
            }
        };
        // The editor takes the line it is on for its own.
        machine.finish_line();
        match editor.readline(&*String::from_utf8_lossy(prompt)) {
            Ok(line) => Line::Text(line.into_bytes()),
            Err(ReadlineError::Interrupted) => Line::Dropped,
            Err(_) => Line::End,
        }
    }

    /// Adds an entry to the history.
    pub fn remember(&mut self, text: &[u8]) {
        let Input::Editor(editor, file) = self else {
            return;
        };
        let Ok(text) = std::str::from_utf8(text) else {
            return;
        };
        if text.trim().is_empty() || text.len() > MAX_ENTRY {
            return;
        }
        if let (Ok(true), Some(file)) = (editor.add_history_entry(text), file) {
            let _ = editor.append_history(file);
        }
    }
}

fn read_plain_line() -> Line {
    let mut line = Vec::new();
    match std::io::stdin().lock().read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => Line::End,
        Ok(_) => {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            Line::Text(line)
        }
    }
}

fn editor(machine: &Machine) -> rustyline::Result<Editor<Names, FileHistory>> {
    let config = Config::builder()
        .max_history_size(MAX_HISTORY)?
        .history_ignore_dups(true)?
        .completion_type(CompletionType::List)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Names::new(machine.lua())));
    Ok(editor)
}

/// The history's file, in a folder that is there.
fn history_file() -> Option<PathBuf> {
    let folder = crate::state::of_user()?;
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("lua_history"))
}
