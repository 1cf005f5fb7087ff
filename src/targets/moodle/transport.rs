//! How a form gets to the site: over HTTP, or (feature `sim`) into a simulated site in memory.

use futures::future::BoxFuture;

use crate::model::TargetError;
use crate::wire::{HttpClient, Reply, Request};

/// Says what a whole answer means. It keeps what it read; the transport only learns whether to go on.
pub type Judge<'j> = &'j (dyn Fn(Reply) -> Result<(), TargetError> + Send + Sync);

/// Sends forms, at its pace, and again where nothing can have happened.
pub trait Transport: Send + Sync {
    /// Sends one form and lets `judge` read the answer.
    fn post<'t>(&'t self, request: Request, judge: Judge<'t>) -> BoxFuture<'t, Result<(), TargetError>>;
}

impl Transport for HttpClient {
    fn post<'t>(&'t self, request: Request, judge: Judge<'t>) -> BoxFuture<'t, Result<(), TargetError>> {
        Box::pin(self.send(request, judge))
    }
}
