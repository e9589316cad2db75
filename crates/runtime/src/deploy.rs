//! What the runtime has to do for one version of an app to take the place of another.
//!
//! **Invariants.** A version inherits what its scripts keep in memory outside of their VMs (`cache` and dictionaries of the same size); what `kv` keeps is its app's by
//! name. Nothing of the old one is changed by that. Tasks are not inherited, nor are their names and mailboxes: each version has its own exchange, so a name
//! means one task to one version, and whoever takes part in a version sees that version only.

use crate::app::{App, HEALTH};
use crate::coroutine::Budget;
use crate::problem::Problem;
use crate::vm::{AppVm, INIT_CPU};
use rille_lua::Value;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often it is looked whether the tasks of an old version have ended.
const LOOK: Duration = Duration::from_millis(5);

impl App {
    /// Takes over what `old` keeps for its scripts. The result is what could not be, a line each.
    pub fn inherit(&mut self, old: &App) -> Vec<String> {
        let mut lines = Vec::new();
        match old.cache.capacity() == self.cache.capacity() {
            true => self.cache = old.cache.clone(),
            false => lines.push("cache has another size than before: it begins empty".to_owned()),
        }
        for (name, dict) in &mut self.dicts {
            match old.dicts.get(name) {
                Some(former) if former.capacity() == dict.capacity() => *dict = former.clone(),
                Some(_) => lines.push(format!(
                    "ngx.shared.{name} has another size than before: it begins empty"
                )),
                None => {}
            }
        }
        lines
    }
}

impl AppVm {
    /// Runs the app's `health.lua`, if it has one. Nothing and `true` are good; `false`, with a reason or without, and errors are not.
    pub async fn check_health(self: &Rc<Self>) -> Result<(), Problem> {
        let Some(id) = self.app().find(HEALTH) else {
            return Ok(());
        };
        let wall = self.app().manifest.deploy.health;
        let budget = Budget {
            cpu: INIT_CPU,
            per_minute: false,
            deadline: Instant::now() + wall,
            wall,
        };
        let values = self.run_file(id, HEALTH, budget, false).await?.into_vec();
        let mut values = values.into_iter();
        let why = match values.next() {
            None | Some(Value::Nil | Value::Boolean(true)) => return Ok(()),
            Some(Value::Boolean(false)) => match values.next() {
                Some(Value::String(reason)) => reason.to_string_lossy(),
                _ => "it says false".to_owned(),
            },
            Some(other) => format!(
                "it returned a {}: it returns true, or false and a reason",
                other.type_name()
            ),
        };
        Err(Problem::new(self.app().display_path(HEALTH), why))
    }

    /// Another version has taken its place: sees what runs for no request to its end. Tasks are told; what is left of them and of timers when the
    /// grace of the manifest is over is killed. Requests, and connections that they have taken, are not touched.
    pub async fn make_way(self: &Rc<Self>) {
        let over = Instant::now() + self.app().manifest.deploy.grace;
        self.retire();
        self.tasks().tell_all().await;
        while self.tasks().count() + self.background() > 0
            && !self.is_over()
            && Instant::now() < over
        {
            tokio::time::sleep(LOOK).await;
        }
        self.end_timers();
        self.tasks().end_all().await;
    }

    /// It is not going to be used: nothing of it runs any more.
    pub fn dismiss(&self) {
        self.cut();
        self.tasks().refuse_all();
    }
}
