//! Why a broker does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Each variant is a sentence for the person who starts the broker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// Neither passwords nor encryption, yet asked to listen beyond this machine.
    #[error(
        "listen={listen}: the embedded broker has no authentication and no encryption, so it listens on loopback only; \
         set insecure = true to accept that, or use a real Kafka cluster"
    )]
    NotLoopback {
        /// What was asked for.
        listen: SocketAddr,
    },
    /// A setting that cannot be meant.
    #[error("setting {key}: {reason}")]
    Config {
        /// Its name.
        key: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// Another broker holds the data directory.
    #[error("data directory {} is in use by another broker", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The port is taken, or may not be bound.
    #[error("listen={listen}: cannot bind")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A file or folder of the data directory cannot be used.
    #[error("{}: cannot {attempt}", path.display())]
    Storage {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        attempt: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A file of the data directory does not say what it should.
    #[error("{}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl BrokerError {
    pub(crate) fn storage(path: impl Into<PathBuf>, attempt: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Storage { path, attempt, source }
    }
}
