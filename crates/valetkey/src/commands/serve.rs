use std::{net::SocketAddr, time::Duration};

use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};
use valetkey_model::{Problem, ProblemCode};

use crate::{
    cli::ServeArgs,
    context::Context,
    output,
    settings::Layer,
    signals::Interrupts,
    upkeep::Upkeep,
    wiring::{self, Foundation, House},
};

/// How long running sessions get to stop when the server is told to; an agent has ten seconds of it.
const SESSIONS_STOP_WITHIN: Duration = Duration::from_secs(12);
/// How long requests that are being answered get after that.
const REQUESTS_END_WITHIN: Duration = Duration::from_secs(2);

/// Serves until told to stop.
pub(crate) async fn serve(context: &Context, args: ServeArgs) -> Result<(), Problem> {
    let flags = Layer { listen: args.listen, public_url: args.public_url, agent: args.agent, ..Layer::default() };
    let settings = context.settings_with(flags)?;
    let mut interrupts = Interrupts::catch()?;
    let (listener, address) = listen(settings.listen).await?;
    let foundation = Foundation::lay(settings).await?;
    foundation.fix_apps().await?;
    let first = foundation.store.first_start(wiring::now()).await?;
    let house = House::build(foundation, address).await?.with_sign_in()?;

    let public_url = house.foundation.settings.public_url(address);
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "listening beyond this machine: let people come in through TLS");
    }
    let server = Serving::start(listener, &house);
    let mut text = format!("Valetkey is up at {public_url}");
    if first {
        let link = house.app.sign_in_link().await?;
        text.push_str(&format!("\nSign in, once and within 15 minutes: {link}"));
    }
    output::say(&text)?;
    interrupts.next().await;
    tracing::info!("asked to stop: sessions and requests are ended");
    // Whoever asks twice does not want to wait.
    tokio::select! {
        () = server.stop(&house) => {}
        () = interrupts.next() => house.close(Duration::ZERO).await,
    }
    Ok(())
}

/// Takes the address to listen on.
pub(super) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Problem> {
    let refused = |e: std::io::Error| {
        Problem::new(ProblemCode::Conflict, format!("Valetkey can't listen on {address}: {e}."))
            .remedy("Choose another with --listen or VALETKEY_LISTEN, or stop what listens there.")
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

/// A server at work in the background.
pub(super) struct Serving {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    upkeep: Upkeep,
}

impl Serving {
    pub(super) fn start(listener: TcpListener, house: &House) -> Self {
        let (stop, stopped) = oneshot::channel();
        let router = valetkey_server::router(house.app.clone());
        let task = tokio::spawn(valetkey_server::serve(listener, router, ended(stopped)));
        Self { stop, task, upkeep: Upkeep::start(&house.foundation) }
    }

    /// Takes no more connections, stops the sessions, ends the event streams and lets busy requests end.
    pub(super) async fn stop(self, house: &House) {
        // An error means that the server has ended already.
        let _ = self.stop.send(());
        self.upkeep.stop();
        house.engine.shut_down(SESSIONS_STOP_WITHIN).await;
        house.app.close_streams();
        let _ = timeout(REQUESTS_END_WITHIN, self.task).await;
        house.close(Duration::ZERO).await;
    }
}

async fn ended(stopped: oneshot::Receiver<()>) {
    // Also when the sender is gone: nobody could stop the server any more.
    let _ = stopped.await;
}
