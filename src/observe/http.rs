//! The small HTTP server for probes and collectors: `/livez`, `/readyz`, `/metrics`.
//!
//! Bounded on every side, because it may be reachable: so many connections, one request each, a
//! short time for all of it. What it shows holds no secret and names no account.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::pin;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::health::Health;
use super::metrics::Metrics;

const CONNECTIONS_MAX: usize = 64;
const HEADER_READ_MAX: Duration = Duration::from_secs(5);
const HEADER_MAX_BYTES: usize = 8_192;
const CONNECTION_MAX: Duration = Duration::from_secs(10);
const DRAIN_MAX: Duration = Duration::from_secs(1);
/// Accepting fails when the process has no file descriptors left; trying at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Answers until `shutdown`, then finishes what is being answered, for at most a second.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    metrics: Metrics,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let mut connections = JoinSet::new();
    loop {
        let has_room = connections.len() < CONNECTIONS_MAX;
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(answer_one(stream, health.clone(), metrics.clone()));
                }
                Err(error) => {
                    warn!(%error, "health connection not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(DRAIN_MAX, drained).await.is_err() {
        debug!("health connections aborted");
    }
}

/// One connection, one request: a connection kept open would only hold its place.
async fn answer_one(stream: TcpStream, health: Health, metrics: Metrics) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), &health, &metrics);
        ready(Ok::<_, Infallible>(response))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_MAX)
        .max_buf_size(HEADER_MAX_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_MAX, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "health request not answered"),
        Err(_) => debug!("health request took too long"),
    }
}

fn answer(method: &Method, path: &str, health: &Health, metrics: &Metrics) -> Response<String> {
    let respond: fn(&Health, &Metrics) -> Response<String> = match path {
        "/livez" => |health, _| livez(health),
        "/readyz" => |health, _| readyz(health),
        "/metrics" => |_, metrics| metrics_text(metrics),
        _ => return text(StatusCode::NOT_FOUND, "try /livez, /readyz or /metrics\n".to_owned()),
    };
    if method != Method::GET && method != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    respond(health, metrics)
}

fn livez(health: &Health) -> Response<String> {
    let stuck: String = health.stuck().iter().map(|stuck| format!("{stuck}\n")).collect();
    match stuck.is_empty() {
        true => text(StatusCode::OK, "alive\n".to_owned()),
        false => text(StatusCode::SERVICE_UNAVAILABLE, stuck),
    }
}

fn readyz(health: &Health) -> Response<String> {
    let unready: String = health.unready().iter().map(|why| format!("{why}\n")).collect();
    match unready.is_empty() {
        true => text(StatusCode::OK, "ready\n".to_owned()),
        false => text(StatusCode::SERVICE_UNAVAILABLE, unready),
    }
}

fn metrics_text(metrics: &Metrics) -> Response<String> {
    match metrics.encode() {
        Ok(encoded) => {
            let mut response = text(StatusCode::OK, encoded);
            response.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
            response
        }
        Err(_) => {
            text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics can't be encoded\n".to_owned())
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, PLAIN);
    response
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;

    struct World {
        address: SocketAddr,
        health: Health,
        metrics: Metrics,
        stop: oneshot::Sender<()>,
        server: JoinSet<()>,
    }

    impl World {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (health, metrics) = (Health::new(), Metrics::new());
            let (stop, stopped) = oneshot::channel();
            let mut server = JoinSet::new();
            let (served_health, served_metrics) = (health.clone(), metrics.clone());
            server.spawn(async move {
                let stopped = async { drop(stopped.await) };
                serve(listener, served_health, served_metrics, stopped).await;
            });
            Self { address, health, metrics, stop, server }
        }

        /// Sends a request as it stands and reads until the server closes.
        async fn send(&self, request: &str) -> String {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut response = String::new();
            stream.read_to_string(&mut response).await.unwrap();
            response
        }

        async fn get(&self, path: &str) -> String {
            self.send(&format!("GET {path} HTTP/1.1\r\nHost: creditd\r\n\r\n")).await
        }
    }

    #[tokio::test]
    async fn a_process_whose_loops_move_is_alive_even_without_its_servers() {
        let world = World::start().await;
        let _beat = world.health.beat("intake", Duration::from_secs(60));

        let response = world.get("/livez").await;

        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        assert!(response.ends_with("\r\n\r\nalive\n"), "{response}");
    }

    #[tokio::test]
    async fn a_loop_that_stands_still_is_named() {
        let world = World::start().await;
        let _beat = world.health.beat("relay", Duration::ZERO);
        while world.health.stuck().is_empty() {
            tokio::task::yield_now().await;
        }

        let response = world.get("/livez").await;

        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        assert!(response.contains("relay has not moved for "), "{response}");
    }

    #[tokio::test]
    async fn readiness_follows_both_servers_and_says_which_is_away() {
        let world = World::start().await;
        world.health.set_database_ready(true);

        let without_broker = world.get("/readyz").await;
        world.health.set_broker_ready(true);
        let with_both = world.get("/readyz").await;
        world.health.set_publisher_blocked(true);
        let blocked = world.get("/readyz?verbose").await;

        assert!(without_broker.starts_with("HTTP/1.1 503 "), "{without_broker}");
        assert!(without_broker.ends_with("\r\n\r\nthe broker can't be reached\n"));
        assert!(with_both.starts_with("HTTP/1.1 200 "), "{with_both}");
        assert!(blocked.starts_with("HTTP/1.1 503 "), "{blocked}");
        assert!(blocked.contains("blocks publishers"), "{blocked}");
    }

    #[tokio::test]
    async fn metrics_are_open_metrics_text() {
        let world = World::start().await;
        world.metrics.redelivered(3);

        let response = world.get("/metrics").await;

        assert!(response.contains("content-type: application/openmetrics-text; version=1.0.0"));
        assert!(response.contains("\ncreditd_redeliveries_total 3\n"), "{response}");
        assert!(response.ends_with("# EOF\n"), "{response}");
    }

    #[tokio::test]
    async fn other_paths_are_not_found_and_other_methods_not_allowed() {
        let world = World::start().await;

        let missing = world.get("/").await;
        let posted = world.send("POST /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let head = world.send("HEAD /livez HTTP/1.1\r\nHost: h\r\n\r\n").await;

        assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
        assert!(posted.starts_with("HTTP/1.1 405 "), "{posted}");
        assert!(posted.contains("allow: GET, HEAD\r\n"), "{posted}");
        assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[tokio::test]
    async fn a_request_that_is_too_large_or_no_http_is_refused() {
        let world = World::start().await;
        let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(20_000));

        let garbage = world.send("\0\0\0 what\r\n\r\n").await;
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        // The server may close before it has read all of it.
        let _written = stream.write_all(long.as_bytes()).await;
        let mut bytes = Vec::new();
        let _read = stream.read_to_end(&mut bytes).await;

        assert!(garbage.starts_with("HTTP/1.1 400 "), "{garbage}");
        let refused = String::from_utf8_lossy(&bytes);
        assert!(!refused.starts_with("HTTP/1.1 200"), "{refused}");
        assert!(world.get("/livez").await.starts_with("HTTP/1.1 200 "));
    }

    #[tokio::test]
    async fn more_connections_than_it_has_room_for_wait_their_turn() {
        let world = World::start().await;
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            silent.push(TcpStream::connect(world.address).await.unwrap());
        }

        let (response, ()) = tokio::join!(world.get("/livez"), async { silent.clear() });

        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    }

    #[tokio::test]
    async fn a_request_to_stop_ends_it_although_a_client_says_nothing() {
        let mut world = World::start().await;
        let _silent = TcpStream::connect(world.address).await.unwrap();
        assert!(world.get("/livez").await.starts_with("HTTP/1.1 200 "));

        world.stop.send(()).unwrap();

        assert!(world.server.join_next().await.unwrap().is_ok());
        assert!(TcpStream::connect(world.address).await.is_err());
    }
}
