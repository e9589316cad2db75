//! Every row of `attacks.md` has its tests, and they exist.

use rille_testkit::workspace_root;
use std::collections::BTreeMap;
use std::fs;

/// The rows there have to be.
const ROWS: u32 = 33;

/// The names between backquotes in the last cell of each row.
fn table() -> BTreeMap<u32, Vec<String>> {
    let page = fs::read_to_string(workspace_root().join("crates/cli/tests/attacks.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let Ok(number) = cells[0].trim().parse() else {
            continue;
        };
        let names = cells[cells.len() - 1].split('`').skip(1).step_by(2);
        let former = rows.insert(number, names.map(str::to_owned).collect());
        assert!(former.is_none(), "row {number} is there twice");
    }
    rows
}

/// Why a name stands for no test.
fn complaint(name: &str) -> Option<String> {
    let (path, test) = match name.split_once("::") {
        Some((path, test)) => (path, Some(test)),
        None => (name, None),
    };
    let Ok(text) = fs::read_to_string(workspace_root().join(path)) else {
        return Some(format!("there is no file {path}"));
    };
    match test {
        // A script is judged by what it says it expects.
        None if path.ends_with(".lua") && text.contains("-- attack:") => None,
        None => Some(format!("{path} is no script of an attack")),
        Some(test) => {
            let text: Vec<&str> = text.lines().map(str::trim).collect();
            let head = format!("fn {test}()");
            let is_test = text
                .windows(2)
                .any(|lines| lines[0] == "#[test]" && lines[1].starts_with(&head));
            (!is_test).then(|| format!("{path} has no test {test}"))
        }
    }
}

#[test]
fn every_attack_has_tests_that_exist() {
    let rows = table();
    assert_eq!(
        rows.keys().copied().collect::<Vec<_>>(),
        (1..=ROWS).collect::<Vec<_>>()
    );
    let mut complaints = Vec::new();
    for (number, names) in &rows {
        if names.is_empty() {
            complaints.push(format!("row {number} names no test"));
        }
        complaints.extend(names.iter().filter_map(|name| complaint(name)));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn what_does_not_exist_is_found_out() {
    for name in [
        "tests/lua/attacks/00_nothing.lua",
        "crates/cli/tests/attacks.md",
        "crates/cli/tests/attacks_table.rs::table",
        "crates/cli/tests/attacks_table.rs::no_such_test",
    ] {
        assert!(complaint(name).is_some(), "{name}");
    }
}
