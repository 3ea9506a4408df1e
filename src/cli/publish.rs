//! `creditd publish FILE…`: puts events on the broker, one a line, and waits for every confirm.

use std::path::PathBuf;

use super::lines::{Lines, spinner};
use super::{CliError, Exit, Output};
use crate::broker::{BrokerSettings, Outgoing, Publication, Publisher, find_intake};
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files with one event a line ("-": standard input); blank lines and lines that begin with #
    /// are skipped
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Publications that wait for their confirms together.
const WINDOW: usize = 1_000;

/// # Errors
/// [`CliError`] when a file can't be read, the broker is away, or a line is taken by no queue.
pub(super) async fn run(settings: &Settings, args: Args, output: Output) -> Result<Exit, CliError> {
    // All of them first: a slip in the last one's name leaves nothing half published.
    let files = args.files.iter().map(|path| Lines::open(path)).collect::<Result<Vec<_>, _>>()?;
    find_intake(&settings.broker).await.map_err(CliError::broker)?;
    let mut publisher = Publisher::open(&settings.broker).await.map_err(CliError::broker)?;
    let bar = spinner();
    let mut published = 0_u64;
    for mut lines in files {
        loop {
            let window = window(&mut lines, &settings.broker)?;
            if window.is_empty() {
                break;
            }
            let outcomes = publisher.publish(&window).await.map_err(CliError::broker)?;
            refuse_unless_confirmed(&outcomes)?;
            published = published.saturating_add(u64::try_from(outcomes.len()).unwrap_or(0));
            bar.set_position(published);
        }
    }
    publisher.close().await;
    bar.finish_and_clear();
    output.answer(&serde_json::json!({ "published": published }), || {
        format!("{published} events published and confirmed")
    })?;
    Ok(Exit::Good)
}

fn refuse_unless_confirmed(outcomes: &[Publication]) -> Result<(), CliError> {
    let lost = outcomes.iter().filter(|outcome| **outcome != Publication::Confirmed).count();
    match lost {
        0 => Ok(()),
        lost => Err(CliError::unavailable(format!(
            "{lost} of {} events were not taken by the queue; it may be full (publish the file \
             again: events that arrived are duplicates)",
            outcomes.len()
        ))),
    }
}

fn window(lines: &mut Lines, broker: &BrokerSettings) -> Result<Vec<Outgoing>, CliError> {
    let mut window = Vec::new();
    while window.len() < WINDOW {
        match lines.next_event()? {
            Some(line) => window.push(outgoing(&line, broker)),
            None => break,
        }
    }
    Ok(window)
}

/// An event whose type the queue is bound to goes through the exchange, as a billing system's
/// would; anything else straight to the queue, so that nothing is lost on the way.
fn outgoing(line: &[u8], broker: &BrokerSettings) -> Outgoing {
    #[derive(serde::Deserialize)]
    struct Envelope {
        specversion: Option<String>,
        r#type: Option<String>,
    }
    let envelope: Option<Envelope> = serde_json::from_slice(line).ok();
    let is_structured = envelope.as_ref().is_some_and(|event| event.specversion.is_some());
    let bound = envelope
        .and_then(|event| event.r#type)
        .filter(|kind| is_structured && broker.bindings.contains(kind));
    let (exchange, routing_key) = match bound {
        Some(kind) => (broker.events_exchange.clone(), kind),
        None => (String::new(), broker.queue.clone()),
    };
    Outgoing {
        exchange,
        routing_key,
        message_id: uuid::Uuid::new_v4().to_string(),
        kind: None,
        content_type: Some(
            if is_structured { "application/cloudevents+json" } else { "application/json" }
                .to_owned(),
        ),
        app_id: None,
        timestamp_seconds: None,
        headers: Vec::new(),
        body: line.to_vec(),
        mandatory: true,
    }
}
