//! `demo [--once] [--screens]`: plays the story on real parts, then stays up for a look around.
//!
//! With `--once` it ends after the story, and well only if every act was proved and all of them
//! together took no longer than they may. With `--screens` it then takes pictures of every page of
//! the console, in all looks. Whatever happens (a failed act, Ctrl-C, SIGTERM, SIGKILL), nothing of
//! it stays on the machine, except for the pictures.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use lab::{
    browser::screens_dir,
    story::{ACTS, MEMBER, MEMBER_PASSWORD, OPERATOR, OPERATOR_PASSWORD, Story},
};
use tokio::signal::unix::{SignalKind, signal};

/// The whole story, with `--once`; twice what it takes on two cores without KVM.
const STORY_MAX: Duration = Duration::from_secs(240);

#[derive(Default, Clone, Copy)]
struct Wanted {
    once: bool,
    screens: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut wanted = Wanted::default();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--once" => wanted.once = true,
            "--screens" => wanted.screens = true,
            _ => {
                eprintln!("usage: demo [--once] [--screens]");
                return ExitCode::from(2);
            }
        }
    }
    match perform(wanted).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo did not get through: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn perform(wanted: Wanted) -> Result<()> {
    let mut story = tokio::select! {
        story = play(wanted) => story?,
        name = interrupted() => bail!("interrupted by {name}"),
    };
    if !wanted.once {
        println!(
            "\n  Console   {}\n  Operator  {OPERATOR} / {OPERATOR_PASSWORD}\n  Tenant    {MEMBER} / {MEMBER_PASSWORD}\n\n\
             Ctrl-C ends it and cleans up.",
            story.world.server.url()
        );
        stay(&mut story).await?;
        println!("\nCleaning up.");
    }
    let status = story.world.server.stop().await?;
    ensure!(status.success(), "the server ended with {status}");
    Ok(())
}

async fn play(wanted: Wanted) -> Result<Story> {
    let began = Instant::now();
    println!("OpsHawk's whole chain, on real parts in private corners of this machine.");
    println!(
        "  Starting libvirtd, a BMC simulator, a mail server, a webhook receiver and opshawk ..."
    );
    let mut story = Story::begin(None).await?;
    println!("  ... took {:.1} s; the server is at {}", seconds(began), story.world.server.url());
    for (index, title) in ACTS.iter().enumerate() {
        let number = index + 1;
        println!("\n  Act {number}: {title}");
        let act_began = Instant::now();
        story.act(number).await?;
        println!("    verified, {:.1} s", seconds(act_began));
    }
    println!("\nAll {} acts are verified, in {:.0} s.", ACTS.len(), seconds(began));
    let took = began.elapsed();
    ensure!(
        !wanted.once || took <= STORY_MAX,
        "the story took {:.0} s, more than {} s",
        took.as_secs_f64(),
        STORY_MAX.as_secs(),
    );
    if wanted.screens {
        story.pictures().await?;
        println!("Pictures of every page are in {}.", screens_dir().display());
    }
    Ok(story)
}

/// Until somebody ends it, or the server ends by itself.
async fn stay(story: &mut Story) -> Result<()> {
    let mut look = tokio::time::interval(Duration::from_secs(1));
    let interrupted = interrupted();
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            _ = &mut interrupted => return Ok(()),
            _ = look.tick() => story.world.server.check()?,
        }
    }
}

async fn interrupted() -> &'static str {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt()).expect("signals can be taken"),
        signal(SignalKind::terminate()).expect("signals can be taken"),
    );
    tokio::select! {
        _ = interrupt.recv() => "Ctrl-C",
        _ = terminate.recv() => "SIGTERM",
    }
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
