//! Answers of the admin API as people read them.
//!
//! **Invariant:** whatever a server says, what is printed here has its control characters escaped.

use super::call::Event;
use rille_runtime::problem::one_line;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// Digits of a bundle's name that are shown.
const DIGITS: usize = 12;

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => one_line(text),
        other => other.to_string(),
    }
}

fn short(value: &Value) -> String {
    text(value).chars().take(DIGITS).collect()
}

/// How long ago a time in seconds was.
fn ago(value: &Value) -> String {
    let Some(at) = value.as_u64() else {
        return String::new();
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let passed = now.map_or(0, |now| now.as_secs()).saturating_sub(at);
    match passed {
        0..=119 => format!("{passed}s"),
        120..=7199 => format!("{}m", passed / 60),
        7200..=172_799 => format!("{}h", passed / 3600),
        _ => format!("{}d", passed / 86_400),
    }
}

/// Columns as wide as what is in them.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        out.push_str(line.join("  ").trim_end());
        out.push('\n');
    }
    out
}

fn heading(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn list<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer[key].as_array().map_or(&[], Vec::as_slice)
}

/// What a command prints.
pub fn answer(command: &str, name: &str, url: &str, answer: &Value) -> String {
    match command {
        "deploy" if answer["accepted"] == true => {
            format!("{name}: it is being deployed; rille ps tells what comes of it\n")
        }
        "deploy" | "rollback" | "purge" => done(name, answer),
        "ps" if name.is_empty() => apps(answer),
        "ps" => tasks(name, answer),
        "versions" => versions(answer),
        "rm" => format!("{name}: removed\n"),
        "hook" => format!(
            "URL     {url}{}\nsecret  {}\ntype    application/json\n",
            text(&answer["path"]),
            text(&answer["secret"])
        ),
        "send" => "sent\n".to_owned(),
        _ => "killed\n".to_owned(),
    }
}

fn done(name: &str, answer: &Value) -> String {
    let version = text(&answer["version"]);
    let source = text(&answer["source"]);
    let bundle = short(&answer["bundle"]);
    match (&answer["changed"], source.is_empty()) {
        (_, true) => format!("{name}: purged\n"),
        (Value::Bool(true), _) => {
            format!("{name}: version {version} serves, {bundle} from {source}\n")
        }
        _ => format!("{name}: nothing new, version {version} serves, {bundle} from {source}\n"),
    }
}

fn apps(answer: &Value) -> String {
    let mut rows = vec![heading(&[
        "NAME", "STATE", "VERSION", "SINCE", "BUNDLE", "FROM",
    ])];
    for app in list(answer, "apps") {
        let error = &app["last_deploy"]["error"]["message"];
        let state = match (app["serves"] == true, app["good"] == true) {
            (true, true) if error.is_string() => "serves (the last deploy was refused)",
            (true, true) => "serves",
            (true, false) => "answers 503",
            (false, _) => "not served",
        };
        let from = match app["source"].is_string() {
            true => text(&app["source"]),
            false => text(&app["folder"]),
        };
        rows.push(vec![
            text(&app["name"]),
            state.to_owned(),
            text(&app["version"]),
            ago(&app["since"]),
            short(&app["bundle"]),
            from,
        ]);
        if error.is_string() {
            rows.push(vec![format!("  {}", text(error))]);
        }
    }
    // Errors are longer than columns.
    let (errors, cells): (Vec<_>, Vec<_>) =
        rows.iter().enumerate().partition(|(_, row)| row.len() == 1);
    let cells: Vec<Vec<String>> = cells.into_iter().map(|(_, row)| row.clone()).collect();
    let mut lines: Vec<String> = table(&cells).lines().map(str::to_owned).collect();
    for (at, row) in errors {
        lines.insert(at.min(lines.len()), row.concat());
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn versions(answer: &Value) -> String {
    let mut rows = vec![heading(&["", "BUNDLE", "AGO", "REVISION", "FROM"])];
    for version in list(answer, "versions") {
        let mark = if version["serves"] == true { "*" } else { "" };
        rows.push(vec![
            mark.to_owned(),
            short(&version["bundle"]),
            ago(&version["since"]),
            short(&version["revision"]),
            text(&version["source"]),
        ]);
    }
    table(&rows)
}

fn tasks(name: &str, answer: &Value) -> String {
    let mut rows = vec![heading(&["TASK", "NAME", "DOES", "MESSAGES"])];
    let tasks = list(answer, "tasks");
    for task in tasks {
        rows.push(vec![
            format!("{name}/{}", text(&task["tid"])),
            text(&task["name"]),
            text(&task["doing"]),
            text(&task["messages"]),
        ]);
    }
    let more = answer["count"]
        .as_u64()
        .unwrap_or(0)
        .saturating_sub(tasks.len() as u64);
    let rest = match more {
        0 => String::new(),
        more => format!("and {more} more\n"),
    };
    table(&rows) + &rest
}

fn line(value: &Value) -> String {
    format!("{}\n", text(&value["text"]))
}

/// Lines of a log.
pub fn lines(answer: &Value) -> String {
    list(answer, "lines").iter().map(line).collect()
}

/// A line as it comes.
pub fn event(event: &Event) -> String {
    let data: Value = serde_json::from_str(&event.data).unwrap_or(Value::Null);
    match event.kind.as_str() {
        "" => line(&data),
        "lost" => format!(
            "[{} lines lost: this reader is slower than the app]\n",
            text(&data["lines"])
        ),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn apps_are_a_table() {
        let answer = json!({"apps": [
            {"name": "a", "serves": true, "good": true, "version": 2, "bundle": "0123456789abcdef", "source": "s3://b/a"},
            {"name": "long", "serves": false, "good": false, "last_deploy": {"error": {"message": "no\nway"}}},
            {"name": "z", "serves": true, "good": false, "version": 1, "folder": "/z"},
        ]});
        assert_eq!(
            super::answer("ps", "", "", &answer),
            "\
NAME  STATE        VERSION  SINCE  BUNDLE        FROM
a     serves       2               0123456789ab  s3://b/a
long  not served
  no\\nway
z     answers 503  1                             /z
"
        );
    }

    #[test]
    fn what_was_done() {
        let answer = json!({"changed": true, "version": 2, "bundle": "0123456789abcdef", "source": "s3://b"});
        assert_eq!(
            done("a", &answer),
            "a: version 2 serves, 0123456789ab from s3://b\n"
        );
        let answer = json!({"changed": false, "version": 2, "bundle": "0123456789abcdef", "source": "s3://b"});
        assert_eq!(
            done("a", &answer),
            "a: nothing new, version 2 serves, 0123456789ab from s3://b\n"
        );
    }

    #[test]
    fn events_are_lines() {
        let it = |kind: &str, data: &str| {
            event(&Event {
                kind: kind.into(),
                data: data.into(),
            })
        };
        assert_eq!(it("", r#"{"text":"a\u001b[31m"}"#), "a\\u{1b}[31m\n");
        assert_eq!(
            it("lost", r#"{"lines":3}"#),
            "[3 lines lost: this reader is slower than the app]\n"
        );
    }
}
