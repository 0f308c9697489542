use std::time::Duration;

use valetkey_model::{Actor, Phase, ProblemCode};

use crate::{
    agents::is_running,
    bench::{Bench, end_of, start_engine},
};

#[tokio::test]
async fn a_session_is_stopped_when_asked_and_its_agent_with_it() {
    let bench = Bench::new().await;
    let id = bench.start("trap 'echo asked to end; exit 0' TERM; echo agent $$; while :; do sleep 0.05; done").await;
    bench.wait_for_output(&id, "agent").await;
    bench.engine.stop(&Actor::admin(), &id).await.unwrap();
    let ended = bench.end_of(&id).await.failed(ProblemCode::Stopped, "was stopped");
    assert_eq!(ended.session.phase, Phase::Stopped);
    assert!(ended.output().contains("asked to end"), "{}", ended.log());
    let again = bench.engine.stop(&Actor::admin(), &id).await.unwrap_err();
    assert_eq!(again.code, ProblemCode::Conflict);
}

#[tokio::test]
async fn another_process_can_stop_it() {
    let bench = Bench::new().await;
    let id = bench.start("echo started; sleep 600").await;
    bench.wait_for_output(&id, "started").await;
    let other = start_engine(&bench.bed, &[]).await;
    other.stop(&Actor::admin(), &id).await.unwrap();
    end_of(&other, &id).await.failed(ProblemCode::Stopped, "was stopped");
}

#[tokio::test]
async fn a_waiting_session_is_stopped_without_starting() {
    let bench = Bench::new().await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(bench.start("echo started; sleep 600").await);
    }
    for id in &others {
        bench.wait_for_output(id, "started").await;
    }
    let waiting = bench.start("echo never").await;
    bench.engine.stop(&Actor::admin(), &waiting).await.unwrap();
    let ended = bench.end_of(&waiting).await.failed(ProblemCode::Stopped, "was stopped");
    assert!(ended.session.times.preparing_at.is_none());
    bench.engine.shut_down(Duration::from_secs(20)).await;
}

#[tokio::test]
async fn shutting_down_stops_every_session() {
    let bench = Bench::new().await;
    let id = bench.start("echo $$; exec sleep 600").await;
    bench.wait_for_output(&id, "\n").await;
    bench.engine.shut_down(Duration::from_secs(20)).await;
    let ended = bench.end_of(&id).await.failed(ProblemCode::Stopped, "Valetkey shut down");
    let agent: i32 = ended.output().trim().parse().unwrap();
    assert!(!is_running(agent));
}

#[tokio::test]
async fn a_session_that_is_over_can_be_deleted_and_one_that_runs_can_not() {
    let bench = Bench::new().await;
    let me = Actor::admin();
    let id = bench.start("echo started; sleep 600").await;
    bench.wait_for_output(&id, "started").await;
    assert_eq!(bench.engine.delete(&me, &id).await.unwrap_err().code, ProblemCode::Conflict);
    bench.engine.stop(&me, &id).await.unwrap();
    let ended = bench.end_of(&id).await;
    let folder = ended.checkout();
    bench.engine.delete(&me, &id).await.unwrap();
    assert_eq!(bench.engine.session(&me, &id).await.unwrap_err().code, ProblemCode::NotFound);
    assert!(!folder.exists());
}

#[tokio::test]
async fn sessions_of_others_do_not_exist() {
    let bench = Bench::new().await;
    let id = bench.start("true").await;
    bench.end_of(&id).await;
    let eve = Actor::new("eve".parse().unwrap(), false, std::collections::BTreeMap::new());
    assert_eq!(bench.engine.session(&eve, &id).await.unwrap_err().code, ProblemCode::NotFound);
    assert_eq!(bench.engine.stop(&eve, &id).await.unwrap_err().code, ProblemCode::NotFound);
    assert_eq!(bench.engine.delete(&eve, &id).await.unwrap_err().code, ProblemCode::NotFound);
    assert!(bench.engine.events(&eve, &id, 0).await.is_err());
}

#[tokio::test]
async fn events_can_be_followed_from_any_number() {
    let bench = Bench::new().await;
    let id = bench.start("echo one").await;
    let all = bench.end_of(&id).await.events;
    let tail: Vec<_> = {
        use futures_util::TryStreamExt as _;
        let events = bench.engine.events(&Actor::admin(), &id, all[2].seq).await.unwrap();
        events.try_collect().await.unwrap()
    };
    assert_eq!(tail, all[3..]);
}
