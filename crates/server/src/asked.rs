//! What is asked of an app's tasks from outside of the workers: which there are, a message for one, its end.
//!
//! **Invariants.** A worker answers from what it has, without waiting. A task is one worker's: at most one answer is not [`Answer::NotHere`], but
//! for lists. A list has [`MAX_LISTED`] tasks of each worker and says how many there are.

use crate::deploy::Deployer;
use rille_runtime::problem::Problem;
use rille_runtime::task::Tid;
use rille_runtime::vm::AppVm;
use std::rc::Rc;

/// The most tasks of a worker in a list.
pub const MAX_LISTED: usize = 1000;

/// What is asked.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Which tasks there are.
    List,
    /// An event for one.
    Send {
        /// The task.
        to: Tid,
        /// What happened.
        what: String,
        /// JSON.
        parameter: String,
    },
    /// Its end.
    Kill(Tid),
}

/// What a worker answers.
#[derive(Debug)]
pub enum Answer {
    /// Some of its tasks, and how many there are.
    Tasks(Vec<Task>, usize),
    /// It is done.
    Done,
    /// It is not, because.
    Refused(String),
    /// The task is not one of this worker's.
    NotHere,
}

/// A task as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub tid: Tid,
    /// What was spawned.
    pub name: String,
    /// What it does.
    pub doing: &'static str,
    /// Messages in its mailbox.
    pub messages: usize,
}

/// What came of a message or a kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It is done.
    Done,
    /// There is no such task.
    NoTask,
    /// It was refused, because.
    Refused(String),
}

impl Ask {
    /// A worker's answer.
    pub fn answer(&self, vm: &Rc<AppVm>) -> Answer {
        let is_here = |tid: Tid| vm.tasks().is_alive(tid) == Some(true);
        match self {
            Ask::List => {
                let (tasks, all) = (vm.tasks().list(MAX_LISTED), vm.tasks().count());
                let task = |(tid, name, doing, messages): (Tid, Rc<str>, _, _)| Task {
                    tid,
                    name: name.to_string(),
                    doing,
                    messages,
                };
                Answer::Tasks(tasks.into_iter().map(task).collect(), all)
            }
            Ask::Send {
                to,
                what,
                parameter,
            } if is_here(*to) => send(vm, *to, what, parameter),
            Ask::Kill(tid) if is_here(*tid) => match vm.tasks().kill(*tid) {
                true => Answer::Done,
                false => Answer::NotHere,
            },
            _ => Answer::NotHere,
        }
    }
}

fn send(vm: &Rc<AppVm>, to: Tid, what: &str, parameter: &str) -> Answer {
    let value = match vm.json().decode_short(vm.lua(), parameter.as_bytes()) {
        Ok(Ok(value)) => value,
        Ok(Err(why)) => return Answer::Refused(why),
        Err(error) => return Answer::Refused(error.message().to_owned()),
    };
    match vm.tasks().send_from_outside(to, what, &value) {
        Ok(Ok(())) => Answer::Done,
        Ok(Err(refused)) => Answer::Refused(refused.to_string()),
        Err(error) => Answer::Refused(error.message().to_owned()),
    }
}

/// These wait for workers: they are for threads that are none.
impl Deployer {
    /// Tasks of an app, and how many there are.
    pub fn tasks(&self, app: &str) -> Result<(Vec<Task>, usize), Problem> {
        let (mut tasks, mut count) = (Vec::new(), 0);
        for answer in self.ask(app, &Ask::List)? {
            if let Answer::Tasks(some, all) = answer {
                tasks.extend(some);
                count += all;
            }
        }
        tasks.sort_by_key(|task| task.tid);
        Ok((tasks, count))
    }

    /// Puts an event into a task's mailbox; its parameter is JSON.
    pub fn send(&self, app: &str, to: Tid, what: &str, parameter: &str) -> Result<Sent, Problem> {
        let (what, parameter) = (what.to_owned(), parameter.to_owned());
        self.tell(
            app,
            &Ask::Send {
                to,
                what,
                parameter,
            },
        )
    }

    /// Ends a task.
    pub fn kill(&self, app: &str, tid: Tid) -> Result<Sent, Problem> {
        self.tell(app, &Ask::Kill(tid))
    }

    fn tell(&self, app: &str, ask: &Ask) -> Result<Sent, Problem> {
        let answers = self.ask(app, ask)?;
        let told = answers.into_iter().find_map(|answer| match answer {
            Answer::Done => Some(Sent::Done),
            Answer::Refused(why) => Some(Sent::Refused(why)),
            Answer::NotHere | Answer::Tasks(..) => None,
        });
        Ok(told.unwrap_or(Sent::NoTask))
    }
}
