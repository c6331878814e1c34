//! The hot path as machine code: each `probe_*` is one operation of a channel, compiled on its own,
//! for `cargo xtask probes` to disassemble and find free of locked instructions and fences.
//! Run, it merely shows that the probes work.

use strait_ipc::channel::{Receiver, SendError, Sender, Spsc};
use strait_ipc::message::Message;
use strait_macros::Message;

/// A plain message that fills one cache line with its head.
#[derive(Clone, Copy, Debug, Message)]
#[message(crate = strait_ipc)]
#[repr(C)]
struct Plain {
    words: [u64; 6],
}

/// A message with out-of-line parts.
#[derive(Debug, rkyv::Archive, rkyv::Serialize, Message)]
#[message(crate = strait_ipc)]
struct Rich {
    symbol: String,
    sizes: Vec<u32>,
}

fn send<T: Message>(sender: &mut Sender<T>, message: &T) -> bool {
    match sender.try_send(message) {
        Ok(()) => true,
        Err(error) => refused(error),
    }
}

/// Out of line: dropping an error is not part of the hot path.
#[cold]
#[inline(never)]
fn refused(error: SendError) -> bool {
    drop(error);
    false
}

/// Sends one 48-byte message.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_send_plain(sender: &mut Sender<Plain>, message: &Plain) -> bool {
    send(sender, message)
}

/// Receives one 48-byte message.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_receive_plain(receiver: &mut Receiver<Plain>) -> Option<Plain> {
    receiver.try_recv().ok().map(|message| *message)
}

/// Waits for one 48-byte message.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_wait_plain(receiver: &mut Receiver<Plain>) -> Option<Plain> {
    receiver.recv().ok().map(|message| *message)
}

/// Sends one word through a dense cell.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_send_dense(sender: &mut Sender<u64>, message: &u64) -> bool {
    send(sender, message)
}

/// Receives one word through a dense cell.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_receive_dense(receiver: &mut Receiver<u64>) -> Option<u64> {
    receiver.try_recv().ok().map(|message| message.to_native())
}

/// Publishes a batch of four.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_send_batch(sender: &mut Sender<Plain>, messages: &[Plain; 4]) -> usize {
    let mut batch = sender.batch();
    for message in messages {
        if batch.push(message).is_err() {
            break;
        }
    }
    batch.publish()
}

/// Drains what is there.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_drain(receiver: &mut Receiver<Plain>) -> u64 {
    let mut sum = 0;
    let _ = receiver.drain(64, |message| sum += message.words[0]);
    sum
}

/// Builds a message with a string and a vector in its cell.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_send_rich(sender: &mut Sender<Rich>, message: &Rich) -> bool {
    send(sender, message)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut sender, mut receiver) = Spsc::<Plain>::unnamed("plain").pair()?;
    let message = Plain { words: [1, 2, 3, 4, 5, 6] };
    assert!(probe_send_plain(&mut sender, &message));
    let received = probe_receive_plain(&mut receiver);
    assert_eq!(received.map(|message| message.words), Some(message.words));
    assert_eq!(probe_send_batch(&mut sender, &[message; 4]), 4);
    assert!(probe_wait_plain(&mut receiver).is_some());
    assert_eq!(probe_drain(&mut receiver), 3);

    let (mut sender, mut receiver) = Spsc::<u64>::unnamed("dense").dense().pair()?;
    assert!(probe_send_dense(&mut sender, &7));
    assert_eq!(probe_receive_dense(&mut receiver), Some(7));

    let (mut sender, mut receiver) = Spsc::<Rich>::unnamed("rich").pair()?;
    let rich = Rich { symbol: "ACME".into(), sizes: vec![1, 2] };
    assert!(probe_send_rich(&mut sender, &rich));
    assert_eq!(receiver.recv()?.symbol, "ACME");
    println!("probes work");
    Ok(())
}
