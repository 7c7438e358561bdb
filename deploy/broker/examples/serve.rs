//! A broker as a process of its own: `serve DATA_DIR ADDRESS`. It runs until it is killed.
#![expect(
    clippy::print_stdout,
    reason = "whoever starts it waits for the line that says where it listens"
)]

use std::error::Error;
use std::future::pending;

use dialtone_broker::{Broker, BrokerConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(dir), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: serve DATA_DIR ADDRESS".into());
    };
    let mut config = BrokerConfig::new(dir);
    config.listen = address.parse()?;
    let broker = Broker::start(config).await?;
    println!("{}", broker.bootstrap());
    pending().await
}
