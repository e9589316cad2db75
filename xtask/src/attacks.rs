//! `cargo xtask attacks`: every attack on the release binary, with the table of how each ended, its largest resident set
//! and the fuel it used beyond its limit. The table in `tests/lua/attacks/README.md` is made by `--write`.

use rille_testkit::attacks::{self, Row};
use rille_testkit::workspace_root;

use crate::{section, shell};

/// The table stands between these lines.
const BEGIN: &str = "<!-- attacks -->";
const END: &str = "<!-- end of attacks -->";

pub fn run(words: &[String]) -> Result<bool, String> {
    let (write, filter) = match words {
        [] => (false, ""),
        [word] if word == "--write" => (true, ""),
        [filter] => (false, filter.as_str()),
        _ => return Err("attacks takes a filter, or --write".into()),
    };
    let engine = attacks::engine(&shell::release_binary()?);
    let folder = workspace_root().join("tests/lua");
    // One after the other: what each of them does to the machine is not to be seen in the next one's figures.
    let rows: Vec<Row> = attacks::discover(&folder)?
        .iter()
        .filter(|script| script.to_string_lossy().contains(filter))
        .map(|script| attacks::run(&engine, &folder, script))
        .collect();
    if rows.is_empty() {
        return Err(format!("no attack matches `{filter}`"));
    }
    let table = attacks::table(&rows);
    print!("{table}");
    let failed: Vec<&Row> = rows
        .iter()
        .filter(|row| !row.complaints.is_empty())
        .collect();
    for row in &failed {
        println!("\n---- {} ----\n{}", row.name, row.complaints.trim_end());
    }
    let slowest = rows.iter().map(|row| row.elapsed_ms).max().unwrap_or(0);
    println!(
        "\n{} attacks, {} not as specified; the slowest took {slowest} ms",
        rows.len(),
        failed.len()
    );
    if write && failed.is_empty() {
        let readme = workspace_root().join("tests/lua/attacks/README.md");
        section::replace(&readme, BEGIN, END, &table)?;
    }
    Ok(failed.is_empty())
}
