//! A stage at work, as others see it: how it stands, how it is asked to stop, and how it ended.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::oneshot;

use crate::{Place, run::RunError};

/// How a stage stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// It has its places (perhaps none, where others have them all) and their state is restored.
    pub ready: bool,
    /// The next offset wanted of each place.
    pub positions: BTreeMap<Place, i64>,
    /// Every place stands at its log's end, and everything is told and acknowledged.
    pub caught_up: bool,
    /// Records between the folds and the ends of their logs, where known.
    pub lag: i64,
    /// Recoveries after another had gone on with a chain.
    pub lost: u64,
}

/// How a stage stands, to be looked at by others while it runs.
#[derive(Clone, Debug, Default)]
pub struct View(Arc<Mutex<Status>>);

impl View {
    /// As last shown.
    pub fn now(&self) -> Status {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A stage that runs on a thread of its own. Dropping it asks it to stop, without waiting.
#[derive(Debug)]
pub struct Running {
    pub(crate) stage: String,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) view: View,
    pub(crate) finished: Option<oneshot::Receiver<Result<(), RunError>>>,
}

impl Running {
    /// Asks it to stop: it writes a last checkpoint, sees its outbox acknowledged, and leaves its group.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        self.view.now()
    }

    /// The same for whoever looks again and again, without holding the stage.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Waits until it has stopped, by itself or because it was asked to. Cancelling the waiting stops nothing. Answers `Ok`
    /// when asked again.
    pub async fn finished(&mut self) -> Result<(), RunError> {
        let Some(finished) = &mut self.finished else {
            return Ok(());
        };
        let outcome = finished.await;
        self.finished = None;
        let gone = || RunError::Thread {
            stage: self.stage.clone(),
            reason: "its thread has panicked".to_owned(),
        };
        outcome.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
