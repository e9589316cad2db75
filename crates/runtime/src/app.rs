//! An app: its manifest, its code and its routes, read once and never changed.
//!
//! **Invariants.** An [`App`] is a snapshot: nothing is read from the app's folder after [`App::load`]
//! (static files apart), so a deploy half-way through a copy, or a file removed later, changes no
//! request. It holds no pointer into any VM and is shared by all workers. Every file in it came from
//! under the app's own folder: a symbolic link that leads out is refused.
//!
//! A file that does not compile does not keep the others from being served: its problem is kept
//! in its place and answers for it.

use crate::dict::Dict;
use crate::kv::{Space, Store};
use crate::late::{Code, Failure, Files, Forge, Known, Late, Stamp};
use crate::manifest::{self, Admission, Manifest, Place};
use crate::net::Outbound;
use crate::problem::Problem;
use crate::route::{Expression, FileId, Pattern, Router, TargetId};
use crate::rule::Rules;
use crate::task::{Exchange, Ports};
use rille_lua::{Chunk, Dialect};
use std::any::Any;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The most Lua files in an app.
pub const MAX_FILES: usize = 10_000;
/// The largest Lua file.
pub const MAX_FILE_BYTES: u64 = 16 << 20;
/// The most bytes of Lua in an app.
pub const MAX_TOTAL_BYTES: u64 = 128 << 20;
/// The deepest folder.
pub const MAX_DEPTH: usize = 32;

/// Runs once per VM, before the first request.
pub const INIT: &str = "init.lua";
/// Runs once per VM when a version is to take the place of another, after `init.lua`: whether it may.
pub const HEALTH: &str = "health.lua";

/// A code file of an app.
#[derive(Debug)]
pub struct CodeFile {
    /// Relative to the app, with `/`.
    pub path: Box<str>,
    /// The compiled code, or why there is none.
    pub code: Result<Arc<Chunk>, Problem>,
    /// Whether the word `exports` is in it: it may be a module that returns nothing and fills that.
    pub names_exports: bool,
}

/// One version of an app, as all workers share it.
#[derive(Debug)]
pub struct App {
    /// What the app says about itself.
    pub manifest: Manifest,
    /// The folder, as the user named it; of an app that was deployed, its name.
    pub folder: PathBuf,
    /// What its files are kept by, if it was deployed.
    bundle: Option<Held>,
    /// All code, sorted by path; a [`FileId`] is an index.
    pub files: Vec<CodeFile>,
    /// What answers a path.
    pub router: Router,
    /// What comes before it.
    pub rules: Rules,
    /// By [`TargetId`].
    targets: Vec<Target>,
    /// What the app keeps on the disk, once it has been told where ([`App::keep_in`]).
    pub kv: OnceLock<Space>,
    /// What its workers share in memory, and its versions: the entries of `cache`.
    pub cache: Arc<Dict>,
    /// Where the tasks of its workers find one another.
    pub exchange: Exchange,
    /// The dictionaries of `ngx.shared` by name, as the app's workers share them.
    pub dicts: BTreeMap<String, Arc<Dict>>,
    /// Where its tasks listen.
    pub ports: Ports,
    /// The folder of static files, if there is one.
    pub public: Option<PathBuf>,
    /// Where its scripts may connect to.
    pub outbound: Arc<Outbound>,
    by_path: HashMap<Box<str>, FileId>,
    /// Code that came later.
    late: Late,
}

/// What is held for as long as the app is there.
struct Held(#[allow(dead_code, reason = "it is there to be dropped")] Box<dyn Any + Send + Sync>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

/// What a route leads to.
#[derive(Debug)]
pub struct Target {
    /// The file that answers.
    pub content: FileId,
    /// What comes before and after it; most have nothing.
    pub phases: Option<Box<Phases>>,
}

/// The files of a route's phases.
#[derive(Debug, Default)]
pub struct Phases {
    /// Before anything else; it may change where the request goes.
    pub rewrite: Option<FileId>,
    /// It may refuse the request.
    pub access: Option<FileId>,
    /// Before the head of the response goes out.
    pub header_filter: Option<FileId>,
    /// For each piece of the body.
    pub body_filter: Option<FileId>,
    /// When the response has gone out.
    pub log: Option<FileId>,
}

/// What came of loading an app.
#[derive(Debug)]
pub struct Loaded {
    /// The app, unless it cannot be served at all.
    pub app: Result<App, Unservable>,
    /// Everything that is wrong with it; also when it is served.
    pub problems: Vec<Problem>,
}

/// What is known of an app that cannot be served.
#[derive(Debug)]
pub struct Unservable {
    /// Its manifest as far as it could be understood: name and hosts.
    pub manifest: Manifest,
}

/// Whether a folder is an app, rather than a folder of apps: it has a manifest, Lua files or a
/// `public` folder at its top.
pub fn is_app(folder: &Path) -> bool {
    if folder.join(manifest::FILE).is_file() || folder.join("public").is_dir() {
        return true;
    }
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        Path::new(&entry.file_name())
            .extension()
            .is_some_and(|ext| ext == "lua")
    })
}

impl App {
    /// Reads, validates and compiles the app in `folder`, as somebody else's and for an operator who says nothing.
    pub fn load(folder: &Path) -> Loaded {
        App::load_for(folder, &Admission::default())
    }

    /// Reads, validates and compiles the app in `folder`, which may have what `admission` says.
    pub fn load_for(folder: &Path, admission: &Admission) -> Loaded {
        App::load_from(folder, folder, None, admission)
    }

    /// The same for one that is deployed under a name: whatever its manifest and its folder say, it has that one, and problems are told with it.
    /// Whatever is given to be held is dropped with the app.
    pub fn load_as(
        name: &str,
        folder: &Path,
        held: impl Any + Send + Sync,
        admission: &Admission,
    ) -> Loaded {
        let mut loaded = match manifest::check_name(name) {
            Ok(()) => App::load_from(folder, Path::new(name), Some(name), admission),
            Err(why) => Loaded {
                app: Err(Unservable {
                    manifest: Manifest::default_for(name),
                }),
                problems: vec![Problem::new(name, why)],
            },
        };
        if let Ok(app) = &mut loaded.app {
            app.bundle = Some(Held(Box::new(held)));
        }
        loaded
    }

    /// `shown` is the folder in messages.
    fn load_from(real: &Path, shown: &Path, name: Option<&str>, admission: &Admission) -> Loaded {
        let mut problems = Vec::new();
        let mut manifest = read_manifest(real, shown, admission, &mut problems);
        if let Some(name) = name {
            manifest.name = name.to_owned();
        }
        let is_bad = !problems.is_empty();
        let sources = match fs::canonicalize(real) {
            Ok(root) => Walk::new(shown, root).run(&mut problems),
            Err(error) => {
                problems.push(Problem::new(
                    shown.display().to_string(),
                    io_message(&error),
                ));
                None
            }
        };
        let Some(sources) = sources.filter(|_| !is_bad) else {
            return Loaded {
                app: Err(Unservable { manifest }),
                problems,
            };
        };
        let files: Vec<CodeFile> = sources
            .into_iter()
            .map(|source| compile(shown, source, manifest.dialect))
            .collect();
        let public = Some(real.join("public")).filter(|public| public.is_dir());
        let app = App::assemble(shown.to_owned(), manifest, files, public, None, admission);
        app.check(problems)
    }

    /// An app of a source that has no listing: it has these files, and gets others when they are asked for.
    pub fn on_demand(
        folder: PathBuf,
        manifest: Manifest,
        files: Vec<CodeFile>,
        source: Arc<dyn Files>,
        admission: &Admission,
    ) -> Loaded {
        App::assemble(folder, manifest, files, None, Some(source), admission).check(Vec::new())
    }

    fn assemble(
        folder: PathBuf,
        manifest: Manifest,
        files: Vec<CodeFile>,
        public: Option<PathBuf>,
        source: Option<Arc<dyn Files>>,
        admission: &Admission,
    ) -> App {
        let cache = Arc::new(Dict::new(manifest.limits.cache));
        let dicts = manifest.shared_dicts.iter();
        let dicts = dicts.map(|(name, size)| (name.clone(), Arc::new(Dict::new(*size))));
        let outbound = admission.outbound(&manifest.outbound);
        App {
            by_path: (0..)
                .zip(&files)
                .map(|(at, file)| (file.path.clone(), FileId(at)))
                .collect(),
            folder,
            bundle: None,
            router: Router::default(),
            rules: Rules::default(),
            dicts: dicts.collect(),
            targets: Vec::new(),
            late: Late::new(files.len(), manifest.limits.memory, source),
            manifest,
            files,
            kv: OnceLock::new(),
            cache,
            exchange: Exchange::default(),
            ports: Ports::default(),
            public,
            outbound,
        }
    }

    /// Makes the routes, and gives the app if it can be served.
    fn check(mut self, mut problems: Vec<Problem>) -> Loaded {
        let mut fatal = false;
        for file in &self.files {
            if let Err(problem) = &file.code {
                problems.push(problem.clone());
                // Without its init.lua an app is not what its handlers expect.
                fatal |= &*file.path == INIT;
            }
        }
        fatal |= !self.build_routes(&mut problems) || !self.check_tasks(&mut problems);
        let app = match fatal {
            true => Err(Unservable {
                manifest: self.manifest,
            }),
            false => Ok(self),
        };
        Loaded { app, problems }
    }

    /// Says where `kv` of the app is. Only the first time counts; an app that was never told has none.
    pub fn keep_in(&self, store: &Arc<Store>) {
        let space = || store.space(self.name(), self.manifest.limits.kv);
        self.kv.get_or_init(space);
    }

    /// Whether it was deployed, rather than named as a folder of this machine.
    pub fn is_deployed(&self) -> bool {
        self.bundle.is_some()
    }

    /// The app's name.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// A file by its path in the app, if it is there already.
    pub fn find(&self, path: &str) -> Option<FileId> {
        let known = self.by_path.get(path).copied();
        known.or_else(|| self.late.find(path))
    }

    /// A file of the app.
    pub fn file(&self, id: FileId) -> &CodeFile {
        match self.files.get(id.0 as usize) {
            Some(file) => file,
            None => self
                .late
                .file(id)
                .expect("an id is of a file that is there"),
        }
    }

    /// What a route leads to.
    pub fn target(&self, id: TargetId) -> &Target {
        match self.targets.get(id.0 as usize) {
            Some(target) => target,
            None => self
                .late
                .target(id)
                .expect("an id is of a target that is there"),
        }
    }

    /// Says where modules of repositories come from. Only the first time counts; an app that was never told has none.
    pub fn fetch_from(&self, forge: &Arc<dyn Forge>) {
        self.late.set_forge(forge);
    }

    /// Whether the app is of a source that has no listing: files come when they are asked for.
    pub fn is_on_demand(&self) -> bool {
        self.late.is_on_demand()
    }

    /// What is known of a path without fetching anything.
    pub fn known(&self, path: &str) -> Known {
        match self.by_path.get(path) {
            Some(known) => Known::File(*known),
            None => self.late.known(path),
        }
    }

    /// Remembers that there is no such file.
    pub fn miss(&self, path: &str) {
        self.late.miss(path);
    }

    /// The app's own files that were fetched, with what they were then; `None` stands for one that was missing.
    pub fn fetched(&self) -> Vec<(Box<str>, Option<Stamp>)> {
        self.late.own()
    }

    /// A file by its path in the app, or `github.com/OWNER/REPO/blob/REF/FILE.lua`, which is fetched if it is not there yet. None if there is no
    /// such file.
    pub async fn fetch(&self, path: &str) -> Result<Option<FileId>, Failure> {
        match self.by_path.get(path) {
            Some(known) => Ok(Some(*known)),
            None => self.late.fetch(path, self.manifest.dialect).await,
        }
    }

    /// The route to a file that was fetched.
    pub fn target_of(&self, id: FileId) -> Option<TargetId> {
        self.late.target_of(id)
    }

    /// The path of a file of the app as a user would name it.
    pub fn display_path(&self, path: &str) -> String {
        self.folder.join(path).display().to_string()
    }

    /// False if there is no code for a task of the manifest.
    fn check_tasks(&self, problems: &mut Vec<Problem>) -> bool {
        let before = problems.len();
        let file = self.display_path(manifest::FILE);
        for task in &self.manifest.tasks {
            if let Err(message) = crate::task::find(self, &task.name) {
                problems.push(Problem::at(&file, task.line, message));
            }
        }
        problems.len() == before
    }

    /// Explicit routes, then files. False if a route leads nowhere.
    fn build_routes(&mut self, problems: &mut Vec<Problem>) -> bool {
        let before = problems.len();
        let file = self.display_path(manifest::FILE);
        match Rules::new(&self.manifest.rules) {
            Ok(rules) => self.rules = rules,
            Err((line, why)) => problems.push(Problem::at(&file, line, why)),
        }
        let rules = std::mem::take(&mut self.manifest.routes);
        for rule in &rules {
            let mut find = |key: &str, path: &str, line| {
                let path = path.strip_prefix("./").unwrap_or(path);
                let found = self.by_path.get(path).copied();
                if found.is_none() {
                    let why = format!("{key} = \"{path}\": there is no such Lua file in the app");
                    problems.push(Problem::at(&file, line, why));
                }
                found
            };
            let content = find("content", &rule.content, rule.line);
            let mut phases = Phases::default();
            for phase in &rule.phases {
                let place = match phase.name {
                    "rewrite" => &mut phases.rewrite,
                    "access" => &mut phases.access,
                    "header_filter" => &mut phases.header_filter,
                    "body_filter" => &mut phases.body_filter,
                    _ => &mut phases.log,
                };
                *place = find(phase.name, &phase.file, phase.line);
            }
            let Some(content) = content else { continue };
            let target = self.add_target(Target {
                content,
                phases: (!rule.phases.is_empty()).then(|| Box::new(phases)),
            });
            let (router, methods) = (&mut self.router, &rule.methods);
            let added = match &rule.place {
                Place::Path(path) => {
                    Pattern::parse(path).map(|pattern| router.add_rule(&pattern, methods, target))
                }
                Place::Name(name) => {
                    router.add_named(name, target);
                    Ok(())
                }
                Place::Match(text) => Expression::parse(text)
                    .map(|expression| router.add_match(expression, methods, target)),
            };
            if let Err(message) = added {
                problems.push(Problem::at(&file, rule.line, message));
            }
        }
        self.manifest.routes = rules;
        let good = problems.len() == before;
        for id in 0..self.files.len() {
            let path = &*self.files[id].path;
            if !has_route(path) {
                continue;
            }
            match Pattern::of_file(path) {
                Some(pattern) => {
                    let target = self.add_target(Target {
                        content: FileId(id as u32),
                        phases: None,
                    });
                    self.router.add_file(&pattern, target);
                }
                None => problems.push(Problem::new(
                    self.folder.join(path).display().to_string(),
                    "not served: name a parameter [name].lua, with letters, digits and '_'",
                )),
            }
        }
        good
    }

    fn add_target(&mut self, target: Target) -> TargetId {
        self.targets.push(target);
        TargetId(self.targets.len() as u32 - 1)
    }
}

/// Whether a file of an app answers requests.
fn has_route(path: &str) -> bool {
    !(path == INIT
        || path == HEALTH
        || path == crate::task::MAIN
        || path.starts_with("lib/")
        || path.starts_with("tasks/")
        || path.starts_with("public/"))
}

/// The files that may answer a path (still encoded), the first that is there first: what [`Pattern::of_file`] says, the other way round, for files without
/// parameters.
pub fn files_for(path: &[u8]) -> Vec<String> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let mut file = String::new();
    for part in path.split(|byte| *byte == b'/') {
        let part = crate::route::percent_decode(part);
        let Ok(part) = std::str::from_utf8(&part) else {
            return Vec::new();
        };
        let is_plain = !part.starts_with(['.', '[']) && !part.contains(['/', '\\', '\0']);
        if !is_plain || (part.is_empty() && !path.is_empty()) {
            return Vec::new();
        }
        if !file.is_empty() {
            file.push('/');
        }
        file.push_str(part);
    }
    let mut files = match file.as_str() {
        "" => vec!["index.lua".to_owned()],
        file => vec![format!("{file}/index.lua"), format!("{file}.lua")],
    };
    // `a/index.lua` answers `/a` only.
    let is_index = file == "index" || file.ends_with("/index");
    files.retain(|candidate| {
        has_route(candidate) && !(is_index && *candidate == format!("{file}.lua"))
    });
    files
}

fn read_manifest(
    folder: &Path,
    shown: &Path,
    admission: &Admission,
    problems: &mut Vec<Problem>,
) -> Manifest {
    let name = folder
        .canonicalize()
        .ok()
        .and_then(|path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        })
        .unwrap_or_default();
    let path = folder.join(manifest::FILE);
    let shown = shown.join(manifest::FILE).display().to_string();
    let text = match fs::File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Manifest::parse_for("", &shown, &name, admission).0;
        }
        Err(error) => Err(io_message(&error)),
        Ok(file) => {
            let mut text = String::new();
            match file.take(manifest::MAX_BYTES + 1).read_to_string(&mut text) {
                Err(error) => Err(io_message(&error)),
                Ok(_) if text.len() as u64 > manifest::MAX_BYTES => Err("larger than 1 MiB".into()),
                Ok(_) => Ok(text),
            }
        }
    };
    match text {
        Ok(text) => {
            let (manifest, found) = Manifest::parse_for(&text, &shown, &name, admission);
            problems.extend(found);
            manifest
        }
        Err(message) => {
            problems.push(Problem::new(shown, message));
            Manifest::default_for(&name)
        }
    }
}

/// A Lua file as read.
struct Source {
    path: String,
    text: Vec<u8>,
}

fn compile(folder: &Path, source: Source, dialect: Dialect) -> CodeFile {
    let shown = folder.join(&source.path).display().to_string();
    let code = compile_text(&source.path, &shown, &source.text, dialect);
    CodeFile {
        path: source.path.into(),
        code: code.code,
        names_exports: code.names_exports,
    }
}

/// Compiles the text of a file: `path` is its name in the app, `shown` is how it is named to the user.
pub fn compile_text(path: &str, shown: &str, text: &[u8], dialect: Dialect) -> Code {
    let name = format!("@{path}");
    let code = rille_lua::compile_as(text, name.as_bytes(), dialect).map_err(|error| {
        let (line, message) = split_message(&error.to_string(), path);
        match line {
            Some(line) => Problem::at(shown, line, message),
            None => Problem::new(shown, message),
        }
    });
    Code {
        code,
        names_exports: names_exports(text),
        bytes: text.len() as u64,
        stamp: Stamp::default(),
    }
}

/// Whether the word `exports` is in a text (see [`CodeFile`]).
pub fn names_exports(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"exports").is_some()
}

/// Takes the position off the front of a Lua error message, `path:12: message`.
pub fn split_message(message: &str, path: &str) -> (Option<u32>, String) {
    let rest = message
        .strip_prefix(path)
        .and_then(|rest| rest.strip_prefix(':'));
    if let Some((line, text)) = rest.and_then(|rest| rest.split_once(':'))
        && let Ok(line) = line.parse()
    {
        return (Some(line), text.trim_start().to_owned());
    }
    (None, message.to_owned())
}

fn io_message(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file or folder".into(),
        std::io::ErrorKind::PermissionDenied => {
            "permission denied; make it readable for this user".into()
        }
        _ => error.to_string(),
    }
}

/// Collects the Lua files under an app's folder.
struct Walk<'a> {
    folder: &'a Path,
    /// The folder with every link resolved; whatever is read must be below it.
    root: PathBuf,
    /// Real folders visited, so that links cannot make a cycle.
    seen: HashSet<PathBuf>,
    files: Vec<Source>,
    bytes: u64,
}

impl<'a> Walk<'a> {
    fn new(folder: &'a Path, root: PathBuf) -> Walk<'a> {
        Walk {
            folder,
            root,
            seen: HashSet::new(),
            files: Vec::new(),
            bytes: 0,
        }
    }

    /// The sources in order of path; `None` if the app is over a limit.
    fn run(mut self, problems: &mut Vec<Problem>) -> Option<Vec<Source>> {
        let mut folders = vec![(String::new(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            if let Err(problem) = self.visit(&folder, depth, &mut folders, problems) {
                problems.push(problem);
                return None;
            }
        }
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        Some(self.files)
    }

    fn shown(&self, path: &str) -> String {
        self.folder.join(path).display().to_string()
    }

    /// Reads one folder. A problem that is returned ends the walk.
    fn visit(
        &mut self,
        folder: &str,
        depth: usize,
        folders: &mut Vec<(String, usize)>,
        problems: &mut Vec<Problem>,
    ) -> Result<(), Problem> {
        let real = self.resolve(folder)?;
        if !self.seen.insert(real.clone()) {
            return Ok(());
        }
        let entries = fs::read_dir(&real)
            .map_err(|error| Problem::new(self.shown(folder), io_message(&error)))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with('.') {
                continue;
            }
            let path = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            let real = match self.resolve(&path) {
                Ok(real) => real,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            if real.is_dir() {
                if path == "public" {
                    continue;
                }
                if depth == MAX_DEPTH {
                    return Err(Problem::new(
                        self.shown(&path),
                        format!("folders nest deeper than {MAX_DEPTH}"),
                    ));
                }
                folders.push((path, depth + 1));
            } else if name.ends_with(".lua") && real.is_file() {
                self.read(path, &real, problems)?;
            }
        }
        Ok(())
    }

    /// The real path, which must be below the app's own folder.
    fn resolve(&self, path: &str) -> Result<PathBuf, Problem> {
        let real = fs::canonicalize(self.root.join(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound if !path.is_empty() => Problem::new(
                self.shown(path),
                "left out: a link to a file that is not there",
            ),
            _ => Problem::new(self.shown(path), io_message(&error)),
        })?;
        if real.starts_with(&self.root) {
            return Ok(real);
        }
        Err(Problem::new(
            self.shown(path),
            "left out: a link out of the app's folder",
        ))
    }

    fn read(
        &mut self,
        path: String,
        real: &Path,
        problems: &mut Vec<Problem>,
    ) -> Result<(), Problem> {
        let mut text = Vec::new();
        let read = fs::File::open(real)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text));
        if let Err(error) = read {
            problems.push(Problem::new(self.shown(&path), io_message(&error)));
            return Ok(());
        }
        self.bytes += text.len() as u64;
        let over = if text.len() as u64 > MAX_FILE_BYTES {
            Some(format!("larger than {} MiB", MAX_FILE_BYTES >> 20))
        } else if self.bytes > MAX_TOTAL_BYTES {
            Some(format!(
                "the app has more than {} MiB of Lua",
                MAX_TOTAL_BYTES >> 20
            ))
        } else if self.files.len() == MAX_FILES {
            Some(format!("the app has more than {MAX_FILES} Lua files"))
        } else {
            None
        };
        match over {
            Some(message) => Err(Problem::new(self.shown(&path), message)),
            None => {
                self.files.push(Source { path, text });
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn problems(loaded: &Loaded, dir: &tempfile::TempDir) -> Vec<String> {
        let prefix = format!("{}/", dir.path().display());
        loaded
            .problems
            .iter()
            .map(|problem| problem.to_string().replace(&prefix, ""))
            .collect()
    }

    #[test]
    fn a_snapshot_of_the_lua_files() {
        let dir = folder(&[
            ("index.lua", "return 1"),
            ("api/[id].lua", "return 1"),
            ("lib/a.lua", "return 1"),
            ("public/x.lua", "not lua at all"),
            (".git/x.lua", "not lua at all"),
            ("README.md", ""),
        ]);
        let loaded = App::load(dir.path());
        assert_eq!(problems(&loaded, &dir), [""; 0]);
        let app = loaded.app.unwrap();
        let paths: Vec<&str> = app.files.iter().map(|file| &*file.path).collect();
        assert_eq!(paths, ["api/[id].lua", "index.lua", "lib/a.lua"]);
        assert!(app.public.is_some());
        assert!(matches!(
            app.router.find("GET", b"/api/7"),
            crate::route::Match::Found(crate::route::TargetId(0), _)
        ));
        assert_eq!(
            app.router.find("GET", b"/lib/a"),
            crate::route::Match::NotFound
        );
    }

    #[test]
    fn a_file_that_does_not_compile_leaves_the_others() {
        let dir = folder(&[("index.lua", "return 1"), ("bad.lua", "local x =\nreturn")]);
        let loaded = App::load(dir.path());
        assert_eq!(
            problems(&loaded, &dir),
            ["bad.lua:2: unexpected symbol near 'return'"]
        );
        let app = loaded.app.unwrap();
        assert!(app.file(app.find("bad.lua").unwrap()).code.is_err());
        assert!(app.file(app.find("index.lua").unwrap()).code.is_ok());
    }

    #[test]
    fn what_makes_an_app_unservable() {
        for (files, expected) in [
            (
                &[("init.lua", "x ="), ("index.lua", "")][..],
                "init.lua:1: unexpected symbol near <eof>",
            ),
            (
                &[("rille.toml", "nme = 'x'")][..],
                "rille.toml:1: unknown key 'nme'; did you mean 'name'?",
            ),
            (
                &[("rille.toml", "[[route]]\npath = '/x'\ncontent = 'x.lua'")][..],
                "rille.toml:3: content = \"x.lua\": there is no such Lua file in the app",
            ),
        ] {
            let dir = folder(files);
            let loaded = App::load(dir.path());
            assert!(loaded.app.is_err());
            assert_eq!(problems(&loaded, &dir), [expected]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_inside() {
        let outside = folder(&[("secret.lua", "return 'secret'")]);
        let dir = folder(&[("index.lua", "return 1"), ("lib/a.lua", "return 2")]);
        let link =
            |to: &Path, at: &str| std::os::unix::fs::symlink(to, dir.path().join(at)).unwrap();
        link(&outside.path().join("secret.lua"), "steal.lua");
        link(outside.path(), "lib/out");
        link(&dir.path().join("lib"), "alias");
        link(dir.path(), "lib/round");
        let loaded = App::load(dir.path());
        let mut found = problems(&loaded, &dir);
        found.sort();
        assert_eq!(
            found,
            [
                "lib/out: left out: a link out of the app's folder",
                "steal.lua: left out: a link out of the app's folder"
            ]
        );
        let app = loaded.app.unwrap();
        assert!(app.find("steal.lua").is_none());
        assert!(app.files.len() <= 3);
    }

    #[test]
    fn files_that_answer_a_path() {
        for (path, files) in [
            ("/", &["index.lua"][..]),
            ("/a", &["a/index.lua", "a.lua"]),
            ("/a/b/", &["a/b/index.lua", "a/b.lua"]),
            ("/a%20b", &["a b/index.lua", "a b.lua"]),
            ("/index", &["index/index.lua"]),
            ("/a/index", &["a/index/index.lua"]),
            ("/init", &["init/index.lua"]),
            ("/main", &["main/index.lua"]),
            ("/health/", &["health/index.lua"]),
            ("/lib", &["lib.lua"]),
            ("/lib/x", &[]),
            ("/tasks/x", &[]),
            ("/public/x", &[]),
            ("//", &["index.lua"]),
            ("//a", &[]),
            ("/a//b", &[]),
            ("/..", &[]),
            ("/a/../b", &[]),
            ("/a%2f..%2fb", &[]),
            ("/%2e%2e/b", &[]),
            ("/.git/x", &[]),
            ("/a%00", &[]),
            ("/a%5cb", &[]),
            ("/%ff", &[]),
            ("/[id]", &[]),
            ("*", &["*/index.lua", "*.lua"]),
        ] {
            assert_eq!(files_for(path.as_bytes()), files, "{path}");
        }
        // What is said of paths is what the files' own routes are.
        for path in ["/", "/a", "/a/b", "/index", "/a/index", "/lib", "/init"] {
            for file in files_for(path.as_bytes()) {
                let mut router = Router::default();
                router.add_file(&Pattern::of_file(&file).unwrap(), TargetId(0));
                assert!(
                    matches!(
                        router.find("GET", path.as_bytes()),
                        crate::route::Match::Found(..)
                    ),
                    "{file} does not answer {path}"
                );
            }
        }
    }

    #[test]
    fn is_it_an_app() {
        assert!(is_app(folder(&[("index.lua", "")]).path()));
        assert!(is_app(folder(&[("rille.toml", "")]).path()));
        assert!(!is_app(folder(&[("shop/index.lua", "")]).path()));
        assert!(!is_app(Path::new("/no/such/folder")));
    }

    #[test]
    fn a_deployed_app_has_the_name_it_was_given() {
        let dir = folder(&[
            ("rille.toml", "name = 'other'"),
            ("index.lua", "return 1"),
            ("bad.lua", "x ="),
        ]);
        let held = std::sync::Arc::new(());
        let loaded = App::load_as("shop", dir.path(), held.clone(), &Admission::default());
        assert_eq!(
            loaded.problems[0].to_string(),
            "shop/bad.lua:1: unexpected symbol near <eof>"
        );
        let app = loaded.app.unwrap();
        assert_eq!(app.name(), "shop");
        assert!(app.is_deployed() && std::sync::Arc::strong_count(&held) == 2);
        drop(app);
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
        let refused = App::load_as("Shop", dir.path(), (), &Admission::default());
        assert!(refused.app.is_err());
        let why = refused.problems[0].to_string();
        assert!(
            why.starts_with("Shop: 'Shop' cannot be an app's name: "),
            "{why}"
        );
        assert!(!App::load(dir.path()).app.unwrap().is_deployed());
    }

    #[test]
    fn positions_come_off_messages() {
        assert_eq!(
            split_message("a.lua:3: oops: x", "a.lua"),
            (Some(3), "oops: x".into())
        );
        assert_eq!(split_message("oops", "a.lua"), (None, "oops".into()));
    }
}
