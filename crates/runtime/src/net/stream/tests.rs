//! Tests of connections, against a peer.

use super::*;
use crate::net::connect::Target;
use crate::net::testing::run;
use crate::net::{Net, Outbound};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

async fn pair(net: &Net) -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = Target::Tcp("127.0.0.1".to_owned(), port);
    let stream = net.connect(&target, None, LONG).await.unwrap();
    (stream, listener.accept().await.unwrap().0)
}

async fn read(net: &Net, stream: &Stream, mut pattern: Pattern) -> Result<Vec<u8>, NetError> {
    let mut received = Received::new(net.memory());
    stream.read(&mut pattern, &mut received, LONG).await?;
    Ok(received.bytes().to_vec())
}

#[test]
fn long_reads_go_straight_and_short_ones_through_the_input() {
    run(async {
        let net = Net::new(2, 64 << 20, Outbound::any());
        let (stream, mut peer) = pair(&net).await;
        let sent: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
        let copy = sent.clone();
        let writer = tokio::task::spawn_local(async move {
            peer.write_all(&copy).await.unwrap();
        });
        let mut got = Vec::new();
        for size in [1, INPUT - 1, INPUT, 5, 2_000_000, 100] {
            let piece = read(&net, &stream, Pattern::bytes(size)).await.unwrap();
            assert_eq!(piece.len(), size);
            got.extend(piece);
        }
        got.extend(read(&net, &stream, Pattern::all()).await.unwrap());
        assert!(got == sent);
        assert!(stream.has_ended() && !stream.is_quiet());
        writer.await.unwrap();
        assert_eq!(net.memory().used(), 0);
    });
}

#[test]
fn what_a_read_that_took_too_long_has_left_is_read_by_the_next() {
    run(async {
        let net = Net::new(2, 1 << 20, Outbound::any());
        let (stream, mut peer) = pair(&net).await;
        peer.write_all(b"ab").await.unwrap();
        let (mut pattern, mut received) = (Pattern::bytes(4), Received::new(net.memory()));
        let read_on = stream.read(&mut pattern, &mut received, SHORT).await;
        assert_eq!(read_on, Err(NetError::Timeout));
        peer.write_all(b"cdrest\n").await.unwrap();
        stream
            .read(&mut pattern, &mut received, LONG)
            .await
            .unwrap();
        assert_eq!(received.bytes(), b"abcd");
        assert_eq!(read(&net, &stream, Pattern::line()).await.unwrap(), b"rest");
    });
}

#[test]
fn closing_wakes_who_waits_and_gives_the_permit_back() {
    run(async {
        let net = Net::new(1, 1 << 20, Outbound::any());
        let (stream, peer) = pair(&net).await;
        assert_eq!(net.permit().err(), Some(NetError::TooManySockets(1)));
        let stream = Rc::new(stream);
        let (reading, shared) = (stream.clone(), net.clone());
        let reader =
            tokio::task::spawn_local(async move { read(&shared, &reading, Pattern::line()).await });
        let writing = stream.clone();
        let writer =
            tokio::task::spawn_local(
                async move { writing.write_all(&vec![0; 64 << 20], LONG).await },
            );
        tokio::time::sleep(SHORT).await;
        stream.close();
        assert_eq!(reader.await.unwrap(), Err(NetError::Closed));
        assert_eq!(writer.await.unwrap(), Err(NetError::Closed));
        assert_eq!(net.sockets().open(), 0);
        drop(peer);
    });
}

#[test]
fn more_than_the_limit_is_not_received() {
    run(async {
        let net = Net::new(1, 100_000, Outbound::any());
        let (stream, mut peer) = pair(&net).await;
        tokio::task::spawn_local(
            async move { while peer.write_all(&[b'x'; 1000]).await.is_ok() {} },
        );
        for pattern in [Pattern::all(), Pattern::line(), Pattern::bytes(usize::MAX)] {
            let wrong = read(&net, &stream, pattern).await;
            assert_eq!(wrong, Err(NetError::TooMuchData(100_000)));
            assert_eq!(net.memory().used(), 0);
        }
    });
}

#[test]
fn as_tokio_wants_it() {
    run(async {
        let net = Net::new(1, 1 << 20, Outbound::any());
        let (stream, mut peer) = pair(&net).await;
        peer.write_all(b"line\nrest").await.unwrap();
        assert_eq!(read(&net, &stream, Pattern::line()).await.unwrap(), b"line");
        let mut io = Io(Rc::new(stream));
        io.write_all(b"hello").await.unwrap();
        io.shutdown().await.unwrap();
        let mut said = String::new();
        peer.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "hello");
        drop(peer);
        let mut rest = String::new();
        io.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "rest");
    });
}

#[test]
fn whether_something_may_be_read_costs_nothing_to_know() {
    run(async {
        let net = Net::new(1, 1 << 20, Outbound::any());
        let (stream, mut peer) = pair(&net).await;
        assert!(read_now(&net, &stream).is_pending() && !stream.may_be_read());
        peer.write_all(b"ab\n").await.unwrap();
        while !stream.may_be_read() {
            tokio::task::yield_now().await;
        }
        assert_eq!(read_now(&net, &stream), Poll::Ready(Ok(())));
        drop(peer);
        while !stream.may_be_read() {
            tokio::task::yield_now().await;
        }
        assert_eq!(read_now(&net, &stream), Poll::Ready(Err(NetError::Closed)));
        assert!(stream.may_be_read());
    });
}

/// Reads a line, if it is there.
fn read_now(net: &Net, stream: &Stream) -> Poll<Result<(), NetError>> {
    let (mut pattern, mut received) = (Pattern::line(), Received::new(net.memory()));
    let mut nobody = Context::from_waker(Waker::noop());
    stream.poll_pattern(&mut pattern, &mut received, &mut false, &mut nobody)
}
