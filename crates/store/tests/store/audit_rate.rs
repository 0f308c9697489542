//! How many entries of the audit trail are written in a second: `cargo test --release -p valetkey-store audit_rate --
//! --ignored --nocapture`.

use std::time::Instant;

use valetkey_model::{AuditAction, AuditActor, AuditEvent};

use crate::support::{at, store, user};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
#[expect(clippy::print_stdout, reason = "measures, and says what")]
async fn audit_rate() {
    for writers in [1, 16, 256] {
        let (_database, store) = store().await;
        let (began, each) = (Instant::now(), 2_048 / writers);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..writers {
            let store = store.clone();
            tasks.spawn(async move {
                for _ in 0..each {
                    let event = AuditEvent::new(at(1), AuditActor::Person(user("eve")), AuditAction::CredentialUse);
                    store.append_audit(event.to("integration", "one").with("access", "read")).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        let rate = 2_048.0 / began.elapsed().as_secs_f64();
        println!("{writers} at once: {rate:.0} entries/s");
    }
}
