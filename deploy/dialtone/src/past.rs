//! What a watch learns from that begins without a checkpoint: days that lie in the lake, and no longer in the log that it will read.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use dialtone_processor::{
    Watch,
    offline::Watching,
    watch::history::{Day, Days},
};
use dialtone_schemas::{Summary, Text};
use dialtone_sinks::lake::{self, Reader};
use dialtone_wire::Place;

/// Rows held at once; some hundred bytes each.
pub const MOST_ROWS: usize = 20_000_000;

/// Days of all tenants, and how far into each log their summaries reach.
#[derive(Debug, Default)]
pub struct Past {
    days: BTreeMap<Text, Vec<Day>>,
    /// By day: the last offset of each log.
    reaches: BTreeMap<i32, BTreeMap<Place, i64>>,
}

impl Past {
    /// The last so many days of which the lake keeps summaries, put together one after the other.
    pub async fn read(lake: &Path, days: usize) -> Result<Self> {
        Self::before(lake, i32::MAX, days).await
    }

    /// The last so many of them before a day.
    pub async fn before(lake: &Path, first: i32, days: usize) -> Result<Self> {
        let cannot = || format!("the lake {} cannot be read", lake.display());
        let mut known = Reader::days_with_summaries(lake).await.with_context(cannot)?;
        known.retain(|day| *day < first);
        let wanted = &known[known.len().saturating_sub(days)..];
        let mut gathering = Gathering::default();
        for day in wanted {
            let one = lake::Days {
                first: *day,
                last: *day,
            };
            let rows = Reader::new(lake, one, MOST_ROWS)
                .summaries()
                .await
                .with_context(cannot)?;
            rows.into_iter().for_each(|row| gathering.add(row));
        }
        Ok(gathering.past())
    }

    /// Lets a watch that has heard nothing study all of them.
    pub fn teach_all(&self, watching: &mut Watching) {
        for (tenant, days) in &self.days {
            watching.study(tenant, days);
        }
    }

    /// Lets a watch that begins at these offsets study the days before them: whole days, up to the first that its logs still have a part of.
    pub fn teach(&self, watch: &mut Watch, first: &BTreeMap<Place, i64>) {
        let is_gone = |(place, last): (&Place, &i64)| first.get(place).is_some_and(|first| last < first);
        let gone = self
            .reaches
            .iter()
            .take_while(|(_, reaches)| reaches.iter().all(is_gone));
        let Some(last) = gone.map(|(day, _)| *day).last() else {
            let known = self.reaches.len();
            tracing::info!(
                known,
                "no day of the lake lies wholly before the logs: nothing is learnt from it"
            );
            return;
        };
        for (tenant, days) in &self.days {
            let gone: Vec<&Day> = days.iter().filter(|day| day.start().day() <= last).collect();
            tracing::info!(%tenant, days = gone.len(), "what is normal is learnt from the lake");
            watch.study(tenant, gone);
        }
    }
}

/// Days that are being put together.
#[derive(Default)]
struct Gathering {
    days: BTreeMap<Text, Days>,
    reaches: BTreeMap<i32, BTreeMap<Place, i64>>,
}

impl Gathering {
    fn add(&mut self, (place, offset, summary): (Place, i64, Summary)) {
        let (Some(tenant), Some(window)) = (&summary.tenant, summary.window) else {
            return;
        };
        let reaches = self.reaches.entry(window.start().day()).or_default();
        let last = reaches.entry(place).or_insert(offset);
        *last = offset.max(*last);
        self.days.entry(tenant.clone()).or_default().add(&summary);
    }

    fn past(self) -> Past {
        let whole = |(tenant, mut days): (Text, Days)| (tenant, days.take_before(i32::MAX));
        Past {
            days: self.days.into_iter().map(whole).collect(),
            reaches: self.reaches,
        }
    }
}
