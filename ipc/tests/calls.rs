//! Calls between threads and between processes: answered, given up, refused, and what either side learns
//! when the other is gone.

mod child;

use child::{Actor, HANG, Place, eventually, job, tell, wait_for_parent};
use std::thread;
use std::time::Duration;
use strait_ipc::channel::Wait;
use strait_ipc::channel::calls::{
    Answer, CallError, Calls, Client, Delivered, Pending, Request, ServeError, Server, Status,
};
use strait_ipc::message::access_checked;

const DOUBLE: u16 = 1;
const REPEAT: u16 = 2;

fn number(start: *const u8, len: usize) -> u64 {
    assert_eq!(len, 8);
    // SAFETY: eight bytes of a request or answer that is held, aligned to 16.
    unsafe { start.cast::<u64>().read() }
}

fn doubled(answer: &Answer) -> u64 {
    assert_eq!(answer.status(), Status::Done);
    number(answer.as_ptr(), answer.len())
}

/// Doubles numbers, and repeats texts as often as their length says.
fn handle(request: &mut Request<'_>) {
    match request.method() {
        DOUBLE => {
            let asked = number(request.as_ptr(), request.len());
            request.answer(Status::Done, &(2 * asked));
        }
        REPEAT => {
            let (start, len) = (request.as_ptr(), request.len());
            // SAFETY: the request is held, and nobody writes to it.
            let text = unsafe { access_checked::<String>(start, len, len) }.unwrap().as_str();
            let result = text.repeat(text.len());
            request.answer(Status::Done, &result);
        }
        _ => request.answer(Status::NoSuchMethod, &()),
    }
}

fn text(answer: &Answer) -> &str {
    let len = answer.len();
    // SAFETY: the answer is held, and nobody writes to it.
    unsafe { access_checked::<String>(answer.as_ptr(), len, len) }.unwrap()
}

/// Serves until the clients say so by method 0.
fn serve(mut server: Server) -> thread::JoinHandle<Server> {
    thread::spawn(move || {
        let mut over = false;
        while !over {
            let served = server.serve(Some(HANG), |request| match request.method() {
                0 => over = true,
                _ => handle(request),
            });
            served.unwrap();
        }
        server
    })
}

fn pair(capacity: u64) -> (Server, Client) {
    Calls::unnamed("calls").capacity(capacity).clients(3).pair().unwrap()
}

fn within(time: Duration) -> Option<Duration> {
    Some(time)
}

/// Has the server handle what is there.
fn serve_all(server: &mut Server) -> u32 {
    let mut served = 0;
    while server.try_serve(handle).unwrap() {
        served += 1;
    }
    served
}

#[test]
fn each_call_gets_its_own_answer() {
    let (server, client) = pair(4);
    let server = serve(server);
    thread::scope(|scope| {
        for thread in 0..4 {
            let client = client.clone();
            scope.spawn(move || {
                for index in 0..500 {
                    let asked = thread << 32 | index;
                    let answer = client.call(DOUBLE, &asked, within(HANG)).unwrap();
                    assert_eq!(doubled(&answer), 2 * asked);
                }
            });
        }
    });
    client.notify(0, &()).unwrap();
    server.join().unwrap();
}

#[test]
fn answers_may_be_held_and_taken_in_any_order() {
    let (server, client) = pair(8);
    let server = serve(server);
    let first = client.call(DOUBLE, &1_u64, within(HANG)).unwrap();
    // Its place is passed over, again and again.
    for asked in 0..100_u64 {
        assert_eq!(doubled(&client.call(DOUBLE, &asked, within(HANG)).unwrap()), 2 * asked);
    }
    let mut calls: Vec<Pending> =
        (0..7_u64).map(|asked| client.start(DOUBLE, &asked).unwrap()).collect();
    for asked in (0..7).rev() {
        let answer = calls.pop().unwrap().wait(within(HANG)).unwrap();
        assert_eq!(doubled(&answer), 2 * asked);
    }
    assert_eq!(doubled(&first), 2);
    client.notify(0, &()).unwrap();
    server.join().unwrap();
}

#[test]
fn of_large_arguments_and_answers_none_is_cut() {
    let calls = Calls::unnamed("calls").capacity(4).max_len(48).arena(1 << 20);
    let (server, client) = calls.pair().unwrap();
    let server = serve(server);
    let mut held = vec![];
    for len in [1, 7, 8, 9, 48, 100, 700] {
        let asked = "x".repeat(len);
        let answer = client.call(REPEAT, &asked, within(HANG)).unwrap();
        assert_eq!(text(&answer).len(), len * len);
        if len > 48 && held.len() < 2 {
            held.push((answer, len * len));
        }
    }
    for round in 0..50 {
        let asked = "y".repeat(600 + round);
        let answer = client.call(REPEAT, &asked, within(HANG)).unwrap();
        assert_eq!(text(&answer).len(), asked.len() * asked.len());
    }
    for (answer, len) in held {
        assert_eq!(text(&answer), "x".repeat(len));
    }

    let too_large = client.call(REPEAT, &"z".repeat(1030), within(HANG)).unwrap_err();
    insta::assert_snapshot!(too_large, @"the answer of a call to `calls`: 1060908 bytes, and there is room for 1048576 (delivered)");
    let too_large = client.call(REPEAT, &"z".repeat(2 << 20), within(HANG)).unwrap_err();
    insta::assert_snapshot!(too_large, @"the arguments of a call to `calls`: 2097160 bytes, and there is room for 1048576 (not delivered)");
    let one = client.call(REPEAT, &"x".repeat(800), within(HANG)).unwrap();
    let overloaded = client.call(REPEAT, &"z".repeat(800), within(HANG)).unwrap_err();
    insta::assert_snapshot!(overloaded, @"`calls` is overloaded: large answers are held for as long as there is no room for more (delivered)");
    drop(one);
    client.call(REPEAT, &"z".repeat(800), within(HANG)).unwrap();
    client.notify(0, &()).unwrap();
    server.join().unwrap();
}

#[test]
fn a_call_that_is_given_up_is_answered_to_nobody() {
    let (mut server, client) = pair(2);
    // Before the server has seen it.
    let timeout = client.call(DOUBLE, &1_u64, within(Duration::ZERO)).unwrap_err();
    insta::assert_snapshot!(timeout, @"`calls` did not answer in time (maybe delivered)");
    drop(client.start(DOUBLE, &2_u64).unwrap());
    assert_eq!(serve_all(&mut server), 0, "both are passed over");

    // While the server handles it.
    let pending = client.start(DOUBLE, &3_u64).unwrap();
    let handled = server.try_serve(|request| {
        drop(pending);
        handle(request);
    });
    assert!(handled.unwrap());
    let next = client.start(DOUBLE, &4_u64).unwrap();
    let other = client.start(DOUBLE, &5_u64).unwrap();
    assert_eq!(serve_all(&mut server), 2);
    assert_eq!([next, other].map(|call| doubled(&call.wait(None).unwrap())), [8, 10]);
}

#[test]
fn an_answer_that_came_in_time_counts() {
    let (mut server, client) = pair(2);
    let mut pending = client.start(DOUBLE, &3_u64).unwrap();
    assert!(pending.try_wait().is_none());
    serve_all(&mut server);
    let answer = pending.wait(within(Duration::ZERO)).unwrap();
    assert_eq!(doubled(&answer), 6);
    drop(answer);
    let mut pending = client.start(DOUBLE, &4_u64).unwrap();
    serve_all(&mut server);
    assert_eq!(doubled(&pending.try_wait().unwrap().unwrap()), 8);
    assert!(pending.try_wait().is_none(), "it is taken once");
}

#[test]
fn more_calls_than_the_service_allows_are_refused() {
    let (mut server, client) = pair(2);
    let calls = [1, 2].map(|asked: u64| client.start(DOUBLE, &asked).unwrap());
    let refused = client.start(DOUBLE, &3_u64).unwrap_err();
    assert_eq!(refused.delivered(), Delivered::No);
    insta::assert_snapshot!(refused, @"`calls` is overloaded: as many calls are in flight as the service allows a client (not delivered)");
    serve_all(&mut server);
    let answers = calls.map(|call| call.wait(None).unwrap());
    assert!(
        matches!(client.start(DOUBLE, &3_u64), Err(CallError::Overloaded { .. })),
        "both are held"
    );
    drop(answers);
    client.start(DOUBLE, &3_u64).unwrap();
}

#[test]
fn a_batch_is_there_at_once_or_never() {
    let (mut server, client) = pair(4);
    let mut batch = client.batch().unwrap();
    let calls = [1, 2, 3].map(|asked: u64| batch.start(DOUBLE, &asked).unwrap());
    batch.notify(DOUBLE, &4_u64).unwrap();
    assert!(matches!(batch.start(DOUBLE, &5_u64), Err(CallError::Overloaded { .. })));
    assert_eq!(serve_all(&mut server), 0);
    batch.commit();
    assert_eq!(serve_all(&mut server), 4);
    assert_eq!(calls.map(|call| doubled(&call.wait(None).unwrap())), [2, 4, 6]);

    let mut batch = client.batch().unwrap();
    let mut calls = [1, 2].map(|asked: u64| batch.start(DOUBLE, &asked).unwrap());
    drop(batch);
    insta::assert_snapshot!(calls[0].try_wait().unwrap().unwrap_err(), @"the batch with this call to `calls` was dropped before it was committed");
    // Nobody else's answer is taken for theirs.
    let other = client.start(DOUBLE, &21_u64).unwrap();
    assert_eq!(serve_all(&mut server), 1);
    let abandoned = calls.map(|call| call.wait(within(HANG)));
    assert!(matches!(abandoned, [Err(_), Err(CallError::Abandoned { .. })]));
    assert_eq!(doubled(&other.wait(None).unwrap()), 42);
}

#[test]
fn an_answer_that_is_not_given_says_so() {
    let (mut server, client) = pair(2);
    let calls = [9, DOUBLE].map(|method| client.start(method, &1_u64).unwrap());
    assert!(server.try_serve(handle).unwrap());
    assert!(server.try_serve(|_| {}).unwrap());
    let found = calls.map(|call| call.wait(None).unwrap().status());
    assert_eq!(found, [Status::NoSuchMethod, Status::Panicked]);
    client.notify(DOUBLE, &1_u64).unwrap();
    assert!(server.try_serve(|request| assert!(!request.wants_answer())).unwrap());
}

#[test]
fn clients_take_turns() {
    let segment = Calls::unnamed("calls").capacity(64).clients(2).segment().unwrap();
    let segment = std::sync::Arc::new(segment);
    let mut server = Calls::given(segment.clone()).server().unwrap();
    let busy = Calls::given(segment.clone()).client().unwrap();
    let quiet = Calls::given(segment.clone()).client().unwrap();
    for asked in 0..60_u64 {
        busy.notify(DOUBLE, &asked).unwrap();
    }
    quiet.notify(DOUBLE, &0_u64).unwrap();
    let mut clients = vec![];
    while server.try_serve(|request| clients.push(request.client().0)).unwrap() {}
    let turn = clients.iter().position(|&client| client == 1).unwrap();
    assert!(turn <= 2 * 2 * 16, "the quiet client waited for {turn} others");

    let third = Calls::given(segment).client().unwrap_err();
    insta::assert_snapshot!(third.to_string().split(':').next().unwrap(), @"`calls` already has its 2 producers");
}

#[test]
fn a_server_that_leaves_says_what_it_did_not_see() {
    let (mut server, client) = pair(4);
    let calls = [1, 2, 3].map(|asked: u64| client.start(DOUBLE, &asked).unwrap());
    assert!(server.try_serve(handle).unwrap());
    drop(server);
    let [first, second, third] = calls.map(|call| call.wait(within(HANG)));
    assert_eq!(doubled(&first.unwrap()), 2);
    let second = second.unwrap_err();
    insta::assert_snapshot!(second, @"`calls` is not offered any more (not delivered)");
    assert_eq!([second, third.unwrap_err()].map(|error| error.delivered()), [Delivered::No; 2]);
    assert!(client.start(DOUBLE, &1_u64).is_ok(), "there is room");
}

fn named(place: &Place) -> Calls {
    Calls::named(place.directory.clone(), "test", "calls").capacity(8).wait(Wait::Adaptive)
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    match what.as_str() {
        "serve" => {
            let mut server = named(&place).server().unwrap();
            tell("open");
            loop {
                match server.serve(None, handle) {
                    Ok(()) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
        "serve-two-and-hang" => {
            let mut server = named(&place).server().unwrap();
            tell("open");
            server.serve(None, handle).unwrap();
            server
                .serve(None, |_| {
                    tell("in hand");
                    wait_for_parent();
                })
                .unwrap();
        }
        "call" => {
            let client = named(&place).client().unwrap();
            let held = client.call(DOUBLE, &1_u64, within(HANG)).unwrap();
            let started: Vec<_> =
                (0..4_u64).map(|asked| client.start(DOUBLE, &asked).unwrap()).collect();
            tell("called");
            wait_for_parent();
            drop((held, started));
        }
        other => panic!("no such job: {other}"),
    }
}

#[test]
fn another_process_answers() {
    let place = Place::new();
    let mut server = Actor::spawn("serve", &place);
    server.hear();
    let client = named(&place).client().unwrap();
    for asked in 0..1000_u64 {
        assert_eq!(doubled(&client.call(DOUBLE, &asked, within(HANG)).unwrap()), 2 * asked);
    }
    let answer = client.call(REPEAT, &"ab".repeat(5), within(HANG)).unwrap();
    assert_eq!(text(&answer), "ab".repeat(50));
    let second = named(&place).server().unwrap_err().to_string();
    assert!(second.contains(&format!("pid {}", server.pid())), "{second}");
}

#[test]
fn of_a_server_that_is_killed_each_call_says_whether_it_was_seen() {
    let place = Place::new();
    let mut server = Actor::spawn("serve-two-and-hang", &place);
    server.hear();
    let client = named(&place).client().unwrap();
    let calls = [1, 2, 3].map(|asked: u64| client.start(DOUBLE, &asked).unwrap());
    server.hear();
    server.kill();
    let [first, second, third] = calls.map(|call| call.wait(within(HANG)));
    assert_eq!(doubled(&first.unwrap()), 2);
    let died =
        |delivered| CallError::PeerDied { service: "calls".into(), pid: server.pid(), delivered };
    assert_eq!(second.unwrap_err(), died(Delivered::Maybe));
    assert_eq!(third.unwrap_err(), died(Delivered::No));
    insta::assert_snapshot!(died(Delivered::Maybe).to_string().replace(&server.pid().to_string(), "[pid]"), @"the process of `calls`, [pid], died (maybe delivered)");

    // A new server does not resume: it makes the channel anew once this client has left.
    let over = named(&place).server().unwrap_err();
    insta::assert_snapshot!(over, @"the server of `calls` is gone, and calls are not resumed: once its clients have left, a new server can make the channel anew");
    drop(client);
    drop(named(&place).server().unwrap());
    place.assert_empty();
}

#[test]
fn of_a_server_that_is_killed_alone_nothing_is_in_the_way() {
    let place = Place::new();
    let mut server = Actor::spawn("serve", &place);
    server.hear();
    server.kill();
    let mut successor = None;
    eventually("the end of the dead server", || {
        successor = named(&place).server().ok();
        successor.is_some()
    });
    drop(successor);
    place.assert_empty();
}

#[test]
fn a_client_that_is_killed_costs_nothing() {
    let place = Place::new();
    let mut server = named(&place).clients(1).server().unwrap();
    let mut client = Actor::spawn("call", &place);
    let mut served = 0;
    server.serve(Some(HANG), handle).unwrap();
    assert_eq!(client.hear(), "called");
    client.kill();
    // Its place is free, and its answers are nobody's.
    let mut successor = None;
    eventually("the place of the dead client", || {
        successor = named(&place).client().ok();
        successor.is_some()
    });
    let successor = successor.unwrap();
    let calls: Vec<_> =
        (10..14_u64).map(|asked| successor.start(DOUBLE, &asked).unwrap()).collect();
    while server.try_serve(handle).unwrap() {
        served += 1;
    }
    assert_eq!(served, 8);
    let answers: Vec<_> =
        calls.into_iter().map(|call| doubled(&call.wait(None).unwrap())).collect();
    assert_eq!(answers, [20, 22, 24, 26]);
    for asked in 0..100 {
        let call = successor.start(DOUBLE, &asked).unwrap();
        serve_all(&mut server);
        assert_eq!(doubled(&call.wait(None).unwrap()), 2 * asked);
    }
}

#[test]
fn nobody_is_waited_for_longer_than_was_said() {
    let (mut server, client) = pair(2);
    assert_eq!(server.serve(Some(Duration::ZERO), handle).unwrap_err(), ServeError::Timeout);
    drop(client);
    assert!(!server.try_serve(handle).unwrap());
    assert_eq!(server.serve(Some(Duration::ZERO), handle).unwrap_err(), ServeError::Timeout);
}
