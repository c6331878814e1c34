//! Child processes that hold a channel: they run the test `actor` of this very binary.

use crate::place::Place;
use crate::{Tick, tick};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;
use strait::{Domain, Join, OnFull, Slow};
use strait_ipc::directory::{Directory, Offer};
use strait_ipc::segment::Directory as Files;

const JOB: &str = "STRAIT_TEST_JOB";

/// Process ids of all actors, for redaction.
static PIDS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A child process that has the channel `name` of domain `test` open; killed when dropped.
pub(crate) struct Actor {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

/// This binary under another name, which its channels show.
fn program() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("feed-handler-eu");
    static LINKED: Once = Once::new();
    LINKED.call_once(|| {
        // Another run may have left it, or put it there just now.
        let own = path.with_extension(std::process::id().to_string());
        std::fs::hard_link(std::env::current_exe().unwrap(), &own).unwrap();
        std::fs::rename(&own, &path).unwrap();
        // Of two names for one file, both stay.
        let _ = std::fs::remove_file(own);
    });
    path
}

/// In a child: sends three messages, reads one or offers two things, or begins to send or read on and on;
/// says so, and keeps its side until told to close.
#[test]
fn actor() {
    let Ok(job) = std::env::var(JOB) else { return };
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let parts: Vec<&str> = job.splitn(3, '@').collect();
    let [role, name, directory] = parts[..] else { panic!("{job}") };
    let domain = Domain::open_in(directory, "test").unwrap();
    let channel = || domain.spsc::<Tick>(name).capacity(16);
    let _side: Box<dyn std::any::Any> = match role {
        "sender" => {
            let mut sender = channel().sender().unwrap();
            (0..3).for_each(|number| sender.send(&tick(number)).unwrap());
            Box::new(sender)
        }
        "receiver" => {
            let mut receiver = channel().receiver().unwrap();
            assert_eq!(receiver.recv().unwrap().size, 0);
            Box::new(receiver)
        }
        // On and on; what finds no room is dropped.
        "stream" => {
            let mut sender = channel().on_full(OnFull::DropNewest).sender().unwrap();
            std::thread::spawn(move || {
                loop {
                    sender.send(&tick(7)).unwrap();
                    std::thread::sleep(Duration::from_micros(200));
                }
            });
            Box::new(())
        }
        "drain" => {
            let mut receiver = channel().receiver().unwrap();
            std::thread::spawn(move || while receiver.recv().is_ok() {});
            Box::new(())
        }
        "news" => {
            let news = domain.broadcast::<u64>(name).capacity(16).readers(4);
            let mut sender = news.on_full(OnFull::DropNewest).sender().unwrap();
            std::thread::spawn(move || {
                loop {
                    sender.send(&7).unwrap();
                    std::thread::sleep(Duration::from_micros(200));
                }
            });
            Box::new(())
        }
        "subscriber" => {
            let news = domain.broadcast::<u64>(name).capacity(16).readers(4);
            let mut receiver = news.receiver(Join::Newest, Slow::Gate).unwrap();
            std::thread::spawn(move || while receiver.recv().is_ok() {});
            Box::new(())
        }
        "numbers" => {
            let mut sender = domain.spsc::<u64>(name).capacity(64).dense().sender().unwrap();
            sender.send_all(&[1, 2, 3, 4, 5]).unwrap();
            Box::new(sender)
        }
        "member" => {
            let directory = Directory::open(&Files::from(directory), "test").unwrap();
            let offer = Offer {
                interface: "engine",
                address: "orders",
                properties: b"eu",
                ..Offer::default()
            };
            let offered = [(name, 5), ("", -1)]
                .map(|(name, ranking)| directory.offer(&Offer { name, ranking, ..offer }).unwrap());
            Box::new((directory, offered))
        }
        _ => panic!("{job}"),
    };
    println!("@ready");
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

impl Actor {
    /// Returns when it has its side, and has sent or read.
    pub(crate) fn new(role: &str, channel: &str, place: &Place) -> Self {
        let mut child = Command::new(program())
            .args(["actor::actor", "--exact", "--nocapture", "--test-threads=1"])
            .env(JOB, format!("{role}@{channel}@{}", place.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        PIDS.lock().unwrap_or_else(PoisonError::into_inner).insert(child.id());
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        // What the test harness prints is passed over.
        while !line.ends_with("@ready\n") {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "it ended: {:?}", child.wait());
        }
        Self { child, stdin, stdout }
    }

    /// Whether a word is the id of this process or of an actor.
    pub(crate) fn is_pid(word: &str) -> bool {
        let pids = PIDS.lock().unwrap_or_else(PoisonError::into_inner);
        word.parse().is_ok_and(|pid| pid == std::process::id() || pids.contains(&pid))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Stops it, and waits until it stands still.
    pub(crate) fn pause(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        let (_, status) = waitpid(Some(self.pid()), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "it ended: {status:?}");
    }

    /// Kills it without warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has it close its side, and waits for its end.
    pub(crate) fn close(mut self) {
        drop(self.stdin.take());
        std::io::copy(&mut self.stdout, &mut std::io::sink()).unwrap();
        assert!(self.child.wait().unwrap().success(), "its panic is above");
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
