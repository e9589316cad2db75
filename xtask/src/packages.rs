//! The programs and libraries the tests run against, installed by their package names where they are missing.

use std::process::{Command, Stdio};

use crate::shell;

/// A Debian package, how to tell that what it brings is there, and what it is for.
struct Package {
    name: &'static str,
    sign: Sign,
    purpose: &'static str,
}

enum Sign {
    Program(&'static str),
    File(&'static str),
    PythonModule(&'static str),
}

const PACKAGES: [Package; 23] = [
    Package {
        name: "lua5.4",
        sign: Sign::Program("lua5.4"),
        purpose: "the reference the golden scripts agree with",
    },
    Package {
        name: "lua5.1",
        sign: Sign::Program("lua5.1"),
        purpose: "the reference of 5.1",
    },
    Package {
        name: "lua5.2",
        sign: Sign::Program("lua5.2"),
        purpose: "the reference of 5.2",
    },
    Package {
        name: "lua5.3",
        sign: Sign::Program("lua5.3"),
        purpose: "the reference of 5.3",
    },
    Package {
        name: "lua-dkjson",
        sign: Sign::File("/usr/share/lua/5.4/dkjson.lua"),
        purpose: "a library an example app requires unmodified",
    },
    Package {
        name: "lua-inspect",
        sign: Sign::File("/usr/share/lua/5.3/inspect.lua"),
        purpose: "a library an example app requires unmodified",
    },
    Package {
        name: "lua-penlight",
        sign: Sign::File("/usr/share/lua/5.4/pl/init.lua"),
        purpose: "a library an example app requires unmodified",
    },
    Package {
        name: "libnginx-mod-http-lua",
        sign: Sign::File("/usr/lib/nginx/modules/ngx_http_lua_module.so"),
        purpose: "nginx, which the OpenResty examples are compared with",
    },
    Package {
        name: "lua-nginx-redis",
        sign: Sign::File("/usr/share/lua/5.1/nginx/redis.lua"),
        purpose: "a library of OpenResty's that runs unmodified",
    },
    Package {
        name: "lua-nginx-memcached",
        sign: Sign::File("/usr/share/lua/5.1/nginx/memcached.lua"),
        purpose: "a library of OpenResty's that runs unmodified",
    },
    Package {
        name: "lua-nginx-dns",
        sign: Sign::File("/usr/share/lua/5.1/nginx/dns/resolver.lua"),
        purpose: "a library of OpenResty's that runs unmodified",
    },
    Package {
        name: "lua-nginx-cookie",
        sign: Sign::File("/usr/share/lua/5.1/nginx/cookie.lua"),
        purpose: "a library of OpenResty's that runs unmodified",
    },
    Package {
        name: "lua-nginx-redis-connector",
        sign: Sign::File("/usr/share/lua/5.1/nginx/redis/connector.lua"),
        purpose: "a library of OpenResty's that runs unmodified",
    },
    Package {
        name: "redis-server",
        sign: Sign::Program("redis-server"),
        purpose: "a real server for OpenResty's libraries",
    },
    Package {
        name: "memcached",
        sign: Sign::Program("memcached"),
        purpose: "a real server for OpenResty's libraries",
    },
    Package {
        name: "dnsmasq-base",
        sign: Sign::Program("dnsmasq"),
        purpose: "a real server for OpenResty's libraries",
    },
    Package {
        name: "git",
        sign: Sign::Program("git"),
        purpose: "fetches sources that are repositories",
    },
    Package {
        name: "openssh-client",
        sign: Sign::Program("ssh"),
        purpose: "fetches sources that are repositories behind ssh",
    },
    Package {
        name: "openssh-server",
        sign: Sign::File("/usr/sbin/sshd"),
        purpose: "a real server for repositories behind ssh",
    },
    Package {
        name: "wrk",
        sign: Sign::Program("wrk"),
        purpose: "load for the fairness measurements",
    },
    Package {
        name: "valgrind",
        sign: Sign::Program("valgrind"),
        purpose: "counts the instructions of programs",
    },
    Package {
        name: "curl",
        sign: Sign::Program("curl"),
        purpose: "a real HTTP client",
    },
    Package {
        name: "python3-pip",
        sign: Sign::PythonModule("pip"),
        purpose: "downloads the official test suite",
    },
];

/// Installs what is missing, saying what and why. Does nothing where all is there.
pub fn install_missing() -> Result<(), String> {
    let missing: Vec<&Package> = PACKAGES.iter().filter(|p| !is_present(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing what the tests need:");
    for package in &missing {
        println!("  {:<24} {}", package.name, package.purpose);
    }
    let names: Vec<&str> = missing.iter().map(|p| p.name).collect();
    if !quietly("apt-get", &["--version"]) {
        return Err(format!(
            "this system has no apt-get; install by hand: {}",
            names.join(" ")
        ));
    }
    // A stale or empty package index is common in containers, and a failed update may still leave a usable one.
    let _ = shell::run(as_root().args(["apt-get", "update", "-qq"]));
    let mut install = as_root();
    install
        .args(["apt-get", "install", "-y", "-qq", "--no-install-recommends"])
        .args(&names);
    shell::run(install.stdin(Stdio::null()))?;
    match missing.iter().find(|p| !is_present(p)) {
        None => Ok(()),
        Some(package) => Err(format!(
            "{} is installed but not where it should be",
            package.name
        )),
    }
}

/// A command that becomes root where it is not: `env` or `sudo` before the real program.
fn as_root() -> Command {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let mut command = Command::new(if is_root { "env" } else { "sudo" });
    command.arg("DEBIAN_FRONTEND=noninteractive");
    command
}

fn is_present(package: &Package) -> bool {
    match package.sign {
        Sign::Program(name) => on_path(name),
        Sign::File(path) => std::path::Path::new(path).exists(),
        Sign::PythonModule(name) => quietly("python3", &["-c", &format!("import {name}")]),
    }
}

/// Whether a program of this name can be started.
pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn quietly(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
