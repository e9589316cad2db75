//! `[[task]]` and `[supervisor]`.

use super::Manifest;
use super::reader::{Reader, Section};
use crate::task::cron::Cron;
use crate::task::supervise::{Child, Intensity, Policy, Restart, Strategy, Trigger};
use crate::units;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
/// The most `[[task]]`.
const MAX_TASKS: usize = 1000;
/// The most connections of one.
const MAX_CONNECTIONS: u64 = 1_000_000;
/// The most starts again that are counted.
const MAX_RESTARTS: u64 = 10_000;

pub(super) fn read_task<'a>(reader: &mut Reader<'a>, table: &Section<'a>, manifest: &mut Manifest) {
    const KEYS: &[&str] = &[
        "name",
        "on",
        "connections",
        "instances",
        "restart",
        "intensity",
        "period",
    ];
    reader.known_keys(table, "[[task]]", KEYS);
    let name = reader.string(table, "name");
    if name.is_none() && !table.has("name") {
        reader.problem(
            table.line,
            "a [[task]] needs a name, such as name = \"Main\": a file of tasks/, or a function of main.lua",
        );
    }
    let mut trigger = match reader.string(table, "on") {
        Some((on, line)) => match parse_trigger(&on) {
            Ok(trigger) => Some(trigger),
            Err(message) => {
                reader.problem(line, message);
                None
            }
        },
        None => Some(Trigger::Start),
    };
    read_connections(reader, table, trigger.as_mut());
    let instances = reader.string(table, "instances");
    let on_each_worker = match instances
        .as_ref()
        .map(|(text, line)| (text.as_str(), *line))
    {
        None | Some(("process", _)) => false,
        Some(("worker", _)) => true,
        Some((other, line)) => {
            reader.problem(
                line,
                format!("instances is \"process\" or \"worker\", not \"{other}\""),
            );
            false
        }
    };
    let restart = read_restart(reader, table, trigger.as_ref());
    let intensity = read_intensity(reader, table, manifest.supervisor.intensity);
    let (Some((name, line)), Some(trigger)) = (name, trigger) else {
        return;
    };
    if manifest.tasks.iter().any(|other| other.name == name) {
        reader.problem(line, format!("there is another [[task]] '{name}'"));
    } else if manifest.tasks.len() >= MAX_TASKS {
        reader.problem(line, format!("more than {MAX_TASKS} [[task]]"));
    } else {
        manifest.tasks.push(Child {
            name,
            trigger,
            on_each_worker,
            restart,
            intensity,
            line,
        });
    }
}

fn parse_trigger(on: &str) -> Result<Trigger, String> {
    let (kind, rest) = on.split_once(':').unwrap_or((on, ""));
    match kind {
        "start" if rest.is_empty() => Ok(Trigger::Start),
        "cron" => Cron::parse(rest).map(Trigger::Cron),
        "every" => match units::parse_duration(rest.trim()) {
            Ok(period) if (MS..=24 * 365 * HOUR).contains(&period) => Ok(Trigger::Every(period)),
            Ok(_) => Err(format!(
                "on = \"{on}\" is out of range: it goes from 1 ms to 8760 h"
            )),
            Err(message) => Err(format!("on = \"{on}\": {message}")),
        },
        "tcp" => match parse_address(rest.trim()) {
            Some(address) => Ok(Trigger::Tcp {
                address,
                connections: None,
            }),
            None => Err(format!(
                "on = \"{on}\": write a port, such as \"tcp:7000\", or an address with one, such as \"tcp:0.0.0.0:7000\" or \"tcp:[::1]:7000\""
            )),
        },
        "nats" => Err(format!(
            "on = \"{on}\": {kind} is not available yet; start the task with on = \"start\""
        )),
        _ => Err(format!(
            "on is \"start\", \"cron:0 3 * * *\", \"every:5s\" or \"tcp:7000\", not \"{on}\""
        )),
    }
}

/// A port of this machine alone, or an address with a port.
fn parse_address(text: &str) -> Option<SocketAddr> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Some((Ipv4Addr::LOCALHOST, text.parse().ok()?).into()),
        false => text.parse().ok(),
    }
}

/// The most connections at once of a task that has them.
fn read_connections<'a>(
    reader: &mut Reader<'a>,
    table: &Section<'a>,
    trigger: Option<&mut Trigger>,
) {
    let given = reader.count(table, "connections", MAX_CONNECTIONS);
    match trigger {
        Some(Trigger::Tcp { .. }) if given == Some(0) => {
            reader.problem(table.line, "connections is at least 1");
        }
        Some(Trigger::Tcp { connections, .. }) => *connections = given,
        Some(_) if table.has("connections") => {
            reader.problem(
                table.line,
                "connections is for a task with on = \"tcp:PORT\"",
            );
        }
        _ => {}
    }
}

/// What starts with the VM stays; what has its times, comes with the next one.
fn read_restart<'a>(
    reader: &mut Reader<'a>,
    table: &Section<'a>,
    trigger: Option<&Trigger>,
) -> Restart {
    let has_times = matches!(trigger, Some(Trigger::Every(_) | Trigger::Cron(_)));
    let is_client = matches!(trigger, Some(Trigger::Tcp { .. }));
    let default = match has_times || is_client {
        true => Restart::Temporary,
        false => Restart::Permanent,
    };
    let Some((restart, line)) = reader.string(table, "restart") else {
        return default;
    };
    match restart.as_str() {
        "permanent" | "transient" if is_client => reader.problem(
            line,
            "a task for a connection ends with it: restart is \"temporary\", or left out",
        ),
        "permanent" if has_times => reader.problem(
            line,
            "a task that has its times ends in between: restart is \"transient\" or \"temporary\"",
        ),
        "permanent" => return Restart::Permanent,
        "transient" => return Restart::Transient,
        "temporary" => return Restart::Temporary,
        other => reader.problem(
            line,
            format!("restart is \"permanent\", \"transient\" or \"temporary\", not \"{other}\""),
        ),
    }
    default
}

fn read_intensity<'a>(
    reader: &mut Reader<'a>,
    table: &Section<'a>,
    default: Intensity,
) -> Option<Intensity> {
    let restarts = reader.count(table, "intensity", MAX_RESTARTS);
    let period = reader.duration(table, "period", MS, 24 * HOUR);
    if restarts.is_none() && period.is_none() {
        return None;
    }
    Some(Intensity {
        restarts: restarts.map_or(default.restarts, |restarts| restarts as u32),
        period: period.unwrap_or(default.period),
    })
}

pub(super) fn read_supervisor<'a>(
    reader: &mut Reader<'a>,
    table: &Section<'a>,
    policy: &mut Policy,
) {
    const KEYS: &[&str] = &["strategy", "intensity", "period", "backoff", "pause"];
    reader.known_keys(table, "[supervisor]", KEYS);
    if let Some((strategy, line)) = reader.string(table, "strategy") {
        match strategy.as_str() {
            "one_for_one" => policy.strategy = Strategy::OneForOne,
            "one_for_all" => policy.strategy = Strategy::OneForAll,
            "rest_for_one" => policy.strategy = Strategy::RestForOne,
            other => reader.problem(
                line,
                format!(
                    "strategy is \"one_for_one\", \"one_for_all\" or \"rest_for_one\", not \"{other}\""
                ),
            ),
        }
    }
    if let Some(intensity) = read_intensity(reader, table, policy.intensity) {
        policy.intensity = intensity;
    }
    for (key, slot) in [
        ("backoff", &mut policy.backoff),
        ("pause", &mut policy.pause),
    ] {
        if let Some(duration) = reader.duration(table, key, MS, 24 * HOUR) {
            *slot = duration;
        }
    }
}
