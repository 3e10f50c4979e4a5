//! Act 9: the same in a browser.

use anyhow::Result;

use super::Story;

impl Story {
    pub(super) async fn browse(&mut self) -> Result<()> {
        anyhow::bail!("the browser's part is being written")
    }
}
