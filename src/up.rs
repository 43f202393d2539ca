//! `lubdub up`: every role in one process, on the embedded backend.

mod greeting;
mod inventory;
mod starts;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use backend_sqlite::{SqliteBackend, SqliteOptions};
use clap::Args;
use management::AdminKey;
use model::byte_size::ByteSize;
use model::chain::Chain;
use model::time::TimeRules;
use ports::clock::{Clock, SystemClock};
use ports::heartbeat_log::HeartbeatLog;
use ports::queue::QueueName;
use ports::registry::Registry;
use ports::roster::Alone;
use prometheus_client::registry::Registry as MetricsRegistry;
use sending::address_guard::AddressGuard;
use sending::mail::MailSettings;
use serving::{Entrance, ListenAddress, Readiness, ServerLimits, serve, tell_reasons};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use greeting::Greeting;
use inventory::Inventory;
use starts::Starts;

use crate::concerns::{LateAlerts, Shut, StuckFanOut};
use crate::limits;
use crate::logging::Logging;
use crate::mail::Smtp;
use crate::metrics_listener::{MetricsListen, MetricsListener};
use crate::signals::StopSignals;
use crate::time_zone::MessageZone;
use cli::{Seconds, Terminal};

/// After a signal, connections have this long to finish what they are at.
const DRAIN_CONNECTIONS: Duration = Duration::from_secs(3);
/// After a signal, the process is gone within this.
const DRAIN: Duration = Duration::from_millis(9_500);

/// The shortest retention of the log: a reader, of a copy or after a crash, must find what is not applied
/// yet.
const SHORTEST_RETENTION: Seconds = Seconds(3_600);
const LONGEST_RETENTION: Seconds = Seconds(3_650 * 24 * 3_600);

/// Below this, a burst of pushes could fill the log before it is applied.
const LEAST_LOG: ByteSize = ByteSize(8 << 20);
const MOST_LOG: ByteSize = ByteSize(10_000_000_000_000);

const EXAMPLES: &str = "\
Examples:
  lubdub up
  lubdub up --listen 0.0.0.0:8080 --public-url https://lubdub.example.com --data-dir /var/lib/lubdub
  lubdub up --allow-private 10.0.0.0/8,127.0.0.1 --meta-webhook https://ops.example.com/lubdub
  lubdub up --smtp-url smtps://mail.example.com --mail-from lubdub@example.com --meta-mail ops@example.com

It logs to standard error. SIGTERM and Ctrl-C drain it within 10 s.";

/// Start everything in one process: no other server is needed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Up {
    /// Listen for HTTP here: 8080, :8080 (every address), localhost:8080 or 0.0.0.0:8080
    #[arg(long, env = "LUBDUB_LISTEN", value_name = "[ADDRESS:]PORT", default_value = "127.0.0.1:8080")]
    listen: ListenAddress,

    #[command(flatten)]
    metrics: MetricsListen,

    /// Keep all data in this folder [default: ~/.local/share/lubdub, or lubdub in XDG_DATA_HOME; for root
    /// /var/lib/lubdub; for a service of systemd its STATE_DIRECTORY]
    #[arg(long, env = "LUBDUB_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,

    /// Start although the data folder was copied in parts: what is missing in it is gone. Give it once
    #[arg(long)]
    accept_torn: bool,

    /// The URL by which clients reach this server [default: the listen address]
    #[arg(long, env = "LUBDUB_PUBLIC_URL", value_name = "URL", hide_env_values = true)]
    public_url: Option<String>,

    /// Set the admin key instead of making one
    #[arg(long, env = "LUBDUB_API_KEY", value_name = "KEY", hide_env_values = true)]
    api_key: Option<String>,

    /// Let webhooks lead to these private addresses (CIDRs, comma-separated)
    #[arg(
        long,
        env = "LUBDUB_ALLOW_PRIVATE",
        value_name = "CIDRS",
        default_value = "",
        hide_default_value = true
    )]
    allow_private: String,

    /// How long the heartbeat log is kept, 1h to 3650d
    #[arg(long, env = "LUBDUB_RETENTION", value_name = "DURATION", default_value = "90d")]
    retention: Seconds,

    /// Most bytes of the heartbeat log, 8MiB to 10TB, and as many of the history; beyond it the oldest
    /// entries go first [default: a tenth of the disk, at most 8 GiB]
    #[arg(long, env = "LUBDUB_LOG_SIZE", value_name = "SIZE")]
    log_size: Option<ByteSize>,

    /// Number of heartbeats, and of flips, that are kept of each monitor to look at, 1 to 1,000,000
    #[arg(long, env = "LUBDUB_HISTORY", value_name = "ENTRIES", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    history: u32,

    #[command(flatten)]
    ingest: ingest::Config,

    #[command(flatten)]
    scheduler: scheduler::Config,

    #[command(flatten)]
    smtp: Smtp,

    #[command(flatten)]
    timezone: MessageZone,

    #[command(flatten)]
    logging: Logging,
}

/// The roles of this process, made and not yet running.
struct Roles {
    ingest: ingest::Service,
    scheduler: scheduler::Service,
    notifier: notifier::Service,
    console: console_api::Service,
}

/// Where this process is reached: alerts that lead there would be pushes.
struct Place {
    listener: SocketAddr,
    public_url: String,
}

/// The listeners of this process, not yet served.
struct Front {
    listener: TcpListener,
    metrics_listener: MetricsListener,
    limits: ServerLimits,
    entrance: Entrance,
}

impl Up {
    /// How it logs.
    pub(crate) const fn logging(&self) -> &Logging {
        &self.logging
    }

    /// Checks what the parser of the command line cannot, before anything is touched.
    ///
    /// # Errors
    /// The flag, and what is wrong with it.
    pub(crate) fn validate(&self) -> anyhow::Result<()> {
        if !(SHORTEST_RETENTION.0..=LONGEST_RETENTION.0).contains(&self.retention.0) {
            anyhow::bail!("--retention must be {SHORTEST_RETENTION} to {LONGEST_RETENTION}");
        }
        if self.log_size.is_some_and(|size| !(LEAST_LOG..=MOST_LOG).contains(&size)) {
            anyhow::bail!("--log-size must be {LEAST_LOG} to {MOST_LOG}");
        }
        self.ingest.validate()?;
        let mail = self.smtp.settings()?;
        self.scheduler_config(mail.clone()).validate()?;
        self.notifier_config(None, mail)?.validate()?;
        self.console_config(None).validate()?;
        Ok(())
    }

    /// The admin key that was given. An empty variable counts as not set.
    fn given_key(&self) -> Option<&str> {
        self.api_key.as_deref().filter(|key| !key.is_empty())
    }

    /// Runs until SIGTERM or SIGINT, then drains.
    ///
    /// # Errors
    /// An error that keeps the process from starting, or a role from running.
    pub(crate) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        if let Some(key) = self.given_key() {
            management::check_admin_key(key)?;
        }
        let signals = StopSignals::listen()?;
        limits::leave_no_core();
        let files = limits::raise_open_files();
        limits::keep_files_private();
        let listener = self.listen.bind().await.with_context(|| {
            format!(
                "failed to listen on {}; is another server running there? choose another with --listen",
                self.listen
            )
        })?;
        let address = listener.local_addr().context("ask for the address that is listened on")?;
        let clock = Arc::new(SystemClock::new());
        let metrics_listener = self.metrics.bind(Arc::clone(&clock) as _).await?;
        let public_url = self.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        if self.public_url.is_none() && address.ip().is_unspecified() {
            tracing::warn!(
                "push URLs will begin with {public_url}, which no client can reach: set --public-url"
            );
        }

        let data_dir = cli::data_dir(self.data_dir.as_deref());
        let options = SqliteOptions {
            retention: Duration::from_secs(self.retention.0),
            history_per_monitor: self.history as usize,
            accept_torn: self.accept_torn,
            log_bytes: self.log_size.map(|size| size.0),
            ..SqliteOptions::new(&data_dir)
        };
        let backend = SqliteBackend::open_with(options, |newest| {
            newest.into_iter().for_each(|newest| clock.not_before(newest));
            Arc::clone(&clock) as Arc<dyn Clock>
        })?;
        let starts = Starts::another(&data_dir, Arc::clone(&clock) as _);
        let registry: Arc<dyn Registry> = backend.registry();
        let key = management::ensure_admin_key(&registry, clock.as_ref(), self.given_key()).await?;
        greeting::keep_key(&data_dir, &key, self.given_key())?;

        let mut metrics = MetricsRegistry::default();
        let entrance = Entrance::new(Arc::clone(&clock) as _, TimeRules::EMBEDDED.silence);
        let place = Place { listener: address, public_url };
        let roles = self.roles(&backend, &clock, &place, &entrance, starts, &mut metrics)?;
        let limits = ServerLimits {
            drain: DRAIN_CONNECTIONS,
            proxies: self.ingest.trusted_proxies.clone(),
            ..ServerLimits::within_open_files(files)
        };
        let greeting = Greeting {
            folder: &data_dir,
            is_new: backend.is_new(),
            holds: Inventory::of(backend.registry().as_ref()).await?,
            address,
            public_url: &place.public_url,
            reaches_this_machine: self.reaches_this_machine()?,
        };
        self.tell(terminal, &greeting, &key)?;
        let front = Front { listener, metrics_listener, limits, entrance };
        let outcome = roles.run(front, metrics, signals).await;
        if let Err(error) = backend.close().await {
            tracing::warn!(error = %Chain(error.as_ref()), "failed to close the data folder in order");
        }
        outcome
    }

    /// Tells of the start: the person by the greeting, and the log.
    fn tell(&self, terminal: &Terminal, greeting: &Greeting<'_>, key: &AdminKey) -> anyhow::Result<()> {
        greeting.print(terminal, key)?;
        let (address, folder) = (greeting.address, greeting.folder.display());
        if greeting.is_new {
            tracing::warn!(
                %folder,
                "made a new installation, for there was none in this folder; if you have one elsewhere, stop this one and name its folder with --data-dir"
            );
        }
        let Inventory { monitors, channels, mail_channels } = greeting.holds;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), %address, %folder, monitors, channels, "started");
        if mail_channels > 0 && !self.smtp.is_given() {
            tracing::warn!(
                channels = mail_channels,
                "channels of e-mail get nothing: this server sends no mail without --smtp-url and --mail-from"
            );
        }
        Ok(())
    }

    fn roles(
        &self,
        backend: &SqliteBackend,
        clock: &Arc<SystemClock>,
        place: &Place,
        entrance: &Entrance,
        starts: Starts,
        metrics: &mut MetricsRegistry,
    ) -> anyhow::Result<Roles> {
        let clock = || Arc::clone(clock) as Arc<dyn Clock>;
        let rules = TimeRules::EMBEDDED;
        let mail = self.smtp.settings()?;
        let ingest = ingest::Service::new(
            self.ingest.clone(),
            ingest::Deps {
                log: backend.log(),
                registry: backend.registry(),
                clock: clock(),
                rules,
                entrance: entrance.clone(),
            },
            metrics,
        )?;
        let scheduler = scheduler::Service::new(
            self.scheduler_config(mail.clone()),
            rules,
            scheduler::Deps {
                owner: "embedded".to_owned(),
                log: backend.log(),
                registry: backend.registry(),
                states: backend.state(),
                roster: Arc::new(Alone::default()),
                checkpoints: backend.checkpoints(),
                checkpoint_every: scheduler::CHECKPOINTS_EMBEDDED,
                history: backend.history(),
                alerts: backend.queue(QueueName::Alerts),
                concerns: vec![
                    Arc::new(Shut(entrance.clone())),
                    Arc::new(LateAlerts {
                        deliveries: Some(backend.queue(QueueName::Deliveries)),
                        history: backend.deliveries(),
                        clock: clock(),
                    }),
                    Arc::new(StuckFanOut(backend.queue(QueueName::Alerts), clock())),
                    Arc::new(starts),
                ],
                clock: clock(),
            },
            metrics,
        )?;
        let notifier = notifier::Service::new(
            self.notifier_config(Some(place), mail)?,
            notifier::Deps {
                alerts: backend.queue(QueueName::Alerts),
                deliveries: backend.queue(QueueName::Deliveries),
                registry: backend.registry(),
                delivery_history: backend.deliveries(),
                ledger: backend.ledger(),
                history: backend.history(),
                states: backend.state(),
                partitions: backend.log().partitions(),
                clock: clock(),
            },
            metrics,
        )?;
        let console = console_api::Service::new(
            self.console_config(Some(place)),
            console_api::Deps {
                log: backend.log(),
                registry: backend.registry(),
                states: backend.state(),
                history: backend.history(),
                deliveries: backend.deliveries(),
                checkpoints: backend.checkpoints(),
                rules,
                alert_queue: backend.queue(QueueName::Alerts),
                delivery_queue: backend.queue(QueueName::Deliveries),
                clock: clock(),
            },
            metrics,
        )?;
        Ok(Roles { ingest, scheduler, notifier, console })
    }

    fn scheduler_config(&self, mail: Option<MailSettings>) -> scheduler::Config {
        scheduler::Config { mail, ..self.scheduler.clone() }
    }

    /// Whether alerts may lead to a receiver on this machine.
    fn reaches_this_machine(&self) -> anyhow::Result<bool> {
        let guard = AddressGuard::parse(&self.allow_private).context("read --allow-private")?;
        Ok(guard.check(Ipv4Addr::LOCALHOST.into()).is_ok())
    }

    fn notifier_config(
        &self,
        place: Option<&Place>,
        mail: Option<MailSettings>,
    ) -> anyhow::Result<notifier::Config> {
        let mut allow_private = AddressGuard::parse(&self.allow_private).context("read --allow-private")?;
        if let Some(place) = place {
            allow_private = allow_private.with_own(&place.public_url).with_listener(place.listener);
        }
        Ok(notifier::Config { allow_private, mail, timezone: self.timezone.zone() })
    }

    /// `place` is `None` as long as nothing is listened on.
    fn console_config(&self, place: Option<&Place>) -> console_api::Config {
        console_api::Config {
            public_url: place.map(|place| place.public_url.clone()).or_else(|| self.public_url.clone()),
            listener: place.map(|place| place.listener),
            allow_private: self.allow_private.clone(),
            trusted_proxies: self.ingest.trusted_proxies.clone(),
            sends_mail: Some(self.smtp.is_given()),
        }
    }
}

impl Roles {
    /// Runs every role behind one listener until a signal, then drains them in the order of the pipeline:
    /// first what is accepted gets its answer, then what was accepted is applied.
    async fn run(
        self,
        front: Front,
        metrics: MetricsRegistry,
        mut signals: StopSignals,
    ) -> anyhow::Result<()> {
        let readiness: Vec<Readiness> = vec![
            self.ingest.readiness(),
            self.scheduler.readiness(),
            self.notifier.readiness(),
            self.console.readiness(),
        ];
        let Front { listener, metrics_listener, limits, entrance } = front;
        let (listening, accepting, applying) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());

        let mut front = JoinSet::new();
        let telling = tell_reasons(readiness.clone());
        let ops = metrics_listener.start(&mut front, listening.clone()).routes(readiness, metrics);
        let router = self.ingest.router().merge(self.console.router()).merge(ops);
        front.spawn(serve(listener, router, limits, entrance, listening.clone()));
        let mut ingest = JoinSet::new();
        let service = self.ingest.run(accepting.clone());
        ingest.spawn(async move { service.await.context("run ingest") });
        let mut back = JoinSet::new();
        // The console lets go of requests that wait, so that they do not hold up the listener's drain.
        let service = self.console.run(listening.clone());
        back.spawn(async move { service.await.context("run the console") });
        let service = self.notifier.run(listening.clone());
        back.spawn(async move { service.await.context("run the notifier") });
        let service = self.scheduler.run(applying.clone());
        back.spawn(async move { service.await.context("run the scheduler") });

        let failed = tokio::select! {
            never = telling => match never {},
            () = signals.received() => None,
            Some(ended) = front.join_next() => Some(early_end(ended.map(|()| Err(anyhow!("the listener ended by itself"))))),
            Some(ended) = ingest.join_next() => Some(early_end(ended)),
            Some(ended) = back.join_next() => Some(early_end(ended)),
        };
        if let Some(error) = &failed {
            tracing::error!(error = %Chain(error.as_ref()), "a role ended; stopping");
        }
        let drain = async {
            listening.cancel();
            while front.join_next().await.is_some() {}
            accepting.cancel();
            while ingest.join_next().await.is_some() {}
            applying.cancel();
            while back.join_next().await.is_some() {}
        };
        if tokio::time::timeout(DRAIN, drain).await.is_err() {
            tracing::warn!("leaving before everything was drained; nothing that was acknowledged is lost");
        }
        failed.map_or(Ok(()), Err)
    }
}

fn early_end(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("a role ended by itself"),
        Ok(Err(error)) => error,
        Err(panicked) => panicked.into(),
    }
}
