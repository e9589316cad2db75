//! The `ssh` program for git: which key, which hosts, and none of the user's configuration.
//!
//! **Invariant:** the paths in the command are quoted for the shell that git hands it to and for `ssh` itself; one that cannot be is refused.

use super::Options;
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use std::ffi::OsString;
use std::path::Path;

/// The value of GIT_SSH_COMMAND.
pub(super) fn command(options: &Options, limits: &Limits) -> Result<OsString, Error> {
    let stall = limits.stall.as_secs().max(1);
    let mut command = format!(
        "ssh -F /dev/null -o BatchMode=yes -o ProxyCommand=none -o ForwardAgent=no -o ForwardX11=no -o PermitLocalCommand=no \
         -o ConnectTimeout={stall} -o ServerAliveInterval={stall} -o ServerAliveCountMax=1"
    );
    if let Some(key) = &options.ssh_key {
        command += &format!(" -o IdentitiesOnly=yes -i '{}'", plain(key)?);
    }
    let (hosts, check) = match (&options.known_hosts, &options.remembered_hosts) {
        (Some(hosts), _) => (hosts, "yes"),
        (None, remembered) => (remembered, "accept-new"),
    };
    command += &format!(
        " -o StrictHostKeyChecking={check} -o 'UserKnownHostsFile=\"{}\"'",
        plain(hosts)?
    );
    Ok(command.into())
}

/// A path that means itself between quotation marks of either kind, and is no pattern of `ssh`'s.
fn plain(path: &Path) -> Result<&str, Error> {
    let text = path.to_str().filter(|text| {
        text.starts_with('/')
            && !text
                .chars()
                .any(|c| c.is_control() || "'\"\\%$`".contains(c))
    });
    text.ok_or_else(|| {
        Error::new(
            ErrorKind::Setup,
            format!(
                "{} cannot be given to ssh; use an absolute path of ordinary characters",
                path.display()
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_has_the_key_and_the_hosts() {
        let options = Options {
            ssh_key: Some("/k/id key".into()),
            known_hosts: Some("/k/hosts".into()),
            ..Options::default()
        };
        let text = command(&options, &Limits::default())
            .unwrap()
            .into_string()
            .unwrap();
        assert!(
            text.contains(" -i '/k/id key'") && text.contains("StrictHostKeyChecking=yes"),
            "{text}"
        );
        for odd in ["relative", "/a'b", "/a\"b", "/a$b", "/a%h", "/a\nb"] {
            let options = Options {
                ssh_key: Some(odd.into()),
                ..options.clone()
            };
            assert_eq!(
                command(&options, &Limits::default()).unwrap_err().kind(),
                ErrorKind::Setup,
                "{odd}"
            );
        }
    }
}
