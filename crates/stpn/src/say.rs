//! What is said beside the work: never waited for, and never a reason to stop.
//!
//! A thread of its own writes it, so that a reader that stopped reading holds up nothing, and one that went away or a
//! full disk ends nothing. A command whose output is its work (`stpn eval`) prints instead, and fails if it cannot.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::{Error, Result};

/// Lines that wait at most; further ones are lost.
const WAITING: usize = 1024;

/// How long the program waits at its end for what was said to be written.
const PATIENCE: Duration = Duration::from_secs(1);

enum Message {
    Note(String),
    Draw(Box<dyn FnOnce() + Send>),
    Result(String),
    Flush(SyncSender<()>),
}

/// Says a line to whoever watches: to stderr.
pub fn note(line: impl Into<String>) {
    send(Message::Note(line.into()));
}

/// Has something drawn on the terminal. A terminal that was halted (Ctrl-S) holds up the drawing alone.
pub fn draw(drawing: impl FnOnce() + Send + 'static) {
    send(Message::Draw(Box::new(drawing)));
}

/// Says a line of the result: to stdout.
pub fn result(line: impl Into<String>) {
    send(Message::Result(line.into()));
}

/// Prints what a command was asked for, and waits until it is read.
///
/// # Errors
/// Fails if it cannot be written.
pub fn print(text: impl AsRef<[u8]>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_ref()).and_then(|()| out.flush());
    written.map_err(Error::Output)
}

/// What logs are written to: every record is a note.
#[derive(Clone, Copy, Debug)]
pub struct Notes;

impl Write for Notes {
    fn write(&mut self, record: &[u8]) -> std::io::Result<usize> {
        note(String::from_utf8_lossy(record).trim_end());
        Ok(record.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Waits a moment until everything said so far is written.
pub fn flush() {
    let (done, written) = sync_channel(1);
    send(Message::Flush(done));
    // A reader that does not read has had its time.
    let _ = written.recv_timeout(PATIENCE);
}

fn send(message: Message) {
    static QUEUE: OnceLock<Option<SyncSender<Message>>> = OnceLock::new();
    let start = || {
        let (queue, messages) = sync_channel(WAITING);
        std::thread::Builder::new().name("output".into()).spawn(move || write(&messages)).ok().map(|_| queue)
    };
    if let Some(queue) = QUEUE.get_or_init(start) {
        // Where the queue is full, nobody reads.
        let _ = queue.try_send(message);
    }
}

fn write(messages: &Receiver<Message>) {
    for message in messages {
        // Whoever does not want to hear it need not.
        let _ = match message {
            Message::Note(line) => writeln!(std::io::stderr(), "{line}"),
            Message::Draw(drawing) => {
                drawing();
                Ok(())
            }
            Message::Result(line) => writeln!(std::io::stdout(), "{line}"),
            Message::Flush(done) => {
                let flushed = std::io::stdout().flush();
                let _ = done.try_send(());
                flushed
            }
        };
    }
}
