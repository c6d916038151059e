//! Standard output, which may be closed, or read by somebody who has stopped reading: neither may hold up a poll.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use serde_json::Value;

/// How many lines wait for a reader.
const WAITING: usize = 1_024;

enum Message {
    Line(String),
    Flush(SyncSender<()>),
}

/// Writes lines, in the order in which they come, without ever waiting.
#[derive(Debug, Clone)]
pub(crate) struct Out {
    sender: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl Out {
    /// Begins to write to standard output.
    pub(crate) fn start() -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        std::thread::Builder::new().name("output".to_owned()).stack_size(64 << 10).spawn(move || write(&receiver))?;
        Ok(Self { sender, lost })
    }

    /// Writes a line.
    pub(crate) fn text(&self, line: String) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(Message::Line(line)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes a JSON object, stamped with the time and, if lines were lost before it, with their number.
    pub(crate) fn line(&self, mut line: Value) {
        if let Some(members) = line.as_object_mut() {
            members.insert("time".to_owned(), jiff::Timestamp::now().to_string().into());
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                members.insert("lines_lost".to_owned(), lost.into());
            }
        }
        self.text(line.to_string());
    }

    /// Waits until all is written, but not for long.
    pub(crate) fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.sender.try_send(Message::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(Duration::from_secs(1));
        }
    }
}

fn write(receiver: &Receiver<Message>) {
    let mut out = Some(io::stdout());
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Line(line) => {
                // Once it is closed it stays closed; the work goes on.
                let is_open =
                    out.as_mut().is_some_and(|out| writeln!(out, "{line}").and_then(|()| out.flush()).is_ok());
                if !is_open {
                    out = None;
                }
            }
            Message::Flush(done) => drop(done.send(())),
        }
    }
}

/// A complaint on standard error.
pub(crate) fn complain(text: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr(), "lifecycle-check: {text}");
}
