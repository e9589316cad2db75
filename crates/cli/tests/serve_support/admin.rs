//! A server with an admin API, its state folder, and `rille` as its client.

use super::{get_host, rille};
use rille_testkit::http::{self, Response};
use rille_testkit::process::{self, Exit, Outcome};
use rille_testkit::server::Server;
use rille_testkit::temp::TempDir;
use serde_json::Value;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A state folder, and the server that has it.
pub struct Place {
    pub dir: TempDir,
    pub server: Server,
    options: Vec<String>,
    env: Vec<(String, String)>,
}

impl Place {
    /// A new one.
    pub fn new() -> Place {
        Place::with(&[], &[])
    }

    /// With further options and variables; `{dir}` in options is the scratch folder.
    pub fn with(options: &[&str], env: &[(&str, &str)]) -> Place {
        Place::in_folder(TempDir::new("rille-admin").unwrap(), options, env)
    }

    /// The same in a folder that has something already.
    pub fn in_folder(dir: TempDir, options: &[&str], env: &[(&str, &str)]) -> Place {
        let folder = dir.path().to_str().unwrap().to_owned();
        let options: Vec<String> = options
            .iter()
            .map(|option| option.replace("{dir}", &folder))
            .collect();
        let env: Vec<(String, String)> = env
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        Place::start(dir, options, env)
    }

    fn start(dir: TempDir, options: Vec<String>, env: Vec<(String, String)>) -> Place {
        let server = start(&dir, &options, &env);
        Place {
            dir,
            server,
            options,
            env,
        }
    }

    /// Kills the server at once (SIGKILL) and starts it again.
    pub fn kill_and_restart(self) -> Place {
        let Place {
            dir,
            server,
            options,
            env,
        } = self;
        drop(server);
        Place::start(dir, options, env)
    }

    /// Where the admin API is.
    pub fn admin(&self) -> SocketAddr {
        admin_of(&self.server)
    }

    /// What an app answers.
    pub fn get(&self, app: &str) -> String {
        get_host(self.server.address(), &format!("{app}.localhost"), "/").text()
    }

    /// Runs `rille` as a client.
    pub fn run(&self, args: &[&str]) -> Outcome {
        process::run(&mut self.client(args), b"", Duration::from_secs(60)).unwrap()
    }

    /// The same with a variable of the environment.
    pub fn run_with(&self, args: &[&str], name: &str, value: impl AsRef<OsStr>) -> Outcome {
        let mut client = self.client(args);
        process::run(client.env(name, value), b"", Duration::from_secs(60)).unwrap()
    }

    /// The command for that.
    pub fn client(&self, args: &[&str]) -> Command {
        let mut command = rille(args);
        command
            .env("RILLE_ADMIN", format!("http://{}", self.admin()))
            .env("RILLE_STATE", self.dir.path().join("state"));
        command
    }

    /// What a command prints that succeeds.
    pub fn good(&self, args: &[&str]) -> String {
        let outcome = self.run(args);
        assert_eq!(
            outcome.exit,
            Exit::Code(0),
            "{args:?}: {}\n{}",
            outcome.stderr_text(),
            self.server.log()
        );
        outcome.stdout_text()
    }

    /// The one line that a command prints that fails.
    pub fn bad(&self, args: &[&str]) -> String {
        let outcome = self.run(args);
        let text = outcome.stderr_text();
        assert_eq!(outcome.exit, Exit::Code(1), "{args:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        text.trim_start_matches("rille: ").trim_end().to_owned()
    }

    pub fn token(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("state/admin-token")).unwrap()
    }

    /// A request with the token.
    pub fn send(&self, method: &str, target: &str, body: &str) -> (u16, Value) {
        let authorization = format!("Bearer {}", self.token());
        json(&self.raw(method, target, &[("Authorization", &authorization)], body))
    }

    /// A request as it is.
    pub fn raw(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        http::request(self.admin(), method, target, headers, body.as_bytes()).unwrap()
    }
}

fn admin_of(server: &Server) -> SocketAddr {
    let line = server
        .wait_for_log("admin API at http://", Duration::from_secs(10))
        .unwrap();
    let (_, address) = line.rsplit_once("http://").unwrap();
    address.trim().parse().unwrap()
}

fn start(dir: &TempDir, options: &[String], env: &[(String, String)]) -> Server {
    let state = dir.path().join("state");
    let mut args = vec![
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--workers",
        "2",
    ];
    args.extend(["--state", state.to_str().unwrap()]);
    args.extend(options.iter().map(String::as_str));
    let mut command = rille(&args);
    command.envs(env.iter().cloned());
    Server::start(&mut command).unwrap()
}

/// Status and body of a response of the API.
pub fn json(response: &Response) -> (u16, Value) {
    assert_eq!(response.header("content-type"), Some("application/json"));
    (
        response.status,
        serde_json::from_str(&response.text()).unwrap(),
    )
}

/// A git repository with a working folder.
pub struct Repository(pub std::path::PathBuf);

impl Repository {
    pub fn new(folder: &Path) -> Repository {
        std::fs::create_dir_all(folder).unwrap();
        let repository = Repository(folder.to_owned());
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    pub fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(&self.0).args(args).envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_AUTHOR_NAME", "a"),
            ("GIT_AUTHOR_EMAIL", "a@b"),
            ("GIT_COMMITTER_NAME", "a"),
            ("GIT_COMMITTER_EMAIL", "a@b"),
        ]);
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits files; the commit.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.0.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn source(&self) -> String {
        format!("git+file://{}", self.0.display())
    }
}
