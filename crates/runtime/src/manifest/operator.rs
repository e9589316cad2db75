//! What the operator says about all apps: a file for `rille serve --operator FILE`.
//!
//! ```toml
//! [defaults]              # what an app has whose manifest does not say; keys as in [limits]
//! memory = "32 MiB"
//! [ceilings]              # the most a manifest may ask for; keys as in [limits], and
//! memory = "256 MiB"
//! shared_dicts = "64 MiB" # for all dictionaries of an app together
//! [outbound]
//! mode = "public"         # any, manifests, public, none
//! allow = ["10.0.0.5:6379"]
//! deny = ["203.0.114.0/24"]
//! ```
//!
//! A manifest that asks for more than a ceiling is refused, with its line. A ceiling that is not written is [`Limits::TENANT`]'s for somebody else's code, and
//! [`Limits::MOST`]'s for the operator's own.
//!
//! **Invariant:** no app has more than the ceilings, whether its manifest or a default says so.

use super::Manifest;
use super::limits::{self, Limits};
use super::outbound;
use super::reader::{Reader, Section};
use crate::net::outbound::{Mode, Outbound, Rules, Trust, Wishes};
use crate::problem::Problem;
use std::sync::Arc;

/// Bytes of all dictionaries of an app that is somebody else's.
const TENANT_DICTS: u64 = 256 << 20;
/// Bytes of all dictionaries of an app.
const MOST_DICTS: u64 = 1 << 40;

/// What the operator says about all apps.
#[derive(Debug)]
pub struct Operator {
    defaults: Limits,
    /// For the operator's own apps, and for somebody else's.
    ceilings: [Ceilings; 2],
    /// Where scripts may connect to. Shared with the server, which adds where it listens.
    pub outbound: Arc<Rules>,
}

/// The most that an app may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceilings {
    /// Of what is in `[limits]`.
    pub limits: Limits,
    /// Bytes of all its dictionaries together.
    pub shared_dicts: u64,
}

impl Default for Operator {
    fn default() -> Operator {
        Operator {
            defaults: Limits::default(),
            ceilings: [
                Ceilings {
                    limits: Limits::MOST,
                    shared_dicts: MOST_DICTS,
                },
                Ceilings {
                    limits: Limits::TENANT,
                    shared_dicts: TENANT_DICTS,
                },
            ],
            outbound: Arc::default(),
        }
    }
}

impl Operator {
    /// One who says nothing but this about connections.
    pub fn with_outbound(rules: Rules) -> Operator {
        Operator {
            outbound: Arc::new(rules),
            ..Operator::default()
        }
    }

    /// Reads a file. `more` is what the command line says of connections, in the same words, after what the file says.
    pub fn parse(text: &str, file: &str, more: &[String]) -> (Operator, Vec<Problem>) {
        let mut operator = Operator::default();
        let mut rules = Rules::default();
        let mut reader = Reader::new(text, file);
        if let Some(root) = reader.document() {
            operator.read(&mut reader, &root, &mut rules);
        }
        let mut problems = reader.problems;
        for text in more {
            if let Err(why) = rules.add(text) {
                problems.push(Problem::new("--outbound", why));
            }
        }
        operator.outbound = Arc::new(rules);
        (operator, problems)
    }

    fn read<'a>(&mut self, reader: &mut Reader<'a>, root: &Section<'a>, rules: &mut Rules) {
        reader.known_keys(root, "", &["defaults", "ceilings", "outbound"]);
        if let Some(table) = reader.section(root, "defaults") {
            let place = ("[defaults]", &[][..]);
            limits::read(reader, &table, place, &mut self.defaults, &Limits::MOST);
        }
        if let Some(table) = reader.section(root, "ceilings") {
            // The same file, read once for each; its problems are told once.
            let before = reader.problems.len();
            for ceilings in &mut self.ceilings {
                reader.problems.truncate(before);
                let place = ("[ceilings]", &["shared_dicts"][..]);
                limits::read(reader, &table, place, &mut ceilings.limits, &Limits::MOST);
                if let Some(size) = reader.size(&table, "shared_dicts", 0, MOST_DICTS) {
                    ceilings.shared_dicts = size;
                }
            }
        }
        if let Some(table) = reader.section(root, "outbound") {
            reader.known_keys(&table, "[outbound]", &["mode", "allow", "deny"]);
            rules.allow = outbound::rules(reader, &table, "allow");
            rules.deny = outbound::rules(reader, &table, "deny");
            if let Some((mode, line)) = reader.string(&table, "mode") {
                match mode.parse::<Mode>() {
                    Ok(mode) => rules.mode = mode,
                    Err(_) => reader.problem(
                        line,
                        format!(
                            "mode is \"any\", \"manifests\", \"public\" or \"none\", not \"{mode}\""
                        ),
                    ),
                }
            }
        }
    }

    /// The most that an app may have.
    pub fn ceilings(&self, trust: Trust) -> &Ceilings {
        let [own, tenant] = &self.ceilings;
        match trust {
            Trust::Operator => own,
            Trust::Tenant => tenant,
        }
    }
}

/// Who says what an app may have, and whose it is.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// The operator of the server.
    pub operator: Arc<Operator>,
    /// Whose code it is.
    pub trust: Trust,
}

impl Admission {
    /// For the operator's own apps.
    pub fn of_own(operator: &Arc<Operator>) -> Admission {
        Admission {
            operator: operator.clone(),
            trust: Trust::Operator,
        }
    }

    /// For apps whose code is somebody else's.
    pub fn of_tenants(operator: &Arc<Operator>) -> Admission {
        Admission {
            operator: operator.clone(),
            trust: Trust::Tenant,
        }
    }

    /// What an app has that does not say.
    pub fn limits(&self) -> Limits {
        let ceilings = self.operator.ceilings(self.trust);
        self.operator.defaults.at_most(&ceilings.limits)
    }

    /// The most it may have.
    pub fn ceilings(&self) -> &Ceilings {
        self.operator.ceilings(self.trust)
    }

    /// Where it may connect to.
    pub fn outbound(&self, wishes: &Wishes) -> Arc<Outbound> {
        let rules = self.operator.outbound.clone();
        Outbound::new(rules, wishes.clone(), self.trust)
    }
}

/// Complains about dictionaries that are too large together.
pub(super) fn check_dicts(reader: &mut Reader<'_>, line: u32, manifest: &Manifest, most: u64) {
    let sizes = manifest.shared_dicts.values();
    let total = sizes.fold(0, |sum: u64, size| sum.saturating_add(*size));
    if total > most {
        let (total, most) = (
            crate::units::show_size(total),
            crate::units::show_size(most),
        );
        let why = format!("shared_dicts are {total} together: the operator's ceiling is {most}");
        reader.problem(line, why);
    }
}
