//! `rille.toml`: what an app says about itself.
//!
//! **Invariant:** every key is known, typed and in range before anything of the app runs; all
//! problems of a file are reported together, each with its line. A key whose feature this version
//! does not have yet is refused where ignoring it would silently change what the app does.
//!
//! The document is walked by hand rather than derived: a derive gives one error at a time, and no
//! nearest key.

mod compression;
mod limits;
mod operator;
mod outbound;
mod reader;
mod routes;
mod rules;
mod tasks;

pub use compression::{Coding, Compression};
pub use limits::Limits;
pub use operator::{Admission, Ceilings, Operator};
pub use routes::{PHASES, PhaseRule, Place, RouteRule};
pub use rules::{For, RuleEntry};

use crate::net::outbound::Wishes;
use crate::problem::Problem;
use crate::task::supervise::{Child, Policy};
use reader::{Reader, Section};
use rille_lua::Dialect;
use std::collections::BTreeMap;
use std::time::Duration;

/// The file's name in an app's folder.
pub const FILE: &str = "rille.toml";

/// A manifest larger than this is not read.
pub const MAX_BYTES: u64 = 1 << 20;

/// The most dictionaries in `shared_dicts`.
pub const MAX_SHARED_DICTS: usize = 256;

/// What `rille.toml` says, with the defaults filled in.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Lower-case letters, digits, `-`, `_` and `.`; the `<name>` of `<name>.localhost`.
    pub name: String,
    /// The version of Lua that the app is written in.
    pub dialect: Dialect,
    /// The hosts that reach the app besides `<name>.localhost`.
    pub hosts: Vec<HostPattern>,
    /// The dictionaries of `ngx.shared` by name: their sizes in bytes.
    pub shared_dicts: BTreeMap<String, u64>,
    /// Whether requests of the app may interleave between waits.
    pub preempt: Preempt,
    /// Whether a 500 shows the traceback to the client.
    pub debug: bool,
    /// The budgets of the app on each worker.
    pub limits: Limits,
    /// Where it connects to.
    pub outbound: Wishes,
    /// What `os.getenv` sees.
    pub env: BTreeMap<String, String>,
    /// Explicit routes, in the order of the file; they win over files.
    pub routes: Vec<RouteRule>,
    /// Redirects and proxies, which come before routes, in the order of the file.
    pub rules: Vec<RuleEntry>,
    /// Which responses are compressed.
    pub compression: Compression,
    /// What is started without a request, in the order of the file.
    pub tasks: Vec<Child>,
    /// How these are started again.
    pub supervisor: Policy,
    /// How one version takes the place of another.
    pub deploy: DeployRules,
}

/// `[deploy]`: how a version takes the place of another, and how it makes way for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeployRules {
    /// How long its tasks may go on when another version has taken its place.
    pub grace: Duration,
    /// Whether its tasks of the process start at once, although those of the version before may still run.
    pub overlap: bool,
    /// How long `health.lua` may take.
    pub health: Duration,
}

impl Default for DeployRules {
    fn default() -> DeployRules {
        DeployRules {
            grace: Duration::from_secs(5),
            overlap: false,
            health: Duration::from_secs(10),
        }
    }
}

/// A host the manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This name, in lower case.
    Exact(String),
    /// Any name that ends in this suffix, which starts with a dot: `*.shop.dev` is `.shop.dev`.
    Suffix(String),
}

/// When the scheduler may switch from one request of an app to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preempt {
    /// Only where a request waits: code between two waits is atomic within the app.
    Vm,
    /// Also when a slice ends.
    Coroutine,
}

impl Manifest {
    /// The manifest of an app whose folder has none.
    pub fn default_for(folder: &str) -> Manifest {
        Manifest {
            name: name_from_folder(folder),
            dialect: Dialect::default(),
            hosts: Vec::new(),
            shared_dicts: BTreeMap::new(),
            preempt: Preempt::Vm,
            debug: false,
            limits: Limits::default(),
            outbound: Wishes::default(),
            env: BTreeMap::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            compression: Compression::default(),
            tasks: Vec::new(),
            supervisor: Policy::default(),
            deploy: DeployRules::default(),
        }
    }

    /// Parses and validates the text of a manifest. `file` is how problems name it; `folder` gives
    /// the app its name when the manifest does not. The manifest is returned as far as it could be
    /// understood, so that a caller can still tell whose problems these are.
    pub fn parse(text: &str, file: &str, folder: &str) -> (Manifest, Vec<Problem>) {
        let own = Admission::of_own(&Default::default());
        Manifest::parse_for(text, file, folder, &own)
    }

    /// The same, below the operator's ceilings.
    pub fn parse_for(
        text: &str,
        file: &str,
        folder: &str,
        admission: &Admission,
    ) -> (Manifest, Vec<Problem>) {
        Manifest::default_of(folder, admission).with(text, file, admission)
    }

    /// The manifest of an app without one, whose limits are the operator's defaults.
    pub fn default_of(folder: &str, admission: &Admission) -> Manifest {
        let mut manifest = Manifest::default_for(folder);
        manifest.limits = admission.limits();
        manifest
    }

    /// Parses the text of a manifest, as [`Manifest::parse_for`] does, over other defaults.
    pub fn with(
        mut self,
        text: &str,
        file: &str,
        admission: &Admission,
    ) -> (Manifest, Vec<Problem>) {
        let mut reader = Reader::new(text, file);
        if let Some(root) = reader.document() {
            read_root(&mut reader, root, &mut self, admission.ceilings());
        }
        (self, reader.problems)
    }
}

/// A folder's name as an app's: what cannot stand in a host name becomes `-`.
pub fn name_from_folder(folder: &str) -> String {
    let name: String = folder
        .chars()
        .take(63)
        .map(|c| match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.' => c,
            _ => '-',
        })
        .collect();
    if name.is_empty() { "app".into() } else { name }
}

fn read_root<'a>(
    reader: &mut Reader<'a>,
    root: Section<'a>,
    manifest: &mut Manifest,
    ceilings: &Ceilings,
) {
    const KEYS: &[&str] = &[
        "name",
        "lua",
        "hosts",
        "shared_dicts",
        "preempt",
        "debug",
        "limits",
        "outbound",
        "env",
        "route",
        "rule",
        "compression",
        "task",
        "supervisor",
        "deploy",
    ];
    reader.known_keys(&root, "", KEYS);
    if let Some((name, line)) = reader.string(&root, "name") {
        match check_name(&name) {
            Ok(()) => manifest.name = name,
            Err(message) => reader.problem(line, message),
        }
    }
    if let Some((version, line)) = reader.string(&root, "lua") {
        match version.parse() {
            Ok(dialect) => manifest.dialect = dialect,
            Err(_) => reader.problem(
                line,
                format!("lua is one of \"5.1\" to \"5.5\", not \"{version}\""),
            ),
        }
    }
    for (host, line) in reader.strings(&root, "hosts") {
        match parse_host(&host) {
            Ok(pattern) => manifest.hosts.push(pattern),
            Err(message) => reader.problem(line, message),
        }
    }
    if let Some(dicts) = reader.section(&root, "shared_dicts") {
        read_shared_dicts(reader, &dicts, &mut manifest.shared_dicts);
        operator::check_dicts(reader, dicts.line, manifest, ceilings.shared_dicts);
    }
    if let Some((preempt, line)) = reader.string(&root, "preempt") {
        match preempt.as_str() {
            "vm" => manifest.preempt = Preempt::Vm,
            "coroutine" => manifest.preempt = Preempt::Coroutine,
            other => reader.problem(
                line,
                format!("preempt is \"vm\" or \"coroutine\", not \"{other}\""),
            ),
        }
    }
    if let Some((debug, _)) = reader.boolean(&root, "debug") {
        manifest.debug = debug;
    }
    if let Some(limits) = reader.section(&root, "limits") {
        let place = ("[limits]", &[][..]);
        limits::read(
            reader,
            &limits,
            place,
            &mut manifest.limits,
            &ceilings.limits,
        );
    }
    if let Some(table) = reader.section(&root, "outbound") {
        outbound::read(reader, &table, &mut manifest.outbound);
    }
    if let Some(env) = reader.section(&root, "env") {
        read_env(reader, &env, &mut manifest.env);
    }
    for route in reader.sections(&root, "route") {
        routes::read_route(reader, &route, manifest);
    }
    for rule in reader.sections(&root, "rule") {
        rules::read(reader, &rule, manifest);
    }
    if let Some(table) = reader.section(&root, "compression") {
        compression::read(reader, &table, &mut manifest.compression);
    }
    if let Some(supervisor) = reader.section(&root, "supervisor") {
        tasks::read_supervisor(reader, &supervisor, &mut manifest.supervisor);
    }
    if let Some(deploy) = reader.section(&root, "deploy") {
        read_deploy(reader, &deploy, &mut manifest.deploy);
    }
    for task in reader.sections(&root, "task") {
        tasks::read_task(reader, &task, manifest);
    }
}

fn read_shared_dicts<'a>(
    reader: &mut Reader<'a>,
    table: &Section<'a>,
    dicts: &mut BTreeMap<String, u64>,
) {
    let names: Vec<String> = table.keys().collect();
    if names.len() > MAX_SHARED_DICTS {
        reader.problem(
            table.line,
            format!("shared_dicts has more than {MAX_SHARED_DICTS} dictionaries"),
        );
    }
    for name in names {
        if !is_dict_name(&name) {
            reader.problem(
                table.line,
                format!(
                    "'{name}' cannot be a dictionary's name: use up to 63 letters, digits and '_', not a digit first"
                ),
            );
        } else if let Some(size) = reader.size(table, &name, 4096, 1 << 40) {
            dicts.insert(name, size);
        }
    }
}

/// Names that can be written `ngx.shared.NAME`.
fn is_dict_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && name.len() <= 63
        && name.chars().all(good)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn read_deploy<'a>(reader: &mut Reader<'a>, table: &Section<'a>, rules: &mut DeployRules) {
    const MS: Duration = Duration::from_millis(1);
    reader.known_keys(table, "[deploy]", &["grace", "overlap", "health"]);
    let day = Duration::from_secs(86_400);
    let minute = Duration::from_secs(60);
    if let Some(grace) = reader.duration(table, "grace", Duration::ZERO, day) {
        rules.grace = grace;
    }
    if let Some(health) = reader.duration(table, "health", MS, minute) {
        rules.health = health;
    }
    if let Some((overlap, _)) = reader.boolean(table, "overlap") {
        rules.overlap = overlap;
    }
}

fn read_env<'a>(reader: &mut Reader<'a>, table: &Section<'a>, env: &mut BTreeMap<String, String>) {
    let names: Vec<String> = table.keys().collect();
    for name in names {
        let Some((value, line)) = reader.string(table, &name) else {
            continue;
        };
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            reader.problem(
                line,
                "a name in [env] has no '=', and neither name nor value a NUL",
            );
        } else {
            env.insert(name, value);
        }
    }
}

/// Whether an app may have this name; the error says what one looks like.
pub fn check_name(name: &str) -> Result<(), String> {
    let good =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 63 || !name.chars().all(good) {
        return Err(format!(
            "'{name}' cannot be an app's name: use up to 63 lower-case letters, digits, '-', '_' and '.'"
        ));
    }
    Ok(())
}

fn parse_host(host: &str) -> Result<HostPattern, String> {
    let lower = host.to_ascii_lowercase();
    let (name, wildcard) = match lower.strip_prefix("*.") {
        Some(rest) => (rest, true),
        None => (lower.as_str(), false),
    };
    let good =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '[' | ']');
    if name.is_empty() || name.len() > 253 || !name.chars().all(good) {
        return Err(format!(
            "'{host}' is not a host name; write it as \"shop.example.com\" or \"*.shop.dev\""
        ));
    }
    let is_ipv6 = name.starts_with('[') && name.ends_with(']');
    if name.contains([':', '[', ']']) && !is_ipv6 {
        return Err(format!(
            "'{host}': leave out the port; a host answers on every port that is listened on"
        ));
    }
    Ok(if wildcard {
        HostPattern::Suffix(format!(".{name}"))
    } else {
        HostPattern::Exact(name.into())
    })
}

#[cfg(test)]
mod tests;
