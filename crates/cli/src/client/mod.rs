//! `rille deploy`, `ps`, `logs` and so on: what an operator asks a running server.
//!
//! **Invariants.** The token of the state folder goes to this machine only. What the server refuses is its message on one line, and 1; a command that cannot be
//! understood is 2. With `--json` what the server answers goes to stdout as it is.

mod call;
mod show;

use crate::state;
use call::{Failed, Server};
use clap::{Arg, ArgAction, ArgMatches, Command};
use rille_store::Source;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::process::ExitCode;

/// Where a server listens unless somebody says otherwise.
const DEFAULT: &str = "http://127.0.0.1:8081";

fn argument(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(value).help(help)
}

fn command(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .arg(
            Arg::new("admin")
                .long("admin")
                .value_name("URL")
                .help("The server's admin API [default: $RILLE_ADMIN or http://127.0.0.1:8081]"),
        )
        .arg(
            state::argument()
                .help("The server's state folder, which has the token unless RILLE_TOKEN is set"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .help("Print what the server answers")
                .action(ArgAction::SetTrue),
        )
}

/// The commands.
pub fn commands() -> Vec<Command> {
    let name = || argument("name", "NAME", "The app's name").required(true);
    let tid = || {
        argument(
            "tid",
            "NAME/TID",
            "The app's name and the task's id, as rille ps NAME prints them",
        )
        .required(true)
    };
    vec![
        command("deploy", "Serve what is at a source under a name")
            .arg(name())
            .arg(argument("source", "SOURCE", "A folder of the server's machine, git+https://..., git+ssh://..., git+file:///..., github.com/OWNER/REPO[/FOLDER] or s3://BUCKET[/FOLDER]").required(true))
            .arg(argument("ref", "REF", "A branch, a tag or a whole commit name"))
            .arg(Arg::new("no-wait").long("no-wait").help("Do not wait until it serves; rille ps tells").action(ArgAction::SetTrue)),
        command("rollback", "Serve the version before, until the source has something new")
            .arg(name())
            .arg(Arg::new("to").long("to").value_name("BUNDLE").help("Another version: at least the first 8 digits that rille versions prints")),
        command("versions", "Print the versions an app has had").arg(name()),
        command("purge", "Forget what was fetched of an app's source")
            .arg(name())
            .arg(argument("path", "PATH", "A file, or with a / at its end a folder, of an app that is fetched file by file")),
        command("ps", "Print the apps, or the tasks of one").arg(argument("name", "NAME", "An app's name")),
        command("logs", "Print what was said of an app lately")
            .arg(name())
            .arg(Arg::new("follow").short('f').long("follow").help("Go on with what is said from now on").action(ArgAction::SetTrue))
            .arg(Arg::new("lines").short('n').long("lines").value_name("N").help("How many lines from before [default: 100]").value_parser(clap::value_parser!(u32))),
        command("rm", "Serve an app no more, and forget its versions and what it kept in kv").arg(name()),
        command("hook", "Print where a forge calls to say that an app's source has something new, and the secret it signs with").arg(name()),
        command("send", "Put an event into a task's mailbox")
            .arg(tid())
            .arg(argument("what", "WHAT", "What happened").required(true))
            .arg(argument("parameter", "PARAMETER", "JSON; what is none is a string")),
        command("kill", "End a task").arg(tid()),
    ]
}

/// Runs one of them.
pub fn run(command: &str, matches: &ArgMatches) -> ExitCode {
    match try_run(command, matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            let _ = writeln!(std::io::stderr(), "rille: {}", failed.message);
            ExitCode::from(failed.code)
        }
    }
}

fn word<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches
        .try_get_one::<String>(name)
        .ok()
        .flatten()
        .map_or("", String::as_str)
}

fn optional<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    Some(word(matches, name)).filter(|word| !word.is_empty())
}

fn try_run(command: &str, matches: &ArgMatches) -> Result<(), Failed> {
    let url = optional(matches, "admin").map(str::to_owned);
    let url = url.or_else(|| crate::fetching::variable("RILLE_ADMIN"));
    let server = Server::new(
        url.as_deref().unwrap_or(DEFAULT),
        state::folder(matches).as_deref(),
    )?;
    let name = path_word(word(matches, "name"))?;
    let app = format!("/v1/apps/{name}");
    let json = matches.get_flag("json");
    let answer = match command {
        "deploy" => server.post(&format!("{app}/deploy"), &deployment(&server, matches)?)?,
        "rollback" => {
            let to = optional(matches, "to");
            let body = to.map_or(json!({}), |to| json!({"to": to}));
            server.post(&format!("{app}/rollback"), &body)?
        }
        "versions" => server.get(&format!("{app}/versions"))?,
        "purge" => server.post(&format!("{app}/purge"), &purge(optional(matches, "path")))?,
        "ps" if name.is_empty() => server.get("/v1/apps")?,
        "ps" => server.get(&format!("{app}/tasks"))?,
        "logs" => return logs(&server, &app, matches, json),
        "rm" => server.delete(&app)?,
        "hook" => server.get(&format!("{app}/hook"))?,
        "send" => {
            let mut body = Map::new();
            body.insert("what".into(), word(matches, "what").into());
            if let Some(parameter) = optional(matches, "parameter") {
                let text = || Value::String(parameter.to_owned());
                let value = serde_json::from_str(parameter).unwrap_or_else(|_| text());
                body.insert("parameter".into(), value);
            }
            let task = task_path(word(matches, "tid"))?;
            server.post(&format!("{task}/send"), &Value::Object(body))?
        }
        _ => server.delete(&task_path(word(matches, "tid"))?)?,
    };
    let text = match json {
        true => format!("{answer}\n"),
        false => show::answer(command, &name, server.url(), &answer),
    };
    print(&text)
}

/// Whoever reads may have gone.
fn print(text: &str) -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.map_err(|error| Failed::new(format!("cannot print: {error}")))
}

/// A name as a part of a path; what cannot be one is not sent.
fn path_word(word: &str) -> Result<String, Failed> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match word.bytes().all(good) {
        true => Ok(word.to_owned()),
        false => Err(Failed::usage(format!(
            "'{word}' cannot be an app's name: it has lower-case letters, digits, '-', '_' and '.'"
        ))),
    }
}

fn task_path(text: &str) -> Result<String, Failed> {
    let wrong = || {
        Failed::usage(format!(
            "'{text}' is no task: write NAME/TID, as rille ps NAME prints it"
        ))
    };
    let (name, tid) = text.rsplit_once('/').ok_or_else(wrong)?;
    if name.is_empty() || tid.parse::<u64>().is_err() {
        return Err(wrong());
    }
    Ok(format!("/v1/apps/{}/tasks/{tid}", path_word(name)?))
}

/// The body of a deploy. A folder is one of the server's machine, so its path has to be whole.
fn deployment(server: &Server, matches: &ArgMatches) -> Result<Value, Failed> {
    let usage = |error: rille_store::Error| Failed::usage(error.to_string());
    let mut source = Source::parse(word(matches, "source")).map_err(usage)?;
    if let Source::Folder(path) = &source {
        if !server.is_here() {
            return Err(Failed::usage(format!(
                "{} is a folder of this machine, and the server is on another: deploy from git, GitHub or S3",
                path.display()
            )));
        }
        let whole = std::fs::canonicalize(path)
            .map_err(|error| Failed::new(format!("{}: {error}", path.display())))?;
        source = Source::Folder(whole);
    }
    if let Some(reference) = optional(matches, "ref") {
        source = source.at(reference).map_err(usage)?;
    }
    Ok(json!({"source": source.to_string(), "wait": !matches.get_flag("no-wait")}))
}

fn purge(path: Option<&str>) -> Value {
    match path {
        None => json!({}),
        Some(path) => json!({"path": path, "folder": path.ends_with('/')}),
    }
}

fn logs(server: &Server, app: &str, matches: &ArgMatches, json: bool) -> Result<(), Failed> {
    let lines = matches.get_one::<u32>("lines").copied().unwrap_or(100);
    let path = format!("{app}/logs?lines={lines}");
    if matches.get_flag("follow") {
        return server.follow(&format!("{path}&follow=1"), |event| {
            let text = match json {
                true => format!("{}\n", event.data),
                false => show::event(event),
            };
            print(&text)
        });
    }
    let answer = server.get(&path)?;
    match json {
        true => print(&format!("{answer}\n")),
        false => print(&show::lines(&answer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_named_with_their_app() {
        assert_eq!(task_path("shop/17").unwrap(), "/v1/apps/shop/tasks/17");
        for wrong in [
            "17", "shop/", "shop/x", "/17", "a b/17", "a/b/17", "shop/-1",
        ] {
            assert_eq!(task_path(wrong).unwrap_err().code, 2, "{wrong}");
        }
    }
}
