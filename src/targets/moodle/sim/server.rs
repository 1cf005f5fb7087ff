//! The site on a loopback port. It reads raw requests, and can close a connection without a word.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use axum::serve::{IncomingStream, Listener};
use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::answer::Answer;
use super::faults::Faults;
use super::gate::{Gate, Reply};
use super::params::Form;
use super::plan::SitePlan;
use super::world::World;

/// The web server's limit on a request body, in bytes.
const BODY_LIMIT: usize = 1 << 20;

/// A Moodle site on `127.0.0.1`. It is gone when dropped.
#[derive(Debug)]
pub struct MoodleSim {
    gate: Arc<Gate>,
    address: SocketAddr,
    token: String,
    server: JoinHandle<()>,
}

impl MoodleSim {
    /// Starts a site on a free port.
    ///
    /// # Errors
    /// No port could be bound.
    pub async fn start(plan: SitePlan) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let token = plan.token.clone();
        let gate = Arc::new(Gate::new(plan));
        gate.world().edit_plan(|plan| {
            plan.site_url.get_or_insert_with(|| format!("http://{address}"));
        });
        let app = Router::new().fallback(handle).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&gate));
        let service = app.into_make_service_with_connect_info::<Line>();
        let server = tokio::spawn(async move {
            // Serving ends only with the task.
            let _ = axum::serve(Lines(listener), service).await;
        });
        Ok(Self { gate, address, token, server })
    }

    /// Where the site is, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The service account's permanent token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The site's state.
    pub fn world(&self) -> &Arc<World> {
        self.gate.world()
    }

    /// The faults to play.
    pub fn faults(&self) -> &Arc<Faults> {
        self.gate.faults()
    }

    /// The site without its socket, for callers in memory.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Stops listening; connections are refused from now on. Work already taken up goes on.
    pub async fn shutdown(mut self) {
        self.server.abort();
        // An aborted task ends with an error, which is what was asked for.
        let _ = (&mut self.server).await;
    }
}

impl Drop for MoodleSim {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn handle(
    State(gate): State<Arc<Gate>>,
    ConnectInfo(line): ConnectInfo<Line>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if body.len() > BODY_LIMIT {
        return respond(Answer::html(413, None));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = if method == Method::GET {
        Form::parse(uri.query().unwrap_or_default().as_bytes())
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        Form::parse(&body)
    } else {
        // PHP does not read other bodies into its parameters.
        Form::default()
    };
    match gate.post(uri.path(), form).await {
        Reply::Answer(answer) => respond(answer),
        Reply::Drip(answer, over) => drip(answer, over),
        Reply::Cut => {
            line.0.store(true, Ordering::SeqCst);
            Response::new(Body::empty())
        }
    }
}

fn respond(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(answer.content_type));
    if let Some(value) = answer.retry_after.and_then(|text| text.parse().ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// The pieces of a dripping body.
const DROPS: u32 = 20;

/// The same answer, its body in pieces with pauses between them.
fn drip(answer: Answer, over: Duration) -> Response<Body> {
    let body = Bytes::from(answer.body.clone());
    let size = body.len().div_ceil(DROPS as usize).max(1);
    let mut pieces = Vec::new();
    for start in (0..body.len()).step_by(size) {
        pieces.push(body.slice(start..body.len().min(start + size)));
    }
    let pieces = futures::stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(over / DROPS).await;
        Ok::<_, io::Error>(piece)
    });
    let mut response = respond(Answer { body: String::new(), ..answer });
    *response.body_mut() = Body::from_stream(pieces);
    response
}

/// Whether a connection is to be closed instead of answered.
#[derive(Clone, Debug)]
struct Line(Arc<AtomicBool>);

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.remote_addr().clone()
    }
}

struct Lines(TcpListener);

impl Listener for Lines {
    type Io = CuttableStream;
    type Addr = Line;

    async fn accept(&mut self) -> (CuttableStream, Line) {
        let (stream, _) = Listener::accept(&mut self.0).await;
        // Small answers must not wait for a delayed acknowledgement; without it they are only slower.
        let _ = stream.set_nodelay(true);
        let line = Line(Arc::default());
        (CuttableStream { stream, line: line.clone() }, line)
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line(Arc::default()))
    }
}

struct CuttableStream {
    stream: TcpStream,
    line: Line,
}

impl CuttableStream {
    fn check(&self) -> io::Result<()> {
        if self.line.0.load(Ordering::SeqCst) { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
