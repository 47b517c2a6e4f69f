use std::{env::args, env::temp_dir, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use anyhow::{Result, anyhow, bail};
use futures_util::StreamExt;
use matrix_sdk::{
    Client, Room, ThreadingSupport,
    authentication::matrix::MatrixSession,
    encryption::{BackupDownloadStrategy, EncryptionSettings},
    ruma::{OwnedRoomId, events::room::message::RoomMessageEventContent},
    sliding_sync::VersionBuilder,
};
use matrix_sdk_ui::{
    Timeline,
    room_list_service::{RoomListLoadingState, filters::new_filter_non_left},
    sync_service::{State, SyncService},
    timeline::RoomExt,
};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer.
pub async fn until<T>(what: &str, ask: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
    let asking = async {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asking)
        .await
        .map_err(|_| anyhow!("never saw {what}"))?
}

/// What of a timeline is text, and readable.
pub async fn bodies(timeline: &Timeline) -> Vec<String> {
    let items = timeline.items().await;
    let events = items.iter().filter_map(|item| item.as_event());
    events
        .filter_map(|event| Some(event.content().as_message()?.body().to_owned()))
        .collect()
}

/// A device with a folder of its own, as Element X has it: it can be closed and opened again.
pub struct Device {
    pub client: Client,
    pub sync: Arc<SyncService>,
    name: String,
    session: MatrixSession,
}

impl Device {
    pub async fn log_in(username: &str, name: &str) -> Result<Self> {
        let client = Self::client(name).await?;
        let password = format!("secret of {username}");
        let login = client
            .matrix_auth()
            .login_username(username, &password)
            .initial_device_display_name(name);
        login.send().await?;
        client
            .encryption()
            .wait_for_e2ee_initialization_tasks()
            .await;
        Self::start(client, name).await
    }

    /// Goes on with what a closed one kept.
    pub async fn open(self) -> Result<Self> {
        let Self {
            name,
            session,
            client,
            sync,
        } = self;
        drop((client, sync));
        let client = Self::client(&name).await?;
        client.restore_session(session).await?;
        Self::start(client, &name).await
    }

    pub async fn close(&mut self) {
        self.sync.stop().await;
    }

    pub async fn room(&self, room_id: &OwnedRoomId) -> Result<Room> {
        until("the room", async || Ok(self.client.get_room(room_id))).await
    }

    pub async fn say(&self, room_id: &OwnedRoomId, body: &str) -> Result<()> {
        self.room(room_id)
            .await?
            .send(RoomMessageEventContent::text_plain(body))
            .await?;
        Ok(())
    }

    /// Waits until sync brings a readable message with that text.
    pub async fn hears(&self, room_id: &OwnedRoomId, body: &str) -> Result<()> {
        self.meets(room_id, body, false).await
    }

    /// As `hears`, scrolling back as far as it goes.
    pub async fn finds(&self, room_id: &OwnedRoomId, body: &str) -> Result<()> {
        self.meets(room_id, body, true).await
    }

    async fn meets(&self, room_id: &OwnedRoomId, body: &str, back: bool) -> Result<()> {
        let room = self.room(room_id).await?;
        self.sync
            .room_list_service()
            .subscribe_to_rooms(&[room_id])
            .await;
        let timeline = room.timeline().await?;
        let heard = until(body, async || {
            if bodies(&timeline).await.iter().any(|other| other == body) {
                return Ok(Some(()));
            }
            if back {
                timeline.paginate_backwards(20).await?;
            }
            Ok(None)
        });
        match heard.await {
            Ok(()) => Ok(()),
            Err(error) => bail!("{}: {error}, but {:?}", self.name, bodies(&timeline).await),
        }
    }

    /// Waits until the list of rooms is loaded, and has that one.
    pub async fn lists(&self, room_id: &OwnedRoomId) -> Result<()> {
        let service = self.sync.room_list_service();
        let list = service.all_rooms().await?;
        let (entries, controller) = list.entries_with_dynamic_adapters(20);
        controller.set_filter(Box::new(new_filter_non_left()));
        let mut entries = pin!(entries);
        let looking = async {
            let mut rooms = Default::default();
            while let Some(changes) = entries.next().await {
                for change in changes {
                    change.apply(&mut rooms);
                }
                if rooms.iter().any(|room| room.room_id() == room_id) {
                    return Ok(());
                }
            }
            bail!("the list ended")
        };
        timeout(PATIENCE, looking)
            .await
            .map_err(|_| anyhow!("{} never lists the room", self.name))??;
        // A room that it made itself it may know before the server tells of it.
        until("the number of rooms", async || {
            let told = list.loading_state().get();
            let only = RoomListLoadingState::Loaded {
                maximum_number_of_rooms: Some(1),
            };
            Ok((told == only).then_some(()))
        })
        .await
    }

    async fn client(name: &str) -> Result<Client> {
        let base = args().next_back().ok_or_else(|| anyhow!("no address"))?;
        let folder: PathBuf = temp_dir().join(name);
        Ok(Client::builder()
            .homeserver_url(base)
            .sqlite_store(folder, None)
            .sliding_sync_version_builder(VersionBuilder::DiscoverNative)
            .with_threading_support(ThreadingSupport::Enabled {
                with_subscriptions: true,
            })
            .with_encryption_settings(EncryptionSettings {
                auto_enable_cross_signing: true,
                auto_enable_backups: true,
                backup_download_strategy: BackupDownloadStrategy::AfterDecryptionFailure,
            })
            .build()
            .await?)
    }

    async fn start(client: Client, name: &str) -> Result<Self> {
        let session = client
            .matrix_auth()
            .session()
            .ok_or_else(|| anyhow!("not logged in"))?;
        // Else what sync brings before there is a timeline is in none.
        client.event_cache().subscribe()?;
        let sync = Arc::new(
            SyncService::builder(client.clone())
                .with_offline_mode()
                .build()
                .await?,
        );
        sync.start().await;
        let list = sync.room_list_service().all_rooms().await?;
        let device = Self {
            client,
            sync,
            name: name.to_owned(),
            session,
        };
        until("the list of rooms", async || {
            if let State::Error(error) = device.sync.state().get() {
                bail!("{}: {error}", device.name);
            }
            Ok((list.loading_state().get() != RoomListLoadingState::NotLoaded).then_some(()))
        })
        .await?;
        Ok(device)
    }
}
