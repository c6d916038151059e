//! A Lambda Runtime API on loopback, as the Lambda Developer Guide publishes it ("Lambda runtime API"): it hands events
//! to a real `bootstrap`, one after the other, and takes its answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// How long one invocation may take.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A function under the runtime API. It is killed when this is dropped.
pub(crate) struct Function {
    events: Sender<Value>,
    answers: Receiver<Result<Value, Value>>,
    child: Child,
}

impl Function {
    /// Starts a function with these variables, and no others.
    pub(crate) fn start(mut command: Command, variables: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (events, queue) = channel();
        let (answer, answers) = channel();
        let queue = Arc::new(Mutex::new(queue));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (queue, answer) = (Arc::clone(&queue), answer.clone());
                let Ok(stream) = stream else { break };
                std::thread::spawn(move || serve(stream, &queue, &answer));
            }
        });
        command.env_clear().env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        for name in ["FUNCTION_NAME", "FUNCTION_VERSION", "LOG_STREAM_NAME", "LOG_GROUP_NAME"] {
            command.env(format!("AWS_LAMBDA_{name}"), "analyzer");
        }
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = command.stdin(Stdio::null()).spawn().expect("the function starts");
        Self { events, answers, child }
    }

    /// Invokes it, and waits for its answer or its error.
    pub(crate) fn invoke(&mut self, event: &Value) -> Result<Value, Value> {
        self.begin(event);
        self.end()
    }

    /// Invokes it, and leaves it to its run.
    pub(crate) fn begin(&mut self, event: &Value) {
        self.events.send(event.clone()).expect("the runtime API is up");
    }

    /// Waits for the answer of a run that was begun.
    pub(crate) fn end(&mut self) -> Result<Value, Value> {
        self.answers.recv_timeout(TIMEOUT).expect("an answer in time")
    }

    /// Kills it, wherever it is.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.kill();
    }
}

fn serve(stream: TcpStream, events: &Mutex<Receiver<Value>>, answers: &Sender<Result<Value, Value>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let said = || serde_json::from_slice(&body).unwrap_or(Value::Null);
        if path.ends_with("/invocation/next") {
            let event = events.lock().ok()?.recv().ok()?.to_string();
            let deadline = SystemTime::now().duration_since(UNIX_EPOCH).ok()? + TIMEOUT / 2;
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: run\r\n\
                 Lambda-Runtime-Deadline-Ms: {}\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:x:1:function:a\r\n\
                 Content-Length: {}\r\n\r\n{event}",
                deadline.as_millis(),
                event.len()
            )
            .ok()?;
            continue;
        }
        if path.ends_with("/response") {
            answers.send(Ok(said())).ok()?;
        } else {
            answers.send(Err(said())).ok()?;
        }
        write!(stream, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").ok()?;
    }
}
