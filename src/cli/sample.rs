//! A world outside for tests of commands.

use std::io::Cursor;
use std::sync::Arc;

use jiff::Timestamp;

use super::io::{Interrupt, Io, Terminal};
use crate::clock::Clock;

pub(super) struct At(pub i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0).unwrap()
    }
}

/// Streams that are kept, a clock that stands still, an environment that is given.
#[derive(Default)]
pub(super) struct World {
    pub answers: String,
    pub terminal: bool,
    pub environment: Vec<(&'static str, &'static str)>,
    pub seconds: i64,
    pub interrupt: Interrupt,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
}

impl World {
    /// Hands the world to a command, and keeps what it says.
    pub async fn with<T>(&mut self, command: impl AsyncFnOnce(&mut Io<'_>) -> T) -> T {
        let environment = self.environment.clone();
        let mut io = Io {
            out: &mut self.out,
            err: &mut self.err,
            input: &mut Cursor::new(self.answers.clone().into_bytes()),
            terminal: Terminal { input: self.terminal, output: self.terminal, error: self.terminal },
            environment: &|name| environment.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned()),
            account: "operator (uid 1000)".to_owned(),
            clock: Arc::new(At(self.seconds)),
            random: &|| [7; 32],
            interrupt: self.interrupt.clone(),
            progress: Arc::new(crate::engine::Silent),
            points: Arc::new(crate::engine::Unstopped),
        };
        command(&mut io).await
    }

    pub fn out(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    pub fn err(&self) -> String {
        String::from_utf8(self.err.clone()).unwrap()
    }
}
