//! A client against a server that does what a script says, over real sockets and in real time.

use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::wire::PaceConfig;

const CODE: &str = "MOODLE_CONNECTION_FAILED";
const GOOD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\nconnection: close\r\n\r\nnull";
const UNAVAILABLE: &str = "HTTP/1.1 503 No\r\ncontent-type: text/html\r\n\
    retry-after: 1\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>";

/// What the server does with one connection, once it has read the request.
enum Act {
    Answer(&'static str),
    /// Says no more, until the client goes away.
    Silence,
}

/// The address of a server that plays `acts`, one on each connection, then listens no more; and the
/// requests that reached it.
async fn serve(acts: Vec<Act>) -> (Url, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/site/", listener.local_addr().unwrap()).parse().unwrap();
    let (heard, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for act in acts {
            let (mut stream, _) = listener.accept().await.unwrap();
            heard.send(read(&mut stream).await).unwrap();
            match act {
                Act::Answer(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                Act::Silence => while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {},
            }
        }
    });
    (base, requests)
}

/// One whole request, as text.
async fn read(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap();
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            return text;
        }
    }
}

fn settings(base: Url) -> HttpSettings {
    let ms = Duration::from_millis;
    HttpSettings {
        target: "moodle",
        base,
        tls: None,
        allow_plaintext: false,
        connect_timeout: Duration::from_secs(4),
        request_timeout: Duration::from_secs(5),
        body_limit: 64,
        pace: Pace::new(PaceConfig::new(1_000.0, None, 1).unwrap()),
        retry: RetryConfig {
            attempts: 3,
            first_delay: ms(1),
            longest_delay: ms(5),
            give_up_after: Duration::from_secs(10),
            longest_hold: Duration::from_secs(2),
        },
        seed: 1,
        connection_code: CODE,
    }
}

fn client(base: Url) -> HttpClient {
    HttpClient::new(settings(base)).unwrap()
}

fn request(purpose: Purpose) -> Request {
    let form = [("wstoken", "t0p&secret"), ("users[0][username]", "åse")];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Request { path: "webservice/rest/server.php", form, purpose }
}

fn judge(reply: Reply) -> Result<String, TargetError> {
    judge_status(&reply, CODE)?;
    Ok(reply.body.json::<serde_json::Value>().unwrap().to_string())
}

/// The answer to one request, how often it was sent, and that no error tells what was sent.
async fn play(purpose: Purpose, acts: Vec<Act>) -> (Result<String, TargetError>, usize) {
    let (base, mut requests) = serve(acts).await;
    let result = client(base).send(request(purpose), judge).await;
    if let Err(error) = &result {
        let text = format!("{error} {error:?}");
        for value in ["secret", "username", "se%", "åse", "html"] {
            assert!(!text.contains(value), "{text}");
        }
    }
    requests.close();
    let mut count = 0;
    while requests.recv().await.is_some() {
        count += 1;
    }
    (result, count)
}

fn meaning(result: Result<String, TargetError>) -> (ErrorKind, Retry, Effect) {
    let error = result.unwrap_err();
    assert_eq!(error.code, CODE);
    (error.kind, error.retry, error.effect)
}

#[tokio::test]
async fn a_form_arrives_as_it_was_given_below_the_base() {
    let (base, mut requests) = serve(vec![Act::Answer(GOOD)]).await;
    assert_eq!(client(base).send(request(Purpose::Read), judge).await.as_deref(), Ok("null"));
    let text = requests.recv().await.unwrap();
    assert!(text.starts_with("POST /site/webservice/rest/server.php HTTP/1.1\r\n"), "{text}");
    assert!(text.contains("content-type: application/x-www-form-urlencoded\r\n"), "{text}");
    assert!(text.ends_with("wstoken=t0p%26secret&users%5B0%5D%5Busername%5D=%C3%A5se"), "{text}");
}

#[tokio::test]
async fn a_read_cut_before_its_answer_is_sent_again() {
    let (result, count) = play(Purpose::Read, vec![Act::Answer(""), Act::Answer(""), Act::Answer(GOOD)]).await;
    assert_eq!((result.as_deref(), count), (Ok("null"), 3));
    let (result, count) = play(Purpose::Read, vec![Act::Answer(""), Act::Answer(""), Act::Answer("")]).await;
    assert_eq!((meaning(result), count), ((ErrorKind::Connect, Retry::Later(None), Effect::None), 3));
}

#[tokio::test]
async fn a_write_cut_at_any_place_is_in_doubt_and_sent_once() {
    for cut in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n[{\"id\""] {
        let (result, count) = play(Purpose::Write, vec![Act::Answer(cut), Act::Answer(GOOD)]).await;
        assert_eq!((meaning(result), count), ((ErrorKind::Connect, Retry::Later(None), Effect::Unknown), 1), "{cut}");
    }
}

#[tokio::test]
async fn a_read_cut_within_its_body_is_sent_again() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n[{\"id\"";
    let (result, count) = play(Purpose::Read, vec![Act::Answer(cut), Act::Answer(GOOD)]).await;
    assert_eq!((result.as_deref(), count), (Ok("null"), 2));
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_leaves_a_write_in_doubt_and_a_read_not() {
    for (purpose, effect, times) in [(Purpose::Write, Effect::Unknown, 1), (Purpose::Read, Effect::None, 3)] {
        let (base, mut requests) = serve(vec![Act::Silence, Act::Silence, Act::Silence]).await;
        let mut settings = settings(base);
        settings.connect_timeout = Duration::from_millis(150);
        settings.request_timeout = Duration::from_millis(200);
        let result = HttpClient::new(settings).unwrap().send(request(purpose), judge).await;
        let error = result.clone().unwrap_err();
        assert!(error.message.ends_with("did not answer within 200 ms"), "{error}");
        assert_eq!(meaning(result), (ErrorKind::Connect, Retry::Later(None), effect));
        for _ in 0..times {
            requests.recv().await.unwrap();
        }
        assert!(requests.try_recv().is_err(), "sent {times} times");
    }
}

#[tokio::test]
async fn what_was_never_sent_has_no_effect_even_if_it_is_a_write() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let result = client(base).send(request(Purpose::Write), judge).await;
    assert!(result.clone().unwrap_err().message.contains("nothing was sent"));
    assert_eq!(meaning(result), (ErrorKind::Connect, Retry::Later(None), Effect::None));
}

#[tokio::test]
async fn a_target_that_is_asked_too_fast_is_asked_again_after_the_time_it_names() {
    let slow_down = "HTTP/1.1 429 Slow down\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let begun = Instant::now();
    let (result, count) = play(Purpose::Write, vec![Act::Answer(slow_down), Act::Answer(GOOD)]).await;
    assert_eq!((result.as_deref(), count), (Ok("null"), 2), "also a write: it had no effect");
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_date_in_retry_after_counts_from_the_date_of_the_answer() {
    let dated = "HTTP/1.1 429 Slow down\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        retry-after: Sun, 06 Nov 1994 08:49:38 GMT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let begun = Instant::now();
    let (result, _) = play(Purpose::Read, vec![Act::Answer(dated), Act::Answer(GOOD)]).await;
    assert_eq!(result.as_deref(), Ok("null"));
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_target_in_maintenance_is_asked_again_for_a_read_and_leaves_a_write_in_doubt() {
    let (result, count) = play(Purpose::Read, vec![Act::Answer(UNAVAILABLE), Act::Answer(GOOD)]).await;
    assert_eq!((result.as_deref(), count), (Ok("null"), 2));
    let (result, count) = play(Purpose::Write, vec![Act::Answer(UNAVAILABLE), Act::Answer(GOOD)]).await;
    let later = Retry::Later(Some(Duration::from_secs(1)));
    assert_eq!((meaning(result), count), ((ErrorKind::Unavailable, later, Effect::Unknown), 1));
}

#[tokio::test]
async fn a_judge_that_knows_a_refusal_had_no_effect_has_the_write_sent_again() {
    let (base, _requests) = serve(vec![Act::Answer(UNAVAILABLE), Act::Answer(GOOD)]).await;
    let knowing = |reply: Reply| match reply.status {
        503 => judge(reply).map_err(|error| error.effect(Effect::None)),
        _ => judge(reply),
    };
    assert_eq!(client(base).send(request(Purpose::Write), knowing).await.as_deref(), Ok("null"));
}

#[tokio::test]
async fn a_gateways_page_is_unavailable_however_long_it_is() {
    let page = "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 80\r\nconnection: close\r\n\r\n\
        <html>0123456789012345678901234567890123456789012345678901234567890123456</html>";
    let (result, count) = play(Purpose::Write, vec![Act::Answer(page)]).await;
    assert_eq!((meaning(result), count), ((ErrorKind::Unavailable, Retry::Later(None), Effect::Unknown), 1));
    let (result, count) = play(Purpose::Read, vec![Act::Answer(page), Act::Answer(GOOD)]).await;
    assert_eq!((result.as_deref(), count), (Ok("null"), 2));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_says_that_the_address_is_wrong() {
    for (answer, effect) in [
        ("HTTP/1.1 301 M\r\nlocation: https://other.example/x?secret=1\r\ncontent-length: 0\r\n\r\n", Effect::None),
        ("HTTP/1.1 303 S\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n", Effect::Unknown),
    ] {
        let (result, count) = play(Purpose::Write, vec![Act::Answer(answer), Act::Answer(GOOD)]).await;
        let message = result.clone().unwrap_err().message;
        assert!(message.contains("the configured address is wrong"), "{message}");
        assert!(message.contains("https://other.example;") || message.contains("elsewhere"), "{message}");
        assert_eq!((meaning(result), count), ((ErrorKind::Rejected, Retry::Never, effect), 1));
    }
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_refused_with_and_without_a_length() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n\
            01234567890123456789012345678901234567890123456789012345678901234",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
            01234567890123456789012345678901234567890123456789012345678901234",
    ] {
        for (purpose, effect) in [(Purpose::Write, Effect::Unknown), (Purpose::Read, Effect::None)] {
            let (result, count) = play(purpose, vec![Act::Answer(answer), Act::Answer(GOOD)]).await;
            assert_eq!((meaning(result), count), ((ErrorKind::Malformed, Retry::Never, effect), 1));
        }
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_by_its_caller_gives_its_permit_back() {
    let (base, mut requests) = serve(vec![Act::Silence]).await;
    let settings = settings(base);
    let pace = settings.pace.clone();
    let client = HttpClient::new(settings).unwrap();
    let task = tokio::spawn(async move { client.send(request(Purpose::Write), judge).await });
    requests.recv().await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(tokio::time::timeout(Duration::from_secs(5), pace.admit()).await.is_ok());
}

#[tokio::test]
async fn a_request_whose_caller_is_busy_stands_in_nobodys_way() {
    let (base, _requests) = serve(vec![Act::Answer(GOOD), Act::Answer(GOOD)]).await;
    let client = client(base);
    let mut unattended = Box::pin(client.send(request(Purpose::Read), judge));
    assert!((&mut unattended).now_or_never().is_none());
    let second = tokio::time::timeout(Duration::from_secs(5), client.send(request(Purpose::Read), judge)).await;
    assert_eq!(second.unwrap().as_deref(), Ok("null"));
    assert_eq!(unattended.await.as_deref(), Ok("null"));
}

#[test]
fn statuses_say_what_they_can_say_and_no_more() {
    let said = |status| {
        let reply = Reply { status, content_type: String::new(), retry_after: None, body: Body::default() };
        judge_status(&reply, CODE).map_err(|error| (error.kind, error.retry != Retry::Never, error.effect))
    };
    for good in [200, 201, 204] {
        assert_eq!(said(good), Ok(()));
    }
    for (status, kind, again, effect) in [
        (400, ErrorKind::Rejected, false, Effect::None),
        (401, ErrorKind::Auth, false, Effect::None),
        (403, ErrorKind::Auth, false, Effect::None),
        (404, ErrorKind::NotFound, false, Effect::None),
        (408, ErrorKind::Unavailable, true, Effect::None),
        (409, ErrorKind::Conflict, false, Effect::None),
        (413, ErrorKind::Rejected, false, Effect::None),
        (422, ErrorKind::Rejected, false, Effect::None),
        (429, ErrorKind::RateLimited, true, Effect::None),
        (500, ErrorKind::Unavailable, true, Effect::Unknown),
        (502, ErrorKind::Unavailable, true, Effect::Unknown),
        (503, ErrorKind::Unavailable, true, Effect::Unknown),
        (504, ErrorKind::Unavailable, true, Effect::Unknown),
        (600, ErrorKind::Malformed, false, Effect::Unknown),
    ] {
        assert_eq!(said(status), Err((kind, again, effect)), "{status}");
    }
}

#[test]
fn an_address_that_would_give_secrets_away_is_refused() {
    let refusal = |base: &str| HttpClient::new(settings(base.parse().unwrap())).err().map(|error| error.field);
    assert_eq!(refusal("http://localhost/"), None);
    assert_eq!(refusal("http://[::1]:8080/"), None);
    assert_eq!(refusal("http://moodle.example/"), Some("base"));
    assert_eq!(refusal("http://127.0.0.1.example/"), Some("base"));
    assert_eq!(refusal("ftp://localhost/"), Some("base"));
    assert_eq!(refusal("http://someone@localhost/"), Some("base"));
    assert_eq!(refusal("http://localhost/?token=1"), Some("base"));
    assert_eq!(refusal("https://moodle.example/"), Some("tls"), "https needs to know whom to trust");
    let mut plain = settings("http://moodle.example/".parse().unwrap());
    plain.allow_plaintext = true;
    assert!(HttpClient::new(plain).is_ok());
    let mut slow = settings("http://localhost/".parse().unwrap());
    slow.connect_timeout = slow.request_timeout;
    assert_eq!(HttpClient::new(slow).err().map(|error| error.field), Some("connect_timeout"));
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_trace_tells_of_every_attempt_and_of_no_value() {
    let script = || vec![Act::Answer(UNAVAILABLE), Act::Answer(GOOD)];
    // Places in the code that first run in a thread without a subscriber, as in a test beside this one,
    // would stay silent: they all run once before there is one.
    drop(play(Purpose::Read, script()).await);
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(log.clone());
    let guard = tracing::subscriber::set_default(subscriber.finish());
    let (result, _) = play(Purpose::Read, script()).await;
    assert_eq!(result.as_deref(), Ok("null"));
    drop(guard);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for told in [
        "to=\"moodle\"",
        "path=\"webservice/rest/server.php\"",
        "attempt=1",
        "attempt=2",
        "status=503",
        "status=200",
        "ms=",
        CODE,
    ] {
        assert!(log.contains(told), "{told} in {log}");
    }
    for value in ["secret", "åse", "%C3", "<html>"] {
        assert!(!log.contains(value), "{value} in {log}");
    }
}
