//! Git repositories over ssh: OpenSSH's server.

mod support;

use rille_store::{ErrorKind, Limits, Options};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{Place, Repository, expected, files, git, run};
use tempfile::TempDir;

/// A server for whoever runs the test, with a key that may enter and one that may not.
struct Sshd {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn make_key(path: &Path) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status();
    assert!(status.expect("openssh-client is installed").success());
}

impl Sshd {
    fn start() -> Sshd {
        let folder = TempDir::new().unwrap();
        let place = folder.path();
        for key in ["host", "key", "stranger"] {
            make_key(&place.join(key));
        }
        fs::copy(place.join("key.pub"), place.join("authorized")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nPidFile none\nAuthorizedKeysFile {0}/authorized\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n",
            place.display()
        );
        fs::write(place.join("config"), config).unwrap();
        // Where the server of Debian looks before anything else, when it is started by root.
        let _ = fs::create_dir_all("/run/sshd");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(place.join("config"))
            .stderr(fs::File::create(place.join("log")).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .expect("openssh-server is installed");
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(place.join("log")).unwrap();
            assert!(began.elapsed() < Duration::from_secs(20), "{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Sshd {
            folder,
            port,
            child,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn source(&self, repository: &Repository) -> String {
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap();
        format!(
            "git+ssh://{}@127.0.0.1:{}{}",
            user.trim(),
            self.port,
            repository.bare().display()
        )
    }

    /// With a key, and the known hosts in this text.
    fn place(&self, key: &str, known: Option<&str>) -> Place {
        let mut options = Options::default();
        options.git.ssh_key = Some(self.file(key));
        options.git.known_hosts = known.map(|known| {
            let file = self.file("known hosts");
            fs::write(&file, known).unwrap();
            file
        });
        Place::with(Limits::default(), options)
    }

    fn known(&self, key: &str) -> String {
        let key = fs::read_to_string(self.file(&format!("{key}.pub"))).unwrap();
        format!("[127.0.0.1]:{} {key}", self.port)
    }
}

#[test]
fn a_key_enters_and_hosts_are_known() {
    let sshd = Sshd::start();
    let repository = Repository::new(&[("index.lua", "1")]);
    let commit = git(&repository.work(), &["rev-parse", "HEAD"]);
    let source = sshd.source(&repository);

    let place = sshd.place("key", Some(&sshd.known("host")));
    let fetched = run(place.fetch(&source)).unwrap_or_else(|error| {
        panic!("{error}\n{}", fs::read_to_string(sshd.file("log")).unwrap())
    });
    assert_eq!(files(&fetched.bundle), expected(&[("index.lua", "1")]));
    assert_eq!(fetched.revision.as_ref().unwrap().as_str(), commit);
    assert!(
        run(place.fetch_again(&source, &fetched.revision.unwrap()))
            .unwrap()
            .is_none()
    );
    run(place.fetch(&format!("{source}@{commit}"))).unwrap();
    assert_eq!(
        place.fails(&format!("{source}@gone")).0,
        ErrorKind::NotFound
    );
    let (kind, message) = place.fails(&source.replace("bare.git", "none.git"));
    assert_eq!(kind, ErrorKind::NotFound, "{message}");

    let (kind, message) = sshd
        .place("stranger", Some(&sshd.known("host")))
        .fails(&source);
    assert_eq!(kind, ErrorKind::Denied, "{message}");
    assert!(message.contains("set up a key file"), "{message}");
    for known in [String::new(), sshd.known("stranger")] {
        let (kind, message) = sshd.place("key", Some(&known)).fails(&source);
        assert_eq!(kind, ErrorKind::Setup, "{message}");
        assert!(message.contains("the file of known hosts"), "{message}");
    }

    // Without known hosts the first key is remembered, and another is not taken afterwards.
    let place = sshd.place("key", None);
    run(place.fetch(&source)).unwrap();
    let remembered = place.folder.path().join("state/known_hosts");
    let text = fs::read_to_string(&remembered).unwrap();
    assert!(
        text.contains(&format!("[127.0.0.1]:{}", sshd.port)),
        "{text}"
    );
    fs::write(&remembered, sshd.known("stranger")).unwrap();
    assert_eq!(place.fails(&source).0, ErrorKind::Setup);
}

#[test]
fn a_server_that_says_nothing_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut options = Options::default();
    options.git.ssh_key = Some("/dev/null".into());
    let limits = Limits {
        stall: Duration::from_secs(1),
        ..Limits::default()
    };
    let began = Instant::now();
    let (kind, message) =
        Place::with(limits, options).fails(&format!("git+ssh://git@127.0.0.1:{port}/x.git"));
    assert_eq!(kind, ErrorKind::Unavailable, "{message}");
    assert!(began.elapsed() < Duration::from_secs(30));
}
