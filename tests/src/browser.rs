//! A real Chromium, driven by Playwright's library: `tests/browser/driver.mjs` takes one step at a
//! time, by role and accessible name, and answers with what the page showed.
//!
//! Node and all of Chromium run in a process namespace of their own, so that nothing of them
//! outlives this value; their files are in its directory.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    api::http_client,
    dir::{LabDir, free_port, workspace},
    process::Process,
    wait,
};

const START_LIMIT: Duration = Duration::from_secs(60);
/// Above the pages' own limit (`desk.mjs`), whose words say more.
const STEP_LIMIT: Duration = Duration::from_secs(150);
/// Pictures of all pages in all looks.
const PICTURES_LIMIT: Duration = Duration::from_secs(600);

pub struct Browser {
    /// First, so that it is gone before its directory is.
    process: Process,
    url: String,
    client: reqwest::Client,
    _dir: LabDir,
}

/// What is to be seen of the console.
#[derive(Debug, Clone)]
pub struct Page {
    /// Of its picture's file.
    pub name: &'static str,
    pub path: String,
    /// Which of its tabs, from 0; of one without tabs 0.
    pub tab: usize,
    /// What the console is told in place of what the server has, where it asks for this path.
    pub answer: Option<(String, Value)>,
}

/// Where pictures go; of a failed step, too.
pub fn screens_dir() -> PathBuf {
    workspace().join("target/screens")
}

impl Browser {
    /// `console`: the address of the server whose console is to be used.
    pub async fn start(console: &str) -> Result<Self> {
        let playwright = workspace().join("dashboards/console/node_modules/playwright-core");
        ensure!(playwright.is_dir(), "playwright-core is not installed: run make console");
        let dir = LabDir::new("browser")?;
        let port = free_port()?;
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "node"])
            .arg(workspace().join("tests/browser/driver.mjs"))
            .args([&port.to_string(), console])
            .arg(screens_dir())
            .env("HOME", dir.path())
            .env("TMPDIR", dir.path())
            .current_dir(dir.path());
        let mut process = Process::start("the browser", command, &dir.join("browser.log"))?;
        let url = format!("http://127.0.0.1:{port}/");
        let client = http_client();
        process.ready(START_LIMIT, || async { client.post(&url).send().await.is_ok() }).await?;
        Ok(Self { process, url, client, _dir: dir })
    }

    /// One step of `steps.mjs`; what it saw.
    pub async fn step(&mut self, name: &str, arguments: Value) -> Result<Value> {
        self.ask(name, arguments, STEP_LIMIT).await
    }

    /// Pictures of `pages` as this person sees them (None: nobody), in all looks, into
    /// [`screens_dir`]. Fails where a page is wider than its window.
    pub async fn pictures(&mut self, person: Option<&str>, pages: &[Page]) -> Result<()> {
        let page = |Page { name, path, tab, answer }: &Page| {
            let answer = answer.as_ref().map(|(path, body)| json!({"path": path, "body": body}));
            json!({"name": name, "path": path, "tab": tab, "answer": answer})
        };
        let pages: Vec<Value> = pages.iter().map(page).collect();
        let wide =
            self.ask("pictures", json!({"as": person, "pages": pages}), PICTURES_LIMIT).await?;
        ensure!(wide.as_array().is_some_and(Vec::is_empty), "pages that overflow: {wide}");
        Ok(())
    }

    async fn ask(&mut self, name: &str, mut arguments: Value, limit: Duration) -> Result<Value> {
        self.process.check()?;
        arguments["do"] = json!(name);
        let request = self.client.post(&self.url).json(&arguments).timeout(limit);
        let answer = async { request.send().await?.json::<Value>().await }
            .await
            .with_context(|| format!("the browser's step '{name}'"))?;
        if let Some(error) = answer["error"].as_str() {
            bail!("the browser's step '{name}' {arguments}: {error}");
        }
        Ok(answer["value"].clone())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let children = format!("/proc/{0}/task/{0}/children", self.process.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        self.process.kill9();
        // Process 1 of the namespace is gone last; then nobody writes into the directory any more.
        for child in children.split_whitespace() {
            let child = Path::new("/proc").join(child);
            let deadline = std::time::Instant::now() + Duration::from_secs(10);
            while child.exists() && std::time::Instant::now() < deadline {
                std::thread::sleep(wait::POLL_INTERVAL);
            }
        }
    }
}
