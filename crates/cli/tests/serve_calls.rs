//! `examples/calls`: phones of a simulated switch, and the call flow that answers them.

mod serve_support;

use rille_testkit::server::Server;
use serve_support::serve_with;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The example: its phones and calls are all on one of the workers, and find one another there.
fn calls() -> (Server, SocketAddr) {
    let folder = rille_testkit::workspace_root().join("examples/calls");
    let server = serve_with(&folder, &["--workers", "2"]);
    let line = server
        .wait_for_log("(task Phone at ", Duration::from_secs(10))
        .unwrap();
    let address = line
        .split("(task Phone at ")
        .nth(1)
        .and_then(|rest| rest.split(')').next());
    let address = address.unwrap().parse().unwrap();
    (server, address)
}

struct Phone(BufReader<TcpStream>);

impl Phone {
    fn new(address: SocketAddr) -> Phone {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Phone(BufReader::new(stream))
    }

    fn say(&mut self, line: &str) {
        writeln!(self.0.get_mut(), "{line}").unwrap();
    }

    #[track_caller]
    fn hears(&mut self, lines: &[&str]) {
        for expected in lines {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            assert_eq!(line.trim_end(), *expected);
        }
    }

    /// In a call that is being greeted.
    fn calling(address: SocketAddr) -> Phone {
        let mut phone = Phone::new(address);
        phone.say("call 100");
        phone.hears(&["ringing", "connected", "play greeting"]);
        phone
    }

    /// In the lobby, where nobody else is.
    fn waiting(address: SocketAddr) -> Phone {
        let mut phone = Phone::calling(address);
        phone.say("dtmf 1");
        phone.hears(&["stopped greeting", "play wait", "played wait"]);
        phone
    }
}

/// Two phones that are bridged.
fn bridged(address: SocketAddr) -> (Phone, Phone) {
    let mut first = Phone::waiting(address);
    let mut second = Phone::calling(address);
    second.say("dtmf 1");
    second.hears(&["stopped greeting", "bridged"]);
    first.hears(&["bridged"]);
    (first, second)
}

#[test]
fn a_call_is_greeted_and_ends() {
    let (_server, address) = calls();
    let start = Instant::now();
    let mut phone = Phone::calling(address);
    phone.hears(&["played greeting"]);
    assert!(
        start.elapsed() >= Duration::from_millis(2900),
        "{:?}",
        start.elapsed()
    );
    phone.say("dtmf 5");
    phone.hears(&["play wrong", "played wrong"]);
    phone.say("dtmf 0");
    phone.hears(&["disconnected", "released normal"]);
    // The same phone calls again; a number that is not served is rejected.
    phone.say("call 900");
    phone.hears(&["ringing", "rejected 403", "released normal"]);
    phone.say("nonsense");
    phone.hears(&["? call NUMBER, dtmf DIGIT, say TEXT, hangup"]);
}

#[test]
fn a_digit_interrupts_the_greeting_and_so_does_hanging_up() {
    let (_server, address) = calls();
    let start = Instant::now();
    let mut phone = Phone::calling(address);
    phone.say("dtmf 5");
    phone.hears(&["stopped greeting", "play wrong", "played wrong"]);
    assert!(
        start.elapsed() < Duration::from_millis(2900),
        "{:?}",
        start.elapsed()
    );
    let start = Instant::now();
    let mut phone = Phone::calling(address);
    phone.say("hangup");
    phone.hears(&["stopped greeting", "released normal"]);
    assert!(
        start.elapsed() < Duration::from_millis(2900),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn who_is_bridged_hears_the_other_and_hears_of_the_end() {
    let (_server, address) = calls();
    let (mut first, mut second) = bridged(address);
    first.say("say hello");
    second.hears(&["voice hello"]);
    second.say("say hello yourself");
    first.hears(&["voice hello yourself"]);
    second.say("hangup");
    second.hears(&["unbridged", "released normal"]);
    first.hears(&["unbridged", "play left", "played left"]);
    // Who is left is in the menu again, and can meet another: this one is just cut off.
    first.say("dtmf 1");
    first.hears(&["play wait", "played wait"]);
    let mut third = Phone::calling(address);
    third.say("dtmf 1");
    third.hears(&["stopped greeting", "bridged"]);
    first.hears(&["bridged"]);
    drop(third);
    first.hears(&["unbridged", "play left", "played left"]);
    // Leaving a bridge is not hanging up.
    first.say("dtmf 1");
    first.hears(&["play wait", "played wait"]);
    let mut fourth = Phone::calling(address);
    fourth.say("dtmf 1");
    fourth.hears(&["stopped greeting", "bridged"]);
    first.hears(&["bridged"]);
    first.say("dtmf #");
    first.hears(&["unbridged", "play left", "played left"]);
    fourth.hears(&["unbridged", "play left", "played left"]);
}

#[test]
fn a_crash_ends_one_call() {
    let (server, address) = calls();
    let (mut first, mut second) = bridged(address);
    let mut buggy = Phone::calling(address);
    buggy.say("dtmf 9");
    buggy.hears(&[
        "stopped greeting",
        "released main.lua:45: nobody has tested this key",
    ]);
    let line = server
        .wait_for_log("task Main", Duration::from_secs(10))
        .unwrap();
    assert!(
        line.contains("crashed: main.lua:45: nobody has tested this key"),
        "{line}"
    );
    first.say("say still here");
    second.hears(&["voice still here"]);
    // Its phone goes on, too.
    buggy.say("call 100");
    buggy.hears(&["ringing", "connected", "play greeting"]);
}

#[test]
fn many_calls_at_once() {
    let (_server, address) = calls();
    let mut phones: Vec<Phone> = (0..200).map(|_| Phone::new(address)).collect();
    for phone in &mut phones {
        phone.say("call 100");
    }
    for phone in &mut phones {
        phone.hears(&["ringing", "connected", "play greeting", "played greeting"]);
    }
}
