//! The rules of ARCHITECTURE.md that a machine can check: which crate may depend on which, and where `unsafe` may stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rille_testkit::workspace_root;

/// For each crate of the workspace, the crates of the workspace it may use, directly. This is the one direction of
/// `lua <- runtime <- modules <- server, load <- cli` and `store <- server`; a crate that does not exist yet is allowed
/// for, one that is not listed fails.
const MAY_USE: &[(&str, &[&str])] = &[
    ("rille-alloc", &[]),
    ("rille-lua", &[]),
    ("rille-runtime", &["rille-lua"]),
    ("rille-modules", &["rille-lua", "rille-runtime"]),
    ("rille-store", &[]),
    (
        "rille-server",
        &["rille-lua", "rille-runtime", "rille-modules", "rille-store"],
    ),
    (
        "rille-load",
        &["rille-lua", "rille-runtime", "rille-modules"],
    ),
    (
        "rille",
        &[
            "rille-alloc",
            "rille-lua",
            "rille-runtime",
            "rille-modules",
            "rille-store",
            "rille-server",
            "rille-load",
        ],
    ),
    ("rille-testkit", &[]),
    (
        "rille-fuzz",
        &[
            "rille-lua",
            "rille-runtime",
            "rille-modules",
            "rille-server",
            "rille-store",
            "rille-testkit",
        ],
    ),
    ("xtask", &["rille-testkit"]),
];

/// Crates that exist to serve tests and tools: nothing that ships may need them.
const DEVELOPMENT_ONLY: &[&str] = &["rille-testkit", "rille-fuzz", "xtask"];

/// What the VM must not reach for: sockets, runtimes and clocks belong to the crates above it.
const FORBIDDEN_IN_LUA: &[&str] = &["tokio", "hyper", "socket2", "mio", "async-std", "smol"];

struct Manifest {
    name: String,
    dependencies: BTreeSet<String>,
    dev_dependencies: BTreeSet<String>,
    folder: PathBuf,
}

/// The members of the workspace, read from the manifests themselves.
fn manifests() -> Vec<Manifest> {
    let root = workspace_root();
    let mut folders = vec![root.join("xtask")];
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        folders.push(entry.unwrap().path());
    }
    folders
        .into_iter()
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .map(|folder| {
            let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
            parse(&text, folder)
        })
        .collect()
}

/// Reads the few things needed here out of a manifest: its name and the names under its dependency tables, in both
/// spellings (`[dependencies]` with keys, `[dependencies.NAME]`), also those of a `[target.*]`.
fn parse(text: &str, folder: PathBuf) -> Manifest {
    let mut manifest = Manifest {
        name: String::new(),
        dependencies: BTreeSet::new(),
        dev_dependencies: BTreeSet::new(),
        folder,
    };
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']']).to_owned();
            if let Some((table, name)) = section.rsplit_once('.') {
                manifest.add(table, name);
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let key = key.trim().split('.').next().unwrap().trim_matches('"');
        if section == "package" && key == "name" {
            manifest.name = value.trim().trim_matches('"').to_owned();
        }
        let table = section.clone();
        manifest.add(&table, key);
    }
    manifest
}

impl Manifest {
    fn add(&mut self, table: &str, name: &str) {
        let table = table.rsplit('.').next().unwrap_or(table);
        match table {
            "dependencies" | "build-dependencies" => self.dependencies.insert(name.to_owned()),
            "dev-dependencies" => self.dev_dependencies.insert(name.to_owned()),
            _ => false,
        };
    }
}

#[test]
fn crates_depend_in_one_direction() {
    let rules: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let manifests = manifests();
    assert!(manifests.len() >= 5, "the manifests were not found");
    for manifest in &manifests {
        let name = manifest.name.as_str();
        let allowed = rules
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not in MAY_USE"));
        for used in manifest
            .dependencies
            .iter()
            .filter(|d| rules.contains_key(d.as_str()))
        {
            assert!(
                allowed.contains(&used.as_str()),
                "{name} must not depend on {used}: see ARCHITECTURE.md"
            );
        }
        // Tests may use the test kit, but not turn the arrows round.
        for used in manifest
            .dev_dependencies
            .iter()
            .filter(|d| rules.contains_key(d.as_str()))
        {
            let fine =
                allowed.contains(&used.as_str()) || DEVELOPMENT_ONLY.contains(&used.as_str());
            assert!(
                fine,
                "{name} must not depend on {used}, not even in its tests"
            );
        }
    }
}

#[test]
fn development_crates_do_not_ship() {
    for manifest in manifests() {
        if DEVELOPMENT_ONLY.contains(&manifest.name.as_str()) {
            continue;
        }
        for crate_name in DEVELOPMENT_ONLY {
            assert!(
                !manifest.dependencies.contains(*crate_name),
                "{} needs {crate_name} outside its tests",
                manifest.name
            );
        }
    }
}

#[test]
fn the_vm_knows_no_sockets_and_no_runtime() {
    let manifests = manifests();
    let lua = manifests
        .iter()
        .find(|m| m.name == "rille-lua")
        .expect("crates/lua");
    for name in FORBIDDEN_IN_LUA {
        assert!(
            !lua.dependencies.contains(*name),
            "rille-lua must not depend on {name}"
        );
    }
}

/// The files the fenced block after `<!-- unsafe-files -->` in ARCHITECTURE.md lists, one path from the root per line;
/// what follows the path is prose.
fn listed_unsafe_files(architecture: &str) -> BTreeSet<String> {
    let (_, rest) = architecture
        .split_once("<!-- unsafe-files -->")
        .expect("ARCHITECTURE.md has the marker <!-- unsafe-files -->");
    let block = rest
        .split("```")
        .nth(1)
        .expect("a fenced block follows the marker");
    block
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir()
            && path
                .file_name()
                .is_some_and(|n| n != "target" && n != ".git")
        {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Whether the code of a file has the keyword `unsafe`, outside comments, strings and lint attributes.
fn has_unsafe(text: &str) -> bool {
    text.lines().any(|line| {
        let code = line.split("//").next().unwrap_or_default();
        // Strings of the sources that mention the word spell it inside quotes: every odd piece is quoted.
        let code: String = code.split('"').step_by(2).collect::<Vec<_>>().join(" ");
        code.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == "unsafe")
    })
}

#[test]
fn unsafe_stands_only_where_architecture_says() {
    let root = workspace_root();
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let listed = listed_unsafe_files(&text);
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "fuzz", "benches", "tests", "examples"] {
        if root.join(folder).is_dir() {
            rust_files(&root.join(folder), &mut files);
        }
    }
    assert!(files.len() > 20, "the sources were not found");
    let found: BTreeSet<String> = files
        .into_iter()
        .filter(|file| has_unsafe(&fs::read_to_string(file).unwrap()))
        .map(|file| file.strip_prefix(&root).unwrap().display().to_string())
        .collect();
    let unlisted: Vec<&String> = found.difference(&listed).collect();
    let stale: Vec<&String> = listed.difference(&found).collect();
    assert!(
        unlisted.is_empty(),
        "unsafe in files ARCHITECTURE.md does not list: {unlisted:#?}"
    );
    assert!(
        stale.is_empty(),
        "ARCHITECTURE.md lists files without unsafe: {stale:#?}"
    );
}

#[test]
fn all_but_the_vm_and_the_allocator_forbid_unsafe() {
    for manifest in manifests() {
        if ["rille-lua", "rille-alloc"].contains(&manifest.name.as_str()) {
            continue;
        }
        for root_file in ["src/lib.rs", "src/main.rs"] {
            let path = manifest.folder.join(root_file);
            if let Ok(text) = fs::read_to_string(&path) {
                assert!(
                    text.contains("#![forbid(unsafe_code)]"),
                    "{} lacks #![forbid(unsafe_code)]",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_checks_themselves_see_what_they_look_for() {
    let manifest = parse(
        "[package]\nname = \"x\"\n[dependencies]\na = \"1\"\nb.workspace = true\n# c = \"1\"\n\
         [dependencies.d]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\ne = \"1\"\n\
         [dev-dependencies]\nf = \"1\"\n",
        PathBuf::new(),
    );
    assert_eq!(manifest.name, "x");
    let names: Vec<&str> = manifest.dependencies.iter().map(String::as_str).collect();
    assert_eq!(names, ["a", "b", "d", "e"]);
    assert!(manifest.dev_dependencies.contains("f"));

    assert!(has_unsafe("    unsafe { go() }"));
    assert!(has_unsafe("pub unsafe fn f() {}"));
    assert!(!has_unsafe("// unsafe is not needed\nlet s = \"unsafe\";"));
    assert!(!has_unsafe("#![forbid(unsafe_code)]"));

    let list = "x\n<!-- unsafe-files -->\n```text\na/b.rs   why\nc.rs\n```\n";
    assert_eq!(
        listed_unsafe_files(list),
        ["a/b.rs", "c.rs"].map(str::to_owned).into()
    );
}

/// What opens a socket that goes somewhere, and the files that may: all of them ask the app's outbound policy first, or send nothing.
const OPENS_SOCKETS: &[&str] = &[
    "TcpStream::connect",
    "TcpSocket::new",
    "UnixStream::connect",
    "UdpSocket::bind",
    "UnixDatagram::",
    "Socket::new",
    "async_nats::",
    "connect_async",
];
const MAY_OPEN_SOCKETS: &[&str] = &[
    "crates/runtime/src/net/connect.rs",
    "crates/runtime/src/net/udp.rs",
    "crates/runtime/src/net/outbound/own.rs",
    // The server's own sockets to listen on.
    "crates/server/src/listener.rs",
    // Servers in tests.
    "crates/runtime/src/net/stream/tests.rs",
];

#[test]
fn scripts_reach_sockets_in_one_place() {
    let root = workspace_root();
    let mut found = BTreeSet::new();
    for krate in ["runtime", "modules", "server"] {
        let mut files = Vec::new();
        rust_files(&root.join("crates").join(krate).join("src"), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // What is only for a file's own tests is at its end.
            let text = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            if OPENS_SOCKETS.iter().any(|word| text.contains(word)) {
                let path = file.strip_prefix(&root).unwrap();
                found.insert(path.to_string_lossy().into_owned());
            }
        }
    }
    let allowed = MAY_OPEN_SOCKETS.iter().map(|file| (*file).to_owned());
    let extra: Vec<_> = found.difference(&allowed.collect()).cloned().collect();
    assert_eq!(
        extra, [""; 0],
        "these open sockets past rille_runtime::net::Net"
    );
    assert!(
        found.contains("crates/runtime/src/net/connect.rs"),
        "the search finds nothing"
    );
}
