//! The request to stop, heard by every long-lived part. It interrupts waiting only: what has been
//! taken in hand is finished by whoever took it.

use tokio::sync::watch;

/// Asks all holders of the [`Shutdown`] to stop. Dropping it asks too: nobody could any more.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// Hears the request to stop; a clone hears the same one, also after it was made.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Trigger {
    /// Once is enough; again changes nothing.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    pub fn new() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(false);
        (Trigger(sender), Self(receiver))
    }

    /// Returns when a stop is requested, at once if it already was. Cancel safe.
    pub async fn requested(&mut self) {
        // An error means that the trigger is gone, which is a request as well.
        let _gone = self.0.wait_for(|requested| *requested).await.is_err();
    }

    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    /// Whether the request has been heard, without waiting for it.
    async fn hears(shutdown: &mut Shutdown) -> bool {
        let mut requested = pin!(shutdown.requested());
        poll_fn(|context| Poll::Ready(requested.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn nothing_is_heard_before_the_request() {
        let (_trigger, mut shutdown) = Shutdown::new();

        assert!(!shutdown.is_requested());
        assert!(!hears(&mut shutdown).await);
    }

    #[tokio::test]
    async fn every_clone_hears_the_request_as_often_as_it_asks() {
        let (trigger, mut first) = Shutdown::new();
        let mut second = first.clone();

        trigger.request();
        trigger.request();

        let mut late = first.clone();
        for shutdown in [&mut first, &mut second, &mut late] {
            shutdown.requested().await;
            shutdown.requested().await;
            assert!(shutdown.is_requested());
        }
    }

    #[tokio::test]
    async fn a_waiting_part_is_woken() {
        let (trigger, mut shutdown) = Shutdown::new();

        tokio::join!(shutdown.requested(), async { trigger.request() });

        assert!(shutdown.is_requested());
    }

    #[tokio::test]
    async fn a_lost_trigger_is_a_request() {
        let (trigger, mut shutdown) = Shutdown::new();

        drop(trigger);

        shutdown.requested().await;
        assert!(shutdown.is_requested());
    }
}
