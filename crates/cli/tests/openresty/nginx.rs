//! nginx with lua-nginx-module, from the package libnginx-mod-http-lua, serving the examples: what they are held to.
//!
//! **Invariant:** where the program is missing nothing is compared, unless `RILLE_REFERENCE_REQUIRED` says it has to be there
//! (`cargo xtask test` installs it).

use crate::example::{DICTIONARIES, Example, folder};
use rille_testkit::server::Server;
use rille_testkit::temp::TempDir;
use std::fmt::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

const MODULES: &str = "/usr/lib/nginx/modules";

/// A running nginx and its folder.
pub struct Nginx {
    server: Server,
    dir: TempDir,
}

impl Nginx {
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("error.log")).unwrap_or_default()
    }
}

/// Starts it; `None` where it is not installed and need not be.
pub fn serve(examples: &[Example]) -> Option<Nginx> {
    let is_there = Path::new(MODULES).join("ngx_http_lua_module.so").exists();
    if !is_there {
        let required = std::env::var_os("RILLE_REFERENCE_REQUIRED").is_some();
        assert!(!required, "apt-get install libnginx-mod-http-lua");
        return None;
    }
    let dir = TempDir::new("rille-nginx").unwrap();
    // A port that was free a moment ago: nginx cannot say which one it took.
    let address = (TcpListener::bind("127.0.0.1:0").unwrap())
        .local_addr()
        .unwrap();
    dir.write("nginx.conf", configuration(dir.path(), address, examples))
        .unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-p").arg(dir.path());
    command.arg("-c").arg(dir.path().join("nginx.conf"));
    command.arg("-e").arg(dir.path().join("error.log"));
    let server = Server::start_on(&mut command, address).unwrap();
    Some(Nginx { server, dir })
}

fn configuration(dir: &Path, address: SocketAddr, examples: &[Example]) -> String {
    let (dir, files) = (dir.display(), folder());
    let files = files.display();
    let mut text = format!(
        "load_module {MODULES}/ndk_http_module.so;
load_module {MODULES}/ngx_http_lua_module.so;
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log {dir}/error.log info;
thread_pool pool threads=2;
events {{}}
http {{
  access_log off;
  default_type text/plain;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  lua_package_path '{files}/?.lua;/usr/share/lua/5.1/?.lua;;';
"
    );
    for name in DICTIONARIES {
        let _ = writeln!(text, "  lua_shared_dict {name} 1m;");
    }
    let _ = writeln!(text, "  server {{\n    listen {address};");
    for example in examples {
        let path = example.path();
        let matching = if path.starts_with('@') { "" } else { "= " };
        let _ = writeln!(text, "    location {matching}{path} {{");
        for name in example.variables() {
            let _ = writeln!(text, "      set ${name} \"\";");
        }
        for (phase, file) in &example.phases {
            let _ = writeln!(text, "      {phase}_by_lua_file {files}/{file};");
        }
        text += "    }\n";
    }
    text + "  }\n}\n"
}
