//! `examples/chat`, on several workers, with real WebSocket clients.

mod serve_support;

use rille_testkit::http;
use rille_testkit::server::Server;
use serve_support::websocket::{Client, connect};
use serve_support::{eventually, serve_with};
use std::io::Read;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

fn chat() -> Server {
    let folder = rille_testkit::workspace_root().join("examples/chat");
    let server = serve_with(&folder, &["--workers", "3"]);
    // The rooms are open when somebody can enter one.
    eventually(|| {
        let mut client = connect(server.address(), "/rooms/first?name=first");
        matches!(client.read(), Ok(Message::Text(_)))
    });
    server
}

/// Reads until a message contains all of these.
fn expect(client: &mut Client, parts: &[&str]) -> String {
    loop {
        if let Message::Text(text) = client.read().unwrap()
            && parts.iter().all(|part| text.contains(part))
        {
            return text.to_string();
        }
    }
}

fn enter(server: &Server, room: &str, name: &str) -> Client {
    let mut client = connect(server.address(), &format!("/rooms/{room}?name={name}"));
    expect(
        &mut client,
        &["\"joined\"", &format!("\"name\":\"{name}\"")],
    );
    client
}

#[test]
fn what_is_said_in_a_room_is_heard_there() {
    let server = chat();
    let page = http::get(server.address(), "/").unwrap();
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert!(page.text().contains("new WebSocket("));
    let mut ann = enter(&server, "lobby", "ann");
    // By chance they are on the same worker or not.
    for round in 0..8 {
        let mut bob = enter(&server, "lobby", &format!("bob{round}"));
        expect(
            &mut ann,
            &["\"joined\"", &format!("bob{round}"), "\"members\":2"],
        );
        let mut eve = enter(&server, "elsewhere", "eve");
        ann.send(Message::text(format!("hello {round}"))).unwrap();
        for client in [&mut ann, &mut bob] {
            let said = format!("\"text\":\"hello {round}\"");
            expect(client, &["\"said\"", "\"name\":\"ann\"", &said]);
        }
        bob.send(Message::text(format!("hi \"{round}\" <b>")))
            .unwrap();
        expect(
            &mut ann,
            &[&format!("bob{round}"), &format!("hi \\\"{round}\\\"")],
        );
        eve.send(Message::text("alone")).unwrap();
        assert!(!expect(&mut eve, &["\"said\""]).contains("hello"));
        // A ping is answered.
        bob.send(Message::Ping(b"?".to_vec().into())).unwrap();
        while bob.read().unwrap() != Message::Pong(b"?".to_vec().into()) {}
        // One leaves in a friendly way, one disappears.
        match round % 2 {
            0 => bob.close(None).unwrap(),
            _ => drop(bob),
        }
        expect(
            &mut ann,
            &["\"left\"", &format!("bob{round}"), "\"members\":1"],
        );
    }
    // Who comes later is told what was said before.
    let mut late = connect(server.address(), "/rooms/lobby?name=late");
    expect(&mut late, &["hello 7"]);
    assert_eq!(
        http::get(server.address(), "/rooms/lobby?name=x")
            .unwrap()
            .status,
        426
    );
    assert_eq!(
        http::get(server.address(), "/rooms/lobby?name=%3Cb%3E")
            .unwrap()
            .status,
        400
    );
}

#[test]
fn a_flood_is_ended_and_others_go_on() {
    let server = chat();
    let mut ann = enter(&server, "lobby", "ann");
    let mut flood = enter(&server, "lobby", "flood");
    for at in 0..500 {
        if flood.send(Message::text(format!("spam {at}"))).is_err() {
            break;
        }
    }
    let ended = loop {
        match flood.read() {
            Ok(Message::Close(close)) => break close.map(|close| close.code),
            Ok(_) => {}
            Err(_) => break Some(CloseCode::Policy),
        }
    };
    assert_eq!(ended, Some(CloseCode::Policy));
    expect(&mut ann, &["\"left\"", "\"flood\""]);
    ann.send(Message::text("quiet again")).unwrap();
    expect(&mut ann, &["quiet again"]);
}

#[test]
fn a_slow_reader_holds_nobody_up() {
    let server = chat();
    let mut ann = enter(&server, "lobby", "ann");
    let slow = enter(&server, "lobby", "slow");
    expect(&mut ann, &["\"joined\"", "\"slow\""]);
    let before = resident(&server);
    // Others say far more than its mailbox and the system keep for it.
    let is_over = Arc::new(AtomicBool::new(false));
    let speakers: Vec<_> = (0..6)
        .map(|at| speak(enter(&server, "lobby", &format!("speaker{at}")), &is_over))
        .collect();
    let mut heard = 0;
    loop {
        let said = expect(&mut ann, &["\"name\""]);
        heard += usize::from(said.contains("zzzz"));
        if said.contains("\"left\"") {
            assert!(said.contains("\"slow\""), "{said}");
            break;
        }
    }
    assert!(heard > 500, "{heard}");
    assert!(resident(&server) < before + (16 << 20));
    is_over.store(true, Ordering::Relaxed);
    for speaker in speakers {
        speaker.join().unwrap();
    }
    drop(slow);
    ann.send(Message::text("still here")).unwrap();
    expect(&mut ann, &["still here"]);
}

/// Says as much as it may, and reads whatever comes.
fn speak(mut client: Client, is_over: &Arc<AtomicBool>) -> JoinHandle<()> {
    let mut reading = client.get_ref().try_clone().unwrap();
    let is_over = is_over.clone();
    let block = "z".repeat(4000);
    std::thread::spawn(move || {
        let reader = std::thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            while matches!(reading.read(&mut bytes), Ok(1..)) {}
        });
        while !is_over.load(Ordering::Relaxed) {
            for _ in 0..40 {
                client.send(Message::text(block.clone())).unwrap();
            }
            std::thread::sleep(Duration::from_millis(1050));
        }
        client.get_ref().shutdown(Shutdown::Both).unwrap();
        reader.join().unwrap();
    })
}

/// What the server has in memory, in bytes.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}
