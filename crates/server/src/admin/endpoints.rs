//! What each endpoint does.
//!
//! **Invariant:** an endpoint waits for the disk and for workers on threads that may; what it is given is checked here.

use super::route::{Endpoint, Params};
use super::wire::Body;
use super::{Admin, follow, good, of_json, respond};
use crate::asked::{MAX_LISTED, Sent};
use crate::delivery::{Attempt, Code, Done, How, Past, Refusal, blocking, seconds};
use crate::deploy::Status;
use bytes::Bytes;
use hyper::Response;
use rille_runtime::manifest::HostPattern;
use rille_runtime::problem::Problem;
use rille_runtime::task::Tid;
use rille_store::Source;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// How many lines of a log there are unless somebody wants another number.
const LINES: usize = 100;
/// The longest name of an event, in bytes.
const MAX_WHAT: usize = 255;

type Answer = Result<Response<Body>, Refusal>;

/// Calls an endpoint.
pub async fn call(
    admin: &Arc<Admin>,
    endpoint: Endpoint,
    params: &Params,
    query: &str,
    body: &[u8],
) -> Answer {
    let name = params.name.as_str();
    match endpoint {
        Endpoint::Health => Ok(good(&json!({"status": "ok"}))),
        Endpoint::OpenApi => {
            let document = Bytes::from_static(include_bytes!("openapi.json"));
            Ok(respond(
                200,
                "application/json",
                Body::Whole(Some(document)),
            ))
        }
        Endpoint::Apps => apps(admin).await,
        Endpoint::App => app(admin, name).await,
        Endpoint::Versions => versions(admin, name).await,
        Endpoint::Deploy => deploy(admin, name, &object(body)?).await,
        Endpoint::Rollback => rollback(admin, name, &object(body)?).await,
        Endpoint::Purge => purge(admin, name, &object(body)?).await,
        Endpoint::Remove => {
            admin.delivery.remove(name).await?;
            admin.logs.forget(name);
            Ok(good(&json!({"app": name, "removed": true})))
        }
        Endpoint::Logs => logs(admin, name, query),
        Endpoint::HookInfo => {
            is_there(admin, name)?;
            let secret = admin.token.hook_secret(name);
            Ok(good(
                &json!({"app": name, "path": format!("/v1/apps/{name}/hook"), "secret": secret}),
            ))
        }
        Endpoint::Hook => {
            admin.delivery.refetch_soon(name)?;
            Ok(of_json(202, &json!({"app": name, "accepted": true})))
        }
        Endpoint::Tasks => tasks(admin, name).await,
        Endpoint::Send => send(admin, name, tid(&params.tid)?, &object(body)?).await,
        Endpoint::Kill => kill(admin, name, tid(&params.tid)?).await,
    }
}

fn bad(why: impl AsRef<str>) -> Refusal {
    Refusal::new(Code::BadRequest, why)
}

/// The body, which is an object or empty.
fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(bad("the body is no JSON object")),
        Err(error) => Err(bad(format!("the body is not JSON: {error}"))),
    }
}

/// Refuses fields that mean nothing: what is misspelt is not to be ignored.
fn check_fields(object: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(bad(format!(
            "unknown field '{key}'; there are {}",
            known.join(", ")
        ))),
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, Refusal> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(format!("'{key}' is a string"))),
    }
}

fn flag(object: &Map<String, Value>, key: &str, default: bool) -> Result<bool, Refusal> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(bad(format!("'{key}' is true or false"))),
    }
}

fn tid(text: &str) -> Result<Tid, Refusal> {
    let tid = text.parse().ok().and_then(Tid::from_integer);
    tid.ok_or_else(|| {
        bad(format!(
            "'{text}' is no task's id; rille ps NAME lists those there are"
        ))
    })
}

fn is_there(admin: &Admin, name: &str) -> Result<(), Refusal> {
    let is_known = || admin.delivery.names().iter().any(|known| known == name);
    match admin.delivery.status(name).is_some() || is_known() {
        true => Ok(()),
        false => Err(Refusal::no_app(name)),
    }
}

/// What is known of an app. Reads its record.
fn describe(admin: &Admin, name: &str, status: Option<&Status>) -> Value {
    let deployer = admin.delivery.deployer();
    let host = |pattern: &HostPattern| match pattern {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Suffix(suffix) => format!("*{suffix}"),
    };
    let hosts = deployer.current(name).map(|app| {
        let named = app.manifest.hosts.iter().map(host);
        std::iter::once(format!("{name}.localhost"))
            .chain(named)
            .collect::<Vec<_>>()
    });
    let is_deployed = status.is_none_or(|status| status.is_deployed);
    let serving = match is_deployed {
        true => admin
            .delivery
            .versions(name)
            .unwrap_or_default()
            .into_iter()
            .find(|past| past.serves),
        false => None,
    };
    let serving = serving.map(|past| past.version);
    let folder = status
        .filter(|status| !status.is_deployed)
        .and_then(|status| status.folder.as_ref());
    let ports = status.map(|status| {
        let ports = status.ports.iter();
        ports
            .map(|port| json!({"task": port.task, "address": port.address.to_string()}))
            .collect::<Vec<_>>()
    });
    json!({
        "name": name,
        "serves": status.is_some(),
        "good": status.is_some_and(|status| status.is_good),
        "version": status.map(|status| status.version.number),
        "since": status.map(|status| seconds(status.since)),
        "deployed": is_deployed,
        "folder": folder.map(|folder| folder.display().to_string()),
        "source": serving.as_ref().map(|version| version.source.to_string()),
        "revision": serving.as_ref().and_then(|version| version.revision.as_ref()).map(|revision| revision.as_str()),
        "bundle": serving.as_ref().map(|version| version.bundle.to_string()),
        "hosts": hosts.unwrap_or_default(),
        "ports": ports.unwrap_or_default(),
        "last_deploy": admin.delivery.last_attempt(name).map(|attempt| describe_attempt(&attempt)),
    })
}

fn describe_attempt(attempt: &Attempt) -> Value {
    let error = attempt.refusal.as_ref();
    let error =
        error.map(|refusal| json!({"code": refusal.code.name(), "message": refusal.message}));
    json!({"at": attempt.at, "source": attempt.source, "error": error})
}

fn describe_done(done: &Done) -> Value {
    json!({
        "app": done.app,
        "changed": done.changed,
        "version": done.number,
        "bundle": done.bundle.map(|bundle| bundle.to_string()),
        "source": done.source.to_string(),
        "revision": done.revision.as_ref().map(|revision| revision.as_str()),
    })
}

async fn apps(admin: &Arc<Admin>) -> Answer {
    let admin = admin.clone();
    let apps = blocking(move || {
        let list = admin.delivery.deployer().list();
        let mut apps: Vec<(String, Value)> = list
            .iter()
            .map(|status| {
                let name = &status.version.app;
                (name.clone(), describe(&admin, name, Some(status)))
            })
            .collect();
        for name in admin.delivery.names() {
            if !list.iter().any(|status| status.version.app == name) {
                let described = describe(&admin, &name, None);
                apps.push((name, described));
            }
        }
        apps.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(apps.into_iter().map(|(_, app)| app).collect::<Vec<_>>())
    });
    Ok(good(&json!({"apps": apps.await?})))
}

async fn app(admin: &Arc<Admin>, name: &str) -> Answer {
    let (admin, name) = (admin.clone(), name.to_owned());
    let app = blocking(move || {
        is_there(&admin, &name)?;
        let status = admin.delivery.status(&name);
        Ok(describe(&admin, &name, status.as_ref()))
    });
    Ok(good(&app.await?))
}

async fn versions(admin: &Arc<Admin>, name: &str) -> Answer {
    let (delivery, name) = (admin.delivery.clone(), name.to_owned());
    let versions = blocking(move || delivery.versions(&name)).await?;
    let describe = |past: &Past| {
        let version = &past.version;
        json!({
            "bundle": version.bundle.to_string(),
            "since": version.since,
            "source": version.source.to_string(),
            "revision": version.revision.as_ref().map(|revision| revision.as_str()),
            "serves": past.serves,
        })
    };
    let versions: Vec<Value> = versions.iter().map(describe).collect();
    Ok(good(&json!({"versions": versions})))
}

async fn deploy(admin: &Arc<Admin>, name: &str, object: &Map<String, Value>) -> Answer {
    check_fields(object, &["source", "ref", "wait"])?;
    let source = text(object, "source")?.ok_or_else(|| bad("'source' is missing"))?;
    let mut source = Source::parse(source)?;
    if let Some(reference) = text(object, "ref")? {
        source = source.at(reference)?;
    }
    if flag(object, "wait", true)? {
        let done = admin.delivery.deploy(name, source, How::Anew).await?;
        return Ok(good(&describe_done(&done)));
    }
    let (delivery, owned) = (admin.delivery.clone(), name.to_owned());
    tokio::spawn(async move {
        // What comes of it is the app's `last_deploy`.
        let _ = delivery.deploy(&owned, source, How::Anew).await;
    });
    Ok(of_json(202, &json!({"app": name, "accepted": true})))
}

async fn rollback(admin: &Arc<Admin>, name: &str, object: &Map<String, Value>) -> Answer {
    check_fields(object, &["to"])?;
    let to = text(object, "to")?;
    if to.is_some_and(|to| to.len() < 8) {
        return Err(bad(
            "'to' is the name of a bundle, or at least its first 8 digits",
        ));
    }
    let done = admin.delivery.rollback(name, to).await?;
    Ok(good(&describe_done(&done)))
}

async fn purge(admin: &Arc<Admin>, name: &str, object: &Map<String, Value>) -> Answer {
    check_fields(object, &["path", "folder"])?;
    let (path, is_folder) = (text(object, "path")?, flag(object, "folder", false)?);
    let is_deployed = admin.delivery.status(name).is_some();
    if let Some(purge) = admin.purge.clone().filter(|_| !is_deployed) {
        let (app, path) = (name.to_owned(), path.map(str::to_owned));
        let purged = blocking(
            move || match purge.purge(&app, path.as_deref(), is_folder) {
                None => Ok(false),
                Some(purged) => purged.map(|()| true),
            },
        );
        if purged.await? {
            return Ok(good(&json!({"app": name, "purged": true})));
        }
    }
    if path.is_some() {
        return Err(bad(format!(
            "app '{name}' is fetched as a whole: leave the path out to fetch it again"
        )));
    }
    let done = admin.delivery.refetch(name, How::Anew).await?;
    let mut described = describe_done(&done);
    described["purged"] = json!(true);
    Ok(good(&described))
}

fn logs(admin: &Arc<Admin>, name: &str, query: &str) -> Answer {
    let (mut follows, mut most) = (false, LINES);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "1")) {
            ("follow", "1" | "true") => follows = true,
            ("follow", "0" | "false") => follows = false,
            ("lines", number) => {
                most = number
                    .parse()
                    .map_err(|_| bad("'lines' is a whole number"))?;
            }
            _ => {
                return Err(bad(format!(
                    "unknown parameter {pair}; there are follow and lines"
                )));
            }
        }
    }
    // One that was refused has no version, but has been spoken of.
    if admin.logs.of(name).is_none() {
        is_there(admin, name)?;
    }
    let lines = admin
        .logs
        .of_served(name)
        .ok_or_else(|| Refusal::no_app(name))?;
    if follows {
        return Ok(respond(200, "text/event-stream", follow::body(lines, most)));
    }
    let some = lines.last(most);
    let lines: Vec<Value> = some
        .lines
        .iter()
        .map(|line| follow::describe(line))
        .collect();
    Ok(good(&json!({"lines": lines})))
}

fn problem(problem: Problem) -> Refusal {
    Refusal::new(Code::NotFound, problem.to_string())
}

async fn tasks(admin: &Arc<Admin>, name: &str) -> Answer {
    let (deployer, name) = (admin.delivery.deployer().clone(), name.to_owned());
    let (tasks, count) = blocking(move || deployer.tasks(&name).map_err(problem)).await?;
    let tasks: Vec<Value> = tasks
        .iter()
        .take(MAX_LISTED)
        .map(|task| {
            json!({
                "tid": task.tid.to_integer(),
                "name": task.name,
                "doing": task.doing,
                "messages": task.messages,
            })
        })
        .collect();
    Ok(good(&json!({"tasks": tasks, "count": count})))
}

async fn send(admin: &Arc<Admin>, name: &str, to: Tid, object: &Map<String, Value>) -> Answer {
    check_fields(object, &["what", "parameter"])?;
    let what = text(object, "what")?.ok_or_else(|| bad("'what' is missing"))?;
    if what.is_empty() || what.len() > MAX_WHAT {
        return Err(bad(format!("'what' has 1 to {MAX_WHAT} bytes")));
    }
    let parameter = object.get("parameter").unwrap_or(&Value::Null).to_string();
    let (deployer, name, what) = (
        admin.delivery.deployer().clone(),
        name.to_owned(),
        what.to_owned(),
    );
    let sent = blocking(move || deployer.send(&name, to, &what, &parameter).map_err(problem));
    sent_to(to, sent.await?)
}

async fn kill(admin: &Arc<Admin>, name: &str, tid: Tid) -> Answer {
    let (deployer, name) = (admin.delivery.deployer().clone(), name.to_owned());
    let sent = blocking(move || deployer.kill(&name, tid).map_err(problem));
    sent_to(tid, sent.await?)
}

fn sent_to(tid: Tid, sent: Sent) -> Answer {
    match sent {
        Sent::Done => Ok(good(&json!({"tid": tid.to_integer(), "done": true}))),
        Sent::NoTask => Err(Refusal::new(
            Code::NotFound,
            format!("there is no task {tid}; rille ps NAME lists those there are"),
        )),
        Sent::Refused(why) => Err(Refusal::new(Code::Busy, format!("task {tid}: {why}"))),
    }
}
