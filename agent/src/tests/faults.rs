//! Fails every step of an instance's life in turn, before it and after it, kills the agent there,
//! and does every step twice: the life goes on as if nothing had been, and nothing is left.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use base::id::InstanceId;
use futures::{StreamExt, stream};
use tokio::sync::Notify;

use super::bench::{Host, lab};
use crate::{
    execute::Hooks,
    failure::StepError,
    plan::{ImagePart, Step},
    wire::{
        InstanceState::{Absent, Paused, Running, Stopped},
        Power,
    },
};

/// Lives at once: more would only wait for the processors.
const LIVES_AT_ONCE: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The step fails before it does anything.
    Before(Step),
    /// The step does all, and then fails.
    After(Step),
    /// The agent is killed when the step has done all.
    KillAfter(Step),
    /// Every step is done twice.
    Twice,
}

struct FaultPlan {
    fault: Fault,
    struck: Mutex<bool>,
    /// Told when the agent is to be killed.
    kill: Notify,
    steps: Mutex<BTreeSet<Step>>,
}

impl FaultPlan {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault,
            struck: Mutex::new(false),
            kill: Notify::new(),
            steps: Mutex::default(),
        })
    }
    /// True once.
    fn strikes(&self, fault: Fault) -> bool {
        self.fault == fault && !std::mem::replace(&mut *self.struck.lock().unwrap(), true)
    }
}

fn injected() -> Result<(), StepError> {
    Err(StepError::limited("injected", "a test failed this step"))
}

impl Hooks for FaultPlan {
    fn before(&self, _: InstanceId, step: Step) -> Result<(), StepError> {
        self.steps.lock().unwrap().insert(step);
        if self.strikes(Fault::Before(step)) { injected() } else { Ok(()) }
    }
    fn after(&self, _: InstanceId, step: Step) -> Result<(), StepError> {
        if self.strikes(Fault::KillAfter(step)) {
            self.kill.notify_one();
            return injected();
        }
        if self.strikes(Fault::After(step)) { injected() } else { Ok(()) }
    }
    fn times(&self) -> usize {
        if self.fault == Fault::Twice { 2 } else { 1 }
    }
}

/// Lives one life under `fault`; returns the steps that it took.
async fn live(uri: &str, fault: Fault) -> BTreeSet<Step> {
    let plan = FaultPlan::new(fault);
    let mut host = Host::new(uri).await;
    let mut wanted = host.blank();
    wanted.stop_grace_ms = 300;
    let (id, image) = (wanted.id, wanted.image.clone());
    host.server.want(|instances| instances.push(wanted));
    host.start_with(plan.clone());

    let mut way = vec![
        (Power::Absent, Absent),
        (Power::Running, Running),
        (Power::Stopped, Stopped),
        (Power::Running, Running),
        (Power::Paused, Paused),
    ];
    step_to(&mut host, &plan, id, 1, Running).await;
    while let Some((power, state)) = way.pop() {
        let mut disk_gib = 0;
        let generation = host.change(id, |wanted| {
            wanted.power = power;
            // Once it is down.
            wanted.disk_gib += i64::from(power == Power::Stopped);
            disk_gib = wanted.disk_gib;
        });
        step_to(&mut host, &plan, id, generation, state).await;
        if power == Power::Running {
            assert_eq!(host.server.seen(id).unwrap().disk_gib, Some(disk_gib), "{fault:?}");
        }
    }
    host.server.want(Vec::clear);
    super::bench::eventually("it is forgotten", || async { host.server.seen(id).is_none() }).await;
    if !matches!(fault, Fault::None | Fault::Twice) {
        assert!(*plan.struck.lock().unwrap(), "{fault:?} never struck");
    }
    host.assert_nothing_left(id).await;
    host.assert_cached(&image);

    let states: Vec<_> = host.server.events(id).iter().map(|event| event.state).collect();
    let usual = [Running, Paused, Running, Stopped, Running, Absent];
    let with_last_stop = [Running, Paused, Running, Stopped, Running, Stopped, Absent];
    assert!(states == usual || states == with_last_stop, "{fault:?}: {states:?}");
    let ordered = host.server.events(id).is_sorted_by_key(|event| event.at);
    assert!(ordered, "{fault:?}: events out of order");
    host.stop().await;
    plan.steps.lock().unwrap().clone()
}

/// Waits for the state; kills and restarts the agent where the plan says so.
async fn step_to(
    host: &mut Host,
    plan: &Arc<FaultPlan>,
    id: InstanceId,
    generation: i64,
    state: crate::wire::InstanceState,
) {
    let killed = tokio::select! {
        () = host.until(id, generation, state) => false,
        () = plan.kill.notified() => true,
    };
    if killed {
        host.kill().await;
        host.start_with(plan.clone());
        host.until(id, generation, state).await;
    }
}

/// The steps of a life, in a list. A step that isn't in it fails to compile.
macro_rules! steps {
    ($($step:ident $(($part:ident))?),* $(,)?) => {
        const STEPS: &[Step] = &[$(Step::$step $((ImagePart::$part))?),*];
        const _: fn(Step) = |step| match step {
            $(Step::$step $((ImagePart::$part))?)|* => {}
        };
    };
}

steps![
    FetchImage(Disk),
    FetchImage(Kernel),
    FetchImage(Ramdisk),
    MakeDisk,
    GrowDisk,
    MakeSeed,
    Define,
    EnsureNetwork,
    Start,
    Suspend,
    Resume,
    PressPower,
    Destroy,
    Undefine,
    RemoveFiles,
];

/// A life for each step, with a fault at that step.
async fn live_all(fault: impl Fn(Step) -> Fault) {
    let Some((uri, _)) = lab() else { return };
    let lives = STEPS.iter().map(|&step| live(&uri, fault(step)));
    stream::iter(lives).buffer_unordered(LIVES_AT_ONCE).collect::<Vec<_>>().await;
}

#[tokio::test]
async fn a_life_takes_every_step_and_every_step_may_be_repeated() {
    let Some((uri, _)) = lab() else { return };
    let (once, twice) = tokio::join!(live(&uri, Fault::None), live(&uri, Fault::Twice));
    let all: BTreeSet<_> = STEPS.iter().copied().collect();
    assert_eq!(once, all);
    assert_eq!(twice, all);
}

#[tokio::test]
async fn every_step_may_fail_before_it_did_anything() {
    live_all(Fault::Before).await;
}

#[tokio::test]
async fn every_step_may_fail_after_it_did_all() {
    live_all(Fault::After).await;
}

#[tokio::test]
async fn every_step_may_be_the_last_of_an_agent() {
    live_all(Fault::KillAfter).await;
}
